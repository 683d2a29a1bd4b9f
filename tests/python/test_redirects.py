# SPDX-License-Identifier: MIT
"""Redirects: which are followed, and that no server can make curlwire send a secret to another origin.

tests/core/test_redirecting.c tests the statuses, the limit, the end of a connect in the middle, and fork.
tests/faults/test_redirects.py tests addresses of other networks.
"""

from __future__ import annotations

import base64
import os
import queue
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest

import curlwire
from curlwire import MessageWebSocket, WebErrorStatus
from peers import WAIT
from proxies import Answer, Proxy, reply, tunnel
from sites import SECRET, Serve, accept, by_path, connected, failed, folder, go, headers_of
from test_proxy import ALL, words_of

SECRETS = (SECRET, base64.b64encode(f"user:{SECRET}".encode()).decode())


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ALL:
        monkeypatch.delenv(name, raising=False)


def new(mode: str = "all", **control: Any) -> MessageWebSocket:
    return MessageWebSocket(follow_location=mode, ca_file=folder() / "ca.pem", **control)


def with_secrets(**control: Any) -> MessageWebSocket:
    ws = new(**control)
    for name in ("Authorization", "Cookie", "X-Api-Key", "Referer", "Host"):
        ws.set_request_header(name, SECRET)
    ws.set_request_header("User-Agent", "me/1")
    ws.add_request_header("Accept-Language", "de")
    ws.set_request_header("Origin", "https://app.example")
    ws.set_request_header("Accept", "")
    return ws


# ---- what another origin gets


def elsewhere(serve: Serve, differs: str, answer: Answer = accept) -> tuple[Proxy, str]:
    """A server of another origin than that of ws://127.0.0.1:PORT/, and its URI."""
    server = serve(answer, "server" if differs == "scheme" else "")
    scheme = "https" if differs == "scheme" else "http"
    return server, f"{scheme}://{'localhost' if differs == 'host' else '127.0.0.1'}:{server.port}/in?a=b"


