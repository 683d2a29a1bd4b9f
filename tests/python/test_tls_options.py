# SPDX-License-Identifier: MIT
"""The controls of TLS against servers, and what information tells of TLS and of the time that a connect took.

The rows "option" of tests/faults/tls.txt are shared with test_tls_options.lua.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, cast

import pytest
from websockets.sync.server import ServerConnection, serve

import curlwire
from curlwire import MessageWebSocket, WebErrorStatus
from peers import WAIT, round_trip, url
from proxies import Proxy, Socks
from test_proxy import context, words_of
from test_tls import address, assert_words, assert_works, folder, named, new, rows, seen

PATHS = {"true": True, "false": False}


def controls_of(text: str) -> dict[str, Any]:
    """Returns the controls of a row, such as "ca_file=ca.pem tls_min_version:=1.3 ca_data<=ca.pem"."""
    found: dict[str, Any] = {}
    for word in text.split():
        name, kind, value = re.split(r"(:=|<=|=)", word, maxsplit=1)
        if kind == "=":
            found[name] = str(folder() / value)
        elif kind == ":=":
            found[name] = PATHS.get(value, value)
        else:
            data = (folder() / value).read_bytes()
            found[name] = data.decode() if name == "pinned_public_key" else data
    return found


@pytest.mark.parametrize(
    ("port", "host", "controls", "outcome", "words", "facts"),
    [pytest.param(*row.values[:5], row.values[5:], id=row.id) for row in rows("option")],
)
def test_tls_option(
    port: str, host: str, controls: str, outcome: str, words: str, facts: tuple[str, ...]
) -> None:
    ws = MessageWebSocket(**controls_of(controls))
    assert ws.information.tls is None
    if outcome != "open":
        with pytest.raises(curlwire.ConnectError) as caught:
            ws.connect(address(port, host))
        assert named(caught.value.status) == outcome.lower()
        assert isinstance(caught.value, curlwire.CertificateError) == outcome.startswith("Certificate")
        assert_words(str(caught.value), words)
        assert "s3cre" not in words_of(caught.value) + repr(ws.control)
        assert ws.state == "new"
        severity = "fatal" if outcome.startswith("Certificate") else None
        assert ws.information.server_certificate_error_severity in (severity, "none")
        assert bool(ws.information.server_certificate_errors) == bool(severity)
        return
    ws.connect(address(port, host))
    assert_works(ws)
    tls = ws.information.tls
    assert tls
    assert [*facts] == [tls.version, tls.cipher][: len(facts)]


BAD: list[tuple[str, str, str]] = [
    ("pinned_public_key", "sha256/abc", "write sha256//"),
    ("pinned_public_key", "sha256//abc", "44 characters"),
    ("pinned_public_key", "sha256//" + "A" * 43 + "=;", "44 characters"),
    *((f"tls_{end}_version", old, "TLS 1.0 and TLS 1.1 are not secure (RFC")
      for end in ("min", "max") for old in ("1.0", "1.1", "TLSv1.1", "SSLv3")),
    ("tls_min_version", "1.4", "it takes '1.2' or '1.3'"),
    ("tls_server_name", "a.example:443", "without scheme, port and path"),
    ("tls_server_name", "wss://a.example", "write a host name"),
    ("tls_ciphers", "A B", "without blanks"),
    ("tls13_ciphers", "Ä", "ASCII"),
    ("tls_groups", "A B", "with : between them"),
]  # fmt: skip


@pytest.mark.parametrize(("control", "value", "words"), BAD)
def test_tls_option_is_wrong(control: str, value: str, words: str) -> None:
    ws = MessageWebSocket()
    before = getattr(ws.control, control)
    with pytest.raises(curlwire.ArgumentError) as caught:
        setattr(ws.control, control, value)
    assert_words(str(caught.value), f"{control}; {value}; {words}")
    assert getattr(ws.control, control) == before


def test_pin_needs_tls() -> None:
    ws = MessageWebSocket(pinned_public_key=(folder() / "server.pin").read_text())
    with pytest.raises(curlwire.ConnectError, match="pinned_public_key is set, and the URI is ws://"):
        ws.connect(url("CW_ECHO_WS"))
    with pytest.raises(curlwire.ConnectError, match="pinned_public_key is set, and the URI is ws://"):
        ws.connect("ws://nowhere.invalid/")  # nothing is looked up


def test_pin_beside_ignored_errors() -> None:
    """A pin is checked on each connection, also on that which ignores an error."""
    for pin, is_right in (("badhost", True), ("server", False)):
        ws = MessageWebSocket(
            ca_file=folder() / "ca.pem",
            ignorable_server_certificate_errors=["InvalidName", "Untrusted", "IncompleteChain"],
            pinned_public_key=(folder() / f"{pin}.pin").read_text(),
        )
        port = new("badhost")
        if is_right:
            ws.connect(address(port))
            assert_works(ws)
            continue
        with pytest.raises(curlwire.CertificateError, match="pinned_public_key"):
            ws.connect(address(port))
        assert ws.information.server_certificate_errors[-1] == "OtherErrors"
        assert seen(port)["plain_bytes"] == 0


@pytest.mark.parametrize("verify", [True, False])
def test_nothing_before_the_pin(verify: bool) -> None:
    port = new("good")
    pin = (folder() / "badhost.pin").read_text()
    ws = MessageWebSocket(ca_file=folder() / "ca.pem", verify=verify, pinned_public_key=pin)
    ws.set_request_header("Authorization", "Bearer swordfish")
    with pytest.raises(curlwire.CertificateError) as caught:
        ws.connect(address(port, path="/secret?token=swordfish"))
    assert caught.value.status is WebErrorStatus.CERTIFICATE_IS_INVALID
    record = seen(port)
    assert record["raw"]
    assert record["plain_bytes"] == 0


def test_stapled_by_openssl() -> None:
    """The OpenSSL of tls.py does not send the status of another certificate.

    The handshake fails, so no WebSocket server is needed.
    """
    response, name = folder() / "another.ocsp", str(folder() / "serverchain")
    command = ["openssl", "s_server", "-accept", "0", "-cert", f"{name}.pem", "-cert_chain", f"{name}.pem"]
    command += ["-key", f"{name}.key", "-status_file", str(response), "-www"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout
            number = next(line.split(":")[-1].strip() for line in server.stdout if line.startswith("ACCEPT"))
            ws = MessageWebSocket(ca_file=folder() / "ca.pem", ocsp_stapling=True)
            with pytest.raises(curlwire.CertificateError, match="for another certificate"):
                ws.connect(address(number))
        finally:
            server.kill()


def test_secret_data_is_not_shown() -> None:
    key = (folder() / "purpose.key").read_bytes()
    ws = MessageWebSocket(client_certificate_data=key, client_key_data=memoryview(key))
    assert ws.control.client_certificate_data == ws.control.client_key_data == "(set)"
    secret = key.decode().splitlines()[1]
    for text in (repr(ws.control), repr(ws), repr(vars(type(ws.control)))):
        assert secret not in text
    with pytest.raises(curlwire.ArgumentError, match="client_key_data cannot be 1048577 bytes long") as caught:
        ws.control.client_key_data = (key * 10000)[:1048577]
    assert secret not in words_of(caught.value)
    with pytest.raises(TypeError, match="client_key_data must be a bytes-like object") as wrong:
        ws.control.client_key_data = cast(Any, key.decode())
    assert secret not in str(wrong.value)
    with pytest.raises(curlwire.ConnectError) as failed:
        ws.connect(address("client"))
    assert secret not in words_of(failed.value)
    ws.control.client_key_data = None
    assert ws.control.client_key_data is None


def hello_has(port: str, extension: str) -> bool:
    return extension in seen(port)["raw"]


def test_groups_are_offered() -> None:
    """RFC 8446 section 4.2.7: the extension supported_groups, with the two groups in this order."""
    port = new("good")
    ws = curlwire.connect(address(port), ca_file=folder() / "ca.pem", tls_groups="P-384:P-256")
    assert_works(ws)
    assert hello_has(port, "000a" + "0006" + "0004" + "0018" + "0017")


# ---- The name for TLS


@pytest.mark.parametrize(("host", "name", "sni"), [
    ("127.0.0.1", "localhost", "localhost"), ("localhost", "[::1]", None),
    ("localhost", "LocalHost", "localhost"),
])  # fmt: skip
def test_server_name_is_only_for_tls(host: str, name: str, sni: str | None) -> None:
    port = new("good")
    assert_works(curlwire.connect(address(port, host), ca_file=folder() / "ca.pem", tls_server_name=name))
    record = seen(port)
    assert (record["sni"], record["host"]) == (sni, f"{host}:{port}")


def test_server_name_beside_a_host_header() -> None:
    port = new("good")
    options: Any = {"ca_file": folder() / "ca.pem", "tls_server_name": "localhost"}
    ws = curlwire.connect(address(port, "127.0.0.1"), headers={"Host": "mine.example"}, **options)
    assert_works(ws)
    assert (seen(port)["sni"], seen(port)["host"]) == ("localhost", "mine.example")


def test_server_name_beside_a_user() -> None:
    """The user and password of the URI still reach the server."""
    sizes = []
    for user in ("", "user:swordfish@"):
        port = new("good")
        uri = address(port, "127.0.0.1").replace("//", f"//{user}")
        assert_works(curlwire.connect(uri, ca_file=folder() / "ca.pem", tls_server_name="localhost"))
        sizes.append(seen(port)["plain_bytes"])
    assert sizes[1] >= sizes[0] + len("Authorization: Basic ")


def test_server_name_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy is told the URI's host, not the name for TLS."""
    with Proxy() as proxy:
        monkeypatch.setenv("wss_proxy", f"http://127.0.0.1:{proxy.port}")
        port = new("badhost")
        ws = MessageWebSocket(ca_file=folder() / "ca.pem", tls_server_name="elsewhere.invalid")
        ws.connect(address(port))
        assert_works(ws)
        assert proxy.heads.get(timeout=WAIT).startswith(f"CONNECT localhost:{port} ")
        assert seen(port)["sni"] == "elsewhere.invalid"


