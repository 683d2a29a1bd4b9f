# SPDX-License-Identifier: MIT
"""ReconnectingWebSocket of curlwire.aio and curlwire.trio."""

import gc
import weakref
from typing import Any

import anyio
import pytest

import curlwire
from attempts import AT_ONCE, ends_at_third, refusal, scripts, text
from curlwire import ReconnectPolicy, reconnect_policy
from curlwire.eventloop.reconnect_driver import Driver
from loops import Job, Loop, loop, until
from peers import Recorded, echo, script

__all__ = ["loop"]


def reconnecting(loop: Loop, uri: Any, **arguments: Any) -> Any:
    """Makes a socket, with a short wait for servers that do not answer a close frame or do not end TCP."""
    return loop.api.ReconnectingWebSocket(uri, **{"close_timeout": 0.1, "policy": AT_ONCE, **arguments})


def test_messages_of_several_connections(loop: Loop) -> None:
    async def main() -> None:
        lost: list[int | None] = []
        uri = scripts([text("a"), text("b"), "close:1001"], [text("c"), "end"], [text("d"), "close:1000"])
        ws = reconnecting(loop, uri)
        ws.on_disconnected = lambda _, reason: lost.append(reason.code)
        async with ws:
            assert [message async for message in ws] == ["a", "b", "c", "d"]
        assert lost == [1001, 1006, 1000]
        assert (ws.state, ws.attempt) == ("closed", 3)

    loop.run(main)


def test_an_end_that_is_not_retried(loop: Loop) -> None:
    async def main() -> None:
        async with reconnecting(loop, scripts([text("x"), "close:4001"])) as ws:
            assert await ws.recv() == "x"
            for _ in range(2):
                with pytest.raises(curlwire.ConnectionClosed) as caught:
                    await anext(ws)
                assert caught.value.code == 4001
            with pytest.raises(curlwire.ConnectionClosed):
                await ws.send("x")

    loop.run(main)


def test_refusals_and_max_attempts(loop: Loop) -> None:
    async def main() -> None:
        ws = reconnecting(loop, scripts(refusal(503), refusal(403)))
        with pytest.raises(curlwire.HandshakeError) as refused:
            await ws.connect()
        assert refused.value.http_status == 403
        policy = ReconnectPolicy(first_delay=0.001, max_attempts=3)
        ws = reconnecting(loop, "ws://localhost:1/", policy=policy)
        with pytest.raises(curlwire.ConnectError) as caught:
            async with ws:
                pass
        assert caught.value.__notes__ == ["gave up after 3 attempts in a row (max_attempts)"]

    loop.run(main)


def test_coroutine_functions(loop: Loop) -> None:
    record = Recorded("frame:2", text("welcome"), "frame:3", "close:1000")
    asked: list[Exception] = []

    async def uri(attempt: int) -> str:
        await anyio.sleep(0)
        if attempt == 1:
            raise LookupError("no token yet")
        return refusal(401) if attempt == 2 else record.url

    async def headers(attempt: int) -> dict[str, str]:
        return {"X-Attempt": str(attempt)}

    async def subprotocols(attempt: int) -> list[str]:
        return [f"p{attempt}"]

    async def should_retry(error: Exception) -> bool:
        asked.append(error)
        return not isinstance(error, curlwire.ConnectionClosed)

    async def on_connected(ws: Any, attempt: int) -> None:
        async with anyio.create_task_group() as group:  # in tasks of their own
            for text in (f"login {attempt}", "hello"):
                group.start_soon(ws.send, text)
        assert await ws.recv() == "welcome"

    async def main() -> None:
        policy = ReconnectPolicy(first_delay=0.001, should_retry=should_retry)
        ws = reconnecting(loop, uri, headers=headers, subprotocols=subprotocols, policy=policy)
        ws.on_connected = on_connected
        async with ws:
            await ws.send("payload")
            with pytest.raises(StopAsyncIteration):
                await anext(ws)
        assert [type(error) for error in asked] == [
            LookupError, curlwire.HandshakeError, curlwire.ConnectionClosed,
        ]  # fmt: skip

    loop.run(main)
    log = record.record()
    assert "X-Attempt: 3" in log["request"]
    assert "Sec-WebSocket-Protocol: p3" in log["request"]
    payloads = [bytes.fromhex(frame["payload"]) for frame in log["frames"][:3]]
    assert sorted(payloads[:2]) == [b"hello", b"login 3"]
    assert payloads[2] == b"payload"


