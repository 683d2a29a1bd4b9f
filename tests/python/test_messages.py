# SPDX-License-Identifier: MIT
"""Tests of messages: sending, receiving, iteration, single frames, ping."""

import array
import copy
import inspect
import pickle
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

import curlwire
from curlwire import MessageBuffer, SocketMessageType
from peers import WAIT, Recorded, ca_file, echo, frame, opened, round_trip, script, text, url

EVERY_KIND = "a\0é€𐍈" * 50


def test_hello_text() -> None:
    with opened() as ws:
        ws.send("Hello, World!")
        assert ws.recv(timeout=WAIT) == "Hello, World!"


def test_hello_binary() -> None:
    with opened() as ws:
        ws.send(b"Hello, World!")
        assert ws.recv(timeout=WAIT) == b"Hello, World!"


def test_hello_tls() -> None:
    with curlwire.connect(url("CW_ECHO_WSS"), ca_file=ca_file()) as ws:
        ws.send("Hello")
        ws.send(b"World")
        assert [ws.recv(timeout=WAIT), ws.recv(timeout=WAIT)] == ["Hello", b"World"]


def test_connect_function() -> None:
    with curlwire.connect(echo(), message_type="utf8", headers=[("X-One", "1")]) as ws:
        assert type(ws) is curlwire.MessageWebSocket
        assert ws.state == "open"
        assert ws.control.message_type is SocketMessageType.UTF8
    with curlwire.connect(echo(), curlwire.StreamWebSocket, headers={"X-One": "1"}) as stream:
        assert type(stream) is curlwire.StreamWebSocket


def test_empty_message() -> None:
    with opened() as ws:
        ws.send("")
        ws.send(b"")
        assert [ws.recv(timeout=WAIT), ws.recv(timeout=WAIT)] == ["", b""]


def test_all_of_utf8() -> None:
    with opened() as ws:
        ws.send(EVERY_KIND)
        assert ws.recv(timeout=WAIT) == EVERY_KIND


def test_all_of_binary() -> None:
    with opened() as ws:
        ws.send(bytes(range(256)))
        assert ws.recv(timeout=WAIT) == bytes(range(256))


def test_large_message() -> None:
    payload = bytes(range(256)) * (3 * 4096)
    with opened() as ws:
        ws.send(payload)
        assert ws.recv(timeout=WAIT) == payload


@pytest.mark.parametrize(
    "payload",
    [bytearray(b"abcd"), memoryview(b"abcd"), array.array("B", b"abcd"), memoryview(b"xabcdx")[1:5]],
    ids=["bytearray", "memoryview", "array", "slice"],
)
def test_any_buffer_is_sent(payload: bytearray | memoryview) -> None:
    with opened() as ws:
        ws.send(payload)
        assert ws.recv(timeout=WAIT) == b"abcd"


def test_send_many() -> None:
    messages: list[str | bytes] = [b"x" * (i % 40) if i % 3 else "é" * (i % 40) for i in range(1000)]
    messages.insert(500, bytes(range(256)) * 8192)
    with opened() as ws:
        assert ws.send_many(messages) == 1001
        assert [ws.recv(timeout=WAIT) for _ in messages] == messages
        assert ws.send_many([]) == 0
        assert ws.send_many(str(i) for i in range(300)) == 300
        assert [ws.recv(timeout=WAIT) for _ in range(300)] == [str(i) for i in range(300)]


def test_send_many_partly() -> None:
    def failing() -> Iterator[str]:
        yield "d"
        raise ZeroDivisionError

    with opened() as ws:
        with pytest.raises(curlwire.ArgumentError) as refused:
            ws.send_many(["a", b"b", "\ud800", "c"])
        assert vars(refused.value)["sent_count"] == 2
        with pytest.raises(TypeError, match="int"):
            ws.send_many(["c", 1])  # type: ignore[list-item]
        with pytest.raises(ZeroDivisionError) as raised:
            ws.send_many(failing())
        assert vars(raised.value)["sent_count"] == 1
        for one in ("text", b"bytes", 5):
            with pytest.raises(TypeError, match="iter"):
                ws.send_many(one)  # type: ignore[arg-type]
        ws.send("e")
        assert [ws.recv(timeout=WAIT) for _ in range(5)] == ["a", b"b", "c", "d", "e"]
    with pytest.raises(curlwire.ConnectionClosed) as closed:
        ws.send_many(["f"])
    assert vars(closed.value)["sent_count"] == 0


