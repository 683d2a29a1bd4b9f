# SPDX-License-Identifier: MIT
"""async and await used with synchronous sockets: each mistake raises an error at its own line."""

import asyncio
import gc
import queue
import sys
import types
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from functools import partial
from typing import Any
from unittest import mock

import pytest

import curlwire
from curlwire import MessageWebSocket, StreamWebSocket
from peers import WAIT, echo, opened, round_trip


async def _async_function(ws: object, args: object) -> None: ...


async def _async_generator(ws: object, args: object) -> AsyncIterator[None]:
    yield


def _generator(ws: object, args: object) -> Iterator[None]:
    yield


class _AsyncCallable:
    async def __call__(self, ws: object, args: object) -> None: ...

    async def method(self, ws: object, args: object) -> None: ...

    @staticmethod
    async def static(ws: object, args: object) -> None: ...

    @classmethod
    async def of_class(cls, ws: object, args: object) -> None: ...


class _GeneratorCallable:
    def __call__(self, ws: object, args: object) -> Iterator[None]:
        yield


REFUSED: dict[str, Callable[..., Any]] = {
    "function": _async_function,
    "async generator": _async_generator,
    "generator": _generator,
    "callable": _AsyncCallable(),
    "method": _AsyncCallable().method,
    "static method": _AsyncCallable.static,
    "class method": _AsyncCallable.of_class,
    "partial": partial(_async_function),
    "partial of a partial": partial(partial(_async_function)),
    "partial of a callable": partial(_AsyncCallable()),
    "partial of a method": partial(_AsyncCallable().method),
    "callable generator": _GeneratorCallable(),
    "mock": mock.AsyncMock(),
}


@pytest.mark.parametrize("name", ["on_message_received", "on_closed", "on_writable"])
@pytest.mark.parametrize("handler", REFUSED.values(), ids=REFUSED)
def test_a_handler_that_nothing_would_run_is_refused(name: str, handler: Callable[..., Any]) -> None:
    ws = MessageWebSocket()
    with pytest.raises(
        TypeError, match=r"cannot use .+ as a handler f\(ws, args\), because it is .+ which nothing would"
    ):
        setattr(ws, name, handler)
    assert getattr(ws, name) is None
    setattr(ws, name, print)
    with pytest.raises(TypeError):
        setattr(ws, name, handler)
    assert getattr(ws, name) is print


def test_the_error_says_what_to_do() -> None:
    with pytest.raises(TypeError) as caught:
        MessageWebSocket().on_closed = _async_function
    assert "_async_function as a handler f(ws, args), because it is an 'async def' function" in str(
        caught.value
    )
    assert "asyncio.run_coroutine_threadsafe" in str(caught.value)


class _Awaitable:
    def __await__(self) -> Generator[None, None, None]:
        yield


@types.coroutine
def _old_coroutine() -> Generator[None, None, None]:
    yield


RETURNED: dict[str, Callable[[], object]] = {
    "coroutine": lambda: _async_function(None, None),
    "awaitable": _Awaitable,
    "old coroutine": _old_coroutine,
    "generator": lambda: _generator(None, None),
    "async generator": lambda: _async_generator(None, None),
    "future": lambda: asyncio.Future(loop=mock.Mock()),
}


@pytest.mark.parametrize("make", RETURNED.values(), ids=RETURNED)
def test_what_a_handler_returned_and_nothing_awaits_is_told(
    make: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: queue.SimpleQueue[Any] = queue.SimpleQueue()
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: told.put(unraisable.exc_value))
    with warnings.catch_warnings(record=True) as warned, opened() as ws:
        warnings.simplefilter("always")
        ws.on_message_received = lambda ws, args: make()
        ws.on_closed = lambda ws, args: make()
        ws.send("x")
        errors = [told.get(timeout=WAIT)]
        ws.close()
        ws.run_forever()
        errors.append(told.get(timeout=WAIT))
        gc.collect()
    assert [type(error) for error in errors] == [TypeError, TypeError]
    assert "returned an object of the type" in str(errors[0])
    assert [str(warning.message) for warning in warned] == []


