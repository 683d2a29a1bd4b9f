# SPDX-License-Identifier: MIT
"""The argument timeout: the classes for event loops check it as the synchronous classes do."""

import asyncio
import math
import warnings
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
import trio

import curlwire
from curlwire import aio
from curlwire.compat.websockets.sync import client as sync_client
from curlwire.timeouts import checked_timeout
from peers import echo


class Index:
    def __index__(self) -> int:
        return 2


WRONG: list[Any] = [
    -1,
    -0.5,
    math.nan,
    -math.inf,
    -(10**400),
    -(10**5000),
    Decimal(-1),
    Decimal("nan"),
    "5",
    "DEFAULT",
    b"5",
    True,
    False,
    [],
    1j,
    ...,
]
RIGHT: list[tuple[Any, float | None]] = [
    (None, None),
    (curlwire.DEFAULT, 7),
    (math.inf, None),
    (10**400, None),
    (1e300, None),
    (0, 0),
    (1.5, 1.5),
    (Decimal("0.5"), 0.5),
    (Fraction(1, 2), 0.5),
    (Index(), 2),
]


def error_of(call: Callable[[], Any]) -> tuple[type[BaseException], str]:
    with pytest.raises((TypeError, ValueError, curlwire.WebSocketError)) as caught:
        call()
    return caught.type, str(caught.value)


@pytest.mark.parametrize("value", WRONG, ids=range(len(WRONG)))
def test_a_bad_timeout_is_the_same_error_as_in_the_core(value: Any) -> None:
    expected = error_of(lambda: curlwire.MessageWebSocket().recv(value))
    assert expected[0] in (TypeError, curlwire.ArgumentError)
    assert error_of(lambda: checked_timeout(value, 7)) == expected
    assert error_of(lambda: curlwire.ReconnectingWebSocket(echo()).recv(value)) == expected


@pytest.mark.parametrize(("value", "seconds"), RIGHT, ids=range(len(RIGHT)))
def test_a_timeout_that_the_core_takes(value: Any, seconds: float | None) -> None:
    assert error_of(lambda: curlwire.MessageWebSocket().recv(value))[0] is curlwire.StateError
    assert checked_timeout(value, 7) == seconds


def expected_of(value: Any) -> tuple[type[BaseException], str]:
    return error_of(lambda: curlwire.MessageWebSocket().recv(value))


CALLS: list[Callable[[Any, Any], Any]] = [
    lambda ws, timeout: ws.recv(timeout),
    lambda ws, timeout: ws.recv_json(timeout),
    lambda ws, timeout: ws.recv_into(bytearray(9), timeout),
    lambda ws, timeout: ws.recv_stream(timeout),
    lambda ws, timeout: ws.send(["x"], timeout),
    lambda ws, timeout: ws.send_many([], timeout),
    lambda ws, timeout: ws.flush(timeout),
    lambda ws, timeout: ws.ping(timeout),
    lambda ws, timeout: ws.wait_closed(timeout),
]
AGAIN: list[Callable[[Any, Any], Any]] = [
    lambda ws, timeout: ws.connect(timeout),
    lambda ws, timeout: ws.recv(timeout),
    lambda ws, timeout: ws.recv_json(timeout),
    lambda ws, timeout: ws.recv_into(bytearray(9), timeout),
]


async def check(package: Any) -> None:
    async with await package.connect(echo()) as ws, package.ReconnectingWebSocket(echo()) as again:
        await ws.send("1")
        await again.send("1")
        for socket, calls in ((ws, CALLS), (again, AGAIN)):
            for call in calls:
                for value in WRONG:
                    expected = expected_of(value)
                    with pytest.raises(expected[0]) as caught:
                        await call(socket, value)
                    assert str(caught.value) == expected[1]
            assert await socket.recv(Decimal(60)) == "1"  # the bad calls have taken no message
        with pytest.raises(curlwire.WebSocketTimeout, match=r"after 0\.02 s waiting for a message"):
            await again.recv(0.02)


def test_every_call_of_asyncio_and_trio_checks_its_timeout() -> None:
    import curlwire.trio

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(check(aio))
        trio.run(check, curlwire.trio)


def test_the_synchronous_client_of_compat_names_the_type_of_a_bad_timeout() -> None:
    wrong: Any = "5"
    with sync_client.connect(echo()) as ws:
        with pytest.raises(TypeError, match="timeout must be a number of seconds"):
            ws.recv(wrong)
        with pytest.raises(TimeoutError):
            ws.recv(-1)  # takes a message that is there


def test_the_default_of_timeouts_is_no_value_for_anything_else() -> None:
    ws = curlwire.MessageWebSocket()
    wrong: Any = curlwire.DEFAULT
    names = [name for name in dir(ws.control) if not name.startswith("_")]
    assert "proxy" in names and "origin" in names and "ping_interval" in names
    for name in names:
        with pytest.raises((TypeError, AttributeError, curlwire.ArgumentError)):
            setattr(ws.control, name, wrong)
    for name in ("proxy", "origin", "user_agent"):
        with pytest.raises(TypeError, match=name):
            curlwire.MessageWebSocket(**{name: wrong})
    for call in (ws.send, ws.try_send, ws.connect):
        with pytest.raises(TypeError):
            call(wrong)
    for name in ("first_delay", "max_delay", "max_attempts"):
        with pytest.raises((TypeError, curlwire.ArgumentError)):
            curlwire.ReconnectPolicy(**{name: wrong})
