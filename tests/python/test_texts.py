# SPDX-License-Identifier: MIT
"""Tests the texts of errors. They say what failed, with the value, and then what to do in Python."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import curlwire
from curlwire import ArgumentError, ConnectionClosed, MessageWebSocket, StreamWebSocket, WebSocketTimeout
from peers import WAIT, Recorded, opened, opened_stream, round_trip

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

import controls

ROOT = Path(__file__).parents[2]
HUGE = 10**5000  # Python refuses to print it

RANGES = {row.key: row for row in controls.read() if row.type in ("MS", "COUNT", "BITS", "NUMBER")}
UNITS = controls.UNITS


def takes(name: str) -> str:
    """Returns the end of an error text: the values that a control takes."""
    row = RANGES[name]
    is_open = row.type == "MS" or row.most == 2**63 - 1
    text = f"{row.least} or more" if is_open else f"{row.least} to {row.most}"
    unit = f" {UNITS[row.type]}" if row.type in UNITS else ""
    return f"{text}{unit}" + (f", or None for {row.none}" if row.none else "")


def refused(name: str, value: object) -> str:
    """Returns the text of the ArgumentError that the attribute raises. The constructor must raise the same."""
    ws: Any = MessageWebSocket()
    before = getattr(ws.control, name)
    with pytest.raises(ArgumentError) as caught:
        setattr(ws.control, name, value)
    assert getattr(ws.control, name) == before
    constructor: Any = MessageWebSocket
    with pytest.raises(ArgumentError) as again:
        constructor(**{name: value})
    assert str(again.value) == str(caught.value)
    return str(caught.value)


def test_the_list_of_controls_is_read() -> None:
    assert len(RANGES) > 10
    assert takes("close_timeout") == "0 or more seconds"
    assert takes("inbound_buffer_size") == "1024 to 2147483647 bytes"
    assert takes("max_message_size") == "0 or more bytes, or None for no limit"
    assert takes("frame_size") == "1 or more bytes, or None for no cuts"
    assert takes("ping_interval") == "0 or more seconds, or None for no pings"
    assert takes("max_fragments") == "1 or more, or None for no limit"


@pytest.mark.parametrize("name", RANGES)
def test_a_control_out_of_range(name: str) -> None:
    row = RANGES[name]
    bad: list[object] = [-1, -(2**70)]
    if row.type == "MS":
        bad += [-0.5, float("nan"), float("-inf")]
    else:
        bad += [row.most + 1, 2**70]
    if row.least > 0:
        bad += [0, row.least - 1]
    if row.none is None and row.type != "BITS":
        bad.append(None)
    for value in bad:
        assert refused(name, value) == f"{name} cannot be {value!r}: it takes {takes(name)}"
    if row.type != "MS":
        assert refused(name, HUGE) == f"{name} cannot be an int of thousands of digits: it takes {takes(name)}"


@pytest.mark.parametrize("name", RANGES)
def test_a_control_of_the_wrong_type(name: str) -> None:
    control: Any = MessageWebSocket().control
    row = RANGES[name]
    extra: dict[str, list[object]] = {"MS": [], "COUNT": [1.5], "BITS": [1.5, None], "NUMBER": [1.5]}
    for value in (True, "1", b"1", [1], 1j, *extra[row.type]):
        with pytest.raises(TypeError) as caught:
            setattr(control, name, value)
        text = str(caught.value)
        assert text.startswith(
            f"{name} must be a number{f' of {UNITS[row.type]}' if row.type in UNITS else ''}"
        )
        assert text.endswith(f", not {type(value)!r}")
        assert (", or None" in text) == (row.none is not None)


class _Index:
    """An object with __index__, as the integers of numpy are."""

    def __index__(self) -> int:
        return 2000


def test_what_is_like_an_int_is_one() -> None:
    index: Any = _Index()
    ws = MessageWebSocket(inbound_buffer_size=index, max_message_size=index)
    assert ws.control.inbound_buffer_size == ws.control.max_message_size == 2000


EXACT: dict[str, tuple[Callable[[Any], object], type[Exception], str]] = {
    "enum word": (
        lambda ws: setattr(MessageWebSocket().control, "message_type", "text2"),
        ArgumentError,
        "message_type cannot be 'text2': it takes 'binary' or 'utf8'",
    ),
    "enum member": (
        lambda ws: MessageWebSocket(receive_mode=7),  # type: ignore[arg-type]
        ArgumentError,
        "receive_mode cannot be 7: it takes 'full' or 'partial'",
    ),
    "enum long": (
        lambda ws: MessageWebSocket(framing="x" * 1000),  # type: ignore[arg-type]
        ArgumentError,
        "framing cannot be 'xxxxxxxxxxx*...: it takes 'auto', 'curl' or 'native'",
    ),
    "enum type": (
        lambda ws: MessageWebSocket(framing=1),  # type: ignore[arg-type]
        TypeError,
        "framing must be 'auto', 'curl' or 'native', not <class 'int'>",
    ),
    "flag": (
        lambda ws: MessageWebSocket(verify=0),  # type: ignore[arg-type]
        TypeError,
        "verify must be True or False, not <class 'int'>",
    ),
    "list": (
        lambda ws: MessageWebSocket(supported_protocols=5),  # type: ignore[arg-type]
        TypeError,
        "supported_protocols must be a list of str, or None, not <class 'int'>",
    ),
    "list of int": (
        lambda ws: MessageWebSocket(supported_protocols=[5]),  # type: ignore[list-item]
        TypeError,
        "the items of supported_protocols must be str, not <class 'int'>",
    ),
    "token": (
        lambda ws: MessageWebSocket(supported_protocols=["a b"]),
        ArgumentError,
        "supported_protocols has an item that is not a token (letters, digits and !#$%&'*+-.^_`|~): "
        "correct the item",
    ),
    "late": (
        lambda ws: setattr(ws.control, "verify", False),
        curlwire.StateError,
        "the control verify cannot change once a connect has begun; set it before connect",
    ),
    "close huge": (
        lambda ws: ws.close(10**30),
        ArgumentError,
        f"code cannot be 1{'0' * 30}: it takes 1000-1003, 1007-1014, 3000-4999, or 1005 for none",
    ),
    "close huger": (
        lambda ws: ws.close(HUGE),
        ArgumentError,
        "code cannot be an int of thousands of digits: it takes 1000-1003, 1007-1014, 3000-4999, or 1005 "
        "for none",
    ),
    "close negative": (
        lambda ws: ws.close(-5),
        ArgumentError,
        "-5 is not a close code that may be sent: use 1000-1003, 1007-1014, 3000-4999, or 1005 for none",
    ),
    "close type": (lambda ws: ws.close("1000"), TypeError, "code must be an int, not <class 'str'>"),
    "close float": (lambda ws: ws.close(1000.0), TypeError, "code must be an int, not <class 'float'>"),
    "timeout": (
        lambda ws: ws.recv(timeout=-1),
        ArgumentError,
        "timeout cannot be -1: it takes 0 or more seconds, or None for no limit",
    ),
    "timeout type": (
        lambda ws: ws.recv("1"),
        TypeError,
        "timeout must be a number of seconds, or None for no limit, not <class 'str'>",
    ),
    "timeout bool": (
        lambda ws: ws.send("x", timeout=False),
        TypeError,
        "timeout must be a number of seconds, or None for no limit, not <class 'bool'>",
    ),
    "argument missing": (lambda ws: ws.send(), TypeError, "send() needs the argument 'data'"),
    "argument unknown": (
        lambda ws: ws.send(dat=b"x"),
        TypeError,
        "send() has no parameter 'dat'; it takes data, timeout, text, compress",
    ),
    "argument twice": (lambda ws: ws.send(b"x", data=b"x"), TypeError, "send() got two values for 'data'"),
    "arguments": (lambda ws: ws.ping(1, 2), TypeError, "ping() takes at most 1 argument, not 2"),
    "not connected": (
        lambda ws: MessageWebSocket().send("x"),
        curlwire.StateError,
        "the socket is not connected: connect it first",
    ),
    "no data": (
        lambda ws: ws.send(5),
        TypeError,
        "send() takes a str, a bytes-like object or an iterable of them, not <class 'int'>",
    ),
}


@pytest.mark.parametrize("name", EXACT)
def test_a_mistake_is_named(name: str) -> None:
    call, error_class, text = EXACT[name]
    with opened() as ws:
        with pytest.raises(error_class) as caught:
            call(ws)
        start, star, end = text.partition("*")
        said = str(caught.value)
        assert (said.startswith(start) and said.endswith(end) and len(said) < 250) if star else said == text
        round_trip(ws)


def test_arguments_have_names() -> None:
    with opened() as ws:
        ws.send(data="x", timeout=WAIT)
        assert ws.recv(timeout=WAIT) == "x"
        assert ws.send_many(messages=["y"], timeout=WAIT) == 1
        buffer = bytearray(1)
        assert ws.recv_into(buffer=buffer, timeout=WAIT) == 1
        assert ws.send_nonfinal_frame(data=b"z") == 1
        assert ws.send_final_frame(data=b"") == 0
        assert ws.recv(timeout=WAIT) == b"z"


def test_a_receive_says_how_to_wait_longer() -> None:
    with opened(receive_timeout=0.02) as ws:
        with pytest.raises(WebSocketTimeout) as caught:
            ws.recv()
        assert str(caught.value) == (
            "timed out after 0.02 s waiting for a message (receive_timeout): call again, or wait longer; "
            "pass timeout=None to wait without a limit"
        )
        with pytest.raises(WebSocketTimeout) as caught:
            ws.recv(timeout=0.01)
        assert str(caught.value) == "timed out after 0.01 s waiting for a message: call again, or wait longer"
        round_trip(ws)
    with opened_stream(receive_timeout=0.02) as stream, pytest.raises(WebSocketTimeout) as caught:
        stream.input_stream.read(1)
    assert str(caught.value) == (
        "timed out after 0.02 s waiting for bytes to read (receive_timeout): call again, or wait longer; "
        "with receive_timeout=None it waits without a limit"
    )


def test_the_first_example_says_that_recv_gives_up() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    example = readme.partition("```python")[2].partition("```")[0]
    assert f"{MessageWebSocket().control.receive_timeout:g} s" in example
    assert "timeout=None" in example


def test_a_message_over_the_limit_is_our_refusal() -> None:
    peer = Recorded("echo", "hang")
    ws = curlwire.connect(peer.url, max_message_size=100)
    ws.send(bytes(101))
    with pytest.raises(ConnectionClosed) as caught:
        ws.recv(timeout=WAIT)
    limit = "a message of at least 101 bytes exceeds max_message_size (100 bytes)"
    assert str(caught.value) == f"{limit}; raise max_message_size, or set it to None for no limit"
    assert caught.value.reason == ws.close_reason == limit
    ws.abort()
    told = bytes.fromhex(peer.record()["frames"][-1]["payload"])
    assert told == b"\x03\xf1the message is bigger than this client accepts"


def test_a_stream_socket_has_no_controls_of_messages() -> None:
    stream: Any = StreamWebSocket
    with pytest.raises(TypeError, match="there is no control 'max_message_size'; the controls are "):
        stream(max_message_size=1)
