# SPDX-License-Identifier: MIT
"""curlwire.aio on asyncio and uvloop, and curlwire.trio: connecting, messages, cancelling, closing, loops."""

import gc
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from typing import Any

import anyio
import pytest

import curlwire
from curlwire import StateError
from loops import Job, Loop, loop, polled, round_trip, turn, until
from peers import WAIT, Recorded, ca_file, echo, frame, script, text, url

__all__ = ["loop"]


@pytest.mark.parametrize("framing", ["auto", "curl"])
def test_messages_of_both_types(loop: Loop, framing: str) -> None:
    async def main() -> None:
        async with loop.api.connect(echo(), framing=framing) as ws:
            for message in ("", "text", "ä" * 1000, b"", b"bytes", b"x" * 300_000):
                await ws.send(message)
                assert await ws.recv() == message
            await ws.send(b"text", text=True)
            assert await ws.recv(decode=False) == b"text"
            await ws.send("bytes", text=False)
            assert bytes(await ws.recv(copy=False)) == b"bytes"
        assert ws.state == "closed"
        assert ws.close_code == 1000

    loop.run(main)


def test_connect_can_be_awaited(loop: Loop) -> None:
    async def main() -> None:
        ws = await loop.api.connect(echo())
        await round_trip(ws)
        assert f"{loop.api.__name__}.MessageWebSocket open" in repr(ws)
        await ws.close()

    loop.run(main)


def test_over_tls(loop: Loop) -> None:
    async def main() -> None:
        async with loop.api.connect(url("CW_ECHO_WSS"), ca_file=ca_file()) as ws:
            for size in (1, 16_384, 100_000):
                await ws.send(b"x" * size)
                assert len(await ws.recv()) == size

    loop.run(main)


def test_many_messages_in_order(loop: Loop) -> None:
    async def main() -> None:
        async with loop.api.connect(echo()) as ws, anyio.create_task_group() as group:
            sender = Job(group, lambda: ws.send_many(str(number) for number in range(3000)))
            got = [await ws.recv() for _ in range(3000)]
            assert await sender.result() == 3000
            assert got == [str(number) for number in range(3000)]

    loop.run(main)


def test_iteration_ends_with_the_close_of_the_server(loop: Loop) -> None:
    async def main() -> list[Any]:
        async with loop.api.connect(script("x:810131", "x:810132", "close:1000", "hang")) as ws:
            return [message async for message in ws]

    assert loop.run(main) == ["1", "2"]


@pytest.mark.parametrize("code", [1011, 1008])
def test_iteration_raises_after_an_error_code(loop: Loop, code: int) -> None:
    async def main() -> None:
        async with loop.api.connect(script("x:810131", f"close:{code}", "hang")) as ws:
            messages = []
            with pytest.raises(curlwire.ConnectionClosed) as caught:
                async for message in ws:
                    messages.append(message)
            assert messages == ["1"]
            assert caught.value.code == code
            assert caught.value.__cause__ is None

    loop.run(main)


def test_iteration_raises_if_the_connection_is_lost(loop: Loop) -> None:
    async def main() -> None:
        async with loop.api.connect(script("x:810131", "end")) as ws:
            assert await ws.recv() == "1"
            with pytest.raises(curlwire.ConnectionClosed) as caught:
                await anext(aiter(ws))
            assert caught.value.code == 1006
            assert isinstance(caught.value.__cause__, OSError)

    loop.run(main)


# ---- errors


