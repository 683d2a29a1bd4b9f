# SPDX-License-Identifier: MIT
"""Tests of the client certificate for an https:// proxy. proxy_settings.py starts a squid that demands one."""

from __future__ import annotations

from typing import Any

import pytest

import curlwire
from curlwire import MessageWebSocket, WebErrorStatus
from peers import echo
from test_proxies import real
from test_proxy import assert_works, demanding, fails, no_variables, tls_address, tls_folder, words_of

__all__ = ["no_variables"]  # a fixture of each test here too


def identity(**others: Any) -> dict[str, Any]:
    """Returns the controls for squid's port that demands a client certificate."""
    own = {"proxy": real("mutual", "https"), "proxy_ca_file": tls_folder() / "ca.pem"}
    return {**own, "proxy_client_certificate": tls_folder() / "client-both.pem", **others}


def of_files(files: dict[str, str]) -> dict[str, Any]:
    """Returns controls for which the path or the contents of a file is given by the file's name."""
    controls: dict[str, Any] = {}
    if "proxy_client_certificate_data" in files:
        controls["proxy_client_certificate"] = None  # in place of that of identity()
    for key, value in files.items():
        path = tls_folder() / value
        is_file = not key.endswith(("_password", "_type"))
        controls[key] = (path.read_bytes() if key.endswith("_data") else path) if is_file else value
    return controls


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"proxy_client_certificate": "purpose.pem", "proxy_client_key": "purpose.key"},
        {
            "proxy_client_certificate": "purpose.pem",
            "proxy_client_key": "client-locked.key",
            "proxy_client_key_password": "s3cret",
        },
        {
            "proxy_client_certificate": "client.p12",
            "proxy_client_certificate_type": "p12",
            "proxy_client_key_password": "s3cret",
        },
        {"proxy_client_certificate_data": "client-both.pem"},
        {"proxy_client_certificate_data": "purpose.pem", "proxy_client_key_data": "purpose.key"},
        {"proxy_client_certificate": "purpose.pem", "proxy_client_key_data": "purpose.key"},
        {
            "proxy_client_certificate_data": "purpose.pem",
            "proxy_client_key": "client-locked.key",
            "proxy_client_key_password": "s3cret",
        },
        {
            "proxy_client_certificate_data": "client.p12",
            "proxy_client_certificate_type": "p12",
            "proxy_client_key_password": "s3cret",
        },
    ],
)
def test_proxy_client_certificate(files: dict[str, str]) -> None:
    controls = of_files(files)
    assert_works(echo(), **identity(**controls))
    assert_works(tls_address("good"), ca_file=tls_folder() / "ca.pem", **identity(**controls))
    ws = MessageWebSocket(**identity(**controls))
    assert "s3c" not in repr(ws.control) and "BEGIN" not in repr(ws.control)
    for key in files:
        if key.endswith("_data"):
            assert getattr(ws.control, key) == "(set)"


def test_proxy_client_certificate_is_refused() -> None:
    """The errors name the proxy and the control, and show no password."""
    folder = tls_folder()
    rows: list[tuple[dict[str, Any], str]] = [
        (
            {"proxy_client_certificate": None},
            "demands a client certificate: set proxy_client_certificate to one",
        ),
        (
            {
                "proxy_client_certificate": folder / "selfsigned.pem",
                "proxy_client_key": folder / "selfsigned.key",
            },
            "",
        ),
        ({"proxy_client_key": folder / "server.key"}, "proxy_client_key '"),
        ({"proxy_client_key": folder / "client-locked.key"}, "proxy_client_key_password is missing or wrong"),
        (
            {"proxy_client_key": folder / "client-locked.key", "proxy_client_key_password": "s3crets3cret"},
            "proxy_client_key_password is missing or wrong",
        ),
        ({"proxy_client_certificate": folder / "purpose.pem"}, "proxy_client_certificate '"),
        ({"proxy_client_certificate": folder / "purpose.key"}, "proxy_client_certificate '"),
        (
            {"proxy_client_certificate": None, "proxy_client_key": folder / "purpose.key"},
            "proxy_client_key is set without proxy_client_certificate",
        ),
    ]
    for others, words in rows:
        error = fails(echo(), **identity(**others))
        assert words in str(error), others
        assert "s3cret" not in words_of(error)
        assert error.status is WebErrorStatus.UNEXPECTED_CLIENT_ERROR


