# SPDX-License-Identifier: MIT
"""curlwire.trio with what only trio has. test_eventloops.py has the tests of all event loops."""

import subprocess
import sys
import textwrap
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
import trio.testing

from curlwire import ConnectionClosed
from curlwire import trio as api
from loops import polled
from peers import WAIT, Recorded, echo


def test_each_call_is_a_checkpoint() -> None:
    """A call lets other tasks run, even if it need not wait, and does nothing if it is cancelled."""

    async def main() -> None:
        async with api.connect(echo()) as ws:
            await ws.send("ready")
            with trio.fail_after(WAIT):
                await ws._readable(None)
            calls: list[Any] = [
                lambda: ws.send("x"),
                lambda: ws.send_many(["x"]),
                lambda: ws.send_many([]),
                lambda: ws.send_json(1),
                lambda: ws.send(["x"]),
                lambda: ws.send([]),
                lambda: ws.send_final_frame(b"x"),
                ws.flush,
                ws.ping,
                ws.output_stream.drain,
                ws.recv,
                ws.recv_json,
                ws.recv_stream,
                lambda: ws.recv_into(bytearray(9)),
                lambda: anext(aiter(ws)),
            ]
            for call in calls[:-5]:
                with trio.testing.assert_checkpoints():
                    await call()
            with trio.testing.assert_checkpoints():
                assert await ws.recv() == "ready"
            before = ws.information.statistics
            for call in calls:
                with trio.CancelScope() as scope:
                    scope.cancel()
                    await call()
                assert scope.cancelled_caught
            after = ws.information.statistics
            assert after.text_messages_sent == before.text_messages_sent
            assert await ws.recv() == "x"
            await ws.close()
            with trio.testing.assert_checkpoints():
                await ws.wait_closed()

    trio.run(main)


def test_each_call_of_a_stream_is_a_checkpoint() -> None:
    """Also if the bytes have been read already, and at the end."""

    async def main() -> None:
        async with api.connect(echo(), api.StreamWebSocket) as ws:
            ws.output_stream.write(LINES)
            await check_reads(ws.input_stream)
        with trio.testing.assert_checkpoints():
            assert await ws.input_stream.read() == b""
        with trio.testing.assert_checkpoints():
            assert await ws.input_stream.readline() == b""
        async with api.connect(echo()) as message_ws:
            await message_ws.send(LINES)
            stream = await message_ws.recv_stream()
            await check_reads(stream)

    trio.run(main)


LINES = b"a\nb\nc\nde"


async def check_reads(stream: Any) -> None:
    """Checks all reads of a stream, which gets LINES."""
    reads: list[tuple[Callable[[], Awaitable[bytes]], bytes]] = [
        (stream.readline, b"a\n"),
        (stream.readuntil, b"b\n"),
        (lambda: anext(stream), b"c\n"),
        (lambda: stream.readexactly(1), b"d"),
        (lambda: stream.read(1), b"e"),
        (lambda: stream.read(0), b""),
    ]
    for read, expected in reads:
        with trio.CancelScope() as scope:
            scope.cancel()
            await read()
        assert scope.cancelled_caught
        with trio.testing.assert_checkpoints():
            assert await read() == expected


def test_each_call_of_a_reconnecting_socket_is_a_checkpoint() -> None:
    async def main() -> None:
        async with api.ReconnectingWebSocket(echo()) as ws:
            calls: list[Any] = [lambda: ws.send("x"), ws.recv, lambda: ws.send_json(1), ws.recv_json, ws.ping]
            for call in [*calls, lambda: ws.send_many([])]:
                with trio.testing.assert_checkpoints():
                    await call()
                with trio.CancelScope() as scope:
                    scope.cancel()
                    await call()
                assert scope.cancelled_caught
            assert ws.socket is not None
            assert ws.socket.information.statistics.text_messages_sent == 2
            await ws.close()
            with trio.testing.assert_checkpoints():
                await ws.wait_closed()
        ws = api.ReconnectingWebSocket(echo())
        with trio.CancelScope() as scope:
            scope.cancel()
            await ws.connect()
        assert (scope.cancelled_caught, ws.state) == (True, "new")

    trio.run(main)


def test_a_nursery_in_on_connected_ends_with_the_socket() -> None:
    """close() cancels what on_connected waits for, also in tasks of its own."""

    async def main() -> None:
        began = trio.Event()

        async def on_connected(*_: object) -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                began.set()
                await trio.sleep_forever()

        ws = api.ReconnectingWebSocket(echo())
        ws.on_connected = on_connected
        async with trio.open_nursery() as nursery:
            nursery.start_soon(use, ws)
            await began.wait()
            with trio.fail_after(WAIT):
                await ws.close()
        assert ws.state == "closed"

    async def use(ws: api.ReconnectingWebSocket) -> None:
        with pytest.raises(ConnectionClosed, match="this program has closed"):
            await ws.connect()

    trio.run(main)