def test_recv_into() -> None:
    payload = bytes(range(256)) * 4096
    buffer = bytearray(len(payload))
    with opened() as ws:
        for size in (len(payload), 0, 5, 100_000):
            ws.send(payload[:size])
            assert ws.recv_into(buffer, timeout=WAIT) == size
            assert buffer[:size] == payload[:size]
        ws.send("é")
        assert ws.recv_into(memoryview(buffer)[7:9], timeout=WAIT) == 2
        assert buffer[7:9] == "é".encode()
        for wrong in (b"1234", "text", 5):
            with pytest.raises((TypeError, BufferError)):
                ws.recv_into(wrong)  # type: ignore[arg-type]


def test_recv_into_a_small_buffer_keeps_the_message() -> None:
    payload = bytes(range(256)) * 4096
    with opened() as ws:
        for size in (5, len(payload)):
            ws.send(payload[:size])
            for room in (0, size - 1):
                with pytest.raises(curlwire.ArgumentError, match=f"{size} bytes.*{room}"):
                    ws.recv_into(bytearray(room), timeout=WAIT)
            assert ws.recv(timeout=WAIT) == payload[:size]


def test_recv_into_that_ends_loses_nothing() -> None:
    with opened() as ws, pytest.raises(curlwire.WebSocketTimeout):
        ws.recv_into(bytearray(10), timeout=0.05)
    long = f"7f{70_000:016x}"
    steps = (f"x:02{long}", "repeat:70000:78", "frame:1", f"x:80{long}", "repeat:70000:79", "hang")
    ws = curlwire.connect(script(*steps))
    with pytest.raises(curlwire.WebSocketTimeout):
        ws.recv_into(bytearray(140_000), timeout=0.3)
    ws.send("y")
    assert ws.recv(timeout=WAIT) == b"x" * 70_000 + b"y" * 70_000
    ws.abort()


def test_large_messages_keep_their_order_among_small_ones() -> None:
    sizes = [1 << 20, 5, 65_536, 65_535, 0, 300_000, 2 << 20, 1, 5 << 20, 70_000, 70_001] * 2
    payload = bytes(range(256)) * (5 * 4096)
    with opened() as ws:
        for start in range(0, len(sizes), 3):
            some = [payload[:size] for size in sizes[start : start + 3]]
            ws.send_many(some)
            assert [ws.recv(timeout=WAIT) for _ in some] == some


def test_flood_in_order() -> None:
    with opened("/flood?count=5000&size=32&kind=text") as ws:
        messages = list(ws)
    assert messages == ["x" * 32] * 5000
    numbered = [text(str(number)) for number in range(200)]
    ws = curlwire.connect(script(*(f"x:{part}" for part in numbered), "close:1000"))
    assert list(ws) == [str(number) for number in range(200)]


def test_partial_mode() -> None:
    payload = bytes(range(256)) * 4096
    with opened(receive_mode="partial") as ws:
        ws.send(payload)
        parts = [ws.recv(timeout=WAIT, copy=False)]
        while not parts[-1].is_message_complete:
            parts.append(ws.recv(timeout=WAIT, copy=False))
        assert len(parts) > 1
        assert all(part.message_type is SocketMessageType.BINARY for part in parts)
        assert b"".join(parts) == payload


def test_partial_text() -> None:
    halves = "é".encode()
    steps = (f"x:{frame(1, halves[:1], is_final=False)}", f"x:{frame(0, halves[1:])}", "hang")
    ws = curlwire.connect(script(*steps), receive_mode="partial")
    data = b""
    is_complete = False
    while not is_complete:
        part = ws.recv(timeout=WAIT, copy=False)
        assert isinstance(part.data, bytes)
        assert part.message_type is SocketMessageType.UTF8
        data += part.data
        is_complete = part.is_message_complete
    ws.abort()
    assert data.decode() == "é"


def test_partial_recv_gives_bytes() -> None:
    with opened(receive_mode=curlwire.MessageWebSocketReceiveMode.PARTIAL_MESSAGE) as ws:
        ws.send("text")
        assert ws.recv(timeout=WAIT) == b"text"


