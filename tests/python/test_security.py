# SPDX-License-Identifier: MIT
"""Tests the promises of SECURITY.md: no redirect is followed, secrets are not shown or sent to others, memory
is bounded whatever the peer sends, and masks are random. test_errors.py tests certificates."""

import base64
import contextlib
import hashlib
import os
import queue
import re
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import curlwire
from curlwire import MessageWebSocket
from peers import WAIT, ca_file, echo, url
from proxies import end_listening

SECRET = "hunter2secret"
BASIC = base64.b64encode(f"user:{SECRET}".encode()).decode()
Talk = Callable[[socket.socket, bytes], None]


def server_tls() -> ssl.SSLContext:
    folder = Path(ca_file()).parent
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    return context


def read_head(connection: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        more = connection.recv(1)  # byte by byte, so that nothing after the head is read
        if not more:
            raise ConnectionError("the client ended the connection before the end of its request")
        head += more
    return head


class Server:
    """Accepts connections one after another in a thread, and calls talk(connection, request) for each."""

    def __init__(self, talk: Talk, *, is_tls: bool = False) -> None:
        self.talk = talk
        self.is_tls = is_tls
        self.requests: queue.Queue[str] = queue.Queue()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self) -> None:
        with contextlib.suppress(OSError):  # until the listener is closed
            while True:
                connection, _ = self.listener.accept()
                if self.is_tls:
                    connection = server_tls().wrap_socket(connection, server_side=True)
                with connection, contextlib.suppress(OSError):
                    head = read_head(connection)
                    self.requests.put(head.decode())
                    self.talk(connection, head)

    def end(self) -> None:
        end_listening(self.listener, self.thread)


@pytest.fixture
def serve() -> Iterator["Start"]:
    servers: list[Server] = []

    def start(talk: Talk, is_tls: bool = False) -> Server:
        servers.append(Server(talk, is_tls=is_tls))
        return servers[-1]

    yield start
    for server in servers:
        server.end()


Start = Callable[..., Server]


def reply(head: str) -> Talk:
    return lambda connection, _: connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n")


def accept(connection: socket.socket, request: bytes) -> None:
    """Sends a correct 101 reply."""
    key = request.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
    digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    head = b"HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %b\r\n\r\n"
    connection.sendall(head % base64.b64encode(digest))


