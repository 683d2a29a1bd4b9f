# SPDX-License-Identifier: MIT
"""Checks the request that the server gets: the percent-encoded URI and the headers. tests/core/test_uri.c tests
which URIs are accepted."""

import base64
import hashlib
import queue
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

import curlwire
from curlwire import ArgumentError, MessageWebSocket
from peers import WAIT, ca_file
from proxies import end_listening

KIB = 1024
HEADER_LIMIT = 256 * KIB
SECRET = "hunter2secret"


class Server:
    """A server that answers every opening handshake and stores its request."""

    def __init__(self, address: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.listener = socket.create_server(address, family=family)
        self.port: int = self.listener.getsockname()[1]
        self.requests: queue.Queue[bytes] = queue.Queue()
        self.names: queue.Queue[str | None] = queue.Queue()  # the SNI names
        self.context: ssl.SSLContext | None = None
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def close(self) -> None:
        end_listening(self.listener, self.thread)

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            try:
                if self.context:
                    connection = self.context.wrap_socket(connection, server_side=True)
                self.answer(connection)
            except OSError:
                connection.close()

    def answer(self, connection: socket.socket) -> None:
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            more = connection.recv(65536)
            if not more:
                raise ConnectionError
            request += more
        key = request.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
        digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        head = (
            b"HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %b\r\n\r\n"
        )
        self.requests.put(request)
        connection.sendall(head % base64.b64encode(digest))
        while connection.recv(65536):
            continue
        connection.close()

    def lines(self) -> list[str]:
        return self.requests.get(timeout=WAIT).decode("latin-1").split("\r\n")

    def values(self, *names: str) -> list[str]:
        pairs = [line.partition(":") for line in self.lines()[1:]]
        return [value.removeprefix(" ") for key, _, value in pairs if key.lower() in map(str.lower, names)]


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def open_and_leave(uri: str, **options: object) -> None:
    curlwire.connect(uri, **options).abort()  # type: ignore[call-overload]


# ---- the URI


@pytest.mark.parametrize(
    ("given", "target"),
    [
        ("", "/"),
        ("?a=1", "/?a=1"),
        ("/?", "/?"),
        ("/café?a=1", "/caf%C3%A9?a=1"),
        ("/?name=ö", "/?name=%C3%B6"),
        ("/a%20b?q=é%20x", "/a%20b?q=%C3%A9%20x"),
        ("/?t=\u200b\U0001f600", "/?t=%E2%80%8B%F0%9F%98%80"),
        ("/a/../b/./c//", "/a/../b/./c//"),
        ("/%2e%2e/%2F?%2f", "/%2e%2e/%2F?%2f"),
        ('/?{"a|b"}=<\\^`>', "/?%7B%22a%7Cb%22%7D=%3C%5C%5E%60%3E"),
        ("/[x]?ids[]=1&ids[]=2", "/[x]?ids[]=1&ids[]=2"),
        ("/?a=b?c/d:e@f;g,h'(i)*!$+~", "/?a=b?c/d:e@f;g,h'(i)*!$+~"),
    ],
)
def test_target(server: Server, given: str, target: str) -> None:
    uri = f"ws://127.0.0.1:{server.port}{given}"
    ws = curlwire.connect(uri)
    assert ws.information.uri == uri  # not the encoded one
    ws.abort()
    line = server.lines()[0]
    assert line == f"GET {target} HTTP/1.1"
    assert unquote(target).endswith(unquote(given))


def test_every_character(server: Server) -> None:
    """A request line has only visible ASCII (RFC 9112 section 3.2), and decodes to the URI of the caller."""
    for first in range(0xA1, 0x3000, 64):
        text = "".join(chr(code) for code in range(first, first + 64))
        open_and_leave(f"ws://127.0.0.1:{server.port}/{text}?{text}")
        method, target, version = server.lines()[0].split(" ")
        assert (method, version) == ("GET", "HTTP/1.1")
        assert all("!" <= letter <= "~" for letter in target)
        assert unquote(target, errors="strict") == f"/{text}?{text}"


def test_userinfo(server: Server) -> None:
    """The userinfo is passed to libcurl encoded, and is decoded in the header Authorization."""
    open_and_leave(f"ws://jö%40:p|%3A^s@127.0.0.1:{server.port}/")
    [value] = server.values("Authorization")
    assert base64.b64decode(value.removeprefix("Basic ")).decode() == "jö@:p|:^s"


@pytest.mark.parametrize(
    ("path", "advice"),
    [
        ("/a b", "write %20"),
        (f"/?{SECRET} b", "write %20"),
        ("/%00", "%00"),
        (f"/?{SECRET}%00", "%00"),
        ("/100%", "write %25"),
        (f"/?{SECRET}=%zz", "write %25"),
        ("/a\\b", "write %5C"),
        (f"/?{SECRET}\x7f", "write %7F"),
        ("/\x00", "NUL"),
        ("/#top", "write # as %23"),
    ],
)
def test_refused_uri(server: Server, path: str, advice: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        curlwire.connect(f"ws://127.0.0.1:{server.port}{path}")
    assert advice in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("bücher.localhost", "xn--bcher-kva.localhost"),
        ("BÜCHER.LocalHost", "xn--bcher-kva.localhost"),
        ("bu\u0308cher.localhost", "xn--bcher-kva.localhost"),
        ("faß.localhost", "xn--fa-hia.localhost"),  # Python's codec idna makes it fass
        ("例え\u3002localhost", "xn--r8jz45g.localhost"),
        ("xn--bcher-kva.localhost", "xn--bcher-kva.localhost"),
    ],
)
def test_international_host(server: Server, given: str, sent: str) -> None:
    folder = Path(ca_file()).parent
    uri = f"{given}:{server.port}/ö"
    ws = curlwire.connect(f"ws://{uri}")
    assert ws.uri == f"ws://{uri}"
    assert f"ws://{sent}:{server.port}/" in repr(ws)  # the text for people has the name in ASCII
    ws.abort()
    assert server.values("Host") == [f"{sent}:{server.port}"]
    server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.context.load_cert_chain(folder / "server.pem", folder / "server.key")
    server.context.sni_callback = lambda connection, name, context: server.names.put(name)
    open_and_leave(f"wss://{uri}", verify=False)
    assert server.names.get(timeout=WAIT) == sent
    assert server.values("Host") == [f"{sent}:{server.port}"]


