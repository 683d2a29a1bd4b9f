"""Sends messages in fragments."""

import asyncio

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect as connect_sync


async def numbers():
    for number in range(3):
        yield f"{number}-"
        await asyncio.sleep(0)


async def main():
    async with connect(uri("CW_ECHO_WS")) as websocket:
        await websocket.send(["⏳", "⌛️"])
        print(await websocket.recv())
        await websocket.send(numbers())
        print(await websocket.recv())
        await websocket.send([b"ab", b"cd"], text=True)
        print(await websocket.recv())
        await websocket.send([])
        async with asyncio.TaskGroup() as group:
            group.create_task(websocket.send(numbers()))
            group.create_task(websocket.send("whole"))
        print(sorted([await websocket.recv(), await websocket.recv()]))
        async for part in websocket_parts(websocket):
            print(part)
        try:
            await websocket.send(["text", b"bytes"])
        except TypeError:
            print("TypeError")
        try:
            await websocket.recv()
        except ConnectionClosedError as exc:
            print(exc.sent.code)


async def websocket_parts(websocket):
    await websocket.send("streamed")
    async for part in websocket.recv_streaming():
        yield part


asyncio.run(main())
with connect_sync(uri("CW_ECHO_WS")) as websocket:
    websocket.send(letter for letter in "abc")
    print(websocket.recv())
    websocket.send("streamed")
    print(list(websocket.recv_streaming()))
# ⏳⌛️
# 0-1-2-
# abcd
# ['0-1-2-', 'whole']
# streamed
# TypeError
# 1011
# abc
# ['streamed']
