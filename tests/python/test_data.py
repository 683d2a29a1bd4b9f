# SPDX-License-Identifier: MIT
"""Tests of DataReader and DataWriter, and of get_data_reader() and get_data_stream()."""

import gc
import io
import queue
import socket
import struct
import threading
import warnings
import weakref
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

import curlwire
from curlwire import (
    ArgumentError,
    ByteOrder,
    DataReader,
    DataWriter,
    InputStreamOptions,
    StateError,
    UnicodeEncoding,
)
from peers import WAIT, Recorded, echo, opened, opened_stream, script

GUID = UUID("00112233-4455-6677-8899-aabbccddeeff")
TEXT = "a\x7f\x80\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff"


def written(write: Callable[[DataWriter], object], order: ByteOrder = ByteOrder.BIG_ENDIAN) -> bytes:
    writer = DataWriter()
    writer.byte_order = order
    write(writer)
    return writer.detach_buffer()


NUMBERS = (
    ("byte", "B", (0, 255)),
    ("int16", "h", (-32768, -1, 32767)),
    ("int32", "i", (-(2**31), -1, 2**31 - 1)),
    ("int64", "q", (-(2**63), -1, 2**63 - 1)),
    ("uint16", "H", (0, 2**16 - 1)),
    ("uint32", "I", (0, 2**32 - 1)),
    ("uint64", "Q", (0, 2**63, 2**64 - 1)),
    ("single", "f", (0.0, -1.5, 3.4028234663852886e38, float("inf"))),
    ("double", "d", (0.0, -1.5, 1.7976931348623157e308, float("-inf"))),
)


@pytest.mark.parametrize(("name", "code", "values"), NUMBERS, ids=[number[0] for number in NUMBERS])
@pytest.mark.parametrize("order", list(ByteOrder))
def test_data_numbers(name: str, code: str, values: Any, order: ByteOrder) -> None:
    for value in values:
        data = struct.pack((">" if order is ByteOrder.BIG_ENDIAN else "<") + code, value)
        assert written(lambda writer, value=value: getattr(writer, f"write_{name}")(value), order) == data
        reader = DataReader.from_buffer(data)
        reader.byte_order = order
        assert getattr(reader, f"read_{name}")() == value
        assert reader.unconsumed_buffer_length == 0


@pytest.mark.parametrize(("name", "code", "values"), NUMBERS[:7], ids=[number[0] for number in NUMBERS[:7]])
def test_data_numbers_out_of_range(name: str, code: str, values: Any) -> None:
    writer = DataWriter()
    write = getattr(writer, f"write_{name}")
    for value in (values[0] - 1, values[-1] + 1, 10**5000):
        with pytest.raises(
            ArgumentError, match=rf"write_{name}\(\) cannot be .*: it takes {values[0]} to {values[-1]}$"
        ):
            write(value)
    for wrong in (1.0, "1", None, True, b"1"):
        with pytest.raises(TypeError, match=rf"write_{name}\(\) must be an int, not "):
            write(wrong)
    assert writer.unstored_buffer_length == 0


def test_floats_that_do_not_fit() -> None:
    writer = DataWriter()
    for value in (1e39, -1e39, 10**400):
        with pytest.raises(ArgumentError, match=r"write_single\(\) cannot be "):
            writer.write_single(value)
    with pytest.raises(ArgumentError, match=r"write_double\(\) cannot be "):
        writer.write_double(10**400)
    for wrong in ("1", None, True):
        for write in (writer.write_single, writer.write_double):
            with pytest.raises(TypeError, match="must be a float or an int, not"):
                write(wrong)  # type: ignore[arg-type]
    writer.write_single(0.1)
    writer.write_double(float("nan"))
    reader = DataReader.from_buffer(writer.detach_buffer())
    assert reader.read_single() == pytest.approx(0.1, rel=1e-7)
    assert str(reader.read_double()) == "nan"


def test_boolean() -> None:
    assert written(lambda writer: (writer.write_boolean(True), writer.write_boolean(False))) == b"\1\0"
    reader = DataReader.from_buffer(b"\0\1\xff")
    assert [reader.read_boolean() for _ in range(3)] == [False, True, True]
    for wrong in (1, None):
        with pytest.raises(TypeError, match="must be True or False"):
            DataWriter().write_boolean(wrong)  # type: ignore[arg-type]


