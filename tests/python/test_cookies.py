# SPDX-License-Identifier: MIT
"""Tests cookies: which are kept, which are sent and to whom, jars that sockets share, and files of cookies.

A proxy gives every host name to a server of the test, so that names of real suffixes can be used."""

import base64
import contextlib
import errno
import gc
import hashlib
import os
import resource
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
import time
import traceback
from collections.abc import Iterator
from http.cookiejar import MozillaCookieJar
from pathlib import Path
from typing import Any

import pytest

import curlwire
from curlwire import ArgumentError, ConnectError, CookieJar, HandshakeError, MessageWebSocket, StateError
from peers import WAIT, ca_file, nobody
from proxies import Proxy, end_listening, tunnel, until_gone

SECRET = "hunter2secret"
HOST = "www.shop.co.uk"


class Server:
    """Answers each opening handshake with cookies, and keeps the requests. `refusal` is a status line."""

    def __init__(self, *, is_tls: bool = False) -> None:
        self.cookies: list[str] = []
        self.refusal = ""
        self.requests: list[str] = []
        self.context: ssl.SSLContext | None = None
        if is_tls:
            folder = Path(ca_file()).parent
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(folder / "server.pem", folder / "server.key")
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def url(self, host: str = "127.0.0.1", path: str = "/") -> str:
        return f"{'wss' if self.context else 'ws'}://{host}:{self.port}{path}"

    def serve(self) -> None:
        with contextlib.suppress(OSError):  # until the listener is closed
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self.one, args=(connection,), daemon=True).start()

    def one(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
            with connection:
                self.answer(connection)

    def answer(self, connection: socket.socket) -> None:
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            more = connection.recv(65536)
            if not more:
                return
            request += more
        key = request.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
        digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        with self.lock:
            self.requests.append(request.decode())
            lines = [f"Set-Cookie: {cookie}" for cookie in self.cookies]
        if self.refusal:
            lines = [f"HTTP/1.1 {self.refusal}", "Content-Length: 0", *lines]
        else:
            accept = base64.b64encode(digest).decode()
            lines = ["HTTP/1.1 101 OK", "Upgrade: websocket", "Connection: Upgrade",
                     f"Sec-WebSocket-Accept: {accept}", *lines]  # fmt: skip
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        if not self.refusal and connection.recv(65536):
            connection.sendall(b"\x88\x00")  # the answer to the close frame

    def sent(self) -> list[str]:
        """Returns the cookies of the last request, which has one header for all of them."""
        with self.lock:
            lines = [line for line in self.requests[-1].split("\r\n") if line.lower().startswith("cookie:")]
        assert len(lines) <= 1
        return lines[0].partition(": ")[2].split("; ") if lines else []


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    yield one
    end_listening(one.listener, one.thread)


@pytest.fixture
def secure() -> Iterator[Server]:
    one = Server(is_tls=True)
    yield one
    end_listening(one.listener, one.thread)


@pytest.fixture
def any_host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy that connects to this machine, whatever the host."""
    with Proxy(tunnel) as proxy:
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        for name in ("ws_proxy", "wss_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        yield proxy


def visit(uri: str, **control: Any) -> None:
    """Connects and closes."""
    with curlwire.connect(uri, verify=False, **control):
        pass


def names(jar: CookieJar) -> list[str]:
    return sorted(cookie.name for cookie in jar)


def words_of(error: BaseException) -> str:
    return "".join([repr(error), str(error), *traceback.format_exception(error)])


# ---- what is kept and sent


def test_no_cookie_is_kept_by_default(server: Server) -> None:
    server.cookies = ["a=1"]
    visit(server.url())
    visit(server.url())
    assert server.sent() == []


def test_sockets_share_a_jar(server: Server) -> None:
    jar = CookieJar()
    server.cookies = ["a=1", "b=2; Path=/; HttpOnly"]
    visit(server.url(), cookie_jar=jar)
    assert server.sent() == []
    server.cookies = []
    visit(server.url(), cookie_jar=jar)
    assert sorted(server.sent()) == ["a=1", "b=2"]
    stream = curlwire.StreamWebSocket(cookie_jar=jar)
    stream.connect(server.url())
    stream.close()
    assert sorted(server.sent()) == ["a=1", "b=2"]
    visit(server.url(), cookie_jar=CookieJar())
    assert server.sent() == []


def test_refusal_sets_cookies(server: Server) -> None:
    jar = CookieJar()
    server.cookies = ["login=1"]
    for server.refusal in ("401 No", "302 Go", "500 No"):
        jar.clear()
        with pytest.raises(HandshakeError):
            visit(server.url(), cookie_jar=jar)
        assert names(jar) == ["login"]


def test_invalid_reply_sets_cookies_and_stays_an_error(server: Server) -> None:
    jar = CookieJar()
    server.cookies = ["a=1"]
    server.refusal = "200 OK"
    with pytest.raises(HandshakeError) as caught:
        visit(server.url(), cookie_jar=jar)
    assert caught.value.http_status == 200
    assert names(jar) == ["a"]


@pytest.mark.parametrize(
    ("cookie", "path", "is_sent"),
    [
        ("a=1", "/chat/room", True),  # the folder of the path that set it
        ("a=1", "/chat/", True),
        ("a=1", "/chatter", False),
        ("a=1", "/", False),
        ("a=1; Path=/", "/", True),
        ("a=1; Path=/chat", "/chat?x=/other", True),
        ("a=1; Path=/chat", "/other?x=/chat", False),
        ("a=1; Path=/deep", "/x/../deep", False),  # the server gets this path as it is
    ],
)
def test_paths(server: Server, cookie: str, path: str, is_sent: bool) -> None:
    jar = CookieJar()
    server.cookies = [cookie]
    visit(server.url(path="/chat/room?query"), cookie_jar=jar)
    server.cookies = []
    visit(server.url(path=path), cookie_jar=jar)
    assert server.sent() == (["a=1"] if is_sent else [])
    assert server.requests[-1].startswith(f"GET {path} HTTP/1.1\r\n")


def test_secure_cookies_go_out_over_wss_only(server: Server, secure: Server, any_host: Proxy) -> None:
    jar = CookieJar()
    secure.cookies = ["s=1; Secure; Path=/", "p=2; Path=/"]
    visit(secure.url(HOST), cookie_jar=jar)
    server.cookies = ["refused=1; Secure", "s=overlaid; Path=/"]
    visit(server.url(HOST), cookie_jar=jar)
    assert server.sent() == ["p=2"]
    visit(secure.url(HOST), cookie_jar=jar)
    assert sorted(secure.sent()) == ["p=2", "s=1"]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_secure_cookies_go_to_this_machine(server: Server, host: str) -> None:
    jar = CookieJar()
    server.cookies = ["s=1; Secure"]
    visit(server.url(host), cookie_jar=jar)
    visit(server.url(host), cookie_jar=jar)
    assert server.sent() == ["s=1"]


def test_life_of_a_cookie(server: Server) -> None:
    jar = CookieJar()
    server.cookies = ["session=1", "kept=1; Max-Age=1000", "gone=1; Max-Age=1000"]
    visit(server.url(), cookie_jar=jar)
    ends = {cookie.name: cookie.expires for cookie in jar}
    assert ends["session"] is None
    assert ends["kept"] is not None and 900 < ends["kept"] - time.time() <= 1001
    server.cookies = ["gone=1; Max-Age=0"]
    visit(server.url(), cookie_jar=jar)
    assert names(jar) == ["kept", "session"]
    jar.clear_session_cookies()
    assert names(jar) == ["kept"]


def test_header_of_the_program_joins_the_cookies(server: Server) -> None:
    jar = CookieJar()
    jar.set("a", "1", "127.0.0.1")
    for own in ("x=y; z=w", "x=y"):
        ws = MessageWebSocket(cookie_jar=jar)
        ws.set_request_header("cookie", own)
        ws.connect(server.url())
        ws.close()
        assert server.sent() == ["a=1", *own.split("; ")]
    jar.clear()
    ws = MessageWebSocket(cookie_jar=jar)
    ws.set_request_header("Cookie", "x=y")
    ws.connect(server.url())
    ws.close()
    assert server.sent() == ["x=y"]


# ---- hostile servers


@pytest.mark.parametrize(
    ("host", "cookie"),
    [
        (HOST, "a=1; Domain=co.uk"),
        (HOST, "a=1; Domain=.co.uk"),
        (HOST, "a=1; Domain=uk"),
        (HOST, "a=1; Domain=com"),
        (HOST, "a=1; Domain=bank.co.uk"),
        (HOST, "a=1; Domain=op.co.uk"),
        (HOST, "a=1; Domain=api.www.shop.co.uk"),
        (HOST, "__Host-a=1; Secure; Path=/; Domain=shop.co.uk"),
        (HOST, "__Secure-a=1"),
        (HOST, "a=" + 5000 * "x"),
        (HOST, "a"),
        ("me.github.io", "a=1; Domain=github.io"),
        ("a.b.example.com", "a=1; Domain=com"),
        ("127.0.0.1", "a=1; Domain=0.0.1"),
        ("127.0.0.1", "a=1; Domain=127.0.0.2"),
        ("xn--85x722f.xn--55qx5d.cn", "a=1; Domain=xn--55qx5d.cn"),
    ],
)
def test_cookie_for_others_is_refused(secure: Server, any_host: Proxy, host: str, cookie: str) -> None:
    jar = CookieJar()
    secure.cookies = ["good=1; Path=/", cookie]
    visit(secure.url(host), cookie_jar=jar)
    assert names(jar) == ["good"]


def test_cookie_goes_to_its_domain_only(server: Server, any_host: Proxy) -> None:
    jar = CookieJar()
    server.cookies = ["host=1", "site=2; Domain=shop.co.uk"]
    visit(server.url(HOST), cookie_jar=jar)
    server.cookies = []
    for host, wanted in {
        HOST: ["host=1", "site=2"],
        "WWW.SHOP.CO.UK": ["host=1", "site=2"],
        "shop.co.uk": ["site=2"],
        "api.shop.co.uk": ["site=2"],
        "api.www.shop.co.uk": ["site=2"],
        "evilshop.co.uk": [],
        "shop.co.uk.example": [],
        "co.uk": [],
        "127.0.0.1": [],
    }.items():
        visit(server.url(host), cookie_jar=jar)
        assert sorted(server.sent()) == wanted, host


def test_proxy_neither_gets_nor_sets_cookies(
    server: Server, any_host: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(connection: socket.socket, head: bytes) -> None:
        class Tee:
            """A connection that adds cookies to the reply of the proxy."""

            def sendall(self, data: bytes) -> None:
                if data.startswith(b"HTTP/1.1 200 Connection"):
                    data = data[:-2] + b"Set-Cookie: proxy=1\r\nSet-Cookie: site=1; Domain=shop.co.uk\r\n\r\n"
                connection.sendall(data)

            def __getattr__(self, name: str) -> Any:
                return getattr(connection, name)

        tunnel(Tee(), head)  # type: ignore[arg-type]

    jar = CookieJar()
    jar.set("mine", SECRET, HOST)
    server.cookies = ["a=1"]
    any_host.answer = answer
    visit(server.url(HOST), cookie_jar=jar)
    assert names(jar) == ["a", "mine"]
    head = any_host.heads.get(timeout=WAIT)
    assert "CONNECT" in head
    assert SECRET not in head and "ookie" not in head
    any_host.answer = lambda connection, _: (
        connection.sendall(b"HTTP/1.1 407 No\r\nSet-Cookie: proxy=1\r\nContent-Length: 0\r\n\r\n"),
        until_gone(connection),
    )[1]
    with pytest.raises(HandshakeError):
        visit(server.url(HOST), cookie_jar=jar)
    assert names(jar) == ["a", "mine"]


def test_number_of_cookies_is_limited(server: Server, any_host: Proxy) -> None:
    jar = CookieJar()
    jar.set("mine", "1", "other.example")
    for turn in range(6):
        server.cookies = [f"c{turn}x{number}={100 * 'v'}; Path=/" for number in range(60)]
        visit(server.url(HOST), cookie_jar=jar)
    assert len(jar) == 181
    assert "mine" in names(jar)
    assert "c5x49" in names(jar)  # the newest; one reply sets 50
    assert "c0x0" not in names(jar)  # the oldest
    server.cookies = []
    visit(server.url(HOST), cookie_jar=jar)
    assert len("; ".join(server.sent())) <= 8190
    assert len(server.sent()) <= 150


def test_full_jar(server: Server, tmp_path: Path) -> None:
    jar = CookieJar()
    file = tmp_path / "cookies.txt"
    row = "h{}.example\tFALSE\t/\tFALSE\t0\tn\tv\n"
    file.write_text("".join(row.format(number) for number in range(3000)))
    jar.load(file)
    assert len(jar) == 3000
    with pytest.raises(StateError, match=r"^the cookie jar is full"):
        jar.set("a", "1", "new.example")
    with pytest.raises(StateError, match=r"^the cookie jar is full"):
        jar.load(file)
    server.cookies = ["a=1", "b=1"]
    visit(server.url(), cookie_jar=jar)  # this host pays for its cookies
    assert len(jar) == 3000
    jar.set("n", "", "h7.example", expires=1)
    assert len(jar) == 2999
    with file.open("a") as more:
        more.write(row.format(3000))
    with pytest.raises(ArgumentError, match="it has more than 3,000 cookies"):
        CookieJar(file)


# ---- CookieJar


def test_jar_lists_cookies() -> None:
    jar = CookieJar()
    end = int(time.time()) + 1000
    jar.set("a", SECRET, ".example.com", path="/x", expires=end + 0.5, secure=True, http_only=True,
            include_subdomains=True)  # fmt: skip
    (cookie,) = jar
    assert cookie == curlwire.Cookie("a", SECRET, "example.com", "/x", end, True, True, True)
    assert SECRET not in repr(cookie) + str(cookie) + repr(jar) + str(jar)
    assert repr(jar) == "<curlwire.CookieJar of 1 cookie>"
    jar.set("a", "", "example.com")
    assert repr(jar) == "<curlwire.CookieJar of 2 cookies>"
    assert len(jar) == 2 and bool(CookieJar())
    jar.set("a", 'ü ,"', "example.com")
    assert [cookie.value for cookie in jar if cookie.path == "/"] == ['ü ,"']
    jar.set("a", "", "example.com", expires=1)
    assert [cookie.path for cookie in jar] == ["/x"]
    jar.clear()
    assert list(jar) == []


@pytest.mark.parametrize(
    ("values", "changes", "words"),
    [
        (("", "v", "x.com"), {}, "its name is empty"),
        (("a=b", "v", "x.com"), {}, "its name has"),
        (("a;b", "v", "x.com"), {}, "its name has"),
        (("a", f"{SECRET}; b=1", "x.com"), {}, "its value has"),
        (("a", f"{SECRET}\r\nX: y", "x.com"), {}, "its value has"),
        (("a", f"{SECRET}\0", "x.com"), {}, "its value has"),
        (("a", SECRET + 4096 * "x", "x.com"), {}, "4,096 bytes"),
        (("a", SECRET, ""), {}, "its domain is no host name"),
        (("a", SECRET, "."), {}, "its domain is no host name"),
        (("a", SECRET, "http://x.com"), {}, "its domain is no host name"),
        (("a", SECRET, "x.com:80"), {}, "its domain is no host name"),
        (("a", SECRET, "Set-Cookie:"), {}, "its domain is no host name"),
        (("a", SECRET, "bücher.example"), {}, "its domain is no host name"),
        (("a", SECRET, "x.com\tTRUE"), {}, "its domain is no host name"),
        (("a", SECRET, 254 * "x"), {}, "253"),
        (("a", SECRET, "x.com"), {"path": "x"}, "its path must begin with /"),
        (("a", SECRET, "x.com"), {"path": "/\n"}, "its path must begin with /"),
        (("a", SECRET, "x.com"), {"expires": 0}, "expires cannot be 0"),
        (("a", SECRET, "x.com"), {"expires": float("nan")}, "expires cannot be nan"),
        (("__Secure-a", SECRET, "x.com"), {}, "__Secure-"),
        (("__Host-a", SECRET, "x.com"), {"secure": True, "path": "/x"}, "__Host-"),
    ],
)
def test_cookie_that_cannot_be_set(values: tuple[str, str, str], changes: dict[str, Any], words: str) -> None:
    jar = CookieJar()
    with pytest.raises(ArgumentError) as caught:
        jar.set(*values, **changes)
    assert words in str(caught.value)
    assert SECRET not in str(caught.value)
    assert len(jar) == 0


def test_wrong_types() -> None:
    jar = CookieJar()
    for wrong in (
        lambda: jar.set("a", b"v", "x.com"),  # type: ignore[arg-type]
        lambda: jar.set("a", "v"),  # type: ignore[call-arg]
        lambda: jar.set("a", "v", "x.com", secure=1),  # type: ignore[arg-type]
        lambda: jar.set("a", "v", "x.com", expires="soon"),  # type: ignore[arg-type]
        lambda: jar.set("a", "v", "x.com", expires=True),
        lambda: jar.load(None),  # type: ignore[arg-type]
        lambda: CookieJar(5),  # type: ignore[arg-type]
        lambda: MessageWebSocket(cookie_jar=5),  # type: ignore[arg-type]
    ):
        with pytest.raises(TypeError):
            wrong()
    for bad in (lambda: jar.load(""), lambda: jar.save(""), lambda: CookieJar("a\0b"), lambda: jar.save()):
        with pytest.raises(ArgumentError):
            bad()
    with pytest.raises(StateError):
        CookieJar.__new__(CookieJar).clear()
    with pytest.raises(StateError):
        jar.__init__()  # type: ignore[misc]


def test_control(server: Server, tmp_path: Path) -> None:
    jar = CookieJar()
    ws = MessageWebSocket(cookie_jar=jar)
    assert ws.control.cookie_jar is jar
    assert "cookie_jar=<curlwire.CookieJar of 0 cookies>" in repr(ws.control)
    ws.control.cookie_jar = tmp_path / "x"
    assert ws.control.cookie_jar == str(tmp_path / "x")
    ws.control.cookie_jar = jar
    assert ws.control.cookie_jar is jar
    ws.control.cookie_jar = None
    assert ws.control.cookie_jar is None
    server.cookies = ["a=1"]
    ws.connect(server.url())
    assert len(jar) == 0
    with pytest.raises(StateError, match="cookie_jar cannot change"):
        ws.control.cookie_jar = jar
    assert ws.control.cookie_jar is None
    ws.close()


def test_jar_beside_cookie_file(server: Server, tmp_path: Path) -> None:
    with pytest.raises(ConnectError, match=r"^cookie_file is set beside a cookie jar"):
        visit(server.url(), cookie_jar=CookieJar(), cookie_file=tmp_path / "x")
    assert server.requests == []


def test_jar_is_dropped_before_its_sockets(server: Server) -> None:
    server.cookies = ["a=1"]
    ws = MessageWebSocket(cookie_jar=CookieJar())
    gc.collect()
    ws.connect(server.url())
    ws.control.cookie_jar.clear()  # type: ignore[union-attr]
    ws.close()
    jar = CookieJar()
    other = MessageWebSocket(cookie_jar=jar)
    other.connect(server.url())
    other.abort()
    del other
    gc.collect()
    assert names(jar) == ["a"]
    del jar
    gc.collect()


def test_threads_share_a_jar(server: Server) -> None:
    jar = CookieJar()
    server.cookies = ["a=1; Path=/", "b=2; Path=/; Max-Age=100"]
    failures: list[BaseException] = []
    is_over = threading.Event()

    def connect() -> None:
        try:
            for _ in range(20):
                visit(server.url(), cookie_jar=jar)
        except BaseException as error:
            failures.append(error)

    def change() -> None:
        try:
            while not is_over.is_set():
                jar.set("mine", "x", "127.0.0.1")
                assert {cookie.name for cookie in jar} <= {"a", "b", "mine"}
                jar.clear_session_cookies()
        except BaseException as error:
            failures.append(error)

    changer = threading.Thread(target=change)
    threads = [threading.Thread(target=connect) for _ in range(4)]
    for thread in [changer, *threads]:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    is_over.set()
    changer.join(WAIT)
    assert failures == []
    assert {"b"} <= set(names(jar))


def test_fork(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "cookies.txt"
    program = f"""
        import os, curlwire
        jar = curlwire.CookieJar({str(file)!r})
        jar.set("parent", "1", "127.0.0.1")
        ws = curlwire.connect({server.url()!r}, cookie_jar=jar)
        child = os.fork()
        if child == 0:
            for call in (jar.clear, jar.save, lambda: list(jar), lambda: len(jar),
                         lambda: curlwire.MessageWebSocket(cookie_jar=jar)):
                try:
                    call()
                    os._exit(1)
                except curlwire.StateError as error:
                    assert "the cookie jar belongs to the parent process" in str(error), error
            assert repr(jar) == "<a curlwire.CookieJar of the parent process>", repr(jar)
            del ws, jar
            own = curlwire.CookieJar({str(file)!r})
            assert [cookie.name for cookie in own] == ["parent"], list(own)
            curlwire.connect({server.url()!r}, cookie_jar=own).close()
            own.set("child", "1", "127.0.0.1")
            own.save()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert len(jar) == 1
        ws.close()
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True, timeout=WAIT)
    assert sorted(cookie.name for cookie in CookieJar(file)) == ["child", "parent"]


