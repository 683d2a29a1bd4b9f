# SPDX-License-Identifier: MIT
"""A task that waits for a socket lives on, even if the program stores neither. asyncio keeps no tasks."""

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from curlwire import ConnectionClosed, aio
from loops import Loop, until
from peers import echo, script

WAITS: dict[str, Callable[[Any], Awaitable[Any]]] = {}


@pytest.fixture(params=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> Loop:
    """Without trio, which keeps its tasks."""
    return Loop(request.param)


def waiting(call: Callable[[Any], Awaitable[Any]]) -> Callable[[Any], Awaitable[Any]]:
    WAITS[call.__name__] = call
    return call


@waiting
async def read(ws: Any) -> None:
    await ws.input_stream.read(1)


@waiting
async def wait_closed(ws: Any) -> None:
    await ws.wait_closed()


@waiting
async def ping(ws: Any) -> None:
    await ws.ping(timeout=None)


@waiting
async def drain(ws: Any) -> None:
    while True:
        ws.output_stream.write(bytes(65536))
        await ws.output_stream.drain()


async def collected(is_waiting: Callable[[], bool], task: "weakref.ref[asyncio.Task[Any]]") -> None:
    """Waits until a task waits, and checks that the collector leaves it alone."""
    await until(lambda: task() is None or is_waiting())
    gc.collect()
    living = task()
    assert living is not None
    assert not living.done()
    living.cancel()
    with pytest.raises(asyncio.CancelledError):
        await living


def start(coroutine: Any) -> "weakref.ref[asyncio.Task[Any]]":
    return weakref.ref(asyncio.create_task(coroutine))


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)
def test_a_task_that_waits_is_kept(loop: Loop, wait: Callable[[Any], Awaitable[Any]]) -> None:
    sockets: weakref.WeakSet[Any] = weakref.WeakSet()

    async def work() -> None:
        # no time limit holds the task, which the loop would keep
        ws = await aio.connect(
            script("stall", "hang"), aio.StreamWebSocket, send_timeout=None, outbound_buffer_size=16_384
        )
        sockets.add(ws)
        try:
            await wait(ws)
        finally:
            ws.abort()

    def is_waiting() -> bool:
        return any(ws._waiter or ws._pings or ws._writable or ws._changes for ws in sockets)

    async def main() -> None:
        await collected(is_waiting, start(work()))

    loop.run(main)


def test_a_task_that_connects_is_kept(loop: Loop) -> None:
    sockets: weakref.WeakSet[Any] = weakref.WeakSet()

    async def work() -> None:
        ws = aio.MessageWebSocket()
        sockets.add(ws)
        await ws.connect(script("hs:", "hang"), timeout=None)

    async def main() -> None:
        await collected(lambda: any(ws._changes for ws in sockets), start(work()))

    loop.run(main)


def test_senders_are_kept(loop: Loop) -> None:
    """The second one waits for the first."""
    sockets: weakref.WeakSet[Any] = weakref.WeakSet()
    tasks = []

    async def send(ws: Any) -> None:
        with suppress(ConnectionClosed):  # the other one has ended first
            try:
                while True:
                    await ws.send(bytes(65536), timeout=None)
            finally:
                ws.abort()

    async def main() -> None:
        ws = await aio.connect(script("stall", "hang"), outbound_buffer_size=16_384)
        sockets.add(ws)
        tasks.extend([start(send(ws)), start(send(ws))])
        del ws
        await until(lambda: any(len(ws._writers) == 2 for ws in sockets))
        gc.collect()
        assert all(task() is not None for task in tasks)
        await collected(lambda: True, tasks[0])

    loop.run(main)


def test_a_task_that_waits_for_a_reconnecting_socket_is_kept(loop: Loop) -> None:
    sockets: weakref.WeakSet[Any] = weakref.WeakSet()

    async def work() -> None:
        async with aio.ReconnectingWebSocket(echo()) as ws:
            sockets.add(ws)
            await ws.wait_closed()

    async def main() -> None:
        await collected(lambda: any(len(ws._driver._waiters) == 2 for ws in sockets), start(work()))

    loop.run(main)


def test_a_socket_with_a_handler_is_kept(loop: Loop) -> None:
    """The program stores nothing but the handler."""
    got: list[str] = []

    async def begin(peer: str) -> "weakref.ref[Any]":
        ws = aio.MessageWebSocket()
        ws.on_message_received = lambda ws, args: (got.append(args.data), ws.abort())
        await ws.connect(peer)
        return weakref.ref(ws)

    async def main() -> None:
        reference = await begin(echo())
        await until(lambda: reference()._core._is_ready_to_wait)
        gc.collect()
        ws = reference()
        assert ws is not None
        await ws.send("x")
        del ws
        await until(lambda: got == ["x"])

    loop.run(main)


@pytest.mark.parametrize("call", ["recv", "recv_json", "iterate"])
def test_a_task_that_receives_is_kept(loop: Loop, call: str) -> None:
    """The second wait is one that no function in Python begins."""
    sockets: weakref.WeakSet[Any] = weakref.WeakSet()

    async def work() -> None:
        ws = await aio.connect(script("x:810131", "frame:1", "x:810132", "hang"))
        sockets.add(ws)
        try:
            await ws.recv()
            await ws.send("go")
            if call == "iterate":
                async for _ in ws:
                    pass
            while True:
                await (ws.recv_json() if call == "recv_json" else ws.recv())
        finally:
            ws.abort()

    def is_waiting() -> bool:
        return any(
            ws._core._is_ready_to_wait and ws.information.statistics.text_messages_received >= 2
            for ws in sockets
        )

    async def main() -> None:
        await collected(is_waiting, start(work()))

    loop.run(main)
