# SPDX-License-Identifier: MIT
"""An echo server made with the library `websockets`, 10.4 or later.

    python3 tests/servers/echo.py [--listen ws] [--listen wss:CERT:KEY] ...

The path decides what the server does:

    /                               sends every message back
    /ticker                         sends "0", "1", ... every 50 ms
    /flood?count=N&size=S&kind=K    sends N messages of S bytes (K: text or binary), then closes with 1000
    /close?code=C&reason=R          closes at once
    /slow                           reads one message each 200 ms and sends nothing
    /sink                           answers every message with its length in decimal text
    /moved                          redirects to / with HTTP status 302

Every path accepts the subprotocols "chat" and "superchat". The size of a message has no limit.
The first line on stdout is "listening PORT ...", with one port for each --listen, in their order.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import ssl
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import websockets
import websockets.http11

Query = dict[str, str]
SUBPROTOCOLS = [websockets.Subprotocol("chat"), websockets.Subprotocol("superchat")]


async def echo(ws: Any, query: Query) -> None:
    async for message in ws:
        await ws.send(message)


async def ticker(ws: Any, query: Query) -> None:
    number = 0
    while True:
        await ws.send(str(number))
        number += 1
        await asyncio.sleep(0.05)


async def flood(ws: Any, query: Query) -> None:
    size = int(query.get("size", "32"))
    message: str | bytes = "x" * size if query.get("kind", "binary") == "text" else b"x" * size
    for _ in range(int(query.get("count", "1000"))):
        await ws.send(message)
    await ws.close(1000)


async def close(ws: Any, query: Query) -> None:
    await ws.close(int(query.get("code", "1000")), query.get("reason", ""))


async def slow(ws: Any, query: Query) -> None:
    async for _ in ws:
        await asyncio.sleep(0.2)


async def sink(ws: Any, query: Query) -> None:
    async for message in ws:
        await ws.send(str(len(message)))


PATHS: dict[str, Callable[[Any, Query], Awaitable[None]]] = {
    "/": echo,
    "/ticker": ticker,
    "/flood": flood,
    "/close": close,
    "/slow": slow,
    "/sink": sink,
}


async def handle(ws: Any) -> None:
    # In websockets 13 and earlier the connection has the path, from 14 on the request has it.
    url = urlsplit(ws.path if hasattr(ws, "path") else ws.request.path)
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    action = PATHS.get(url.path)
    if action is None:
        await ws.close(1008, f"no such path: {url.path}")
        return
    try:
        await action(ws, query)
    except websockets.exceptions.ConnectionClosed:
        return


def redirect(first: Any, second: Any) -> Any:
    """Returns the reply of /moved, or None."""
    # websockets 13 and earlier pass (path, headers), from 14 on (connection, request).
    is_old = isinstance(first, str)
    if urlsplit(first if is_old else second.path).path != "/moved":
        return None
    headers = {"Location": "/", "Content-Length": "0"}
    if is_old:
        return 302, headers, b""
    return websockets.http11.Response(302, "Found", websockets.Headers(headers), b"")


def choose(first: Any, second: Any) -> Any:
    """Returns the client's first subprotocol that this server has, or none.

    Without this function the library refuses a client that offers no subprotocol.
    """
    # websockets 13 and earlier pass (client's list, server's list), from 14 on (connection, client's list).
    offered = first if isinstance(first, (list, tuple)) else second
    return next((name for name in offered if name in SUBPROTOCOLS), None)


def tls(spec: str) -> ssl.SSLContext | None:
    """Returns None for "ws", and a server context for "wss:CERT:KEY"."""
    if spec == "ws":
        return None
    _, cert, key = spec.split(":")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", action="append", metavar="ws|wss:CERT:KEY")
    parser.add_argument("--port", type=int, default=0, help="the port of the first --listen; 0 = any")
    parser.add_argument("--ping-interval", type=float, default=20)
    parser.add_argument("--ping-timeout", type=float, default=20)
    options = parser.parse_args()
    # The library would log an error for each probe that connects and leaves, and for each test that breaks the
    # protocol.
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    ports = []
    for place, spec in enumerate(options.listen or ["ws"]):
        server = await websockets.serve(
            handle,
            "127.0.0.1",
            options.port if place == 0 else 0,
            ssl=tls(spec),
            max_size=None,
            ping_interval=options.ping_interval,
            ping_timeout=options.ping_timeout,
            close_timeout=10,
            subprotocols=SUBPROTOCOLS,
            select_subprotocol=choose,
            process_request=redirect,
        )
        ports.append(next(iter(server.sockets)).getsockname()[1])
    print("listening", *ports, flush=True)
    await stop.wait()


if __name__ == "__main__":
    asyncio.run(main())
