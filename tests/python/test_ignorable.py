# SPDX-License-Identifier: MIT
"""ignorable_server_certificate_errors: what is ignored, and that nothing else is.

The cases are the rows "ignore" of tests/faults/tls.txt.
"""

from typing import Any

import pytest

import curlwire
from curlwire import CertificateError, ChainValidationResult, ServerCustomValidationRequestedEventArgs
from peers import decodes_natively, echo
from test_proxy import Proxy, Socks, context
from test_tls import address, assert_works, files, folder, named, new, rows, seen

KINDS = ("Untrusted", "IncompleteChain", "InvalidName")
NAME = "ignorable_server_certificate_errors"


def ignoring(*kinds: str, **control: Any) -> curlwire.MessageWebSocket:
    keywords: dict[str, Any] = {"ca_file": folder() / "ca.pem", **control}
    return curlwire.MessageWebSocket(ignorable_server_certificate_errors=kinds, **keywords)


@pytest.mark.parametrize(("port", "host", "controls", "kinds", "outcome", "errors"), rows("ignore"))
def test_ignore(port: str, host: str, controls: str, kinds: str, outcome: str, errors: str) -> None:
    own = port if port == "plain" else new(port)
    ws = curlwire.MessageWebSocket(ignorable_server_certificate_errors=set(kinds.split()), **files(controls))
    if outcome == "open":
        ws.connect(address(own, host))
    else:
        with pytest.raises(curlwire.ConnectError) as caught:
            ws.connect(address(own, host))
        assert named(caught.value.status) == outcome.lower()
        assert port == "plain" or seen(own)["plain_bytes"] == 0
    information = ws.information
    found = information.server_certificate_errors
    assert found in [tuple(one.split()) for one in errors.split("/")]
    assert all(isinstance(one, ChainValidationResult) for one in found)
    severity = "fatal" if outcome != "open" else "ignorable" if errors else "none"
    assert information.server_certificate_error_severity == (None if port == "plain" else severity)
    if outcome == "open":
        certificate = information.server_certificate
        assert certificate
        name = {"good": "server", "badhost12": "badhost"}.get(port, port)
        assert certificate.pem in (folder() / f"{name}.pem").read_text()
        assert_works(ws)
        assert information.server_certificate_errors == found


def test_the_kinds_of_uwp() -> None:
    """Each kind of UWP is accepted, or refused with a reason that says what to do."""
    for kind in ChainValidationResult:
        if kind in KINDS:
            assert ignoring(kind).control.ignorable_server_certificate_errors == (kind,)
            continue
        with pytest.raises(curlwire.ArgumentError, match=rf"{NAME} cannot have {kind}, .*: \w+"):
            ignoring(kind)
    for kind, reason in (
        ("Success", "which is no error: leave it out"),
        ("OtherErrors", "which stands for any other fault: leave it out"),
        ("Revoked", "checks revocation as a whole: leave it out, and unset crl_file to check none"),
        ("RevocationFailure", "checks revocation as a whole"),
        ("RevocationInformationMissing", "checks revocation as a whole"),
        ("Expired", "set verify to false, and check the certificate in on_server_custom_validation_requested"),
    ):
        with pytest.raises(curlwire.ArgumentError) as caught:
            ignoring("Untrusted", kind)
        assert reason in str(caught.value)


def test_wrong_items() -> None:
    ws = ignoring(*KINDS)
    for wrong in (["untrusted"], ["Untrusted", "Everything"], ["Untrusted", "Untrusted"], [""], ["a,b"]):
        with pytest.raises(curlwire.ArgumentError, match=NAME):
            ws.control.ignorable_server_certificate_errors = wrong
    for odd in ("Untrusted", [1], 7):
        with pytest.raises(TypeError, match=NAME):
            setattr(ws.control, NAME, odd)
    assert ws.control.ignorable_server_certificate_errors == KINDS
    ws.control.ignorable_server_certificate_errors = None
    assert ws.control.ignorable_server_certificate_errors == ()
    ws.control.ignorable_server_certificate_errors = frozenset({ChainValidationResult.INVALID_NAME})
    assert ws.control.ignorable_server_certificate_errors == ("InvalidName",)


def test_another_certificate_on_the_second_connection() -> None:
    """The certificate whose error is ignored is the one that gets the request."""
    port = new("twofaced")
    with pytest.raises(CertificateError, match="not the one that this program accepted"):
        ignoring(*KINDS).connect(address(port, "a.cw.localhost"))
    assert seen(port)["plain_bytes"] == 0


