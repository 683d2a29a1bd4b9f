"""Measures the round trip."""

import asyncio

from websockets.asyncio.client import connect
from websockets.sync.client import connect as connect_sync


async def main():
    async with connect(uri("CW_ECHO_WS"), ping_interval=None) as websocket:
        print(websocket.latency)
        pong_waiter = await websocket.ping()
        latency = await pong_waiter
        print(latency > 0, websocket.latency > 0)


asyncio.run(main())
with connect_sync(uri("CW_ECHO_WS"), ping_interval=None) as websocket:
    print(websocket.ping().wait(60), websocket.latency > 0)
# 0.0
# True True
# True True