# ---- files


def test_cookie_jar_file(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "cookies.txt"
    server.cookies = ["a=1; Max-Age=1000", "b=2; HttpOnly; Path=/"]
    visit(server.url(), cookie_jar=file)
    assert server.sent() == []
    lines = file.read_text().splitlines()
    assert lines[0] == "# Netscape HTTP Cookie File"
    assert "#HttpOnly_127.0.0.1\tFALSE\t/\tFALSE\t0\tb\t2" in lines
    assert file.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["cookies.txt"]
    server.cookies = []
    visit(server.url(), cookie_jar=str(file))
    assert sorted(server.sent()) == ["a=1", "b=2"]


def test_file_is_written_only_if_cookies_have_changed(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "cookies.txt"
    visit(server.url(), cookie_jar=file)
    assert not file.exists()
    server.cookies = ["a=1"]
    visit(server.url(), cookie_jar=file)
    before = file.stat()
    visit(server.url(), cookie_jar=file)
    assert file.stat().st_ino == before.st_ino and file.stat().st_mtime_ns == before.st_mtime_ns
    server.cookies = ["a=2"]
    visit(server.url(), cookie_jar=file)
    assert file.read_text().endswith("\ta\t2\n")


def test_file_that_others_can_read_is_replaced(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "cookies.txt"
    file.write_text("# mine\n\nold.example\tFALSE\t/\tFALSE\t0\told\t1\r\n")
    file.chmod(0o644)
    server.cookies = ["a=1"]
    visit(server.url(), cookie_jar=file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert names(CookieJar(file)) == ["a", "old"]


def test_refused_connect_writes_the_file(server: Server, tmp_path: Path) -> None:
    server.cookies = ["a=1"]
    server.refusal = "401 No"
    with pytest.raises(HandshakeError):
        visit(server.url(), cookie_jar=tmp_path / "x")
    assert names(CookieJar(tmp_path / "x")) == ["a"]


def test_cookie_file_is_only_read(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "cookies.txt"
    text = "127.0.0.1\tFALSE\t/\tFALSE\t0\ta\t1\n127.0.0.1\tFALSE\t/\tFALSE\t1\texpired\t1\n"
    file.write_text(text)
    file.chmod(0o400)
    server.cookies = ["b=1"]
    visit(server.url(), cookie_file=file)
    assert server.sent() == ["a=1"]
    visit(server.url(), cookie_file=file)
    assert server.sent() == ["a=1"]
    assert file.read_text() == text


def test_cookie_file_and_cookie_jar(server: Server, tmp_path: Path) -> None:
    (tmp_path / "first").write_text(
        "127.0.0.1\tFALSE\t/\tFALSE\t0\ta\told\n127.0.0.1\tFALSE\t/\tFALSE\t0\tb\told\n"
    )
    (tmp_path / "own").write_text("127.0.0.1\tFALSE\t/\tFALSE\t0\ta\tnew\n")
    visit(server.url(), cookie_file=tmp_path / "first", cookie_jar=tmp_path / "own")
    assert sorted(server.sent()) == ["a=new", "b=old"]
    assert names(CookieJar(tmp_path / "own")) == ["a", "b"]


def test_jar_with_a_file(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "cookies.txt"
    jar = CookieJar(file)
    jar.set("a", "1", "x.example")
    assert not file.exists()
    jar.save()
    assert names(CookieJar(file)) == ["a"]
    jar.set("b", "1", "x.example")
    visit(server.url(), cookie_jar=jar)
    assert names(CookieJar(file)) == ["a", "b"]
    jar.set("c", "1", "x.example")
    del jar
    gc.collect()
    assert names(CookieJar(file)) == ["a", "b", "c"]
    other = CookieJar()
    other.load(file)
    other.set("a", "2", "x.example")
    other.save(tmp_path / "other")
    assert {cookie.name: cookie.value for cookie in CookieJar(tmp_path / "other")} == {
        "a": "2",
        "b": "1",
        "c": "1",
    }


LINE = "x.com\tFALSE\t/\tFALSE\t0\tn\t" + SECRET


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"cookies": []}\n', "line 1 does not have seven fields"),
        (f"# comment\n\n{LINE}\nSet-Cookie: a={SECRET}\n", "line 4 does not have seven fields"),
        (f"{LINE}\tmore\n", "line 1 does not have seven fields"),
        (LINE.replace("FALSE", "0"), "line 1 has no TRUE or FALSE as its second field"),
        (LINE.replace("/\tFALSE", "/\tno"), "line 1 has no TRUE or FALSE as its fourth field"),
        (LINE.replace("\t0\t", "\tsoon\t"), "line 1 has no number of seconds"),
        (LINE.replace("x.com", ""), "line 1 has no host name"),
        (LINE.replace("x.com", "Set-Cookie:"), "line 1 has no host name"),
        (f"{LINE}\x01\n", "line 1 has a control character"),
        (f"{LINE}\r\n{LINE}\0\n", "line 2 has a control character"),
    ],
)
def test_file_that_is_no_cookie_file(server: Server, tmp_path: Path, text: str, fault: str) -> None:
    file = tmp_path / "cookies.txt"
    file.write_bytes(text.encode())
    for name in ("cookie_file", "cookie_jar"):
        with pytest.raises(ConnectError) as caught:
            visit(server.url(), **{name: file})
        assert str(caught.value).startswith(f"{name} '{file}' cannot be used: {fault}")
        assert SECRET not in words_of(caught.value)
    jar = CookieJar()
    with pytest.raises(ArgumentError, match=f"^the file '{file}' cannot be used: line "):
        jar.load(file)
    with pytest.raises(ArgumentError):
        CookieJar(file)
    assert len(jar) == 0
    assert server.requests == []
    assert file.read_bytes() == text.encode()


def test_file_that_cannot_be_used(server: Server, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "large").open("w") as large:
        large.truncate((16 << 20) + 1)
    for name, control, words in (
        ("missing", "cookie_file", "cannot be used: No such file"),
        ("missing/x", "cookie_jar", "cannot be written: No such file"),
        (".", "cookie_file", "is not a regular file"),
        (".", "cookie_jar", "is not a regular file"),
        ("pipe", "cookie_file", "is not a regular file"),
        ("pipe", "cookie_jar", "is not a regular file"),
        ("large", "cookie_file", "more than 16 MiB"),
    ):
        with pytest.raises(ConnectError, match=rf"^{control} '[^']*' .*{words}"):
            visit(server.url(), **{control: tmp_path / name})
    with pytest.raises(curlwire.WebSocketError) as caught:
        CookieJar().load(tmp_path / "missing")
    assert caught.value.os_errno == errno.ENOENT
    with pytest.raises(curlwire.WebSocketError) as caught:
        CookieJar().save(tmp_path / "missing/x")
    assert caught.value.os_errno == errno.ENOENT
    assert server.requests == []


def test_the_null_device(server: Server, tmp_path: Path) -> None:
    """It is empty, and what is written to it is thrown away, also by a user who cannot write /dev."""
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)
    (tmp_path / "link").symlink_to(os.devnull)
    server.cookies = ["a=1"]
    with nobody():
        for path in (os.devnull, tmp_path / "link"):
            visit(server.url(), cookie_file=path)
            assert server.sent() == []
            visit(server.url(), cookie_jar=path)
            assert server.sent() == []
        jar = CookieJar(os.devnull)
        visit(server.url(), cookie_jar=jar)
        jar.load(os.devnull)
        jar.save()
        jar.save(os.devnull)
        assert names(jar) == ["a"]
    assert Path(os.devnull).is_char_device() and (tmp_path / "link").is_symlink()
    with pytest.raises(ConnectError, match="is not a regular file"):
        visit(server.url(), cookie_file="/dev/zero")


def test_permissions(server: Server, tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)
    file = tmp_path / "cookies.txt"
    file.write_text("")
    file.chmod(0)
    with nobody():
        with pytest.raises(ConnectError, match=r"^cookie_file .* cannot be used: Permission denied; check"):
            visit(server.url(), cookie_file=file)
        with pytest.raises(ConnectError, match=r"^cookie_jar .* cannot be written: Permission denied; check"):
            visit(server.url(), cookie_jar=file)
        with pytest.raises(curlwire.WebSocketError, match=r"^the file .* cannot be written: Permission"):
            CookieJar(file)
    assert server.requests == []


@contextlib.contextmanager
def small_files() -> Iterator[None]:
    """Limits the size of files that this process writes. The signal SIGXFSZ is ignored in Python."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_file_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "cookies.txt"
    server.cookies = ["a=1"]
    visit(server.url(), cookie_jar=file)
    before = file.read_text()
    server.cookies = [f"a={SECRET}"]
    with small_files(), pytest.raises(ConnectError) as caught:
        visit(server.url(), cookie_jar=file)
    assert str(caught.value).startswith(f"cookie_jar '{file}' cannot be written: File too large")
    assert caught.value.os_errno == errno.EFBIG
    assert SECRET not in words_of(caught.value)
    assert file.read_text() == before
    assert os.listdir(tmp_path) == ["cookies.txt"]
    jar = CookieJar(file)
    with small_files(), pytest.raises(curlwire.WebSocketError, match="cannot be written"):
        jar.save()
    jar.set("b", "1", "x.example")
    server.cookies = []
    with small_files(), pytest.raises(ConnectError):
        visit(server.url(), cookie_jar=jar)
    visit(server.url(), cookie_jar=jar)  # the jar has kept its cookies, and writes them now
    assert names(CookieJar(file)) == ["a", "b"]


# ---- http.cookiejar


def test_mozilla_cookie_jar_reads_ours(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "cookies.txt"
    jar = CookieJar()
    end = int(time.time()) + 1000
    jar.set("a", "1", "example.com", expires=end, secure=True, include_subdomains=True)
    jar.set("b", "", "x.example.com", path="/p", http_only=True, expires=end)
    jar.set("s", "3", "x.example.com")
    jar.save(file)
    theirs = MozillaCookieJar()
    theirs.load(str(file), ignore_discard=True, ignore_expires=True)
    found = {cookie.name: cookie for cookie in theirs}
    assert set(found) == {"a", "b", "s"}
    assert (found["a"].domain, found["a"].path, found["a"].secure, found["a"].expires) == (
        ".example.com", "/", True, end,
    )  # fmt: skip
    assert (found["b"].domain, found["b"].path, found["b"].secure) == ("x.example.com", "/p", False)
    assert found["b"].has_nonstandard_attr("HTTPOnly")
    assert found["s"].expires == 0  # as curl writes a session cookie


def test_we_read_a_mozilla_cookie_jar(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "cookies.txt"
    theirs = MozillaCookieJar(str(file))
    first = CookieJar()
    first.set("a", "1", "example.com", expires=int(time.time()) + 1000, include_subdomains=True)
    first.set("b", "2", "127.0.0.1", path="/p", http_only=True, expires=int(time.time()) + 1000)
    first.save(file)
    theirs.load()
    for cookie in theirs:
        if cookie.name == "b":
            cookie.expires, cookie.discard, cookie.path = None, True, "/"  # they write nothing for the end
            theirs.set_cookie(cookie)
    theirs.save(ignore_discard=True)
    assert "\tFALSE\t\tb\t2\n" in file.read_text()
    mine = {(cookie.name, cookie.path): cookie for cookie in CookieJar(file)}
    assert mine["a", "/"].include_subdomains and mine["a", "/"].domain == "example.com"
    assert mine["b", "/"].expires is None and mine["b", "/"].http_only
    visit(server.url(), cookie_file=file)
    assert server.sent() == ["b=2"]