@pytest.mark.parametrize(
    ("host", "advice"),
    [
        ("b%C3%BC.localhost", "percent-encoded"),
        ("localhost\uff0fx", r"U\+002F"),
        ("ü\u2028.localhost", r"U\+2028"),
        ("-ü.localhost", "hyphen"),
        ("ü" * 64 + ".localhost", "63 characters"),
        ("xn--\u00e9.localhost", "xn--"),
    ],
)
def test_refused_host(server: Server, host: str, advice: str) -> None:
    for scheme in ("ws", "wss"):
        with pytest.raises(ArgumentError, match=advice) as caught:
            curlwire.connect(f"{scheme}://{SECRET}:{SECRET}@{host}:{server.port}/?{SECRET}")
        assert SECRET not in str(caught.value)
    assert server.requests.empty()


@pytest.mark.parametrize("zone", ["%25lo", "%lo", "%251"])
def test_zone(zone: str) -> None:
    """A zone has a meaning only on this machine, so it is not sent (RFC 6874 section 4)."""
    server = Server(("::1", 0))
    open_and_leave(f"ws://[::1{zone}]:{server.port}/")
    assert server.values("Host") == [f"[::1]:{server.port}"]
    server.close()


@pytest.mark.parametrize("host", ["[::1::]", "[12345::]", "[::1.2.3]", "1.2.3.4.5.", "256.0.0.1"])
def test_host_that_is_none(host: str) -> None:
    with pytest.raises((ArgumentError, curlwire.ConnectError)):
        curlwire.connect(f"ws://{host}:9/", timeout=WAIT)