@pytest.mark.parametrize("differs", ["host", "port", "scheme"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_secret_leaves_the_origin(serve: Serve, differs: str, status: int) -> None:
    target, there = elsewhere(serve, differs)
    first = serve(go(there, status))
    for ws in (with_secrets(), new(server_credential=("user", SECRET))):
        connected(ws, f"ws://user:{SECRET}@127.0.0.1:{first.port}/?token={SECRET}")
        assert any(secret in first.heads.get(timeout=WAIT) for secret in SECRETS)
        head = target.heads.get(timeout=WAIT)
        assert not any(secret in head for secret in SECRETS)
        assert head.startswith("GET /in?a=b HTTP/1.1\r\n")
        assert ws.effective_uri == there.replace("http", "ws", 1)
    found = headers_of(head)
    assert found["host"] == there.split("/")[2]
    assert "authorization" not in found


def test_headers_without_secrets_go_everywhere(serve: Serve) -> None:
    target, there = elsewhere(serve, "host")
    first = serve(go(there))
    connected(with_secrets(), f"ws://127.0.0.1:{first.port}/")
    found = headers_of(target.heads.get(timeout=WAIT))
    assert found["user-agent"] == "me/1"
    assert found["accept-language"] == "de"
    assert found["origin"] == "https://app.example"
    assert "accept" not in found  # an empty value has removed it
    assert not {"authorization", "cookie", "x-api-key", "referer"} & set(found)


def test_the_same_origin_gets_everything(serve: Serve) -> None:
    server = serve(by_path(first=go("second?x"), second=go("/third"), third=accept))
    ws = with_secrets(supported_protocols=["one", "two"])
    connected(ws, f"ws://user:{SECRET}@127.0.0.1:{server.port}/a/first?token={SECRET}")
    heads = [server.heads.get(timeout=WAIT) for _ in range(3)]
    assert [head.split(" ")[1] for head in heads] == [f"/a/first?token={SECRET}", "/a/second?x", "/third"]
    found = [headers_of(head) for head in heads]
    keys = {each.pop("sec-websocket-key") for each in found}
    assert len(keys) == 3  # each request has a key of its own
    assert found[0] == found[1] == found[2]
    assert found[0]["cookie"] == found[0]["x-api-key"] == SECRET
    assert found[0]["sec-websocket-protocol"] == "one, two"
    assert ws.effective_uri == f"ws://127.0.0.1:{server.port}/third"
    assert ws.uri and SECRET in ws.uri


@pytest.mark.parametrize("user", ["server_credential", "uri"])
def test_credentials_stay_with_the_origin(serve: Serve, user: str) -> None:
    server = serve(by_path(first=go("/second"), second=accept))
    control = {user: ("user", SECRET)} if user != "uri" else {}
    ws = new("safe", **control)
    connected(ws, f"ws://{f'user:{SECRET}@' if user == 'uri' else ''}127.0.0.1:{server.port}/first")
    for _ in range(2):
        assert headers_of(server.heads.get(timeout=WAIT))["authorization"] == f"Basic {SECRETS[1]}"


def test_nothing_comes_back(serve: Serve) -> None:
    """A server of another origin cannot make the first one get a request of its choice with our credentials."""
    answers: dict[str, Answer] = {"back": go("/in"), "in": accept}
    first = serve(by_path(first=lambda *args: answers["first"](*args), **answers))
    other = serve(go(f"http://127.0.0.1:{first.port}/back"))
    answers["first"] = go(f"http://localhost:{other.port}/")
    ws = with_secrets(server_credential=("user", SECRET), xoauth2_bearer=SECRET)
    connected(ws, f"ws://user:{SECRET}@127.0.0.1:{first.port}/first")
    assert SECRET in first.heads.get(timeout=WAIT)
    for head in (other.heads.get(timeout=WAIT), *(first.heads.get(timeout=WAIT) for _ in range(2))):
        assert not any(secret in head for secret in SECRETS)
        assert "authorization" not in headers_of(head)


def test_subprotocols_stay_with_the_origin(serve: Serve) -> None:
    target, there = elsewhere(serve, "host")
    first = serve(go(there))
    ws = new(supported_protocols=["access_token", SECRET])
    error = failed(ws, f"ws://127.0.0.1:{first.port}/", WebErrorStatus.REDIRECT_FAILED)
    assert "which does not get supported_protocols" in str(error)
    assert f"ws://localhost:{target.port}/in" in str(error)
    assert SECRET not in words_of(error)
    assert target.connections == 0


@pytest.mark.parametrize("form", ["file", "data"])
@pytest.mark.parametrize("differs", ["nothing", "host"])
def test_a_client_certificate_stays_with_the_origin(serve: Serve, differs: str, form: str) -> None:
    shown: queue.Queue[bool] = queue.Queue()

    def answer(connection: socket.socket, head: bytes) -> None:
        assert isinstance(connection, ssl.SSLSocket)
        shown.put(bool(connection.getpeercert(binary_form=True)))
        if head.startswith(b"GET /go "):
            go(f"//{'localhost' if differs == 'host' else '127.0.0.1'}:{server.port}/in")(connection, head)
        else:
            accept(connection, head)

    server = serve(answer, "server", verify_mode=ssl.CERT_OPTIONAL)
    assert server.context
    server.context.load_verify_locations(folder() / "ca.pem")
    certificate = folder() / "client-both.pem"
    if form == "file":
        ws = new(client_certificate=certificate)
    else:
        ws = new(client_certificate_data=certificate.read_bytes())
    connected(ws, f"wss://127.0.0.1:{server.port}/go")
    assert [shown.get(timeout=WAIT) for _ in range(2)] == [True, differs == "nothing"]


def test_an_error_says_that_another_origin_got_no_credentials(serve: Serve) -> None:
    target, there = elsewhere(serve, "host", reply("HTTP/1.1 401 No\nContent-Length: 0\n\n"))
    first = serve(go(there))
    ws = new(server_credential=("user", SECRET))
    error = failed(ws, f"ws://127.0.0.1:{first.port}/", WebErrorStatus.UNAUTHORIZED)
    assert f"(after 1 redirect, at ws://localhost:{target.port}/in, " in str(error)
    assert str(error).endswith("which is another origin and got no credentials)")


# ---- TLS


def test_never_from_wss_to_ws(serve: Serve) -> None:
    target = serve()
    for location in (f"http://127.0.0.1:{target.port}/a?{SECRET}", f"ws://localhost:{target.port}/a"):
        first = serve(go(location), "server")
        error = failed(new(), f"wss://127.0.0.1:{first.port}/", WebErrorStatus.HTTPS_TO_HTTP_ON_REDIRECTION)
        assert isinstance(error, curlwire.HandshakeError)
        assert error.http_status == 302
        assert error.headers["Location"] == location
        assert SECRET not in str(error)
    assert target.connections == 0


def test_each_server_must_prove_itself(serve: Serve) -> None:
    for certificate, status in (
        ("unknown", WebErrorStatus.CERTIFICATE_IS_INVALID),
        ("badhost", WebErrorStatus.CERTIFICATE_COMMON_NAME_IS_INCORRECT),
    ):
        target = serve(accept, certificate)
        for first in (serve(go(f"https://localhost:{target.port}/"), name) for name in ("", "server")):
            scheme = "wss" if first.context else "ws"
            error = failed(new(), f"{scheme}://127.0.0.1:{first.port}/", status)
            assert f"(after 1 redirect, at wss://localhost:{target.port}/)" in str(error)
        assert target.heads.empty()


@pytest.mark.parametrize("verify", [True, False])
def test_no_redirect_goes_around_a_pin(serve: Serve, verify: bool) -> None:
    """A server with the pinned key cannot send us to one with another key, and that one sees no request."""
    target = serve(accept, "nameonly")
    first = serve(go(f"https://localhost:{target.port}/"), "server")
    pin = (folder() / "server.pin").read_text()
    ws = new(verify=verify, pinned_public_key=pin)
    error = failed(ws, f"wss://localhost:{first.port}/", WebErrorStatus.CERTIFICATE_IS_INVALID)
    assert "is not the one in pinned_public_key" in str(error)
    assert first.connections == target.connections == 1
    assert target.heads.empty()
    same = serve(accept, "server")
    first = serve(go(f"https://127.0.0.1:{same.port}/"), "server")
    connected(new(verify=verify, pinned_public_key=pin), f"wss://localhost:{first.port}/")


def test_the_name_for_tls_stays_with_the_origin(serve: Serve) -> None:
    target = serve(accept, "badhost")  # a certificate for elsewhere.invalid
    for location, is_same in ((f"https://localhost:{target.port}/", False), ("/in", True)):
        first = serve(by_path(go=go(location), **{"in": accept}), "badhost")
        ws = new(tls_server_name="elsewhere.invalid")
        uri = f"wss://localhost:{first.port}/go"
        if is_same:
            connected(ws, uri)
        else:
            error = failed(ws, uri, WebErrorStatus.CERTIFICATE_COMMON_NAME_IS_INCORRECT)
            assert "the certificate of localhost is for another name" in str(error)
    assert target.heads.empty()


def test_each_server_may_have_its_faults(serve: Serve) -> None:
    """ignorable_server_certificate_errors applies to each server; information is about the last."""
    target = serve(accept, "server")
    first = serve(go(f"https://localhost:{target.port}/"), "badhost")
    ws = new(ignorable_server_certificate_errors=["InvalidName"])
    connected(ws, f"wss://localhost:{first.port}/")
    assert ws.information.server_certificate_errors == ()
    assert ws.information.server_certificate_error_severity == "none"
    back = serve(go(f"https://localhost:{first.port}/"), "server")
    first.answer = accept
    ws = new(ignorable_server_certificate_errors=["InvalidName"])
    connected(ws, f"wss://localhost:{back.port}/")
    assert ws.information.server_certificate_errors == ("InvalidName",)


@pytest.mark.parametrize("rejects", [0, 1, 2])
def test_each_server_is_asked_about(serve: Serve, rejects: int) -> None:
    target = serve(accept, "nameonly")
    first = serve(go(f"https://localhost:{target.port}/"), "server")
    asked: list[tuple[str | None, Any]] = []

    def handler(ws: MessageWebSocket, args: curlwire.ServerCustomValidationRequestedEventArgs) -> None:
        asked.append((ws.effective_uri, args.server_certificate))
        if len(asked) == rejects:
            args.reject()

    ws = new()
    ws.on_server_custom_validation_requested = handler
    uris = [f"wss://localhost:{server.port}/" for server in (first, target)]
    if rejects:
        failed(ws, uris[0], WebErrorStatus.CERTIFICATE_IS_INVALID)
    else:
        connected(ws, uris[0])
    assert [uri for uri, _ in asked] == uris[: rejects or 2]
    for name, (_, certificate) in zip(("server", "nameonly"), asked, strict=False):
        assert certificate.pem in (folder() / f"{name}.pem").read_text()
    assert first.heads.qsize() == (0 if rejects == 1 else 1)
    assert target.heads.qsize() == (1 if rejects == 0 else 0)


def test_from_ws_to_wss_needs_authorities(serve: Serve) -> None:
    target = serve(accept, "server")
    first = serve(go(f"https://localhost:{target.port}/"))
    ws = MessageWebSocket(follow_location="all", ca_file="/nowhere/ca.pem")
    with pytest.raises(curlwire.ConnectError, match=r"ca_file '/nowhere/ca\.pem' cannot be"):
        ws.connect(f"ws://127.0.0.1:{first.port}/")
    assert target.heads.empty()


# ---- places that cannot be used


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("", "the reply has no header Location"),
        ("Location: /a\nLocation: /a\n", "more than one header Location"),
        (f"Location: ftp://{SECRET}@a/\n", "neither ws, wss, http nor https"),
        (f"Location: http://user:{SECRET}@127.0.0.1/\n", "it has a user name or a password"),
        ("Location: http:///a\n", "the URI has no host"),
        (f"Location: /a b?{SECRET}\n", "the path contains a space"),
        (f"Location: //127.0.0.1:{SECRET}/\n", "the port after the host must be a number"),
    ],
)
def test_malformed(serve: Serve, lines: str, words: str) -> None:
    server = serve(reply(f"HTTP/1.1 302 Go\n{lines}Content-Length: 0\n\n"))
    error = failed(new(), f"ws://127.0.0.1:{server.port}/", WebErrorStatus.REDIRECT_FAILED)
    assert words in str(error)
    assert error.http_status == 302
    assert SECRET not in words_of(error).replace(repr(error.headers), "")
    assert server.connections == 1


