# SPDX-License-Identifier: MIT
"""Tests of ws.control, ws.information and the attributes of a socket."""

import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

import curlwire
from curlwire import (
    ArgumentError,
    MessageWebSocket,
    MessageWebSocketReceiveMode,
    SocketMessageType,
    StreamWebSocket,
)
from peers import WAIT, Recorded, ca_file, decodes_natively, echo, frame, opened, round_trip, script, url

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

import controls

TABLE = controls.read()
MESSAGE_ONLY = [row.key for row in TABLE if row.is_of_messages]
DEFAULTS: dict[str, Any] = {
    **{row.key: row.default for row in TABLE},
    "message_type": SocketMessageType.BINARY,
    "receive_mode": MessageWebSocketReceiveMode.FULL_MESSAGE,
    "framing": os.environ.get("CURLWIRE_FRAMING", "auto"),
}


# Controls that are text and take no path.
NO_PATHS = ("tls_server_name", "tls_ciphers", "tls13_ciphers", "tls_groups")
LINES = {"connect_to": ("a:1:b:2", ":::3")}


def plain_values(row: controls.Control) -> list[tuple[Any, object]]:
    """Returns pairs for a control of this type: a value to set, and the value that is read back."""
    if row.type == "BOOL":
        return [(False, False), (True, True)]
    if row.type == "ENUM":
        words = [(word, word) for word in row.words]
        return words if row.key not in controls.ENUMERATIONS else []
    if row.key in NO_PATHS:
        return [("a.example", "a.example"), ("", None), (None, None)]
    if row.type == "TEXT":
        return [("a/ü.pem", "a/ü.pem"), (Path("a", "b.pem"), str(Path("a", "b.pem"))), ("", None), (None, None)]
    if row.type == "LIST":
        first, second, *_ = row.words or ("chat", "superchat")
        return [([first, second], (first, second)), ((second,), (second,)), (None, ())]
    if row.type == "TEXTS":
        # what resolve takes, or connect_to
        first, second = LINES.get(row.key, ("a:1:::1,1.2.3.4", "b:2:[::1]"))
        return [([first, second], (first, second)), ((second,), (second,)), (None, ())]
    if row.type == "PAIRS":
        pairs = {"TCP_FASTOPEN": 1, "HAPROXY_CLIENT_IP": "a=b, c"}
        return [(pairs, pairs), ({}, {}), (None, {})]
    if row.type == "BYTES":
        data = bytes(range(50)) + b"\xff\0\0"
        same = [(kind(data), data) for kind in (bytes, bytearray, memoryview)]
        return [*same, (b"\0", b"\0"), (b"", None), (None, None)]
    if row.type == "PROXY":
        socks = [("Socks5://jö:p%20w@h.test", "socks5://h.test:1080"), ("", None), (None, None)]
        http = [("j:p@h.test:3128", "http://h.test:3128"), ("direct", False), (False, False), (True, None)]
        return [*socks, *(http if row.words else [])]
    if row.type == "HEADERS":
        pairs = [("X-A", "s3cret"), ("X-A", ""), ("x-b", "ü")]
        names = ("X-A", "X-A", "x-b")
        mapping = {"X-A": ["s3cret", ""], "x-b": "ü"}
        return [
            (pairs, names),
            (tuple(map(list, pairs)), names),
            (mapping, names),
            ([], ()),
            ({"X": []}, ()),
            (None, ()),
        ]
    if row.type == "SECRET_BYTES":
        return [(kind(b"s3cr\0\xff"), "(set)") for kind in (bytes, bytearray, memoryview)] + [(None, None)]
    if row.type == "SECRET":
        return [("s3crét", "(set)"), ("", None), (None, None)]
    if row.type == "CREDENTIAL":
        return [(("jö", "p:ä"), "jö"), (("user", ""), "user"), (None, None)]
    if row.type == "MS":
        values: list[tuple[Any, object]] = [(1.5, 1.5), (2, 2.0), (row.least / 1000, row.least / 1000)]
    else:
        values = [(row.least, row.least), (row.most, row.most)]
    return values + ([(None, None)] if row.none else [])


