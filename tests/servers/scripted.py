# SPDX-License-Identifier: MIT
"""A server that sends the exact bytes that the request path describes, and records the client's frames.

    python3 tests/servers/scripted.py [--listen ws] [--listen wss:CERT:KEY] ...

    ws://HOST:PORT/s/STEP/STEP/...?id=TOKEN      runs the steps, and records the connection as TOKEN
    GET /log/TOKEN                               (http or https, same port) returns the record as JSON
    GET /go/TOKEN                                (the same) lets the connection pass one gate

The server first sends a correct 101 reply, unless the first step replaces it. It does the steps in order. After
the last step it reads until the client ends the connection, as `hang` does. HEX is bytes in hexadecimal.

    hs:HEX           sends these bytes instead of the 101; {accept} in them becomes the correct
                     Sec-WebSocket-Accept
    join             (after the 101 or hs) sends the bytes of the next x or repeat in the same write as the
                     reply
    x:HEX            sends the bytes in one write
    drip:HEX         sends the bytes one at a time, each given to the kernel before the next
    repeat:N:HEX     sends the bytes N times
    frame:N          waits until the client has sent N complete frames in all
    gate             waits for GET /go/TOKEN, which may also come before this step. A script with two gates
                     needs two of them. A test uses this if the server must not go on before the test has done
                     or seen something. A wait is too short for that if the machine is busy
    echo             sends back each frame after the frames that `frame` waited for, and answers pings; ends
    after
                     answering the client's close frame
    close:CODE       sends a close frame; `close` alone sends an empty one
    wait:MS          waits for MS milliseconds, or more on a busy machine
    stall            stops reading, so that the client's bytes stay in the kernel
    resume           reads again
    eof              half-closes, so that the client reads the end (over TLS it does the same as `end`)
    end              closes the TCP connection
    rst              resets the TCP connection
    hang             reads and sends nothing until the client ends the connection

The record is an object:

    request        the head of the client's request, as text
    frames         [{"opcode", "fin", "rsv", "masked", "length", "payload"}], the payload in hexadecimal
    masks_differ   whether all frames had different mask keys
    end            how the TCP connection ended: "eof" or "reset" if the client ended it first, "server" if a
                   step ended it, "timeout" after 120 s, null if it is still open (GET waits up to 30 s)
    error          why the server gave up, or null

Limits: 120 s for a connection, 16 MiB for a frame, and 10,000 recorded frames with 4 MiB in all. A record has
the first 64 KiB of each payload; "length" is the whole length. The last 8,192 records are kept. The first line
on stdout is "listening PORT ...", with one port for each --listen.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import hashlib
import json
import select
import signal
import socket
import ssl
import struct
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

LIFE_S = 120
LOG_WAIT_S = 30
FRAME_BYTES = 16 << 20
KEPT_PAYLOAD_BYTES = 64 << 10
KEPT_BYTES = 4 << 20
KEPT_FRAMES = 10_000
RECORDS = 8192  # enough for several suites at once, some with hundreds of connections
HEAD_BYTES = 1 << 20
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


Step = tuple[str, list[str]]  # the name of the step and its arguments


class Gone(Exception):
    """The client has ended the connection while a step was waiting for it."""


class BadScript(Exception):
    """The path does not follow the syntax above."""


@dataclass
class Frame:
    opcode: int
    fin: bool
    rsv: int
    mask: bytes | None
    payload: bytes

    def record(self, room: int) -> dict[str, Any]:
        return {
            "opcode": self.opcode,
            "fin": self.fin,
            "rsv": self.rsv,
            "masked": self.mask is not None,
            "length": len(self.payload),
            "payload": self.payload[: min(room, KEPT_PAYLOAD_BYTES)].hex(),
        }


@dataclass
class Record:
    request: str
    frames: list[dict[str, Any]] = field(default_factory=list)
    room: int = KEPT_BYTES
    mask_count: int = 0
    masks: set[bytes] = field(default_factory=set)
    end: str | None = None
    error: str | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    goes: int = 0  # how many requests for /go have come
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    def add(self, frame: Frame) -> None:
        if frame.mask is not None:
            self.mask_count += 1
            self.masks.add(frame.mask)
        if len(self.frames) < KEPT_FRAMES:
            entry = frame.record(self.room)
            self.room -= len(entry["payload"]) // 2
            self.frames.append(entry)

    def as_json(self) -> bytes:
        return json.dumps(
            {
                "request": self.request,
                "frames": self.frames,
                "masks_differ": len(self.masks) == self.mask_count,
                "end": self.end,
                "error": self.error,
            }
        ).encode()


def encode(opcode: int, payload: bytes, fin: bool = True) -> bytes:
    """Returns a frame of the server, which has no mask."""
    head = bytes([fin << 7 | opcode])
    if len(payload) < 126:
        head += bytes([len(payload)])
    elif len(payload) < 65536:
        head += struct.pack("!BH", 126, len(payload))
    else:
        head += struct.pack("!BQ", 127, len(payload))
    return head + payload


def unmask(payload: bytes, mask: bytes) -> bytes:
    """Removes the mask. One XOR of two big numbers is fast enough for megabytes."""
    keys = (mask * (len(payload) // 4 + 1))[: len(payload)]
    number = int.from_bytes(payload, "little") ^ int.from_bytes(keys, "little")
    return number.to_bytes(len(payload), "little")


class Reader(asyncio.StreamReader):
    """A StreamReader that returns the bytes that came before a reset. asyncio's own reader drops them."""

    is_reset = False

    def set_exception(self, exc: BaseException) -> None:
        self.is_reset = True
        self.feed_eof()


