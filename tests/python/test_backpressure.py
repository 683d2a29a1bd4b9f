# SPDX-License-Identifier: MIT
"""try_send, buffered_amount, the water marks and on_writable, against a server that reads when the test wants.

Also in curlwire.aio.
"""

import asyncio
import base64
import hashlib
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

import curlwire
from curlwire import aio
from peers import WAIT, echo, opened, opened_stream, round_trip, wait_until

HIGH, LOW, SIZE, COST = 100_000, 30_000, 5_000, 64
HELD = 32_768  # the codec holds so many bytes besides the queue
ROUNDS = 20
MARKS: dict[str, Any] = {
    "send_high_water_mark": HIGH,
    "send_low_water_mark": LOW,
    "outbound_buffer_size": 32_768,
    "keepalive": "off",
}


class Server:
    """Accepts one connection, and reads its messages only when reads() has been called."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32_768)
        self.url = f"ws://127.0.0.1:{self._listener.getsockname()[1]}/"
        self._may_read = threading.Event()
        self.numbers: list[int] = []  # what the messages have begun with
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def reads(self) -> None:
        self._may_read.set()

    def _run(self) -> None:
        with self._listener, self._listener.accept()[0] as connection, connection.makefile("rwb") as file:
            key = b""
            while (line := file.readline().strip()) != b"":
                name, _, value = line.partition(b":")
                key = value.strip() if name.lower() == b"sec-websocket-key" else key
            digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
            file.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
            )
            file.flush()
            self._may_read.wait(WAIT)
            with suppress(ConnectionError, struct.error):  # the client has aborted
                while self._read_frame(file):
                    pass

    def _read_frame(self, file: Any) -> bool:
        head = file.read(2)
        if len(head) < 2:
            return False
        size = head[1] & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", file.read(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", file.read(8))
        mask = file.read(4)
        payload = file.read(size)
        if len(payload) < size:
            return False
        if head[0] & 0xF == 8:
            file.write(b"\x88\x02" + bytes(a ^ b for a, b in zip(payload[:2], mask, strict=False)))
            file.flush()
            return False
        (number,) = struct.unpack("!I", bytes(a ^ b for a, b in zip(payload[:4], mask, strict=False)))
        self.numbers.append(number)
        return True

    def end(self) -> None:
        self._may_read.set()
        self._thread.join(WAIT)


@contextmanager
def stalled() -> Iterator[Server]:
    server = Server()
    try:
        yield server
    finally:
        server.end()


def numbered(number: int) -> bytes:
    return struct.pack("!I", number) + bytes(SIZE - 4)


def fill(ws: Any, first: int = 0) -> int:
    """Sends numbered messages until there is no room for 0.2 s. Returns the number of the next message."""
    number, nothing = first, threading.Event()
    for _ in range(ROUNDS):
        before = number
        while ws.try_send(numbered(number)):
            number += 1
        if number == before:
            return number
        nothing.wait(0.2)  # the kernel may take a little more a little later
    raise AssertionError("the kernel takes everything")


@pytest.mark.parametrize("framing", ["auto", "curl"])
def test_try_send(framing: Any) -> None:
    """Every message that was accepted arrives once, in order; those that were not do not."""
    with stalled() as server, curlwire.connect(server.url, framing=framing, **MARKS) as ws:
        assert ws.buffered_amount == 0
        count = fill(ws)
        assert count > HIGH // (SIZE + COST)
        assert 0 < ws.information.statistics.send_queue_bytes <= HIGH
        assert ws.state == "open"
        server.reads()
        ws.flush(WAIT)
        assert ws.buffered_amount == 0
        assert ws.try_send(numbered(count)) is True
        ws.close()
        ws.wait_closed(WAIT)
    assert server.numbers == list(range(count + 1))


def test_send_without_waiting() -> None:
    """send() with timeout=0 raises where try_send() returns False."""
    with stalled() as server, curlwire.connect(server.url, send_high_water_mark=0) as ws:
        assert ws.try_send(bytes(1 << 24))  # an empty queue takes a message of any size
        with pytest.raises(curlwire.WebSocketTimeout, match="the send buffer is full; wait until"):
            ws.send(b"x", timeout=0)
        assert ws.try_send(b"x") is False
        ws.abort()
        assert ws.buffered_amount == 0


def test_try_send_forms() -> None:
    with opened() as ws:
        assert ws.try_send("äb") is True
        assert ws.recv(timeout=WAIT) == "äb"
        assert ws.try_send(data=bytearray(b"ab")) is True
        assert ws.recv(timeout=WAIT) == b"ab"
        assert ws.try_send(b"ab", text=True, compress=False) is True
        assert ws.recv(timeout=WAIT) == "ab"
        assert ws.try_send("", text=False) is True
        assert ws.recv(timeout=WAIT) == b""


def test_try_send_wrong() -> None:
    """Everything but a lack of room is an exception, and nothing has been sent then."""
    new = curlwire.MessageWebSocket()
    with pytest.raises(curlwire.StateError, match="not connected"):
        new.try_send("x")
    with opened() as ws:
        call: Any = ws.try_send
        for arguments, keywords, error, match in (
            ((), {}, TypeError, "try_send"),
            ((["a"],), {}, TypeError, r"try_send\(\)"),
            ((5,), {}, TypeError, r"try_send\(\)"),
            (("a", 5), {}, TypeError, "try_send"),
            (("a",), {"timeout": 5}, TypeError, "timeout"),
            (("a",), {"text": 1}, TypeError, "text must be"),
            (("a",), {"compress": 1}, TypeError, "compress must be"),
            ((b"\xff",), {"text": True}, curlwire.ArgumentError, "not UTF-8"),
            (("\ud800",), {}, curlwire.ArgumentError, "surrogate|UTF-8"),
        ):
            with pytest.raises(error, match=match):
                call(*arguments, **keywords)
        round_trip(ws)
        ws.close()
        with pytest.raises(curlwire.ConnectionClosed):
            ws.try_send("x")
    stream: Any = curlwire.StreamWebSocket()
    assert not hasattr(stream, "try_send")
    assert not hasattr(stream, "on_writable")


def test_buffered_amount() -> None:
    new = curlwire.MessageWebSocket()
    assert new.buffered_amount == 0
    readonly: Any = new
    with pytest.raises(AttributeError):
        readonly.buffered_amount = 1
    with stalled() as server, curlwire.connect(server.url, **MARKS) as ws:
        count = fill(ws)
        wire_bytes = count * (SIZE + 8)
        while True:  # until the service thread writes nothing between the readings
            left = wire_bytes - ws.information.statistics.wire_bytes_sent
            amount = ws.buffered_amount
            if left == wire_bytes - ws.information.statistics.wire_bytes_sent:
                break
        if ws.framing != "curl":  # libcurl hides what it holds
            assert left - 8 * count <= amount <= left
        server.reads()
        ws.flush(WAIT)
        assert ws.buffered_amount == 0
        with ws.batch():
            assert ws.try_send(b"x" * 1000)
            assert ws.buffered_amount == (0 if ws.framing == "curl" else 1008)
        assert ws.buffered_amount == 0
        ws.abort()
        assert ws.buffered_amount == 0
    with opened_stream() as stream:
        stream.output_stream.write(b"x")
        assert stream.buffered_amount == 0


def test_on_writable() -> None:
    called: list[tuple[curlwire.MessageWebSocket, int, int]] = []
    news = threading.Event()

    def on_writable(ws: curlwire.MessageWebSocket, buffered_amount: int) -> None:
        called.append((ws, buffered_amount, threading.get_ident()))
        news.set()

    with stalled() as server:
        ws = curlwire.MessageWebSocket(**MARKS)
        ws.on_writable = on_writable
        assert ws.on_writable is on_writable
        ws.connect(server.url)
        assert ws.try_send(numbered(0))
        assert called == []
        count = fill(ws, 1)
        server.reads()
        assert news.wait(WAIT)
        ws.flush(WAIT)
        # The dispatcher thread may get the amount of an earlier call after fill() has sent more.
        wait_until(lambda: called[-1][1] <= LOW + HELD)
        assert 1 <= len(called) <= ROUNDS  # once for each time that there was no room
        assert called[0][0] is ws
        assert called[0][2] != threading.get_ident()
        ws.on_writable = None
        ws.close()
        ws.wait_closed(WAIT)
    assert server.numbers == list(range(count))


def test_on_writable_sends_the_rest() -> None:
    """A program that sends when there is room. The handler keeps the socket alive for run_forever()."""
    numbers = iter(range(200))
    pending = [next(numbers)]

    def send_more(ws: curlwire.MessageWebSocket, buffered_amount: int = 0) -> None:
        while ws.try_send(numbered(pending[0])):
            pending[0] = next(numbers, -1)
            if pending[0] < 0:
                ws.close()
                return

    with stalled() as server:
        ws = curlwire.MessageWebSocket(**MARKS)
        ws.on_writable = send_more
        ws.connect(server.url)
        send_more(ws)
        del ws
        server.reads()
        curlwire.run_forever()
    assert server.numbers == list(range(200))


def test_on_writable_wrong() -> None:
    ws: Any = curlwire.MessageWebSocket()
    with pytest.raises(TypeError, match="cannot set the handler"):
        ws.on_writable = 5
    assert ws.on_writable is None


def test_on_writable_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception in the handler is reported, and the socket goes on."""
    reports: list[Any] = []
    news = threading.Event()

    def report(unraisable: Any) -> None:
        reports.append(unraisable.exc_value)
        news.set()

    def fail(ws: object, buffered_amount: int) -> None:
        raise ValueError(str(buffered_amount))

    monkeypatch.setattr("sys.unraisablehook", report)
    with stalled() as server, curlwire.connect(server.url, **MARKS) as ws:
        ws.on_writable = fail
        count = fill(ws)
        server.reads()
        assert news.wait(WAIT)
        assert isinstance(reports[0], ValueError)
        ws.flush(WAIT)
        assert ws.try_send(numbered(count))
        ws.close()
        ws.wait_closed(WAIT)
    assert server.numbers == list(range(count + 1))


