# SPDX-License-Identifier: MIT
"""curl's options for a proxy, with real ones (squid): login, TLS, client certificate and exit codes."""

import os
import socket
from pathlib import Path

import pytest

from curlwire.command import parser
from curlwire.command.connecting import controls_of, explain
from helpers import Ended, echo, run, serving

FOLDER = Path(os.environ.get("CW_TLS_FOLDER", ""))
USER = "j0hnny:s3c:ret/@"
SECRET = "s3cret"


def proxy(name: str, scheme: str = "http") -> str:
    """The URI of a proxy of tests/servers/proxy_settings.py."""
    ports = dict(word.split("=") for word in os.environ["CW_PROXIES"].split())
    return f"{scheme}://{'localhost' if scheme == 'https' else '127.0.0.1'}:{ports[name]}"


def through(uri: str, *words: str, password: str = "") -> Ended:
    """Gets an echo through a proxy. password: of the key, in the environment."""
    first = ("--no-stdin", "-d", "hi", "--count", "1", "-x", uri)
    return run(*first, *words, echo(), CURLWIRE_PROXY_PASS=password)


def mutual(*words: str, password: str = "") -> Ended:
    """The same through the proxy that wants a client certificate."""
    uri = proxy("mutual", "https")
    ended = through(uri, "--proxy-cacert", str(FOLDER / "ca.pem"), *words, password=password)
    assert SECRET not in ended.err
    return ended


@pytest.mark.parametrize(
    "words",
    [
        ["--proxy-cert", "client-both.pem"],
        ["--proxy-cert", "purpose.pem", "--proxy-key", "purpose.key"],
        ["--proxy-cert", "purpose.pem", "--proxy-key", "client-locked.key", "--proxy-pass", SECRET],
        ["--proxy-cert", f"purpose.pem:{SECRET}", "--proxy-key", "client-locked.key"],
        ["--proxy-cert", f"client.p12:{SECRET}", "--proxy-cert-type", "p12"],
    ],
)
def test_a_client_certificate(words: list[str]) -> None:
    files = [str(FOLDER / word) if "." in word else word for word in words]
    assert mutual(*files) == Ended(0, "hi\n", "")


def test_the_password_in_the_environment() -> None:
    words = ("--proxy-cert", str(FOLDER / "purpose.pem"), "--proxy-key", str(FOLDER / "client-locked.key"))
    assert mutual(*words, password=SECRET).code == 0


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ([], "set --proxy-cert to one"),
        (["--proxy-cert", "/nonexistent"], "--proxy-cert '/nonexistent'"),
        (["--proxy-cert", "client.p12", "--proxy-pass", SECRET], "set --proxy-cert-type"),
        (["--proxy-cert", "client.p12:wrong", "--proxy-cert-type", "P12"], "--proxy-pass is missing or wrong"),
        (["--proxy-cert", "purpose.pem", "--proxy-key", "server.key"], "--proxy-key '"),
        (["--proxy-cert", "purpose.pem", "--proxy-key", "client-locked.key"], "--proxy-pass is missing"),
        (["--proxy-key", "purpose.key"], "--proxy-key is set without --proxy-cert"),
    ],
)
def test_a_client_certificate_that_cannot_be_used(words: list[str], fault: str) -> None:
    files = [str(FOLDER / word) if "." in word else word for word in words]
    ended = mutual(*files)
    assert ended.code == 58
    assert fault in ended.err and "proxy_" not in ended.err


def test_tls_with_the_proxy_has_the_exit_codes_of_curl() -> None:
    uri = proxy("tls", "https")
    assert through(uri).code == 60
    assert through(uri, "--proxy-insecure").code == 0
    assert through(uri, "--cacert", str(FOLDER / "ca.pem")).code == 0
    assert through(uri, "--proxy-cacert", "/nonexistent").code == 77
    assert through(proxy("open").replace("http:", "https:")).code == 35


def test_logins() -> None:
    digest = proxy("digest")
    assert through(digest, "-U", USER, "--proxy-digest") == Ended(0, "hi\n", "")
    assert through(digest, "-U", USER, "--proxy-anyauth").code == 0
    assert through(proxy("basic"), "-U", USER, "--proxy-basic").code == 0
    for words in ([], ["-U", USER], ["-U", "j0hnny:wrong", "--proxy-digest"]):
        ended = through(digest, *words)
        assert (ended.code, "s3c" in ended.err) == (97, False)


@pytest.mark.parametrize("option", ["--proxy-ntlm", "--proxy-negotiate"])
def test_a_login_that_libcurl_lacks(option: str) -> None:
    """Its error names options that help, and none that was not given."""
    ended = through(proxy("basic"), "-U", USER, option)
    assert ended.code == 2
    assert "this login at the proxy cannot be used" in ended.err
    assert "add --proxy-digest or --proxy-basic" in ended.err
    assert "proxy_auth" not in ended.err and "--proxy-anyauth" not in ended.err


def test_a_malformed_answer() -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(1 << 16)
        connection.sendall(b"HTTP/2 200 x\r\n\r\n")

    with serving(answer) as port:
        assert through(f"127.0.0.1:{port}").code == 97


@pytest.mark.parametrize(
    ("text", "path", "password"),
    [("a", "a", None), ("a:", "a", ""), ("a:b:c", "a", "b:c"), (r"a\:b\\c\d:e\:", r"a:b\c\d", r"e\:")],
)
def test_a_colon_in_the_name_of_a_certificate(text: str, path: str, password: str | None) -> None:
    given, _ = parser.parse(["--cert", text, "--proxy-cert", text])
    controls, _ = controls_of(given)
    for control in ("client", "proxy_client"):
        assert controls[f"{control}_certificate"] == path
        assert controls.get(f"{control}_key_password") == password


def test_errors_name_the_options() -> None:
    text = "proxy_client_certificate_type, client_certificate_type, client_certificate, proxy_auth"
    assert explain(Exception(text)) == "--proxy-cert-type, --cert-type, --cert, --proxy-anyauth"
