# SPDX-License-Identifier: MIT
"""The real server behind the proxy: the `websockets` library, doing what the sessions of the tests ask of it.

    python3 tests/faults/server.py [HOST [CERT KEY]]

Every message comes back as it is, and "hello" is printed, too. Two messages have answers of their own. "play"
gets a fragmented text with a ping inside, and a binary message after that ping's pong. "leave" gets a close
with 1001. The first line on stdout is "listening PORT".
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import sys
from collections.abc import AsyncIterator

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

PLAYED_TEXT = ("ein ", "zwei ", "drei")
PLAYED_BINARY = bytes(range(20))
LEFT = (1001, "leaving")


async def play(ws: ServerConnection) -> None:
    pongs = []

    async def fragments() -> AsyncIterator[str]:
        for number, text in enumerate(PLAYED_TEXT):
            if number == 1:
                pongs.append(await ws.ping(b"inside"))
            yield text

    await ws.send(fragments())
    await pongs[0]
    await ws.send(PLAYED_BINARY)


async def session(ws: ServerConnection) -> None:
    with contextlib.suppress(ConnectionClosed):
        async for message in ws:
            if message in ("play", b"play"):
                await play(ws)
            elif message in ("leave", b"leave"):
                await ws.close(*LEFT)
            else:
                await ws.send(message)
                if message in ("hello", b"hello"):
                    print("hello", flush=True)


async def main() -> None:
    logging.getLogger("websockets").setLevel(logging.CRITICAL)  # broken connections are what we are for
    host = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"
    context = None
    if len(sys.argv) > 2:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*sys.argv[2:4])
    server = await serve(
        session, host, 0, ssl=context, compression=None, ping_interval=None, server_header=None,
        close_timeout=2, max_size=None,
    )  # fmt: skip
    print("listening", next(iter(server.sockets)).getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