async def read_frame(reader: asyncio.StreamReader) -> Frame:
    first, second = await reader.readexactly(2)
    length = second & 0x7F
    if length == 126:
        (length,) = struct.unpack("!H", await reader.readexactly(2))
    elif length == 127:
        (length,) = struct.unpack("!Q", await reader.readexactly(8))
    if length > FRAME_BYTES:
        raise BadScript(f"the client announced a frame of {length} bytes; {FRAME_BYTES} is the most")
    mask = await reader.readexactly(4) if second & 0x80 else None
    payload = await reader.readexactly(length)
    if mask is not None:
        payload = unmask(payload, mask)
    return Frame(first & 0x0F, bool(first & 0x80), first >> 4 & 7, mask, payload)


class Connection:
    """One client and its script."""

    def __init__(self, reader: Reader, writer: asyncio.StreamWriter, record: Record) -> None:
        self.reader = reader
        self.writer = writer
        self.record = record
        self.waiting: list[Frame] = []  # received, but not yet used by a step
        self.received = 0
        self.seen = 0
        self.passed = 0  # gates
        self.news = record.news
        self.client_end: str | None = None
        self.over = False  # a step has ended the connection
        self.may_read = asyncio.Event()
        self.may_read.set()
        self.held = b""  # the reply, if join sends it with the next bytes

    # -- receiving

    async def receive(self) -> None:
        """Reads frames until the client ends the connection."""
        end = None
        try:
            while True:
                await self.may_read.wait()
                frame = await read_frame(self.reader)
                async with self.news:
                    self.record.add(frame)
                    self.received += 1
                    self.waiting.append(frame)
                    self.news.notify_all()
        except asyncio.IncompleteReadError:
            pass
        except (ConnectionError, ssl.SSLError):
            end = "reset"
        except BadScript as error:
            self.record.error = str(error)
            end = "server"
        async with self.news:
            self.client_end = end or ("reset" if self.reader.is_reset else "eof")
            self.news.notify_all()

    async def until_received(self, count: int) -> None:
        async with self.news:
            await self.news.wait_for(lambda: self.received >= count or self.client_end)
        if self.received < count:
            raise Gone
        while self.seen < count:
            self.seen += 1
            self.waiting.pop(0)

    async def next_frame(self) -> Frame:
        async with self.news:
            await self.news.wait_for(lambda: self.waiting or self.client_end)
            if not self.waiting:
                raise Gone
            self.seen += 1
            return self.waiting.pop(0)

    # -- sending

    async def send(self, data: bytes) -> None:
        if self.held:
            data, self.held = self.held + data, b""
        if self.writer.transport.is_closing():  # over TLS, drain() does not report that the client has gone
            raise Gone
        self.writer.write(data)
        await self.writer.drain()

    # -- the steps

    async def step_x(self, data: str) -> None:
        await self.send(bytes.fromhex(data))

    async def step_drip(self, data: str) -> None:
        for byte in bytes.fromhex(data):
            await self.send(bytes([byte]))
            await asyncio.sleep(0)

    async def step_repeat(self, count: str, data: str) -> None:
        one, left = bytes.fromhex(data), int(count)
        batch = max(1, 65536 // max(1, len(one)))
        while left > 0:
            await self.send(one * min(batch, left))
            left -= batch

    async def step_frame(self, count: str) -> None:
        await self.until_received(int(count))

    async def step_gate(self) -> None:
        async with self.news:
            await self.news.wait_for(lambda: self.record.goes > self.passed or self.client_end)
        if self.record.goes == self.passed:
            raise Gone
        self.passed += 1

    async def step_echo(self) -> None:
        while True:
            frame = await self.next_frame()
            opcode = 0xA if frame.opcode == 0x9 else frame.opcode
            if frame.opcode != 0xA:
                await self.send(encode(opcode, frame.payload, frame.fin))
            if frame.opcode == 0x8:
                return

    async def step_close(self, code: str = "") -> None:
        await self.send(encode(0x8, struct.pack("!H", int(code)) if code else b""))

    async def step_wait(self, milliseconds: str) -> None:
        await asyncio.sleep(int(milliseconds) / 1000)

    async def step_stall(self) -> None:
        self.may_read.clear()
        self.writer.transport.pause_reading()  # type: ignore[attr-defined]

    async def step_resume(self) -> None:
        self.writer.transport.resume_reading()  # type: ignore[attr-defined]
        self.may_read.set()

    async def step_eof(self) -> None:
        if self.writer.can_write_eof():
            self.writer.write_eof()
            return
        await self.step_end()

    async def step_end(self) -> None:
        self.over = True
        self.writer.close()

    async def step_rst(self) -> None:
        self.over = True
        # With 0 seconds to linger the kernel sends RST instead of FIN.
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()

    async def step_hang(self) -> None:
        if self.may_read.is_set():
            async with self.news:
                await self.news.wait_for(lambda: self.client_end)
            raise Gone
        # The transport of a stalled connection reports nothing, so ask the kernel.
        poll = select.poll()
        poll.register(self.writer.get_extra_info("socket").fileno(), select.POLLRDHUP)
        while not (events := poll.poll(0)):
            await asyncio.sleep(0.02)
        self.client_end = "reset" if events[0][1] & select.POLLERR else "eof"
        raise Gone

    async def run(self, steps: list[Step], reply: bytes) -> None:
        if steps and steps[0][0] == "hs":
            accept = accept_value(self.record.request).encode()
            reply = bytes.fromhex(steps.pop(0)[1][0]).replace(b"{accept}", accept)
        if steps and steps[0][0] == "join":
            steps.pop(0)
            self.held = reply
        else:
            await self.send(reply)
        for name, arguments in [*steps, ("hang", [])]:
            await getattr(self, f"step_{name}")(*arguments)
            if self.over:
                return


# The name of each step, and the least and the greatest number of its arguments.
STEPS = {
    "hs": (1, 1), "join": (0, 0), "x": (1, 1), "drip": (1, 1), "repeat": (2, 2), "frame": (1, 1),
    "gate": (0, 0), "echo": (0, 0), "close": (0, 1), "wait": (1, 1), "stall": (0, 0), "resume": (0, 0),
    "eof": (0, 0), "end": (0, 0), "rst": (0, 0), "hang": (0, 0),
}  # fmt: skip
HEX_ARGUMENT = {"hs": 0, "x": 0, "drip": 0, "repeat": 1}
NUMBER_ARGUMENT = {"repeat": 0, "frame": 0, "wait": 0, "close": 0}


def parse(path: str) -> list[Step]:
    """Returns the steps of a path. Raises BadScript for a bad path, before any step is done."""
    steps: list[Step] = []
    for place, step in enumerate(part for part in path.removeprefix("/s").split("/") if part):
        name, *arguments = unquote(step).split(":")
        arguments = [argument for argument in arguments if argument or name in HEX_ARGUMENT]
        least, most = STEPS.get(name, (1, 0))
        if not least <= len(arguments) <= most:
            raise BadScript(f"no such step, or a wrong number of arguments: {step}")
        if name == "hs" and place != 0:
            raise BadScript("hs must be the first step")
        if name == "join" and place > 0 and (place > 1 or steps[0][0] != "hs"):
            raise BadScript("join must come right after the reply")
        try:
            if name in HEX_ARGUMENT:
                bytes.fromhex(arguments[HEX_ARGUMENT[name]])
            if name in NUMBER_ARGUMENT and arguments:
                int(arguments[NUMBER_ARGUMENT[name]])
        except ValueError as error:
            raise BadScript(f"{step}: {error}") from None
        steps.append((name, arguments))
    return steps


def header(request: str, name: str) -> str:
    for line in request.split("\r\n")[1:]:
        key, _, value = line.partition(":")
        if key.strip().lower() == name:
            return value.strip()
    return ""


def accept_value(request: str) -> str:
    key = header(request, "sec-websocket-key").encode()
    return base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()


def reply_101(request: str) -> bytes:
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept_value(request)}\r\n\r\n"
    ).encode()