# The name of a control, a value to set, and the value that is read back.
GOOD: list[tuple[str, Any, object]] = [
    ("message_type", SocketMessageType.UTF8, SocketMessageType.UTF8),
    ("message_type", "utf8", SocketMessageType.UTF8),
    ("message_type", "binary", SocketMessageType.BINARY),
    ("receive_mode", MessageWebSocketReceiveMode.PARTIAL_MESSAGE, MessageWebSocketReceiveMode.PARTIAL_MESSAGE),
    ("receive_mode", "partial", MessageWebSocketReceiveMode.PARTIAL_MESSAGE),
    *((row.key, given, read) for row in TABLE for given, read in plain_values(row)),
]

# Wrong values by type of control. test_texts.py has the wrong values for numbers.
WRONG = {
    "BOOL": [1, None, "yes"],
    "ENUM": [1.0, None],
    "TEXT": [7, 1.5],
    "LIST": ["chat", [1], 7],
    "TEXTS": ["a:1:::1", [1], 7],
    "PAIRS": [
        "A=1",
        [("A", 1)],
        7,
        {1: 1},
        {"TCP_FASTOPEN": 1.5},
        {"TCP_FASTOPEN": True},
        {"HAPROXY_CLIENT_IP": 7},
    ],
    "BYTES": ["text", 7, [1]],
    "SECRET": [7, b"s3cret", ("s3cret",)],
    "HEADERS": [
        7,
        "X: s3cret",
        b"X",
        ["ab"],
        [("X",)],
        [("X", "a", "b")],
        {"X": 7},
        {"X": [7]},
        {"X": b"ab"},
        {7: "a"},
    ],
    "PROXY": [7, b"socks5://h.test", ["socks5://h.test"], Path("h.test")],
    "SECRET_BYTES": ["s3cret", 7, [b"s3cret"]],
    "CREDENTIAL": ["user", 7, ["user", "s3cret"], ("user",), ("user", "s3cret", ""), ("user", 7), (b"u", "p")],
}
WRONG_TYPE: list[tuple[str, Any]] = [(row.key, value) for row in TABLE for value in WRONG.get(row.type, [])]

OUT_OF_RANGE: list[Any] = [
    ("message_type", "text"),
    ("message_type", 2),
    ("message_type", 2**70),
    ("receive_mode", -(2**70)),
    pytest.param("connect_timeout", -(10**400), id="connect_timeout-huge"),
    *((row.key, "another") for row in TABLE if row.type == "ENUM"),
    *((row.key, "a\0b") for row in TABLE if row.type == "TEXT"),
    *(
        (row.key, (user, "p"))
        for row in TABLE
        if row.type == "CREDENTIAL"
        for user in ("", "a:b", "a\n", "a\udc80")
    ),
    *(
        (row.key, ("user", password))
        for row in TABLE
        if row.type == "CREDENTIAL"
        for password in ("\x7f", "\0")
    ),
    *(
        (row.key, text)
        for row in TABLE
        if row.type == "PROXY"
        for text in ("ftp://h.test", "h\0", "h\udc80", "@")
    ),
    *((row.key, "http://h.test") for row in TABLE if row.type == "PROXY" and not row.words),
    *((row.key, text) for row in TABLE if row.type == "SECRET" for text in ("a\0", "a\n", "a\udc80")),
    *((row.key, ("user", "p" * row.most)) for row in TABLE if row.type == "CREDENTIAL"),
    *((row.key, bytes(row.most + 1)) for row in TABLE if controls.is_limited(row)),
]


def test_control_defaults() -> None:
    control = MessageWebSocket().control
    assert {name: getattr(control, name) for name in DEFAULTS} == DEFAULTS
    names = [name for name in dir(control) if not name.startswith("_")]
    assert names == sorted([*DEFAULTS, controls.ACTUAL])


@pytest.mark.parametrize(("name", "value", "read"), GOOD)
def test_control_set(name: str, value: Any, read: object) -> None:
    ws = MessageWebSocket()
    setattr(ws.control, name, value)
    assert getattr(ws.control, name) == read
    assert type(getattr(ws.control, name)) is type(read)


