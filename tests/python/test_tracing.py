# SPDX-License-Identifier: MIT
"""Tests of traces: trace_file, on_trace and log_trace. The tests of secrets put secrets into every place that
has a value, and look for them in the lines, also in what is encoded there."""

import base64
import contextlib
import logging
import re
import socket
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import curlwire
from curlwire import MessageWebSocket
from peers import WAIT, ca_file, echo, frame, handshake, opened, round_trip, script, url
from proxies import Proxy, Socks, read_head, reply, tunnel, until_gone
from test_proxy import ALL, context

SECRET = "S3cr3t"  # no line may have it, whatever is around it
USER = f"us{SECRET}er"
PASSWORD = f"pa{SECRET}ss"
TOKEN = f"eyJhbGciOiJIUzI1NiJ9.{SECRET}.x"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z #\d+ "


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ALL:
        monkeypatch.delenv(name, raising=False)


def decoded(text: str) -> Iterator[str]:
    """Returns the text, and what its words mean in base64 and with percent signs."""
    yield text
    yield urllib.parse.unquote(text)
    for word in re.findall(r"[A-Za-z0-9+/_-]{8,}", text):
        for cut in range(4):  # the word may begin before the encoded text
            padded = word[cut:].replace("-", "+").replace("_", "/")
            with contextlib.suppress(ValueError):
                yield base64.b64decode(padded[: len(padded) // 4 * 4]).decode("latin-1")


def assert_no_secret(text: str) -> None:
    assert text
    for form in decoded(text):
        assert SECRET.lower() not in form.lower()
    for word in (USER, PASSWORD, f"{USER}:{PASSWORD}"):
        assert base64.b64encode(word.encode()).decode().rstrip("=")[:-1] not in text


def test_the_search_finds_secrets() -> None:
    for text in (
        SECRET, f"a{PASSWORD}b", SECRET.upper(), "%533cr3t",
        base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode(),
    ):  # fmt: skip
        with pytest.raises(AssertionError):
            assert_no_secret(f"> head X: {text}\n")
    assert_no_secret("> head Authorization: ***\n")


class Traced:
    """The file of a trace, and the lines that on_trace has got."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "trace"
        self.lines: list[str] = []

    def socket(self, **control: Any) -> MessageWebSocket:
        ws = MessageWebSocket(trace_file=self.file, **control)
        ws.on_trace = lambda _, line: self.lines.append(line)
        return ws

    def text(self) -> str:
        return self.file.read_text(encoding="ascii")


@pytest.fixture
def traced(tmp_path: Path) -> Traced:
    return Traced(tmp_path)


# ---- what a trace shows


@pytest.mark.parametrize("framing", ["auto", "curl"])
def test_lines(framing: str, traced: Traced) -> None:
    ws = traced.socket(framing=framing, trace_payload=4)
    closed: list[int] = []
    ws.on_closed = lambda _, args: closed.append(args.code)
    ws.connect(script(f"x:{frame(9, b'ab')}{frame(2, b'12345', is_final=False)}{frame(0)}", "frame:1", "echo"))
    assert ws.recv() == b"12345"
    ws.send('"ä"')
    assert ws.recv() == '"ä"'
    ws.close(3000, "bye")
    ws.run_forever()  # the lines come before the closed event
    lines = traced.text().splitlines()
    assert closed == [3000]
    assert traced.lines == lines
    assert all(re.match(TIME, line) for line in lines)
    words = [re.sub(TIME, "", line) for line in lines]
    wanted = iter([
        "> head Upgrade: websocket",
        "< head HTTP/1.1 101 Switching Protocols",
        "< frame ping fin=1 len=2 61 62",
        "< frame binary fin=0 len=5 31 32 33 34...",
        "< frame continuation fin=1 len=0",
        "> frame pong fin=1 len=2 61 62",
        r'> frame text fin=1 len=4 "\"\xc3\xa4\""',
        r'< frame text fin=1 len=4 "\"\xc3\xa4\""',
        '> frame close fin=1 len=5 code=3000 "by"...',
        '< frame close fin=1 len=5 code=3000 "by"...',
        "* curlwire: the connection has ended: code 3000",
    ])  # fmt: skip
    expected = next(wanted)
    for word in words:
        if word == expected:
            expected = next(wanted, "")
    assert expected == "", f"not in order: {expected}"
    assert any(word.startswith("* ") and "127.0.0.1" in word for word in words)


def test_several_sockets_share_a_file(traced: Traced) -> None:
    with traced.socket() as first, traced.socket() as second:
        first.connect(echo())
        second.connect(echo())
        round_trip(first)
        round_trip(second)
    numbers = re.findall(r"Z (#\d+) > frame text", traced.text())
    assert len(numbers) == 2
    assert len(set(numbers)) == 2


def test_compressed_frames(traced: Traced) -> None:
    ws = traced.socket(compression="deflate", compression_threshold=0)
    try:
        ws.connect(echo())
    except curlwire.ConnectError as error:
        assert "libcurl 8.21.0" in str(error)
        return
    with ws:
        round_trip(ws)
    assert re.search(r"> frame text fin=1 len=\d+ rsv=4 [0-9a-f ]+\n", traced.text())


def test_off_and_on() -> None:
    lines: list[str] = []
    with opened() as ws:
        round_trip(ws)
        ws.on_trace = lambda _, line: lines.append(line)
        round_trip(ws)
        while len(lines) < 2:
            pass
        ws.on_trace = None
        round_trip(ws)
        assert ws.on_trace is None
    assert [line.partition(" frame text ")[0][-1] for line in lines[:2]] == [">", "<"]
    assert len(lines) == 2


def test_a_slow_handler_loses_lines() -> None:
    """The service does not wait for the handler. A line says how many lines were dropped."""
    lines: list[str] = []
    may_go_on = threading.Event()

    def handler(_: object, line: str) -> None:
        may_go_on.wait(WAIT)
        lines.append(line)

    with opened() as ws:
        ws.on_trace = handler
        while ws.information.statistics.lost_trace_lines == 0:
            ws.send_many([b"x"] * 100)
            for _ in range(100):
                ws.recv()
        may_go_on.set()
        while not any("lines were dropped" in line for line in lines):
            round_trip(ws)


def test_log_trace(caplog: pytest.LogCaptureFixture) -> None:
    quiet = MessageWebSocket()
    curlwire.log_trace(quiet)
    assert quiet.on_trace is None  # nothing would take the lines
    caplog.set_level(logging.DEBUG, "curlwire.trace")
    ws = MessageWebSocket()
    curlwire.log_trace(ws)
    ws.on_closed = lambda ws, args: None
    ws.connect(echo())
    round_trip(ws)
    ws.close()
    ws.run_forever()
    assert {record.name for record in caplog.records} == {"curlwire.trace"}
    assert (
        any('> frame text fin=1 len=11 "still here"' in record.getMessage() for record in caplog.records)
        is False
    )
    assert any('> frame text fin=1 len=10 "still here"' in record.getMessage() for record in caplog.records)
    other = logging.getLogger("of.the.program")
    caplog.set_level(logging.INFO, "of.the.program")
    curlwire.log_trace(ws, other, logging.INFO)
    assert ws.on_trace is not None


@pytest.mark.parametrize(("name", "why"), [("missing/trace", "No such file"), (".", "Is a directory")])
def test_bad_file(name: str, why: str, tmp_path: Path) -> None:
    ws = MessageWebSocket(trace_file=tmp_path / name)
    with pytest.raises(
        curlwire.ConnectError, match=f"trace_file '.*' cannot be used: {why}.*; check the path"
    ) as caught:
        ws.connect(echo())
    assert caught.value.status is curlwire.WebErrorStatus.UNEXPECTED_CLIENT_ERROR
    assert ws.state == "new"


# ---- secrets


def assert_nothing_leaves(traced: Traced) -> None:
    assert_no_secret(traced.text())
    assert_no_secret("\n".join(traced.lines) or "none")


def connect_with_secrets(traced: Traced, address: str, **control: Any) -> None:
    """Connects with secrets in the URI, in headers, in the subprotocols and in the credentials."""
    scheme, _, rest = address.partition("://")
    host, _, path = rest.partition("/")
    ws = traced.socket(
        supported_protocols=["chat", TOKEN], trace_secret_headers=["X-Mine"], ca_file=ca_file(),
        trace_payload=0, **control,
    )  # fmt: skip
    for name in ("Cookie", "X-Mine", "X-Api-Key", "X-Auth-Token", "X-Session"):
        ws.set_request_header(name, f"a={SECRET}; b: {SECRET}")
    ws.set_request_header("Referer", f"https://{USER}:{PASSWORD}@h/p?{SECRET}#{SECRET}")
    ws.set_request_header("X-Any", f"Bearer {SECRET}")
    user = f"{USER}:{urllib.parse.quote(PASSWORD)}@"
    with contextlib.suppress(curlwire.WebSocketError):
        ws.connect(f"{scheme}://{user}{host}/{path}?token={SECRET}&x={USER}@{SECRET}")
        with ws:
            ws.send(SECRET)
            ws.ping()
            ws.close(1000, SECRET)
            ws.wait_closed()


REPLIES = {
    "101": "HTTP/1.1 101 Go\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Accept: {accept}\n"
    f"Sec-WebSocket-Protocol: {TOKEN}\nSet-Cookie: id={SECRET}; Path=/\nX-Auth: {SECRET}\n\n",
    "folded": f"HTTP/1.1 200 Go\nSet-Cookie: a=b;\n {SECRET}; c=d\n\tx: {SECRET}\n\n",
    "broken": f"HTTP/1.1 200 Go\n{SECRET}\nAuthorization {SECRET}\n: {SECRET}\nX y: {SECRET}\n\n",
    "echoed": f"HTTP/1.1 403 No\nX-Your: Basic {base64.b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}\n\n",
    "redirect": f"HTTP/1.1 302 Go\nLocation: ws://{USER}:{PASSWORD}@h/p?{SECRET}\nContent-Length: 0\n\n",
    "redirect-bad": f"HTTP/1.1 302 Go\nLocation: //{USER}:{SECRET}\nLink: <//h?{SECRET}>; rel=x\n\n",
    "challenge": f"HTTP/1.1 401 No\nWWW-Authenticate: Negotiate {SECRET}\nContent-Length: 0\n\n",
    "not-http": f"{SECRET} {SECRET}\n\n",
}


@pytest.mark.parametrize("framing", ["auto", "curl"])
def test_no_secret_of_an_exchange(framing: str, traced: Traced) -> None:
    connect_with_secrets(traced, script("echo"), framing=framing)
    assert "< head HTTP/1.1 101" in traced.text()
    assert "> frame text fin=1 len=6...\n" in traced.text()
    assert_nothing_leaves(traced)


@pytest.mark.parametrize("name", REPLIES)
def test_no_secret_of_a_reply(name: str, traced: Traced) -> None:
    connect_with_secrets(traced, script(handshake(REPLIES[name]), "end"))
    assert "> head Cookie: ***\n" in traced.text()
    assert_nothing_leaves(traced)


def test_no_secret_over_tls(traced: Traced) -> None:
    connect_with_secrets(traced, url("CW_SCRIPT_WSS", "/s/echo"), server_credential=(USER, PASSWORD))
    assert "* SSL connection using " in traced.text()
    assert "> head Authorization: ***\n" in traced.text()
    assert_nothing_leaves(traced)


@pytest.mark.parametrize("kind", ["http", "https", "socks5h", "socks4a", "refused", "broken"])
def test_no_secret_of_a_proxy(kind: str, traced: Traced, monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = f'HTTP/1.1 407 No\nProxy-Authenticate: Basic realm="{SECRET}"\nSet-Cookie: {SECRET}\n\n'
    proxies = {
        "http": lambda: Proxy(tunnel),
        "https": lambda: Proxy(tunnel, context()),
        "socks5h": lambda: Socks(user=(USER, PASSWORD)),
        "socks4a": Socks,
        "refused": lambda: Proxy(reply(refusal)),
        "broken": lambda: Proxy(reply(f"{SECRET}\nCookie: {SECRET}\n\n")),
    }
    scheme = kind if kind in ("https", "socks5h", "socks4a") else "http"
    with proxies[kind]() as proxy:
        monkeypatch.setenv("all_proxy", f"{scheme}://{USER}:{PASSWORD}@127.0.0.1:{proxy.port}")
        connect_with_secrets(traced, script("echo"), proxy_verify=False)
    assert_nothing_leaves(traced)
    if scheme == "http":
        assert "> head Proxy-Authorization: ***\n" in traced.text()


def test_no_secret_of_a_request_in_parts(traced: Traced, monkeypatch: pytest.MonkeyPatch) -> None:
    """libcurl sends a long request in parts, which end anywhere. None of them shows a value."""

    def slowly(connection: socket.socket, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 Go\r\n\r\n")
        read_head(connection)
        connection.sendall(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")
        until_gone(connection)

    ws = traced.socket()
    value = f"{SECRET}; a: {SECRET} " * 10_000
    ws.set_request_header("Cookie", value[:250_000])
    with Proxy(slowly) as proxy:
        monkeypatch.setenv("all_proxy", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(curlwire.ConnectError):
            ws.connect("ws://server.invalid/", timeout=WAIT)
    assert "< head HTTP/1.1 401 No" in traced.text()
    assert_nothing_leaves(traced)
