# SPDX-License-Identifier: MIT
"""Tests of input_stream and output_stream as Python file objects."""

import hashlib
import io
import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

import curlwire
from peers import WAIT, Recorded, frame, opened, opened_stream, round_trip, script, text


def test_stream_echo() -> None:
    with opened_stream() as ws:
        assert ws.output_stream.write(bytes(range(10))) == 10
        target = bytearray(4)
        parts = b""
        while len(parts) < 10:
            count = ws.input_stream.readinto(target)
            assert 0 < count <= 4
            parts += target[:count]
        assert parts == bytes(range(10))


def test_an_empty_write_sends_nothing() -> None:
    peer = Recorded("echo", "end")
    with curlwire.connect(peer.url, curlwire.StreamWebSocket) as ws:
        assert ws.output_stream.write(b"") == 0
        assert ws.output_stream.write(b"x") == 1
    assert [frame["payload"] for frame in peer.record()["frames"] if frame["opcode"] == 2] == ["78"]


def test_stream_large() -> None:
    payload = bytes(range(256)) * (8 * 4096)
    digest = hashlib.sha256()
    with opened_stream() as ws:
        sender = threading.Thread(target=shutil.copyfileobj, args=(io.BytesIO(payload), ws.output_stream))
        sender.start()
        left = len(payload)
        reader = io.BufferedReader(ws.input_stream, 65536)
        while left > 0:
            part = reader.read(min(left, 65536))
            assert part
            digest.update(part)
            left -= len(part)
        sender.join()
    assert digest.digest() == hashlib.sha256(payload).digest()


def test_stream_copyfileobj() -> None:
    with opened_stream("/flood?count=1000&size=1000") as ws:
        copy = io.BytesIO()
        shutil.copyfileobj(ws.input_stream, copy)
    assert copy.getvalue() == b"x" * 1_000_000


def test_stream_lines() -> None:
    ws = curlwire.connect(
        script(f"x:{text('one')}{text(chr(10) + 'zwö' + chr(10))}", "close:1000"), curlwire.StreamWebSocket
    )
    assert list(io.TextIOWrapper(io.BufferedReader(ws.input_stream), encoding="utf-8")) == ["one\n", "zwö\n"]


def test_stream_text_wrapper_writes() -> None:
    with opened_stream() as ws:
        writer = io.TextIOWrapper(io.BufferedWriter(ws.output_stream), encoding="utf-8", newline="\n")
        print("first", "zweitös", sep="\n", file=writer, flush=True)
        reader = io.TextIOWrapper(io.BufferedReader(ws.input_stream), encoding="utf-8")
        assert [reader.readline(), reader.readline()] == ["first\n", "zweitös\n"]


def test_stream_text_frames() -> None:
    ws = curlwire.connect(script(f"x:{text('é')}{frame(2, b'!')}", "close:1000"), curlwire.StreamWebSocket)
    assert ws.input_stream.readall() == "é!".encode()


def test_stream_end_clean() -> None:
    with opened_stream("/flood?count=3&size=2") as ws:
        assert ws.input_stream.read(-1) == b"xxxxxx"
        assert ws.input_stream.read(10) == b""
        assert ws.input_stream.readinto(bytearray(1)) == 0


def test_stream_end_ours() -> None:
    ws = opened_stream()
    reading = threading.Thread(target=ws.close)
    reading.start()
    assert ws.input_stream.read(10) == b""
    reading.join()
    ws.wait_closed(WAIT)
    assert ws.input_stream.read(10) == b""


def test_stream_end_lost() -> None:
    ws = curlwire.connect(script(f"x:{frame(2, b'ab')}", "frame:1", "rst"), curlwire.StreamWebSocket)
    assert ws.input_stream.read(2) == b"ab"
    ws.output_stream.write(b"go")
    with pytest.raises(curlwire.ConnectionClosed) as caught:
        ws.input_stream.read(2)
    assert (caught.value.code, caught.value.was_clean) == (1006, False)