def test_ignored_errors_are_not_shared() -> None:
    """Connections of one thread with the same authorities share libcurl's handle, but never what is ignored."""
    with ignoring("InvalidName", "Untrusted") as first:
        first.connect(address("badhost"))
        for port, error in (("badhost", "InvalidName"), ("selfsigned", "Untrusted")):
            strict = ignoring()
            with pytest.raises(CertificateError):
                strict.connect(address(port))
            assert strict.information.server_certificate_errors == (error,)
            with ignoring(error) as second:
                second.connect(address(port))
                with pytest.raises(CertificateError):
                    ignoring().connect(address(port))


def test_a_socket_forgets_what_it_has_ignored() -> None:
    ws = ignoring("Untrusted", ca_file=folder() / "other-ca.pem")
    with pytest.raises(CertificateError):
        ws.connect(address("expiredchain"))
    assert ws.information.server_certificate_errors == ("Untrusted", "Expired")
    ws.control.ca_file = folder() / "ca.pem"
    ws.connect(address("good"))
    assert ws.information.server_certificate_errors == ()
    assert ws.information.server_certificate_error_severity == "none"
    assert_works(ws)


def test_without_verification_nothing_is_looked_at() -> None:
    ws = ignoring("InvalidName", verify=False)
    ws.connect(address("expired"))
    assert ws.information.server_certificate_errors == ()
    assert ws.information.server_certificate_error_severity == "none"
    assert_works(ws)


def test_a_plain_connection_ignores_the_control() -> None:
    with ignoring(*KINDS) as ws:
        ws.connect(echo())


@pytest.mark.parametrize("is_accepted", [True, False])
def test_the_question_shows_what_was_ignored(is_accepted: bool) -> None:
    heard: list[Any] = []

    def handler(_: Any, args: ServerCustomValidationRequestedEventArgs) -> None:
        heard.extend([args.server_certificate_errors, args.server_certificate_error_severity])
        certificate = args.server_certificate
        assert certificate
        heard.append(certificate.pem)
        if not is_accepted:
            args.reject()

    ws = ignoring("Untrusted", "InvalidName")
    ws.on_server_custom_validation_requested = handler
    port = new("selfsigned")
    if is_accepted:
        ws.connect(address(port, "a.cw.localhost"))
        assert_works(ws)
    else:
        with pytest.raises(CertificateError, match="this program rejected"):
            ws.connect(address(port, "a.cw.localhost"))
        assert seen(port)["plain_bytes"] == 0
    assert heard == [("Untrusted", "InvalidName"), "ignorable", (folder() / "selfsigned.pem").read_text()]


def test_no_question_if_an_error_is_not_ignored() -> None:
    ws = ignoring("Untrusted")
    ws.on_server_custom_validation_requested = lambda ws, args: pytest.fail("called")
    with pytest.raises(CertificateError):
        ws.connect(address("selfsigned", "a.cw.localhost"))


@pytest.mark.parametrize("kind", ["http", "https", "socks5h"])
def test_ignore_behind_a_proxy(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Socks() if kind == "socks5h" else Proxy(context=context("nameonly") if kind == "https" else None)
    with made as proxy:
        monkeypatch.setenv("all_proxy", f"{kind}://localhost:{proxy.port}")
        ws = ignoring("Untrusted")
        if kind == "https" and not decodes_natively():  # 8.14.1 does not say which error it is
            with pytest.raises(CertificateError):
                ws.connect(address("selfsigned"))
            return
        ws.connect(address("selfsigned"))
        assert ws.information.server_certificate_errors == ("Untrusted",)
        assert proxy.connections == 2
        assert_works(ws)


@pytest.mark.parametrize("certificate", ["selfsigned", "unknown", "badhost"])
def test_the_proxys_certificate_is_not_ignored(certificate: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Proxy(context=context(certificate)) as proxy:
        monkeypatch.setenv("all_proxy", f"https://localhost:{proxy.port}")
        ws = ignoring(*KINDS)
        with pytest.raises(CertificateError, match="the certificate of the proxy"):
            ws.connect(address("good"))
        assert ws.information.server_certificate_errors == ()


def test_a_stream_socket_ignores_too() -> None:
    ws = curlwire.StreamWebSocket(
        ca_file=folder() / "ca.pem", ignorable_server_certificate_errors=[ChainValidationResult.UNTRUSTED]
    )
    with ws:
        ws.connect(address("selfsigned"))
        ws.output_stream.write(b"over tls")
        assert ws.input_stream.read(8) == b"over tls"