@pytest.mark.parametrize("name", ["send_high_water_mark", "send_low_water_mark"])
def test_bad_marks(name: str) -> None:
    ws = curlwire.MessageWebSocket()
    for value in (None, -1, 2**31, 2**70):
        with pytest.raises(curlwire.ArgumentError, match=name):
            setattr(ws.control, name, value)
    for value in (1.5, "1", True):
        with pytest.raises(TypeError, match=name):
            setattr(ws.control, name, value)
    setattr(ws.control, name, 0)
    assert getattr(ws.control, name) == 0


# ---- asyncio


def run(main: Any) -> None:
    errors: list[dict[str, Any]] = []

    async def wrapped() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
        await asyncio.wait_for(main(), WAIT)

    asyncio.run(wrapped(), debug=True)
    assert errors == []


@pytest.mark.parametrize("is_coroutine", [False, True])
def test_in_aio(is_coroutine: bool) -> None:
    with stalled() as server:

        async def main() -> int:
            called = asyncio.get_running_loop().create_future()

            def on_writable(ws: aio.MessageWebSocket, buffered_amount: int) -> None:
                if not called.done():
                    called.set_result((ws, buffered_amount))

            async def on_writable_later(ws: aio.MessageWebSocket, buffered_amount: int) -> None:
                await asyncio.sleep(0)
                on_writable(ws, buffered_amount)

            async with aio.connect(server.url, **MARKS) as ws:
                ws.on_writable = on_writable_later if is_coroutine else on_writable
                assert ws.on_writable is not None
                assert ws.try_send(numbered(0)) is True
                assert not called.done()
                count = fill(ws, 1)
                assert ws.buffered_amount > 0 or ws.information.framing == "curl"
                server.reads()
                assert (await called)[0] is ws
                assert called.result()[1] <= LOW + HELD
                ws.on_writable = None
                waiting = asyncio.create_task(ws.send(numbered(count)))
                await waiting
                assert ws.try_send(numbered(count + 1)) is True
            return count + 2

        count = 0

        async def counted() -> None:
            nonlocal count
            count = await main()

        run(counted)
    assert server.numbers == list(range(count))