def test_long_uri(server: Server) -> None:
    base = f"ws://127.0.0.1:{server.port}/?"
    text = "a" * (128 * KIB - len(base) - 100)
    open_and_leave(base + text)
    assert server.lines()[0] == f"GET /?{text} HTTP/1.1"
    for long in (128 * KIB, 400 * KIB, 2048 * KIB):
        with pytest.raises(ArgumentError, match="128 KiB"):
            curlwire.connect(base + "a" * long)


# ---- headers


@pytest.mark.parametrize(
    "headers",
    [
        [("X-Tag", "1"), ("x-tag", "2"), ("X-Other", "o"), ("X-TAG", "3")],
        {"X-Tag": ["1", "2", "3"], "X-Other": "o"},
        {"X-Tag": ("1", "2"), "X-Other": "o", "x-tag": "3"},
    ],
)
def test_repeated_header(server: Server, headers: object) -> None:
    open_and_leave(f"ws://127.0.0.1:{server.port}/", headers=headers)
    assert server.values("X-Tag") == ["1", "2", "3"]


def test_set_replaces_all(server: Server) -> None:
    ws = MessageWebSocket()
    for value in ("1", "2"):
        ws.add_request_header("X-Tag", value)
    ws.set_request_header("x-tag", "3")
    ws.add_request_header("X-Tag", "4")
    ws.set_request_header("User-Agent", "")
    ws.connect(f"ws://127.0.0.1:{server.port}/")
    ws.abort()
    lines = server.lines()
    assert [line for line in lines if "tag" in line.lower()] == ["x-tag: 3", "X-Tag: 4"]
    assert not any(line.lower().startswith("user-agent") for line in lines)


def test_add_after_taking_away(server: Server) -> None:
    ws = MessageWebSocket()
    for name in ("User-Agent", "X-Tag"):
        ws.set_request_header(name, "")
        ws.add_request_header(name, "mine")
    ws.connect(f"ws://127.0.0.1:{server.port}/")
    ws.abort()
    lines = server.lines()
    assert [line for line in lines if line.endswith("mine")] == ["User-Agent: mine", "X-Tag: mine"]


def test_headers_keep_their_order(server: Server) -> None:
    names = ["X-B", "Origin", "X-A", "Cookie", "X-C", "X-A"]
    open_and_leave(f"ws://127.0.0.1:{server.port}/", headers=[(name, f"v{n}") for n, name in enumerate(names)])
    lines = server.lines()
    wanted = [f"{name}: v{n}" for n, name in enumerate(names)]
    assert [line for line in lines if line in wanted] == wanted


def test_user_agent_and_origin(server: Server) -> None:
    uri = f"ws://127.0.0.1:{server.port}/"
    default = f"curlwire/{curlwire.__version__} libcurl/{curlwire.libcurl_version.split()[0]}"
    open_and_leave(uri)
    assert server.values("User-Agent", "Origin") == [default]
    open_and_leave(uri, user_agent="mine/1 (x)", origin="https://here")
    assert server.values("User-Agent", "Origin") == ["mine/1 (x)", "https://here"]


@pytest.mark.parametrize(
    ("name", "control"), [("user-agent", "user_agent"), ("User-Agent", "user_agent"), ("origin", "origin")]
)
def test_header_takes_precedence_over_its_control(server: Server, name: str, control: str) -> None:
    uri = f"ws://127.0.0.1:{server.port}/"
    open_and_leave(uri, headers={name: "by name"}, **{control: "by control"})
    assert server.values(name) == ["by name"]
    ws = MessageWebSocket(**{control: "by control"})
    ws.set_request_header(name, "")  # takes the header away
    ws.connect(uri)
    ws.abort()
    assert server.values(name) == []


@pytest.mark.parametrize("control", ["user_agent", "origin"])
@pytest.mark.parametrize("value", [f"{SECRET}\x01", f" {SECRET}", f"{SECRET}\t", "a" * (16 * KIB + 1)])
def test_wrong_value_of_a_header_control(control: str, value: str) -> None:
    with pytest.raises(ArgumentError, match=f"control {control} ") as caught:
        MessageWebSocket(**{control: value})
    assert SECRET not in str(caught.value)


