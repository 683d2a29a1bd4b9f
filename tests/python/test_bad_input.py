# SPDX-License-Identifier: MIT
"""Bad input raises one clear error and leaves the object in the state that the test names."""

from collections.abc import Callable
from typing import Any

import pytest

import curlwire
from curlwire import ArgumentError, ConnectionClosed, MessageWebSocket, StateError
from peers import WAIT, echo, opened, opened_stream, round_trip, url


def works_from_new(ws: MessageWebSocket) -> None:
    """Checks that the state is new and that the socket can connect."""
    assert ws.state == "new"
    with ws:
        ws.connect(echo())
        round_trip(ws)


@pytest.mark.parametrize(
    "uri", ["not a uri", "", "localhost", "ws://", "ws://host:99999/", "ws://[::1/", "ws://[:]"]
)
def test_bad_uri(uri: str) -> None:
    ws = MessageWebSocket()
    with pytest.raises(ArgumentError):
        ws.connect(uri)
    works_from_new(ws)


@pytest.mark.parametrize("uri", ["http://localhost/", "https://localhost/", "file:///etc/hosts"])
def test_bad_scheme(uri: str) -> None:
    ws = MessageWebSocket()
    with pytest.raises(ArgumentError, match=r"ws.*wss"):
        ws.connect(uri)
    works_from_new(ws)


def test_bad_fragment() -> None:
    ws = MessageWebSocket()
    with pytest.raises(ArgumentError, match=r"fragment|#"):
        ws.connect(echo("/#here"))
    works_from_new(ws)


@pytest.mark.parametrize("character", ["\r", "\n", "\0"])
def test_bad_uri_characters(character: str) -> None:
    ws = MessageWebSocket()
    with pytest.raises(ArgumentError):
        ws.connect(echo(f"/a{character}b"))
    works_from_new(ws)


BAD_HEADERS = [
    ("X\r", "1"),
    ("X\n", "1"),
    ("X\0", "1"),
    ("X Y", "1"),
    ("X:", "1"),
    ("", "1"),
    ("X", "a\rb"),
    ("X", "a\nb"),
    ("X", "a\0b"),
    ("X", "1\r\nX-Other: 2"),
]


@pytest.mark.parametrize(("name", "value"), BAD_HEADERS)
def test_bad_header(name: str, value: str) -> None:
    ws = MessageWebSocket()
    with pytest.raises(ArgumentError):
        ws.set_request_header(name, value)
    works_from_new(ws)


@pytest.mark.parametrize(
    "name",
    [
        "Upgrade",
        "connection",
        "Sec-WebSocket-Key",
        "SEC-WEBSOCKET-VERSION",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions",
        "Sec-WebSocket-Accept",
        "Content-Length",
        "Transfer-Encoding",
    ],
)
def test_bad_header_forbidden(name: str) -> None:
    ws = MessageWebSocket()
    with pytest.raises(ArgumentError, match=r"curlwire|supported_protocols|set"):
        ws.set_request_header(name, "x")
    assert ws.state == "new"


def test_bad_header_late() -> None:
    with opened() as ws:
        with pytest.raises(StateError):
            ws.set_request_header("X-Late", "1")
        round_trip(ws)


@pytest.mark.parametrize("protocol", ["a\r", "a\n", "a\0", "a b", "a,b", "", "ä", "a/b"])
def test_bad_subprotocol(protocol: str) -> None:
    ws = MessageWebSocket(supported_protocols=["chat"])
    with pytest.raises(ArgumentError):
        ws.control.supported_protocols = ["superchat", protocol]
    assert ws.control.supported_protocols == ("chat",)
    works_from_new(ws)


BAD_CODES = [0, 1, 999, 1004, 1006, 1015, 1016, 2999, 5000, 65536 + 1000, 2**40, -1]


@pytest.mark.parametrize("code", BAD_CODES)
def test_bad_close_code(code: int) -> None:
    with opened() as ws:
        with pytest.raises(ArgumentError):
            ws.close(code)
        with pytest.raises(ArgumentError):
            ws.close(1005, "a reason without a code")
        round_trip(ws)


def test_bad_close_reason() -> None:
    with opened() as ws:
        for reason in ("x" * 124, "é" * 62):
            with pytest.raises(ArgumentError, match="123"):
                ws.close(1000, reason)
        with pytest.raises(ArgumentError):
            ws.close(1000, "\ud800")
        round_trip(ws)
        ws.close(1000, "x" * 123)
    assert ws.was_clean


def test_bad_text() -> None:
    with opened(message_type="utf8") as ws:
        with pytest.raises(ArgumentError, match="surrogate"):
            ws.send("lone \ud800 surrogate")
        with pytest.raises(ArgumentError):
            ws.output_stream.write(b"\xff\xfe")
        with pytest.raises(ArgumentError):
            ws.send_final_frame(b"\xc0\x80")
        round_trip(ws)