def test_text_is_of_the_type_of_its_connection() -> None:
    """The type of received text is fixed when the connect begins, even if a thread changes receive_mode."""
    for _ in range(100):
        ws = curlwire.MessageWebSocket()
        is_ready = threading.Event()

        def change(control: Any = ws.control, is_ready: threading.Event = is_ready) -> None:
            with suppress(curlwire.StateError):
                while True:
                    control.receive_mode = "partial"
                    control.receive_mode = "full"
                    is_ready.set()

        changer = threading.Thread(target=change)
        changer.start()
        is_ready.wait()
        ws.connect(echo())
        changer.join()
        ws.send("text")
        is_partial = ws.control.receive_mode is curlwire.MessageWebSocketReceiveMode.PARTIAL_MESSAGE
        assert ws.recv(timeout=WAIT) == (b"text" if is_partial else "text")
        ws.abort()


def test_without_copy() -> None:
    with opened() as ws:
        ws.send(b"0123456789")
        message = ws.recv(timeout=WAIT, copy=False)
        assert type(message) is MessageBuffer
        assert (len(message), bytes(message), message.data) == (10, b"0123456789", b"0123456789")
        assert message.message_type is SocketMessageType.BINARY
        assert message.is_message_complete is True
        assert repr(message) == "<curlwire.MessageBuffer binary, 10 bytes>"
        ws.send("text")
        text_message = ws.recv(timeout=WAIT, copy=False)
        assert (text_message.data, str(text_message, "utf-8")) == ("text", "text")
        assert text_message.message_type is SocketMessageType.UTF8
    view = memoryview(message)
    assert view.readonly
    del message, ws  # the bytes must outlive the message and the socket
    assert view[3:5].tobytes() == b"34"


def test_fragments_by_hand() -> None:
    peer = Recorded("frame:3", "echo", "end")
    with curlwire.connect(peer.url) as ws:
        assert ws.send_nonfinal_frame(b"one ") == 4
        assert ws.send_nonfinal_frame("zwö ") == 5
        assert ws.send_final_frame(b"three") == 5
        ws.ping(timeout=WAIT)
    sent = [(f["opcode"], f["fin"], bytes.fromhex(f["payload"])) for f in peer.record()["frames"][:3]]
    assert sent == [(2, False, b"one "), (0, False, "zwö ".encode()), (0, True, b"three")]


def test_fragments_of_text() -> None:
    halves = "€".encode()
    with opened(message_type="utf8") as ws:
        ws.send_nonfinal_frame(halves[:2])
        ws.send_final_frame(halves[2:])
        assert ws.recv(timeout=WAIT) == "€"


def test_fragments_guarded() -> None:
    with opened() as ws:
        ws.send_nonfinal_frame(b"be")
        with pytest.raises(curlwire.StateError):
            ws.send(b"in between")
        ws.send_final_frame(b"gin")
        assert ws.recv(timeout=WAIT) == b"begin"
        round_trip(ws)


def test_message_type_live() -> None:
    with opened() as ws:
        ws.output_stream.write(b"as bytes")
        ws.control.message_type = "utf8"
        ws.output_stream.write(b"as text")
        ws.control.message_type = SocketMessageType.BINARY
        ws.output_stream.write(b"as bytes again")
        assert [ws.recv(timeout=WAIT) for _ in range(3)] == [b"as bytes", "as text", b"as bytes again"]


def test_receive_timeout() -> None:
    with opened() as ws:
        for timeout in (0, 0.02):
            with pytest.raises(curlwire.WebSocketTimeout) as caught:
                ws.recv(timeout=timeout)
            assert isinstance(caught.value, TimeoutError)
            assert caught.value.status is curlwire.WebErrorStatus.TIMEOUT
        round_trip(ws)


def test_receive_timeout_control() -> None:
    with opened(receive_timeout=0.02) as ws:
        with pytest.raises(TimeoutError):
            ws.recv()
        with pytest.raises(TimeoutError):
            ws.recv(timeout=curlwire.DEFAULT)
        round_trip(ws)