def until_gone(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while connection.recv(65536):
            continue


def lines_of(request: str, name: str) -> list[str]:
    return [line for line in request.split("\r\n")[1:] if line.lower().startswith(name.lower() + ":")]


def words_of(error: BaseException) -> str:
    """Returns every text of an error that may appear in a log."""
    return "".join(
        [repr(error), str(error), repr(error.args), repr(vars(error)), *traceback.format_exception(error)]
    )


# ---- redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("scheme", ["ws", "http"])
def test_redirect_is_not_followed(serve: Start, status: int, scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        target = f"{scheme}://localhost:{elsewhere.getsockname()[1]}/"
        server = serve(reply(f"HTTP/1.1 {status} Go\nLocation: {target}\nContent-Length: 0"))
        ws = MessageWebSocket()
        ws.set_request_header("Authorization", f"Bearer {SECRET}")
        ws.set_request_header("Cookie", f"session={SECRET}")
        with pytest.raises(curlwire.HandshakeError) as caught:
            ws.connect(f"ws://127.0.0.1:{server.port}/")
        assert caught.value.http_status == status
        assert caught.value.headers["Location"] == target
        assert SECRET in server.requests.get_nowait()
        assert server.requests.empty()  # no second request, to either server
        elsewhere.setblocking(False)
        with pytest.raises(BlockingIOError):
            elsewhere.accept()


# ---- secrets


def shown(ws: MessageWebSocket) -> str:
    return f"{ws!r} {ws} {ws.information!r} {ws.control!r} {ws.response_headers!r}"


def test_user_and_password_of_the_uri(serve: Start, capfd: pytest.CaptureFixture[str]) -> None:
    server = serve(reply("HTTP/1.1 401 No\nWWW-Authenticate: Basic\nContent-Length: 0"))
    ws = MessageWebSocket()
    uri = f"ws://user:{SECRET}@127.0.0.1:{server.port}/?token={SECRET}"
    with pytest.raises(curlwire.HandshakeError) as caught:
        ws.connect(uri)
    assert lines_of(server.requests.get_nowait(), "Authorization") == [f"Authorization: Basic {BASIC}"]
    assert server.requests.empty()  # no second request answers the challenge
    assert ws.uri == uri  # the attribute keeps the secrets, as docs/connecting.md says
    captured = capfd.readouterr()
    for text in (shown(ws), words_of(caught.value), captured.out, captured.err):
        assert SECRET not in text
        assert BASIC not in text


def test_a_header_of_the_script_goes_before_the_uri(serve: Start) -> None:
    server = serve(reply("HTTP/1.1 401 No\nContent-Length: 0"))
    ws = MessageWebSocket()
    ws.set_request_header("Authorization", "Bearer token")
    with pytest.raises(curlwire.HandshakeError):
        ws.connect(f"ws://user:{SECRET}@127.0.0.1:{server.port}/")
    assert lines_of(server.requests.get_nowait(), "Authorization") == ["Authorization: Bearer token"]


@pytest.mark.parametrize("userinfo", ["", "other:password@", "other@"])
def test_server_credential(serve: Start, capfd: pytest.CaptureFixture[str], userinfo: str) -> None:
    """It goes before the user and password of the URI, and is in no text."""
    server = serve(reply("HTTP/1.1 401 No\nWWW-Authenticate: Basic\nContent-Length: 0"))
    ws = MessageWebSocket(server_credential=("user", SECRET), proxy_credential=("proxy", SECRET))
    with pytest.raises(curlwire.HandshakeError, match="set server_credential, ") as caught:
        ws.connect(f"ws://{userinfo}127.0.0.1:{server.port}/")
    request = server.requests.get_nowait()
    assert lines_of(request, "Authorization") == [f"Authorization: Basic {BASIC}"]
    assert lines_of(request, "Proxy-Authorization") == []  # there is no proxy
    assert server.requests.empty()
    captured = capfd.readouterr()
    for text in (shown(ws), words_of(caught.value), captured.out, captured.err):
        assert SECRET not in text
        assert BASIC not in text
    ws.set_request_header("Authorization", "Bearer token")
    with pytest.raises(curlwire.HandshakeError):
        ws.connect(f"ws://127.0.0.1:{server.port}/")
    assert lines_of(server.requests.get_nowait(), "Authorization") == ["Authorization: Bearer token"]


def test_server_credential_without_password(serve: Start) -> None:
    server = serve(reply("HTTP/1.1 401 No\nContent-Length: 0"))
    for user, password in (("user", ""), ("jö", "p:ä %")):
        with pytest.raises(curlwire.HandshakeError):
            curlwire.connect(f"ws://other:x@127.0.0.1:{server.port}/", server_credential=(user, password))
        basic = base64.b64encode(f"{user}:{password}".encode()).decode()
        assert lines_of(server.requests.get_nowait(), "Authorization") == [f"Authorization: Basic {basic}"]


@pytest.mark.parametrize("status", [302, 307])
def test_server_credential_goes_to_no_other_host(serve: Start, status: int) -> None:
    elsewhere = serve(accept)
    target = f"ws://localhost:{elsewhere.port}/"
    server = serve(reply(f"HTTP/1.1 {status} Go\nLocation: {target}\nContent-Length: 0"))
    ws = MessageWebSocket(server_credential=("user", SECRET))
    with pytest.raises(curlwire.HandshakeError):
        ws.connect(f"ws://127.0.0.1:{server.port}/")
    assert BASIC in server.requests.get_nowait()
    assert elsewhere.requests.empty()


BAD_URIS = {
    "space": f"ws://user:{SECRET} x@127.0.0.1/",
    "port": f"ws://user:{SECRET}@127.0.0.1:99999/",
    "address": f"ws://user:{SECRET}@[::1/",
    "no host": f"ws://user:{SECRET}@/",
    "no scheme": f"user:{SECRET}@127.0.0.1",
    "other scheme": f"ftp://user:{SECRET}@127.0.0.1/",
    "fragment": f"ws://user:{SECRET}@127.0.0.1/#{SECRET}",
    "control character": f"ws://user:{SECRET}@127.0.0.1/\r\n",
    "bad escape": f"ws://user:{SECRET}%00@127.0.0.1/",
    "unknown": f"ws://user:{SECRET}@nowhere.invalid/{SECRET}",
    "refused": "",
}


@pytest.mark.parametrize("name", BAD_URIS)
def test_secrets_are_not_in_errors_about_the_uri(name: str) -> None:
    ws = MessageWebSocket()
    uri = BAD_URIS[name] or url("CW_REFUSED_WS").replace("://", f"://user:{SECRET}@")
    with pytest.raises((curlwire.ArgumentError, curlwire.ConnectError)) as caught:
        ws.connect(uri)
    error = caught.value
    if name != "unknown":  # repr shows the path of "unknown", which is not secret
        assert SECRET not in repr(ws)
    for text in (repr(error), str(error), repr(error.args), repr(vars(error)), ws.state):
        assert SECRET not in text


def test_secrets_of_request_headers(serve: Start, capfd: pytest.CaptureFixture[str]) -> None:
    def cut_off(connection: socket.socket, request: bytes) -> None:
        accept(connection, request)
        connection.sendall(b"\x81\x05cut")

    server = serve(cut_off)
    ws = MessageWebSocket()
    ws.set_request_header("Authorization", f"Bearer {SECRET}")
    errors: list[BaseException] = []
    for name, value in (("Authorization", f"{SECRET}\r\nX: y"), (f"X {SECRET}", "1"), ("Connection", SECRET)):
        with pytest.raises(curlwire.ArgumentError) as wrong:
            ws.set_request_header(name, value)
        errors.append(wrong.value.with_traceback(None))  # a traceback would show source lines of this test
    ws.connect(f"ws://127.0.0.1:{server.port}/")
    with pytest.raises(curlwire.ConnectionClosed) as lost:
        ws.recv(timeout=WAIT)
    errors.append(lost.value)
    assert lines_of(server.requests.get_nowait(), "Authorization") == [f"Authorization: Bearer {SECRET}"]
    captured = capfd.readouterr()
    for text in (shown(ws), *map(words_of, errors), captured.out, captured.err):
        assert SECRET not in text


@pytest.mark.parametrize("answer", ["407", "200"])
def test_proxy_credentials(serve: Start, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    inner: queue.Queue[str] = queue.Queue()

    def proxy(connection: socket.socket, request: bytes) -> None:
        if answer == "407":
            connection.sendall(b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n")
            return
        connection.sendall(b"HTTP/1.1 200 Go\r\n\r\n")
        head = read_head(connection)
        inner.put(head.decode())
        accept(connection, head)

    server = serve(proxy)
    for name in ("no_proxy", "NO_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", f"http://user:{SECRET}@127.0.0.1:{server.port}")
    ws = MessageWebSocket()
    ws.set_request_header("Authorization", "Bearer for-the-server")
    ws.set_request_header("Cookie", "for=the-server")
    if answer == "407":
        with pytest.raises(curlwire.ConnectError) as caught:
            ws.connect("ws://127.0.0.1:9/")
        assert SECRET not in words_of(caught.value)
        assert BASIC not in words_of(caught.value)
    else:
        ws.connect("ws://127.0.0.1:9/")
        request = inner.get(timeout=WAIT)
        assert "for-the-server" in request
        assert lines_of(request, "Proxy-Authorization") == []
        assert BASIC not in request
        ws.abort()
    request = server.requests.get(timeout=WAIT)
    assert lines_of(request, "Proxy-Authorization") == [f"Proxy-Authorization: Basic {BASIC}"]
    assert "the-server" not in request  # the proxy must not see the server's headers
    assert SECRET not in shown(ws)


def test_nothing_is_sent_that_was_not_given(
    serve: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text(
        f"machine 127.0.0.1 login user password {SECRET}\ndefault login u password p\n"
    )
    (tmp_path / ".netrc").chmod(0o600)
    (tmp_path / ".curlrc").write_text(f"user = user:{SECRET}\nheader = Cookie: a={SECRET}\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    server = serve(
        reply(f"HTTP/1.1 401 No\nSet-Cookie: a={SECRET}; Path=/\nWWW-Authenticate: Basic\nContent-Length: 0")
    )
    ws = MessageWebSocket()
    for _ in range(2):  # the second time the socket has received a cookie
        with pytest.raises(curlwire.HandshakeError):
            ws.connect(f"ws://127.0.0.1:{server.port}/")
        request = server.requests.get_nowait()
        names = {line.split(":")[0].lower() for line in request.split("\r\n")[1:] if line}
        ours = {"sec-websocket-version", "sec-websocket-key"}
        assert names == {"host", "user-agent", "accept", "upgrade", "connection", *ours}


# ---- masks


def test_masks_are_random(serve: Start) -> None:
    connections, frames = 4, 1000
    heads: queue.Queue[list[bytes]] = queue.Queue()

    def count(connection: socket.socket, request: bytes) -> None:
        accept(connection, request)
        with connection.makefile("rb") as stream:
            masks = []
            for _ in range(frames):
                _, second = stream.read(2)
                assert second & 0x80
                masks.append(stream.read(4))
                stream.read(second & 0x7F)
            heads.put(masks)
            until_gone(connection)

    server = serve(count)
    masks: list[bytes] = []
    keys: set[str] = set()
    for _ in range(connections):
        ws = MessageWebSocket()
        ws.connect(f"ws://127.0.0.1:{server.port}/")
        for number in range(frames):
            ws.send(b"\0" * (number % 100))
        masks += heads.get(timeout=WAIT)
        keys.update(lines_of(server.requests.get(timeout=WAIT), "Sec-WebSocket-Key"))
        ws.abort()
    assert len(keys) == connections
    total = connections * frames
    assert len(set(masks)) >= total - 1  # two equal masks come by chance once in 500 runs
    for bit in range(32):
        ones = sum(int.from_bytes(mask, "big") >> bit & 1 for mask in masks)
        assert abs(ones - total / 2) < 8 * (total / 4) ** 0.5, f"bit {bit} is 1 in {ones} of {total}"
    for place in range(4):
        assert len({mask[place] for mask in masks}) == 256


# ---- memory

LONG_WAIT = 10 * WAIT  # seconds for a client that reads 200 MiB of small frames on a busy machine
BOUND_KIB = 24 * 1024
CLIENT = """
import os, sys
import curlwire
from curlwire import MessageWebSocket, StreamWebSocket
from pathlib import Path

def status_kib(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name + ":"))

URI, CA_FILE = sys.argv[1], os.environ["CW_CA_FILE"]
for name in ("CW_ECHO_WS", "CW_ECHO_WSS"):
    with curlwire.connect(os.environ[name] + "/", ca_file=CA_FILE) as first:
        first.send(b"x" * 100000)
        first.recv()
before = status_kib("VmRSS")
"""
REPORT = "print('grown', status_kib('VmHWM') - before)\n"
ATTACK_BYTES = 200 << 20
TINY_BYTES = 64 << 20  # bytes of tiny frames; a client that kept one byte of each frame would exceed BOUND_KIB


class Attack:
    """A server that sends without end. It counts the bytes sent, and notices when the client stops reading.

    After limit_bytes it stops, and the connection stays open. The client may read nothing for up to patience_s.
    """

    def __init__(
        self, first: bytes, endless: bytes, *, with_accept: bool = True, limit_bytes: int | None = None,
        patience_s: float = WAIT,
    ) -> None:  # fmt: skip
        self.first = first
        self.block = endless * (65536 // len(endless) + 1)
        self.with_accept = with_accept
        self.limit_bytes = limit_bytes or (TINY_BYTES if len(endless) < 4 else ATTACK_BYTES)
        self.patience_s = patience_s
        self.sent = 0
        self.rests = threading.Event()  # set when all is sent, or the client has stopped reading or ended

    def __call__(self, connection: socket.socket, request: bytes) -> None:
        if self.with_accept:
            accept(connection, request)
        connection.settimeout(self.patience_s)
        try:
            connection.sendall(self.first)
            while self.sent < self.limit_bytes:
                self.sent += connection.send(self.block)
        except OSError:  # includes a timeout
            pass
        finally:
            self.rests.set()
        connection.settimeout(WAIT)
        until_gone(connection)


def attacked(serve: Start, attack: Attack, script: str, *, is_tls: bool = False) -> str:
    """Runs a client in a new process and checks its memory. Returns the rest of its output."""
    server = serve(attack, is_tls)
    uri = f"{'wss://localhost' if is_tls else 'ws://127.0.0.1'}:{server.port}/"
    with subprocess.Popen(
        [sys.executable, "-c", CLIENT + textwrap.dedent(script) + REPORT, uri],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            assert attack.rests.wait(LONG_WAIT)
            output, _ = process.communicate("it rests\n", timeout=LONG_WAIT)
        finally:
            process.kill()
    assert process.returncode == 0
    said, _, grown = output.rpartition("grown ")
    assert int(grown) < BOUND_KIB, f"{int(grown)} KiB"
    server.end()
    return said.strip()


EMPTY = b"\x00\x00"
FRAGMENT = b"\x00\x7e\x10\x00" + bytes(4096)
REFUSED = """
try:
    MessageWebSocket(max_message_size=1 << 20).connect(URI, timeout=5)
except curlwire.ConnectError as error:
    print(error.http_status, type(error).__name__)
"""


@pytest.mark.parametrize("limit_bytes", [2 << 20, ATTACK_BYTES], ids=["a little too much", "endless"])
def test_memory_endless_fragments(serve: Start, limit_bytes: int) -> None:
    """It fails at max_message_size. It reads on until it ends, so the bytes that it reads prove nothing."""
    attack = Attack(b"\x02\x00", FRAGMENT, limit_bytes=limit_bytes)
    said = attacked(
        serve,
        attack,
        """
        ws = MessageWebSocket(max_message_size=1 << 20)
        ws.connect(URI)
        try:
            ws.recv()
        except curlwire.ConnectionClosed as error:
            print(error.code, error.was_clean)
        """,
    )
    assert said == "1006 False"


PATIENCE_S = 0.5  # for a client that stops reading on purpose
UNTAKEN = """
ws = MessageWebSocket(receive_mode={mode!r}, ca_file=CA_FILE)
ws.connect(URI)
sys.stdin.readline()
print(ws.state)
ws.abort()
"""


@pytest.mark.parametrize(
    ("mode", "first", "endless"),
    [
        ("partial", b"\x02\x00", FRAGMENT),
        ("partial", b"\x02\x00", EMPTY),
        ("full", b"", b"\x82\x00"),
        ("full", b"", b"\x82\x01x"),
        ("full", b"", b"\x82" + FRAGMENT[1:]),
    ],
    ids=["fragments", "empty fragments", "empty messages", "messages of a byte", "messages"],
)
def test_memory_nobody_takes_it(serve: Start, mode: str, first: bytes, endless: bytes) -> None:
    attack = Attack(first, endless, patience_s=PATIENCE_S)
    assert attacked(serve, attack, UNTAKEN.format(mode=mode)) == "open"
    assert attack.sent < TINY_BYTES or endless == EMPTY  # TCP stops the server, unless frames are empty


def test_memory_nobody_takes_it_over_tls(serve: Start) -> None:
    attack = Attack(b"", b"\x82" + FRAGMENT[1:], patience_s=PATIENCE_S)
    assert attacked(serve, attack, UNTAKEN.format(mode="full"), is_tls=True) == "open"
    assert attack.sent < 64 << 20


def test_memory_endless_empty_fragments(serve: Start) -> None:
    """Empty fragments of a message that never ends do not use memory, even without max_fragments."""
    script = """
    ws = MessageWebSocket(max_fragments=None)
    ws.connect(URI)
    try:
        ws.recv(timeout=2)
    except TimeoutError:
        print("nothing")
    ws.abort()
    """
    assert attacked(serve, Attack(b"\x02\x00", EMPTY), script) == "nothing"


def test_memory_endless_pings(serve: Start) -> None:
    """Endless pings do not use memory, although the server never reads the pongs."""
    attack = Attack(b"", b"\x89\x7d" + bytes(125))
    assert attacked(serve, attack, UNTAKEN.format(mode="full")) in ("open", "closed")
    assert attack.sent > 16 << 20


@pytest.mark.parametrize(
    ("first", "endless"),
    [(b"\x02\x00", EMPTY), (b"", b"\x89\x00"), (b"", b"\x8a\x00"), (b"\x88\x00", bytes(65536))],
    ids=["empty fragments", "pings", "pongs", "after the close"],
)
def test_flood_does_not_hold_up_others(serve: Start, first: bytes, endless: bytes) -> None:
    script = """
    flooded = MessageWebSocket(max_fragments=None)
    flooded.on_message_received = flooded.on_closed = lambda ws, args: None  # so the service thread reads
    flooded.connect(URI)
    for _ in range(20):
        with curlwire.connect(os.environ["CW_ECHO_WS"] + "/", timeout=30) as ws:
            ws.send("x", timeout=30)
            ws.recv(timeout=30)
    print("done")
    flooded.abort()
    """
    # The flood must outlast the 20 connections, however slow the machine is.
    assert attacked(serve, Attack(first, endless, limit_bytes=1 << 50), script) == "done"


def test_memory_endless_after_the_close(serve: Start) -> None:
    """Data after the close is discarded until close_timeout. tests/core/test_closing.c checks that other
    sockets go on meanwhile."""
    script = """
    ws = MessageWebSocket(close_timeout=1)
    ws.connect(URI)
    try:
        ws.recv()
    except curlwire.ConnectionClosed as error:
        print(error.code)
    sys.stdin.readline()
    """
    assert attacked(serve, Attack(b"\x88\x00", bytes(65536)), script) == "1005"


@pytest.mark.parametrize("limit_bytes", [1, ATTACK_BYTES], ids=["its beginning", "endless"])
def test_memory_huge_frame(serve: Start, limit_bytes: int) -> None:
    attack = Attack(b"\x82\x7f\x40" + bytes(7), bytes(65536), limit_bytes=limit_bytes)
    script = """
    ws = MessageWebSocket()
    ws.connect(URI)
    try:
        ws.recv()
    except curlwire.ConnectionClosed as error:
        print(error.code)
    """
    assert attacked(serve, attack, script) == "1006"


@pytest.mark.parametrize("kind", ["partial", "stream"])
@pytest.mark.parametrize("is_tls", [False, True], ids=["ws", "wss"])
def test_memory_huge_frame_in_parts(serve: Start, kind: str, is_tls: bool) -> None:
    attack = Attack(b"\x82\x7f\x40" + bytes(7), bytes(65536))
    script = """
    got = 0
    if KIND == "stream":
        ws = StreamWebSocket(ca_file=CA_FILE)
        ws.connect(URI)
        while got < 100 << 20:
            got += len(ws.input_stream.read(1 << 20))
    else:
        ws = MessageWebSocket(receive_mode="partial", ca_file=CA_FILE)
        ws.connect(URI)
        while got < 100 << 20:
            got += len(ws.recv())
    print(got >= 100 << 20)
    ws.abort()
    """
    assert attacked(serve, attack, f"KIND = {kind!r}\n" + textwrap.dedent(script), is_tls=is_tls) == "True"


HEADER = b"X-Long: " + b"x" * 900 + b"\r\n"


@pytest.mark.parametrize(
    ("first", "endless"),
    [
        (b"HTTP/1.1 101 Switching Protocols\r\nX: ", b"x" * 1024),
        (b"HTTP/1.1 101 Switching Protocols\r\n", HEADER),
        (b"HTTP/1.1 101 Switching Protocols\r\nX: y\r\n", b" folded" * 100 + b"\r\n"),
        (b"HTTP/1.1 101 Switching Protocols\r\n" + HEADER * 1165 + b"\r\n", b"\x82\x00"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"", b"HTTP/1.1 103 Early Hints\r\n" + HEADER + b"\r\n"),
        (b"", b"\0"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 1024),
        (b"HTTP/1.1 401 No\r\nTransfer-Encoding: chunked\r\n\r\n", b"400\r\n" + b"x" * 1024 + b"\r\n"),
    ],
    ids=["a header", "headers", "folds", "1 MiB of headers", "100s", "103s", "no HTTP", "body", "chunks"],
)
def test_memory_endless_reply(serve: Start, first: bytes, endless: bytes) -> None:
    attack = Attack(first, endless, with_accept=False)
    said = attacked(serve, attack, REFUSED)
    assert said.split()[1] in ("HandshakeError", "ConnectError", "ConnectTimeout")


def test_the_page_names_tests_that_exist() -> None:
    root = Path(__file__).resolve().parent.parent.parent
    page = (root / "SECURITY.md").read_text()
    tests = "".join(
        path.read_text()
        for folder in ("core", "python", "lua", "faults")
        for path in (root / "tests" / folder).glob("test_*")
    )
    names = re.findall(r"`(test_\w+|security_\w+|certificate_\w+|verify_\w+)`", page)
    assert len(names) > 15
    assert [name for name in names if name not in tests] == []
    for path in re.findall(r"`(tests/[\w/.]+)`", page):
        assert (root / path).exists()


def test_servers_name_is_checked_by_default() -> None:
    assert MessageWebSocket().control.verify is True
    assert curlwire.StreamWebSocket().control.verify is True
    with pytest.raises(curlwire.CertificateError):
        curlwire.connect(url("CW_ECHO_WSS"))
    assert os.environ["CW_CA_FILE"]  # the authority that a client would have to name
    with curlwire.connect(echo()) as ws:
        assert ws.state == "open"