BAD_TYPES: dict[str, Callable[[Any], object]] = {
    "send None": lambda ws: ws.send(None),
    "send int": lambda ws: ws.send(1),
    "send nothing": lambda ws: ws.send(),
    "send two": lambda ws: ws.send(b"x", 1, 2),
    "send timeout": lambda ws: ws.send(b"x", timeout="1"),
    "send unknown": lambda ws: ws.send(b"x", tiemout=1),
    "send twice": lambda ws: ws.send(b"x", 1, timeout=1),
    "send_final_frame": lambda ws: ws.send_final_frame(1.5),
    "send_nonfinal_frame": lambda ws: ws.send_nonfinal_frame([]),
    "recv timeout": lambda ws: ws.recv("soon"),
    "recv copy": lambda ws: ws.recv(0, copy=1),
    "ping": lambda ws: ws.ping(b"payload"),
    "flush": lambda ws: ws.flush([]),
    "close code": lambda ws: ws.close("1000"),
    "close reason": lambda ws: ws.close(1000, b"bytes"),
    "wait_closed": lambda ws: ws.wait_closed("1"),
    "connect": lambda ws: ws.connect(b"ws://localhost"),
    "connect none": lambda ws: ws.connect(),
    "header name": lambda ws: ws.set_request_header(b"X", "1"),
    "header value": lambda ws: ws.set_request_header("X", 1),
    "write str": lambda ws: ws.output_stream.write("text"),
}


@pytest.mark.parametrize("name", BAD_TYPES)
def test_bad_types(name: str) -> None:
    with opened() as ws:
        with pytest.raises(TypeError):
            BAD_TYPES[name](ws)
        round_trip(ws)


def test_bad_buffer() -> None:
    with opened() as ws:
        with pytest.raises(BufferError):
            ws.send(memoryview(bytes(8))[::2])
        round_trip(ws)


@pytest.mark.parametrize(
    "timeout", [-1, -0.5, float("nan"), float("-inf"), pytest.param(-(10**400), id="huge")]
)
def test_bad_timeout(timeout: float) -> None:
    with opened() as ws:
        for call in (ws.recv, ws.ping, ws.flush, ws.wait_closed):
            with pytest.raises(ArgumentError):
                call(timeout=timeout)
        with pytest.raises(ArgumentError):
            ws.send("x", timeout=timeout)
        round_trip(ws)
    fresh = MessageWebSocket()
    with pytest.raises(ArgumentError):
        fresh.connect(echo(), timeout=timeout)
    works_from_new(fresh)


def test_endless_timeouts() -> None:
    with opened() as ws:
        ws.send("x", timeout=1e300)
        assert ws.recv(timeout=float("inf")) == "x"
        ws.send("x", timeout=10**400)
        assert ws.recv(timeout=2**70) == "x"


USES: dict[str, Callable[[MessageWebSocket], object]] = {
    "send": lambda ws: ws.send("x"),
    "try_send": lambda ws: ws.try_send("x"),
    "send_final_frame": lambda ws: ws.send_final_frame(b"x"),
    "send_nonfinal_frame": lambda ws: ws.send_nonfinal_frame(b"x"),
    "recv": lambda ws: ws.recv(timeout=WAIT),
    "ping": lambda ws: ws.ping(timeout=WAIT),
    "flush": lambda ws: ws.flush(),
    "write": lambda ws: ws.output_stream.write(b"x"),
    "stream flush": lambda ws: ws.output_stream.flush(),
}


def test_use_before_connect() -> None:
    ws = MessageWebSocket()
    for use in USES.values():
        with pytest.raises(StateError) as caught:
            use(ws)
        assert isinstance(caught.value, RuntimeError)
    with pytest.raises(StateError):
        next(iter(ws))
    works_from_new(ws)
    stream = curlwire.StreamWebSocket()
    with pytest.raises(StateError):
        stream.input_stream.read(1)
    with pytest.raises(StateError):
        stream.output_stream.write(b"x")
    assert stream.state == "new"


def test_use_after_close() -> None:
    ws = opened("/close?code=4003&reason=enough")
    ws.wait_closed(WAIT)
    for use in USES.values():
        with pytest.raises(ConnectionClosed) as caught:
            use(ws)
        assert (caught.value.code, caught.value.reason) == (4003, "enough")
    assert ws.state == "closed"
    stream = opened_stream()
    stream.close()
    stream.wait_closed(WAIT)
    with pytest.raises(ConnectionClosed):
        stream.output_stream.write(b"x")
    assert stream.input_stream.read(1) == b""
    assert stream.state == "closed"


def test_use_after_failure() -> None:
    ws = MessageWebSocket()
    with pytest.raises(curlwire.ConnectError):
        ws.connect(url("CW_REFUSED_WS"))
    for use in USES.values():
        with pytest.raises(StateError):
            use(ws)
    works_from_new(ws)


def test_connect_twice() -> None:
    with opened() as ws:
        with pytest.raises(StateError):
            ws.connect(echo())
        round_trip(ws)


def test_connect_after_close() -> None:
    with opened() as ws:
        pass
    with pytest.raises(StateError, match="new"):
        ws.connect(echo())
    assert ws.state == "closed"


def test_bad_arguments_of_the_connect_function() -> None:
    connect: Any = curlwire.connect
    for socket_class in (10, None, int, MessageWebSocket(), curlwire.WebSocket):
        with pytest.raises(TypeError, match="MessageWebSocket"):
            connect(echo(), socket_class)
    for headers in ("X: 1", ["X"], ["XY"], 7, [("X", "1", "2")], b"X", {"X": 1}):
        with pytest.raises(TypeError, match="headers"):
            connect(echo(), headers=headers)


def test_the_common_class_is_not_made() -> None:
    with pytest.raises(TypeError):
        curlwire.WebSocket()
