# SPDX-License-Identifier: MIT
"""Logging in at the server: Basic, Digest, Bearer, netrc; what cannot work; and what nobody else gets.

Apache and nginx are real. The other servers do what a test tells them.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import secrets
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

import curlwire
from curlwire import MessageWebSocket, WebErrorStatus
from peers import WAIT, round_trip, url
from proxies import Answer, read_head, reply, tunnel
from sites import SECRET, Serve, accept, by_path, connected, failed, folder, go, headers_of
from test_proxy import ALL, words_of

HASHES: dict[str, Callable[[bytes], Any]] = {
    "MD5": hashlib.md5,
    "SHA-256": hashlib.sha256,
    "SHA-512-256": lambda text: hashlib.new("sha512_256", text),
}
REALM = 'the "realm"'


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ALL:
        monkeypatch.delenv(name, raising=False)


def apache(path: str) -> str:
    return url("CW_LOGIN_APACHE_WS", path)


def nginx(path: str) -> str:
    return url("CW_LOGIN_NGINX_WS", path)


def password() -> str:
    return url("CW_LOGIN_PASSWORD", "")


def authorization(head: str) -> str:
    return headers_of(head).get("authorization", "")


def challenge(*schemes: str, then: Answer = accept) -> Answer:
    """Asks for a login if the request has none, and else goes on."""

    def answer(connection: socket.socket, head: bytes) -> None:
        if b"\r\nAuthorization: " in head:
            then(connection, head)
            return
        lines = "".join(f"WWW-Authenticate: {scheme}\n" for scheme in schemes)
        reply(f"HTTP/1.1 401 No\n{lines}Content-Length: 4\n\nbody")(connection, head)

    return answer


def digest(algorithm: str = "MD5", nonce: str = "") -> str:
    nonce = nonce or secrets.token_hex()
    realm = REALM.replace('"', '\\"')
    return f'Digest realm="{realm}", qop="auth", algorithm={algorithm}, nonce="{nonce}"'


def check_digest(head: str, user: str, secret: str, algorithm: str = "MD5") -> None:
    """RFC 7616 section 3.4: the response is right, and uri is the target of the request."""
    found = authorization(head)
    assert found.startswith("Digest ")
    parts = re.findall(r'(\w+)=(?:"((?:\\.|[^"])*)"|([^,]*))', found.removeprefix("Digest "))
    given = {name: quoted or plain for name, quoted, plain in parts}
    target = head.split(" ")[1]
    assert given["uri"] == target
    assert given["username"] == user

    def of(*parts: str) -> str:
        return str(HASHES[algorithm](":".join(parts).encode()).hexdigest())

    middle = (given["nonce"], given["nc"], given["cnonce"], given["qop"])
    wanted = of(of(user, REALM, secret), *middle, of("GET", target))
    assert given["response"] == wanted


# ---- real servers


@pytest.mark.parametrize("kind", ["digest", "any"])
@pytest.mark.parametrize("path", ["/digest/", "/digest/?a=b&c=%20d", "/digest/sink?x"])
def test_apache_digest(kind: str, path: str) -> None:
    with curlwire.connect(apache(path), http_auth=kind, server_credential=("user", password())) as ws:
        if "sink" not in path:
            round_trip(ws)
    encoded = apache(path).replace("://", f"://user:{quote(password(), safe='')}@")
    with curlwire.connect(encoded, http_auth=kind) as ws:
        assert ws.state == "open"


@pytest.mark.parametrize("kind", ["basic", "any"])
@pytest.mark.parametrize("server", [apache, nginx])
def test_basic(kind: str, server: Callable[[str], str]) -> None:
    with curlwire.connect(server("/basic/"), http_auth=kind, server_credential=("user", password())) as ws:
        round_trip(ws)


@pytest.mark.parametrize(
    ("server", "path", "kind", "words"),
    [
        (
            apache,
            "/digest/",
            "basic",
            r'it wants Digest authentication; set server_credential, and http_auth to "digest"$',
        ),
        (apache, "/digest/", "digest", "it does not accept this user and password; correct them$"),
        (apache, "/basic/", "any", "it does not accept this user and password; correct them$"),
        (nginx, "/basic/", "basic", "it wants credentials or does not accept these"),
        (nginx, "/basic/", "digest", "it wants credentials or does not accept these"),
    ],
)
def test_a_wrong_login(server: Callable[[str], str], path: str, kind: str, words: str) -> None:
    ws = MessageWebSocket(http_auth=kind, server_credential=("user", SECRET))
    error = failed(ws, server(path), WebErrorStatus.UNAUTHORIZED)
    assert re.search(words, str(error)), error
    assert error.http_status == 401
    assert SECRET not in words_of(error) + repr(ws.control)


# ---- Digest


@pytest.mark.parametrize("algorithm", HASHES)
@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/a/../b/./c",
        "/a//b",
        "/%2e%2E/%41%c3%a4",
        "/a?b=c&d=%20",
        "/a?b?c/../d",
        "/a;b=c,d",
        "/a[1]/b:c@d",
        "/?",
        "/x?",
    ],
)
def test_digest(serve: Serve, target: str, algorithm: str) -> None:
    server = serve(challenge(digest(algorithm)))
    ws = MessageWebSocket(http_auth="digest", server_credential=("us er", SECRET))
    connected(ws, f"ws://127.0.0.1:{server.port}{target}")
    first, second = (server.heads.get(timeout=WAIT) for _ in range(2))
    assert not authorization(first)
    check_digest(second, "us er", SECRET, algorithm)
    # libcurl writes the digits of escapes as capitals, and 8.14.1 drops an empty query
    assert second.split(" ")[1].removesuffix("?").lower() == target.removesuffix("?").lower()
    assert server.connections == 2


def test_a_second_challenge_is_final(serve: Serve) -> None:
    no = reply(f"HTTP/1.1 401 No\nWWW-Authenticate: {digest()}, stale=true\nContent-Length: 0\n\n")
    server = serve(challenge(digest(), then=no))
    ws = MessageWebSocket(http_auth="digest", server_credential=("user", SECRET))
    error = failed(ws, f"ws://127.0.0.1:{server.port}/", WebErrorStatus.UNAUTHORIZED)
    assert str(error).endswith("it does not accept this user and password; correct them")
    assert server.connections == 2
    server.answer = challenge(digest())
    connected(ws, f"ws://127.0.0.1:{server.port}/")  # the same socket may try again


@pytest.mark.parametrize(
    ("schemes", "chosen"),
    [
        (("Basic realm=x", "DIGEST"), "Digest"),
        (("DIGEST, Basic realm=x",), "Digest"),
        (("Negotiate", "NTLM", "Basic realm=x"), "Basic"),
        (("Basic realm=x",), "Basic"),
        (("Negotiate",), ""),
        (("NTLM",), ""),
        (("Bearer realm=x",), ""),
        ((), ""),
    ],
)
def test_any_takes_the_best(serve: Serve, schemes: tuple[str, ...], chosen: str) -> None:
    server = serve(challenge(*(scheme.replace("DIGEST", digest()) for scheme in schemes)))
    ws = MessageWebSocket(http_auth="any", server_credential=("user", SECRET))
    uri = f"ws://127.0.0.1:{server.port}/a?b"
    if chosen:
        connected(ws, uri)
    else:
        failed(ws, uri, WebErrorStatus.UNAUTHORIZED)
    assert not authorization(server.heads.get(timeout=WAIT))
    assert server.connections == (2 if chosen else 1)
    if chosen:
        assert authorization(server.heads.get(timeout=WAIT)).startswith(chosen)


def test_any_sends_no_password_over_ws(serve: Serve) -> None:
    """Anybody on the path of a ws connection can ask for Basic. So a name or an address alone is not enough."""
    for host, control in (
        ("server.test", {"resolve": ["server.test:{port}:127.0.0.1"]}),  # a name of another machine
        ("localhost.server.test", {"resolve": ["localhost.server.test:{port}:127.0.0.1"]}),
        ("notlocalhost", {"resolve": ["notlocalhost:{port}:127.0.0.1"]}),
        ("192.0.2.1", {"connect_to": ["192.0.2.1::127.0.0.1:"]}),
        ("[2001:db8::1]", {"connect_to": ["[2001:db8::1]::127.0.0.1:"]}),
        ("localhost", {"proxy": "http"}),  # the proxy's own machine, which is somewhere else
        ("127.0.0.1", {"proxy": "http"}),
    ):
        server = serve(challenge("Basic realm=x"))
        proxy = serve(tunnel)
        settings: dict[str, Any] = {
            key: f"http://127.0.0.1:{proxy.port}"
            if key == "proxy"
            else [item.format(port=server.port) for item in value]
            for key, value in control.items()
        }
        ws = MessageWebSocket(http_auth="any", server_credential=("user", SECRET), **settings)
        error = failed(ws, f"ws://{host}:{server.port}/", WebErrorStatus.UNAUTHORIZED)
        assert 'http_auth "any" sends no password over ws; connect to wss, or set http_auth to "basic"' in str(
            error
        )
        assert server.connections == 1
        assert not authorization(server.heads.get(timeout=WAIT))
    server = serve(challenge("Basic realm=x", digest()))
    control = {"resolve": [f"server.test:{server.port}:127.0.0.1"], "server_credential": ("user", SECRET)}
    connected(MessageWebSocket(http_auth="any", **control), f"ws://server.test:{server.port}/")
    assert not authorization(server.heads.get(timeout=WAIT))
    assert authorization(server.heads.get(timeout=WAIT)).startswith("Digest")
    connected(MessageWebSocket(http_auth="basic", **control), f"ws://server.test:{server.port}/")
    assert authorization(server.heads.get(timeout=WAIT)).startswith("Basic")


def test_any_sends_the_password_in_private(serve: Serve, tmp_path: Path) -> None:
    server = serve(challenge("Basic realm=x"))
    control: dict[str, Any] = {"http_auth": "any", "server_credential": ("user", SECRET)}
    for host in ("localhost", "LOCALHOST", "a.localhost", "127.0.0.1", "127.1.2.3", "[::1]"):
        target = [f"{host}::127.0.0.1:"] if host in ("127.1.2.3", "[::1]") else []
        connected(MessageWebSocket(connect_to=target, **control), f"ws://{host}:{server.port}/")
    secure = serve(challenge("Basic realm=x"), "server")
    ws = MessageWebSocket(resolve=[f"server.test:{secure.port}:127.0.0.1"], verify=False, **control)
    connected(ws, f"wss://server.test:{secure.port}/")
    listener = socket.socket(socket.AF_UNIX)
    path = str(tmp_path / "s")
    listener.bind(path)
    listener.listen()

    def answer_twice() -> None:
        for _ in range(2):
            connection, _ = listener.accept()
            with connection:
                challenge("Basic realm=x", then=accept)(connection, read_head(connection))

    thread = threading.Thread(target=answer_twice)
    thread.start()
    connected(MessageWebSocket(unix_socket_path=path, **control), "ws://server.test/")
    thread.join(WAIT)
    listener.close()


@pytest.mark.parametrize(
    ("scheme", "words"),
    [
        ("NTLM", "it offers NTLM only, which cannot work for a WebSocket"),
        (
            "Negotiate",
            'it wants Kerberos (Negotiate), or does not accept this ticket; set http_auth to "negotiate"',
        ),
        ("Bearer realm=x", "it wants a token, or does not accept this one; set xoauth2_bearer"),
        ("Basic realm=x", "it wants credentials or does not accept these; set server_credential"),
    ],
)
def test_an_error_says_what_the_server_wants(serve: Serve, scheme: str, words: str) -> None:
    server = serve(challenge(scheme))
    error = failed(MessageWebSocket(), f"ws://127.0.0.1:{server.port}/", WebErrorStatus.UNAUTHORIZED)
    assert words in str(error)


def test_nothing_to_answer_with(serve: Serve) -> None:
    for control, headers in (
        ({}, {}),
        ({"server_credential": ("user", SECRET)}, {"Authorization": "Custom x"}),
    ):
        server = serve(reply(f"HTTP/1.1 401 No\nWWW-Authenticate: {digest()}\nContent-Length: 0\n\n"))
        ws = MessageWebSocket(http_auth="any", **control)
        for name, value in headers.items():
            ws.set_request_header(name, value)
        failed(ws, f"ws://127.0.0.1:{server.port}/", WebErrorStatus.UNAUTHORIZED)
        assert authorization(server.heads.get(timeout=WAIT)) == headers.get("Authorization", "")
        assert server.connections == 1


def test_a_handler_is_asked_once(serve: Serve) -> None:
    """The second request must show the certificate that the program has accepted."""
    server = serve(challenge(digest()), "server")
    asked = []
    ws = MessageWebSocket(http_auth="digest", server_credential=("user", SECRET), ca_file=folder() / "ca.pem")
    ws.on_server_custom_validation_requested = lambda _, args: asked.append(args)
    connected(ws, f"wss://localhost:{server.port}/")
    assert len(asked) == 1
    assert server.heads.qsize() == 2


def test_through_a_proxy(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(challenge(digest()))
    proxy = serve(tunnel)
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
    ws = MessageWebSocket(http_auth="digest", server_credential=("user", SECRET))
    connected(ws, f"ws://localhost:{server.port}/a")
    for _ in range(2):
        assert "authorization" not in headers_of(proxy.heads.get(timeout=WAIT))
    server.heads.get(timeout=WAIT)
    check_digest(server.heads.get(timeout=WAIT), "user", SECRET)


def test_a_challenge_of_a_proxy_is_not_answered(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = serve(reply(f"HTTP/1.1 401 No\nWWW-Authenticate: {digest()}\nContent-Length: 0\n\n"))
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
    ws = MessageWebSocket(http_auth="any", server_credential=("user", SECRET))
    failed(ws, "ws://server.invalid/", WebErrorStatus.UNAUTHORIZED)
    assert proxy.connections == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_after_a_redirect(serve: Serve, host: str) -> None:
    def answer(connection: socket.socket, head: bytes) -> None:
        target = go(f"http://{host}:{server.port}/in")
        challenge(digest(), then=accept if head.startswith(b"GET /in ") else target)(connection, head)

    server = serve(answer)
    ws = MessageWebSocket(http_auth="digest", server_credential=("user", SECRET), follow_location="all")
    if host == "127.0.0.1":
        connected(ws, f"ws://127.0.0.1:{server.port}/")
    else:
        failed(ws, f"ws://127.0.0.1:{server.port}/", WebErrorStatus.UNAUTHORIZED)
    heads = [server.heads.get(timeout=WAIT) for _ in range(server.connections)]
    sent = [authorization(head)[:6] for head in heads]
    assert sent == ["", "Digest", "", "Digest"][: 4 if host == "127.0.0.1" else 3]


# ---- Bearer


@pytest.mark.parametrize("token", ["a", "eyJ.x-y_z~+/==", "=" and "a="])
def test_bearer(serve: Serve, token: str) -> None:
    server = serve()
    for kind in ("basic", "digest", "any"):
        ws = MessageWebSocket(xoauth2_bearer=token, server_credential=("user", SECRET), http_auth=kind)
        connected(ws, f"ws://other:{SECRET}@127.0.0.1:{server.port}/")
        head = server.heads.get(timeout=WAIT)
        assert authorization(head) == f"Bearer {token}"
        assert head.lower().count("\r\nauthorization:") == 1
    ws = MessageWebSocket(xoauth2_bearer=token)
    ws.set_request_header("Authorization", "Custom x")
    connected(ws, f"ws://127.0.0.1:{server.port}/")
    assert authorization(server.heads.get(timeout=WAIT)) == "Custom x"


def test_bearer_is_not_shown(serve: Serve) -> None:
    server = serve(reply("HTTP/1.1 401 No\nWWW-Authenticate: Bearer\nContent-Length: 0\n\n"))
    ws = MessageWebSocket(xoauth2_bearer=SECRET)
    error = failed(ws, f"ws://127.0.0.1:{server.port}/", WebErrorStatus.UNAUTHORIZED)
    assert SECRET in server.heads.get(timeout=WAIT)
    assert SECRET not in words_of(error) + repr(ws) + repr(ws.control)
    assert ws.control.xoauth2_bearer == "(set)"


def test_bearer_stays_with_the_origin(serve: Serve) -> None:
    server = serve()
    first = serve(go(f"http://localhost:{server.port}/"))
    connected(MessageWebSocket(xoauth2_bearer=SECRET, follow_location="all"), f"ws://127.0.0.1:{first.port}/")
    assert SECRET in first.heads.get(timeout=WAIT)
    assert SECRET not in server.heads.get(timeout=WAIT)


@pytest.mark.parametrize("token", [f"{SECRET} b", "a,b", "ä", "=a", "a\tb", "a=b", "Bearer a"])
def test_a_bad_token(token: str) -> None:
    ws = MessageWebSocket(xoauth2_bearer=token)
    with pytest.raises(
        curlwire.ArgumentError, match=r"^xoauth2_bearer has a character that no token has"
    ) as caught:
        ws.connect("ws://127.0.0.1:9/")
    assert SECRET not in words_of(caught.value)


# ---- what cannot work


def test_ntlm_is_refused() -> None:
    ws = MessageWebSocket(http_auth="ntlm", server_credential=("user", SECRET))
    with pytest.raises(
        curlwire.WebSocketError, match=r'^http_auth cannot be "ntlm": its three messages need one'
    ) as caught:
        ws.connect("ws://127.0.0.1:9/")
    assert caught.value.option == "http_auth"
    assert ws.state == "new"


def test_negotiate_needs_gssapi(serve: Serve) -> None:
    server = serve(reply("HTTP/1.1 401 No\nWWW-Authenticate: Negotiate\nContent-Length: 0\n\n"))
    ws = MessageWebSocket(http_auth="negotiate")
    with pytest.raises(curlwire.WebSocketError) as caught:
        ws.connect(f"ws://127.0.0.1:{server.port}/")
    if curlwire.build_info()["libcurl_linked"] == "embedded":
        assert str(caught.value).startswith('http_auth cannot be "negotiate": the loaded libcurl')
        assert server.connections == 0
    else:  # Debian's libcurl has GSSAPI, and this machine has no ticket
        assert "it wants Kerberos (Negotiate), or does not accept this ticket" in str(caught.value)
        assert not authorization(server.heads.get(timeout=WAIT))


# ---- netrc


def netrc(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "netrc"
    path.write_text(text)
    return path


@pytest.mark.parametrize("kind", ["basic", "digest"])
def test_netrc(serve: Serve, tmp_path: Path, kind: str) -> None:
    path = netrc(
        tmp_path, f"machine other login x password y\nmachine 127.0.0.1 login user password {SECRET}\n"
    )
    server = serve(challenge(digest()) if kind == "digest" else accept)
    ws = MessageWebSocket(netrc_file=path, http_auth=kind)
    connected(ws, f"ws://127.0.0.1:{server.port}/")
    if kind == "digest":
        assert not authorization(server.heads.get(timeout=WAIT))
        check_digest(server.heads.get(timeout=WAIT), "user", SECRET)
    else:
        assert authorization(server.heads.get(timeout=WAIT)) == basic("user", SECRET)
    assert SECRET not in repr(ws) + repr(ws.control) + repr(ws.information)


def basic(user: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()


@pytest.mark.parametrize(
    ("userinfo", "control", "sent"),
    [
        ("", {}, ("user", SECRET)),
        ("user@", {}, ("user", SECRET)),
        ("us%65r@", {}, ("user", SECRET)),
        ("second@", {}, ("second", "2")),
        ("nobody@", {}, ("nobody", "")),
        ("user:x@", {}, ("user", "x")),
        ("user:@", {}, ("user", "")),
        ("", {"server_credential": ("a", "b")}, ("a", "b")),
    ],
)
def test_netrc_comes_last(
    serve: Serve, tmp_path: Path, userinfo: str, control: dict[str, Any], sent: tuple[str, str]
) -> None:
    path = netrc(
        tmp_path, f"machine 127.0.0.1 login user password {SECRET} machine 127.0.0.1 login second password 2"
    )
    server = serve()
    connected(MessageWebSocket(netrc_file=path, **control), f"ws://{userinfo}127.0.0.1:{server.port}/")
    assert authorization(server.heads.get(timeout=WAIT)) == basic(*sent)


def test_netrc_is_for_its_host(serve: Serve, tmp_path: Path) -> None:
    """No other host gets it, by a redirect or by the entry `default`."""
    text = f"machine 127.0.0.1 login user password {SECRET}\ndefault login user password {SECRET}\n"
    server = serve()
    first = serve(go(f"http://localhost:{server.port}/"))
    ws = MessageWebSocket(netrc_file=netrc(tmp_path, text), follow_location="all")
    connected(ws, f"ws://127.0.0.1:{first.port}/")
    assert authorization(first.heads.get(timeout=WAIT)) == basic("user", SECRET)
    assert not authorization(server.heads.get(timeout=WAIT))
    connected(MessageWebSocket(netrc_file=netrc(tmp_path, text)), f"ws://localhost:{server.port}/")
    assert not authorization(server.heads.get(timeout=WAIT))
    first.answer = by_path(**{"": go("/in"), "in": accept})
    ws = MessageWebSocket(netrc_file=netrc(tmp_path, text), follow_location="safe")
    connected(ws, f"ws://127.0.0.1:{first.port}/")
    for _ in range(2):
        assert authorization(first.heads.get(timeout=WAIT)) == basic("user", SECRET)


def test_no_netrc_by_default(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".netrc").write_text(f"machine 127.0.0.1 login user password {SECRET}\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    server = serve()
    connected(MessageWebSocket(), f"ws://127.0.0.1:{server.port}/")
    assert not authorization(server.heads.get(timeout=WAIT))


def test_a_bad_netrc(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    (tmp_path / "large").write_bytes(b"#" * (1 << 20))
    for path, words in (
        (tmp_path / "none", r"netrc_file '.*/none' cannot be used: No such file or directory; check the path"),
        (tmp_path, r"netrc_file '.*' cannot be used: it is not a regular file"),
        (fifo, r"netrc_file '.*/fifo' cannot be used: it is not a regular file"),
        (tmp_path / "large", r"netrc_file '.*/large' cannot be used: File too large"),
        (
            netrc(tmp_path, f"machine 127.0.0.1 login user {SECRET}"),
            r"netrc_file '.*/netrc' cannot be used: line 1 has",
        ),
    ):
        ws = MessageWebSocket(netrc_file=path)
        with pytest.raises(curlwire.ConnectError, match=words) as caught:
            ws.connect("ws://127.0.0.1:9/")
        assert SECRET not in words_of(caught.value)


# ---- the characters of a user name and a password in a URI


@pytest.mark.parametrize("part", ["user", "password"])
def test_each_escape_of_the_server(serve: Serve, part: str) -> None:
    """%XX is decoded to its byte, in both cases of its digits; control characters are refused."""
    server = serve(reply("HTTP/1.1 404 No\nContent-Length: 0\n\n"))
    for byte in range(256):
        for escape in {f"%{byte:02x}", f"%{byte:02X}"}:
            user, secret = (f"a{escape}b", "p") if part == "user" else ("u", f"a{escape}b")
            uri = f"ws://{user}:{secret}@127.0.0.1:{server.port}/"
            ws = MessageWebSocket()
            if byte < 32 or byte == 127 or (part == "user" and byte == ord(":")):
                with pytest.raises(curlwire.ArgumentError):
                    ws.connect(uri)
                continue
            failed(ws, uri, WebErrorStatus.NOT_FOUND)
            wanted = b"a" + bytes([byte]) + (b"b:p" if part == "user" else b"b")
            plain = wanted if part == "user" else b"u:" + wanted
            head = server.heads.get(timeout=WAIT)
            assert authorization(head) == "Basic " + base64.b64encode(plain).decode(), escape


@pytest.mark.parametrize("part", ["user", "password"])
def test_each_character_of_the_server(serve: Serve, part: str) -> None:
    """Other characters mean themselves, or are an error that says how to write them."""
    server = serve(reply("HTTP/1.1 404 No\nContent-Length: 0\n\n"))
    refused = "/?#@[]\\% " + ("" if part == "password" else ":")
    for character in [chr(code) for code in range(1, 128)] + ["ä", "€", "\U0001f600"]:
        user, secret = (f"a{character}b", "p") if part == "user" else ("u", f"a{character}b")
        uri = f"ws://{user}:{secret}@127.0.0.1:{server.port}/"
        ws = MessageWebSocket()
        if part == "user" and character in "/?":
            continue  # they end the host: what is before them is the name of another server
        if part == "user" and character == ":":
            failed(ws, uri, WebErrorStatus.NOT_FOUND)  # it begins the password
            wanted = "a:b:p"
        elif character in refused or ord(character) < 32 or ord(character) == 127:
            with pytest.raises(curlwire.ArgumentError):
                ws.connect(uri)
            continue
        else:
            failed(ws, uri, WebErrorStatus.NOT_FOUND)
            wanted = f"a{character}b:p" if part == "user" else f"u:a{character}b"
        head = server.heads.get(timeout=WAIT)
        assert authorization(head) == "Basic " + base64.b64encode(wanted.encode()).decode(), repr(character)


@pytest.mark.parametrize("part", ["user", "password"])
def test_each_escape_of_the_proxy(serve: Serve, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    proxy = serve(reply("HTTP/1.1 404 No\nContent-Length: 0\n\n"))
    for byte in range(1, 256):
        for escape in {f"%{byte:02x}", f"%{byte:02X}"}:
            user, secret = (f"a{escape}b", "p") if part == "user" else ("u", f"a{escape}b")
            monkeypatch.setenv("http_proxy", f"http://{user}:{secret}@127.0.0.1:{proxy.port}")
            ws = MessageWebSocket()
            if byte < 32 or byte == 127 or (part == "user" and byte == ord(":")):
                failed(ws, "ws://server.invalid/", WebErrorStatus.UNEXPECTED_CLIENT_ERROR)
                continue
            failed(ws, "ws://server.invalid/", WebErrorStatus.NOT_FOUND)
            wanted = b"a" + bytes([byte]) + (b"b:p" if part == "user" else b"b")
            plain = wanted if part == "user" else b"u:" + wanted
            head = headers_of(proxy.heads.get(timeout=WAIT))
            assert head["proxy-authorization"] == "Basic " + base64.b64encode(plain).decode(), escape
    assert proxy.heads.empty()


@pytest.mark.parametrize("part", ["user", "password"])
def test_each_character_of_the_proxy(serve: Serve, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    proxy = serve(reply("HTTP/1.1 404 No\nContent-Length: 0\n\n"))
    refused = "/?#@\\% "
    for character in [chr(code) for code in range(1, 128)] + ["ä", "€", "\U0001f600"]:
        user, secret = (f"a{character}b", "p") if part == "user" else ("u", f"a{character}b")
        monkeypatch.setenv("http_proxy", f"http://{user}:{secret}@127.0.0.1:{proxy.port}")
        ws = MessageWebSocket()
        if character in refused or ord(character) < 32 or ord(character) == 127:
            failed(ws, "ws://server.invalid/", WebErrorStatus.UNEXPECTED_CLIENT_ERROR)
            continue
        failed(ws, "ws://server.invalid/", WebErrorStatus.NOT_FOUND)
        wanted = f"a{character}b:p" if part == "user" else f"u:a{character}b"
        head = headers_of(proxy.heads.get(timeout=WAIT))
        assert head["proxy-authorization"] == "Basic " + base64.b64encode(wanted.encode()).decode(), repr(
            character
        )
    assert proxy.heads.empty()
