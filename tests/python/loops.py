# SPDX-License-Identifier: MIT
"""Runs a test on each event loop: asyncio's own and uvloop with curlwire.aio, trio with curlwire.trio.

The tests use anyio for tasks, timeouts and sleeping. So they also show that curlwire.aio serves anyio on
asyncio, and curlwire.trio serves anyio on trio.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import anyio
import anyio.abc
import pytest

from curlwire import aio, trio
from peers import WAIT

NAMES = ["asyncio", "uvloop", "trio"]
OPTIONS: dict[str, dict[str, Any]] = {"asyncio": {"debug": True}, "uvloop": {"use_uvloop": True}, "trio": {}}


class Loop:
    """An event loop, and the package of curlwire for it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_trio = name == "trio"
        self.api: Any = trio if self.is_trio else aio
        self.reports: list[Exception] = []  # of handlers that have failed

    def run(self, main: Callable[[], Awaitable[Any]], expects_reports: bool = False) -> Any:
        """Runs a test, asyncio's loop in debug mode. Fails if a handler has failed unexpectedly."""

        async def limited() -> Any:
            if not self.is_trio:
                asyncio.get_running_loop().set_exception_handler(
                    lambda _, context: self.reports.append(context.get("exception") or Exception(context))
                )
            with anyio.fail_after(WAIT):
                return await main()

        handler = _Handler(self.reports)
        logger = logging.getLogger("curlwire.trio")
        logger.addHandler(handler)
        try:
            backend = "trio" if self.is_trio else "asyncio"
            result = anyio.run(limited, backend=backend, backend_options=OPTIONS[self.name])
        finally:
            logger.removeHandler(handler)
        if not expects_reports:
            assert self.reports == []
        return result


class _Handler(logging.Handler):
    def __init__(self, reports: list[Exception]) -> None:
        super().__init__()
        self.reports = reports

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self.reports.append(error if isinstance(error, Exception) else Exception(record.getMessage()))


class Job:
    """A task of a test, which the test can cancel, and whose result it can await."""

    def __init__(self, group: anyio.abc.TaskGroup, call: Callable[[], Awaitable[Any]]) -> None:
        self.scope = anyio.CancelScope()
        self.ended = anyio.Event()
        self.value: Any = None
        self.error: Exception | None = None
        self.was_cancelled = False
        group.start_soon(self._run, call)

    async def _run(self, call: Callable[[], Awaitable[Any]]) -> None:
        try:
            with self.scope:
                self.value = await call()
        except Exception as error:
            self.error = error
        self.was_cancelled = self.scope.cancelled_caught
        self.ended.set()

    async def end(self) -> bool:
        """Waits for the end of the task. Returns whether it was cancelled."""
        await self.ended.wait()
        return self.was_cancelled

    async def result(self) -> Any:
        """Waits for the end of the task, and returns its result or raises its exception."""
        assert not await self.end()
        if self.error is not None:
            raise self.error
        return self.value


async def turn() -> None:
    """Lets the other tasks run once."""
    await anyio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    """Lets the loop run until a condition holds."""
    while not condition():
        await anyio.sleep(0.001)


async def polled(ws: Any) -> None:
    """Waits until the loop polls the connection for a task that receives."""
    while ws._fd < 0:
        await anyio.sleep(0)


async def round_trip(ws: Any, text: str = "hello") -> None:
    await ws.send(text)
    assert await ws.recv() == text


@pytest.fixture(params=NAMES)
def loop(request: pytest.FixtureRequest) -> Loop:
    return Loop(request.param)


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """Runs a coroutine in asyncio's loop in debug mode, and fails if the exception handler was called."""
    errors: list[dict[str, Any]] = []

    async def wrapped() -> Any:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
        return await asyncio.wait_for(main, WAIT)

    result = asyncio.run(wrapped(), debug=True)
    assert errors == []
    return result
