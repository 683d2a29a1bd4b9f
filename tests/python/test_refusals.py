# SPDX-License-Identifier: MIT
"""Tests of a server or a proxy that refuses: the body and Retry-After of the reply, and how long it takes."""

import contextlib
import email.utils
import socket
import ssl
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import curlwire
from curlwire import HandshakeError, MessageWebSocket
from peers import WAIT, ca_file
from proxies import end_listening

KEEPS_BODY = "refusal-body" in curlwire.build_info()["features"]
KIB = 1024
AT_MOST = 64 * KIB
BODY_S = 0.99  # how long a connect at least waits for a body: 1 s by a clock of milliseconds
SECRET = "hunter2secret"


def reply(*headers: str, status: str = "403 Forbidden") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode()


def sized(body: bytes, *headers: str, status: str = "403 Forbidden") -> bytes:
    return reply(f"Content-Length: {len(body)}", *headers, status=status) + body


def chunked(*chunks: bytes, trailers: bytes = b"") -> bytes:
    parts = b"".join(b"%x;x=y\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return reply("Transfer-Encoding: chunked") + parts + b"0\r\n" + trailers + b"\r\n"


class Server:
    """Sends pieces to each client, each with one write. After the last piece it ends the connection. With
    is_held it waits until the client does."""

    def __init__(
        self, pieces: Sequence[bytes], *, is_held: bool = False, context: ssl.SSLContext | None = None
    ) -> None:
        self.pieces, self.is_held, self.context = pieces, is_held, context
        self.requests: list[bytes] = []
        self.has_ended = threading.Event()  # the client has ended the first connection
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
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
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self.context:
                    connection = self.context.wrap_socket(connection, server_side=True)
                self.answer(connection)
            connection.close()

    def answer(self, connection: socket.socket) -> None:
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            request += connection.recv(65536) or b"\r\n\r\n"
        self.requests.append(request)
        try:
            for piece in self.pieces:
                connection.sendall(piece)
            while self.is_held and connection.recv(65536):
                continue
        finally:
            self.has_ended.set()


Serve = Callable[..., Server]


@pytest.fixture
def serve() -> Iterator[Serve]:
    with contextlib.ExitStack() as stack:

        def start(*pieces: bytes, **settings: Any) -> Server:
            server = Server(pieces, **settings)
            stack.callback(server.close)
            return server

        yield start


def connect_to(server: Server, path: str = "/", **control: Any) -> None:
    scheme = "wss" if server.context else "ws"
    host = "localhost" if server.context else "127.0.0.1"
    control.setdefault("timeout", WAIT)
    curlwire.connect(f"{scheme}://{host}:{server.port}{path}", ca_file=ca_file(), **control)


def refused(server: Server, path: str = "/", **control: Any) -> HandshakeError:
    """Connects, and returns the error."""
    with pytest.raises(HandshakeError) as caught:
        connect_to(server, path, **control)
    return caught.value


def promptly(connect: Callable[[], object]) -> HandshakeError:
    """Connects until the error comes in less time than curlwire waits for a body, and returns this error.

    On a busy machine any connect may take longer, but a connect that waits for the body always does.
    """
    for _ in range(30):
        began = time.monotonic()
        with pytest.raises(curlwire.ConnectError) as caught:
            connect()
        took = time.monotonic() - began
        if isinstance(caught.value, HandshakeError) and took < BODY_S:
            return caught.value
    raise AssertionError(f"it took {took} s: {caught.value}")


def kept(body: bytes) -> bytes:
    return body if KEEPS_BODY else b""


def context() -> ssl.SSLContext:
    folder = Path(ca_file()).parent
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(folder / "server.pem", folder / "server.key")
    return made


LONG = bytes(range(256)) * 500  # 125 KiB
REPLIES = {
    "length": (sized(b"token expired"), b"token expired"),
    "no body": (sized(b""), b""),
    "no content": (reply(status="204 No Content"), b""),
    "any bytes": (sized(b"\0\r\n\xff\xc3"), b"\0\r\n\xff\xc3"),
    "until the end": (reply("Connection: close") + b"gone", b"gone"),
    "no length": (reply() + b"gone", b"gone"),
    "HTTP/1.0": (b"HTTP/1.0 403 No\r\n\r\ngone", b"gone"),
    "chunked": (chunked(b"token ", b"expired"), b"token expired"),
    "trailers": (chunked(b"a", trailers=b"X-Sum: 1\r\nX-Other: 2\r\n"), b"a"),
    "exactly full": (sized(LONG[:AT_MOST]), LONG[:AT_MOST]),
    "one more": (sized(LONG[: AT_MOST + 1]), LONG[:AT_MOST]),
    "long": (sized(LONG), LONG[:AT_MOST]),
    "long chunks": (chunked(*[LONG[:7000]] * 20), (LONG[:7000] * 20)[:AT_MOST]),
    "cut off": (reply("Content-Length: 100") + b"half", b"half"),
    "cut off in a chunk": (reply("Transfer-Encoding: chunked") + b"9\r\nhalf", b"half"),
    "malformed chunk": (reply("Transfer-Encoding: chunked") + b"4\r\ngood\r\nwrong\r\n", b"good"),
    "coded": (sized(b"\x1f\x8b\x08", "Content-Encoding: gzip"), b"\x1f\x8b\x08"),
    "a 200": (sized(b"a page", status="200 OK"), b"a page"),
    "a redirect": (sized(b"there", "Location: /x", status="302 Found"), b"there"),
    "after a 103": (b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" + sized(b"later"), b"later"),
}


def test_an_embedded_libcurl_keeps_the_body() -> None:
    """We change some lines of it for that. Each way to build the module must say so to the core."""
    assert KEEPS_BODY is (curlwire.build_info()["libcurl_linked"] == "embedded")


@pytest.mark.parametrize("is_secure", [False, True], ids=["ws", "wss"])
@pytest.mark.parametrize(("answer", "body"), REPLIES.values(), ids=list(REPLIES))
def test_body(serve: Serve, answer: bytes, body: bytes, is_secure: bool) -> None:
    server = serve(answer, context=context() if is_secure else None)
    error = refused(server)
    assert error.http_status == int(answer.split(b"\r\n\r\n")[-2 if b"103" in answer else 0].split()[1])
    assert error.body == kept(body)
    assert "x-sum" not in error.headers  # nor any other header after the body
    assert len(server.requests) == 1


@pytest.mark.parametrize("is_secure", [False, True], ids=["ws", "wss"])
def test_body_in_pieces(serve: Serve, is_secure: bool) -> None:
    """Each byte comes alone, in a write of its own, and the last one while curlwire waits for the body."""
    answer = chunked(b"token ", b"expired")
    server = serve(*(bytes([byte]) for byte in answer), context=context() if is_secure else None)
    assert promptly(lambda: connect_to(server)).body == kept(b"token expired")


def test_body_through_a_proxy(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reply of the server, behind that of the proxy."""
    server = serve(b"HTTP/1.1 200 Established\r\n\r\n", sized(b"says the server"))
    monkeypatch.setenv("all_proxy", f"http://127.0.0.1:{server.port}")
    with pytest.raises(HandshakeError) as caught:
        curlwire.connect("ws://server.test/", timeout=WAIT)
    # this server sends both replies after the CONNECT, so the second is read as that of the server
    assert caught.value.body == kept(b"says the server")


# ---- the body of a proxy


def connect_through(server: Server, uri: str = "ws://server.test/", **control: Any) -> None:
    scheme, host = ("https", "localhost") if server.context else ("http", "127.0.0.1")
    control.setdefault("timeout", WAIT)
    curlwire.connect(uri, proxy=f"{scheme}://{host}:{server.port}", proxy_ca_file=ca_file(), **control)


def refused_by_proxy(server: Server, uri: str = "ws://server.test/", **control: Any) -> HandshakeError:
    """Connects through the server as a proxy, and returns the error."""
    with pytest.raises(HandshakeError) as caught:
        connect_through(server, uri, **control)
    host = "localhost" if server.context else "127.0.0.1"
    assert f"the proxy {host}:{server.port} (proxy) refused to connect " in str(caught.value)
    assert caught.value.curl_code == 22  # whatever libcurl makes of the body
    return caught.value


OF_PROXIES = {name: row for name, row in REPLIES.items() if row[0][9:12] not in (b"103", b"200", b"204")}


@pytest.mark.parametrize("is_secure", [False, True], ids=["http", "https"])
@pytest.mark.parametrize(("answer", "body"), OF_PROXIES.values(), ids=list(OF_PROXIES))
def test_body_of_a_proxy(serve: Serve, answer: bytes, body: bytes, is_secure: bool) -> None:
    server = serve(answer, context=context() if is_secure else None)
    error = refused_by_proxy(server)
    assert error.http_status == int(answer.split()[1])
    if len(body) > KIB:  # libcurl reads it byte by byte, which may take the whole time on a busy machine
        assert kept(body).startswith(error.body)
        assert bool(error.body) is KEEPS_BODY
    else:
        assert error.body == kept(body)
    assert "x-sum" not in error.headers
    assert len(server.requests) == 1


def test_body_of_a_proxy_in_pieces(serve: Serve) -> None:
    answer = chunked(b"token ", b"expired")
    server = serve(*(bytes([byte]) for byte in answer))
    assert promptly(lambda: connect_through(server)).body == kept(b"token expired")
    assert refused_by_proxy(serve(sized(b"says no")), "wss://server.test/").body == kept(b"says no")
    error = refused_by_proxy(serve(sized(b"wait", "Retry-After: 7", status="503 Full")))
    assert (error.http_status, error.body, error.retry_after) == (503, kept(b"wait"), 7.0)


NO_LOGIN = sized(b"who are you?", "Proxy-Authenticate: Basic realm=x", status="407 No")
NO_DIGEST = sized(b"who are you?", 'Proxy-Authenticate: Digest realm="x", nonce="y"', status="407 No")


@pytest.mark.parametrize(
    ("answer", "control", "requests"),
    [
        (NO_LOGIN, {}, 1),
        (NO_LOGIN, {"proxy_credential": ("me", "mine")}, 1),
        (NO_DIGEST, {"proxy_credential": ("me", "mine")}, 1),
        (NO_DIGEST, {"proxy_auth": ["digest"]}, 1),
        (NO_LOGIN, {"proxy_credential": ("me", "mine"), "proxy_auth": ["digest"]}, 1),
        (NO_DIGEST, {"proxy_credential": ("me", "mine"), "proxy_auth": ["digest"]}, 2),
    ],
)
def test_body_of_a_challenge_of_a_proxy(
    serve: Serve, answer: bytes, control: dict[str, Any], requests: int
) -> None:
    """libcurl reads the body, and answers only if proxy_auth lets it. The body is that of the last reply."""

    class Proxy(Server):
        def answer(self, connection: socket.socket) -> None:
            self.pieces = [answer]
            super().answer(connection)
            self.pieces = [answer.replace(b"who are you?", b"go away, you")]
            with contextlib.suppress(OSError):
                super().answer(connection)

    with contextlib.closing(Proxy([])) as server:
        error = refused_by_proxy(server, **control)
        assert error.http_status == 407
        assert error.body == kept(b"go away, you" if requests == 2 else b"who are you?")
        assert len([head for head in server.requests if head.startswith(b"CONNECT")]) == requests


def test_body_of_a_proxy_that_stalls(serve: Serve) -> None:
    """It holds the error back for a second."""
    server = serve(reply("Content-Length: 100") + b"half", is_held=True)
    began = time.monotonic()
    assert refused_by_proxy(server).body == kept(b"half")
    took = time.monotonic() - began
    assert not KEEPS_BODY or took >= BODY_S
    assert took < WAIT / 2


ENDLESS = {
    "refusal": (reply("Transfer-Encoding: chunked"), {}),
    "no length": (reply(), {}),
    "challenge": (
        reply('Proxy-Authenticate: Digest realm="x", nonce="y"', "Transfer-Encoding: chunked", status="407 No"),
        {"proxy_credential": ("me", "mine"), "proxy_auth": ["digest"]},
    ),
}


@pytest.mark.parametrize(("head", "control"), ENDLESS.values(), ids=list(ENDLESS))
def test_body_of_a_proxy_without_end(head: bytes, control: dict[str, Any]) -> None:
    """libcurl reads it byte by byte, and does not return to the service thread while the proxy sends."""

    class Proxy(Server):
        def answer(self, connection: socket.socket) -> None:
            self.pieces = [head]
            super().answer(connection)
            while True:
                connection.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")

    with contextlib.closing(Proxy([])) as server:
        error = refused_by_proxy(server, **control)
    assert error.http_status == int(head.split()[1])
    assert bool(error.body) is KEEPS_BODY and len(error.body) <= AT_MOST


def test_one_request_with_a_credential(serve: Serve) -> None:
    """libcurl does not answer a challenge by itself."""
    server = serve(
        sized(b"no", "WWW-Authenticate: Basic", "WWW-Authenticate: Digest realm=a, nonce=b", status="401 No"),
        is_held=True,
    )
    assert refused(server, server_credential=("user", "password")).body == kept(b"no")
    assert server.has_ended.wait(WAIT)
    assert len(server.requests) == 1


# ---- how long the error takes


@pytest.mark.parametrize("is_secure", [False, True], ids=["ws", "wss"])
@pytest.mark.parametrize("head", ["Content-Length: 100", "Transfer-Encoding: chunked", "X: no length"])
def test_body_that_stalls(serve: Serve, head: str, is_secure: bool) -> None:
    part = b"9\r\nhalf" if "chunked" in head else b"half"
    server = serve(reply(head) + part, is_held=True, context=context() if is_secure else None)
    began = time.monotonic()
    error = refused(server)
    took = time.monotonic() - began
    assert (error.http_status, error.body) == (403, kept(b"half"))
    assert not KEEPS_BODY or took >= BODY_S
    assert took < WAIT / 2
    assert server.has_ended.wait(WAIT)


def test_body_that_trickles(serve: Serve) -> None:
    """A body that always goes on ends all the same."""

    class Trickle(Server):
        def answer(self, connection: socket.socket) -> None:
            self.pieces = [reply("Content-Length: 1000000")]
            super().answer(connection)
            while True:
                connection.sendall(b"x")
                time.sleep(0.01)

    with contextlib.closing(Trickle([])) as server:
        began = time.monotonic()
        error = refused(server)
        assert time.monotonic() - began < WAIT / 2
        assert error.http_status == 403
        assert set(error.body) <= set(b"x")
        assert bool(error.body) is KEEPS_BODY


def test_connect_timeout_during_a_body(serve: Serve) -> None:
    """The connect ends at its timeout, and the error is the refusal, because that is known."""
    server = serve(reply("Content-Length: 100") + b"half", is_held=True)
    error = promptly(lambda: connect_to(server, timeout=0.4))
    assert (error.http_status, error.body) == (403, kept(b"half"))


def test_full_body_does_not_wait(serve: Serve) -> None:
    server = serve(reply("Content-Length: 1000000") + LONG, is_held=True)
    assert promptly(lambda: connect_to(server)).body == kept(LONG[:AT_MOST])


def test_close_during_a_body(serve: Serve) -> None:
    server = serve(reply("Content-Length: 100") + b"half", is_held=True)
    ws = MessageWebSocket()
    errors: list[curlwire.ConnectError] = []

    def connect() -> None:
        try:
            ws.connect(f"ws://127.0.0.1:{server.port}/", timeout=WAIT)
        except curlwire.ConnectError as error:
            errors.append(error)

    thread = threading.Thread(target=connect)
    thread.start()
    while not server.requests:
        time.sleep(0.001)
    ws.abort()
    thread.join(WAIT)
    assert not thread.is_alive()
    assert len(errors) == 1


# ---- Retry-After


def dated(ahead_s: float) -> str:
    return email.utils.formatdate(time.time() + ahead_s, usegmt=True)


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        (["Retry-After: 120"], 120, 120),
        (["Retry-After: 0"], 0, 0),
        (["Date: Sun, 06 Nov 1994 08:49:37 GMT", "Retry-After: Sun, 06 Nov 1994 08:50:37 GMT"], 60, 60),
        (["Date: Sun, 06 Nov 1994 08:49:37 GMT", "Retry-After: Sunday, 06-Nov-94 08:50:37 GMT"], 60, 60),
        (["Date: Sun, 06 Nov 1994 08:49:37 GMT", "Retry-After: Sun Nov  6 08:50:37 1994"], 60, 60),
        ([f"Retry-After: {dated(100_000)}"], 90_000, 100_000),
        ([f"Retry-After: {dated(-100)}"], 0, 0),
    ],
)
def test_retry_after(serve: Serve, headers: list[str], least: float, most: float) -> None:
    error = refused(serve(sized(b"", *headers, status="503 Full")))
    assert isinstance(error.retry_after, float)
    assert least <= error.retry_after <= most


@pytest.mark.parametrize("headers", [[], ["Retry-After: soon"], ["Retry-After: -1"], ["Retry-After:"]])
def test_no_retry_after(serve: Serve, headers: list[str]) -> None:
    error = refused(serve(sized(b"", *headers, status="503 Full")))
    assert error.retry_after is None
    with pytest.raises(curlwire.ConnectError) as caught:
        curlwire.connect("ws://127.0.0.1:1/", timeout=WAIT)
    assert (caught.value.retry_after, caught.value.body) == (None, b"")


# ---- what is kept, and what is shown


def test_body_is_in_no_text(serve: Serve) -> None:
    """A server may repeat a secret of the request. Only the attribute has it."""
    error = refused(serve(sized(f"token {SECRET} expired".encode())), f"/?token={SECRET}")
    assert error.body == kept(f"token {SECRET} expired".encode())
    shown = [str(error), repr(error), *traceback.format_exception_only(error), repr(error.args)]
    assert not any(SECRET in text for text in shown)


def test_body_of_the_latest_connect(serve: Serve) -> None:
    ws = MessageWebSocket()
    for body in (b"first, and longer", b"second", b""):
        server = serve(sized(body))
        with pytest.raises(HandshakeError) as caught:
            ws.connect(f"ws://127.0.0.1:{server.port}/", timeout=WAIT)
        assert caught.value.body == kept(body)
