# SPDX-License-Identifier: MIT
"""Runs the vectors of tests/conformance/handshake against the whole client, each in one piece and byte by byte.
After a failure the same object connects to a good server. This shows that the object is new again, and that no
closed event was raised for a connection that never opened."""

import os
import re
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

import curlwire
from curlwire import MessageWebSocket, WebErrorStatus
from peers import COMPRESSION_REFUSED, HAS_COMPRESSION, WAIT, ca_file, url

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "servers"))

import handshake_vectors
from handshake_vectors import Vector, unescape

GROWTH_KIB = 3072  # the limit for an endless reply, of which curlwire keeps 128 KiB


def with_this_libcurl(vector: Vector) -> Vector:
    """Returns the vector with the outcome that the loaded libcurl gives."""
    if vector.since and tuple(map(int, re.findall(r"\d+", curlwire.libcurl_version)))[:3] >= vector.since[0]:
        return replace(vector, opens=None, fails=vector.since[1])
    return vector


VECTORS = [with_this_libcurl(vector) for vector in handshake_vectors.load()]


def address(vector: Vector, way: str) -> str:
    query = "?bytewise" if way == "bytewise" else ""
    if vector.over == "ws-on-wss":
        return url("CW_HANDSHAKE_WSS", f"/{vector.name}{query}").replace("wss:", "ws:", 1)
    if vector.over == "wss-on-ws":
        port = url("CW_HANDSHAKE_WS", "").rpartition(":")[2]
        return f"wss://{vector.name}.localhost:{port}/"
    return url("CW_HANDSHAKE_WSS" if vector.over == "wss" else "CW_HANDSHAKE_WS", f"/{vector.name}{query}")


def web_status(name: str) -> WebErrorStatus:
    return next(status for status in WebErrorStatus if status.name.replace("_", "").lower() == name.lower())


def kind(vector: Vector) -> type[curlwire.ConnectError]:
    if vector.fails == "Timeout":
        return curlwire.ConnectTimeout
    if vector.http or vector.fails == "ErrorHttpInvalidServerResponse":
        return curlwire.HandshakeError
    return curlwire.ConnectError


def check_failure(vector: Vector, error: curlwire.ConnectError) -> None:
    assert vector.fails is not None
    assert (error.status, error.http_status) == (web_status(vector.fails), vector.http), str(error)
    assert type(error) is kind(vector)
    assert vector.says in str(error)
    assert str(error)
    assert "\n" not in str(error)
    for name, value in vector.headers:
        assert error.headers[name] == unescape(value).decode()


def check_open(vector: Vector, ws: MessageWebSocket) -> None:
    assert ws.state == "open"
    assert (ws.information.protocol or "-") == vector.opens
    if vector.extensions is not None:
        assert (ws.information.extensions or "-") == unescape(vector.extensions).decode()
    for name, value in vector.headers:
        assert ws.information.response_headers[name] == unescape(value).decode()
    for text in vector.receives:
        assert ws.recv(timeout=WAIT) == text


@pytest.fixture(scope="module", autouse=True)
def first_with_tls() -> None:
    """Connects once with TLS, so that no test counts what curlwire keeps for all TLS connections."""
    with pytest.raises(curlwire.ConnectError):
        MessageWebSocket(ca_file=ca_file()).connect(url("CW_HANDSHAKE_WSS", "/no_such_vector"))


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def until_descriptors(count: int) -> None:
    """Waits for this number of descriptors, because the service thread closes descriptors later."""
    until = time.monotonic() + WAIT
    while descriptors() > count:
        assert time.monotonic() < until, "some descriptors were not closed"
        time.sleep(0.001)


def memory(name: str) -> int:
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name))


def connect(ws: MessageWebSocket, vector: Vector, way: str) -> None:
    """Connects, and checks that an endless reply does not use much memory."""
    if not vector.is_large:
        ws.connect(address(vector, way))
        return
    with open("/proc/self/clear_refs", "w", encoding="ascii") as peak:
        peak.write("5")  # resets the peak
    before = memory("VmRSS")
    try:
        ws.connect(address(vector, way))
    finally:
        assert memory("VmHWM") - before < GROWTH_KIB


@pytest.fixture(scope="module", autouse=True)
def service() -> None:
    """Starts the service thread, so that its own descriptors exist before the tests count."""
    with curlwire.connect(url("CW_HANDSHAKE_WS", "/plain")) as ws:
        ws.send("x")
        ws.recv(timeout=WAIT)


@pytest.mark.parametrize("way", ["whole", "bytewise"])
@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_vector(vector: Vector, way: str) -> None:
    codes: list[int] = []
    ws = MessageWebSocket(supported_protocols=vector.protocols, ca_file=ca_file(), message_type="utf8")
    for name, value in vector.controls.items():
        setattr(ws.control, name, bool(value) if name.endswith("takeover") else value)
    if vector.controls and not HAS_COMPRESSION:
        with pytest.raises(curlwire.ConnectError, match=COMPRESSION_REFUSED):
            ws.connect(address(vector, way))
        return
    ws.control.connect_timeout = vector.connect_timeout or WAIT
    ws.on_closed = lambda _, args: codes.append(args.code)
    before = descriptors()
    if vector.fails is None:
        connect(ws, vector, way)
        check_open(vector, ws)
    else:
        with pytest.raises(curlwire.ConnectError) as caught:
            connect(ws, vector, way)
        check_failure(vector, caught.value)
        assert ws.state == "new"
        until_descriptors(before)
        ws.connect(url("CW_HANDSHAKE_WS", "/plain"), timeout=WAIT)
    ws.send("still here")
    assert ws.recv(timeout=WAIT) == "still here"
    ws.close()
    curlwire.run_forever()  # waits until on_closed has been called
    assert codes == [1000]
    until_descriptors(before)


def test_vectors_are_many() -> None:
    assert len(VECTORS) >= 120
    assert {vector.over for vector in VECTORS} == set(handshake_vectors.OVER)
    assert sum(vector.opens is not None for vector in VECTORS) > 50
