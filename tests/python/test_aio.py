# SPDX-License-Identifier: MIT
"""curlwire.aio: connecting, messages, cancelling, closing, handlers, loops."""

import asyncio
import gc
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

import curlwire
from curlwire import aio
from peers import WAIT, Recorded, ca_file, echo, script, url


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """Runs a coroutine in a loop in debug mode, and fails if the loop's exception handler was called."""
    errors: list[dict[str, Any]] = []

    async def wrapped() -> Any:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
        return await asyncio.wait_for(main, WAIT)

    result = asyncio.run(wrapped(), debug=True)
    assert errors == []
    return result


async def until(condition: Callable[[], bool]) -> None:
    """Lets the loop run until a condition holds."""
    while not condition():
        await asyncio.sleep(0.001)


async def round_trip(ws: aio.MessageWebSocket, text: str = "hello") -> None:
    await ws.send(text)
    assert await ws.recv() == text


@pytest.fixture(params=["auto", "curl"])
def framing(request: pytest.FixtureRequest) -> Iterator[str]:
    yield request.param


def test_messages_of_both_types(framing: str) -> None:
    async def main() -> None:
        async with aio.connect(echo(), framing=framing) as ws:
            for message in ("", "text", "ä" * 1000, b"", b"bytes", b"x" * 300_000):
                await ws.send(message)
                assert await ws.recv() == message
            await ws.send(b"text", text=True)
            assert await ws.recv(decode=False) == b"text"
            await ws.send("bytes", text=False)
            assert bytes(await ws.recv(copy=False)) == b"bytes"
        assert ws.state == "closed"
        assert ws.close_code == 1000

    run(main())


def test_connect_can_be_awaited() -> None:
    async def main() -> None:
        ws = await aio.connect(echo())
        await round_trip(ws)
        assert "aio.MessageWebSocket open" in repr(ws)
        await ws.close()

    run(main())


def test_over_tls() -> None:
    async def main() -> None:
        async with aio.connect(url("CW_ECHO_WSS"), ca_file=ca_file()) as ws:
            for size in (1, 16_384, 100_000):
                await ws.send(b"x" * size)
                assert len(await ws.recv()) == size

    run(main())


def test_many_messages_in_order() -> None:
    async def main() -> None:
        async with aio.connect(echo()) as ws:
            sender = asyncio.create_task(ws.send_many(str(number) for number in range(3000)))
            got = [await ws.recv() for _ in range(3000)]
            assert await sender == 3000
            assert got == [str(number) for number in range(3000)]

    run(main())


def test_iteration_ends_with_the_close_of_the_server() -> None:
    async def main() -> list[Any]:
        async with aio.connect(script("x:810131", "x:810132", "close:1000", "hang")) as ws:
            return [message async for message in ws]

    assert run(main()) == ["1", "2"]


@pytest.mark.parametrize("code", [1011, 1008])
def test_iteration_raises_after_an_error_code(code: int) -> None:
    async def main() -> None:
        async with aio.connect(script("x:810131", f"close:{code}", "hang")) as ws:
            messages = []
            with pytest.raises(curlwire.ConnectionClosed) as caught:
                async for message in ws:
                    messages.append(message)
            assert messages == ["1"]
            assert caught.value.code == code

    run(main())


def test_iteration_raises_if_the_connection_is_lost() -> None:
    async def main() -> None:
        async with aio.connect(script("x:810131", "end")) as ws:
            assert await ws.recv() == "1"
            with pytest.raises(curlwire.ConnectionClosed) as caught:
                await anext(aiter(ws))
            assert caught.value.code == 1006

    run(main())


def test_json_and_into_a_buffer() -> None:
    async def main() -> None:
        async with aio.connect(echo()) as ws:
            await ws.send_json({"a": [1, 2]})
            assert await ws.recv_json() == {"a": [1, 2]}
            await ws.send("not json")
            with pytest.raises(curlwire.MessageError) as caught:
                await ws.recv_json()
            assert caught.value.data == "not json"
            await ws.send(b"12345")
            with pytest.raises(curlwire.ArgumentError):
                await ws.recv_into(bytearray(4))
            buffer = bytearray(8)
            assert await ws.recv_into(buffer) == 5
            assert buffer[:5] == b"12345"

    run(main())


# ---- errors


