"""Asks for compression with a small window."""

import asyncio

from websockets.asyncio.client import connect
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory


async def main():
    for arguments in ({}, {"extensions": [ClientPerMessageDeflateFactory(server_max_window_bits=11)]}):
        async with connect(uri("CW_ECHO_WS"), **arguments) as websocket:
            print([type(extension).__name__ for extension in websocket.protocol.extensions])
            print(websocket.request.headers["Sec-WebSocket-Extensions"])
            await websocket.send("a" * 100_000)
            print(len(await websocket.recv()))


asyncio.run(main())
# ['PerMessageDeflate']
# permessage-deflate; client_max_window_bits
# 100000
# ['PerMessageDeflate']
# permessage-deflate; server_max_window_bits=11; client_max_window_bits
# 100000
