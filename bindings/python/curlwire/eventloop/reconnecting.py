# SPDX-License-Identifier: MIT
"""The iteration of connect() for an event loop, which connects again, and the steps of one attempt."""

import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

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
    stored,
)

_NORMAL = 1000
RENEW_SECONDS = 1.0  # a renewal waits this long for the closing handshake of the old connection


async def _called(part: Any, attempt: int) -> Any:
    """Returns an argument for a connect: the awaited result of a function of the program, or the value."""
    value = call(part, attempt)
    if not inspect.isawaitable(value):
        return value
    try:
        return await value
    except Exception as error:
        raise ProgramError(error) from None


async def opened(target: Target, socket_class: Any, attempt: int, note: Callable[[Any], None]) -> Any:
    """Makes one attempt, and returns the open socket. note(socket) is called before it connects."""
    uri = await _called(target.uri, attempt)
    headers = await _called(target.headers, attempt)
    subprotocols = await _called(target.subprotocols, attempt)
    ws = socket_class(**target.options(subprotocols))
    add_headers(ws, headers)
    note(ws)
    await ws.connect(uri, target.timeout)
    return ws


async def next_delay(attempts: Attempts, failure: Exception) -> float:
    """Returns the delay before the next attempt, or raises the error if there is none."""
    answer = attempts.ask(failure.error if isinstance(failure, ProgramError) else failure)
    return attempts.next(failure, await answer if inspect.isawaitable(answer) else answer)


def end_of(ws: Any) -> ConnectionClosed:
    """Returns the exception that tells how a connection has ended."""
    try:
        ws._core.ping(0)
    except ConnectionClosed as error:
        stored(error)
        return error
    except Exception as error:  # such as StateError
        return ConnectionClosed(str(error), code=1006, reason=str(error))
    return ConnectionClosed("the connection has ended", code=1006)


async def _pause(hub: Hub, seconds: float) -> None:
    if seconds > 0:
        with suppress(TimeoutError):
            async with hub.timeout(seconds):
                await hub.create_future()


async def connections(
    hub: Hub, target: Target, socket_class: Any, policy: ReconnectPolicy | None
) -> AsyncIterator[Any]:
    """Yields an open socket for each connection, until no further attempt follows."""
    attempts = Attempts(checked_policy(policy))
    delay = 0.0
    while True:
        await _pause(hub, delay)
        number = attempts.begin()
        try:
            ws = await opened(target, socket_class, number, lambda _: None)
        except Exception as failure:
            attempts.ended()
            delay = await next_delay(attempts, failure)
            continue
        attempts.opened()
        try:
            yield ws
        except BaseException:  # the iteration is closed or cancelled
            ws._core.close()
            raise
        if ws.state == "open":  # the program wants another connection
            with suppress(ConnectionClosed, TimeoutError):
                async with hub.timeout(RENEW_SECONDS):
                    await ws.close()
            attempts.ended()
            delay = attempts.renew()
            continue
        attempts.ended()
        reason = end_of(ws)
        try:
            delay = await next_delay(attempts, reason)
        except ConnectionClosed:
            if reason.code == _NORMAL:
                return
            raise