def test_a_stream_follows_too(serve: Serve) -> None:
    server = serve(by_path(first=go("in"), **{"in": accept}))
    with curlwire.connect(
        f"ws://127.0.0.1:{server.port}/first", curlwire.StreamWebSocket, follow_location="safe"
    ) as ws:
        assert ws.input_stream.read(5) == b"hello"
        ws.abort()


# ---- proxies


def name_proxy(monkeypatch: pytest.MonkeyPatch, proxy: Proxy, no_proxy: str = "") -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
    monkeypatch.setenv("no_proxy", no_proxy)


def test_each_request_has_its_proxy(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    target = serve()
    first = serve(go(f"http://localhost:{target.port}/"))
    proxy = serve(tunnel)
    name_proxy(monkeypatch, proxy)
    connected(new(proxy_credential=("proxy", SECRET)), f"ws://127.0.0.1:{first.port}/")
    heads = [proxy.heads.get(timeout=WAIT) for _ in range(2)]
    assert [head.split(" ")[1] for head in heads] == [f"127.0.0.1:{first.port}", f"localhost:{target.port}"]
    assert all("proxy-authorization" in headers_of(head) for head in heads)
    for server in (first, target):
        assert "proxy-authorization" not in headers_of(server.heads.get(timeout=WAIT))
    name_proxy(monkeypatch, proxy, "localhost")
    connected(new(), f"ws://127.0.0.1:{first.port}/")
    assert proxy.connections == 3


def test_a_redirect_of_a_proxy_is_not_followed(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    target = serve()
    proxy = serve(go(f"http://127.0.0.1:{target.port}/"))
    name_proxy(monkeypatch, proxy)
    error = failed(new(), "ws://127.0.0.1:9/", WebErrorStatus.FOUND)
    assert "refused to connect to 127.0.0.1 with HTTP status 302" in str(error)
    assert target.connections == 0


def test_safe_cannot_judge_behind_a_proxy(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    target = serve()
    first = serve(by_path(same=go("in"), other=go(f"http://localhost:{target.port}/"), **{"in": accept}))
    proxy = serve(tunnel)
    name_proxy(monkeypatch, proxy)
    base = f"ws://127.0.0.1:{first.port}"
    connected(new("safe"), f"{base}/same")
    error = failed(new("safe"), f"{base}/other", WebErrorStatus.REDIRECT_FAILED)
    assert f"goes through the proxy 127.0.0.1:{proxy.port} (http_proxy)" in str(error)
    assert target.connections == 0
    # Nobody knows the address of a server behind a proxy, so it counts as public; the target is this machine.
    name_proxy(monkeypatch, proxy, "localhost")
    error = failed(new("safe"), f"{base}/other", WebErrorStatus.REDIRECT_FAILED)
    assert "the redirect to localhost leads to an address that is less public" in str(error)
    assert target.connections == 0
    connected(new("all"), f"{base}/other")


def test_the_environment_is_read_once(serve: Serve) -> None:
    """The variables count as they were at connect(), because the service thread must not read them later."""
    target = serve()

    def answer(connection: socket.socket, head: bytes) -> None:
        os.environ["http_proxy"] = "malformed://"
        go(f"http://localhost:{target.port}/")(connection, head)

    first = serve(answer)
    try:
        connected(new(), f"ws://127.0.0.1:{first.port}/")
    finally:
        del os.environ["http_proxy"]


def test_many_at_once(serve: Serve) -> None:
    """Connects that redirect do not disturb each other."""
    target = serve()
    first = serve(go(f"http://localhost:{target.port}/"))

    def one() -> None:
        with curlwire.connect(f"ws://127.0.0.1:{first.port}/", follow_location="all") as ws:
            results.append(ws.recv(timeout=WAIT))
            ws.abort()

    results: list[object] = []
    threads = [threading.Thread(target=one) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    assert results == ["hello"] * 20


def test_safe_refuses_what_goes_through_a_unix_socket(tmp_path: Path) -> None:
    """Nobody knows where the other end of a Unix socket leads, so its address cannot be judged."""
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def answer() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(65536)
                client.sendall(
                    b"HTTP/1.1 302 Found\r\nLocation: ws://other.invalid/\r\nContent-Length: 0\r\n\r\n"
                )

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(curlwire.ConnectError, match="through a Unix socket") as caught:
            new("safe", unix_socket_path=path).connect("ws://site.invalid/")
        thread.join()
    assert caught.value.status is WebErrorStatus.REDIRECT_FAILED
