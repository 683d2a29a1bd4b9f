# SPDX-License-Identifier: MIT
"""Tests of the controls about proxies, with the real proxies of tests/servers/proxy_settings.py, and of the
variables beside those that `websockets` reads. test_proxy.py tests the variables and the errors with proxies
that do what a test tells them."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Any

import pytest
import websockets.proxy
import websockets.uri

import curlwire
from curlwire import MessageWebSocket, WebErrorStatus
from peers import WAIT, decodes_natively, echo, round_trip, url
from proxies import Proxy, Socks, read_head, reply, stalled_behind, tunnel, until_gone
from test_proxy import (
    ALL,
    assert_works,
    context,
    fails,
    no_variables,
    tls_address,
    tls_folder,
    words_of,
)

__all__ = ["no_variables"]  # a fixture of each test here too
LOGIN = "j0hnny:s3c%3Aret%2F%40"  # those of proxy_settings.py, as a URI has them
CREDENTIAL = ("j0hnny", "s3c:ret/@")
FRAMINGS = ["curl", "native"] if decodes_natively() else ["curl", "auto"]


def real(name: str, scheme: str = "http", user: str = "") -> str:
    """Returns the URI of a real proxy."""
    ports = dict(word.split("=") for word in url("CW_PROXIES", "").split())
    host = "localhost" if scheme == "https" else "127.0.0.1"
    return f"{scheme}://{user + '@' if user else ''}{host}:{ports[name]}"


def local_echo() -> str:
    """Returns the echo server by its name, which a SOCKS 4a or 5h proxy resolves."""
    return echo().replace("127.0.0.1", "localhost")


# ---- real proxies

REAL = [
    ("open", "http", ""),
    ("tls", "https", ""),
    ("basic", "http", LOGIN),
    ("socks", "socks5", ""),
    ("socks", "socks5h", ""),
    ("socks_login", "socks5", LOGIN),
    ("socks_login", "socks5h", LOGIN),
    ("ssh", "socks4", ""),
    ("ssh", "socks4a", ""),
    ("ssh", "socks5", ""),
    ("ssh", "socks5h", ""),
]


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize(("name", "scheme", "user"), REAL)
def test_real_proxy(name: str, scheme: str, user: str, framing: Any) -> None:
    control: dict[str, Any] = {"proxy": real(name, scheme, user), "framing": framing}
    if scheme == "https":
        control["proxy_ca_file"] = tls_folder() / "ca.pem"
    is_remote = scheme in ("socks4a", "socks5h")
    assert_works(local_echo() if is_remote else echo(), **control)
    secure = tls_address("good", "localhost" if is_remote else "127.0.0.1")
    assert_works(secure, ca_file=tls_folder() / "ca.pem", **control)
    ws = MessageWebSocket(**control)
    assert ws.control.proxy == real(name, scheme)
    assert "s3c" not in repr(ws.control) and "j0hnny" not in repr(ws.control)


@pytest.mark.parametrize(("name", "scheme"), [("basic", "http"), ("socks_login", "socks5h")])
def test_real_login(name: str, scheme: str) -> None:
    """proxy_credential goes before the user and password of the URI. Without a login both proxies refuse."""
    assert_works(echo(), proxy=real(name, scheme), proxy_credential=CREDENTIAL)
    assert_works(echo(), proxy=real(name, scheme, "other:password"), proxy_credential=CREDENTIAL)
    for user, credential in (("", None), ("j0hnny:s3cret", None), (LOGIN, ("j0hnny", "s3cret"))):
        error = fails(echo(), proxy=real(name, scheme, user), proxy_credential=credential)
        assert error.status is WebErrorStatus.PROXY_AUTHENTICATION_REQUIRED
        assert f"the proxy {real(name)[7:]} " in str(error)
        assert "s3c" not in words_of(error) and "j0hnny" not in words_of(error)
        is_uri = user and not credential and scheme == "http"
        assert ("correct them in the URI of the proxy" if is_uri else "proxy_credential") in str(error)


def test_real_refusal() -> None:
    """squid refuses one host, and reports a server that cannot be reached."""
    error = fails("ws://denied.test/", proxy=real("open"))
    assert error.status is WebErrorStatus.FORBIDDEN and error.http_status == 403
    assert error.headers["X-Squid-Error"] == "ERR_ACCESS_DENIED 0"
    assert (b"Access Denied" in error.body) is ("refusal-body" in curlwire.build_info()["features"])
    refused = url("CW_REFUSED_WS")
    error = fails(refused, proxy=real("open"))
    assert error.status is WebErrorStatus.SERVICE_UNAVAILABLE
    assert "it could not reach the server" in str(error)
    error = fails(refused, proxy=real("socks", "socks5"))
    assert f"the proxy {real('socks')[7:]} says that 127.0.0.1 refused the connection" in str(error)


# ---- the control and the environment


def test_control_replaces_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """no_proxy is part of the environment: it does not concern the control."""
    monkeypatch.setenv("no_proxy", "*")
    for value in ("http://127.0.0.1:1", "foo://x"):
        monkeypatch.setenv("all_proxy", value)
        with Proxy() as proxy:
            assert_works(echo(), proxy=f"http://127.0.0.1:{proxy.port}")
            assert_works(tls_address("good"), proxy=f"127.0.0.1:{proxy.port}", ca_file=tls_folder() / "ca.pem")
            assert proxy.connections == 2


def test_control_ignores_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("http://127.0.0.1:1", "foo://x"):
        monkeypatch.setenv("all_proxy", value)
        for direct in (False, "direct"):
            assert_works(echo(), proxy=direct)
        for unset in (None, True, ""):
            fails(echo(), proxy=unset)


def test_control_names_itself() -> None:
    refused = url("CW_REFUSED_WS").rpartition(":")[2].strip("/")
    error = fails("ws://server.invalid/", proxy=f"https://j0hnny:s3cret@127.0.0.1:{refused}")
    assert f"cannot connect to the proxy 127.0.0.1:{refused}" in str(error)
    error = fails("ws://server.invalid/", proxy=f"http://j0hnny:s3cret@{'x' * 64}.invalid")
    assert "cannot be resolved: check proxy" in str(error)
    assert "s3c" not in words_of(error) and "j0hnny" not in words_of(error)
    with Proxy() as proxy:
        proxy.talk = lambda connection: connection.sendall(b"SSH-2.0-x\r\n\r\n")  # type: ignore[method-assign]
        error = fails(echo(), proxy=f"http://127.0.0.1:{proxy.port}")
    assert f"the proxy 127.0.0.1:{proxy.port} (proxy) is not HTTP/1.1: check scheme and port in proxy" in str(
        error
    )


def test_malformed_control() -> None:
    ws = MessageWebSocket()
    for value in (
        "http://j0hnny:s3c/ret@h.test",
        "foo://j0hnny:s3cret@h.test",
        "http://j0hnny:s3cret@h.test:0",
    ):
        with pytest.raises(curlwire.ArgumentError, match="the control proxy is malformed: ") as caught:
            ws.control.proxy = value
        assert "s3c" not in words_of(caught.value) and "j0hnny" not in words_of(caught.value)
    assert ws.control.proxy is None


# ---- the table of docs/proxies.md

PAGE = Path(__file__).parents[2] / "docs" / "proxies.md"
TABLE = [
    [cell.strip().strip("`") for cell in line.strip("|").split(" | ")]
    for line in re.findall(r"^\| `.* \| (?:yes|no) \| (?:yes|no) \|$", PAGE.read_text(), re.MULTILINE)
]


def settings(text: str) -> dict[str, str]:
    """Returns the variables of a cell: NAME or NAME=value; a NAME alone names the proxy."""
    pairs = [word.partition("=") for word in text.split(";")]
    return {name.strip(): value or "http://127.0.0.1:{port}" for name, _, value in pairs}


@pytest.mark.parametrize(("variables", "scheme", "ours", "theirs"), TABLE, ids=lambda cell: cell)
def test_table_of_variables(
    variables: str, scheme: str, ours: str, theirs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row says whether the proxy of the variables is used for ws or wss to server.test:8443."""
    with Proxy() as proxy:
        for name, value in settings(variables).items():
            assert name in ALL or name == "socks_proxy"
            monkeypatch.setenv(name, value.replace("{port}", str(proxy.port)))
        # The server is this machine, and its name or address decides whether no_proxy has it.
        host = "127.0.0.1" if "127." in variables else "localhost"
        address = tls_address("good", host) if scheme == "wss" else echo().replace("127.0.0.1", host)
        port = address.rpartition(":")[2].partition("/")[0]
        for name in ("no_proxy", "NO_PROXY"):
            value = settings(variables).get(name, "")
            if value:
                monkeypatch.setenv(name, value.replace("PORT", port))
        with curlwire.connect(address, ca_file=tls_folder() / "ca.pem") as ws:
            round_trip(ws)
        assert ("yes" if proxy.connections else "no") == ours
    found = websockets.proxy.get_proxy(websockets.uri.parse_uri(address))
    assert ("yes" if found else "no") == theirs