PROXY_P12 = {"proxy_client_certificate_type": "p12", "proxy_client_key_password": "s3cret"}


@pytest.mark.parametrize(
    ("files", "option", "words"),
    [
        (
            {"proxy_client_certificate": "client.p12", "proxy_client_key_password": "s3cret"},
            "proxy_client_certificate",
            "is not a PEM file of certificates; correct it, or set proxy_client_certificate_type",
        ),
        (
            {"proxy_client_certificate": "client.p12", "proxy_client_certificate_type": "p12"},
            "proxy_client_certificate",
            "client.p12' cannot be used: it is not a PKCS#12 file with a certificate and its key, or "
            "proxy_client_key_password is missing or wrong",
        ),
        (
            {"proxy_client_certificate_data": "purpose.pem", **PROXY_P12},
            "proxy_client_certificate_data",
            "proxy_client_certificate_data cannot be used: it is not a PKCS#12 file",
        ),
        (
            {"proxy_client_certificate_data": "purpose.pem"},
            "proxy_client_certificate_data",
            "proxy_client_certificate_data cannot be used: it has no PEM key",
        ),
        (
            {"proxy_client_certificate_data": "purpose.pem", "proxy_client_key_data": "server.key"},
            "proxy_client_key_data",
            "proxy_client_key_data cannot be used: it has no PEM key, its key does not fit",
        ),
        (
            {"proxy_client_certificate_data": "openssl.cnf"},
            "proxy_client_certificate_data",
            "proxy_client_certificate_data cannot be used: it is not a PEM file",
        ),
    ],
)
def test_proxy_client_certificate_of_another_form(files: dict[str, str], option: str, words: str) -> None:
    error = fails(echo(), **identity(**of_files(files)))
    assert words in str(error)
    assert error.option == option
    assert error.status is WebErrorStatus.UNEXPECTED_CLIENT_ERROR
    assert "s3cret" not in words_of(error)


@pytest.mark.parametrize("start", ["", "proxy_"])
def test_controls_of_a_client_certificate_that_do_not_fit_together(start: str) -> None:
    """They are refused before anything is sent. The error names one control, in C, Python and Lua."""
    certificate, key = start + "client_certificate", start + "client_key"
    path, some = tls_folder() / "client-both.pem", b"PEM"
    rows: list[tuple[dict[str, Any], str, str]] = [
        ({key: path}, key, f"{key} is set without {certificate}: set {certificate} too, or {certificate}_data"),
        ({key + "_data": some}, key + "_data", f"{key}_data is set without {certificate}"),
        ({key + "_password": "s3cret"}, key + "_password", f"{key}_password is set without {certificate}"),
        (
            {certificate: path, certificate + "_data": some},
            certificate + "_data",
            f"{certificate} and {certificate}_data are both set: unset one of them",
        ),
        (
            {certificate: path, key: path, key + "_data": some},
            key + "_data",
            f"{key} and {key}_data are both set: unset one of them",
        ),
        (
            {certificate: path, certificate + "_type": "p12", key: path},
            key,
            f"{key} is set beside a PKCS#12 file, which has the key: unset {key}",
        ),
        ({certificate: "/nowhere/c"}, certificate, f"{certificate} '/nowhere/c' cannot be used: No such file"),
        ({certificate: path, key: "/"}, key, f"{key} '/' cannot be used: it is not a regular file"),
    ]
    for controls, option, words in rows:
        error = fails("wss://localhost:1/", proxy="https://localhost:1", **controls)
        assert words in str(error)
        assert error.option == option
        assert error.status is curlwire.get_status(error) is WebErrorStatus.UNEXPECTED_CLIENT_ERROR
        assert "s3cret" not in words_of(error)


def test_certificates_do_not_mix() -> None:
    """The server's client certificate is not for the proxy, and the proxy's is not for the server."""
    folder = tls_folder()
    for key in ("client_certificate", "proxy_client_certificate"):
        with demanding("tls12") as peer:
            control: dict[str, Any] = {key: folder / "client-both.pem", "ca_file": folder / "ca.pem"}
            uri = f"wss://localhost:{peer.port}/"
            if key == "client_certificate":
                control["proxy"] = f"https://localhost:{peer.port}"
                uri = tls_address("good")
            else:
                control["proxy"] = real("tls", "https")
            error = fails(uri, **control)
        other = "proxy_client_certificate" if key == "client_certificate" else "client_certificate"
        assert f"demands a client certificate: set {other} to one that it accepts" in str(error)