def test_connect_errors_are_those_of_the_synchronous_class(loop: Loop) -> None:
    async def main() -> None:
        connect = loop.api.connect
        with pytest.raises(curlwire.ConnectError):
            await connect(url("CW_REFUSED_WS"))
        with pytest.raises(curlwire.HandshakeError) as caught:
            await connect(script("hs:" + b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n".hex()))
        assert caught.value.http_status == 403
        with pytest.raises(curlwire.CertificateError):
            await connect(url("CW_BADHOST_WSS"), ca_file=ca_file())
        with pytest.raises(curlwire.ArgumentError):
            await connect("http://example.com/")
        with pytest.raises(curlwire.ConnectTimeout):
            await connect(script("hs:", "hang"), timeout=0.05)

    loop.run(main)


def test_connect_again_after_a_failure(loop: Loop) -> None:
    async def main() -> None:
        ws = loop.api.MessageWebSocket()
        for _ in range(3):
            with pytest.raises(curlwire.ConnectError):
                await ws.connect(url("CW_REFUSED_WS"))
        await ws.connect(echo())
        await round_trip(ws)
        await ws.close()

    loop.run(main)


def test_errors_come_at_the_await(loop: Loop) -> None:
    async def main() -> None:
        ws = await loop.api.connect(echo())
        await ws.close()
        fresh = loop.api.MessageWebSocket()
        for socket, error in ((ws, curlwire.ConnectionClosed), (fresh, StateError)):
            for call in (socket.send("x"), socket.recv(), socket.recv_into(bytearray(9)), socket.ping()):
                with pytest.raises(error):
                    await call

    loop.run(main)


def test_recv_times_out_and_goes_on(loop: Loop) -> None:
    async def main() -> None:
        async with loop.api.connect(echo(), receive_timeout=0.02) as ws:
            with pytest.raises(curlwire.WebSocketTimeout) as caught:
                await ws.recv(timeout=0.01)
            text = "timed out after {} s waiting for a message{}: call again, or wait longer"  # as the core's
            assert str(caught.value) == text.format("0.01", "")
            assert caught.value.status is curlwire.WebErrorStatus.TIMEOUT
            assert caught.value.option is None
            for call in (ws.recv(curlwire.DEFAULT), ws.recv_stream(curlwire.DEFAULT)):
                with pytest.raises(curlwire.WebSocketTimeout) as caught:
                    await call
                assert str(caught.value) == text.format("0.02", " (receive_timeout)")
                assert caught.value.option == "receive_timeout"
            with pytest.raises(TimeoutError), anyio.fail_after(0.01):
                await ws.recv()
            for call in (ws.recv_into(bytearray(9), 0.01), ws.recv_stream(0.01), ws.recv_json(0.01)):
                with pytest.raises(curlwire.WebSocketTimeout):
                    await call
            with pytest.raises(
                curlwire.WebSocketTimeout, match="waiting for the end of the connection: call again"
            ):
                await ws.wait_closed(0.01)
            await round_trip(ws)

    loop.run(main)


def test_a_second_task_cannot_receive(loop: Loop) -> None:
    async def main() -> None:
        async with loop.api.connect(echo()) as ws, anyio.create_task_group() as group:
            first = Job(group, ws.recv)
            await polled(ws)
            for receive in (
                ws.recv,
                lambda: anext(aiter(ws)),
                lambda: ws.recv_into(bytearray(9)),
                ws.recv_stream,
            ):
                with pytest.raises(StateError, match="another task"):
                    await receive()
            await ws.send("for the first")
            assert await first.result() == "for the first"

    loop.run(main)


# ---- closing


def test_context_managers_raise_no_group(loop: Loop) -> None:
    """The exception leaves the block as it is, and the close code is 1011."""

    async def main() -> None:
        for use in (loop.api.MessageWebSocket, loop.api.StreamWebSocket):
            peer = Recorded("frame:1", "close:1011", "end")
            with pytest.raises(ZeroDivisionError):
                async with loop.api.connect(peer.url, use):
                    raise ZeroDivisionError
            assert peer.record()["frames"][-1]["payload"][:4] == f"{1011:04x}"
        async with loop.api.connect(echo()) as ws:
            with pytest.raises(ZeroDivisionError):
                async with ws.batch():
                    await ws.send("x")
                    raise ZeroDivisionError
            assert await ws.recv() == "x"
        with pytest.raises(curlwire.ConnectionClosed):
            async with loop.api.connect(script("close:1011", "hang")) as ws:
                await ws.recv()

    loop.run(main)


def test_close_waits_for_the_handshake(loop: Loop) -> None:
    async def main() -> None:
        peer = Recorded("frame:1", "gate", "close:1000", "hang")
        ws = await loop.api.connect(peer.url)
        async with anyio.create_task_group() as group:
            receiver = Job(group, ws.recv)
            await polled(ws)
            closer = Job(group, lambda: ws.close(3000, "bye"))
            await until(lambda: ws.state == "closing")
            for _ in range(10):
                await turn()
            assert not closer.ended.is_set()
            peer.go()
            await closer.result()
            assert (ws.state, ws.close_code, ws.was_clean) == ("closed", 1000, True)
            with pytest.raises(curlwire.ConnectionClosed):
                await receiver.result()
        await ws.close()  # only waits

    loop.run(main)


def test_close_code_must_be_allowed(loop: Loop) -> None:
    async def main() -> None:
        async with loop.api.connect(echo()) as ws:
            with pytest.raises(curlwire.ArgumentError):
                await ws.close(1006)
            await round_trip(ws)

    loop.run(main)


def test_abort(loop: Loop) -> None:
    async def main() -> None:
        ws = await loop.api.connect(echo())
        async with anyio.create_task_group() as group:
            receiver = Job(group, ws.recv)
            await polled(ws)
            ws.abort()
            with pytest.raises(curlwire.ConnectionClosed):
                await receiver.result()
        await ws.wait_closed()

    loop.run(main)


def test_dropped_connection_is_freed_without_the_collector(loop: Loop) -> None:
    async def main() -> None:
        gc.disable()
        try:
            ws = await loop.api.connect(echo())
            async with anyio.create_task_group() as group:
                job = Job(group, ws.recv)
                await polled(ws)  # the loop polls the connection
                await ws.send("x")
                assert await job.result() == "x"
            del job, group
            await turn()  # the task that received is gone
            reference = weakref.ref(ws)
            with pytest.warns(ResourceWarning, match="unclosed"):
                del ws
                await until(lambda: reference() is None)
        finally:
            gc.enable()

    loop.run(main)


def test_closed_connection_is_freed_without_the_collector(loop: Loop) -> None:
    """Also after a handler and after an exception that has left the block."""

    async def main() -> None:
        gc.disable()
        try:
            ws = loop.api.MessageWebSocket()
            ws.on_closed = lambda ws, args: None
            with pytest.raises(ZeroDivisionError):
                async with ws:
                    await ws.connect(echo())
                    await round_trip(ws)
                    raise ZeroDivisionError
            reference = weakref.ref(ws)
            del ws
            await until(lambda: reference() is None)
        finally:
            gc.enable()

    loop.run(main)


# ---- loops and threads


def in_threads(work: Callable[[Any], None], arguments: Iterable[Any]) -> None:
    """Calls a function in a thread for each argument, at the same time."""
    failures: list[BaseException] = []

    def guarded(argument: Any) -> None:
        try:
            work(argument)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=[argument]) for argument in arguments]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_blocked_loop_keeps_its_connection(loop: Loop) -> None:
    """The peer sends a message when it has got the pongs. The loop is blocked until then."""
    pings = [step for number in range(1, 6) for step in (f"x:{frame(9, b'?')}", f"frame:{number + 1}")]

    async def main() -> None:
        peer = script("frame:1", *pings, f"x:{text('thanks')}", "frame:7", "echo", "end")
        async with loop.api.connect(peer) as ws, anyio.create_task_group() as group:
            job = Job(group, ws.recv)
            await polled(ws)
            await ws.send("begin")
            while ws.information.statistics.text_messages_received == 0:
                time.sleep(0.01)  # the loop is blocked
            assert await job.result() == "thanks"
            await ws.send("still here")

    loop.run(main)