def _copy(ws: curlwire.StreamWebSocket) -> bytes:
    target = io.BytesIO()
    try:
        shutil.copyfileobj(ws.input_stream, target)
    except curlwire.ConnectionClosed:
        assert target.getvalue() == b"half\nof it"  # the bytes before the failure are there
        raise
    return target.getvalue()


def _read_into(ws: curlwire.StreamWebSocket) -> bytes:
    reader, target, got = ws.input_stream, bytearray(3), b""
    while count := reader.readinto(target):
        got += target[:count]
    return got


READERS: dict[str, Callable[[curlwire.StreamWebSocket], bytes]] = {
    "copyfileobj": _copy,
    "readinto": _read_into,
    "read": lambda ws: ws.input_stream.read(-1) or b"",
    "readall": lambda ws: ws.input_stream.readall() or b"",
    "raw_lines": lambda ws: b"".join(ws.input_stream),
    "buffered": lambda ws: io.BufferedReader(ws.input_stream).read(),
    "buffered_lines": lambda ws: b"".join(io.BufferedReader(ws.input_stream)),
    "text": lambda ws: io.TextIOWrapper(io.BufferedReader(ws.input_stream)).read().encode(),
}
READERS_OF_ALL = {
    "read",
    "readall",
    "buffered",
    "text",
}  # calls that leave all bytes to the next reader if they fail
UNFINISHED = "x:" + frame(2, b"", is_final=False)
WHOLE_ENDS = ["close:1000", "close"]
CUT_ENDS = {
    "close:1001": 1001,
    "close:1008": 1008,
    "close:1011": 1011,
    "close:4000": 4000,
    "end": 1006,
    f"{UNFINISHED}/close:1000": 1000,
    f"{UNFINISHED}/close": 1005,
}


@pytest.mark.parametrize("name", READERS)
def test_stream_end_cut(name: str) -> None:
    for end in WHOLE_ENDS:
        ws = curlwire.connect(script(f"x:{text('half' + chr(10) + 'of it')}", end), curlwire.StreamWebSocket)
        assert READERS[name](ws) == b"half\nof it"
        ws.close()
    for end, code in CUT_ENDS.items():
        ws = curlwire.connect(
            script(f"x:{text('half' + chr(10) + 'of it')}", *end.split("/")), curlwire.StreamWebSocket
        )
        with pytest.raises(curlwire.ConnectionClosed) as caught:
            READERS[name](ws)
        assert caught.value.code == code
        if name in READERS_OF_ALL:
            assert ws.input_stream.read(100) == b"half\nof it"
        with pytest.raises(curlwire.ConnectionClosed):
            ws.input_stream.read(1)
        ws.close()


def _patiently(read: Callable[[], bytes | None]) -> bytes:
    while True:
        with suppress(curlwire.WebSocketTimeout):
            return read() or b""


def test_stream_read_of_all_that_fails_loses_nothing() -> None:
    steps = (f"x:827f{100_000:016x}", "repeat:100000:61", f"x:827f{200_000:016x}", "repeat:200000:62")
    ws = curlwire.connect(
        script(*steps, "frame:1", "close:1000"), curlwire.StreamWebSocket, receive_timeout=0.2
    )
    stream = ws.input_stream
    for _ in range(2):
        with pytest.raises(curlwire.WebSocketTimeout):
            stream.read()
    start = _patiently(lambda: stream.read(5))
    with pytest.raises(curlwire.WebSocketTimeout):
        stream.readall()
    ws.output_stream.write(b"go on")
    assert start + _patiently(stream.read) == b"a" * 100_000 + b"b" * 200_000


def test_stream_message_output() -> None:
    with opened(message_type="utf8") as ws:
        out = ws.output_stream
        assert [out.write(b"one"), out.write(bytearray(b"")), out.write("zwö".encode())] == [3, 0, 4]
        assert [ws.recv(timeout=WAIT) for _ in range(3)] == ["one", "", "zwö"]
        with pytest.raises(curlwire.ArgumentError):
            out.write(b"\xff")
        round_trip(ws)


