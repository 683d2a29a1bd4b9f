# SPDX-License-Identifier: MIT
"""Closing by either end, and its effect on calls that wait."""

import gc
import threading
from collections.abc import Callable
from typing import Any

import pytest

import curlwire
from peers import WAIT, Recorded, frame, opened, opened_stream, script


def test_close_handshake() -> None:
    peer = Recorded("echo", "end")
    ws = curlwire.connect(peer.url)
    ws.close(1000, "bye")
    ws.wait_closed(WAIT)
    assert (ws.state, ws.close_code, ws.was_clean) == ("closed", 1000, True)
    assert [(f["opcode"], f["payload"]) for f in peer.record()["frames"]] == [(8, b"\x03\xe8bye".hex())]


def test_close_by_peer() -> None:
    ws = opened("/close?code=4001&reason=enough")
    with pytest.raises(curlwire.ConnectionClosed) as caught:
        ws.recv(timeout=WAIT)
    assert isinstance(caught.value, ConnectionError)
    assert (caught.value.code, caught.value.reason, caught.value.was_clean) == (4001, "enough", True)
    ws.wait_closed(WAIT)
    assert (ws.state, ws.close_code, ws.close_reason) == ("closed", 4001, "enough")


def test_close_empty() -> None:
    ws = curlwire.connect(script("close"))
    ws.wait_closed(WAIT)
    assert (ws.close_code, ws.close_reason, ws.was_clean) == (1005, "", True)
    assert list(ws) == []


def test_close_lost() -> None:
    ws = curlwire.connect(script(f"x:{frame(1, b'last')}", "end"))
    assert ws.recv(timeout=WAIT) == "last"
    with pytest.raises(curlwire.ConnectionClosed) as caught:
        ws.recv(timeout=WAIT)
    assert (caught.value.code, caught.value.was_clean) == (1006, False)
    assert (ws.close_code, ws.was_clean) == (1006, False)


def test_close_protocol_error() -> None:
    peer = Recorded(f"x:{frame(3, b'reserved')}", "hang")
    ws = curlwire.connect(peer.url)
    with pytest.raises(curlwire.ConnectionClosed) as caught:
        ws.recv(timeout=WAIT)
    assert caught.value.code == 1006
    assert caught.value.reason
    ws.abort()
    assert peer.record()["frames"][0]["payload"].startswith("03ea")  # 1002


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 2999, 65535])
def test_close_forbidden_code(code: int) -> None:
    """RFC 6455 7.4: the connection fails with 1002, and error and reason name the code. ttyd sends 1006."""
    peer = Recorded(f"x:{frame(8, code.to_bytes(2, 'big') + b'bye')}", "hang")
    ws = curlwire.connect(peer.url)
    with pytest.raises(curlwire.ConnectionClosed) as caught:
        ws.recv(timeout=WAIT)
    named = f"the peer's close frame has code {code}, which RFC 6455 forbids there"
    assert str(caught.value) == (
        f"the server broke the protocol: {named} (1002); report it to whoever runs the server"
    )
    assert (caught.value.code, caught.value.reason, caught.value.was_clean) == (1006, named, False)
    ws.abort()
    sent = bytes.fromhex(peer.record()["frames"][0]["payload"])
    assert sent == (1002).to_bytes(2, "big") + named.encode()


def test_close_reason_with_nul() -> None:
    """A close reason is UTF-8 (RFC 6455 5.5.1), so it may contain NUL."""
    peer = Recorded(f"x:{frame(8, (4001).to_bytes(2, 'big') + bytes(1) + b'bye')}", "hang")
    ws = curlwire.connect(peer.url)
    with pytest.raises(curlwire.ConnectionClosed) as caught:
        ws.recv(timeout=WAIT)
    assert (caught.value.reason, ws.close_reason) == ("\0bye", "\0bye")
    ws.abort()
    other = Recorded("frame:1", "close", "end")
    ws = curlwire.connect(other.url)
    ws.close(4001, "a\0b")
    ws.wait_closed(WAIT)
    assert other.record()["frames"][0]["payload"] == "0fa1610062"


def test_close_twice() -> None:
    ws = opened()
    ws.close(4000, "first")
    ws.close(4001, "second")
    ws.wait_closed(WAIT)
    ws.close(4002)
    ws.wait_closed(WAIT)
    assert ws.close_code == 4000


def test_close_new() -> None:
    ws = curlwire.MessageWebSocket()
    ws.close()
    ws.wait_closed(WAIT)
    ws.abort()
    assert ws.state in ("new", "closed")
    assert ws.close_code is None
    with curlwire.StreamWebSocket():
        pass


def test_close_scope() -> None:
    peer = Recorded("echo", "end")
    with curlwire.connect(peer.url) as ws:
        pass
    assert (ws.state, ws.close_code, ws.was_clean) == ("closed", 1000, True)
    failing = Recorded("echo", "end")
    with pytest.raises(LookupError), curlwire.connect(failing.url) as ws:
        raise LookupError
    assert (ws.state, ws.close_code) == ("closed", 1011)
    assert peer.record()["frames"][0]["payload"] == "03e8"
    assert failing.record()["frames"][0]["payload"] == "03f3"


