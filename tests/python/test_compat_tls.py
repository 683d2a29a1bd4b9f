# SPDX-License-Identifier: MIT
"""curlwire.compat.websockets: how an ssl.SSLContext becomes curlwire's controls, and what is refused."""

import os
import ssl
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from curlwire.compat.websockets import SSLContext, connecting, create_default_context, tls
from curlwire.compat.websockets.client import process_exception
from curlwire.compat.websockets.sync.client import connect
from peers import WAIT, ca_file, url
from proxies import Proxy, server_context

FOLDER = Path(ca_file()).parent


def plain() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def trusting(context: ssl.SSLContext) -> ssl.SSLContext:
    context.load_verify_locations(ca_file())
    return context


@pytest.fixture(autouse=True)
def forget() -> None:
    tls._system.clear()


def pem_of(context: ssl.SSLContext) -> bytes:
    return b"".join(map(tls._pem, context.get_ca_certs(binary_form=True)))


# ---- what is translated


def test_the_default_context_needs_no_control() -> None:
    assert tls.controls_of(ssl.create_default_context()) == {}
    assert tls.controls_of(create_default_context()) == {}


def test_the_system_may_have_a_folder_of_authorities(tmp_path: Path) -> None:
    with patch.dict(os.environ, {"SSL_CERT_FILE": str(tmp_path / "none"), "SSL_CERT_DIR": str(tmp_path)}):
        assert tls.controls_of(ssl.create_default_context()) == {}
        assert "ca_data" in tls.controls_of(trusting(plain()))


def test_authorities() -> None:
    context = trusting(plain())
    assert tls.controls_of(context) == {"ca_data": pem_of(context)}
    own = SSLContext()
    own.load_verify_locations(ca_file())
    assert tls.controls_of(own) == {"ca_data": Path(ca_file()).read_bytes()}
    own.load_verify_locations(capath=FOLDER / "ca-folder")
    assert tls.controls_of(own)["ca_path"] == str(FOLDER / "ca-folder")
    der = ssl.PEM_cert_to_DER_cert(Path(ca_file()).read_text())
    for data in (der, Path(ca_file()).read_text()):
        assert b"BEGIN CERTIFICATE" in tls.controls_of(create_default_context(cadata=data))["ca_data"]


def test_the_systems_authorities_and_others() -> None:
    context = create_default_context()
    context.load_verify_locations(ca_file())
    with patch.object(tls, "system_file", lambda: str(FOLDER / "other-ca.pem")):
        data = tls.controls_of(context)["ca_data"]
    assert Path(ca_file()).read_bytes() in data and (FOLDER / "other-ca.pem").read_bytes() in data
    with patch.object(tls, "system_file", lambda: None), pytest.raises(NotImplementedError, match="ca_path"):
        tls.controls_of(context)


def test_checks_that_are_off() -> None:
    context = trusting(plain())
    context.check_hostname = False
    assert tls.controls_of(context)["ignorable_server_certificate_errors"] == ["InvalidName"]
    context.verify_mode = ssl.CERT_NONE
    assert tls.controls_of(context) == {"verify": False}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of OP_NO_TLSv1_3
def test_versions() -> None:
    context = trusting(plain())
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    assert tls.controls_of(context)["tls_min_version"] == "1.3"
    context = trusting(plain())
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    assert tls.controls_of(context)["tls_max_version"] == "1.2"
    context = trusting(plain())
    context.options |= ssl.OP_NO_TLSv1_3
    assert tls.controls_of(context)["tls_max_version"] == "1.2"
    context.options |= ssl.OP_NO_TLSv1_2
    with pytest.raises(NotImplementedError, match="version"):
        tls.controls_of(context)


def test_ciphers() -> None:
    context = trusting(plain())
    context.set_ciphers("ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES256-GCM-SHA384")
    controls = tls.controls_of(context)
    assert controls["tls_ciphers"].split(":") == [
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
    ]
    assert "tls13_ciphers" not in controls


def test_a_client_certificate_is_recorded() -> None:
    context = create_default_context(cafile=ca_file())
    context.load_cert_chain(FOLDER / "purpose.pem", FOLDER / "client-locked.key", lambda: b"s3cret")
    controls = tls.controls_of(context)
    assert controls["client_certificate"] == str(FOLDER / "purpose.pem")
    assert controls["client_key"] == str(FOLDER / "client-locked.key")
    assert controls["client_key_password"] == "s3cret"
    context.load_cert_chain(str(FOLDER / "client-both.pem"))
    controls = tls.controls_of(context)
    assert controls["client_certificate"].endswith("client-both.pem") and "client_key" not in controls


# ---- what is refused


def changed(name: str, value: Any) -> ssl.SSLContext:
    context = trusting(plain())
    setattr(context, name, value)
    return context


def with_revocations() -> ssl.SSLContext:
    context = trusting(plain())
    context.load_verify_locations(FOLDER / "crl.pem")
    return context


def with_a_certificate_that_is_no_authority() -> ssl.SSLContext:
    context = plain()
    context.load_verify_locations(FOLDER / "server.pem")
    return context


def with_two_folders() -> ssl.SSLContext:
    context = create_default_context(capath=FOLDER / "ca-folder")
    context.load_verify_locations(capath=FOLDER / "other-folder")
    return context


def with_weak_ciphers() -> ssl.SSLContext:
    context = trusting(plain())
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    return context