def test_connect_errors_are_those_of_the_synchronous_class() -> None:
    async def main() -> None:
        with pytest.raises(curlwire.ConnectError):
            await aio.connect(url("CW_REFUSED_WS"))
        with pytest.raises(curlwire.HandshakeError) as caught:
            await aio.connect(script("hs:" + b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n".hex()))
        assert caught.value.http_status == 403
        with pytest.raises(curlwire.CertificateError):
            await aio.connect(url("CW_BADHOST_WSS"), ca_file=ca_file())
        with pytest.raises(curlwire.ArgumentError):
            await aio.connect("http://example.com/")
        with pytest.raises(curlwire.ConnectTimeout):
            await aio.connect(script("hs:", "hang"), timeout=0.05)
        with pytest.raises(TypeError):
            aio.connect(echo(), curlwire.MessageWebSocket)  # type: ignore[call-overload]

    run(main())


def test_connect_again_after_a_failure() -> None:
    async def main() -> None:
        ws = aio.MessageWebSocket()
        for _ in range(3):
            with pytest.raises(curlwire.ConnectError):
                await ws.connect(url("CW_REFUSED_WS"))
        await ws.connect(echo())
        await round_trip(ws)
        await ws.close()

    run(main())


def test_errors_come_at_the_await() -> None:
    async def main() -> None:
        ws = await aio.connect(echo())
        await ws.close()
        results = await asyncio.gather(ws.send("x"), ws.recv(), return_exceptions=True)
        assert [type(result) for result in results] == [curlwire.ConnectionClosed] * 2
        fresh = aio.MessageWebSocket()
        with pytest.raises(curlwire.StateError):
            await fresh.send("x")
        with pytest.raises(curlwire.StateError):
            await fresh.recv()

    run(main())


def test_recv_times_out_and_goes_on() -> None:
    async def main() -> None:
        async with aio.connect(echo()) as ws:
            with pytest.raises(curlwire.WebSocketTimeout, match=r"0\.01 s"):
                await ws.recv(timeout=0.01)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await ws.recv()
            await round_trip(ws)

    run(main())


def test_a_second_task_cannot_receive() -> None:
    async def main() -> None:
        async with aio.connect(echo()) as ws:
            first = asyncio.create_task(ws.recv())
            await asyncio.sleep(0)
            for receive in (ws.recv, lambda: anext(aiter(ws)), lambda: ws.recv_into(bytearray(9))):
                with pytest.raises(curlwire.StateError, match="another task"):
                    await receive()
            await ws.send("for the first")
            assert await first == "for the first"

    run(main())


# ---- cancelling


def test_cancelled_recv_loses_no_message() -> None:
    """Also if the message has arrived in the same turn of the loop."""

    async def main() -> None:
        async with aio.connect(echo()) as ws:
            for number in range(200):
                task = asyncio.create_task(ws.recv())
                await asyncio.sleep(0)
                await ws.send(str(number))
                for _ in range(number % 20):
                    await asyncio.sleep(0)
                task.cancel()
                try:
                    got = await task
                except asyncio.CancelledError:
                    got = await ws.recv()
                assert got == str(number)

    run(main())


def test_dropped_and_closed_awaitables_lose_no_message() -> None:
    async def main() -> None:
        async with aio.connect(echo()) as ws:
            await ws.send_many(["1", "2"])
            await ws._readable(None)
            dropped = ws.recv()
            del dropped
            closed: Any = ws.recv()
            closed.close()
            task = asyncio.ensure_future(ws.recv())
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert [await ws.recv(), await ws.recv()] == ["1", "2"]

    run(main())


def test_cancelled_send_is_whole_or_nothing() -> None:
    async def main() -> None:
        peer = Recorded("stall", "wait:300", "resume", "hang")
        ws = await aio.connect(peer.url, outbound_buffer_size=16_384)
        message = b"x" * 100_000
        sent = 0
        while True:
            task = asyncio.ensure_future(ws.send(message))
            done, _ = await asyncio.wait([task], timeout=0.05)
            if not done:
                break
            sent += 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await ws.send("end")
        await ws.close()
        frames = [frame for frame in peer.record()["frames"] if frame["opcode"] != 8]
        assert [frame["length"] for frame in frames] == [len(message)] * sent + [3]

    run(main())


def test_cancelled_connect_ends() -> None:
    async def main() -> None:
        ws = aio.MessageWebSocket()
        task = asyncio.create_task(ws.connect(script("hs:", "hang")))
        await until(lambda: ws.state == "connecting")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: ws.state in ("new", "closed"))

    run(main())


def test_task_group_and_timeout() -> None:
    async def main() -> None:
        async with aio.connect(echo()) as ws:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02), asyncio.TaskGroup() as group:
                    group.create_task(ws.recv())
                    group.create_task(asyncio.sleep(60))
            await round_trip(ws)

    run(main())


def test_context_manager_raises_no_group() -> None:
    async def main() -> None:
        peer = Recorded("echo", "hang")
        with pytest.raises(ZeroDivisionError):
            async with aio.connect(peer.url):
                raise ZeroDivisionError
        assert peer.record()["frames"][-1]["payload"][:4] == f"{1011:04x}"

    run(main())


# ---- closing