def test_data_guid() -> None:
    for order, data in ((ByteOrder.BIG_ENDIAN, GUID.bytes), (ByteOrder.LITTLE_ENDIAN, GUID.bytes_le)):
        assert written(lambda writer: writer.write_guid(GUID), order) == data
        reader = DataReader.from_buffer(data)
        reader.byte_order = order
        assert reader.read_guid() == GUID
    with pytest.raises(TypeError, match=r"write_guid\(\) takes a uuid.UUID, not"):
        DataWriter().write_guid(str(GUID))  # type: ignore[arg-type]


def ticks(data: bytes) -> int:
    return int.from_bytes(data, "big", signed=True)


def date_of(count: int) -> datetime:
    return DataReader.from_buffer(count.to_bytes(8, "big", signed=True)).read_date_time()


def test_date_time() -> None:
    epoch = datetime(1601, 1, 1, tzinfo=UTC)
    assert ticks(written(lambda writer: writer.write_date_time(epoch))) == 0
    assert (
        ticks(written(lambda writer: writer.write_date_time(datetime(1970, 1, 1, tzinfo=UTC))))
        == 116444736000000000
    )
    local = datetime(2026, 3, 4, 5, 6, 7, 891011, timezone(timedelta(hours=-11)))
    data = written(lambda writer: writer.write_date_time(local))
    assert DataReader.from_buffer(data).read_date_time() == local
    assert DataReader.from_buffer(data).read_date_time().tzinfo is UTC
    for extreme in (datetime.min, datetime.max):
        aware = extreme.replace(tzinfo=UTC)
        data = written(lambda writer, aware=aware: writer.write_date_time(aware))
        assert DataReader.from_buffer(data).read_date_time() == aware
    assert date_of(19) == epoch + timedelta(microseconds=1)
    assert date_of(-1) == epoch - timedelta(microseconds=1)


def test_a_date_that_a_datetime_cannot_hold() -> None:
    last = 2650467743999999999
    assert date_of(last) == datetime.max.replace(tzinfo=UTC)
    assert date_of(-504911232000000000) == datetime.min.replace(tzinfo=UTC)
    for count in (last + 1, -504911232000000001, 2**63 - 1, -(2**63)):
        reader = DataReader.from_buffer(count.to_bytes(8, "big", signed=True))
        with pytest.raises(ArgumentError, match=rf"found {count} ticks, .* years 1 to 9999 .*read_int64\(\)"):
            reader.read_date_time()
        assert reader.read_int64() == count
    writer = DataWriter()
    with pytest.raises(
        ArgumentError, match=r"write_date_time\(\) cannot write .*: it has no timezone; add one"
    ):
        writer.write_date_time(datetime(2026, 1, 1))  # this tests it
    with pytest.raises(TypeError, match=r"write_date_time\(\) takes a datetime, not"):
        writer.write_date_time(0)  # type: ignore[arg-type]
    assert writer.unstored_buffer_length == 0


def test_time_span() -> None:
    for span in (timedelta(0), timedelta(microseconds=-1), timedelta(days=10_000, microseconds=5)):
        data = written(lambda writer, span=span: writer.write_time_span(span))
        assert ticks(data) == span // timedelta(microseconds=1) * 10
        assert DataReader.from_buffer(data).read_time_span() == span
    most = DataReader.from_buffer(b"\x7f" + b"\xff" * 7).read_time_span()
    least = DataReader.from_buffer(b"\x80" + b"\0" * 7).read_time_span()
    assert most == timedelta(microseconds=922337203685477580)
    assert least == timedelta(microseconds=-922337203685477581)
    writer = DataWriter()
    for span in (timedelta.max, timedelta.min, most + timedelta(microseconds=1)):
        with pytest.raises(ArgumentError, match=r"write_time_span\(\) cannot be .*29,227 years"):
            writer.write_time_span(span)
    with pytest.raises(TypeError, match=r"write_time_span\(\) takes a timedelta, not"):
        writer.write_time_span(5)  # type: ignore[arg-type]
    assert writer.unstored_buffer_length == 0


