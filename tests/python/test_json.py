# SPDX-License-Identifier: MIT
"""Tests of send_json() and recv_json()."""

import json
import traceback
from typing import Any

import pytest

import curlwire
from curlwire import ArgumentError, MessageError, SocketMessageType, StateError, WebSocketError
from peers import WAIT, opened, round_trip, script, text

VALUES: list[Any] = [None, True, 0, -1.5, "é\0€𐍈", [], {}, {"a": [1, {"b": None}]}, "x" * 100_000]


@pytest.mark.parametrize("value", VALUES, ids=[str(n) for n in range(len(VALUES))])
def test_values_come_back(value: Any) -> None:
    with opened() as ws:
        ws.send_json(value)
        assert ws.recv_json(timeout=WAIT) == value
        ws.send(json.dumps(value).encode())
        assert ws.recv_json(timeout=WAIT) == value


def test_json_is_text() -> None:
    with opened() as ws:
        for dumps in (None, json.dumps, lambda value: json.dumps(value).encode()):
            ws.send_json({"a": "é"}, dumps=dumps)
            message = ws.recv(timeout=WAIT, copy=False)
            assert message.message_type is SocketMessageType.UTF8
            assert json.loads(bytes(message)) == {"a": "é"}


def test_own_functions() -> None:
    with opened() as ws:
        ws.send_json([1], dumps=lambda value: bytearray(b"[%d, 2]" % value[0]))
        assert ws.recv_json(timeout=WAIT, loads=lambda data: (data, "mine")) == ("[1, 2]", "mine")
        ws.send(b"[3]")
        assert ws.recv_json(timeout=WAIT, loads=lambda data: data) == b"[3]"


def test_dumps_that_fails_sends_nothing() -> None:
    with opened() as ws:
        for wrong, error in ((float("nan"), ValueError), ({1, 2}, TypeError)):
            with pytest.raises(error):
                ws.send_json(wrong)
        with pytest.raises(
            TypeError, match="dumps must return a str or a bytes-like object, not <class 'int'>"
        ):
            ws.send_json(1, dumps=lambda value: 5)  # type: ignore[arg-type,return-value]
        with pytest.raises(ArgumentError, match="not UTF-8"):
            ws.send_json(1, dumps=lambda value: b"\xff")
        with pytest.raises(TypeError, match=r"dumps must be a function, such as json\.dumps"):
            ws.send_json(1, dumps="json")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=r"loads must be a function, such as json\.loads"):
            ws.recv_json(loads=5)  # type: ignore[call-overload]
        round_trip(ws)


@pytest.mark.parametrize("bad", ["", "secret", '{"password": secret}', "[1] secret", b"\xffsecret", "\ufeff1"])
def test_a_message_that_is_no_json(bad: str | bytes) -> None:
    with opened() as ws:
        ws.send(bad)
        ws.send_json("next")
        with pytest.raises(MessageError, match="cannot read the message as JSON") as caught:
            ws.recv_json(timeout=WAIT)
        error = caught.value
        assert isinstance(error, ValueError)
        assert isinstance(error, WebSocketError)
        assert error.data == bad
        assert "secret" not in str(error) + repr(error)
        # The lines of this file contain the word.
        shown = [line for line in traceback.format_exception(error) if not line.startswith("  File")]
        assert "secret" not in "".join(shown)
        assert ws.recv_json(timeout=WAIT) == "next"


def test_loads_that_fails() -> None:
    class Own(Exception):
        """An exception whose text contains the message."""

    def fail(data: str | bytes) -> None:
        raise Own(data)

    with opened() as ws:
        ws.send("secret")
        with pytest.raises(MessageError, match="JSON: Own") as caught:
            ws.recv_json(timeout=WAIT, loads=fail)
        assert "secret" not in str(caught.value)
        assert isinstance(caught.value.__cause__, Own)
        assert caught.value.data == "secret"
        round_trip(ws)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_interrupted_loads_keeps_the_message(error: type[BaseException]) -> None:
    def fail(data: str | bytes) -> None:
        raise error

    with opened() as ws:
        ws.send_json([1])
        with pytest.raises(error):
            ws.recv_json(timeout=WAIT, loads=fail)
        assert ws.recv_json(timeout=WAIT) == [1]


def test_deep_json_is_an_error() -> None:
    ws = curlwire.connect(script(f"x:{text('[' * 100)}", "hang"))
    with pytest.raises(MessageError):
        ws.recv_json(timeout=WAIT)
    ws.abort()
    with opened() as ws:
        ws.send("[" * 200_000)
        with pytest.raises(MessageError):
            ws.recv_json(timeout=WAIT)
        round_trip(ws)


def test_json_in_partial_mode() -> None:
    with opened(receive_mode="partial") as ws:
        ws.send_json([1])
        with pytest.raises(StateError, match="receive_mode"):
            ws.recv_json(timeout=WAIT)
        assert ws.recv(timeout=WAIT) == b"[1]"


def test_json_ends_as_recv_does() -> None:
    with opened() as ws:
        with pytest.raises(curlwire.WebSocketTimeout):
            ws.recv_json(timeout=0.01)
        ws.on_message_received = lambda ws, args: None
        with pytest.raises(StateError, match="on_message_received"):
            ws.recv_json()
        ws.on_message_received = None
    with pytest.raises(curlwire.ConnectionClosed):
        ws.recv_json()
    with pytest.raises(curlwire.ConnectionClosed):
        ws.send_json(1)
