"""Two tasks may not receive at the same time."""

import asyncio

from websockets.asyncio.client import connect
from websockets.exceptions import ConcurrencyError


async def main():
    async with connect(uri("CW_ECHO_WS")) as websocket:
        first = asyncio.create_task(websocket.recv())
        await asyncio.sleep(0)
        try:
            await websocket.recv()
        except ConcurrencyError as exc:
            print(exc)
        await websocket.send("for the first")
        print(await first)


asyncio.run(main())
# cannot call recv while another coroutine is already running recv or recv_streaming
# for the first