def test_other_results_of_handlers_are_nobodys_business(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    results: list[object] = [None, 1, "x", (), iter([]), mock.Mock(), MessageWebSocket(), open]
    with opened() as ws:

        def handler(ws: MessageWebSocket, args: object) -> object:
            if len(results) == 1:
                ws.close()
            return results.pop()

        ws.on_message_received = handler
        ws.send_many("x" for _ in results)
        ws.run_forever()
    assert told == []
    assert results == []


def _run(make: Callable[[], Coroutine[Any, Any, None]]) -> str:
    """Runs a coroutine and returns the text of its exception."""
    with pytest.raises(TypeError) as caught:
        asyncio.run(make())
    return str(caught.value)


CALLS = {
    "connect": "ws.connect(echo())",
    "set_request_header": "ws.set_request_header('X', 'y')",
    "add_request_header": "ws.add_request_header('X', 'y')",
    "set_connected_socket": "ws.set_connected_socket(None)",
    "batch": "ws.batch()",
    "ping": "ws.ping()",
    "flush": "ws.flush()",
    "close": "ws.close()",
    "wait_closed": "ws.wait_closed()",
    "abort": "ws.abort()",
    "run_forever": "ws.run_forever()",
    "fileno": "ws.fileno()",
    "dispatch": "ws.dispatch(0)",
    "send": "ws.send('x')",
    "try_send": "ws.try_send('x')",
    "send_json": "ws.send_json([1])",
    "recv_json": "ws.recv_json()",
    "send_many": "ws.send_many(['x'], timeout=1)",
    "recv": "ws.recv(timeout=None)",
    "recv_stream": "ws.recv_stream()",
    "recv_into": "ws.recv_into(bytearray(1))",
    "send_final_frame": "ws.send_final_frame(b'x')",
    "send_nonfinal_frame": "ws.send_nonfinal_frame(data=b'x')",
}


@pytest.mark.parametrize("name", CALLS)
def test_an_awaited_method_does_nothing_and_says_so(name: str) -> None:
    with opened() as open_socket:
        ws = MessageWebSocket() if name == "connect" else open_socket
        scope: dict[str, Any] = {"ws": ws, "echo": echo}
        exec(f"async def wrong():\n    await {CALLS[name]}", scope)
        said = _run(scope["wrong"])
        assert said.startswith(f"{name}() is synchronous and cannot be awaited")
        assert "curlwire.aio" in said
        assert ws.state == ("new" if name == "connect" else "open")
        round_trip(open_socket)


def test_every_method_is_among_those() -> None:
    methods = {
        name
        for name in dir(MessageWebSocket)
        if not name.startswith("_") and callable(getattr(MessageWebSocket, name))
    }
    assert methods == set(CALLS)


def test_connect_and_the_protocols_say_where_to_look() -> None:
    async def await_connect() -> None:
        await curlwire.connect("ws://unused.invalid/")  # type: ignore[misc]

    assert "connect() is synchronous" in _run(await_connect)
    with opened() as ws:

        async def await_socket() -> None:
            await ws  # type: ignore[misc]

        async def async_with() -> None:
            async with ws:  # type: ignore[attr-defined]
                pass

        async def async_for() -> None:
            async for _ in ws:  # type: ignore[attr-defined]
                pass

        for wrong, word in (
            (await_socket, "'await'"),
            (async_with, "'async with'"),
            (async_for, "'async for'"),
        ):
            said = _run(wrong)
            assert "synchronous" in said
            assert word in said
            assert "curlwire.aio" in said
        round_trip(ws)


def test_a_stream_socket_says_so_too() -> None:
    async def async_with() -> None:
        async with StreamWebSocket():  # type: ignore[attr-defined]
            pass

    assert "'with'" in _run(async_with)


def test_a_coroutine_may_call_what_it_does_not_await() -> None:
    async def right() -> str | bytes:
        ws = await asyncio.to_thread(curlwire.connect, echo())
        with ws:
            ws.send("x")
            value = await asyncio.to_thread(ws.recv, timeout=WAIT)
            await asyncio.sleep(0, ws.ping())
            return value

    assert asyncio.run(right()) == "x"