@pytest.mark.parametrize(("name", "value", "read"), GOOD)
def test_control_constructor(name: str, value: Any, read: object) -> None:
    keywords: dict[str, Any] = {name: value}
    assert getattr(MessageWebSocket(**keywords).control, name) == read


def test_control_unknown() -> None:
    keywords: dict[str, Any] = {"no_dealy": True}
    for make in (MessageWebSocket, StreamWebSocket):
        with pytest.raises(TypeError, match=r"no_dealy.*no_delay"):
            make(**keywords)
    with pytest.raises(TypeError, match=r"no_dealy.*no_delay"):
        curlwire.connect(echo(), **keywords)
    control: Any = MessageWebSocket().control
    with pytest.raises(AttributeError, match=r"no_dealy.*no_delay"):
        control.no_dealy = True
    with pytest.raises(AttributeError, match=r"no_dealy.*no_delay"):
        _ = control.no_dealy
    with pytest.raises(TypeError, match="keyword"):
        MessageWebSocket(*["ws://localhost"])


@pytest.mark.parametrize(("name", "value"), WRONG_TYPE)
def test_control_wrong_type(name: str, value: Any) -> None:
    ws = MessageWebSocket()
    with pytest.raises(TypeError):
        setattr(ws.control, name, value)
    with pytest.raises(TypeError):
        MessageWebSocket(**{name: value})
    assert getattr(ws.control, name) == DEFAULTS[name]


@pytest.mark.parametrize(("name", "value"), OUT_OF_RANGE)
def test_control_out_of_range(name: str, value: Any) -> None:
    ws = MessageWebSocket()
    with pytest.raises(curlwire.ArgumentError) as caught:
        setattr(ws.control, name, value)
    assert isinstance(caught.value, ValueError)
    assert name in str(caught.value) or "time" in str(caught.value)
    assert getattr(ws.control, name) == DEFAULTS[name]


def test_control_cannot_be_deleted() -> None:
    ws = MessageWebSocket()
    with pytest.raises(TypeError):
        del ws.control.no_delay
    assert ws.control.no_delay is True


def test_control_docstrings() -> None:
    """The docstring is the text of the table, with the unit and the default as Python writes them."""
    for row in TABLE:
        doc = getattr(curlwire.MessageWebSocketControl, row.key).__doc__
        assert doc.startswith(f"{row.text}. ")
        assert ("Seconds" in doc, "Bytes" in doc) == (row.type == "MS", row.type == "COUNT")
        assert (f"None = {row.none}" in doc) == (row.none is not None)
        assert (f"needs libcurl {row.since}" in doc) == (row.since is not None)
        assert doc.endswith(".")
    assert curlwire.MessageWebSocketControl.connect_timeout.__doc__.endswith(
        "Seconds, default 60; None = no limit."
    )
    assert curlwire.MessageWebSocketControl.framing.__doc__.endswith(
        "'auto', 'curl' or 'native', default 'auto'."
    )


def test_control_late() -> None:
    with opened() as ws:
        for name, value in DEFAULTS.items():
            if name == "message_type":
                setattr(ws.control, name, value)
                continue
            with pytest.raises(curlwire.StateError):
                setattr(ws.control, name, value)
        assert {name: getattr(ws.control, name) for name in DEFAULTS} == DEFAULTS
        round_trip(ws)


def test_control_class() -> None:
    stream: Any = StreamWebSocket().control
    message = MessageWebSocket().control
    for name in MESSAGE_ONLY:
        assert hasattr(message, name)
        assert not hasattr(stream, name)
        with pytest.raises(TypeError, match=name):
            StreamWebSocket(**{name: DEFAULTS[name]})
    assert {name: getattr(stream, name) for name in DEFAULTS if name not in MESSAGE_ONLY} == {
        name: value for name, value in DEFAULTS.items() if name not in MESSAGE_ONLY
    }
    assert isinstance(message, curlwire.MessageWebSocketControl)
    assert isinstance(stream, curlwire.StreamWebSocketControl)


def test_control_outlives_its_socket() -> None:
    control = MessageWebSocket(no_delay=False).control
    assert control.no_delay is False


