"""Sends a message, and receives the echo."""

import asyncio

from websockets.asyncio.client import connect


async def hello():
    async with connect(uri("CW_ECHO_WS")) as websocket:
        await websocket.send("Hello world!")
        message = await websocket.recv()
        print(message)
    print(websocket.state.name, websocket.close_code, repr(websocket.close_reason))


asyncio.run(hello())
# Hello world!
# CLOSED 1000 ''
