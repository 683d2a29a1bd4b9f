"""Gives up waiting, and receives the message later."""

import asyncio

from websockets.asyncio.client import connect
from websockets.sync.client import connect as connect_sync


async def main():
    async with connect(uri("CW_ECHO_WS")) as websocket:
        try:
            async with asyncio.timeout(0.01):
                await websocket.recv()
        except TimeoutError:
            print("no message")
        await websocket.send("later")
        print(await asyncio.wait_for(websocket.recv(), 60))
    try:
        await connect(uri("CW_SCRIPT_WS", "/s/hs:/hang"), open_timeout=0.1)
    except TimeoutError as exc:
        print(exc)


asyncio.run(main())
with connect_sync(uri("CW_ECHO_WS")) as websocket:
    for timeout in (0, -1, 0.01):
        try:
            websocket.recv(timeout)
        except TimeoutError:
            print("no message")
    websocket.send("later")
    print(websocket.recv(timeout=60))
# no message
# later
# timed out during opening handshake
# no message
# no message
# no message
# later
