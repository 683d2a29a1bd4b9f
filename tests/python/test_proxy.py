# SPDX-License-Identifier: MIT
"""Tests of proxies: which one is used, errors that show no secret, and errors that say whether the proxy or the
server failed. tests/faults/proxies.txt has the values. tests/core/test_proxy.c tests no_proxy."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import curlwire
from curlwire import MessageWebSocket, WebErrorStatus
from peers import WAIT, decodes_natively, echo, round_trip, url
from proxies import Proxy, Socks, read_head, reply, reset, server_context, stalled_behind, tunnel, until_gone

ROWS = [
    [column.strip() for column in line.split("|")]
    for line in (Path(__file__).parent.parent / "faults" / "proxies.txt")
    .read_text(encoding="utf-8")
    .splitlines()
    if line and not line.startswith("#")
]
PLAIN = ("ws_proxy", "WS_PROXY", "http_proxy", "all_proxy", "ALL_PROXY")
TLS = ("wss_proxy", "WSS_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
ALL = sorted({*PLAIN, *TLS, "HTTP_PROXY", "no_proxy", "NO_PROXY"})
UNKNOWN = "x" * 64 + ".invalid"  # the label is longer than 63, so no name server is asked
QUICK_S = 30.0  # far below connect_timeout, and far above the time of an answer


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ALL:
        monkeypatch.delenv(name, raising=False)


def rows(kind: str) -> Any:
    found = [pytest.param(*row[2:], id=row[1]) for row in ROWS if row[0] == kind]
    assert found
    return found


def tls_folder() -> Path:
    return Path(url("CW_TLS_FOLDER", ""))


def tls_address(port: str, host: str = "localhost") -> str:
    ports = dict(word.split("=") for word in url("CW_TLS_PORTS", "").split())
    return f"wss://{host}:{ports[port]}/s/echo/end"


def context(certificate: str = "server", **options: Any) -> ssl.SSLContext:
    return server_context(
        str(tls_folder() / f"{certificate}.pem"), str(tls_folder() / f"{certificate}.key"), **options
    )


def words_of(error: BaseException) -> str:
    """Returns every text of an error that may appear in a log."""
    return "".join(
        [repr(error), str(error), repr(error.args), repr(vars(error)), *traceback.format_exception(error)]
    )


def fails(uri: str, **control: Any) -> curlwire.ConnectError:
    """Connects and returns the error, which must come at once."""
    ws = MessageWebSocket(**control)
    begin = time.monotonic()
    with pytest.raises(curlwire.ConnectError) as caught:
        ws.connect(uri)
    assert time.monotonic() - begin < QUICK_S
    assert ws.state == "new"
    assert caught.value.status is not WebErrorStatus.UNKNOWN
    return caught.value


def assert_works(uri: str, **control: Any) -> None:
    with curlwire.connect(uri, **control) as ws:
        round_trip(ws)


def assert_decodes_safely(uri: str, **control: Any) -> None:
    """Checks that an old libcurl goes on decoding where bytes of the proxy spoil the kernel's count."""
    with curlwire.connect(uri, **control) as ws:
        assert ws.framing == ("native" if decodes_natively() else "mixed")
        round_trip(ws)


# ---- values