def test_the_end_of_trio_cancels_a_nursery_in_on_connected() -> None:
    """Its group of Cancelled counts as a cancellation: the socket closes with 1001, and calls no handler."""
    peer = Recorded("frame:1", "close:1001", "end")
    closed: list[Any] = []

    async def main() -> api.ReconnectingWebSocket:
        began = trio.Event()

        async def on_connected(*_: object) -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                began.set()
                await trio.sleep_forever()

        ws = api.ReconnectingWebSocket(peer.url)
        ws.on_connected = on_connected
        ws.on_closed = lambda _, args: closed.append(args)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ws.connect)
            await began.wait()
            nursery.cancel_scope.cancel()
        assert ws.state == "connecting"  # a cancelled connect() leaves it to go on
        return ws

    ws = trio.run(main)
    assert (ws.state, closed) == ("closed", [])
    assert isinstance(ws._driver.error, ConnectionClosed)
    assert peer.record()["frames"][0]["payload"] == f"{1001:04x}"


async def fail_when_cancelled() -> None:
    try:
        await trio.sleep_forever()
    finally:
        raise ValueError("in the cleanup")


async def run_until_cancelled(began: trio.Event) -> None:
    """Is cancelled after began, and leaves a group of a cancellation and a failure."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fail_when_cancelled)
        await trio.testing.wait_all_tasks_blocked()
        began.set()
        await trio.sleep_forever()


def reported(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Returns the exceptions in the groups that were logged."""
    errors = [record.exc_info[1] for record in caplog.records if record.exc_info]
    return [str(one) for error in errors if isinstance(error, ExceptionGroup) for one in error.exceptions]


def test_a_failure_beside_a_cancellation_in_on_connected(caplog: pytest.LogCaptureFixture) -> None:
    """close() cancels on_connected. What else its nursery raises is reported, and ends nothing."""

    async def main() -> None:
        began = trio.Event()
        ws = api.ReconnectingWebSocket(echo())
        ws.on_connected = lambda *_: run_until_cancelled(began)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ws.connect)
            await began.wait()
            nursery.cancel_scope.cancel()
        await ws.close()
        assert ws.state == "closed"

    trio.run(main)
    assert reported(caplog) == ["in the cleanup"]


def test_a_failure_beside_a_cancellation_in_a_handler(caplog: pytest.LogCaptureFixture) -> None:
    """The end of trio cancels a handler. It does not make trio crash."""

    async def main() -> None:
        began = trio.Event()
        ws = api.MessageWebSocket()
        ws.on_message_received = lambda *_: run_until_cancelled(began)
        await ws.connect(echo())
        await ws.send("x")
        await began.wait()
        await ws.close()

    trio.run(main)
    assert reported(caplog) == ["in the cleanup"]


def test_cancelled_block_closes_in_the_background() -> None:
    """A cancelled task cannot wait in trio. The socket still does the closing handshake."""

    async def main() -> None:
        with trio.fail_after(WAIT):
            with trio.CancelScope() as scope:
                async with api.connect(echo()) as ws, trio.open_nursery() as nursery:
                    nursery.start_soon(ws.recv)
                    await polled(ws)
                    scope.cancel()
            assert scope.cancelled_caught
            await ws.wait_closed()
        assert (ws.state, ws.was_clean) == ("closed", True)

    trio.run(main)


def test_no_group_in_strict_mode() -> None:
    """strict_exception_groups is trio's default. The exception of a block is the exception itself."""

    async def main() -> None:
        with pytest.raises(ZeroDivisionError):
            async with api.connect(echo()):
                raise ZeroDivisionError

    trio.run(main, strict_exception_groups=True)


def test_outside_of_trio() -> None:
    async def main() -> api.MessageWebSocket:
        return await api.connect(echo())

    ws = trio.run(main)
    with pytest.raises(RuntimeError, match="async context"):
        ws.send("x").send(None)
    ws.abort()


def test_importing_trio_only_there() -> None:
    """curlwire and curlwire.aio import no trio, and curlwire.trio imports no asyncio."""
    code = """
        import sys
        import curlwire, curlwire.aio
        assert "trio" not in sys.modules
    """
    other = """
        import sys, trio, curlwire.trio
        async def main():
            async with curlwire.trio.connect(sys.argv[1]) as ws:
                await ws.send("x")
                await ws.recv()
        trio.run(main)
        assert "asyncio" not in sys.modules
    """
    for program in (code, other):
        words = [sys.executable, "-c", textwrap.dedent(program), echo()]
        done = subprocess.run(words, capture_output=True, text=True, timeout=WAIT, check=False)
        assert (done.returncode, done.stderr) == (0, "")