def test_max_message_size() -> None:
    peer = Recorded("echo", "hang")
    ws = curlwire.connect(peer.url, max_message_size=100)
    ws.send(bytes(100))
    assert ws.recv(timeout=WAIT) == bytes(100)
    ws.send(bytes(101))
    with pytest.raises(curlwire.ConnectionClosed) as caught:
        ws.recv(timeout=WAIT)
    assert caught.value.code == 1006
    ws.abort()
    assert peer.record()["frames"][-1]["payload"].startswith("03f1")  # 1009


def test_max_fragments() -> None:
    parts = [frame(2, b"a", False), frame(0, b"b", False), frame(0, b"c", False)]
    peer = Recorded("x:" + "".join(parts), "hang")
    ws = curlwire.connect(peer.url, max_fragments=2)
    with pytest.raises(curlwire.ConnectionClosed) as caught:
        ws.recv(timeout=WAIT)
    named = "a message has more fragments than max_fragments (2)"
    assert str(caught.value) == f"{named}; raise max_fragments, or set it to None for no limit"
    assert (caught.value.code, caught.value.reason) == (1006, named)
    ws.abort()
    assert peer.record()["frames"][-1]["payload"].startswith("03f0")  # 1008


def test_max_fragments_of_a_million_empty_ones() -> None:
    """The default ends a message that never ends."""
    peer = Recorded("x:0200", f"repeat:1000000:{frame(0, b'', False)}", "hang")
    ws = curlwire.connect(peer.url)
    with pytest.raises(curlwire.ConnectionClosed, match=r"max_fragments \(131072\)"):
        ws.recv(timeout=WAIT)
    ws.abort()


def test_subprotocol() -> None:
    with opened(supported_protocols=["superchat", "chat"]) as ws:
        assert ws.protocol in ("chat", "superchat")
        assert ws.information.protocol == ws.protocol


def test_options_of_connect() -> None:
    ws = curlwire.connect(
        echo("/subprotocol"), curlwire.StreamWebSocket, subprotocols=("superchat", "chat"), timeout=None
    )
    with ws:
        assert isinstance(ws, curlwire.StreamWebSocket)
        assert ws.control.supported_protocols == ("superchat", "chat")
        assert ws.protocol == "superchat"
    with pytest.raises(TypeError, match="give one of them"):
        curlwire.connect(echo(), subprotocols=["a"], supported_protocols=["a"])
    with pytest.raises(curlwire.ConnectTimeout):
        curlwire.connect(script("hs:", "hang"), subprotocols=[], timeout=0)


def test_subprotocol_none() -> None:
    with opened() as ws:
        assert ws.protocol is None


def test_information() -> None:
    ws = MessageWebSocket()
    assert (ws.state, ws.uri, ws.protocol, ws.local_address, ws.remote_address) == ("new", *[None] * 4)
    assert ws.effective_uri is None
    assert len(ws.response_headers) == 0
    with ws:
        ws.connect(echo("/?a=b"))
        facts = ws.information
        assert facts.state == ws.state == "open"
        assert facts.uri == ws.uri == echo("/?a=b")
        assert facts.effective_uri == ws.effective_uri == ws.uri
        assert facts.remote_address == ws.remote_address
        assert f"ws://{ws.remote_address}/" == echo()
        assert facts.local_address == ws.local_address
        assert str(ws.local_address).startswith("127.0.0.1:")
        assert facts.protocol is None
        headers = ws.response_headers
        assert headers == facts.response_headers
        assert headers["UPGRADE"].lower() == "websocket"
        assert "sec-websocket-accept" in headers
        assert headers.get("X-Not-There") is None
        assert (ws.close_code, ws.close_reason, ws.was_clean) == (None, "", False)
        assert repr(facts).startswith("<curlwire.Information of <curlwire.MessageWebSocket open")


