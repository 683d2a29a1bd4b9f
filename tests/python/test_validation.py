# SPDX-License-Identifier: MIT
"""on_server_custom_validation_requested: the program accepts or rejects the server's certificate."""

import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import curlwire
from curlwire import CertificateError, ServerCustomValidationRequestedEventArgs, StateError, WebErrorStatus
from peers import WAIT, echo, wait_until
from test_tls import address, assert_works, folder, new, seen

Args = ServerCustomValidationRequestedEventArgs


def asking(handler: Callable[[Any, Args], object], **control: Any) -> curlwire.MessageWebSocket:
    ws = curlwire.MessageWebSocket(ca_file=folder() / "ca.pem", **control)
    ws.on_server_custom_validation_requested = handler
    return ws


def test_silence_accepts() -> None:
    heard: list[object] = []
    ws = asking(lambda ws, args: heard.extend([ws, threading.current_thread().name]))
    port = new("good")
    ws.connect(address(port))
    assert heard == [ws, "curlwire dispatcher"]
    assert_works(ws)
    assert seen(port)["plain_bytes"] > 0


def test_the_handler_sees_the_certificate() -> None:
    heard: list[Any] = []

    def handler(ws: curlwire.MessageWebSocket, args: Args) -> None:
        heard.append(args)
        heard.append(args.server_certificate)
        assert type(args) is curlwire.ServerCustomValidationRequestedEventArgs
        assert args.server_certificate == ws.information.server_certificate
        heard.extend([args.server_intermediate_certificates, args.server_certificate_errors])
        heard.append(args.server_certificate_error_severity)

    ws = asking(handler)
    ws.connect(address("good"))
    args, certificate, *others = heard
    assert "localhost" in " ".join(certificate.subject_alternative_names)
    assert others == [(), (), "none"]
    assert ws.information.server_certificate == certificate
    ws.close()
    alive = weakref.ref(ws)
    del ws, handler
    wait_until(lambda: alive() is None)  # the dispatcher thread may have the socket a moment longer
    with pytest.raises(StateError, match="the socket is gone"):
        _ = args.server_certificate


def test_a_rejected_server_sees_no_byte_of_the_request() -> None:
    ws = asking(lambda ws, args: args.reject())
    port = new("good")
    with pytest.raises(CertificateError, match="this program rejected the server's certificate") as caught:
        ws.connect(address(port))
    assert caught.value.status is WebErrorStatus.CERTIFICATE_IS_INVALID
    record = seen(port)
    assert record["plain_bytes"] == 0
    assert record["handshakes"] == 1
    assert ws.state == "new"


def test_another_certificate_on_the_second_connection() -> None:
    """The server that was accepted is the server that gets the request."""
    ws = asking(lambda ws, args: None)
    port = new("twofaced")
    with pytest.raises(CertificateError, match="not the one that this program accepted"):
        ws.connect(address(port))
    assert seen(port)["plain_bytes"] == 0


@pytest.mark.parametrize("port", ["badhost", "expired", "unknown", "selfsigned"])
def test_the_handler_cannot_widen_trust(port: str) -> None:
    """The handler is not called if another check has failed."""
    ws = asking(lambda ws, args: pytest.fail("called"))
    with pytest.raises(CertificateError):
        ws.connect(address(port))


def test_no_question_without_tls() -> None:
    ws = asking(lambda ws, args: args.reject())
    ws.connect(echo())
    ws.close()


def test_a_deferral_is_completed_in_another_thread() -> None:
    kept: list[Any] = []
    has_returned = threading.Event()

    def handler(ws: Any, args: Args) -> None:
        deferral = args.get_deferral()

        def later() -> None:
            has_returned.wait(WAIT)
            kept.append(ws.state)
            deferral.complete()
            deferral.complete()

        threading.Thread(target=later).start()

    ws = asking(handler)
    threading.Timer(0, has_returned.set).start()
    ws.connect(address("good"))
    assert kept == ["connecting"]
    assert_works(ws)


