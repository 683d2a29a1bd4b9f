# SPDX-License-Identifier: MIT
"""A proxy that cuts every connection at a random moment and in a random way. load.py starts it.

    python3 tests/load/cutter.py --seed N --seconds S PORT ...

It listens on one port for each target PORT of this machine, and prints "listening PORT ..." in their order. It
relays a connection for 3 s to S s. Then it ends the connection by a reset or by an end of TCP. The cut comes
between two reads, or in the middle of the server's next bytes, which cuts a frame or a TLS record short.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import signal
import socket
import struct
from functools import partial

EARLIEST_S = 3.0
READ_BYTES = 65536


class Cut(Exception):
    """The moment of the cut has come."""


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(READ_BYTES):
        writer.write(data)
        await writer.drain()


async def pass_until(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, at: float, share: float
) -> None:
    """Relays the server's bytes until the moment. share: the part of the next bytes to relay, or 0."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            async with asyncio.timeout_at(None if loop.time() >= at else at):
                data = await reader.read(READ_BYTES)
        except TimeoutError:
            data = b""
            if share == 0:
                raise Cut from None
            continue
        if loop.time() >= at:
            writer.write(data[: int(share * len(data))])
            await writer.drain()
            raise Cut
        if not data:
            return
        writer.write(data)
        await writer.drain()


def end(writer: asyncio.StreamWriter, *, with_reset: bool) -> None:
    if with_reset:
        # With 0 seconds to linger the kernel sends RST instead of FIN.
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    else:
        writer.close()


async def serve(
    choose: random.Random, seconds: float, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    moment = choose.uniform(EARLIEST_S, max(seconds, EARLIEST_S + 1))
    share = choose.choice((0.0, choose.random()))
    with_reset = choose.random() < 0.5
    at = asyncio.get_running_loop().time() + moment
    server_reader, server_writer = await asyncio.open_connection("127.0.0.1", port)
    upward = asyncio.create_task(pass_on(reader, server_writer))
    with contextlib.suppress(Cut, ConnectionError):
        await pass_until(server_reader, writer, at, share)
    upward.cancel()
    with contextlib.suppress(asyncio.CancelledError, ConnectionError):
        await upward
    end(writer, with_reset=with_reset)
    end(server_writer, with_reset=True)


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("ports", type=int, nargs="+")
    options = parser.parse_args()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    choose = random.Random(options.seed)
    servers = [
        await asyncio.start_server(partial(serve, choose, options.seconds, port), "127.0.0.1", 0, backlog=4096)
        for port in options.ports
    ]
    print("listening", *(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    await stop.wait()


if __name__ == "__main__":
    asyncio.run(main())
