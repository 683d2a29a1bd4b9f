"""Closes with a code and a reason, several times."""

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

with connect(uri("CW_ECHO_WS")) as websocket:
    print(websocket.wait_closed(timeout=0))
    websocket.close(1001, "away")
    websocket.close()
    print(websocket.wait_closed(), websocket.close_code, websocket.close_reason)
    for call in (websocket.recv, lambda: websocket.send("late"), websocket.ping):
        try:
            call()
        except ConnectionClosed as exc:
            print(type(exc).__name__, exc)
# False
# True 1001 away
# ConnectionClosedOK sent 1001 (going away) away; then received 1001 (going away) away
# ConnectionClosedOK sent 1001 (going away) away; then received 1001 (going away) away
# ConnectionClosedOK sent 1001 (going away) away; then received 1001 (going away) away