class Server:
    def __init__(self) -> None:
        self.records: OrderedDict[str, Record] = OrderedDict()
        self.news = asyncio.Condition()

    async def keep(self, token: str, record: Record) -> None:
        async with self.news:
            self.records.pop(token, None)
            self.records[token] = record
            while len(self.records) > RECORDS:
                self.records.popitem(last=False)
            self.news.notify_all()

    async def find(self, token: str) -> Record | None:
        """Waits up to LOG_WAIT_S for a connection. Returns its record, or None if there is none."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOG_WAIT_S), self.news:
                await self.news.wait_for(lambda: token in self.records)
        return self.records.get(token)

    async def look_up(self, token: str) -> Record | None:
        """As find, and then waits up to LOG_WAIT_S for the end of the connection."""
        record = await self.find(token)
        if record is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(record.ended.wait(), LOG_WAIT_S)
        return record

    async def go(self, token: str) -> bool:
        """Lets a connection pass a gate. Returns False if there is no such connection."""
        record = await self.find(token)
        if record is None:
            return False
        async with record.news:
            record.goes += 1
            record.news.notify_all()
        return True

    async def script(self, reader: Reader, writer: asyncio.StreamWriter, path: str, record: Record) -> None:
        connection = Connection(reader, writer, record)
        receiving: asyncio.Task[None] | None = None
        try:
            steps = parse(path)
            receiving = asyncio.create_task(connection.receive())
            async with asyncio.timeout(LIFE_S):
                await connection.run(steps, reply_101(record.request))
            record.end = "server"
        except BadScript as error:
            record.error = str(error)
            record.end = "server"
            writer.write(plain_reply("400 Bad Request", record.error.encode()))
        except Gone:
            record.end = connection.client_end
        except ConnectionError:
            record.end = "reset"
            connection.may_read.set()
            if receiving is not None:
                await asyncio.wait([receiving], timeout=LOG_WAIT_S)  # frames that came before the failure count
        except TimeoutError:
            record.end = "timeout"
        finally:
            if receiving is not None:
                receiving.cancel()
            record.ended.set()

    async def handle(self, reader: Reader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(LIFE_S):
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            url = urlsplit(head.split(" ", 2)[1])
            if url.path.startswith("/log/"):
                found = await self.look_up(url.path.removeprefix("/log/"))
                known = plain_reply("200 OK", found.as_json()) if found else None
                writer.write(known or plain_reply("404 Not Found", b"{}"))
            elif url.path.startswith("/go/"):
                has_gone = await self.go(url.path.removeprefix("/go/"))
                writer.write(plain_reply("200 OK" if has_gone else "404 Not Found", b"{}"))
            elif url.path == "/s" or url.path.startswith("/s/"):
                record = Record(head)
                token = parse_qs(url.query).get("id")
                if token:
                    await self.keep(token[0], record)
                await self.script(reader, writer, url.path, record)
            else:
                writer.write(plain_reply("404 Not Found", b"paths: /s/STEP/..., /log/TOKEN and /go/TOKEN\n"))
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, IndexError):
            pass  # the request was not complete, so there is no answer
        except (ConnectionError, TimeoutError):
            pass
        except asyncio.CancelledError:
            pass  # this program is ending; asyncio of Python 3.11 would print a traceback
        finally:
            writer.close()


def plain_reply(status: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + body


def tls(spec: str) -> ssl.SSLContext | None:
    """Returns None for "ws", and a server context for "wss:CERT:KEY"."""
    if spec == "ws":
        return None
    _, cert, key = spec.split(":")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


Handler = Callable[[Reader, asyncio.StreamWriter], Awaitable[None]]


async def serve(handle: Handler) -> None:
    """Serves every --listen until a signal comes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", action="append", metavar="ws|wss:CERT:KEY")
    options = parser.parse_args()
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)

    def protocol() -> asyncio.Protocol:
        reader = Reader(limit=HEAD_BYTES)
        return asyncio.StreamReaderProtocol(reader, lambda _, writer: handle(reader, writer))

    servers = [
        await loop.create_server(protocol, "127.0.0.1", 0, ssl=tls(spec)) for spec in options.listen or ["ws"]
    ]
    print("listening", *(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    await stop.wait()


if __name__ == "__main__":
    asyncio.run(serve(Server().handle))