@pytest.mark.parametrize("encoding", list(UnicodeEncoding))
def test_data_strings(encoding: UnicodeEncoding) -> None:
    codec = ("utf-8", "utf-16-le", "utf-16-be")[encoding]
    data = TEXT.encode(codec)
    writer = DataWriter()
    writer.unicode_encoding = encoding
    assert writer.measure_string(TEXT) == len(data)
    assert writer.unstored_buffer_length == 0
    assert writer.write_string(TEXT) == len(data)
    assert writer.write_string("") == 0
    assert writer.detach_buffer() == data
    reader = DataReader.from_buffer(data)
    reader.unicode_encoding = encoding
    assert reader.read_string(0) == ""
    assert reader.read_string(len(data) if encoding is UnicodeEncoding.UTF8 else len(data) // 2) == TEXT
    with pytest.raises(TypeError, match=r"write_string\(\) must be a str, not"):
        writer.write_string(b"x")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="lone surrogate"):
        writer.write_string("a\ud800")
    assert writer.unstored_buffer_length == 0


@pytest.mark.parametrize(
    ("encoding", "data", "units"),
    [
        ("utf8", b"ab\xff", 3),
        ("utf8", b"\xed\xa0\x80", 3),
        ("utf16le", b"\0\xdc", 1),
        ("utf16be", b"\xd8\0\0a", 2),
    ],
)
def test_a_text_that_is_not_valid_stays(encoding: Any, data: bytes, units: int) -> None:
    reader = DataReader.from_buffer(data)
    reader.unicode_encoding = encoding
    with pytest.raises(UnicodeDecodeError):
        reader.read_string(units)
    assert reader.read_bytes(len(data)) == data


def test_a_byte_order_mark_is_a_character() -> None:
    reader = DataReader.from_buffer(b"\xff\xfea\0")
    reader.unicode_encoding = UnicodeEncoding.UTF16LE
    assert reader.read_string(2) == "\ufeffa"


def test_bytes_and_buffers() -> None:
    writer = DataWriter()
    writer.write_bytes(b"ab")
    writer.write_buffer(memoryview(b"0123456789"), 2, 3)
    writer.write_buffer(bytearray(b"xyz"), start=1)
    writer.write_buffer(b"!")
    writer.write_buffer(b"?", count=0)
    data = writer.detach_buffer()
    assert data == b"ab234yz!"
    reader = DataReader.from_buffer(data)
    assert reader.read_bytes(2) == b"ab"
    view = reader.read_buffer(3)
    assert (type(view), bytes(view)) == (memoryview, b"234")
    target = bytearray(2)
    reader.read_bytes_into(target)
    assert target == b"yz"
    assert reader.read_bytes(0) == b""
    with pytest.raises(
        EOFError, match=r"^read_bytes_into\(\) needs 2 bytes, and 1 are left; there is no stream"
    ):
        reader.read_bytes_into(target)
    assert reader.detach_buffer() == b"!"
    for start, count in ((4, None), (0, 4), (3, 1), (2**62, 2**62)):
        with pytest.raises(ArgumentError, match="the buffer has 3 bytes"):
            writer.write_buffer(b"abc", start, count)
    for wrong in (-1, 2**70):
        with pytest.raises(ArgumentError, match="it takes 0 or more"):
            writer.write_buffer(b"abc", wrong)
        with pytest.raises(ArgumentError, match="it takes 0 or more"):
            reader.read_bytes(wrong)
    for call in (writer.write_bytes, writer.write_buffer):
        with pytest.raises(TypeError, match=r"takes a bytes-like object, not <class 'str'>; write_string\(\)"):
            call("text")  # type: ignore[operator]
    for read_only in (b"read only", 5):
        with pytest.raises(TypeError, match=r"read_bytes_into\(\) takes a writable bytes-like object"):
            reader.read_bytes_into(read_only)  # type: ignore[arg-type]
    assert writer.unstored_buffer_length == 0