def test_close_waits_for_the_handshake() -> None:
    async def main() -> None:
        peer = Recorded("frame:1", "wait:50", "close:1000", "hang")
        ws = await aio.connect(peer.url)
        receiver = asyncio.create_task(ws.recv())
        await asyncio.sleep(0)
        await ws.close(3000, "bye")
        assert (ws.state, ws.close_code, ws.was_clean) == ("closed", 1000, True)
        with pytest.raises(curlwire.ConnectionClosed):
            await receiver
        await ws.close()  # only waits

    run(main())


def test_close_code_must_be_allowed() -> None:
    async def main() -> None:
        async with aio.connect(echo()) as ws:
            with pytest.raises(curlwire.ArgumentError):
                await ws.close(1006)
            await round_trip(ws)

    run(main())


def test_abort_in_a_loop() -> None:
    async def main() -> None:
        ws = await aio.connect(echo())
        receiver = asyncio.create_task(ws.recv())
        await asyncio.sleep(0)
        ws.abort()
        with pytest.raises(curlwire.ConnectionClosed):
            await receiver
        await ws.wait_closed()

    run(main())


def test_dropped_connection_is_freed_without_the_collector() -> None:
    async def main() -> None:
        gc.disable()
        try:
            ws = await aio.connect(echo())
            waiting = asyncio.create_task(ws.recv())
            await asyncio.sleep(0)
            assert ws._fd >= 0  # the loop polls the connection
            await ws.send("x")
            await waiting
            del waiting
            reference = weakref.ref(ws)
            with pytest.warns(ResourceWarning, match="unclosed"):
                del ws
                await asyncio.sleep(0)  # this task may run inside the callback of the socket
            assert reference() is None
        finally:
            gc.enable()

    run(main())


# ---- handlers


def test_handlers_in_order() -> None:
    async def main() -> None:
        calls: list[Any] = []
        ended = asyncio.Event()
        ws = aio.MessageWebSocket()

        async def on_message(socket: aio.MessageWebSocket, args: curlwire.MessageReceivedEventArgs) -> None:
            assert socket is ws
            await asyncio.sleep(0)
            calls.append(args.data)

        def on_closed(socket: aio.MessageWebSocket, args: curlwire.ClosedEventArgs) -> None:
            calls.append((args.code, args.reason, args.was_clean))
            ended.set()

        ws.on_message_received = on_message
        ws.on_closed = on_closed
        await ws.connect(script("x:810131", "x:810132", "close:1001", "hang"))
        await ended.wait()
        assert calls == ["1", "2", (1001, "", True)]

    run(main())


def test_on_closed_without_a_message_handler() -> None:
    async def main() -> None:
        ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def on_closed(_: Any, args: curlwire.ClosedEventArgs) -> None:
            ended.set_result(args.code)

        ws = await aio.connect(script("wait:20", "close:3000", "hang"))
        ws.on_closed = on_closed
        assert await ended == 3000

    run(main())


def test_exception_of_a_handler_goes_to_the_loop() -> None:
    async def main() -> list[Any]:
        contexts: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: contexts.append(context))
        ws = await aio.connect(script("x:810131", "x:810132", "hang"))
        got: list[Any] = []

        def on_message(_: Any, args: curlwire.MessageReceivedEventArgs) -> None:
            got.append(args.data)
            raise ValueError(args.data)

        ws.on_message_received = on_message
        await until(lambda: len(got) == 2)
        ws.on_message_received = None
        await ws.close()
        return [str(context["exception"]) for context in contexts]

    assert asyncio.run(main()) == ["1", "2"]


# ---- loops and threads


def test_a_blocked_loop_keeps_its_connection() -> None:
    """The peer pings every 0.3 s and gives up 4 s after a ping without its pong."""

    async def main() -> None:
        async with aio.connect(url("CW_PING_WS")) as ws:
            waiting = asyncio.create_task(ws.recv())
            await asyncio.sleep(0)
            time.sleep(6)  # the loop is blocked
            await ws.send("still here")
            assert await waiting == "still here"

    run(main())


def test_messages_that_arrive_while_the_loop_is_blocked() -> None:
    async def main() -> list[Any]:
        peer = Recorded("frame:1", "repeat:500:8202" + b"ab".hex(), "close:1000", "hang")
        async with aio.connect(peer.url) as ws:
            messages = aiter(ws)
            waiting = asyncio.ensure_future(anext(messages))
            await asyncio.sleep(0)
            await ws.send("go")
            while ws.information.bandwidth_statistics is None or ws._core.state == "open":
                time.sleep(0.01)  # until the service thread has read the close frame
            return [await waiting] + [message async for message in messages]

    assert run(main()) == [b"ab"] * 500


