# SPDX-License-Identifier: MIT
"""Faults of TLS: the rows of tests/faults/tls.txt, and cases that need more than one row."""

import hashlib
import json
import os
import re
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from websockets.sync.server import ServerConnection, serve

import curlwire
from curlwire import WebErrorStatus
from peers import HAS_COMPRESSION, WAIT, url

ROWS = [
    [column.strip() for column in line.split("|")]
    for line in (Path(__file__).parent.parent / "faults" / "tls.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


def rows(kind: str) -> Any:
    """Returns the rows of one kind as parameters. The name of a row is the name of its test."""
    found = [pytest.param(*row[2:], id=row[1]) for row in ROWS if row[0] == kind]
    assert found
    return found


def folder() -> Path:
    return Path(url("CW_TLS_FOLDER", ""))


def address(port: str, host: str = "localhost", path: str = "/s/echo/end") -> str:
    ports = dict(word.split("=") for word in url("CW_TLS_PORTS", "").split())
    return f"wss://{host}:{ports.get(port, port)}{path}"


def files(text: str) -> dict[str, str]:
    """Returns the controls of a text such as "ca_file=ca.pem", with the folder put before each file name."""
    return {name: str(folder() / value) for name, _, value in (word.partition("=") for word in text.split())}


def trusted(port: str, path: str = "/s/echo/end", **control: Any) -> curlwire.MessageWebSocket:
    ws: curlwire.MessageWebSocket = curlwire.connect(
        address(port, path=path), ca_file=folder() / "ca.pem", **control
    )
    return ws


def ask(path: str) -> Any:
    with urllib.request.urlopen(f"{url('CW_TLS_LOG', '')}/{path}", timeout=WAIT) as reply:
        return json.load(reply)


def new(port: str) -> str:
    """Returns the number of a new port that behaves as the named one but serves only this test."""
    return str(ask(f"new/{port}"))


def seen(port: str) -> dict[str, Any]:
    """Returns the TLS server's record of the last connection to such a port."""
    record: dict[str, Any] = ask(port)
    return record


def named(status: WebErrorStatus) -> str:
    return status.name.replace("_", "").lower()


def assert_works(ws: curlwire.MessageWebSocket) -> None:
    with ws:
        ws.send("over tls")
        assert ws.recv(timeout=WAIT) == "over tls"
    assert ws.was_clean


def assert_words(text: str, words: str) -> None:
    for word in filter(None, words.split("; ")):
        assert word in text


@pytest.mark.parametrize(("port", "host", "controls", "outcome", "words"), rows("connect"))
def test_tls_connect(port: str, host: str, controls: str, outcome: str, words: str) -> None:
    ws = curlwire.MessageWebSocket(**files(controls))
    where = address(port, host)
    if outcome == "open":
        ws.connect(where)
        return assert_works(ws)
    with pytest.raises(curlwire.ConnectError) as caught:
        ws.connect(where)
    assert named(caught.value.status) == outcome.lower()
    assert isinstance(caught.value, curlwire.CertificateError) == outcome.startswith("Certificate")
    assert caught.value.curl_code != 0
    assert_words(str(caught.value), words)
    assert ws.state == "new"
    if outcome.startswith("Certificate"):
        ws.control.verify = False  # on the same socket, to show that no verdict is kept
        ws.connect(where)
        assert_works(ws)


def der_of(name: str) -> bytes:
    return ssl.PEM_cert_to_DER_cert((folder() / f"{name}.pem").read_text())


@pytest.mark.parametrize(("port", "host", "controls", "names", "fault"), rows("chain"))
def test_server_certificate(port: str, host: str, controls: str, names: str, fault: str) -> None:
    ws = curlwire.MessageWebSocket(**files(controls))
    information = ws.information
    assert information.server_certificate is None
    assert information.server_certificate_error_severity is None
    if fault or not names:
        with pytest.raises(curlwire.ConnectError):
            ws.connect(address(port, host))
    else:
        ws.connect(address(port, host))
    for _ in range(2):  # in the connected or failed socket, and after its end
        sent = (information.server_certificate, *information.server_intermediate_certificates)
        assert [one.der for one in sent if one] == [der_of(name) for name in names.split()]
        assert all(type(one) is curlwire.Certificate for one in sent if one)
        assert information.server_certificate_errors in ([(one,) for one in fault.split()] or [()])
        severity = "fatal" if fault else "none" if names else None
        assert information.server_certificate_error_severity == severity
        ws.close()
        ws.wait_closed(WAIT)
    with curlwire.connect(url("CW_ECHO_WS")) as plain:
        assert plain.information.server_certificate is None
        assert plain.information.server_intermediate_certificates == ()


def test_server_certificate_is_forgotten() -> None:
    """A connect that fails otherwise says nothing of the certificate of the connect before."""
    ws = curlwire.MessageWebSocket(ca_file=folder() / "ca.pem")
    with pytest.raises(curlwire.CertificateError):
        ws.connect(address("expired"))
    assert ws.information.server_certificate_errors == ("Expired",)
    with pytest.raises(curlwire.ConnectError):
        ws.connect(address("plain"))
    assert ws.information.server_certificate is None
    assert ws.information.server_certificate_errors == ()
    ws.control.verify = False
    ws.connect(address("expired"))
    assert ws.information.server_certificate == curlwire.Certificate(der_of("expired"))
    assert ws.information.server_certificate_error_severity == "none"
    assert_works(ws)


def test_certificate_facts() -> None:
    der = der_of("server")
    # cryptography can tell this too, but it refuses the free-threaded Python 3.13
    decode = ssl._ssl._test_decode_cert  # type: ignore[attr-defined]
    reference = decode(folder() / "server.pem")
    valid_from, valid_to = (
        datetime.fromtimestamp(ssl.cert_time_to_seconds(reference[name]), UTC)
        for name in ("notBefore", "notAfter")
    )
    certificate = curlwire.Certificate(der)
    assert certificate.subject == "CN=localhost"
    assert certificate.issuer == "CN=curlwire test ca"
    assert int(certificate.serial_number or "", 16) == int(reference["serialNumber"], 16)
    assert certificate.valid_from == valid_from
    assert certificate.valid_to == valid_to
    names = ("DNS:localhost", "IP:127.0.0.1", "IP:0:0:0:0:0:0:0:1")
    assert certificate.subject_alternative_names == names
    assert certificate.sha1_fingerprint == hashlib.sha1(der, usedforsecurity=False).hexdigest()
    assert certificate.sha256_fingerprint == hashlib.sha256(der).hexdigest()
    assert certificate.pem == ssl.DER_cert_to_PEM_cert(der)
    assert certificate == curlwire.Certificate(bytearray(der)) != curlwire.Certificate(der_of("ca"))
    assert hash(certificate) == hash(curlwire.Certificate(der))
    assert repr(certificate) == "<curlwire.Certificate CN=localhost from CN=curlwire test ca>"
    junk = curlwire.Certificate(b"junk")
    assert junk.subject is junk.issuer is junk.serial_number is junk.valid_from is junk.valid_to is None
    assert junk.subject_alternative_names == ()
    day = der.replace(valid_from.strftime("%y%m%d").encode(), b"270231")
    assert curlwire.Certificate(day).valid_from is None


@pytest.mark.parametrize(("port", "path", "messages", "code", "clean", "words"), rows("end"))
def test_tls_end(port: str, path: str, messages: str, code: str, clean: str, words: str) -> None:
    ws = trusted(port, "/s/" + path)
    received = []
    with pytest.raises(curlwire.ConnectionClosed) as caught:
        while True:
            received.append(ws.recv(timeout=WAIT))
    assert received == list(messages)
    ws.wait_closed(WAIT)
    assert ws.close_code == caught.value.code == int(code)
    assert ws.was_clean is (clean == "yes")
    assert_words(ws.close_reason, words)
    assert_words(str(caught.value), words)
    if "truncated" in words:
        assert caught.value.status is WebErrorStatus.CONNECTION_ABORTED


def test_build_info(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURL_CA_BUNDLE", str(folder() / "ca.pem"))
    monkeypatch.setenv("https_proxy", "http://joe:swordfish@proxy.invalid")
    info = curlwire.build_info()
    versions = ["curlwire", "libcurl", "libcurl_built", "libcurl_linked", "tls", "zlib"]
    assert list(info) == [*versions, "authorities", "features"]
    assert info["curlwire"] == curlwire.__version__
    assert info["libcurl"] == curlwire.libcurl_version
    assert re.match(r"\d+\.\d+\.\d+", info["libcurl_built"])
    is_shared = "/libcurl.so" in Path("/proc/self/maps").read_text()
    assert info["libcurl_linked"] == ("system" if is_shared else "embedded")
    assert info["tls"]
    assert re.match(r"\d+\.\d+", info["zlib"])
    assert info["authorities"] == f"CURL_CA_BUNDLE: {folder()}/ca.pem"
    assert {"ws", "wss", "international-names"} <= set(info["features"])
    assert ("compression" in info["features"]) is HAS_COMPRESSION
    assert "swordfish" not in str(info)
    monkeypatch.setenv("CURL_CA_BUNDLE", "/nothing/here")
    assert curlwire.build_info()["authorities"] is None


def test_tls_authorities() -> None:
    plain, unchecked = curlwire.MessageWebSocket(), curlwire.MessageWebSocket(verify=False)
    plain.connect(url("CW_ECHO_WS"))
    unchecked.connect(address("good"))
    assert plain.authorities is unchecked.authorities is None
    assert_works(plain)
    assert_works(unchecked)
    with trusted("good", ca_path=folder() / "ca-folder") as ws:
        text = f"ca_file: {folder()}/ca.pem, ca_path: {folder()}/ca-folder"
        assert ws.authorities == ws.information.authorities == text
    ws = curlwire.MessageWebSocket(ca_path=folder() / "ca.pem")
    with pytest.raises(
        curlwire.ConnectError, match=r"ca_path '.*' cannot be used \(Not a directory\)"
    ) as caught:
        ws.connect(address("good"))
    assert caught.value.status is WebErrorStatus.UNEXPECTED_CLIENT_ERROR
    ws.control.ca_path = folder() / "ca-folder"
    ws.connect(address("good"))
    assert_works(ws)


@pytest.mark.parametrize("reply", ["", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: webso"])
def test_tls_cut_reply(reply: str) -> None:
    with pytest.raises(curlwire.ConnectError, match="close_notify") as caught:
        trusted("cut", f"/s/hs:{reply.encode().hex()}/end")
    assert caught.value.status is WebErrorStatus.CONNECTION_ABORTED


def test_tls_server_name() -> None:
    for name, host, sni in (
        ("good", "localhost", "localhost"),
        ("wildcard", "a.cw.localhost", "a.cw.localhost"),
        ("wildcard", "bücher.cw.localhost", "xn--bcher-kva.cw.localhost"),
        ("iponly", "127.0.0.1", None),  # SNI allows no IP address (RFC 6066 section 3)
    ):
        port = new(name)
        assert_works(curlwire.connect(address(port, host), ca_file=folder() / "ca.pem"))
        assert seen(port)["sni"] == sni


@pytest.mark.parametrize("name", ["expired", "unknown", "badhost", "badhost12"])
def test_tls_nothing_before_verification(name: str) -> None:
    port = new(name)
    ws = curlwire.MessageWebSocket(ca_file=folder() / "ca.pem")
    ws.set_request_header("Authorization", "Bearer swordfish")
    with pytest.raises(curlwire.CertificateError) as caught:
        ws.connect(address(port, path="/secret?token=swordfish"))
    assert "swordfish" not in str(caught.value)
    record = seen(port)
    assert record["raw"]
    assert record["plain_bytes"] == 0
    assert b"swordfish" not in bytes.fromhex(record["raw"])
    if name == "badhost12":  # before TLS 1.3 the type of a record is visible; 23 is data
        assert 22 in record["record_types"]
        assert 23 not in record["record_types"]


def test_tls_each_connect_verifies() -> None:
    """No TLS session is resumed, because that would rely on the verification of an earlier connect."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder() / "server.pem", folder() / "server.key")
    resumed = []

    def echo(ws: ServerConnection) -> None:
        resumed.append(cast(ssl.SSLSocket, ws.socket).session_reused)
        for message in ws:
            ws.send(message)

    with serve(echo, "127.0.0.1", 0, ssl=context) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        uri = f"wss://localhost:{server.socket.getsockname()[1]}"
        for _ in range(2):
            assert_works(curlwire.connect(uri, ca_file=folder() / "ca.pem"))
        with pytest.raises(curlwire.CertificateError):
            curlwire.connect(uri, ca_file=folder() / "other-ca.pem")
        with pytest.raises(curlwire.CertificateError):
            curlwire.connect(uri)
        assert_works(curlwire.connect(uri, verify=False))
        server.shutdown()
        thread.join()
    assert resumed == [False, False, False]


def test_tls_renegotiation() -> None:
    port = new("renegotiate")
    with trusted(port) as ws:
        for number in range(10):
            ws.send(str(number))
            assert ws.recv(timeout=WAIT) == str(number)
        large = os.urandom(1 << 20)
        ws.send(large)
        assert ws.recv(timeout=WAIT) == large
    assert ws.was_clean
    assert seen(port)["handshakes"] > 10


def test_tls_renegotiation_stuck() -> None:
    """The server asks for a renegotiation and then stops reading, so TLS cannot write data."""
    ws = trusted("stuck", send_timeout=1, close_timeout=0)
    ws.send("begin")
    with pytest.raises(curlwire.WebSocketTimeout):
        ws.recv(timeout=0.2)
    busy = time.process_time()
    ws.send("waits in the socket", timeout=0)  # the service thread tries to send it
    with pytest.raises(curlwire.WebSocketTimeout):
        ws.recv(timeout=0.5)
    with pytest.raises((curlwire.WebSocketTimeout, curlwire.ConnectionClosed)):
        while True:
            ws.send(bytes(100_000))  # this thread tries to send it
    assert time.process_time() - busy < 0.5
    ws.abort()


# A configuration of OpenSSL that allows what the system's own may forbid.
LAX_OPENSSL = """
openssl_conf = all
[all]
ssl_conf = lax
[lax]
system_default = everything
[everything]
MinProtocol = TLSv1
CipherString = DEFAULT:@SECLEVEL=0
"""
CONNECT = """
import curlwire, sys
curlwire.connect(sys.argv[1], ca_file=sys.argv[2]).close()
"""


def test_tls_old_system(tmp_path: Path) -> None:
    config = tmp_path / "openssl.cnf"
    config.write_text(LAX_OPENSSL)

    def connect(port: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", CONNECT, address(port), str(folder() / "ca.pem")],
            env={**os.environ, "OPENSSL_CONF": str(config)},
            capture_output=True, text=True, timeout=WAIT, check=False,
        )  # fmt: skip

    # shows that OpenSSL reads the configuration. The OpenSSL in a wheel reads none (packaging/test_wheels.py)
    assert connect("weak").returncode == (1 if os.environ.get("CW_TEST_WHEEL") else 0)
    old = connect("old")
    assert old.returncode == 1
    assert re.search(r"ConnectError: .*TLS 1\.2", old.stderr)
