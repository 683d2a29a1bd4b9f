# SPDX-License-Identifier: MIT
"""curlwire.ReconnectPolicy: what is retried, delays, and limits. tests/core tests the rules alone."""

import os
from collections.abc import Callable
from typing import Any

import pytest

import curlwire
from attempts import AT_ONCE, ReconnectingWebSocket, refusal, scripts, text
from curlwire import ReconnectPolicy, reconnect_policy
from curlwire.reconnect_driver import Driver
from peers import WAIT, script


class FakeTime:
    """A clock that only the waits of a driver move. It records the delays, and stops the driver at the end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, end: float = 1e9) -> None:
        self.now = 1000.0
        self.end = self.now + end
        self.delays: list[float] = []
        monkeypatch.setattr(reconnect_policy, "clock", lambda: self.now)
        monkeypatch.setattr(Driver, "_pause", self._pause())

    def _pause(self) -> Callable[[Driver, float], bool]:
        def pause(driver: Driver, seconds: float) -> bool:
            self.delays.append(seconds)
            self.now += seconds
            return not driver.must_stop and self.now < self.end

        return pause


@pytest.mark.parametrize("code", [1001, 1005, 1011, 1012, 1013, 1014])
def test_close_codes_that_are_retried(code: int) -> None:
    first = ["close"] if code == 1005 else [f"close:{code}"]
    with ReconnectingWebSocket(scripts(first, [text("x"), "close:1000"]), policy=AT_ONCE) as ws:
        assert list(ws) == ["x"]


@pytest.mark.parametrize("code", [1002, 1003, 1007, 1008, 1009, 1010, 3000, 4999])
def test_close_codes_that_are_not_retried(code: int) -> None:
    with ReconnectingWebSocket(scripts([text("x"), f"close:{code}"]), policy=AT_ONCE) as ws:
        assert ws.recv(WAIT) == "x"
        for _ in range(2):
            with pytest.raises(curlwire.ConnectionClosed) as caught:
                next(ws)
            assert caught.value.code == code
        with pytest.raises(curlwire.ConnectionClosed):
            ws.send("x")
    assert ws.attempt == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_statuses_that_are_retried(status: int) -> None:
    with ReconnectingWebSocket(scripts(refusal(status), [text("x"), "close:1000"]), policy=AT_ONCE) as ws:
        assert list(ws) == ["x"]
        assert isinstance(ws.last_error, curlwire.ConnectionClosed)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 418])
def test_statuses_that_are_not_retried(status: int) -> None:
    ws = ReconnectingWebSocket(scripts(refusal(status)), policy=AT_ONCE)
    with pytest.raises(curlwire.HandshakeError) as caught:
        ws.connect(WAIT)
    assert caught.value.http_status == status
    ws.wait_closed(WAIT)


def test_retry_after_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    time = FakeTime(monkeypatch)
    uri = scripts(refusal(503, "Retry-After: 120"), refusal(429, "Retry-After: 7"), [text("x"), "close:1000"])
    with ReconnectingWebSocket(uri) as ws:
        assert list(ws) == ["x"]
    assert 120 <= time.delays[1] <= 121
    assert 7 <= time.delays[2] <= 9


def test_certificates_are_not_retried() -> None:
    uri = os.environ["CW_ECHO_WSS"] + "/"
    ws = ReconnectingWebSocket(uri, policy=AT_ONCE)
    with pytest.raises(curlwire.CertificateError):
        ws.connect(WAIT)
    assert ws.attempt == 1


def test_max_attempts() -> None:
    policy = ReconnectPolicy(first_delay=0.001, max_delay=0.001, max_attempts=3)
    ws = ReconnectingWebSocket("ws://localhost:1/", policy=policy)
    with pytest.raises(curlwire.ConnectError) as caught:
        ws.connect(WAIT)
    assert caught.value.__notes__ == ["gave up after 3 attempts in a row (max_attempts)"]
    assert ws.attempt == 3
    with pytest.raises(curlwire.ConnectError):
        ws.recv()


def test_max_elapsed(monkeypatch: pytest.MonkeyPatch) -> None:
    time = FakeTime(monkeypatch)
    ws = ReconnectingWebSocket("ws://localhost:1/", policy=ReconnectPolicy(max_elapsed=30))
    with pytest.raises(curlwire.ConnectError) as caught:
        ws.connect(WAIT)
    assert "(max_elapsed)" in caught.value.__notes__[0]
    assert sum(time.delays) <= 30


def test_a_server_that_closes_at_once_is_not_flooded(monkeypatch: pytest.MonkeyPatch) -> None:
    time = FakeTime(monkeypatch, end=60)
    ws = ReconnectingWebSocket(script(text("hello"), "close:1011"))
    ws.connect(WAIT)
    ws.run_forever()
    assert 2 <= ws.attempt <= 30
    assert max(time.delays) > 1
    ws.close()


def test_a_stable_connection_begins_a_new_series(monkeypatch: pytest.MonkeyPatch) -> None:
    time = FakeTime(monkeypatch)
    uri = scripts(
        refusal(503), refusal(503), refusal(503), [text("x"), "close:1012"], [text("y"), "close:1000"]
    )
    ws = ReconnectingWebSocket(uri, policy=ReconnectPolicy(max_attempts=4))

    def on_connected(_: object, attempt: int) -> None:
        time.now += 10

    ws.on_connected = on_connected
    with ws:
        assert list(ws) == ["x", "y"]
    assert time.delays[4] <= 1


def test_should_retry_decides() -> None:
    asked: list[Exception] = []

    def should_retry(error: Exception) -> bool | None:
        asked.append(error)
        if isinstance(error, curlwire.HandshakeError):
            return True  # the default rules would not
        return False if isinstance(error, curlwire.ConnectionClosed) and error.code == 1011 else None

    policy = ReconnectPolicy(first_delay=0.001, should_retry=should_retry)
    uri = scripts(refusal(401), [text("x"), "close:1012"], [text("y"), "close:1011"])
    with ReconnectingWebSocket(uri, policy=policy) as ws:
        assert [ws.recv(WAIT), ws.recv(WAIT)] == ["x", "y"]
        with pytest.raises(curlwire.ConnectionClosed) as caught:
            ws.recv(WAIT)
        assert caught.value.code == 1011
    assert len(asked) == 3


def test_an_exception_of_should_retry_ends_the_socket() -> None:
    def should_retry(_: Exception) -> bool:
        raise ZeroDivisionError("a bug")

    ws = ReconnectingWebSocket("ws://localhost:1/", policy=ReconnectPolicy(should_retry=should_retry))
    with pytest.raises(ZeroDivisionError, match="a bug"):
        ws.connect(WAIT)


def test_delays_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    time = FakeTime(monkeypatch)
    ws = ReconnectingWebSocket("ws://localhost:1/", policy=ReconnectPolicy(delays=[1, 2.5, 4]))
    with pytest.raises(curlwire.ConnectError) as caught:
        ws.connect(WAIT)
    assert caught.value.__notes__ == ["gave up: delays has no further delay"]
    assert time.delays == [0, 1, 2.5, 4]


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: [1, 2], [0, 1, 1, 2]),  # a list begins anew after a stable connection
        (lambda: lambda: iter([1, 2]), [0, 1, 1, 2]),
        (lambda: iter([1, 2, 3]), [0, 1, 2, 3]),  # an iterator goes on
    ],
)
def test_delays_and_series(monkeypatch: pytest.MonkeyPatch, make: Any, expected: list[float]) -> None:
    time = FakeTime(monkeypatch)
    uri = scripts(refusal(503), ["close:1012"], refusal(503), [text("x"), "close:1000"])
    ws = ReconnectingWebSocket(uri, policy=ReconnectPolicy(delays=make()))

    def on_connected(_: object, attempt: int) -> None:
        time.now += 20

    ws.on_connected = on_connected
    with ws:
        assert list(ws) == ["x"]
    assert time.delays == expected


@pytest.mark.parametrize(("delay", "error"), [("1", TypeError), (-1, ValueError), (float("inf"), ValueError)])
def test_wrong_delays(delay: Any, error: type[Exception]) -> None:
    ws = ReconnectingWebSocket("ws://localhost:1/", policy=ReconnectPolicy(delays=[delay]))
    with pytest.raises(error, match="delays must contain"):
        ws.connect(WAIT)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"unsent": "never"}, ValueError, "use 'keep' or 'drop'"),
        ({"unsent_buffer_size": -1}, ValueError, "0 or more bytes"),
        ({"unsent_buffer_size": "1"}, TypeError, "must be an int"),
        ({"policy": 5}, TypeError, "must be a ReconnectPolicy"),
        ({"timeout": "5"}, TypeError, "timeout must be a number"),
        ({"timeout": -1}, ValueError, "timeout cannot be -1"),
        ({"headers": 5}, TypeError, "headers must be a mapping"),
        ({"connect_timeout": -1}, ValueError, "connect_timeout"),
        ({"subprotocols": ["a"], "supported_protocols": ["b"]}, TypeError, "give one of them"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        ReconnectingWebSocket("ws://localhost:1/", **arguments)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"first_delay": 0}, ValueError),
        ({"first_delay": None}, ValueError),
        ({"max_delay": "1"}, TypeError),
        ({"max_delay": float("nan")}, ValueError),
        ({"max_attempts": 0}, ValueError),
        ({"max_attempts": 1.5}, TypeError),
        ({"max_attempts": 10**30}, ValueError),
        ({"max_elapsed": -1}, ValueError),
        ({"stable_after": -1}, ValueError),
        ({"max_age": 0}, ValueError),
        ({"delays": 5}, TypeError),
        ({"should_retry": 5}, TypeError),
    ],
)
def test_bad_policies(arguments: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=next(iter(arguments))):
        ReconnectPolicy(**arguments)