def test_messages_that_arrive_while_the_loop_is_blocked(loop: Loop) -> None:
    async def main() -> list[Any]:
        peer = Recorded("frame:1", "repeat:500:8202" + b"ab".hex(), "close:1000", "hang")
        async with loop.api.connect(peer.url) as ws, anyio.create_task_group() as group:
            messages = aiter(ws)
            job = Job(group, lambda: anext(messages))
            await polled(ws)
            await ws.send("go")
            while ws._core.state == "open":
                time.sleep(0.01)  # until the service thread has read the close frame
            return [await job.result()] + [message async for message in messages]

    assert loop.run(main) == [b"ab"] * 500


def test_wrong_loop(loop: Loop) -> None:
    holder: list[Any] = []

    async def first() -> None:
        holder.append(await loop.api.connect(echo()))

    async def second() -> None:
        ws = holder[0]
        calls: list[Callable[[], Any]] = [
            lambda: ws.send("x"),
            lambda: ws.send_many(["x"]),
            lambda: ws.send_nonfinal_frame("x"),
            ws.recv,
            lambda: ws.recv_into(bytearray(9)),
            ws.recv_stream,
            lambda: anext(aiter(ws)),
            ws.ping,
            ws.flush,
            ws.wait_closed,
            lambda: ws.connect(echo()),
        ]
        for call in calls:
            with pytest.raises(StateError, match="another event loop"):
                await call()
        ws.abort()

    loop.run(first)
    loop.run(second)


