"""Says how the server has closed, and how it has not."""

from websockets.exceptions import ConnectionClosed, ConnectionClosedError
from websockets.sync.client import connect

with connect(uri("CW_ECHO_WS", "/close?code=1001")) as websocket:
    print(list(websocket))
with connect(uri("CW_ECHO_WS", "/close?code=1011&reason=broken")) as websocket:
    try:
        for _ in websocket:
            print("a message")
    except ConnectionClosedError as exc:
        print(exc.rcvd.code, exc.rcvd.reason)
with connect(uri("CW_SCRIPT_WS", "/s/close/frame:1/end")) as websocket:
    try:
        websocket.recv()
    except ConnectionClosed as exc:
        print(type(exc).__name__, exc.rcvd.code, exc.sent.code)
with connect(uri("CW_SCRIPT_WS", "/s/end")) as websocket:
    try:
        websocket.recv()
    except ConnectionClosed as exc:
        print(type(exc).__name__, exc)
print(websocket.close_code, repr(websocket.close_reason))
# []
# 1011 broken
# ConnectionClosedOK 1005 1005
# ConnectionClosedError no close frame received or sent
# 1006 ''
