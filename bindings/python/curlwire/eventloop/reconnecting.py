# SPDX-License-Identifier: MIT
"""The iteration of connect() for an event loop, which connects again, and the steps of one attempt."""

import inspect
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

from curlwire.connecting import add_headers
from curlwire.errors import ConnectionClosed
from curlwire.eventloop.hub import Hub
from curlwire.reconnect_policy import (
    Attempts,
    ProgramError,
    ReconnectPolicy,
    Target,
    call,
    checked_policy,
)
from curlwire.reconnecting_base import end_of

_NORMAL = 1000
RENEW_SECONDS = 1.0  # a renewal waits this long for the closing handshake of the old connection


async def _result(hub: Hub, call: Callable[[], Any]) -> Any:
    """Returns the awaited result of a function of the program.

    If it has awaited a task that was cancelled, it has failed, and the task that runs now goes on.
    """
    try:
        value = call()
        return await value if inspect.isawaitable(value) else value
    except BaseException as error:
        if not hub.is_foreign(error):
            raise
        raise RuntimeError(
            "the function has awaited a task that was cancelled: catch the cancellation in it"
        ) from error


async def _called(hub: Hub, part: Any, attempt: int) -> Any:
    """Returns an argument for a connect: the result of a function of the program, or the value."""
    try:
        return await _result(hub, lambda: call(part, attempt))
    except ProgramError:
        raise
    except Exception as error:
        raise ProgramError(error) from None


async def opened(target: Target, socket_class: Any, attempt: int, note: Callable[[Any], None]) -> Any:
    """Makes one attempt, and returns the open socket. note(socket) is called before it connects."""
    hub = socket_class._hub_class.running()
    uri = await _called(hub, target.uri, attempt)
    headers = await _called(hub, target.headers, attempt)
    subprotocols = await _called(hub, target.subprotocols, attempt)
    ws = socket_class(**target.options(subprotocols))
    add_headers(ws, headers)
    note(ws)
    await ws.connect(uri, target.timeout)
    return ws


async def next_delay(hub: Hub, attempts: Attempts, failure: Exception) -> float:
    """Returns the delay before the next attempt, or raises the error if there is none."""
    error = failure.error if isinstance(failure, ProgramError) else failure
    return attempts.next(failure, await _result(hub, lambda: attempts.ask(error)))


async def _pause(hub: Hub, seconds: float) -> None:
    if seconds > 0:
        with suppress(TimeoutError):
            async with hub.timeout(seconds):
                await hub.create_future()


class Connections:
    """Iterates over open sockets, one for each connection, until no further attempt follows.

    No generator: trio would want the program to close one that it does not exhaust.
    """

    def __init__(self, hub: Hub, target: Target, socket_class: Any, policy: ReconnectPolicy | None) -> None:
        self._hub = hub
        self._target = target
        self._socket_class = socket_class
        self._attempts = Attempts(checked_policy(policy))
        self._socket: Any = None  # of the turn that runs
        self._is_over = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        if self._is_over:
            raise StopAsyncIteration
        self._is_over = True  # unless there is another turn
        delay = 0.0 if self._socket is None else await self._end_turn(self._socket)
        self._socket = await self._open(delay)
        self._is_over = False
        return self._socket

    async def _open(self, delay: float) -> Any:
        """Makes attempts until one of them succeeds, and returns its socket."""
        while True:
            await _pause(self._hub, delay)
            number = self._attempts.begin()
            try:
                ws = await opened(self._target, self._socket_class, number, lambda _: None)
            except Exception as failure:
                self._attempts.ended()
                delay = await next_delay(self._hub, self._attempts, failure)
            else:
                self._attempts.opened()
                return ws

    async def _end_turn(self, ws: Any) -> float:
        """Returns the delay before the next attempt, or raises what ends the iteration."""
        self._socket = None
        if ws.state == "open":  # the program wants another connection
            with suppress(ConnectionClosed, TimeoutError):
                async with self._hub.timeout(RENEW_SECONDS):
                    await ws.close()
            self._attempts.ended()
            return self._attempts.renew()
        self._attempts.ended()
        reason = end_of(ws._core)
        try:
            return await next_delay(self._hub, self._attempts, reason)
        except ConnectionClosed:
            if reason.code == _NORMAL:
                raise StopAsyncIteration from None
            raise
