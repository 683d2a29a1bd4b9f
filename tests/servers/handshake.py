# SPDX-License-Identifier: MIT
"""A server that answers the opening handshake with the reply of a vector of tests/conformance/handshake.

    python3 tests/servers/handshake.py [--listen ws] [--listen wss:CERT:KEY] ...

    ws://HOST:PORT/NAME              sends the reply of the vector NAME, then ends as the vector says
    ws://HOST:PORT/NAME?bytewise     sends the same in writes of one byte, each given to the kernel before the
                                     next; of a repeated part only the first BYTEWISE bytes
    wss://NAME.localhost:PORT/       on a port without TLS: sends the same as the answer to the first bytes of
                                     TLS, which contain the name

The limits and the first line on stdout are the same as in scripted.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import ssl
from collections.abc import Iterator

import handshake_vectors
import scripted

BYTEWISE = 1024
WRITE_BYTES = 65536


def pieces(data: bytes, count: int, bytewise: bool) -> Iterator[bytes]:
    """Yields the writes of a step that sends data `count` times; 0 means without end."""
    if not data:
        return
    turns = iter(range(count)) if count else itertools.count()
    if bytewise:
        for _ in itertools.islice(turns, BYTEWISE // len(data) + 1):
            yield from (data[place : place + 1] for place in range(len(data)))
    while batch := sum(1 for _ in itertools.islice(turns, WRITE_BYTES // len(data) + 1)):
        yield data * batch


async def send(connection: scripted.Connection, data: bytes, count: int, bytewise: bool) -> None:
    for piece in pieces(data, count, bytewise):
        await connection.send(piece)
        await asyncio.sleep(0)


async def answer(connection: scripted.Connection, vector: handshake_vectors.Vector, bytewise: bool) -> None:
    request = connection.record.request
    accept = scripted.accept_value(request).encode()
    key = scripted.header(request, "sec-websocket-key").encode()
    whole = b""  # all bytes up to the next pause, which go out in one write
    for name, data, count in vector.steps:
        data = data.replace(b"{accept}", accept).replace(b"{key}", key)
        if name == "send" and count == 1:
            whole += data
            continue
        await send(connection, whole, 1, bytewise)
        whole = b""
        if name == "pause":
            await asyncio.sleep(count / 1000)
        else:
            await send(connection, data, count, bytewise)
    await send(connection, whole, 1, bytewise)
    step = {"echo": "echo", "eof": "end", "reset": "rst", "hang": "hang"}[vector.end]
    await getattr(connection, f"step_{step}")()
    if step == "echo":
        await connection.step_end()  # the server ends TCP (RFC 6455 section 7.1.1)


class Server:
    def __init__(self) -> None:
        self.vectors = {vector.name: vector for vector in handshake_vectors.load()}

    def chosen(self, head: str) -> tuple[handshake_vectors.Vector | None, bool]:
        found = re.match(r"GET /(\w+)(\?bytewise)? ", head) or re.search(r"(\w+)\.localhost()", head)
        return (self.vectors.get(found[1]), bool(found[2])) if found else (None, False)

    async def handle(self, reader: scripted.Reader, writer: asyncio.StreamWriter) -> None:
        receiving: asyncio.Task[None] | None = None
        try:
            async with asyncio.timeout(scripted.LIFE_S):
                first = await reader.readexactly(1)
                rest = await (reader.read(4096) if first == b"\x16" else reader.readuntil(b"\r\n\r\n"))
                head = (first + rest).decode("latin-1")
                vector, bytewise = self.chosen(head)
                if vector is None:
                    writer.write(scripted.plain_reply("404 Not Found", b"no such vector\n"))
                    return
                connection = scripted.Connection(reader, writer, scripted.Record(head))
                receiving = asyncio.create_task(connection.receive())
                await answer(connection, vector, bytewise)
                if not connection.over:
                    await connection.step_hang()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, scripted.Gone):
            pass
        except (ConnectionError, TimeoutError, ssl.SSLError):
            pass
        except asyncio.CancelledError:
            pass  # this program is ending
        finally:
            if receiving is not None:
                receiving.cancel()
            writer.close()


async def main() -> None:
    # Tests connect to the TLS port without TLS, so do not print a traceback for that.
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    await scripted.serve(Server().handle)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