def test_kept_and_dropped_messages(loop: Loop) -> None:
    record = Recorded("frame:3", "close:1000")

    async def main() -> None:
        go_on = anyio.Event()

        async def uri(attempt: int) -> str:
            if attempt > 1:
                await go_on.wait()
            return script("close:1012") if attempt == 1 else record.url

        async with reconnecting(loop, uri, unsent_buffer_size=12, send_timeout=0.01) as ws:
            await until(lambda: ws.attempt == 2)
            await ws.send("one")
            await ws.send(bytearray(b"two"))
            await ws.send_json([3])
            with pytest.raises(curlwire.WebSocketTimeout, match="unsent_buffer_size"):
                await ws.send("four")
            assert ws.unsent_count == 3
            go_on.set()
            assert [message async for message in ws] == []
        async with reconnecting(
            loop, scripts(["close:1012"]), policy=ReconnectPolicy(delays=[1000]), unsent="drop"
        ) as ws:
            await until(lambda: ws.state == "connecting")
            assert await ws.send_many(["a", b"b"]) == 2
            assert (ws.dropped_count, ws.unsent_count) == (2, 0)
        ws = reconnecting(loop, scripts(["close:1012"]), policy=ReconnectPolicy(delays=[1000]))
        with pytest.raises(curlwire.ConnectionClosed, match="1 messages of 4 bytes"):
            async with ws:
                await until(lambda: ws.state == "connecting")
                await ws.send("lost")

    loop.run(main)
    frames = [(frame["opcode"], bytes.fromhex(frame["payload"])) for frame in record.record()["frames"]]
    assert frames[:3] == [(1, b"one"), (2, b"two"), (1, b"[3]")]


def test_reconnect_and_max_age(loop: Loop) -> None:
    async def main() -> None:
        uri = scripts([text("1"), text("2"), text("3"), "hang"], [text("4"), "hang"], [text("5"), "close:1000"])
        async with reconnecting(loop, uri) as ws:
            assert await ws.recv() == "1"
            inner = ws.socket
            assert inner is not None
            await until(lambda: inner.information.statistics.text_messages_received >= 3)
            ws.reconnect()
            assert [await ws.recv() for _ in range(3)] == ["2", "3", "4"]
            async with anyio.create_task_group() as group:
                waiting = Job(group, ws.recv)
                await until(lambda: ws._driver.receiver_count > 0)
                ws.reconnect()
                assert await waiting.result() == "5"
        policy = ReconnectPolicy(first_delay=0.001, max_age=0.05)
        async with reconnecting(loop, ends_at_third, policy=policy) as ws:
            assert {message async for message in ws} == {"x"}
            assert ws.attempt >= 3
        policy = ReconnectPolicy(delays=[1000])
        async with reconnecting(loop, scripts(["close:1012"], [text("y"), "close:1000"]), policy=policy) as ws:
            await until(lambda: ws._driver.is_pausing and ws.attempt == 1)
            ws.reconnect()
            assert await ws.recv() == "y"

    loop.run(main)


def test_reconnect_does_not_wait_for_a_receiver_if_nothing_has_arrived(loop: Loop) -> None:
    async def main() -> None:
        uri = scripts(["hang"], [text("1"), text("2"), "hang"], echo())
        async with reconnecting(loop, uri, close_timeout=3600) as ws:
            ws.reconnect()
            await until(lambda: ws.attempt == 2 and ws.state == "open")
            inner = ws.socket
            await until(lambda: inner.information.statistics.text_messages_received >= 2)
            ws.reconnect()
            await until(lambda: ws._driver.retiring is not None)
            assert [await ws.recv() for _ in range(2)] == ["1", "2"]
            await until(lambda: ws.attempt == 3 and ws.state == "open")

    loop.run(main)


