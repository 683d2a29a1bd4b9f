# SPDX-License-Identifier: MIT
"""Failures of a connect, and the exceptions that report them."""

import builtins
import errno
import pickle
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import curlwire
from curlwire import MessageWebSocket, StreamWebSocket, WebErrorStatus, WebSocketError, errors
from peers import WAIT, ca_file, echo, handshake, round_trip, script, url

ROOT = Path(__file__).parents[2]
REPLY = "HTTP/1.1 101 Switching Protocols\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Accept: "


def test_refused() -> None:
    ws = MessageWebSocket()
    with pytest.raises(curlwire.ConnectError) as caught:
        ws.connect(url("CW_REFUSED_WS"))
    assert isinstance(caught.value, ConnectionError)
    assert caught.value.status is WebErrorStatus.CANNOT_CONNECT
    assert caught.value.curl_code != 0
    address = url("CW_REFUSED_WS", "").removeprefix("ws://")  # with its port
    assert re.match(rf"cannot connect to the server {re.escape(address)}[:;] ", str(caught.value))
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


EXHAUSTED = """
import os, resource, sys
import curlwire
used = max(int(name) for name in os.listdir("/proc/self/fd")) + 1
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
failures = 0
while True:
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + failures, most))
    try:
        ws = curlwire.connect(sys.argv[1])
    except curlwire.ConnectError as error:
        failures += 1
        assert isinstance(error, ConnectionError) and "descriptor" in str(error), repr(error)
        continue
    break
ws.send("x")
print(ws.recv(), failures > 0)
"""


def test_no_descriptors_is_a_connect_error() -> None:
    """A connect that runs out of descriptors raises ConnectError, whichever descriptor it lacks."""
    command = [sys.executable, "-c", EXHAUSTED, echo()]
    result = subprocess.run(command, capture_output=True, text=True, timeout=3 * WAIT, check=False)
    assert (result.stdout, result.stderr) == ("x True\n", "")


def core_statuses() -> list[str]:
    header = (ROOT / "core" / "include" / "curlwire.h").read_text(encoding="utf-8")
    table = header.partition("#define CW_STATUS_LIST(X)")[2].partition("typedef")[0]
    return re.findall(r"X\((CW_\w+),", table)


def test_each_status_of_the_core_has_its_exception() -> None:
    expected: dict[str, type[Exception]] = {
        "CW_WOULD_BLOCK": curlwire.WebSocketTimeout,
        "CW_TIMED_OUT": curlwire.WebSocketTimeout,
        "CW_INTERRUPTED": WebSocketError,
        "CW_QUESTION": WebSocketError,
        "CW_INVALID_ARGUMENT": curlwire.ArgumentError,
        "CW_INVALID_STATE": curlwire.StateError,
        "CW_AFTER_FORK": curlwire.StateError,
        "CW_CONNECT_FAILED": curlwire.ConnectError,
        "CW_CLOSED": curlwire.ConnectionClosed,
        "CW_SYSTEM_ERROR": WebSocketError,
        "CW_UNSUPPORTED": WebSocketError,
    }
    assert sorted([*expected, "CW_OK", "CW_NO_MEMORY"]) == sorted(core_statuses())
    for status, error_class in expected.items():
        error = errors.make_error(status, "why", 0, 0, 0, 0, "", 0, "", 0)
        assert (type(error), str(error)) == (error_class, "why")


def test_messages_have_no_word_of_c() -> None:
    """Error messages contain no names of the C API, such as CW_TIMED_OUT or cw_mailbox_wake."""
    sources = [*ROOT.glob("core/src/*/*.c"), *ROOT.glob("bindings/python/src/*.c")]
    assert len(sources) > 40
    for source in sources:
        code = re.sub(r"/\*.*?\*/", "", source.read_text(encoding="utf-8"), flags=re.DOTALL)
        texts = re.findall(r'"((?:[^"\\\n]|\\.)*)"', re.sub(r"^#include.*$", "", code, flags=re.MULTILINE))
        assert [text for text in texts if re.search(r"\bcw_\w", text, re.IGNORECASE)] == [], source


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


class Failing(bytearray):
    """A buffer whose destructor makes a call that fails."""

    def __del__(self) -> None:
        with suppress(curlwire.StateError):
            MessageWebSocket().send("x")


BUFFER_CALLS: dict[str, tuple[type, Callable[[Any, Any], object]]] = {
    "send": (MessageWebSocket, lambda ws, data: ws.send(data)),
    "send_final_frame": (MessageWebSocket, lambda ws, data: ws.send_final_frame(data)),
    "write": (MessageWebSocket, lambda ws, data: ws.output_stream.write(data)),
    "recv_into": (MessageWebSocket, lambda ws, data: ws.recv_into(data)),
    "readinto": (StreamWebSocket, lambda ws, data: ws.input_stream.readinto(data)),
}


@pytest.mark.parametrize("name", BUFFER_CALLS)
def test_a_call_tells_its_own_failure_whatever_its_buffer_does(name: str) -> None:
    socket_class, call = BUFFER_CALLS[name]
    steps = ("frame:1", "close:1011", "hang") if name in ("recv_into", "readinto") else ("stall", "hang")
    ws: Any = curlwire.connect(script(*steps), socket_class)
    data = Failing(1 << 26)
    view = pickle.PickleBuffer(data)
    count = sys.getrefcount(data)
    told: list[str] = []

    def work() -> None:
        try:
            call(ws, view)
        except curlwire.ConnectionClosed as error:
            told.append(str(error))

    worker = threading.Thread(target=work)
    worker.start()
    while sys.getrefcount(data) == count:  # until the call holds a reference to the buffer
        worker.join(0.001)
    view.release()
    del data
    if "stall" in steps:
        ws.abort()
    else:
        ws.output_stream.write(b"x")
    worker.join(WAIT)
    assert len(told) == 1
    assert "not connected" not in told[0]