@pytest.mark.parametrize("framing", ["auto", "curl"])
def test_framing(framing: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CURLWIRE_FRAMING", raising=False)
    ws = MessageWebSocket(framing=framing)
    assert ws.framing is ws.information.framing is None
    with ws:
        ws.connect(echo())
        expected = "curl" if framing == "curl" else "native"  # also with an old libcurl: the 101 comes alone
        assert ws.framing == ws.information.framing == expected
        for data in ("text", b"\0" * 300, b"x" * 70_000, b"", bytes(range(256)) * 8192):
            ws.send(data)
            assert ws.recv(timeout=WAIT) == data
        assert ws.ping() > 0
    assert ws.framing == expected


def test_framing_native(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CURLWIRE_FRAMING", raising=False)
    ws = MessageWebSocket(framing="native")
    if decodes_natively():
        with ws:
            ws.connect(echo())
            assert ws.framing == "native"
            round_trip(ws)
        return
    with pytest.raises(curlwire.ConnectError, match=r"libcurl 8\.21\.0"):
        ws.connect(echo())
    assert ws.state == "new"
    ws.control.framing = "auto"
    with ws:
        ws.connect(echo())
        round_trip(ws)


def test_bandwidth() -> None:
    assert MessageWebSocket().bandwidth_statistics == (0, 0, 0, 0, False, False)
    with opened() as ws:
        ws.send(bytes(1_000_000))
        assert len(ws.recv(timeout=WAIT)) == 1_000_000
        speed = ws.information.bandwidth_statistics
        assert isinstance(speed, curlwire.BandwidthStatistics)
        assert [type(value) for value in speed] == [int] * 4 + [bool] * 2
        if sys.platform == "linux":
            assert speed.outbound_bits_per_second > 0
        assert speed.inbound_bits_per_second >= 0
        assert isinstance(speed.outbound_bandwidth_peaked, bool)
        assert not speed.inbound_bandwidth_peaked
        assert speed.outbound_bits_per_second_instability == speed.inbound_bits_per_second_instability == 0
        assert ws.bandwidth_statistics._fields == speed._fields


def test_information_after_close() -> None:
    with opened() as ws:
        before = (ws.uri, ws.local_address, ws.remote_address, dict(ws.response_headers))
    assert ws.state == ws.information.state == "closed"
    assert (ws.uri, ws.local_address, ws.remote_address, dict(ws.response_headers)) == before


def test_headers() -> None:
    headers = curlwire.Headers("Set-Cookie: a=1\r\nX-One:  1 \r\nset-cookie: b=2\r\n\r\n")
    assert headers["SET-COOKIE"] == "a=1, b=2"
    assert headers.get_all("set-cookie") == ["a=1", "b=2"]
    assert list(headers) == ["Set-Cookie", "X-One"]
    assert len(headers) == 2
    assert headers.raw == [("Set-Cookie", "a=1"), ("X-One", "1"), ("set-cookie", "b=2")]
    assert headers.__contains__(7) is False
    with pytest.raises(KeyError):
        _ = headers["X-Two"]


def test_request_header() -> None:
    peer = Recorded("end")
    ws = MessageWebSocket()
    ws.set_request_header("X-Token", "first")
    ws.set_request_header("x-token", "second")
    ws.set_request_header("X-Gone", "1")
    ws.set_request_header("X-Gone", "")
    ws.set_request_header("Origin", "http://example.org")
    ws.connect(peer.url)
    ws.wait_closed(WAIT)
    lines = peer.record()["request"].split("\r\n")
    assert [line.lower() for line in lines if "token" in line.lower()] == ["x-token: second"]
    assert "Origin: http://example.org" in lines
    assert "gone" not in "".join(lines).lower()


def test_representation() -> None:
    ws = MessageWebSocket()
    assert repr(ws) == "<curlwire.MessageWebSocket new>"
    where = echo("").removeprefix("ws://")
    with ws:
        ws.connect(f"ws://user:secret@{where}/sink?token=secret")
        assert repr(ws) == f"<curlwire.MessageWebSocket open ws://{where}/sink at {where}>"
    assert repr(ws) == f"<curlwire.MessageWebSocket closed ws://{where}/sink at {where}>"
    assert repr(StreamWebSocket()) == "<curlwire.StreamWebSocket new>"


def test_ca_file_is_used() -> None:
    with curlwire.connect(url("CW_ECHO_WSS"), ca_file=Path(ca_file())) as ws:
        round_trip(ws)
    with pytest.raises(curlwire.ConnectError):
        curlwire.connect(url("CW_ECHO_WSS"), ca_file="/nowhere/ca.pem")


def test_ping_interval_keeps_alive_and_notices_a_loss() -> None:
    ws = curlwire.connect(script("stall", "frame:1000"), ping_interval=0.03, ping_timeout=0.03)
    with pytest.raises(curlwire.ConnectionClosed) as caught:
        ws.recv(timeout=WAIT)
    assert caught.value.code == 1006


def test_control_shows_its_values() -> None:
    message = MessageWebSocket(message_type="utf8", ca_file="/x/ca.pem", connect_timeout=None)
    stream = StreamWebSocket()
    for ws in (message, stream):
        text = repr(ws.control)
        names = [name for name in DEFAULTS if hasattr(ws.control, name)]
        assert text.startswith(f"<curlwire.{type(ws.control).__name__} ")
        assert text.endswith(">")
        assert re.findall(r"[ ,](\w+)=", text.replace(", ", ",")) == names
    text = repr(message.control)
    assert "message_type=<SocketMessageType.UTF8: 1>, " in text
    assert "ca_file='/x/ca.pem', " in text
    assert "connect_timeout=None, " in text
    assert "supported_protocols=(), " in text


def test_control_shows_no_bytes() -> None:
    """The bytes of a control may be a key, so repr does not show them."""
    for name in [row.key for row in TABLE if row.type == "BYTES"]:
        keywords: dict[str, Any] = {name: b"s3cret"}
        text = repr(MessageWebSocket(**keywords).control)
        assert f"{name}=(6 bytes)" in text
        assert "s3cret" not in text


def test_control_shows_no_credential() -> None:
    """The password cannot be read. repr and the errors show neither the password nor the user name."""
    for row in TABLE:
        if row.type != "CREDENTIAL":
            continue
        keywords: dict[str, Any] = {row.key: ("j0hnny", "s3cret")}
        ws = MessageWebSocket(**keywords)
        assert getattr(ws.control, row.key) == "j0hnny"
        text = repr(ws.control)
        assert f"{row.key}=(set)" in text
        for bad in (
            "j0hnny", ("j0hnny:", "s3cret"), ("j0hnny", "s3cret\n"), ("j0hnny\udc80", "s3cret"),
            ("j0hnny", "s3cret", ""), ("j0hnny", b"s3cret"), ["j0hnny", "s3cret"],
        ):  # fmt: skip
            with pytest.raises((ArgumentError, TypeError)) as caught:
                setattr(ws.control, row.key, bad)
            assert row.key in str(caught.value)
            text += repr(caught.value)
        assert "j0hnny" not in text
        assert "s3cret" not in text
        assert f"{row.key}=None" in repr(MessageWebSocket().control)


def test_control_shows_no_secret() -> None:
    for name in [row.key for row in TABLE if row.type == "SECRET"]:
        keywords: dict[str, Any] = {name: "s3cret"}
        ws = MessageWebSocket(**keywords)
        text = repr(ws.control)
        assert f"{name}='(set)'" in text
        for bad in ("s3cret\n", "s3cret\udc80", b"s3cret", ["s3cret"]):
            with pytest.raises((ArgumentError, TypeError)) as caught:
                setattr(ws.control, name, bad)
            text += repr(caught.value)
        assert "s3cret" not in text


def test_control_shows_no_subprotocol() -> None:
    """Some servers take a secret token as a subprotocol, so repr does not show it."""
    ws = MessageWebSocket(supported_protocols=["chat", "bearer.s3cret"])
    assert "supported_protocols=(2), " in repr(ws.control)
    for bad in (
        ["bearer.s3cret", "bearer.s3cret"],
        ["s3cret/"],
        ["s3cret x"],
        [" s3cret"],
        ["s3cret,x"],
        ["s3cret\0"],
    ):
        with pytest.raises(ArgumentError) as caught:
            ws.control.supported_protocols = bad
        assert "s3cret" not in str(caught.value)