@pytest.mark.parametrize("scheme", ["http", "https", "socks5h"])
def test_information_through_a_proxy(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """information.tls is of the server, not of the proxy, and each part of the connect has its time."""
    proxy_context = context()
    proxy_context.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        Socks() if scheme == "socks5h" else Proxy(context=proxy_context if scheme == "https" else None) as proxy
    ):
        monkeypatch.setenv("wss_proxy", f"{scheme}://localhost:{proxy.port}")
        data = (folder() / "ca.pem").read_bytes()  # it is trusted for an https:// proxy too
        ws = curlwire.connect(address("good"), ca_data=data)
        assert_works(ws)
        tls, timings = ws.information.tls, ws.information.timings
        assert tls
        assert (tls.version, tls.authorities) == ("TLSv1.3", "ca_data")
        assert None not in timings
        assert sum(part or 0 for part in timings[:5]) <= (timings.total or 0)
        for control in ({"pinned_public_key": (folder() / "badhost.pin").read_text()}, {"ocsp_stapling": True}):
            with pytest.raises(curlwire.CertificateError, match="of localhost"):
                curlwire.connect(address("good"), ca_data=data, **control)
        with pytest.raises(curlwire.CertificateError):
            curlwire.connect(address("good"), ca_data=(folder() / "other-ca.pem").read_bytes())


