# SPDX-License-Identifier: MIT
"""Client certificates: each form of the files, what the server sees, and errors that show no password."""

from __future__ import annotations

import contextlib
import os
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from websockets.sync.server import ServerConnection, serve

import curlwire
from curlwire import WebErrorStatus
from peers import WAIT, echo, round_trip, url
from test_proxy import words_of

SECRET = "s3cret"


def file(name: str) -> str:
    return str(Path(url("CW_TLS_FOLDER", "")) / name)


class Strict:
    """A server that demands a client certificate of ca.pem, and keeps what clients have shown."""

    def __init__(self, authority: str, version: ssl.TLSVersion) -> None:
        self.shown: list[str] = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file("server.pem"), file("server.key"))
        context.load_verify_locations(file(authority))
        context.verify_mode = ssl.CERT_REQUIRED
        context.maximum_version = version
        self.server = serve(self.talk, "127.0.0.1", 0, ssl=context)
        self.url = f"wss://localhost:{self.server.socket.getsockname()[1]}/"

    def talk(self, ws: ServerConnection) -> None:
        shown = cast(ssl.SSLSocket, ws.socket).getpeercert(binary_form=True)
        self.shown.append(ssl.DER_cert_to_PEM_cert(shown or b""))
        with contextlib.suppress(Exception):
            for message in ws:
                ws.send(message)


@contextlib.contextmanager
def strict(authority: str = "ca.pem", version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> Iterator[Strict]:
    peer = Strict(authority, version)
    with peer.server:
        thread = threading.Thread(target=peer.server.serve_forever, daemon=True)
        thread.start()
        yield peer
        peer.server.shutdown()
        thread.join(WAIT)


def fails(uri: str, **control: Any) -> curlwire.ConnectError:
    ws = curlwire.MessageWebSocket(ca_file=file("ca.pem"), **control)
    with pytest.raises(curlwire.ConnectError) as caught:
        ws.connect(uri)
    assert ws.state == "new"
    assert caught.value.status is WebErrorStatus.UNEXPECTED_CLIENT_ERROR
    assert SECRET not in words_of(caught.value)
    assert SECRET not in repr(ws.control)
    return caught.value


GOOD: dict[str, dict[str, str]] = {
    "one file": {"client_certificate": "client-both.pem"},
    "two files": {"client_certificate": "purpose.pem", "client_key": "purpose.key"},
    "password": {
        "client_certificate": "purpose.pem",
        "client_key": "client-locked.key",
        "client_key_password": SECRET,
    },
    "p12": {
        "client_certificate": "client.p12",
        "client_key_password": SECRET,
        "client_certificate_type": "p12",
    },
}
FILES = ("client_certificate", "client_key")


def control_of(names: dict[str, str]) -> dict[str, Any]:
    return {key: file(value) if key in FILES else value for key, value in names.items()}


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("form", GOOD)
def test_client_certificate(form: str, version: ssl.TLSVersion) -> None:
    with strict(version=version) as peer:
        for _ in range(2):
            with curlwire.connect(peer.url, ca_file=file("ca.pem"), **control_of(GOOD[form])) as ws:
                round_trip(ws)
        ws = curlwire.MessageWebSocket(ca_file=file("ca.pem"), **control_of(GOOD[form]))
        ws.on_server_custom_validation_requested = lambda ws, args: None
        with ws:
            ws.connect(peer.url)
            round_trip(ws)
        assert peer.shown == [Path(file("purpose.pem")).read_text()] * 3
        assert "demands a client certificate: set client_certificate" in str(
            fails(peer.url)
        )  # it is not shared


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_client_certificate_is_rejected(version: ssl.TLSVersion) -> None:
    with strict("other-ca.pem", version) as peer:
        for _ in range(10):
            text = str(fails(peer.url, **control_of(GOOD["two files"])))
            assert text.startswith("the server localhost ")
            assert "accept the client certificate" in text or "may not accept client_certificate" in text
        assert peer.shown == []


BAD: dict[str, tuple[dict[str, str], str]] = {
    "no file": (
        {"client_certificate": "/nowhere/c.pem"},
        "client_certificate '/nowhere/c.pem' cannot be used: No such",
    ),
    "no key file": (
        {"client_certificate": "purpose.pem", "client_key": "/nowhere/k"},
        "client_key '/nowhere/k' cannot be used: No",
    ),
    "a folder": (
        {"client_certificate": "/"},
        "client_certificate '/' cannot be used: it is not a regular file",
    ),
    "no certificate": (
        {"client_certificate": "purpose.key"},
        "purpose.key' cannot be used: it is not a PEM file of",
    ),
    "no key": ({"client_certificate": "purpose.pem"}, "purpose.pem' cannot be used: it has no PEM key"),
    "another key": (
        {"client_certificate": "purpose.pem", "client_key": "server.key"},
        "server.key' cannot be used: it has no PEM key",
    ),
    "no password": (
        {"client_certificate": "purpose.pem", "client_key": "client-locked.key"},
        "client_key_password is missing or",
    ),
    "wrong password": (
        {**GOOD["password"], "client_key_password": "s3creT"},
        "client_key_password is missing or wrong",
    ),
    "p12, wrong password": (
        {**GOOD["p12"], "client_key_password": "s3creT"},
        "client.p12' cannot be used: it is not a",
    ),
    "p12, no password": (
        {"client_certificate": "client.p12", "client_certificate_type": "p12"},
        "client_key_password is missing or wrong",
    ),
    "pem as p12": (
        {"client_certificate": "purpose.pem", "client_certificate_type": "p12"},
        "is not a PKCS#12 file",
    ),
    "p12 as pem": (
        {"client_certificate": "client.p12", "client_key_password": SECRET},
        "set client_certificate_type",
    ),
    "p12 and a key": ({**GOOD["p12"], "client_key": "purpose.key"}, "client_key is set beside a PKCS#12 file"),
    "a key alone": ({"client_key": "purpose.key"}, "client_key is set without client_certificate"),
    "a password alone": (
        {"client_key_password": SECRET},
        "client_key_password is set without client_certificate",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_client_certificate(name: str) -> None:
    control, words = BAD[name]
    with strict() as peer:
        text = str(fails(peer.url, **control_of(control)))
        assert words in text
        assert "client_" in text
        assert peer.shown == []
    with curlwire.connect(echo(), **control_of(control)) as ws:  # without TLS nothing is looked at
        round_trip(ws)


def test_a_pipe_is_no_client_certificate(tmp_path: Path) -> None:
    """Reading it would stop the service thread."""
    os.mkfifo(tmp_path / "pipe")
    with strict() as peer:
        error = fails(peer.url, client_certificate=tmp_path / "pipe")
        assert "pipe' cannot be used: it is not a regular file" in str(error)