def test_close_abort() -> None:
    ws = opened()
    ws.abort()
    ws.wait_closed(WAIT)
    assert (ws.state, ws.close_code, ws.was_clean) == ("closed", 1006, False)


def test_close_iteration_clean() -> None:
    for end in ("close:1000", "close:1001", "close"):
        ws = curlwire.connect(script(f"x:{frame(1, b'a')}{frame(1, b'b')}", end))
        assert list(ws) == ["a", "b"]
        assert list(ws) == []


def test_close_iteration_error() -> None:
    ws = curlwire.connect(script(f"x:{frame(1, b'a')}", "close:4002"))
    heard = []
    with pytest.raises(curlwire.ConnectionClosed) as caught:
        for message in ws:
            heard.append(message)
    assert heard == ["a"]
    assert caught.value.code == 4002


def test_close_iteration_sending() -> None:
    for _ in range(5):
        ws = curlwire.connect(script("frame:3", "stall", f"x:{frame(1, b'a')}", "close:1000", "end"))
        with pytest.raises(curlwire.ConnectionClosed):
            while True:
                ws.send(bytes(4096))
        assert list(ws) == ["a"]
        assert list(ws) == []
        ws.wait_closed(WAIT)
        assert ws.close_code == 1000  # was_clean may be False: the server may end TCP before our close frame


@pytest.mark.parametrize("code", [1000, 1001])
@pytest.mark.parametrize("mode", ["full", "partial"])
def test_close_iteration_cut(code: int, mode: str) -> None:
    steps = script(f"x:{frame(2, b'a')}", f"x:{frame(2, b'b', is_final=False)}", f"close:{code}")
    heard = []
    with pytest.raises(curlwire.ConnectionClosed, match=f"{code} in the middle of a message") as caught:
        for message in curlwire.connect(steps, receive_mode=mode):
            heard.append(message)
    assert heard == ([b"a"] if mode == "full" else [b"a", b"b"])
    assert caught.value.code == code


def test_close_iteration_ours() -> None:
    ws = opened("/ticker")
    numbers = []
    for message in ws:
        numbers.append(message)
        ws.close(4000)
    assert numbers == ["0"]


def test_close_collected() -> None:
    peer = Recorded("echo", "end")
    ws = curlwire.connect(peer.url)
    with pytest.warns(ResourceWarning, match="unclosed <MessageWebSocket open "):
        del ws
        gc.collect()
    record = peer.record()
    assert [f["opcode"] for f in record["frames"]] == [8]


def test_closing_waits_no_longer_than_close_timeout() -> None:
    with curlwire.connect(script("hang"), close_timeout=0.05) as ws:
        pass
    assert (ws.state, ws.was_clean) == ("closed", False)


def test_wait_closed_times_out() -> None:
    with opened() as ws, pytest.raises(curlwire.WebSocketTimeout):
        ws.wait_closed(0.02)


def _blocked(call: Callable[[], object]) -> tuple[threading.Thread, list[Any]]:
    """Runs a call in another thread. Returns the thread, and a list that gets the result or the exception."""
    result: list[Any] = []
    started = threading.Event()

    def run() -> None:
        started.set()
        try:
            result.append(call())
        except Exception as error:
            result.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(WAIT)
    return thread, result


def _fill(ws: curlwire.MessageWebSocket) -> None:
    while True:
        ws.send(bytes(100_000), timeout=None)


BLOCKING: dict[str, Callable[[curlwire.MessageWebSocket], object]] = {
    "recv": lambda ws: ws.recv(timeout=None),
    "send": _fill,
    "ping": lambda ws: ws.ping(timeout=None),
    "wait_closed": lambda ws: ws.wait_closed(),
    "iteration": list,
}


@pytest.mark.parametrize("name", BLOCKING)
@pytest.mark.parametrize("end", ["close", "abort"])
def test_closing_ends_a_blocked_call(name: str, end: str) -> None:
    ws = curlwire.connect(script("stall", "frame:1000"), close_timeout=0.05)
    thread, result = _blocked(lambda: BLOCKING[name](ws))
    thread.join(0.05)  # usually enough for the call to wait; the test is correct in any case
    assert thread.is_alive()
    getattr(ws, end)()
    thread.join(WAIT)
    assert not thread.is_alive()
    if name == "wait_closed":
        assert result == [None]
    elif name == "iteration":
        assert result == [[]]
    else:
        assert isinstance(result[0], curlwire.ConnectionClosed)


def test_closing_ends_a_blocked_read() -> None:
    ws = opened_stream()
    thread, result = _blocked(lambda: ws.input_stream.read(1))
    ws.close()
    thread.join(WAIT)
    assert result == [b""]


def test_closing_cancels_a_connect() -> None:
    ws = curlwire.MessageWebSocket()
    thread, result = _blocked(lambda: ws.connect(script("hs:", "hang")))
    while ws.state == "new":
        thread.join(0.01)
    ws.close()
    thread.join(WAIT)
    assert isinstance(result[0], curlwire.ConnectError)
    assert result[0].status is curlwire.WebErrorStatus.OPERATION_CANCELED