def test_in_aio_behind_a_task_that_waits() -> None:
    """A message cannot overtake those of tasks that wait in send()."""
    with stalled() as server:
        count = 0

        async def main() -> None:
            nonlocal count
            async with aio.connect(server.url, **MARKS) as ws:
                count = fill(ws)
                tasks = [asyncio.create_task(ws.send(numbered(count + more))) for more in range(100)]
                await asyncio.sleep(0)
                assert ws.try_send(b"") is False
                server.reads()
                await asyncio.gather(*tasks)
                assert ws.try_send(numbered(count + 100)) is True

        run(main)
    assert server.numbers == list(range(count + 101))


def test_in_aio_wrong() -> None:
    async def main() -> None:
        ws = aio.MessageWebSocket()
        with pytest.raises(curlwire.StateError, match="not connected"):
            ws.try_send("x")
        async with aio.connect(echo()) as ws:
            with pytest.raises(curlwire.ArgumentError, match="not UTF-8"):
                ws.try_send(b"\xff", text=True)
            assert ws.try_send("x", compress=False) is True
            assert await ws.recv() == "x"
        with pytest.raises(curlwire.ConnectionClosed):
            ws.try_send("x")
        assert ws.buffered_amount == 0
        async with aio.connect(echo(), aio.StreamWebSocket) as stream:
            assert stream.buffered_amount == 0

    run(main)