# ---- Resumption


class Server:
    """A TLS server that says whether each connection has resumed a session."""

    def __init__(self) -> None:
        self.resumed: list[bool | None] = []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(folder() / "server.pem", folder() / "server.key")
        self.server = serve(self.talk, "127.0.0.1", 0, ssl=self.context)
        self.uri = f"wss://localhost:{self.server.socket.getsockname()[1]}"

    def talk(self, ws: ServerConnection) -> None:
        self.resumed.append(cast(ssl.SSLSocket, ws.socket).session_reused)
        with contextlib.suppress(Exception):
            for message in ws:
                ws.send(message)


@contextlib.contextmanager
def resuming() -> Iterator[Server]:
    peer = Server()
    with peer.server:
        thread = threading.Thread(target=peer.server.serve_forever, daemon=True)
        thread.start()
        yield peer
        peer.server.shutdown()
        thread.join(WAIT)


def connect_to(peer: Server, **options: Any) -> curlwire.MessageWebSocket:
    given = {"ca_file": folder() / "ca.pem", "tls_session_resumption": True, **options}
    ws: curlwire.MessageWebSocket = curlwire.connect(peer.uri, **given)
    with ws:
        round_trip(ws)
    return ws


def test_resumption() -> None:
    with resuming() as peer:
        sockets = [connect_to(peer) for _ in range(3)]
        assert peer.resumed == [False, True, True]
        assert [ws.information.tls.is_resumed for ws in sockets if ws.information.tls] == peer.resumed
        assert sockets[0].information.server_certificate is not None
        assert sockets[1].information.server_certificate is None  # a resumed session sends none
        connect_to(peer, tls_session_resumption=False)
        assert peer.resumed[3] is False


