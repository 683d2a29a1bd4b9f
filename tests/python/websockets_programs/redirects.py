"""Follows a redirect."""

import asyncio

from websockets.asyncio.client import connect
from websockets.exceptions import SecurityError
from websockets.sync.client import connect as connect_sync

LOOP = "HTTP/1.1 302 Found\r\nLocation: ?again\r\nContent-Length: 0\r\n\r\n"


async def main():
    async with connect(uri("CW_ECHO_WS", "/moved")) as websocket:
        await websocket.send("there")
        print(await websocket.recv(), websocket.request.path)
    try:
        await connect(uri("CW_SCRIPT_WS", "/s/hs:" + LOOP.encode().hex()))
    except SecurityError as exc:
        print(exc)


asyncio.run(main())
with connect_sync(uri("CW_ECHO_WS", "/moved"), legacy=True) as websocket:
    print(websocket.request.path)
# there /
# more than 10 redirects
# /
