"""Reconnects in a 'for' loop."""

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import reconnect

count = 0
for websocket in reconnect(uri("CW_ECHO_WS", "/close?code=1012")):
    count += 1
    try:
        websocket.recv()
    except ConnectionClosed:
        if count == 3:
            break
print(count)


def process_exception(exc):
    return ValueError(f"fatal: {type(exc).__name__}")


try:
    for _ in reconnect(uri("CW_REFUSED_WS"), process_exception=process_exception):
        print("connected")
except ValueError as exc:
    print(exc)
# 3
# fatal: ConnectionRefusedError