def test_resumption_tls12() -> None:
    """libcurl asks for no ticket before TLS 1.3, so the server must keep the session, as this one does."""
    port, resumed = new("tls12"), []
    for _ in range(3):
        ws = curlwire.connect(address(port), ca_file=folder() / "ca.pem", tls_session_resumption=True)
        assert ws.information.tls
        resumed.append(ws.information.tls.is_resumed)
        assert_works(ws)
    assert resumed == [False, False, True]  # tls.py gives the first connection a context of its own


def test_resumption_skips_no_check() -> None:
    """A session is never resumed by a socket that checks more or otherwise than the one that made it."""
    pin = (folder() / "server.pin").read_text()
    with resuming() as peer:
        connect_to(peer, verify=False)
        assert peer.resumed == [False]
        for wrong in ({"ca_file": folder() / "other-ca.pem"}, {"ca_file": None},
                      {"ca_file": None, "ca_data": (folder() / "other-ca.pem").read_bytes()},
                      {"pinned_public_key": (folder() / "badhost.pin").read_text()},
                      {"tls_server_name": "elsewhere.invalid"}):  # fmt: skip
            connect_to(peer)
            with pytest.raises(curlwire.CertificateError):
                connect_to(peer, **wrong)
        count = len(peer.resumed)
        connect_to(peer, pinned_public_key=pin)
        connect_to(peer, ca_file=None, ca_data=(folder() / "ca.pem").read_bytes())
        connect_to(peer, verify=False)
        connect_to(peer, crl_file=folder() / "crl.pem")
        connect_to(peer, client_certificate=folder() / "client-both.pem")
        connect_to(peer, ignorable_server_certificate_errors=["InvalidName"])
        ws = MessageWebSocket(ca_file=folder() / "ca.pem", tls_session_resumption=True)
        ws.on_server_custom_validation_requested = lambda ws, args: None
        ws.connect(peer.uri)
        round_trip(ws)
        ws.close()
        assert peer.resumed[count:] == [False] * 7
        connect_to(peer)
        assert peer.resumed[-1] is True  # and the session of the first kind is still there
        connect_to(peer, pinned_public_key=pin)
        assert peer.resumed[-1] is True


def test_resumption_in_threads() -> None:
    """libcurl calls our locks in each thread that reads."""
    with resuming() as peer:
        connect_to(peer)

        def run() -> None:
            for _ in range(10):
                connect_to(peer)

        threads = [threading.Thread(target=run) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT)
        assert len(peer.resumed) == 81
        assert True in peer.resumed


FORK = """
import curlwire, os, sys
def connect():
    with curlwire.connect(sys.argv[1], ca_file=sys.argv[2], tls_session_resumption=True) as ws:
        ws.send("x")
        ws.recv()
        return ws.information.tls.is_resumed
first, second = connect(), connect()
child = os.fork()
if child == 0:
    os._exit(10 + 2 * connect() + connect())
print(first, second, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), connect())
"""