def test_stream_close_is_no_half_close() -> None:
    """close() ends the stream object. The connection goes on in both directions, and no frame is sent."""
    peer = Recorded("echo", "end")
    with curlwire.connect(peer.url) as ws:
        first = ws.output_stream
        first.write(b"one")
        first.close()
        with pytest.raises(ValueError, match="closed stream; take a new stream from the socket"):
            first.write(b"x")
        assert ws.state == "open"
        assert ws.recv(timeout=WAIT) == b"one"
        ws.output_stream.write(b"two")
        assert ws.recv(timeout=WAIT) == b"two"
        round_trip(ws)
    assert [frame["opcode"] for frame in peer.record()["frames"]] == [2, 2, 1, 8]


def test_stream_closed_stream() -> None:
    with opened() as ws:
        out = ws.output_stream
        assert not out.closed
        out.close()
        out.close()
        assert out.closed
        for use in (lambda: out.write(b"x"), out.flush, out.writable, out.__enter__):
            with pytest.raises(ValueError, match="closed"):
                use()
        round_trip(ws)
    with opened_stream() as stream:
        io.BufferedWriter(stream.output_stream).close()
        reader = stream.input_stream
        reader.close()
        with pytest.raises(ValueError, match="closed"):
            reader.read(1)
        stream.output_stream.write(b"x")
        assert stream.input_stream.read(1) == b"x"


def test_stream_members() -> None:
    message: Any = curlwire.MessageWebSocket()
    stream: Any = curlwire.StreamWebSocket()
    with pytest.raises(AttributeError):
        _ = message.input_stream
    for name in ("recv", "send", "on_message_received", "send_final_frame", "send_nonfinal_frame"):
        assert hasattr(message, name)
        assert not hasattr(stream, name)
    with pytest.raises(AttributeError):
        stream.on_message_received = print
    with pytest.raises(TypeError, match="not iterable"):
        iter(stream)


def test_stream_is_a_raw_file() -> None:
    with opened_stream() as ws:
        reader, writer = ws.input_stream, ws.output_stream
        assert isinstance(reader, io.RawIOBase)
        assert isinstance(writer, io.RawIOBase)
        assert (reader.readable(), reader.writable(), reader.seekable()) == (True, False, False)
        assert (writer.readable(), writer.writable(), writer.seekable()) == (False, True, False)
        for use in (reader.fileno, writer.fileno, reader.tell, lambda: reader.seek(0), lambda: writer.read(1)):
            with pytest.raises(OSError):
                use()
        with pytest.raises(OSError):
            reader.write(b"x")
        assert repr(reader).startswith("<curlwire.InputStream of <curlwire.StreamWebSocket open ws://")
        assert repr(writer).startswith("<curlwire.OutputStream of <curlwire.StreamWebSocket open ws://")
        assert reader.readinto(bytearray()) == 0
        writer.flush()


def test_stream_wrong_types() -> None:
    text_data: Any = "text"
    with opened_stream() as ws:
        with pytest.raises(TypeError):
            ws.output_stream.write(text_data)
        with pytest.raises(TypeError):
            ws.input_stream.readinto(text_data)
        with pytest.raises((TypeError, BufferError)):
            ws.input_stream.readinto(b"read-only")
        assert ws.state == "open"
    with opened() as message, pytest.raises(TypeError):
        message.output_stream.write(text_data)


def test_stream_timeout() -> None:
    with opened_stream(receive_timeout=0.02) as ws:
        with pytest.raises(curlwire.WebSocketTimeout):
            ws.input_stream.read(1)
        ws.output_stream.write(b"x")
        ws.control  # noqa: B018  reading the attribute must not raise
        assert ws.state == "open"