def test_messages_after_reconnect_wait_for_the_new_connection(loop: Loop) -> None:
    first = Recorded("hang")

    async def main() -> None:
        async with reconnecting(loop, lambda attempt: first.url if attempt == 1 else echo()) as ws:
            await until(lambda: ws._driver.current is not None)
            await ws.send("old")
            ws.reconnect()
            await ws.send_many(["1", "2"])
            assert [await ws.recv() for _ in range(2)] == ["1", "2"]

    loop.run(main)
    frames = [(frame["opcode"], bytes.fromhex(frame["payload"])) for frame in first.record()["frames"]]
    assert [payload for opcode, payload in frames if opcode == 1] == [b"old"]


def test_handlers(loop: Loop) -> None:
    seen: list[Any] = []

    async def on_message_received(ws: Any, args: Any) -> None:
        await anyio.sleep(0)
        seen.append(args.data)
        if args.data == "c":
            await ws.close(4001)

    async def main() -> None:
        ended = anyio.Event()

        def on_closed(_: object, args: curlwire.ClosedEventArgs) -> None:
            seen.append(("closed", args.code))
            ended.set()

        ws = reconnecting(loop, scripts([text("a"), "close:1012"], [text("b"), "end"], [text("c"), "hang"]))
        ws.on_connected = lambda _, attempt: seen.append(attempt)
        ws.on_message_received = on_message_received
        ws.on_disconnected = lambda _, reason: seen.append(reason.code)
        ws.on_closed = on_closed
        await ws.connect()
        await ended.wait()
        with pytest.raises(curlwire.ConnectionClosed):
            await ws.recv()

    loop.run(main)
    assert seen[:8] == [1, "a", 1012, 2, "b", 1006, 3, "c"]
    assert seen[-1] == ("closed", 4001)


@pytest.mark.parametrize("place", ["delay", "first", "attempt", "function", "on_connected"])
def test_cancelling_and_closing_end_at_any_point(loop: Loop, place: str) -> None:
    async def main() -> None:
        entered = anyio.Event()

        async def uri(attempt: int) -> str:
            entered.set()
            if place == "function":  # it never returns
                await anyio.Event().wait()
            return {
                "delay": script("close:1012"),
                "first": "ws://localhost:1/",
                "attempt": script("hs:", "hang"),
                "on_connected": echo(),
            }[place]

        async def on_connected(*_: object) -> None:
            if place == "on_connected":
                await anyio.Event().wait()

        ws = reconnecting(loop, uri, policy=ReconnectPolicy(delays=[1000]))
        ws.on_connected = on_connected
        async with anyio.create_task_group() as group:
            task = Job(group, lambda: use(ws))
            await entered.wait()
            if place in ("delay", "first"):
                await until(lambda: ws._driver.is_pausing and ws.attempt == 1)
            if place == "on_connected":
                await until(lambda: ws._driver.greeting is not None)
            task.scope.cancel()
            assert await task.end()
        await until(lambda: ws.state == "closed")
        await ws.wait_closed()
        with pytest.raises(curlwire.ConnectionClosed):
            await ws.recv()

    async def use(ws: Any) -> None:
        async with ws:
            async for _ in ws:
                pass

    loop.run(main)


def test_a_cancelled_recv_loses_no_message_and_ends_no_attempt(loop: Loop) -> None:
    async def main() -> None:
        go_on = anyio.Event()

        async def uri(attempt: int) -> str:
            if attempt > 1:
                await go_on.wait()
            return script("close:1012") if attempt == 1 else script(text("x"), "close:1000")

        async with reconnecting(loop, uri) as ws:
            await until(lambda: ws.attempt == 2)
            for _ in range(3):
                with pytest.raises(curlwire.WebSocketTimeout):
                    await ws.recv(timeout=0.001)
            async with anyio.create_task_group() as group:
                waiting = Job(group, ws.recv)
                await until(lambda: ws._driver.is_receiving)
                with pytest.raises(curlwire.StateError, match="another task"):
                    await ws.recv()
                waiting.scope.cancel()
                assert await waiting.end()
            go_on.set()
            assert await ws.recv() == "x"
            assert ws.attempt == 2

    loop.run(main)