def test_wrong_loop() -> None:
    holder: list[aio.MessageWebSocket] = []

    async def first() -> None:
        holder.append(await aio.connect(echo()))

    async def second() -> None:
        ws = holder[0]
        for call in (lambda: ws.send("x"), ws.recv, ws.wait_closed, lambda: ws.connect(echo())):
            with pytest.raises(curlwire.StateError, match="another event loop"):
                await call()
        ws.abort()

    run(first())
    run(second())


def run_in_threads(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Runs main() in four threads, each with a loop of its own."""
    failures: list[BaseException] = []

    def work() -> None:
        try:
            run(main())
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_loop_in_each_thread() -> None:
    async def main() -> None:
        async with aio.connect(echo()) as ws:
            for number in range(200):
                await round_trip(ws, str(number))

    run_in_threads(main)


def test_connect_ends_while_the_loop_looks() -> None:
    """The service thread ends a connect at any moment, also between two looks at its state."""

    async def main() -> None:
        for _ in range(150):
            async with aio.connect(echo()):
                pass

    run_in_threads(main)


def test_many_connections() -> None:
    async def main() -> None:
        sockets = await asyncio.gather(*(aio.connect(echo())._connect() for _ in range(50)))
        for _ in range(5):
            await asyncio.gather(*(round_trip(ws) for ws in sockets))
        await asyncio.gather(*(ws.close() for ws in sockets))

    run(main())


def test_uvloop() -> None:
    import uvloop

    async def main() -> None:
        async with aio.connect(echo()) as ws:
            for number in range(100):
                await round_trip(ws, str(number))
            with pytest.raises(curlwire.WebSocketTimeout):
                await ws.recv(timeout=0.01)
            await round_trip(ws)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def test_exit_with_an_open_connection() -> None:
    """A program that ends without closing must end at once, also if the loop polled the connection."""
    code = """
        import asyncio, sys
        from curlwire import aio, WebSocketTimeout
        kept = []
        async def main():
            kept.append(await aio.connect(sys.argv[1]))
            try:
                await kept[0].recv(timeout=0.01)
            except WebSocketTimeout:
                pass
            await kept[0].send("last")
        asyncio.run(main())
    """
    peer = Recorded("echo", "hang")
    program = [sys.executable, "-X", "dev", "-c", textwrap.dedent(code), peer.url]
    done = subprocess.run(program, capture_output=True, text=True, timeout=WAIT, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert [frame["opcode"] for frame in peer.record()["frames"]] == [1, 8]


def test_ping_in_a_loop() -> None:
    async def main() -> None:
        async with aio.connect(echo()) as ws:
            assert 0 <= await ws.ping() < WAIT

    run(main())


# ---- the stream


def test_stream_in_a_loop() -> None:
    async def main() -> None:
        async with aio.connect(echo(), aio.StreamWebSocket) as ws:
            reader, writer = ws.input_stream, ws.output_stream
            writer.write(b"line 1\nline 2\n")
            writer.writelines([b"abc", b"def"])
            await writer.drain()
            assert await reader.readline() == b"line 1\n"
            assert await reader.readuntil(b"2\n") == b"line 2\n"
            assert await reader.readexactly(6) == b"abcdef"
            task = asyncio.create_task(reader.read(10))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            writer.write(b"rest")
            await writer.drain()
            assert await reader.readexactly(4) == b"rest"
            assert not writer.is_closing()
            writer.close()
            await writer.wait_closed()
            assert writer.is_closing()
            assert await reader.read() == b""
            assert reader.at_eof()

    run(main())


def test_stream_to_the_end() -> None:
    async def main() -> None:
        peer = script("x:8203" + b"a\nb".hex(), "x:8201" + b"c".hex(), "close:1000", "hang")
        async with aio.connect(peer, aio.StreamWebSocket) as ws:
            assert [line async for line in ws.input_stream] == [b"a\n", b"bc"]
        async with aio.connect(script("x:820161", "close:1011", "hang"), aio.StreamWebSocket) as ws:
            with pytest.raises(curlwire.ConnectionClosed):
                await ws.input_stream.read()
        async with aio.connect(script("x:820161", "close:1000", "hang"), aio.StreamWebSocket) as ws:
            with pytest.raises(asyncio.IncompleteReadError) as caught:
                await ws.input_stream.readexactly(2)
            assert caught.value.partial == b"a"

    run(main())


def test_stream_waits_for_a_slow_reader() -> None:
    async def main() -> None:
        peer = Recorded("stall", "wait:300", "resume", "hang")
        async with aio.connect(peer.url, aio.StreamWebSocket, outbound_buffer_size=16_384) as ws:
            for _ in range(40):
                ws.output_stream.write(b"x" * 50_000)
            await ws.output_stream.drain()
        assert sum(frame["length"] for frame in peer.record()["frames"] if frame["opcode"] == 2) == 2_000_000

    run(main())