def test_table_has_every_variable() -> None:
    named = {name for row in TABLE for name in settings(row[0])}
    assert named == {*ALL, "socks_proxy"}


# ---- pre_proxy


@pytest.mark.parametrize("scheme", ["ws", "wss"])
@pytest.mark.parametrize(("name", "kind"), [("open", "http"), ("basic", "http"), ("tls", "https")])
@pytest.mark.parametrize(
    ("pre", "pre_kind", "user"),
    [("socks_login", "socks5h", LOGIN), ("ssh", "socks4", ""), ("ssh", "socks4a", "")],
)
def test_pre_proxy(pre: str, pre_kind: str, user: str, name: str, kind: str, scheme: str) -> None:
    """The SOCKS proxy connects to the HTTP proxy, which connects to the server. Each gets its own login."""
    control: dict[str, Any] = {"ca_file": tls_folder() / "ca.pem"}
    control["pre_proxy"] = real(pre, pre_kind, user)
    control["proxy"] = real(name, kind)
    control["proxy_credential"] = CREDENTIAL if name == "basic" else None
    assert_works(echo() if scheme == "ws" else tls_address("good"), **control)


def test_pre_proxy_and_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent directly, or through pre_proxy alone."""
    with Socks() as pre, Proxy() as proxy:
        uri = f"socks5://127.0.0.1:{pre.port}"
        monkeypatch.setenv("all_proxy", f"http://127.0.0.1:{proxy.port}")
        assert_works(echo(), pre_proxy=uri)
        assert pre.connections == proxy.connections == 1
        for control in ({"proxy": False}, {"proxy": f"socks5://127.0.0.1:{pre.port}"}):
            error = fails(echo(), pre_proxy=uri, **control)
            assert "no http:// or https:// proxy stands behind it: set proxy" in str(error)
            assert error.status is WebErrorStatus.UNEXPECTED_CLIENT_ERROR
        monkeypatch.setenv("no_proxy", "*")
        fails(echo(), pre_proxy=uri)
        assert pre.connections == proxy.connections == 1


def test_pre_proxy_fails() -> None:
    """The error names the proxy that failed: the one in front, the one behind it, or none."""
    refused = url("CW_REFUSED_WS").rpartition(":")[2].strip("/")
    good = {"pre_proxy": real("socks_login", "socks5h", LOGIN), "proxy": real("open")}
    pre, behind = f"127.0.0.1:{real('socks_login').rpartition(':')[2]}", real("open")[7:]
    rows: list[tuple[str, dict[str, Any], str]] = [
        (
            "refused",
            {"pre_proxy": f"socks5://j0hnny:s3cret@127.0.0.1:{refused}"},
            f"proxy 127.0.0.1:{refused}: C",
        ),
        (
            "login",
            {"pre_proxy": real("socks_login", "socks5", "j0hnny:s3cret")},
            f"the proxy {pre} refused the user",
        ),
        ("unknown", {"pre_proxy": f"socks5://{'x' * 64}.invalid"}, "cannot be resolved: check pre_proxy"),
        (
            "behind",
            {"proxy": f"http://127.0.0.1:{refused}"},
            f"the proxy {pre} says that 127.0.0.1:{refused} refused",
        ),
        ("no HTTP", {"proxy": real("socks")}, f"the proxy {real('socks')[7:]}"),
        (
            "407",
            {"proxy": real("basic")},
            f"the proxy {real('basic')[7:]} (proxy) refused to connect to 127.0.0.1",
        ),
        ("server", {}, f"the proxy {behind} (proxy) refused to connect to 127.0.0.1 with HTTP status 503"),
    ]
    for what, control, words in rows:
        error = fails(f"ws://127.0.0.1:{refused}/", **{**good, **control})
        assert words in str(error), what
        assert "s3c" not in words_of(error) and "j0hnny" not in words_of(error)


@pytest.mark.parametrize("stalls", ["pre", "proxy"])
def test_pre_proxy_stalls(stalls: str) -> None:
    with Socks() as pre, Proxy() as proxy:
        silent = pre if stalls == "pre" else proxy
        silent.talk = until_gone  # type: ignore[method-assign]
        error = stalled_behind(
            f"the proxy 127.0.0.1:{silent.port}",
            echo(),
            pre_proxy=f"socks5://127.0.0.1:{pre.port}",
            proxy=f"http://127.0.0.1:{proxy.port}",
        )
    assert f"({'pre_proxy' if stalls == 'pre' else 'proxy'})" in str(error)


# ---- proxy_headers

OURS = ("host", "user-agent", "proxy-connection")


@pytest.mark.parametrize("kind", ["http", "https"])
@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_proxy_headers(scheme: str, kind: str) -> None:
    """The proxy gets its headers, and the server gets its own. Neither gets the other's."""
    heads: list[str] = []

    def answer(connection: Any, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 Go\r\n\r\n")
        heads.append(read_head(connection).decode())
        connection.sendall(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")
        until_gone(connection)

    ws = MessageWebSocket(proxy_headers={"X-Team": "blue", "X-Many": ["1", "2"], "X-Empty": ""})
    ws.control.server_credential = ("me", "mine")
    ws.control.supported_protocols = ["chat"]
    ws.control.ca_file = tls_folder() / "ca.pem"
    for name, value in (("Cookie", "s3cret=1"), ("Authorization", "Bearer s3cret"), ("X-Ours", "s3cret")):
        ws.set_request_header(name, value)
    with Proxy(answer if scheme == "ws" else tunnel, context() if kind == "https" else None) as proxy:
        ws.control.proxy = f"{kind}://localhost:{proxy.port}"
        if scheme == "ws":
            with pytest.raises(curlwire.ConnectError):
                ws.connect("ws://server.invalid/")
            assert "X-Ours: s3cret\r\n" in heads[0] and "\r\nX-Team" not in heads[0]
        else:
            ws.connect(tls_address("good"))
            ws.close()
        request = proxy.heads.get(timeout=WAIT).split("\r\n")
    lines = [line for line in request[1:] if line and line.partition(":")[0].lower() not in OURS]
    assert lines == ["X-Team: blue", "X-Many: 1", "X-Many: 2", "X-Empty: "]
    assert ws.control.proxy_headers == ("X-Team", "X-Many", "X-Many", "X-Empty")
    assert "blue" not in repr(ws.control)


def test_proxy_headers_are_not_for_socks_and_servers() -> None:
    with Proxy(reply("HTTP/1.1 404 No\nContent-Length: 0\n\n")) as server, Socks() as socks:
        for proxy in (False, f"socks5://127.0.0.1:{socks.port}"):
            fails(f"ws://127.0.0.1:{server.port}/", proxy=proxy, proxy_headers={"X-Team": "blue"})
            assert "X-Team" not in server.heads.get(timeout=WAIT)


def test_proxy_headers_wear_no_others() -> None:
    """The user agent of the proxy's request can be another one. A large header is sent."""
    with Proxy() as proxy:
        headers = {"User-Agent": "me", "X-Large": "x" * 60000}
        assert_works(echo(), proxy=f"http://127.0.0.1:{proxy.port}", proxy_headers=headers)
        request = proxy.heads.get(timeout=WAIT)
    assert re.findall(r"^User-Agent: (.*)\r$", request, re.MULTILINE) == ["me"]
    assert f"\r\nX-Large: {'x' * 60000}\r\n" in request


# ---- proxy_auth


@pytest.mark.parametrize("scheme", ["ws", "wss"])
@pytest.mark.parametrize(
    ("name", "logins"),
    [
        ("digest", ["digest"]),
        ("digest", ["digest", "basic"]),
        ("digest", ["ntlm", "digest"]),
        ("either", ["digest"]),
        ("either", ["basic"]),
        ("either", ["digest", "basic"]),
        ("either", None),
        ("basic", ["basic"]),
        ("basic", ["digest", "basic"]),
    ],
)
def test_logins(name: str, logins: list[Any] | None, scheme: str) -> None:
    control: dict[str, Any] = {"proxy": real(name), "proxy_credential": CREDENTIAL, "proxy_auth": logins}
    uri = echo() if scheme == "ws" else tls_address("good")
    assert_works(uri, ca_file=tls_folder() / "ca.pem", **control)
    pre = real("socks_login", "socks5h", LOGIN)
    assert_works(uri, ca_file=tls_folder() / "ca.pem", pre_proxy=pre, **control)


@pytest.mark.parametrize(("name", "logins"), [("digest", ["digest"]), ("either", ["digest", "basic"])])
def test_wrong_login(name: str, logins: list[Any]) -> None:
    for user, words in (("j0hnny:s3cret", "correct them in the URI"), ("", "set proxy_credential")):
        error = fails(echo(), proxy=real(name, "http", user), proxy_auth=logins)
        assert error.status is WebErrorStatus.PROXY_AUTHENTICATION_REQUIRED and error.http_status == 407
        assert words in str(error)
        assert "s3c" not in words_of(error) and "j0hnny" not in words_of(error)


@pytest.mark.parametrize(
    ("name", "logins", "offer"),
    [("digest", None, "Digest"), ("digest", ["basic"], "Digest"), ("basic", ["digest"], "Basic")],
)
def test_login_that_is_not_offered(name: str, logins: list[Any] | None, offer: str) -> None:
    error = fails(echo(), proxy=real(name, "http", LOGIN), proxy_auth=logins)
    assert f"it offers the login {offer} only; add it to proxy_auth" in str(error)
    assert error.status is WebErrorStatus.PROXY_AUTHENTICATION_REQUIRED


def challenge(text: str, then: str = "") -> Any:
    """Returns an answer that challenges each request of a connection. It keeps the requests in .heads."""
    heads: list[str] = []

    def answer(connection: Any, head: bytes) -> None:
        while True:
            heads.append(head.decode())
            reply = f"HTTP/1.1 407 No\nProxy-Authenticate: {text}\nContent-Length: 4\n{then}\nbody"
            connection.sendall(reply.replace("\n", "\r\n").encode())
            if then:
                return
            head = read_head(connection)

    answer.heads = heads  # type: ignore[attr-defined]
    return answer


@pytest.mark.parametrize("offer", ["Basic realm=x", "NTLM", "Bearer", "Negotiate"])
def test_no_password_without_digest(offer: str) -> None:
    """A proxy that asks for less than proxy_auth allows gets no password, and only one request."""
    answer = challenge(offer)
    with Proxy(answer) as proxy:
        error = fails(echo(), proxy=f"http://{LOGIN}@127.0.0.1:{proxy.port}", proxy_auth=["digest"])
        assert proxy.connections == 1
    assert error.http_status == 407
    assert len(answer.heads) == 1 and "Proxy-Authorization" not in answer.heads[0]


def test_challenges_without_end() -> None:
    """A proxy cannot make us answer for ever."""
    answer = challenge('Digest realm="x", nonce="y", stale=true')
    with Proxy(answer) as proxy:
        error = fails(echo(), proxy=f"http://{LOGIN}@127.0.0.1:{proxy.port}", proxy_auth=["digest"])
    assert error.http_status == 407
    assert 2 <= len(answer.heads) <= 5
    for head in answer.heads[1:]:
        assert 'Proxy-Authorization: Digest username="j0hnny"' in head
        assert "s3c" not in head


@pytest.mark.parametrize("is_gone", [False, True])
def test_challenge_and_close(is_gone: bool) -> None:
    """libcurl answers on a second connection, if the proxy ends the first. An error says if there is none."""
    answer = challenge('Digest realm="x", nonce="y"', "Connection: close\n")

    def first(connection: Any, head: bytes) -> None:
        if is_gone:
            proxy.listener.shutdown(socket.SHUT_RDWR)  # further connects are refused
        answer(connection, head)
        connection.shutdown(socket.SHUT_RDWR)

    with Proxy(first) as proxy:
        error = fails(echo(), proxy=f"http://{LOGIN}@127.0.0.1:{proxy.port}", proxy_auth=["digest"])
        assert len(answer.heads) == (1 if is_gone else 2)
    assert f"the proxy 127.0.0.1:{proxy.port}" in str(error)
    assert error.http_status == (0 if is_gone else 407)


def test_a_challenge_without_an_answer() -> None:
    """A proxy that dies after its challenge is not said to refuse the password."""

    def answer(connection: Any, head: bytes) -> None:
        connection.sendall(
            b'HTTP/1.1 407 No\r\nProxy-Authenticate: Digest realm="x", nonce="y"\r\nContent-Length: 0\r\n\r\n'
        )
        read_head(connection)

    with Proxy(answer) as proxy:
        error = fails(echo(), proxy=f"http://{LOGIN}@127.0.0.1:{proxy.port}", proxy_auth=["digest"])
    assert "was lost" in str(error) or "ended the connection" in str(error)
    assert f"the proxy 127.0.0.1:{proxy.port}" in str(error)


def test_login_that_libcurl_lacks() -> None:
    for login, feature, words in (("negotiate", "GSSAPI", "GSSAPI"), ("ntlm", "NTLM", "NTLM")):
        ws = MessageWebSocket(proxy=real("basic", "http", LOGIN), proxy_auth=[login])
        with pytest.raises(curlwire.ConnectError) as caught:
            ws.connect(echo())
        assert caught.value.option == "proxy_auth"
        if "was built without" in str(caught.value):
            assert words in str(caught.value) and "load another libcurl" in str(caught.value), feature
        else:  # the system's libcurl has both
            assert caught.value.http_status == 407


@pytest.mark.parametrize("logins", [["negotiate", "ntlm", "basic"], None])
def test_a_proxy_that_offers_what_libcurl_lacks(logins: list[Any] | None) -> None:
    """The error says that the login cannot be had. The proxy gets no password."""
    if curlwire.build_info()["libcurl_linked"] == "system":  # Debian's has both
        return
    answer = challenge("NTLM\nProxy-Authenticate: Negotiate")
    with Proxy(answer) as proxy:
        uri = f"http://127.0.0.1:{proxy.port}"
        error = fails(echo(), proxy=uri, proxy_credential=CREDENTIAL, proxy_auth=logins)
        assert proxy.connections == 1
    assert "it offers the login Negotiate and NTLM only, which the loaded libcurl was built without" in str(
        error
    )
    assert error.option == "proxy_auth" and error.http_status == 407


def test_logins_without_a_proxy() -> None:
    assert_works(echo(), proxy=False, proxy_auth=["negotiate"])
    assert_works(echo(), proxy=real("socks_login", "socks5", LOGIN), proxy_auth=["digest"])