@pytest.mark.parametrize(("value", "words"), rows("malformed"))
def test_proxy_malformed(value: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for scheme, names in (("ws", PLAIN), ("wss", TLS)):
        for name in names:
            with monkeypatch.context() as patch:
                patch.setenv(name, value.replace("\\s", " ").replace("\\t", "\t"))
                error = fails(f"{scheme}://server.invalid/", connect_timeout=WAIT)
            text = words_of(error)
            assert "s3c" not in text.replace(value, "") and "j0hnny" not in text
            assert f"the environment variable {name} is malformed: " in str(error)
            assert words in str(error)
            assert error.status is WebErrorStatus.UNEXPECTED_CLIENT_ERROR
            assert error.curl_code == 0  # libcurl was not called


@pytest.mark.parametrize(("value", "status", "words"), rows("unusable"))
def test_proxy_unusable(value: str, status: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = url("CW_REFUSED_WS").rpartition(":")[2].strip("/")
    for scheme, names in (("ws", PLAIN), ("wss", TLS)):
        for name in names:
            with monkeypatch.context() as patch:
                patch.setenv(name, value.format(refused=refused, unknown=UNKNOWN))
                error = fails(f"{scheme}://server.invalid/")
            text = words_of(error)
            assert "s3c" not in text and "j0hnny" not in text
            assert error.status.name.replace("_", "").lower() == status.lower()
            for word in words.format(refused=refused, variable=name).split("; "):
                assert word in str(error)


def test_proxy_malformed_connects_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A malformed proxy must be an error. The server exists, so a direct connect would succeed."""
    for row in ROWS:
        if row[0] == "malformed":
            monkeypatch.setenv("http_proxy", row[2].replace("\\s", " ").replace("\\t", "\t"))
            fails(echo())


# ---- which variable counts


@pytest.mark.parametrize("name", PLAIN)
def test_proxy_variable(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Proxy() as proxy:
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert_decodes_safely(echo())
        assert proxy.connections == 1


@pytest.mark.parametrize("name", TLS)
def test_proxy_variable_tls(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Proxy() as proxy:
        monkeypatch.setenv(name, f"127.0.0.1:{proxy.port}/")
        assert_works(tls_address("good"), ca_file=tls_folder() / "ca.pem")
        assert proxy.connections == 1


def test_proxy_variables_that_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "wss_proxy", "ftp_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert_works(echo())
    monkeypatch.setenv("ws_proxy", "")
    assert_works(echo())
    monkeypatch.undo()
    for name in ("http_proxy", "HTTP_PROXY", "ws_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert_works(tls_address("good"), ca_file=tls_folder() / "ca.pem")


def test_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """no_proxy matches the port too. A matching host is connected directly, even if the proxy is malformed."""
    port = echo().rpartition(":")[2].strip("/")
    for name in ("no_proxy", "NO_PROXY"):
        for proxy in ("http://127.0.0.1:1", "foo://x"):
            for value in (f"127.0.0.1:{port}", "127.0.0.1", "127.0.0.0/8", "*", f"other:1, 127.0.0.1:{port}"):
                with monkeypatch.context() as patch:
                    patch.setenv("http_proxy", proxy)
                    patch.setenv(name, value)
                    assert_works(echo())
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    for value in ("127.0.0.1:1", "128.0.0.0/8", "localhost", "27.0.0.1"):
        monkeypatch.setenv("no_proxy", value)
        assert "the proxy 127.0.0.1:1" in str(fails(echo()))


# ---- HTTP


BODIES = {
    "no body": "Content-Length: 0\n\n",
    "a body": "Content-Length: 4\n\nbody",
    "a close": "Connection: close\nContent-Length: 0\n\n",
}
STALLS = {  # each holds the error back for a second (test_refusals.py)
    "a body that stalls": "Content-Length: 400\n\nbody",
    "chunks that stall": "Transfer-Encoding: chunked\n\n4\nbody\n",
    "a body without end": "\nbody",
}
REFUSALS = {
    403: (WebErrorStatus.FORBIDDEN, "does not allow this connection"),
    407: (WebErrorStatus.PROXY_AUTHENTICATION_REQUIRED, "wants a user and a password"),
    502: (WebErrorStatus.BAD_GATEWAY, "could not reach the server"),
    301: (WebErrorStatus.MOVED_PERMANENTLY, "HTTP status 301"),
    101: (WebErrorStatus.UNEXPECTED_STATUS_CODE, "HTTP status 101"),
}


@pytest.mark.parametrize("uri", ["ws://server.invalid/", "wss://server.invalid/"])
@pytest.mark.parametrize(
    ("status", "body"),
    [
        *((status, body) for status in REFUSALS for body in BODIES.values()),
        *((403, stall) for stall in STALLS.values()),
    ],
)
def test_proxy_refuses(status: int, body: str, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"HTTP/1.1 {status} Because\nProxy-Authenticate: Basic\nX-Reason: tired\n{body}"
    with Proxy(reply(text)) as proxy:
        monkeypatch.setenv("all_proxy", f"http://127.0.0.1:{proxy.port}")
        error = fails(uri)
    wanted, words = REFUSALS[status]
    assert error.status is wanted
    assert error.http_status == status
    assert f"the proxy 127.0.0.1:{proxy.port} (all_proxy) refused to connect to server.invalid" in str(error)
    assert words in str(error)
    assert error.headers["X-Reason"] == "tired"
    assert proxy.connections == 1


@pytest.mark.parametrize("scheme", ["Basic realm=x", "Digest realm=x, nonce=y", "NTLM", "Negotiate"])
def test_proxy_refuses_user(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    head = f"HTTP/1.1 407 No\nProxy-Authenticate: {scheme}\nContent-Length: 0\n\n"
    with Proxy(reply(head)) as proxy:
        monkeypatch.setenv("http_proxy", f"http://j0hnny:s3cret%2f@127.0.0.1:{proxy.port}")
        error = fails("ws://server.invalid/")
        assert error.status is WebErrorStatus.PROXY_AUTHENTICATION_REQUIRED
        name = scheme.partition(" ")[0]
        words = f"offers the login {name} only" if name != "Basic" else "does not accept this user and password"
        assert words in str(error)
        request = proxy.heads.get(timeout=WAIT)
    basic = base64.b64encode(b"j0hnny:s3cret/").decode()
    assert f"Proxy-Authorization: Basic {basic}\r\n" in request
    for secret in ("s3c", "j0hnny", basic):
        assert secret not in words_of(error)


@pytest.mark.parametrize("user", ["", "other:password@"])
@pytest.mark.parametrize("uri", ["ws", "wss"])
def test_proxy_credential(uri: str, user: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes before the variable's, only to the proxy. The server's goes only to the server."""
    basic = base64.b64encode(b"j0hnny:s3cret").decode()
    heads: list[bytes] = []

    def watch(connection: socket.socket, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 Go\r\n\r\n")
        heads.append(read_head(connection))
        connection.sendall(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")
        until_gone(connection)

    control: dict[str, Any] = {"proxy_credential": ("j0hnny", "s3cret"), "server_credential": ("me", "mine")}
    with Proxy(watch if uri == "ws" else tunnel) as proxy:
        monkeypatch.setenv("all_proxy", f"http://{user}127.0.0.1:{proxy.port}")
        if uri == "ws":
            assert fails("ws://server.invalid/", **control).http_status == 401
            assert b"Proxy-Authorization" not in heads[0]
            assert b"\r\nAuthorization: Basic " + base64.b64encode(b"me:mine") + b"\r\n" in heads[0]
        else:
            assert_works(tls_address("good"), ca_file=tls_folder() / "ca.pem", **control)
        request = proxy.heads.get(timeout=WAIT)
        assert f"Proxy-Authorization: Basic {basic}\r\n" in request
        assert "\nAuthorization" not in request
    with Proxy(reply("HTTP/1.1 407 No\nProxy-Authenticate: Basic\nContent-Length: 0\n\n")) as proxy:
        monkeypatch.setenv("all_proxy", f"http://{user}127.0.0.1:{proxy.port}")
        error = fails(f"{uri}://server.invalid/", **control)
        assert "this user and password; correct proxy_credential" in str(error)
        for secret in ("s3c", "j0hnny", basic):
            assert secret not in words_of(error)
        error = fails(f"{uri}://server.invalid/")
        assert (
            "correct them in the URI of the proxy" if user else "set proxy_credential, or write user:"
        ) in str(error)


def test_proxy_credential_for_socks(monkeypatch: pytest.MonkeyPatch) -> None:
    with Socks(user=("j0hnny", "s3cret")) as proxy:
        monkeypatch.setenv("http_proxy", f"socks5h://other:password@127.0.0.1:{proxy.port}")
        assert_decodes_safely(echo(), proxy_credential=("j0hnny", "s3cret"))
        error = fails(echo(), proxy_credential=("j0hnny", "s3creT"))
        assert error.status is WebErrorStatus.PROXY_AUTHENTICATION_REQUIRED
        assert "set proxy_credential" in str(error)
        assert "s3c" not in words_of(error) and "j0hnny" not in words_of(error)
        for long in (("j" * 256, "s3cret"), ("j0hnny", "s" * 256)):
            error = fails(echo(), proxy_credential=long)
            assert "has more than 255 bytes, which SOCKS cannot send" in str(error)


def test_proxy_answers_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """No part of the proxy's 200 reply is taken for the server's reply."""

    def answer(connection: socket.socket, _: bytes) -> None:
        for line in ("HTTP/1.0 200 Connection established\r\n", "Via: someone\r\n", "\r\n"):
            connection.sendall(line.encode())
        head = read_head(connection)
        assert b"Proxy-Authorization" not in head
        connection.sendall(b"HTTP/1.1 404 Not Found\r\nX-Of: the-server\r\nContent-Length: 0\r\n\r\n")
        until_gone(connection)

    with Proxy(answer) as proxy:
        monkeypatch.setenv("http_proxy", f"http://u:p@127.0.0.1:{proxy.port}")
        error = fails("ws://server.invalid/")
    assert error.status is WebErrorStatus.NOT_FOUND
    assert "the server refused the WebSocket with HTTP status 404" in str(error)
    assert dict(error.headers) == {"X-Of": "the-server", "Content-Length": "0"}


BROKEN: dict[str, tuple[Callable[[socket.socket, bytes], None], str]] = {
    "ends": (lambda connection, _: None, "was lost"),
    "resets": (reset, "reset"),
    "ends in its reply": (reply("HTTP/1.1 200 Go\nVia: x", lambda *_: None), "was lost"),
    "no HTTP": (reply("SSH-2.0-OpenSSH\n\n"), "not HTTP/1.1"),
    "headers without end": (reply("HTTP/1.1 200 Go\n" + 70000 * "X: y\n"), "reply of the proxy"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_proxy_breaks(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answer, words = BROKEN[how]
    with Proxy(answer) as proxy:
        monkeypatch.setenv("http_proxy", f"http://j0hnny:s3cret@127.0.0.1:{proxy.port}")
        error = fails("ws://server.invalid/")
    assert f"127.0.0.1:{proxy.port}" in str(error)
    assert "the proxy" in str(error)
    assert words in str(error)
    assert error.http_status == 0
    assert "j0hnny" not in words_of(error)


@pytest.mark.parametrize("scheme", ["http", "https", "socks4", "socks4a", "socks5", "socks5h"])
@pytest.mark.parametrize("uri", ["ws://127.0.0.1:9/", "wss://127.0.0.1:9/"])
def test_proxy_stalls(scheme: str, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Proxy() as proxy:
        proxy.talk = until_gone  # type: ignore[method-assign]
        monkeypatch.setenv("all_proxy", f"{scheme}://127.0.0.1:{proxy.port}")
        stalled_behind(f"the proxy 127.0.0.1:{proxy.port}", uri)


@pytest.mark.parametrize("kind", ["http", "socks5h"])
@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_server_stalls_behind_a_proxy(kind: str, scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A timeout of the server behind a proxy is not blamed on the proxy."""
    with Proxy() as server, Proxy() if kind == "http" else Socks() as proxy:
        server.talk = until_gone  # type: ignore[method-assign]
        monkeypatch.setenv("all_proxy", f"{kind}://127.0.0.1:{proxy.port}")
        error = stalled_behind("not connected within", f"{scheme}://127.0.0.1:{server.port}/", without="proxy")
    assert "proxy" not in str(error)


# ---- SOCKS


@pytest.mark.parametrize("scheme", ["socks", "socks4", "socks4a", "socks5", "socks5h"])
def test_socks(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = echo().replace("127.0.0.1", "localhost") if scheme.endswith(("a", "h")) else echo()
    with Socks() as proxy:
        monkeypatch.setenv("http_proxy", f"{scheme}://127.0.0.1:{proxy.port}")
        assert_works(uri)
        proxy.heads.get(timeout=WAIT)
        assert ("localhost" in proxy.heads.get(timeout=WAIT)) == scheme.endswith(("a", "h"))
        monkeypatch.setenv("https_proxy", f"{scheme}://127.0.0.1:{proxy.port}")
        assert_works(tls_address("good", "127.0.0.1"), ca_file=tls_folder() / "ca.pem")
        assert proxy.connections == 2


def test_socks_user(monkeypatch: pytest.MonkeyPatch) -> None:
    with Socks(user=("j0hnny", "s3c/ret")) as proxy:
        monkeypatch.setenv("http_proxy", f"socks5h://j0hnny:s3c%2Fret@127.0.0.1:{proxy.port}")
        assert_decodes_safely(echo())
        for user in ("j0hnny:s3cret@", ""):
            monkeypatch.setenv("http_proxy", f"socks5h://{user}127.0.0.1:{proxy.port}")
            error = fails(echo())
            assert error.status is WebErrorStatus.PROXY_AUTHENTICATION_REQUIRED
            assert f"the proxy 127.0.0.1:{proxy.port}" in str(error)
            assert "s3c" not in words_of(error)


@pytest.mark.parametrize(
    ("scheme", "refusal", "status", "words"),
    [
        ("socks5h", 1, "CANNOT_CONNECT", "could not connect"),
        ("socks5h", 2, "FORBIDDEN", "does not allow"),
        ("socks5h", 3, "SERVER_UNREACHABLE", "cannot reach the network"),
        ("socks5h", 4, "SERVER_UNREACHABLE", "cannot reach"),
        ("socks5h", 5, "CANNOT_CONNECT", "refused the connection"),
        ("socks4a", 91, "CANNOT_CONNECT", "refused or failed to connect"),
        ("socks4a", 93, "PROXY_AUTHENTICATION_REQUIRED", "refused the user"),
    ],
)
def test_socks_refuses(
    scheme: str, refusal: int, status: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Socks(refusal) as proxy:
        monkeypatch.setenv("http_proxy", f"{scheme}://127.0.0.1:{proxy.port}")
        error = fails("ws://server.invalid/")
    assert error.status is WebErrorStatus[status]
    assert f"the proxy 127.0.0.1:{proxy.port}" in str(error)
    assert words in str(error)


@pytest.mark.parametrize("scheme", ["socks4", "socks5", "socks5h"])
@pytest.mark.parametrize("how", ["ends", "resets", "no HTTP"])
def test_socks_breaks(scheme: str, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Socks(answer=BROKEN[how][0]) as proxy:
        monkeypatch.setenv("http_proxy", f"{scheme}://127.0.0.1:{proxy.port}")
        error = fails(echo())
    assert f"the proxy 127.0.0.1:{proxy.port}" in str(error)


def test_socks_resolves_here(monkeypatch: pytest.MonkeyPatch) -> None:
    with Socks() as proxy:
        monkeypatch.setenv("http_proxy", f"socks5://127.0.0.1:{proxy.port}")
        error = fails(f"ws://{UNKNOWN}/")
    assert error.status is WebErrorStatus.HOST_NAME_NOT_RESOLVED
    assert "the host xxx" in str(error) and "cannot be resolved" in str(error)


# ---- TLS to the proxy

CERTIFICATES = [  # certificates of the proxy
    ("expired", "CERTIFICATE_EXPIRED", "has expired: give the proxy a new certificate"),
    ("future", "CERTIFICATE_EXPIRED", "is not valid yet"),
    ("badhost", "CERTIFICATE_COMMON_NAME_IS_INCORRECT", "is for another name"),
    (
        "selfsigned",
        "CERTIFICATE_IS_INVALID",
        "is self-signed: if you trust it, set proxy_ca_file to its file",
    ),
    ("unknown", "CERTIFICATE_IS_INVALID", "unknown authority"),
    ("purpose", "CERTIFICATE_IS_INVALID", "was not issued for servers"),
]


@pytest.mark.parametrize(("certificate", "status", "words"), CERTIFICATES)
@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize("is_tls", [False, True])
def test_proxy_certificate(
    certificate: str, status: str, words: str, verify: bool, is_tls: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = tls_address("good") if is_tls else echo()
    control: dict[str, Any] = {"ca_file": tls_folder() / "ca.pem", "verify": verify}
    with Proxy(context=context(certificate)) as proxy:
        monkeypatch.setenv("all_proxy", f"https://j0hnny:s3cret@localhost:{proxy.port}")
        error = fails(uri, **control)
        assert isinstance(error, curlwire.CertificateError)
        assert error.status is WebErrorStatus[status]
        assert str(error).startswith(f"the certificate of the proxy localhost:{proxy.port} ")
        assert words in str(error)
        assert proxy.heads.empty()  # no request is sent before the certificate is verified
        assert_works(uri, proxy_verify=False, **control)
        request = proxy.heads.get(timeout=WAIT)
        assert request.startswith("CONNECT ") and "Proxy-Authorization: Basic " in request


def test_information_is_not_of_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with Proxy(context=context("expired")) as proxy:
        monkeypatch.setenv("all_proxy", f"https://localhost:{proxy.port}")
        ws = MessageWebSocket(ca_file=tls_folder() / "ca.pem")
        with pytest.raises(curlwire.CertificateError):
            ws.connect(tls_address("good"))
        assert ws.information.server_certificate is None
        assert ws.information.server_certificate_errors == ()
        assert ws.information.server_certificate_error_severity is None
        ws.control.proxy_verify = False
        with pytest.raises(curlwire.CertificateError):
            ws.connect(tls_address("badhost"))
        if ws.information.server_certificate_errors != ("OtherErrors",):  # 8.14.1 infers it from an alert
            assert ws.information.server_certificate_errors == ("InvalidName",)
        ws.connect(tls_address("good"))
        sent = ws.information.server_certificate
        assert sent and "DNS:localhost" in sent.subject_alternative_names
        assert sent.pem == (tls_folder() / "server.pem").read_text()
        assert ws.information.server_intermediate_certificates == ()
        ws.close()


@pytest.mark.parametrize("port", ["expired", "badhost", "selfsigned", "unknown", "weak"])
def test_server_certificate_behind_a_proxy_of_tls(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Proxy(context=context()) as proxy:
        monkeypatch.setenv("https_proxy", f"https://localhost:{proxy.port}")
        error = fails(tls_address(port), ca_file=tls_folder() / "ca.pem", proxy_verify=False)
        assert isinstance(error, curlwire.CertificateError)
        assert str(error).startswith("the certificate of localhost ")
        assert "proxy" not in str(error)
        assert_works(tls_address(port), ca_file=tls_folder() / "ca.pem", verify=False)


def test_proxy_ca_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """proxy_ca_file replaces ca_file for the proxy only."""
    trusted, own = tls_folder() / "ca.pem", tls_folder() / "selfsigned.pem"
    with Proxy(context=context("selfsigned")) as proxy:
        monkeypatch.setenv("all_proxy", f"https://localhost:{proxy.port}")
        assert_works(tls_address("good"), ca_file=trusted, proxy_ca_file=own)
        assert_works(echo(), proxy_ca_file=own)
        assert_works(echo(), ca_file=own)
        error = fails(tls_address("good"), ca_file=trusted)
        assert "the certificate of the proxy localhost" in str(error)
        error = fails(tls_address("good"), ca_file=own, proxy_ca_file=own)
        assert str(error).startswith("the certificate of localhost ")
        error = fails(echo(), ca_file=own, proxy_ca_file=trusted)
        assert "the certificate of the proxy localhost" in str(error)
        error = fails(tls_address("good"), ca_file=trusted, proxy_ca_file="/nowhere/p.pem")
        assert "proxy_ca_file '/nowhere/p.pem' cannot be used: No such file or directory" in str(error)


def old_tls() -> ssl.SSLContext:
    old = context(maximum_version=ssl.TLSVersion.TLSv1_1, minimum_version=ssl.TLSVersion.TLSv1)
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    return old


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_proxy_speaks_no_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(connection: socket.socket) -> bytes:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        raise ConnectionError

    with Proxy() as proxy:
        proxy.read = read  # type: ignore[method-assign]
        monkeypatch.setenv("http_proxy", f"https://localhost:{proxy.port}")
        error = fails(echo())
    assert error.status is WebErrorStatus.CANNOT_CONNECT
    assert f"the proxy localhost:{proxy.port} does not speak TLS there: write http:// in http_proxy" in str(
        error
    )
    with Proxy(context=old_tls()) as proxy:
        monkeypatch.setenv("http_proxy", f"https://localhost:{proxy.port}")
        error = fails(echo())
    assert f"the proxy localhost:{proxy.port} does not support TLS 1.2 or later" in str(error)


def test_proxy_of_tls_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    with Proxy(reply("HTTP/1.1 407 No\nContent-Length: 400\n\n"), context()) as proxy:
        monkeypatch.setenv("https_proxy", f"https://localhost:{proxy.port}")
        error = fails(
            tls_address("good"), ca_file=tls_folder() / "ca.pem", proxy_ca_file=tls_folder() / "ca.pem"
        )
    assert error.status is WebErrorStatus.PROXY_AUTHENTICATION_REQUIRED
    assert error.http_status == 407


# ---- a demand for a client certificate


def count_records(raw: bytes) -> int:
    """Returns the number of TLS records, without the ChangeCipherSpec that TLS 1.3 sends for compatibility."""
    count = 0
    while len(raw) >= 5 + int.from_bytes(raw[3:5], "big") > 5:
        count += raw[0] != 20
        raw = raw[5 + int.from_bytes(raw[3:5], "big") :]
    return count


class Late(Proxy):
    """Demands a client certificate, and sends its alert only after the request has come."""

    def one(self, connection: socket.socket) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context(verify_mode=ssl.CERT_REQUIRED).wrap_bio(incoming, outgoing, server_side=True)

        def take(count: int) -> None:
            raw = b""
            while count_records(raw) < count:
                raw += connection.recv(65536) or b"\x15\3\3\0\1\0" * count
            incoming.write(raw)
            with contextlib.suppress(ssl.SSLError):  # it needs more bytes, or the certificate is missing
                tls.do_handshake()
            connection.sendall(outgoing.read())

        with connection, contextlib.suppress(OSError):
            take(1)
            take(3)  # an empty certificate, the end of the handshake, the request
            until_gone(connection)


def demanding(how: str) -> Proxy:
    """Returns a server or proxy that demands a client certificate. Unless late, it closes with unread bytes,
    which sends a TCP reset."""
    if how == "late":
        return Late()
    strict = context(verify_mode=ssl.CERT_REQUIRED)
    if how == "tls12":
        strict.maximum_version = ssl.TLSVersion.TLSv1_2
    return Proxy(context=strict)


@pytest.mark.parametrize("leg", ["server", "proxy"])
@pytest.mark.parametrize("how", ["tls13", "tls12", "late"])
def test_client_certificate_is_demanded(how: str, leg: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the demand for a certificate, whether the alert or the reset comes first."""
    with demanding(how) as peer:
        uri = f"wss://localhost:{peer.port}/" if leg == "server" else echo()
        if leg == "proxy":
            monkeypatch.setenv("http_proxy", f"https://localhost:{peer.port}")
        who = "the server localhost" if leg == "server" else f"the proxy localhost:{peer.port}"
        for _ in range(25):
            error = fails(uri, ca_file=tls_folder() / "ca.pem")
            assert str(error).startswith(who)
            wanted = "set client_certificate" if leg == "server" else "set proxy_client_certificate"
            assert "demands a client certificate" in str(error)
            assert wanted in str(error)
            assert error.status is WebErrorStatus.UNEXPECTED_CLIENT_ERROR


def test_client_certificate_is_demanded_behind_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with demanding("tls13") as peer, Proxy(context=context()) as proxy:
        monkeypatch.setenv("https_proxy", f"https://localhost:{proxy.port}")
        for _ in range(10):
            error = fails(f"wss://localhost:{peer.port}/", ca_file=tls_folder() / "ca.pem")
            assert str(error).startswith("the server localhost ")
            assert "demands a client certificate" in str(error)


@pytest.mark.parametrize("kind", ["http", "https", "socks5h"])
@pytest.mark.parametrize("is_accepted", [True, False])
def test_the_question_about_the_certificate(
    kind: str, is_accepted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The question is about the server's certificate. Each of the two connections goes through the proxy."""
    asked: list[Any] = []

    def handler(_: MessageWebSocket, args: curlwire.ServerCustomValidationRequestedEventArgs) -> None:
        asked.append(args.server_certificate)
        if not is_accepted:
            args.reject()

    made = Socks() if kind == "socks5h" else Proxy(context=context("nameonly") if kind == "https" else None)
    with made as proxy:
        monkeypatch.setenv("all_proxy", f"{kind}://localhost:{proxy.port}")
        ws = MessageWebSocket(ca_file=tls_folder() / "ca.pem")
        ws.on_server_custom_validation_requested = handler
        if is_accepted:
            ws.connect(tls_address("good"))
            ws.close()
            ws.wait_closed(WAIT)
        else:
            with pytest.raises(curlwire.CertificateError, match="this program rejected"):
                ws.connect(tls_address("good"))
        assert [certificate.pem for certificate in asked] == [(tls_folder() / "server.pem").read_text()]
        assert proxy.connections == (2 if is_accepted else 1)