def test_data_too_few_bytes() -> None:
    stream = io.BytesIO(b"\1\2\3\4")
    reader = DataReader(stream)
    calls: list[tuple[str, int, Callable[[], object]]] = [
        ("read_byte", 1, reader.read_byte), ("read_boolean", 1, reader.read_boolean),
        ("read_int16", 2, reader.read_int16), ("read_uint16", 2, reader.read_uint16),
        ("read_int32", 4, reader.read_int32), ("read_uint32", 4, reader.read_uint32),
        ("read_int64", 8, reader.read_int64), ("read_uint64", 8, reader.read_uint64),
        ("read_single", 4, reader.read_single), ("read_double", 8, reader.read_double),
        ("read_guid", 16, reader.read_guid), ("read_date_time", 8, reader.read_date_time),
        ("read_time_span", 8, reader.read_time_span), ("read_bytes", 3, lambda: reader.read_bytes(3)),
        ("read_buffer", 3, lambda: reader.read_buffer(3)), ("read_string", 3, lambda: reader.read_string(3)),
    ]  # fmt: skip
    for name, needed, call in calls:
        with pytest.raises(
            EOFError,
            match=rf"^{name}\(\) needs {needed} bytes, and 0 are loaded; load\({needed}\) gets the missing",
        ):
            call()
    assert reader.load(2) == 2
    with pytest.raises(EOFError, match=r"needs 4 bytes, and 2 are loaded; load\(2\) gets"):
        reader.read_uint32()
    assert reader.load(2) == 2
    assert reader.read_uint32() == 0x01020304
    assert reader.load(1) == 0