def test_two_runs_one_after_the_other(loop: Loop) -> None:
    async def main() -> None:
        async with loop.api.connect(echo()) as ws:
            await round_trip(ws)

    loop.run(main)
    loop.run(main)


def test_a_loop_in_each_thread(loop: Loop) -> None:
    async def main() -> None:
        async with loop.api.connect(echo()) as ws:
            for number in range(100):
                await round_trip(ws, str(number))
        for _ in range(30):  # the service thread ends a connect at any moment
            async with loop.api.connect(echo()):
                pass

    in_threads(lambda _: Loop(loop.name).run(main), range(4))


def test_many_connections(loop: Loop) -> None:
    async def main() -> None:
        sockets: list[Any] = []

        async def work() -> None:
            async with loop.api.connect(echo()) as ws:
                sockets.append(ws)
                await until(lambda: len(sockets) == 50)
                for _ in range(5):
                    await round_trip(ws)

        async with anyio.create_task_group() as group:
            for _ in range(50):
                group.start_soon(work)

    loop.run(main)


def without_slow_callbacks(loop: Loop) -> str:
    """Returns a statement for main(). It ends asyncio's warnings of a busy machine, which -X dev turns on."""
    return "" if loop.is_trio else "import asyncio; asyncio.get_running_loop().slow_callback_duration = 1000"


def test_exit_with_an_open_connection(loop: Loop) -> None:
    """A program that ends without closing must end at once, without a warning."""
    code = f"""
        import sys, anyio
        from curlwire import {loop.api.__name__.partition(".")[2]} as api, WebSocketTimeout
        kept = []
        async def main():
            {without_slow_callbacks(loop)}
            kept.append(await api.connect(sys.argv[1]))
            try:
                await kept[0].recv(timeout=0.01)
            except WebSocketTimeout:
                pass
            await kept[0].send("last")
        anyio.run(main, backend={"trio" if loop.is_trio else "asyncio"!r})
    """
    peer = Recorded("echo", "hang")
    program = [sys.executable, "-X", "dev", "-W", "error", "-c", textwrap.dedent(code), peer.url]
    done = subprocess.run(program, capture_output=True, text=True, timeout=WAIT, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert [frame["opcode"] for frame in peer.record()["frames"]] == [1, 8]


def test_in_development_mode(loop: Loop) -> None:
    """With -X dev -W error, a program that uses every part of the socket prints nothing."""
    code = f"""
        import sys, anyio
        from curlwire import {loop.api.__name__.partition(".")[2]} as api
        async def main():
            {without_slow_callbacks(loop)}
            async with api.connect(sys.argv[1]) as ws:
                await ws.send("x")
                await ws.recv()
                with anyio.move_on_after(0.01):
                    await ws.recv()
                await ws.ping()
                await ws.send(["a", "b"])
                assert await (await ws.recv_stream()).read() == b"ab"
            async with api.connect(sys.argv[1], api.StreamWebSocket) as ws:
                ws.output_stream.write(b"line\\n")
                await ws.output_stream.drain()
                await ws.input_stream.readline()
        anyio.run(main, backend={"trio" if loop.is_trio else "asyncio"!r})
    """
    program = [sys.executable, "-X", "dev", "-W", "error", "-c", textwrap.dedent(code), echo()]
    done = subprocess.run(program, capture_output=True, text=True, timeout=WAIT, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