def test_empty_headers(server: Server) -> None:
    """An empty value is sent, and replaces libcurl's own header of that name."""
    open_and_leave(
        f"ws://127.0.0.1:{server.port}/",
        headers={"X-Empty": "", "X-Blank": " \t ", "User-Agent": "", "X-Value": "\t v w "},
    )
    lines = server.lines()
    for wanted in ("X-Empty:", "X-Blank:", "User-Agent:", "X-Value: v w"):
        assert wanted in lines
    assert sum(line.lower().startswith("user-agent") for line in lines) == 1


def test_header_beyond_latin_1(server: Server) -> None:
    open_and_leave(f"ws://127.0.0.1:{server.port}/", headers={"X-Name": "Zoë \u20ac"})
    assert server.values("X-Name") == ["Zoë \u20ac".encode().decode("latin-1")]


@pytest.mark.parametrize("name", ["Host", "origin", "Authorization", "COOKIE", "User-Agent", "Referer"])
def test_header_that_goes_out_once(server: Server, name: str) -> None:
    with pytest.raises(ArgumentError, match=f"header {name} must not be repeated") as caught:
        curlwire.connect(f"ws://127.0.0.1:{server.port}/", headers=[(name, SECRET), (name, SECRET)])
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"), [("Proxy-Authorization", SECRET), ("Host", ""), ("X", f"{SECRET}\x01")]
)
def test_refused_header(name: str, value: str) -> None:
    ws = MessageWebSocket()
    for give in (ws.set_request_header, ws.add_request_header):
        with pytest.raises(ArgumentError, match=name) as caught:
            give(name, value)
        assert SECRET not in str(caught.value)


def test_large_headers(server: Server) -> None:
    """Headers up to curlwire's limits all arrive, with every version of libcurl."""
    headers = {"X-One": "1" * HEADER_LIMIT, "X-Two": "2" * (HEADER_LIMIT - KIB)}
    open_and_leave(f"ws://127.0.0.1:{server.port}/", headers=headers)
    lines = server.lines()
    for name, value in headers.items():
        assert f"{name}: {value}" in lines


@pytest.mark.parametrize("size", [HEADER_LIMIT + 1, 300 * KIB, 1100 * KIB, 9000 * KIB])
def test_header_that_is_too_large(size: int) -> None:
    ws = MessageWebSocket()
    for give in (ws.set_request_header, ws.add_request_header):
        with pytest.raises(ArgumentError, match=r"X-Large.*256 KiB") as caught:
            give("X-Large", SECRET * (size // len(SECRET) + 1))
        assert SECRET not in str(caught.value)


def test_headers_that_are_too_many() -> None:
    ws = MessageWebSocket()
    for _ in range(5):
        ws.add_request_header("X-Part", "p" * (100 * KIB))
    with pytest.raises(ArgumentError, match=r"X-Last.*512 KiB"):
        ws.add_request_header("X-Last", "p" * (100 * KIB))
    ws.set_request_header("X-Part", "")  # removes it, to make room
    ws.add_request_header("X-Last", "p" * (100 * KIB))
    with pytest.raises(ArgumentError, match="name has 101 characters: at most 100"):
        ws.add_request_header("X" * 101, "1")


def test_subprotocols_that_are_too_many(server: Server) -> None:
    protocols = [f"p{number:06}" for number in range(7000)]
    ws = MessageWebSocket(supported_protocols=protocols)
    ws.connect(f"ws://127.0.0.1:{server.port}/")
    ws.abort()
    assert server.values("Sec-WebSocket-Protocol") == [", ".join(protocols)]
    with pytest.raises(ArgumentError, match=r"supported_protocols.*64 KiB"):
        MessageWebSocket(supported_protocols=[*protocols, *(f"q{number:06}" for number in range(7000))])