def test_default_timeout() -> None:
    assert repr(curlwire.DEFAULT) == "curlwire.DEFAULT"
    assert copy.copy(curlwire.DEFAULT) is pickle.loads(pickle.dumps(curlwire.DEFAULT)) is curlwire.DEFAULT
    for call in (curlwire.MessageWebSocket.recv, curlwire.MessageWebSocket.send, curlwire.connect):
        assert inspect.signature(call).parameters["timeout"].default is curlwire.DEFAULT
    with opened(receive_timeout=0.02) as ws:
        for wrong in (..., "DEFAULT"):
            with pytest.raises(TypeError, match="must be a number of seconds, or None for no limit, not"):
                ws.recv(timeout=wrong)  # type: ignore[call-overload]
        round_trip(ws)


def test_ping() -> None:
    with opened() as ws:
        seconds = ws.ping(timeout=WAIT)
        assert isinstance(seconds, float)
        assert 0 < seconds < WAIT


@pytest.mark.parametrize("payload", [b"\0\xffbeat", b"x" * 125])
def test_ping_payload(payload: bytes) -> None:
    peer = Recorded("echo", "end")
    with curlwire.connect(peer.url, ping_payload=payload, ping_interval=None) as ws:
        assert ws.control.ping_payload == payload
        assert 0 < ws.ping(timeout=WAIT) < WAIT
        assert 0 < ws.ping(timeout=WAIT) < WAIT
    pings = [frame["payload"] for frame in peer.record()["frames"] if frame["opcode"] == 9]
    assert pings == [payload.hex()] * 2


def test_ping_payload_of_keepalive() -> None:
    peer = Recorded("frame:2", "echo", "end")
    with curlwire.connect(peer.url, ping_payload=b"alive", ping_interval=0.01) as ws:
        while ws.information.statistics.pings_sent < 3:
            with pytest.raises(curlwire.WebSocketTimeout):
                ws.recv(timeout=0.01)
        assert ws.state == "open"
    assert peer.record()["frames"][0]["payload"] == b"alive".hex()


def test_unsolicited_pongs() -> None:
    """A server that drops the connection when it gets a ping, as Node's inspector does, gets pongs only."""
    peer = Recorded("frame:3", "gate", "close:1000")
    ws = curlwire.MessageWebSocket(
        ping_interval=None, desired_unsolicited_pong_interval=0.01, close_timeout=0.1
    )
    assert ws.control.actual_unsolicited_pong_interval == 0
    ws.connect(peer.url)
    assert ws.control.actual_unsolicited_pong_interval == 0.01
    peer.go()
    ws.wait_closed(WAIT)
    assert ws.close_code == 1000
    assert ws.control.actual_unsolicited_pong_interval == 0
    assert [(f["opcode"], f["length"]) for f in peer.record()["frames"][:3]] == [(10, 0)] * 3
    with opened(desired_unsolicited_pong_interval=None) as ws:
        assert ws.control.actual_unsolicited_pong_interval == 0
        control: Any = ws.control
        with pytest.raises(AttributeError):
            control.actual_unsolicited_pong_interval = 1


def test_ping_timeout() -> None:
    ws = curlwire.connect(script("hang"))
    with pytest.raises(curlwire.WebSocketTimeout):
        ws.ping(timeout=0.02)
    assert ws.state == "open"
    ws.abort()


def test_flush() -> None:
    with opened("/sink") as ws:
        for _ in range(20):
            ws.send(bytes(100_000))
        ws.flush()
        assert [ws.recv(timeout=WAIT) for _ in range(20)] == ["100000"] * 20


def test_greeting() -> None:
    ws = curlwire.connect(script("join", f"x:{text('welcome')}{text('again')}", "hang"))
    assert [ws.recv(timeout=WAIT), ws.recv(timeout=WAIT)] == ["welcome", "again"]
    ws.abort()


def test_bytewise_frames() -> None:
    payload = EVERY_KIND[:40]
    ws = curlwire.connect(script(f"drip:{text(payload)}{frame(2, bytes(200))}", "hang"))
    assert [ws.recv(timeout=WAIT), ws.recv(timeout=WAIT)] == [payload, bytes(200)]
    ws.abort()


def test_control_between_fragments() -> None:
    first, last = frame(1, b"be", is_final=False), frame(0, b"gin")
    peer = Recorded(f"x:{first}{frame(9, b'ping!')}{last}", "echo", "end")
    with curlwire.connect(peer.url) as ws:
        assert ws.recv(timeout=WAIT) == "begin"
    assert (10, b"ping!") in [(f["opcode"], bytes.fromhex(f["payload"])) for f in peer.record()["frames"]]
