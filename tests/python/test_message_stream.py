# SPDX-License-Identifier: MIT
"""Tests of recv_stream(), which returns one message as a file object."""

import io
import tracemalloc

import pytest

import curlwire
from curlwire import ConnectionClosed, MessageStream, SocketMessageType, StateError, WebSocketTimeout
from peers import HAS_COMPRESSION, WAIT, frame, opened, script, text

PARTS = (frame(2, b"one\n", False), frame(0, b"", False), frame(0, b"two\nth"), text("next"))


def joined(*steps: str) -> curlwire.MessageWebSocket:
    return curlwire.connect(script(*steps), receive_mode="partial")


@pytest.mark.parametrize("mode", ["full", "partial"])
def test_recv_stream_is_a_file(mode: str) -> None:
    ws: curlwire.MessageWebSocket = curlwire.connect(script(f"x:{''.join(PARTS)}", "hang"), receive_mode=mode)
    with ws.recv_stream(timeout=WAIT) as stream:
        assert isinstance(stream, io.RawIOBase)
        assert isinstance(stream, MessageStream)
        assert stream.message_type is SocketMessageType.BINARY
        assert list(io.BufferedReader(stream)) == [b"one\n", b"two\n", b"th"]
    with ws.recv_stream() as stream:
        assert stream.message_type is SocketMessageType.UTF8
        assert stream.readinto(bytearray()) == 0
        assert stream.read(2) == b"ne"
        assert stream.readall() == b"xt"
        assert stream.read(1) == stream.readall() == b""
    with pytest.raises(ValueError, match="closed stream"):
        stream.read(1)
    ws.abort()


@pytest.mark.parametrize("compression", ["none", "deflate"] if HAS_COMPRESSION else ["none"])
def test_a_large_message_in_little_memory(compression: str) -> None:
    block = bytes(range(256)) * 256
    count = 200
    with opened(receive_mode="partial", compression=compression, max_message_size=1000) as ws:
        ws.send(block for _ in range(count))
        tracemalloc.start()
        stream = io.BufferedReader(ws.recv_stream(timeout=WAIT), 65536)
        for _ in range(count):
            assert stream.read(len(block)) == block
        assert stream.read() == b""
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 1_000_000


def test_the_next_receive_skips_the_rest() -> None:
    first = frame(2, b"abc", False) + frame(0, b"def", False)
    ws = joined(f"x:{first}", "frame:1", f"x:{frame(0, b'ghi') + text('one') + first}", "frame:2",
                f"x:{frame(0, b'ghi') + text('two') + text('three')}", "hang")  # fmt: skip
    stream = ws.recv_stream()
    assert stream.read(1) == b"a"
    ws.send("go")
    assert ws.recv(timeout=WAIT) == b"one"
    assert stream.read(9) == b"bc"  # this part had been received
    with pytest.raises(StateError, match="the rest of this message was skipped"):
        stream.read(1)
    with ws.recv_stream(timeout=WAIT) as stream:
        assert stream.read(1) == b"a"
    ws.send("go")
    assert next(ws) == b"two"
    assert ws.recv_stream(timeout=WAIT).read() == b"three"
    ws.abort()


def test_a_handler_gets_the_next_message() -> None:
    ws = joined(f"x:{frame(2, b'abc', False)}", "frame:1", f"x:{frame(0, b'd') + text('next')}", "hang")
    stream = ws.recv_stream(timeout=WAIT)
    heard: list[object] = []

    def take(ws: curlwire.MessageWebSocket, args: curlwire.MessageReceivedEventArgs) -> None:
        heard.append(args.data)
        ws.abort()

    ws.on_message_received = take
    assert stream.read(3) == b"abc"
    with pytest.raises(StateError, match="on_message_received"):
        stream.read(1)
    with pytest.raises(StateError, match="on_message_received"):
        ws.recv_stream()
    ws.send("go")
    ws.run_forever()
    assert heard == [b"next"]


@pytest.mark.parametrize("steps", [("close:1000", "end"), ("end",), ("rst",)])
def test_an_end_in_the_middle_is_an_error(steps: tuple[str, ...]) -> None:
    ws = joined(f"x:{frame(2, b'abc', False)}", "frame:1", *steps)
    stream = ws.recv_stream(timeout=WAIT)
    ws.send("go")
    assert stream.read(2) == b"ab"
    with pytest.raises(ConnectionClosed):
        stream.readall()
    assert stream.read(9) == b"c"
    with pytest.raises(ConnectionClosed):
        stream.read(1)
    ws = joined(f"x:{frame(2, b'abc', False)}", "hang")
    stream = ws.recv_stream(timeout=WAIT)
    ws.close()
    assert stream.read(9) == b"abc"
    with pytest.raises(ConnectionClosed):
        stream.read(1)
    with pytest.raises(ConnectionClosed):
        ws.recv_stream()
    ws.abort()


def test_a_timeout_leaves_the_stream() -> None:
    ws: curlwire.MessageWebSocket = curlwire.connect(
        script("frame:1", f"x:{frame(2, b'abc', False)}", "frame:2", f"x:{frame(0, b'd')}", "hang"),
        receive_mode="partial", receive_timeout=0.05,
    )  # fmt: skip
    with pytest.raises(WebSocketTimeout):
        ws.recv_stream()
    ws.send("go")
    stream = ws.recv_stream(timeout=WAIT)
    with pytest.raises(WebSocketTimeout):
        stream.readall()
    ws.send("go")
    while True:
        try:
            assert stream.readall() == b"abcd"
            break
        except WebSocketTimeout:
            continue
    ws.abort()


def test_text_must_be_utf8() -> None:
    ws = joined(f"x:{frame(1, b'a', False) + frame(0, bytes([255]))}", "hang")
    with pytest.raises(ConnectionClosed, match="UTF-8"):
        ws.recv_stream(timeout=WAIT).read()
