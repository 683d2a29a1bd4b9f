"""Does the same without asyncio."""

from websockets.sync.client import connect

with connect(uri("CW_ECHO_WS")) as websocket:
    websocket.send("Hello world!")
    print(websocket.recv())
    websocket.send(b"\x00\x01")
    print(websocket.recv())
print(websocket.state.name, websocket.close_code)
# Hello world!
# b'\x00\x01'
# CLOSED 1000