class Trickle(io.RawIOBase):
    """A raw stream that gives a byte at a time, and records the sizes that it is asked for."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.asked: list[int] = []
        self.fails_at = -1

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        self.asked.append(size)
        if len(self.asked) == self.fails_at:
            raise TimeoutError("for the test")
        piece, self.data = self.data[:1], self.data[1:]
        return piece

    def readinto(self, buffer: Any, /) -> int:
        piece = self.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


def test_data_load() -> None:
    stream = Trickle(b"abcdef")
    reader = DataReader(stream)
    assert reader.input_stream_options is InputStreamOptions.NONE
    assert reader.load(4) == 4
    assert stream.asked == [4, 3, 2, 1]
    assert reader.load(0) == 0
    assert reader.load(4) == 2
    assert reader.unconsumed_buffer_length == 6
    assert reader.read_string(6) == "abcdef"


def test_load_partial() -> None:
    stream = Trickle(b"abc")
    reader = DataReader(stream)
    reader.input_stream_options = "partial"
    assert [reader.load(100) for _ in range(4)] == [1, 1, 1, 0]
    assert reader.read_bytes(3) == b"abc"
    buffered = DataReader(io.BufferedReader(Trickle(b"abc")))
    buffered.input_stream_options = InputStreamOptions.PARTIAL
    assert buffered.load(100) == 1


def test_load_reads_ahead() -> None:
    raw = io.BytesIO(bytes(range(100)))
    reader = DataReader(raw)
    reader.input_stream_options = InputStreamOptions.READ_AHEAD
    assert reader.load(4) == 4
    assert raw.tell() == 100
    assert reader.unconsumed_buffer_length == 4
    with pytest.raises(EOFError, match=r"and 4 are loaded; load\(1\) gets"):
        reader.read_bytes(5)
    assert reader.load(6) == 6
    assert reader.read_bytes(10) == bytes(range(10))
    reader.input_stream_options = InputStreamOptions.PARTIAL | InputStreamOptions.READ_AHEAD
    assert reader.load(5) == 5
    assert reader.detach_stream() is raw
    assert reader.load(5) == 5
    assert reader.detach_buffer() == bytes(range(10, 100))
    with pytest.raises(StateError, match=r"^load\(\) failed: the stream of this DataReader was detached"):
        reader.load(1)


def test_a_failed_load_loses_nothing() -> None:
    stream = Trickle(b"abcdef")
    stream.fails_at = 3
    reader = DataReader(stream)
    with pytest.raises(TimeoutError, match="for the test"):
        reader.load(4)
    assert reader.unconsumed_buffer_length == 0
    assert reader.load(4) == 4
    assert reader.read_bytes(4) == b"abcd"


class Bad:
    def __init__(self, result: object) -> None:
        self.result = result

    def read(self, size: int, /) -> Any:
        return self.result

    def write(self, data: bytes, /) -> Any:
        return self.result


def test_streams_that_are_no_binary_files() -> None:
    for wrong in (5, "text", None, object()):
        with pytest.raises(
            TypeError, match=r"the stream of a DataReader must be a binary file object with read\(\)"
        ):
            DataReader(wrong)  # type: ignore[arg-type]
    for wrong in (5, "text", object()):
        with pytest.raises(
            TypeError, match=r"the stream of a DataWriter must be a binary file object with write\(\)"
        ):
            DataWriter(wrong)  # type: ignore[arg-type]
    for result, kind, words in (
        ("text", TypeError, "must return bytes, not <class 'str'>; open a file in binary mode"),
        (5, TypeError, "must return bytes, not <class 'int'>"),
        (None, BlockingIOError, r"does not block; call load\(\) again later"),
        (b"12345", ValueError, r"read\(4\) of the stream returned 5 bytes"),
    ):
        with pytest.raises(kind, match=words):
            DataReader(Bad(result)).load(4)
    for result, kind, words in (
        ("x", TypeError, "must be a count of bytes"),
        (5, ValueError, "must return a count of 0 to 4 bytes; 0 of 4 bytes are stored"),
        (0, BlockingIOError, "took no byte, because it would block; 0 of 4 bytes"),
    ):
        writer = DataWriter(Bad(result))
        writer.write_bytes(b"1234")
        with pytest.raises(kind, match=words):
            writer.store()
        assert writer.unstored_buffer_length == 4
    writer = DataWriter(Bad(None))
    writer.write_bytes(b"1234")
    assert writer.store() == 4


class Piecewise(io.RawIOBase):
    """A raw stream that takes two bytes at a time."""

    def __init__(self) -> None:
        self.data = b""
        self.most = 100

    def write(self, data: Any, /) -> int | None:
        taken = bytes(data[: min(2, self.most - len(self.data))])
        self.data += taken
        return len(taken) or None


def test_data_store() -> None:
    stream = Piecewise()
    with DataWriter(stream) as writer:
        writer.write_string("abcde")
        assert writer.unstored_buffer_length == 5
        assert writer.store() == 5
        assert writer.store() == 0
        writer.flush()
        stream.most = 8
        writer.write_string("12345")
        with pytest.raises(BlockingIOError, match="3 of 5 bytes are stored"):
            writer.store()
        assert writer.unstored_buffer_length == 2
        stream.most = 100
        assert writer.store() == 2
    assert stream.data == b"abcde12345"
    assert stream.closed


def test_memory_has_no_stream() -> None:
    reader, writer = DataReader.from_buffer(b"x"), DataWriter(None)
    for name, call in (
        ("load", lambda: reader.load(1)), ("detach_stream", reader.detach_stream),
        ("store", writer.store), ("flush", writer.flush), ("detach_stream", writer.detach_stream),
    ):  # fmt: skip
        with pytest.raises(StateError, match=rf"^{name}\(\) failed: this Data\w+ has no stream, only memory"):
            call()
    for wrong in ("text", 5):
        with pytest.raises(TypeError, match=r"from_buffer\(\) takes a bytes-like object, not"):
            DataReader.from_buffer(wrong)  # type: ignore[arg-type]


def test_data_closing() -> None:
    for make in (DataReader, DataWriter):
        stream = io.BytesIO()
        kept = io.BytesIO()
        with make(stream):
            pass
        assert stream.closed
        owner = make(kept)
        assert owner.detach_stream() is kept
        owner.close()
        owner.close()
        assert not kept.closed
        assert repr(owner) == f"<curlwire.{make.__name__}, closed>"
        with (
            pytest.raises(StateError, match=rf"^with failed: this {make.__name__} is closed; make a new one$"),
            owner,
        ):
            pass
    reader = DataReader.from_buffer(b"1234")
    reader.close()
    assert reader.unconsumed_buffer_length == 0
    for call in (reader.read_byte, reader.read_date_time, lambda: reader.read_string(1), reader.detach_buffer,
                 reader.detach_stream, lambda: reader.load(1)):  # fmt: skip
        with pytest.raises(StateError, match="this DataReader is closed; make a new one"):
            call()
    writer = DataWriter()
    writer.close()
    for call in (
        lambda: writer.write_byte(1),
        lambda: writer.write_string("x"),
        writer.store,
        writer.detach_buffer,
    ):
        with pytest.raises(StateError, match="this DataWriter is closed; make a new one"):
            call()


def test_closing_warns_about_bytes_that_were_not_stored() -> None:
    writer = DataWriter(io.BytesIO())
    writer.write_bytes(b"1234")
    with pytest.warns(
        ResourceWarning, match=r"closed with 4 bytes that were not stored; call store\(\) before"
    ):
        writer.close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(KeyError), DataWriter(io.BytesIO()) as writer:
            writer.write_bytes(b"1234")
            raise KeyError
        memory = DataWriter()
        memory.write_bytes(b"1234")
        memory.close()


def test_data_settings() -> None:
    reader, writer = DataReader.from_buffer(b""), DataWriter()
    for owner in (reader, writer):
        assert owner.byte_order is ByteOrder.BIG_ENDIAN
        assert owner.unicode_encoding is UnicodeEncoding.UTF8
        owner.byte_order = "little_endian"
        assert owner.byte_order is ByteOrder.LITTLE_ENDIAN
        owner.unicode_encoding = "utf16be"
        assert owner.unicode_encoding is UnicodeEncoding.UTF16BE
        for name, words in (
            ("byte_order", "'little_endian' or 'big_endian'"),
            ("unicode_encoding", "'utf8', 'utf16le' or"),
        ):
            with pytest.raises(ArgumentError, match=f"^{name} cannot be 'x': it takes {words}"):
                setattr(owner, name, "x")
            for wrong in (1, None, InputStreamOptions.PARTIAL):
                with pytest.raises(TypeError, match=f"^{name} must be {words}"):
                    setattr(owner, name, wrong)
            with pytest.raises(AttributeError):
                delattr(owner, name)
    reader.input_stream_options = "read_ahead"
    assert reader.input_stream_options is InputStreamOptions.READ_AHEAD
    with pytest.raises(ArgumentError, match="it takes PARTIAL, READ_AHEAD, or both"):
        reader.input_stream_options = InputStreamOptions(8)


def test_a_second_call_during_a_load_is_refused() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, ours.makefile("rb", buffering=0) as stream:
        began = threading.Event()

        class Telling(io.RawIOBase):
            def read(self, size: int = -1, /) -> bytes | None:
                began.set()
                return stream.read(size)

        reader = DataReader(Telling())
        loads: queue.Queue[int] = queue.Queue()
        thread = threading.Thread(target=lambda: loads.put(reader.load(2)))
        thread.start()
        assert began.wait(WAIT)
        for call in (lambda: reader.load(1), reader.read_byte, reader.detach_stream, reader.detach_buffer):
            with pytest.raises(StateError, match="another call uses this DataReader; wait until"):
                call()
        assert reader.unconsumed_buffer_length == 0
        theirs.sendall(b"ab")
        assert loads.get(timeout=WAIT) == 2
        thread.join()
        assert reader.read_bytes(2) == b"ab"


def test_a_buffer_is_not_copied_and_is_released() -> None:
    data = bytearray(b"1234")
    reader = DataReader.from_buffer(data)
    data[0] = ord("x")
    assert reader.read_byte() == ord("x")
    with pytest.raises(BufferError):
        data.append(1)
    reader.close()
    data.append(1)
    reader = DataReader.from_buffer(data)
    del reader
    gc.collect()
    data.append(2)


def test_cycles_are_collected() -> None:
    class Stream(io.BytesIO):
        owner: object = None

    for make in (DataReader, DataWriter):
        stream = Stream()
        stream.owner = make(stream)
        gone = weakref.ref(stream)
        del stream
        gc.collect()
        assert gone() is None


def test_data_file(tmp_path: Path) -> None:
    path = tmp_path / "data"
    with DataWriter(path.open("wb")) as writer:
        for number in range(1000):
            writer.write_uint32(number)
        assert writer.store() == 4000
    with DataReader(path.open("rb")) as reader:
        assert reader.load(10_000_000) == 4000
        assert [reader.read_uint32() for _ in range(1000)] == list(range(1000))


def test_a_store_over_a_socket_is_one_message() -> None:
    peer = Recorded("frame:4", "end")
    with curlwire.connect(peer.url, message_type="utf8") as ws, DataWriter(ws.output_stream) as writer:
        writer.write_string("Hello, ")
        writer.write_string("World!")
        assert writer.store() == 13
        writer.flush()
        assert writer.store() == 0
        writer.write_string("again")
        assert writer.store() == 5
        stream = writer.detach_stream()
        assert stream.write(b"more") == 4
    sent = [(one["opcode"], bytes.fromhex(one["payload"])) for one in peer.record()["frames"]]
    assert sent[:3] == [(1, b"Hello, World!"), (1, b"again"), (1, b"more")]


def test_data_stream_socket() -> None:
    with opened_stream() as ws:
        writer, reader = DataWriter(ws.output_stream), DataReader(ws.input_stream)
        writer.write_uint32(4)
        writer.write_guid(GUID)
        writer.store()
        writer.write_string("text")
        writer.store()
        assert reader.load(24) == 24
        assert reader.read_uint32() == 4
        assert reader.read_guid() == GUID
        assert reader.read_string(4) == "text"
        reader.input_stream_options = "partial"
        writer.write_bytes(b"some")
        writer.store()
        assert 1 <= reader.load(256) <= 4
        writer.close()
        with pytest.raises(StateError, match="closed"):
            writer.write_byte(1)
        ws.output_stream.write(b"x")  # the connection is still open


def test_data_lost_connection() -> None:
    with curlwire.connect(script("x:8203616263", "end"), curlwire.StreamWebSocket) as ws:
        reader = DataReader(ws.input_stream)
        with pytest.raises(curlwire.ConnectionClosed):
            reader.load(10)
        assert reader.load(3) == 3
        assert reader.read_string(3) == "abc"


def test_data_message_args() -> None:
    kept: queue.Queue[Any] = queue.Queue()
    with curlwire.MessageWebSocket() as ws:
        ws.on_message_received = lambda _, args: kept.put((args, args.get_data_reader().read_string(5)))
        ws.connect(echo())
        ws.send("Hello")
        args, text = kept.get(timeout=WAIT)
        assert text == "Hello"
    first, second = args.get_data_reader(), args.get_data_reader()
    assert first.unconsumed_buffer_length == 5
    assert first.read_string(5) == "Hello"
    assert second.read_bytes(5) == b"Hello"
    streams = args.get_data_stream(), args.get_data_stream()
    assert [stream.read() for stream in streams] == [b"Hello", b"Hello"]
    assert [stream.read() for stream in streams] == [b"", b""]
    with DataReader(args.get_data_stream()) as reader:
        assert reader.load(100) == 5
    del args
    gc.collect()
    assert first.detach_buffer() == b""
    second.close()


def test_get_data_reader_of_an_empty_message_and_of_parts() -> None:
    heard: queue.Queue[bytes] = queue.Queue()
    ended = threading.Event()
    ws = curlwire.MessageWebSocket(receive_mode="partial")
    ws.on_message_received = lambda _, args: heard.put(args.get_data_reader().detach_buffer())
    ws.on_closed = lambda *_: ended.set()
    ws.connect(script("x:0103616263", "x:8003646566", "x:8200", "close:1000"))
    assert ended.wait(WAIT)
    parts = [heard.get(timeout=WAIT) for _ in range(heard.qsize())]
    assert b"".join(parts) == b"abcdef"
    assert parts[-1] == b""
    ws.close()


def test_a_reader_of_one_thread_is_not_torn_by_another() -> None:
    count, threads = 20_000, 4
    reader = DataReader.from_buffer(b"".join(number.to_bytes(4, "big") for number in range(count)))
    found: list[list[int]] = [[] for _ in range(threads)]

    def read(numbers: list[int]) -> None:
        try:
            while True:
                numbers.append(reader.read_uint32())
        except EOFError:
            pass

    running = [threading.Thread(target=read, args=(numbers,)) for numbers in found]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert sorted(number for numbers in found for number in numbers) == list(range(count))
    assert all(numbers == sorted(numbers) for numbers in found)


def test_a_handler_of_opened_sockets_gets_readers() -> None:
    with opened() as ws:
        ws.send(b"\0\0\0\7")
        assert DataReader.from_buffer(ws.recv(copy=False)).read_uint32() == 7