def test_a_deferral_that_rejects() -> None:
    kinds: list[type[object]] = []

    def handler(_: Any, args: Args) -> None:
        first, second = args.get_deferral(), args.get_deferral()
        kinds.extend([type(first), type(second)])

        def later() -> None:
            first.complete()
            args.reject()
            second.complete()

        threading.Thread(target=later).start()

    with pytest.raises(CertificateError, match="this program rejected"):
        asking(handler).connect(address("good"))
    assert kinds == [curlwire.Deferral] * 2


def test_a_deferral_that_is_dropped_rejects_and_says_so() -> None:
    def handler(_: Any, args: Args) -> None:
        args.get_deferral()

    with pytest.raises(CertificateError, match=r"gave no answer about the server's .*complete each"):
        asking(handler).connect(address("good"))


def test_an_exception_rejects_and_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[type[BaseException]] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda report: reported.append(report.exc_type))

    def handler(_: Any, args: Args) -> None:
        args.get_deferral().complete()
        raise KeyError("oops")

    with pytest.raises(CertificateError, match="let no exception leave the handler"):
        asking(handler).connect(address("good"))
    wait_until(lambda: reported == [KeyError])  # the connect may fail before the dispatcher thread reports


def test_connect_timeout_limits_a_slow_answer() -> None:
    kept: list[Any] = []
    for timeout in (0.5, 5, 50):  # on a busy machine the time may be over before the question
        ws = asking(lambda ws, args: kept.append(args.get_deferral()))
        with pytest.raises(curlwire.ConnectTimeout, match=rf"not connected within {timeout:g} s") as caught:
            ws.connect(address("good"), timeout=timeout)
        if "this program has not answered" in str(caught.value):
            break
    assert "this program has not answered" in str(caught.value)
    kept.pop().complete()  # too late, and no error


def test_an_answer_that_comes_too_late_is_refused() -> None:
    kept: list[Args] = []
    ws = asking(lambda ws, args: kept.append(args))
    ws.connect(address("good"))
    with pytest.raises(StateError, match="was accepted before"):
        kept[0].reject()
    with pytest.raises(StateError, match="answered before"):
        kept[0].get_deferral()
    assert_works(ws)


def test_a_connect_in_a_handler_calls_the_handler_itself() -> None:
    """The dispatcher thread waits in connect(), so the handler runs there."""
    heard: list[object] = []
    done = threading.Event()

    def on_message(outer: curlwire.MessageWebSocket, _: object) -> None:
        inner = asking(lambda ws, args: heard.append(threading.current_thread().name))
        inner.connect(address("good"))
        inner.close()
        with pytest.raises(CertificateError):
            asking(lambda ws, args: args.reject()).connect(address("good"))
        heard.append(outer.state)
        done.set()

    outer = curlwire.connect(echo())
    outer.on_message_received = on_message
    outer.send("go")
    assert done.wait(WAIT)
    assert heard == ["curlwire dispatcher", "open"]
    outer.close()


def test_the_handler_is_set_before_connect_only() -> None:
    ws = asking(lambda ws, args: None)
    ws.connect(address("good"))
    with pytest.raises(StateError, match="once a connect has begun: set it before connect"):
        ws.on_server_custom_validation_requested = None
    with pytest.raises(TypeError, match="async def"):
        curlwire.MessageWebSocket().on_server_custom_validation_requested = coroutine
    ws.close()


async def coroutine(_: Any, args: Args) -> None:
    args.reject()


def test_removed_again() -> None:
    ws = asking(lambda ws, args: args.reject())
    ws.on_server_custom_validation_requested = None
    ws.connect(address("good"))
    assert_works(ws)


def test_close_in_another_thread_cancels_the_question() -> None:
    kept: list[Any] = []

    def handler(ws: Any, args: Args) -> None:
        kept.append(args.get_deferral())
        ws.close()

    with pytest.raises(curlwire.ConnectError) as caught:
        asking(handler).connect(address("good"))
    assert caught.value.status is WebErrorStatus.OPERATION_CANCELED


def test_a_stream_socket_asks_too() -> None:
    ws = curlwire.StreamWebSocket(ca_file=folder() / "ca.pem")
    ws.on_server_custom_validation_requested = lambda ws, args: args.reject()
    with pytest.raises(CertificateError):
        ws.connect(address("good"))
