"""Sends and receives in two tasks."""

import asyncio

from websockets.asyncio.client import connect


async def producer(websocket):
    for number in range(100):
        await websocket.send(f"message {number}")
    await websocket.send("end")


async def consumer(websocket):
    received = []
    async for message in websocket:
        if message == "end":
            break
        received.append(message)
    return received


async def main():
    async with connect(uri("CW_ECHO_WS")) as websocket:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(consumer(websocket))
            group.create_task(producer(websocket))
        print(len(task.result()), task.result()[-1])


asyncio.run(main())
# 100 message 99
