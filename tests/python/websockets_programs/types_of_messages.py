"""Chooses between text and binary, in both directions."""

import asyncio

from websockets.asyncio.client import connect
from websockets.sync.client import connect as connect_sync


async def main():
    async with connect(uri("CW_ECHO_WS")) as websocket:
        await websocket.send(b"as text", text=True)
        print(repr(await websocket.recv()))
        await websocket.send("as bytes", text=False)
        print(repr(await websocket.recv()))
        await websocket.send("text")
        print(repr(await websocket.recv(decode=False)))
        await websocket.send(bytearray(b"bytes"))
        print(repr(await websocket.recv(decode=True)))
        for wrong in ({"a": 1}, 5, None):
            try:
                await websocket.send(wrong)
            except TypeError:
                print("TypeError")


asyncio.run(main())
with connect_sync(uri("CW_ECHO_WS")) as websocket:
    websocket.send(memoryview(b"as text"), text=True)
    print(repr(websocket.recv(decode=False)))
    websocket.send("text", text=False)
    print(repr(websocket.recv(None, True)))
    try:
        websocket.send({"a": 1})
    except TypeError:
        print("TypeError")
# 'as text'
# b'as bytes'
# b'text'
# 'bytes'
# TypeError
# TypeError
# TypeError
# b'as text'
# 'text'
# TypeError
