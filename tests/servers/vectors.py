# SPDX-License-Identifier: MIT
"""A reader of the vectors of tests/conformance, and a server that sends them and records the client's answers.

    python3 tests/servers/vectors.py

    ws://HOST:PORT/vector/RUN/NAME/WAY   sends the vector NAME in the way WAY (tests/conformance/README.md), and
                                         records the connection under RUN, a word that the caller chooses
    ws://HOST:PORT/log/RUN               waits until the connections of RUN have ended, then sends their records
                                         in text messages, and closes

A record is a line: NAME WAY END FRAME... A FRAME is "pong:" or "close:" and its payload in hexadecimal. A frame
that no client may send begins with "unmasked:", "long:" (then its length), or its first byte instead. END is
"server" if the server ended TCP before the client, "client" if the client ended it first, "reset", or
"timeout". The server ends TCP after the client's close frame. In the way "whole" it then waits to see if the
client does more.

The server sends a part when the client has read the part before. It asks the kernel for this (Linux,
sock_diag(7)). On other systems it pauses between two writes. The first line on stdout is "listening PORT".
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import re
import signal
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "conformance"
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CLOSE = bytes.fromhex("880203e8")
SPLITS = 20
SINGLE_BYTES = 1024  # sent byte by byte at each end of a vector that is too long to go byte by byte as a whole
AWAITED_PARTS = 64  # after so many parts the server no longer waits for the client to read
END_S = 60  # long enough for an emulated processor that is busy
HOLD_S = 0.03
TICK_S = 0.001
LINES_PER_MESSAGE = 200


# ---- the reader


class BadVector(Exception):
    """A line does not follow the format of tests/conformance/README.md."""


TOKEN = re.compile(r' *(?:(\d+)\*)?(?:"([^"]*)"|((?:[0-9a-f]{2})+)(?![^ )}])|([({])|([)}]))')


def frame(first: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes([first, size]) + payload
    if size < 65536:
        return struct.pack("!BBH", first, 126, size) + payload
    return struct.pack("!BBQ", first, 127, size) + payload


def parse_items(text: str, at: int, end: str) -> tuple[bytes, int]:
    """Returns the bytes of a sequence of items, and the place after its end. `end` is `)`, `}` or nothing."""
    out = bytearray()
    while text[at:].strip(" "):
        found = TOKEN.match(text, at)
        if not found:
            break
        times, quoted, digits, opened, closed = found.groups()
        at = found.end()
        if closed:
            if closed != end or times:
                break
            return bytes(out), at
        item = (quoted or "").encode("ascii") if digits is None else bytes.fromhex(digits)
        if opened:
            item, at = parse_items(text, at, ")" if opened == "(" else "}")
            if opened == "{":
                item = frame(item[0], item[1:])
        out += item * int(times or 1)
    else:
        if not end:
            return bytes(out), at
    raise BadVector(f"not bytes: {text[at:]}")


def parse_bytes(text: str) -> bytes:
    return parse_items(text, 0, "")[0]


@dataclass
class Expected:
    """The behaviour that a vector requires from a client."""

    messages: list[tuple[str, bytes]] = field(default_factory=list)  # text, binary, text_begun, binary_begun
    pongs: list[tuple[bool, bytes]] = field(default_factory=list)  # whether it must be sent, and its payload
    end: str = ""  # closed, fail, lost
    payload: bytes = b""  # the payload of the server's close frame, or the code to fail with

    @property
    def code(self) -> int:
        """The code in the payload; 1005 if it is empty."""
        return int.from_bytes(self.payload[:2]) if self.payload else 1005

    def add(self, word: str, rest: str) -> None:
        word, _, times = word.partition("*")
        count = int(times or 1)
        if word in ("text", "binary", "text_begun", "binary_begun"):
            self.messages += [(word, parse_bytes(rest))] * count
        elif word in ("pong", "pong?"):
            self.pongs += [(word == "pong", parse_bytes(rest))] * count
        elif word in ("closed", "fail", "lost") and not self.end:
            self.end = word
            self.payload = struct.pack("!H", int(rest)) if word == "fail" else parse_bytes(rest)
        else:
            raise BadVector(f"no such line, or a second end: {word}")


@dataclass
class Vector:
    name: str
    category: str
    section: str = ""
    controls: dict[str, str | int | None] = field(default_factory=dict)
    client_closes: bytes | None = None
    sent: list[str] = field(default_factory=list)
    full: Expected = field(default_factory=Expected)
    curl: Expected | None = None
    awaited: Counter[str] | None = None  # wait for these pongs, then send a close frame; None = send none

    def add(self, word: str, rest: str) -> None:
        if word == "section":
            self.section = rest
        elif word == "control":
            key, value = rest.split(" ")
            self.controls[key] = None if value == "none" else int(value) if value.isdecimal() else value
        elif word == "client_closes":
            self.client_closes = parse_bytes(rest)
        elif word == "send":
            self.sent.append(rest)
        elif word == "curl":
            self.curl = self.curl or Expected()
            self.curl.add(*rest.partition(" ")[::2])
        else:
            self.full.add(word, rest)

    def finish(self) -> None:
        """Sets the defaults of a vector that names no end."""
        if not self.section:
            raise BadVector(f"{self.name} names no section")
        for expected in filter(None, (self.full, self.curl)):
            if not expected.end:
                expected.end, expected.payload = "closed", CLOSE[2:]
                self.awaited = Counter(f"pong:{payload.hex()}" for must, payload in expected.pongs if must)

    @cached_property
    def data(self) -> bytes:
        return parse_bytes(" ".join(self.sent))

    @property
    def is_cut(self) -> bool:
        """Returns whether the server ends TCP right after its last bytes."""
        return "lost" in (self.full.end, self.curl.end if self.curl else "")

    def expected(self, codec: str) -> Expected:
        return self.curl if codec == "curl" and self.curl else self.full

    def ways(self) -> list[str]:
        joined = ["joined"] if self.client_closes is None else []
        splits = [str(place) for place in range(1, min(SPLITS, len(self.data) - 1) + 1)]
        return [*joined, "whole", "bytes", *splits]

    def parts(self, way: str) -> list[bytes]:
        data = self.data
        if way in ("joined", "whole"):
            return [data] if data else []
        if way != "bytes":
            return [data[: int(way)], data[int(way) :]]
        if len(data) <= 4 * SINGLE_BYTES:
            return [data[i : i + 1] for i in range(len(data))]
        end = len(data) - SINGLE_BYTES
        return [
            *(data[i : i + 1] for i in range(SINGLE_BYTES)),
            *(data[i : min(i + 1000, end)] for i in range(SINGLE_BYTES, end, 1000)),
            *(data[i : i + 1] for i in range(end, len(data))),
        ]


def read_file(path: Path) -> Iterator[Vector]:
    vector = None
    for number, line in enumerate(path.read_text(encoding="ascii").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        word, _, rest = line.partition(" ")
        try:
            if word == "vector":
                if vector:
                    vector.finish()
                    yield vector
                vector = Vector(rest, path.stem)
            elif vector:
                vector.add(word, rest)
            else:
                raise BadVector("a line before the first vector")
        except ValueError as error:
            raise BadVector(f"{path.name}:{number}: {error}") from None
        except BadVector as error:
            raise BadVector(f"{path.name}:{number}: {error}") from None
    if vector:
        vector.finish()
        yield vector


def read_all() -> list[Vector]:
    return [vector for path in sorted(FOLDER.glob("*.txt")) for vector in read_file(path)]


# ---- bytes that the client has not read yet


class Unread:
    """Asks the kernel for the receive queue of the other end of a loopback connection."""

    def __init__(self) -> None:
        self.netlink: socket.socket | None = None
        with contextlib.suppress(AttributeError, OSError):
            self.netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4)  # NETLINK_SOCK_DIAG

    def count(self, writer: asyncio.StreamWriter) -> int:
        """Returns the number of bytes in that queue; 0 also if the system cannot tell."""
        client, server = writer.get_extra_info("peername"), writer.get_extra_info("sockname")
        if self.netlink is None or client is None:
            return 0
        request = struct.pack(
            "=BBBBI2s2s4s12x4s12xIII",
            socket.AF_INET, socket.IPPROTO_TCP, 0, 0, 0xFFFFFFFF,
            struct.pack("!H", client[1]), struct.pack("!H", server[1]),
            socket.inet_aton(client[0]), socket.inet_aton(server[0]), 0, 0xFFFFFFFF, 0xFFFFFFFF,
        )  # fmt: skip
        # 20 is SOCK_DIAG_BY_FAMILY. The answer is an inet_diag_msg, or an error if the socket no longer exists.
        self.netlink.send(struct.pack("=IHHII", 16 + len(request), 20, 1, 0, 0) + request)
        reply = self.netlink.recv(4096)
        (kind,) = struct.unpack_from("=H", reply, 4)
        return int(struct.unpack_from("=I", reply, 72)[0]) if kind == 20 else 0

    async def until_read(self, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(TICK_S)  # the bytes just sent may not be in that queue yet
        while self.count(writer):
            await asyncio.sleep(TICK_S)


# ---- the server


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, str]:
    """Reads a frame of the client. Returns its first byte, and its entry in the record."""
    first, second = await reader.readexactly(2)
    length, least = second & 0x7F, 0
    if length >= 126:
        least = 126 if length == 126 else 65536
        length = int.from_bytes(await reader.readexactly(2 if length == 126 else 8))
    mask = await reader.readexactly(4) if second & 0x80 else b""
    payload = await reader.readexactly(length)
    word = {0x88: "close", 0x8A: "pong"}.get(first, f"{first:02x}")
    if not mask:
        word = "unmasked"
    elif length < least:
        word = "long"
    else:
        payload = bytes(byte ^ mask[i & 3] for i, byte in enumerate(payload))
    return first, f"{word}:{payload.hex()}"


class Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, unread: Unread) -> None:
        self.reader = reader
        self.writer = writer
        self.unread = unread
        self.frames: list[str] = []
        self.is_closing = False  # the client has sent a close frame
        self.is_over = False  # the client has ended TCP
        self.is_reset = False
        self.news = asyncio.Event()

    async def receive(self) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            try:
                while True:
                    first, entry = await read_frame(self.reader)
                    self.frames.append(entry)
                    self.is_closing = self.is_closing or first == 0x88
                    self.news.set()
            except ConnectionError:
                self.is_reset = True
            finally:
                self.is_over = True
                self.news.set()

    async def until_pongs(self, wanted: Counter[str]) -> None:
        """Waits for these pongs, or until the client has ended TCP."""
        while wanted - Counter(self.frames) and not self.is_over:
            self.news.clear()
            await self.news.wait()

    async def until_closing(self) -> None:
        while not self.is_closing and not self.is_over:
            self.news.clear()
            await self.news.wait()

    async def until_over(self) -> None:
        while not self.is_over:
            self.news.clear()
            await self.news.wait()

    async def send(self, vector: Vector, way: str, reply: bytes) -> None:
        if way == "joined":
            self.writer.write(reply + vector.data)
        else:
            self.writer.write(reply)
            if vector.client_closes is not None:
                await self.until_closing()
            await self.unread.until_read(self.writer)
            for number, part in enumerate(vector.parts(way)):
                self.writer.write(part)
                if number < AWAITED_PARTS:
                    await self.unread.until_read(self.writer)
                else:
                    await self.writer.drain()
        await self.writer.drain()
        if vector.awaited is not None:
            await self.until_pongs(vector.awaited)
            self.writer.write(CLOSE)

    async def run(self, vector: Vector, way: str, reply: bytes) -> str:
        """Sends a vector and waits for the end. Returns the END of the record."""
        receiving = asyncio.create_task(self.receive())
        end = "server"
        try:
            async with asyncio.timeout(END_S):
                await self.send(vector, way, reply)
                if not vector.is_cut:
                    await self.until_closing()
                if way == "whole" and not vector.is_cut:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(HOLD_S):
                            await self.until_over()
                if self.is_over:
                    end = "client"
                self.writer.write_eof()
                await self.until_over()
        except TimeoutError:
            end = "timeout"
        except OSError:
            end = "reset"
        receiving.cancel()
        return "reset" if self.is_reset else end


class Server:
    def __init__(self) -> None:
        self.vectors = {vector.name: vector for vector in read_all()}
        self.records: dict[str, list[str]] = {}
        self.active: dict[str, int] = {}
        self.unread = Unread()
        self.ended = asyncio.Condition()

    async def replay(self, connection: Connection, run: str, name: str, way: str, reply: bytes) -> None:
        self.active[run] = self.active.get(run, 0) + 1
        try:
            end = await connection.run(self.vectors[name], way, reply)
            self.records.setdefault(run, []).append(" ".join([name, way, end, *connection.frames]))
        finally:
            self.active[run] -= 1
            async with self.ended:
                self.ended.notify_all()

    async def log(self, connection: Connection, run: str, reply: bytes) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_S), self.ended:
                await self.ended.wait_for(lambda: self.active.get(run, 0) == 0)
        lines = self.records.pop(run, [])
        connection.writer.write(reply)
        for i in range(0, len(lines), LINES_PER_MESSAGE):
            connection.writer.write(frame(0x81, "\n".join(lines[i : i + LINES_PER_MESSAGE]).encode()))
        connection.writer.write(CLOSE)
        await connection.writer.drain()
        receiving = asyncio.create_task(connection.receive())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_S):
                await connection.until_closing()
        receiving.cancel()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(reader, writer, self.unread)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            found = re.search(r"^sec-websocket-key: *(\S+)", head, re.IGNORECASE | re.MULTILINE)
            key = found.group(1) if found else ""
            accept = base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()
            reply = (
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Accept: {accept}\r\n\r\n"
            ).encode()
            match head.split(" ")[1].split("/")[1:]:
                case ["vector", run, name, way] if name in self.vectors:
                    if self.vectors[name].controls.get("compression") == "deflate":
                        reply = reply[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
                    await self.replay(connection, run, name, way, reply)
                case ["log", run]:
                    await self.log(connection, run, reply)
                case _:
                    writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # a probe, or a client that has gone
        except asyncio.CancelledError:
            pass  # this program is ending
        finally:
            writer.close()


async def main() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = await asyncio.start_server(Server().handle, "127.0.0.1", 0, backlog=512)
    print("listening", server.sockets[0].getsockname()[1], flush=True)
    await stop.wait()


if __name__ == "__main__":
    asyncio.run(main())
