# SPDX-License-Identifier: MIT
"""What the world does to a connect, and how the exceptions tell it."""

import builtins
import errno
import pickle

import pytest

import curlwire
from curlwire import MessageWebSocket, WebErrorStatus
from peers import WAIT, ca_file, echo, handshake, round_trip, script, url

REPLY = "HTTP/1.1 101 Switching Protocols\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Accept: "


def test_refused() -> None:
    ws = MessageWebSocket()
    with pytest.raises(curlwire.ConnectError) as caught:
        ws.connect(url("CW_REFUSED_WS"))
    assert isinstance(caught.value, ConnectionError)
    assert caught.value.status is WebErrorStatus.CANNOT_CONNECT
    assert caught.value.curl_code != 0
    assert str(caught.value)
    assert ws.state == "new"
    if caught.value.os_errno:
        assert caught.value.os_errno == caught.value.errno == errno.ECONNREFUSED


def test_host_unknown() -> None:
    with pytest.raises(curlwire.ConnectError) as caught:
        curlwire.connect("ws://no-such-host.invalid/")
    assert caught.value.status is WebErrorStatus.HOST_NAME_NOT_RESOLVED


def test_connect_timeout() -> None:
    silent = script("hs:", "hang")
    ws = MessageWebSocket(connect_timeout=0.05)
    with pytest.raises(curlwire.ConnectTimeout) as caught:
        ws.connect(silent)
    assert isinstance(caught.value, TimeoutError)
    assert isinstance(caught.value, curlwire.ConnectError)
    assert caught.value.status is WebErrorStatus.TIMEOUT
    with pytest.raises(curlwire.ConnectTimeout):
        curlwire.connect(silent, timeout=0.05)
    assert ws.state == "new"


def test_http_refusal() -> None:
    head = "HTTP/1.1 404 Not Found\nX-Why: nothing here\nContent-Length: 4\n\nbody"
    with pytest.raises(curlwire.HandshakeError) as caught:
        curlwire.connect(script(handshake(head)))
    assert isinstance(caught.value, curlwire.ConnectError)
    assert caught.value.http_status == 404
    assert caught.value.status is WebErrorStatus.NOT_FOUND
    assert caught.value.headers["x-why"] == "nothing here"
    assert isinstance(caught.value.body, bytes)
    assert "404" in str(caught.value)


def test_bad_accept() -> None:
    ws = MessageWebSocket()
    with pytest.raises(curlwire.HandshakeError, match="Accept"):
        ws.connect(script(handshake(REPLY + "bm9wZSBub3BlIG5vcGUgbm9wZSE=\n\n")))
    assert ws.state == "new"


def test_bad_protocol_choice() -> None:
    reply = handshake(REPLY + "{accept}\nSec-WebSocket-Protocol: other\n\n")
    with pytest.raises(curlwire.HandshakeError):
        curlwire.connect(script(reply))
    with pytest.raises(curlwire.HandshakeError):
        curlwire.connect(script(reply), supported_protocols=["chat"])


def test_certificate_unknown() -> None:
    with pytest.raises(curlwire.CertificateError) as caught:
        curlwire.connect(url("CW_ECHO_WSS"))
    assert isinstance(caught.value, curlwire.ConnectError)
    assert caught.value.status.name.startswith("CERTIFICATE_")


def test_certificate_name() -> None:
    with pytest.raises(curlwire.CertificateError) as caught:
        curlwire.connect(url("CW_BADHOST_WSS"), ca_file=ca_file())
    assert caught.value.status is WebErrorStatus.CERTIFICATE_COMMON_NAME_IS_INCORRECT


def test_certificate_expired() -> None:
    with pytest.raises(curlwire.CertificateError) as caught:
        curlwire.connect(url("CW_EXPIRED_WSS"), ca_file=ca_file())
    assert caught.value.status is WebErrorStatus.CERTIFICATE_EXPIRED


def test_verify_off() -> None:
    with curlwire.connect(url("CW_BADHOST_WSS"), verify=False) as ws:
        round_trip(ws)


def test_connect_again() -> None:
    ws = MessageWebSocket()
    for _ in range(2):
        with pytest.raises(curlwire.ConnectError):
            ws.connect(url("CW_REFUSED_WS"))
    ws.control.supported_protocols = ["chat"]
    with ws:
        ws.connect(echo())
        round_trip(ws)
        assert ws.protocol == "chat"


def test_get_status() -> None:
    with pytest.raises(curlwire.ConnectError) as caught:
        curlwire.connect(url("CW_REFUSED_WS"))
    assert curlwire.get_status(caught.value) is WebErrorStatus.CANNOT_CONNECT
    assert curlwire.get_status(KeyError()) is WebErrorStatus.UNKNOWN
    with pytest.raises(TypeError):
        curlwire.get_status("no exception")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "builtin"),
    [
        ("ArgumentError", "ValueError"),
        ("StateError", "RuntimeError"),
        ("WebSocketTimeout", "TimeoutError"),
        ("ConnectError", "ConnectionError"),
        ("ConnectTimeout", "TimeoutError"),
        ("HandshakeError", "ConnectionError"),
        ("CertificateError", "ConnectionError"),
        ("ConnectionClosed", "ConnectionError"),
    ],
)
def test_exceptions_are_also_builtins(name: str, builtin: str) -> None:
    error_class = getattr(curlwire, name)
    assert issubclass(error_class, curlwire.WebSocketError)
    assert issubclass(error_class, getattr(builtins, builtin))
    error = error_class("why", status=WebErrorStatus.TIMEOUT)
    assert str(error) == "why"
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.status) == (error_class, "why", WebErrorStatus.TIMEOUT)
    assert error_class().status is WebErrorStatus.UNKNOWN


def test_web_error_status_has_the_numbers_of_windows() -> None:
    assert WebErrorStatus(0) is WebErrorStatus.UNKNOWN
    assert WebErrorStatus(8) is WebErrorStatus.ERROR_HTTP_INVALID_SERVER_RESPONSE
    assert WebErrorStatus(23) is WebErrorStatus.MISSING_CONTENT_LENGTH_SUPPORT
    assert WebErrorStatus(504).name == "GATEWAY_TIMEOUT"
    assert len(WebErrorStatus) == 24 + 7 + 18 + 6


def test_timeout_of_a_send_leaves_the_connection() -> None:
    ws = curlwire.connect(script("stall", "frame:1000"), outbound_buffer_size=1024)
    with pytest.raises((curlwire.WebSocketTimeout, curlwire.ConnectionClosed)):
        for _ in range(10_000):
            ws.send(bytes(10_000), timeout=0)
    ws.abort()
    ws.wait_closed(WAIT)