def test_resumption_after_fork() -> None:
    """A child has sessions of its own: its first connect resumes none, its second one does."""
    with resuming() as peer:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", FORK, peer.uri, str(folder() / "ca.pem")],
            capture_output=True, text=True, timeout=WAIT, check=False,
        )  # fmt: skip
        assert (done.stdout.split(), done.stderr) == (["False", "True", "11", "True"], "")


# ---- What information tells


def test_information_tls() -> None:
    ws = curlwire.connect(address("alpn"), ca_file=folder() / "ca.pem")
    facts = ws.information.tls
    authorities = f"ca_file: {folder()}/ca.pem"
    # libcurl offers no protocol by ALPN for wss (8.14.1, 8.22), so this server chooses none
    assert facts == ("TLSv1.3", "TLS_AES_256_GCM_SHA384", None, authorities, False)
    assert isinstance(facts, curlwire.TlsInformation)
    assert_works(ws)
    assert ws.information.tls == facts  # after the end too
    plain = curlwire.connect(url("CW_ECHO_WS"))
    assert plain.information.tls is None
    plain.close()
    unchecked = curlwire.connect(address("tls12"), verify=False)
    assert unchecked.information.tls == ("TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384", None, None, False)
    unchecked.close()
    data = curlwire.connect(address("good"), ca_data=(folder() / "ca.pem").read_bytes())
    assert data.information.tls and data.information.tls.authorities == data.authorities == "ca_data"
    data.close()


def test_information_of_the_last_connect() -> None:
    ws = MessageWebSocket(ca_file=folder() / "ca.pem")
    assert ws.information.timings == (None,) * 6
    assert isinstance(ws.information.timings, curlwire.Timings)
    with pytest.raises(curlwire.CertificateError):
        ws.connect(address("badhost12"))
    assert ws.information.tls and ws.information.tls.version == "TLSv1.2"
    failed = ws.information.timings
    assert failed.look_up is not None and failed.tcp is not None and failed.total is not None
    assert failed.proxy is failed.tls is failed.upgrade is None
    with pytest.raises(curlwire.ConnectError):
        ws.connect(address("plain"))
    assert ws.information.tls is None
    with pytest.raises(curlwire.ConnectError):
        ws.connect("wss://nowhere.invalid/")
    assert ws.information.timings[:5] == (None,) * 5
    assert ws.information.timings.total is not None
    ws.connect(address("good"))
    opened = ws.information.timings
    assert_works(ws)
    assert ws.information.timings == opened
    assert opened.proxy is None
    parts = [part for part in opened[:5] if part is not None]
    assert len(parts) == 4
    assert opened.total is not None and sum(parts) <= opened.total


class Slow:
    """A TCP server that answers the upgrade when it is told to, or at a time after it has read the request."""

    def __init__(self, most_s: float = WAIT) -> None:
        self.most_s = most_s
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.uri = f"ws://127.0.0.1:{self.listener.getsockname()[1]}/"
        self.may_refuse = threading.Event()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        connection, _ = self.listener.accept()
        with connection:
            connection.recv(65536)
            self.may_refuse.wait(self.most_s)
            connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")


def test_timings_measure() -> None:
    """The time that the server takes for its answer is in upgrade, and in no other part."""
    server, ws = Slow(0.5), MessageWebSocket()
    begun = time.monotonic()
    with pytest.raises(curlwire.HandshakeError):
        ws.connect(server.uri)
    took = time.monotonic() - begun
    timings = ws.information.timings
    assert timings.upgrade is not None and timings.total is not None
    assert 0.4 < timings.upgrade <= timings.total <= took
    assert timings.tls is timings.proxy is None
    server.listener.close()


def test_timings_of_a_timeout() -> None:
    for timeout in (0.3, 3, 30):  # on a busy machine the time may be over before TCP is connected
        server, ws = Slow(), MessageWebSocket(connect_timeout=timeout)
        with pytest.raises(curlwire.ConnectTimeout):
            ws.connect(server.uri)
        server.may_refuse.set()
        server.listener.close()
        timings = ws.information.timings
        if timings.tcp is not None:
            break
    assert timings.tcp is not None and timings.upgrade is None
    assert timings.total is not None and 0.2 < timings.total < WAIT
