"""An exception that leaves the block closes with 1011."""

import asyncio

from websockets.asyncio.client import connect


async def main():
    try:
        async with connect(uri("CW_ECHO_WS")) as websocket:
            raise LookupError("oops")
    except LookupError as exc:
        print(exc, websocket.close_code)


asyncio.run(main())
# oops 1011
