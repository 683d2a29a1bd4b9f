"""Handles messages until the server has closed with 1000."""

import asyncio

from websockets.asyncio.client import connect


async def consume():
    count = size = 0
    async with connect(uri("CW_ECHO_WS", "/flood?count=500&size=100")) as websocket:
        async for message in websocket:
            count += 1
            size += len(message)
    print(count, size)


asyncio.run(consume())
# 500 50000