REFUSED: dict[str, tuple[Any, str]] = {
    "options": (lambda: changed("options", plain().options | ssl.OP_NO_QUERY_MTU), "tls_"),
    "verify_flags": (lambda: changed("verify_flags", ssl.VERIFY_CRL_CHECK_LEAF), "crl_file"),
    "post_handshake_auth": (lambda: changed("post_handshake_auth", True), "client_certificate"),
    "common_name": (lambda: changed("hostname_checks_common_name", False), "ignorable_server_certificate"),
    "keylog": (lambda: changed("keylog_filename", os.devnull), "SSLKEYLOGFILE"),
    "security_level": (with_weak_ciphers, "tls_ciphers"),
    "revocations": (with_revocations, "crl_file"),
    "no_authority": (with_a_certificate_that_is_no_authority, "SSLContext, or the control ca_file"),
    "nothing": (SSLContext, "load_default_certs"),
    "two_folders": (with_two_folders, "ca_path"),
    "server": (lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), "PROTOCOL_TLS_CLIENT"),
}
if not hasattr(ssl, "OP_NO_QUERY_MTU"):
    ssl.OP_NO_QUERY_MTU = ssl.Options(0x1000)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", REFUSED)
def test_a_setting_without_a_control_is_refused(name: str) -> None:
    make, words = REFUSED[name]
    with pytest.raises(NotImplementedError, match=words) as caught:
        tls.controls_of(make())
    assert "curlwire" in str(caught.value)
    assert process_exception(caught.value) is caught.value  # no program tries this again for ever


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_versions_are_refused() -> None:
    context = trusting(plain())
    context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.raises(NotImplementedError, match="tls_min_version"):
        tls.controls_of(context)
    context = trusting(plain())
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(NotImplementedError, match="tls_max_version"):
        tls.controls_of(context)


def test_a_context_that_trusts_nobody_is_refused() -> None:
    """If the system's authorities can be read, a context without any has none."""
    if not ssl.create_default_context().get_ca_certs():
        with patch.dict(os.environ, {"SSL_CERT_FILE": ca_file()}), pytest.raises(NotImplementedError):
            tls.controls_of(plain())
        return
    with pytest.raises(NotImplementedError, match="SSLContext"):
        tls.controls_of(plain())


def test_wrong_types() -> None:
    with pytest.raises(TypeError, match="SSLContext"):
        tls.controls_of("context")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="client"):
        create_default_context(ssl.Purpose.CLIENT_AUTH)
    with pytest.raises(ValueError, match="incompatible with a ws:// URI"):
        connect("ws://localhost/", ssl=plain())


def test_our_default_context_is_like_pythons() -> None:
    """Since Python 3.13 it has two more flags."""
    assert create_default_context().verify_flags == ssl.create_default_context().verify_flags


# ---- connections


def test_a_connection_with_a_client_certificate() -> None:
    context = SSLContext()
    context.load_verify_locations(FOLDER / "ca.pem")
    context.load_cert_chain(FOLDER / "purpose.pem", FOLDER / "purpose.key")
    subjects = []

    def talk(connection: Any, head: bytes) -> None:
        subjects.append(connection.getpeercert()["subject"])
        connection.sendall(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")

    asking = server_context(str(FOLDER / "server.pem"), str(FOLDER / "server.key"))
    asking.load_verify_locations(ca_file())
    asking.verify_mode = ssl.CERT_REQUIRED
    with Proxy(talk, asking) as server, pytest.raises(Exception, match="HTTP 403"):
        connect(f"wss://localhost:{server.port}/", ssl=context, proxy=None)
    assert len(subjects) == 1


def test_a_name_that_is_not_the_servers() -> None:
    context = trusting(plain())
    with connect(url("CW_BADHOST_WSS"), ssl=context, server_hostname="elsewhere.invalid") as ws:
        assert ws.socket.server_hostname == "elsewhere.invalid"
        tls_object = ws._view().get_extra_info("ssl_object")
        assert tls_object.version() == ws.socket.version()
        assert tls_object.cipher()[1] == ws.socket.version()
        assert tls_object.selected_alpn_protocol() in (None, "http/1.1")
        assert ssl.DER_cert_to_PEM_cert(tls_object.getpeercert(True)).startswith("-----BEGIN")
        with pytest.raises(NotImplementedError, match="binary_form"):
            tls_object.getpeercert()
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        connect(url("CW_BADHOST_WSS"), ssl=context)


def test_the_authorities_of_an_https_proxy(tmp_path: Path) -> None:
    controls: dict[str, Any] = {"ca_data": b"x"}
    with patch.object(connecting, "system_file", lambda: "/system.pem"):
        assert connecting.Arguments._proxy_tls(controls, None) == {"proxy_ca_file": "/system.pem"}
    with patch.object(connecting, "system_file", lambda: None), pytest.raises(NotImplementedError):
        connecting.Arguments._proxy_tls(controls, None)
    assert connecting.Arguments._proxy_tls({}, True) == {}
    unchecked = trusting(plain())
    unchecked.check_hostname = False
    with pytest.raises(NotImplementedError, match="begin with proxy_"):
        connecting.Arguments._proxy_tls({}, unchecked)
    unchecked.verify_mode = ssl.CERT_NONE
    assert connecting.Arguments._proxy_tls({}, unchecked) == {"proxy_verify": False}
    own = create_default_context(cafile=ca_file())
    own.load_cert_chain(FOLDER / "purpose.pem", FOLDER / "purpose.key")
    controls = connecting.Arguments._proxy_tls({}, own)
    assert controls["proxy_client_certificate"] == str(FOLDER / "purpose.pem")
    assert controls["proxy_client_key"] == str(FOLDER / "purpose.key")
    certificate = server_context(str(FOLDER / "server.pem"), str(FOLDER / "server.key"))
    with Proxy(context=certificate) as proxy:
        through = f"https://localhost:{proxy.port}"
        with connect(url("CW_ECHO_WS"), proxy=through, proxy_ssl=trusting(plain())) as ws:
            ws.send("x")
            assert ws.recv(WAIT) == "x"
        with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"):
            connect(url("CW_ECHO_WS"), proxy=through)