def test_close_in_handlers_and_calls_that_would_wait_for_themselves(loop: Loop) -> None:
    async def on_connected(ws: Any, _: int) -> None:
        with pytest.raises(curlwire.StateError, match="would wait for itself"):
            await ws.wait_closed()
        await ws.close(4002)

    async def main() -> None:
        ws = reconnecting(loop, script("hang"))
        ws.on_connected = on_connected
        with pytest.raises(curlwire.ConnectionClosed, match="this program has closed"):
            await ws.connect()
        await ws.wait_closed()
        assert ws.attempt == 1
        with pytest.raises(curlwire.StateError, match="connects once"):
            await ws.connect()

    loop.run(main)


def test_the_exception_of_a_handler_is_reported(loop: Loop) -> None:
    async def main() -> None:
        ws = reconnecting(loop, script(text("x"), "close:1000"))
        ws.on_connected = lambda _, __: 1 // 0
        async with ws:
            assert [message async for message in ws] == ["x"]

    loop.run(main, expects_reports=True)
    assert [type(error) for error in loop.reports] == [ZeroDivisionError]


def test_it_is_freed_without_the_collector_and_stops(loop: Loop) -> None:
    async def main() -> None:
        ws = reconnecting(loop, script("hang"))
        await ws.connect()
        driver = ws._driver
        reference = weakref.ref(ws)
        del ws
        assert reference() is None
        await until(lambda: driver.has_finished)

    gc.disable()
    try:
        loop.run(main)
    finally:
        gc.enable()


def test_the_loop_ends_with_an_open_socket(loop: Loop) -> None:
    kept = []

    async def main() -> None:
        ws = reconnecting(loop, echo())
        ws.on_closed = lambda _, __: None
        await ws.connect()
        kept.append(ws)

    loop.run(main)
    assert kept[0].state == "closed"

    async def again() -> None:
        with pytest.raises(curlwire.StateError, match="another event loop"):
            await kept[0].recv()

    loop.run(again)


def test_facts_and_calls(loop: Loop) -> None:
    async def main() -> None:
        ws = reconnecting(loop, echo())
        assert (ws.state, ws.socket, ws.attempt, ws.last_error) == ("new", None, 0, None)
        assert repr(ws) == f"<{loop.api.__name__}.ReconnectingWebSocket new, attempt 0>"
        with pytest.raises(curlwire.StateError, match="no connection to ping"):
            await ws.ping()
        with pytest.raises(curlwire.StateError, match="connect"):
            await ws.recv()
        async with ws:
            assert await ws.ping() > 0
            await ws.send_json([1])
            assert await ws.recv_json() == [1]
            await ws.send(b"abc")
            buffer = bytearray(10)
            assert await ws.recv_into(buffer) == 3
            assert ws.socket is not None
            assert ws.socket.uri == echo()

    loop.run(main)


def test_a_server_that_closes_at_once_is_not_flooded(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    delays: list[float] = []
    monkeypatch.setattr(reconnect_policy, "clock", lambda: now[0])

    async def pause(driver: Driver, seconds: float) -> bool:
        delays.append(seconds)
        now[0] += seconds
        return now[0] < 1060

    monkeypatch.setattr(Driver, "_pause", pause)

    async def main() -> None:
        ws = reconnecting(loop, script(text("hello"), "close:1011"), policy=ReconnectPolicy())
        await ws.connect()
        await ws.wait_closed()
        assert 2 <= ws.attempt <= 30
        assert max(delays) > 1

    loop.run(main)
