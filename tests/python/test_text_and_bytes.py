# SPDX-License-Identifier: MIT
"""Tests of text= and decode=, which send and receive a message as another type than its own."""

from typing import Any

import pytest

import curlwire
from curlwire import ArgumentError, MessageBuffer, SocketMessageType, StateError
from peers import WAIT, opened, round_trip


def sent_as(data: str | bytes, **how: Any) -> tuple[bytes, SocketMessageType]:
    """Sends a message to the echo server, and returns the bytes and the type that come back."""
    with opened() as ws:
        ws.send(data, **how)
        message = ws.recv(timeout=WAIT, copy=False)
        return bytes(message), message.message_type


@pytest.mark.parametrize(
    ("data", "text", "kind"),
    [
        ("é", None, SocketMessageType.UTF8),
        ("é", True, SocketMessageType.UTF8),
        ("é", False, SocketMessageType.BINARY),
        ("é".encode(), None, SocketMessageType.BINARY),
        ("é".encode(), True, SocketMessageType.UTF8),
        (bytearray(b"\xc3\xa9"), True, SocketMessageType.UTF8),
        ("é".encode(), False, SocketMessageType.BINARY),
    ],
)
def test_text_chooses_the_type(data: str | bytes, text: bool | None, kind: SocketMessageType) -> None:
    assert sent_as(data, text=text) == ("é".encode(), kind)


def test_text_must_be_utf8() -> None:
    with opened() as ws:
        for wrong in (b"\xff", b"\xc3"):
            with pytest.raises(ArgumentError, match="not UTF-8"):
                ws.send(wrong, text=True)
            with pytest.raises(ArgumentError, match="not UTF-8") as caught:
                ws.send_many([b"sent", wrong, b"not sent"], text=True)
            assert vars(caught.value)["sent_count"] == 1
        assert [ws.recv(timeout=WAIT), ws.recv(timeout=WAIT)] == ["sent", "sent"]
        round_trip(ws)


def test_text_of_many() -> None:
    with opened() as ws:
        ws.send_many(["a", b"b"], text=True)
        ws.send_many(["c", b"d"], text=False)
        ws.send_many(["e", b"f"], text=None)
        assert [ws.recv(timeout=WAIT) for _ in range(6)] == ["a", "b", b"c", b"d", "e", b"f"]


def test_text_without_waiting() -> None:
    assert sent_as(b"a", text=True, timeout=0) == (b"a", SocketMessageType.UTF8)


@pytest.mark.parametrize("size", [3, 65_535, 1 << 20])
def test_decode_chooses_the_type(size: int) -> None:
    data = "é" * size
    with opened() as ws:
        for message in (data, data.encode()):
            for decode, expected in ((True, data), (False, data.encode()), (None, message)):
                ws.send(message)
                received = ws.recv(timeout=WAIT, decode=decode)
                assert type(received) is type(expected)
                assert received == expected


def test_decode_of_bytes_that_are_not_utf8_keeps_the_message() -> None:
    with opened() as ws:
        for wrong in (b"\xffsecret", b"\xc3", b"\xff" * (1 << 20)):
            ws.send(wrong)
            for _ in range(2):
                with pytest.raises(UnicodeDecodeError) as caught:
                    ws.recv(timeout=WAIT, decode=True)
                assert "secret" not in str(caught.value)
            assert ws.recv(timeout=WAIT) == wrong
        round_trip(ws)


def test_decode_of_a_part() -> None:
    with opened(receive_mode="partial") as ws:
        ws.send("é")
        with pytest.raises(StateError, match="receive_mode"):
            ws.recv(timeout=WAIT, decode=True)
        assert ws.recv(timeout=WAIT, decode=False) == "é".encode()


def test_decode_without_copy() -> None:
    with opened() as ws:
        ws.send("é")
        for decode in (True, False):
            with pytest.raises(ArgumentError, match="copy=False"):
                ws.recv(timeout=WAIT, copy=False, decode=decode)  # type: ignore[call-overload]
        message: MessageBuffer = ws.recv(timeout=WAIT, copy=False, decode=None)
        assert message.data == "é"


@pytest.mark.parametrize("wrong", [1, 0, "yes", "text", b""])
def test_wrong_choices(wrong: Any) -> None:
    with opened() as ws:
        for call in (
            lambda: ws.send("a", text=wrong),
            lambda: ws.send_many(["a"], text=wrong),
            lambda: ws.recv(decode=wrong),
        ):
            with pytest.raises(TypeError, match=r"(text|decode) must be True, False or None, not <class"):
                call()
        with pytest.raises(TypeError, match="give text as text="):
            ws.send("a", 1, True)  # type: ignore[call-arg]
        with pytest.raises(TypeError, match="give decode as decode="):
            ws.recv(1, True, True)  # type: ignore[call-overload]
        round_trip(ws)


def test_an_end_is_an_end() -> None:
    with opened() as ws:
        ws.close()
        for decode in (True, False):
            with pytest.raises(curlwire.ConnectionClosed):
                ws.recv(decode=decode)
