# SPDX-License-Identifier: MIT
"""permessage-deflate (RFC 7692): sending, receiving, and the limits on memory. With a libcurl before 8.21.0 the
suite runs test_compression_refused.py instead of this file."""

import os
import random
import threading
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

import curlwire
from curlwire import MessageWebSocket, StreamWebSocket
from peers import WAIT, Recorded, ca_file, handshake, opened, round_trip, url

NAME = "permessage-deflate"
TEXT = "".join(random.Random(7).choices("the quick brown fox é ", k=3000))
NOISE = random.Random(8).randbytes(300_000)
MESSAGES: tuple[str | bytes, ...] = (
    "",
    b"",
    "short",
    TEXT,
    TEXT,
    b"\0" * 500_000,
    NOISE,
    TEXT * 100,
    NOISE + NOISE,
)
BOMB_PIECE = 1 << 20


def reply(extensions: str = NAME) -> str:
    return handshake(
        "HTTP/1.1 101 Switching Protocols\nUpgrade: websocket\nConnection: Upgrade\n"
        f"Sec-WebSocket-Accept: {{accept}}\nSec-WebSocket-Extensions: {extensions}\n\n"
    )


def accepting(*steps: str, extensions: str = NAME, **control: Any) -> tuple[MessageWebSocket, Recorded]:
    """Returns a connection to a server that does these steps and then ends TCP."""
    server = Recorded(reply(extensions), *steps, "end")
    ws: MessageWebSocket = curlwire.connect(server.url, compression="deflate", **control)
    return ws, server


def closing_after(frames: int) -> list[str]:
    """Returns steps: the server reads so many frames, closes, and reads the client's close frame."""
    return [f"frame:{frames}", "close:1000", f"frame:{frames + 1}"]


def deflated(data: bytes, keep_tail: bool = False) -> bytes:
    engine = zlib.compressobj(wbits=-15)
    out = engine.compress(data) + engine.flush(zlib.Z_SYNC_FLUSH)
    return out if keep_tail else out[:-4]


def inflated(frames: list[dict[str, Any]], engine: Any = None, bits: int = 15) -> bytes:
    engine = engine or zlib.decompressobj(-bits)
    data: bytes = engine.decompress(
        b"".join(bytes.fromhex(frame["payload"]) for frame in frames) + b"\0\0\xff\xff"
    )
    return data


def raw(first: int, payload: bytes) -> str:
    """Returns a frame with this first byte."""
    size = len(payload)
    head = bytes([first, size]) if size < 126 else bytes([first, 126]) + size.to_bytes(2, "big")
    return "x:" + (head + payload).hex()


# ---- the offer


@pytest.mark.parametrize(
    ("control", "wanted"),
    [
        ({}, "client_max_window_bits"),
        ({"client_max_window_bits": 9}, "client_max_window_bits=9"),
        ({"server_max_window_bits": 8}, "server_max_window_bits=8; client_max_window_bits"),
        ({"server_no_context_takeover": True}, "server_no_context_takeover; client_max_window_bits"),
        (
            {
                "server_no_context_takeover": True,
                "client_no_context_takeover": True,
                "server_max_window_bits": 10,
                "client_max_window_bits": 12,
            },
            "server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10; "
            "client_max_window_bits=12",
        ),
    ],
)
def test_offer(control: dict[str, Any], wanted: str) -> None:
    server = Recorded("close:1000", "frame:1", "end")
    ws = curlwire.connect(server.url, compression="deflate", **control)
    assert ws.extensions is None  # the server did not accept the offer
    ws.wait_closed(WAIT)
    offers = [line for line in server.record()["request"].splitlines() if "extensions" in line.lower()]
    assert offers == [f"Sec-WebSocket-Extensions: {NAME}; {wanted}"]


def test_no_offer() -> None:
    server = Recorded("close:1000", "frame:1", "end")
    ws = curlwire.connect(server.url)
    ws.wait_closed(WAIT)
    assert "extensions" not in server.record()["request"].lower()


def test_libcurls_framing_has_none() -> None:
    ws = MessageWebSocket(compression="deflate", framing="curl")
    with pytest.raises(curlwire.ConnectError, match="libcurl's framing has no compression"):
        ws.connect(url("CW_ECHO_WS"))


def test_controls() -> None:
    ws = StreamWebSocket(compression="deflate", client_max_window_bits=8, compression_threshold=0)
    assert (ws.control.compression, ws.control.server_max_window_bits) == ("deflate", 15)
    for name in ("server_max_window_bits", "client_max_window_bits"):
        for bad in (7, 16, -1, 2**70):
            with pytest.raises(curlwire.ArgumentError):
                setattr(ws.control, name, bad)
        for wrong in (None, True, "15", 9.0):
            with pytest.raises(TypeError):
                setattr(ws.control, name, wrong)
    with pytest.raises(curlwire.ArgumentError, match="'none' or 'deflate'"):
        ws.control.compression = "gzip"  # type: ignore[assignment]


# ---- sending


def test_frames_that_go_out() -> None:
    ws, server = accepting(*closing_after(2))
    ws.send(TEXT)
    ws.send(b"x" * 127)  # below the threshold
    ws.wait_closed(WAIT)
    first, second = server.record()["frames"][:2]
    assert (first["opcode"], first["fin"], first["rsv"], first["masked"]) == (1, True, 4, True)
    assert inflated([first]).decode() == TEXT
    assert first["length"] < len(TEXT.encode())
    assert (second["opcode"], second["rsv"], second["length"]) == (2, 0, 127)


def test_large_message_goes_in_one_frame() -> None:
    ws, server = accepting(*closing_after(1))
    ws.send(NOISE)
    ws.wait_closed(WAIT)
    (frame,) = server.record()["frames"][:-1]
    assert (frame["rsv"], frame["opcode"], frame["fin"]) == (4, 2, True)
    assert frame["length"] > len(NOISE)


def test_frame_size_cuts_compressed_messages() -> None:
    ws, server = accepting(*closing_after(19), frame_size=16384)
    ws.send(NOISE)
    ws.wait_closed(WAIT)
    frames = server.record()["frames"][:-1]
    assert [frame["rsv"] for frame in frames] == [4] + [0] * (len(frames) - 1)
    assert [frame["opcode"] for frame in frames] == [2] + [0] * (len(frames) - 1)
    assert [frame["fin"] for frame in frames] == [False] * (len(frames) - 1) + [True]
    assert max(frame["length"] for frame in frames) <= 16384
    assert inflated(frames) == NOISE


@pytest.mark.parametrize("bits", [8, 9, 12, 15])
@pytest.mark.parametrize("takeover", [True, False])
def test_terms_that_are_kept(bits: int, takeover: bool) -> None:
    extensions = f"{NAME}; client_max_window_bits={bits}" + ("" if takeover else "; client_no_context_takeover")
    ws, server = accepting(*closing_after(3), extensions=extensions)
    assert ws.extensions == extensions
    for _ in range(3):
        ws.send(TEXT)
    ws.wait_closed(WAIT)
    frames = server.record()["frames"][:3]
    engine = zlib.decompressobj(-bits)
    for frame in frames:
        assert inflated([frame], engine, bits).decode() == TEXT
        if not takeover:
            engine = zlib.decompressobj(-bits)
    shrinks = takeover and bits >= 12
    assert (frames[1]["length"] < frames[0]["length"] / 10) is shrinks


@pytest.mark.parametrize(
    "parts", [[b"abc" * 50, b"", b"abc" * 50, b""], [b"", b"a"], [b"", b""], [NOISE[:9000]] * 3]
)
def test_compressed_fragments_by_hand(parts: list[bytes]) -> None:
    ws, server = accepting(*closing_after(len(parts) + 1), message_type="binary")
    for part in parts[:-1]:
        ws.send_nonfinal_frame(part)
    ws.send_final_frame(parts[-1])
    ws.send(TEXT)
    ws.wait_closed(WAIT)
    *frames, after, _ = server.record()["frames"]
    assert [frame["rsv"] for frame in frames] == [4] + [0] * (len(parts) - 1)
    assert [frame["fin"] for frame in frames] == [False] * (len(parts) - 1) + [True]
    engine = zlib.decompressobj(-15)
    assert inflated(frames, engine) == b"".join(parts)
    assert inflated([after], engine).decode() == TEXT


def test_one_fragment_below_the_threshold() -> None:
    ws, server = accepting(*closing_after(1))
    ws.send_final_frame(b"small")
    ws.wait_closed(WAIT)
    assert server.record()["frames"][0]["rsv"] == 0


def test_threshold() -> None:
    ws, server = accepting(*closing_after(2), compression_threshold=0)
    ws.send("")
    ws.send("a")
    ws.wait_closed(WAIT)
    empty, one = server.record()["frames"][:2]
    assert (empty["rsv"], empty["payload"]) == (4, "00")
    assert (one["rsv"], inflated([one])) == (4, b"a")


def test_text_is_checked_before() -> None:
    ws, server = accepting(*closing_after(2), message_type="utf8")
    ws.send_nonfinal_frame("é".encode()[:1])
    with pytest.raises(curlwire.ArgumentError):
        ws.send_nonfinal_frame(b"\xff" * 200)
    ws.send_final_frame("é".encode()[1:] + b"x" * 200)
    ws.wait_closed(WAIT)
    assert inflated(server.record()["frames"][:2]).decode() == "é" + "x" * 200


def test_a_stalled_server() -> None:
    """A timeout in the middle of a message that is sent in pieces drops the connection, as the error says."""
    ws, _ = accepting("stall", "hang", send_timeout=0.3)
    with pytest.raises(curlwire.ConnectionClosed) as caught:
        ws.send(NOISE * 100)
    assert caught.value.status is curlwire.WebErrorStatus.TIMEOUT


def test_without_waiting() -> None:
    """A send with timeout=0 sends all of a message or nothing. Messages after an unsent one can be inflated."""
    with opened("/sink", compression="deflate") as ws:
        sizes = []
        for _ in range(40):
            try:
                ws.send(NOISE, timeout=0)
            except curlwire.WebSocketTimeout:
                continue
            sizes.append(len(NOISE))
        ws.send(TEXT)
        assert [ws.recv(timeout=WAIT) for _ in sizes] == [str(size) for size in sizes]
        assert ws.recv(timeout=WAIT) == str(len(TEXT))


def test_threads_send_at_once() -> None:
    with opened(compression="deflate") as ws:
        payloads = [bytes([65 + number]) * 3 + NOISE[: 60_000 + number] for number in range(6)]

        def send(payload: bytes) -> None:
            for _ in range(5):
                ws.send(payload)

        threads = [threading.Thread(target=send, args=(payload,)) for payload in payloads]
        for thread in threads:
            thread.start()
        received = [ws.recv(timeout=WAIT) for _ in range(5 * len(payloads))]
        for thread in threads:
            thread.join()
    assert sorted(message for message in received if isinstance(message, bytes)) == sorted(payloads * 5)


def test_closed_while_a_thread_compresses() -> None:
    ws = opened(compression="deflate")
    ends: list[BaseException] = []

    def send() -> None:
        try:
            while True:
                ws.send(NOISE * 10)
        except curlwire.ConnectionClosed as error:
            ends.append(error)

    threads = [threading.Thread(target=send) for _ in range(2)]
    for thread in threads:
        thread.start()
    ws.recv(timeout=WAIT)
    ws.abort()
    for thread in threads:
        thread.join(WAIT)
    assert len(ends) == 2


# ---- receiving


def closing_code(server: Recorded) -> int:
    frame = next(frame for frame in server.record()["frames"] if frame["opcode"] == 8)
    return int(frame["payload"][:4], 16)


HELLO = deflated(b"Hello")


@pytest.mark.parametrize(
    ("code", "steps"),
    [
        (1002, [raw(0xC9, b"")]),
        (1002, [raw(0xCA, b"x")]),
        (1002, [raw(0xC8, b"\x03\xe8")]),
        (1002, [raw(0xC0, HELLO)]),
        (1002, [raw(0x41, HELLO[:3]), raw(0xC0, HELLO[3:])]),
        (1002, [raw(0x01, b"He"), raw(0xC0, b"llo")]),
        (1002, [raw(0x01, b"He"), raw(0xC1, HELLO)]),
        (1002, [raw(0x41, HELLO[:3]), raw(0xC1, HELLO)]),
        (1002, [raw(0x41, HELLO[:3]), raw(0x81, b"x")]),
        (1002, [raw(0xC3, HELLO)]),
        (1002, [raw(0xE1, HELLO)]),
        (1002, [raw(0xA1, b"x")]),
        (1002, [raw(0x41, HELLO[:3]), raw(0xA0, HELLO[3:])]),
        (1007, [raw(0xC2, b"\x07")]),
        (1007, [raw(0xC2, b"")]),
        (1007, [raw(0xC2, HELLO[:3])]),
        (1007, [raw(0xC2, NOISE[:3000])]),
        (1007, [raw(0x42, HELLO), raw(0x80, b"\x07")]),
        (1007, [raw(0xC1, deflated(b"\xff"))]),
        (1007, [raw(0xC1, deflated("é".encode()[:1]))]),
        (1007, [raw(0x41, deflated(b"a\xc3", True)), raw(0x80, deflated(b"\xc3"))]),
        (1009, [raw(0xC2, deflated(b"x" * 101))]),
        (1009, [raw(0x42, deflated(b"x" * 60, True)), raw(0x80, deflated(b"x" * 60))]),
    ],
)
def test_violations(code: int, steps: list[str]) -> None:
    ws, server = accepting(raw(0xC1, HELLO), *steps, "frame:1", max_message_size=100)
    assert ws.recv(timeout=WAIT) == "Hello"
    with pytest.raises(curlwire.ConnectionClosed):
        ws.recv(timeout=WAIT)
    assert ws.close_code == 1006
    assert closing_code(server) == code


def test_between_the_fragments() -> None:
    """A ping between fragments, uncompressed messages, and one byte at a time all arrive as they were sent."""
    step = "drip:" + "".join(
        part.removeprefix("x:")
        for part in (
            raw(0x41, HELLO[:3]),
            raw(0x89, b"p"),
            raw(0x00, b""),
            raw(0x80, HELLO[3:]),
            raw(0x81, b"plain"),
            raw(0xC1, HELLO),
        )
    )
    ws, server = accepting(step, *closing_after(1), extensions=f"{NAME}; server_no_context_takeover")
    assert [ws.recv(timeout=WAIT) for _ in range(3)] == ["Hello", "plain", "Hello"]
    ws.wait_closed(WAIT)
    assert server.record()["frames"][0]["payload"] == b"p".hex()


def memory(name: str) -> int:
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name))


def bomb(mebibytes: int, frame_is_one: bool) -> list[str]:
    """Returns zeros, compressed, in one frame of many blocks or in one frame for each MiB."""
    piece = deflated(bytes(BOMB_PIECE), True)
    if frame_is_one:
        size = len(piece) * mebibytes + 1
        return ["x:c27f" + size.to_bytes(8, "big").hex(), f"repeat:{mebibytes}:{piece.hex()}", "x:00"]
    frame = raw(0x00, piece).removeprefix("x:")
    return [raw(0x42, piece), f"repeat:{mebibytes - 1}:{frame}", raw(0x80, b"\0")]


@pytest.fixture
def growth() -> Iterator[Any]:
    """Returns a function: by how many KiB the peak of memory has grown."""
    with open("/proc/self/clear_refs", "w", encoding="ascii") as peak:
        peak.write("5")
    before = memory("VmRSS")
    yield lambda: memory("VmHWM") - before


@pytest.mark.parametrize("frame_is_one", [True, False])
def test_bomb_is_refused(frame_is_one: bool, growth: Any) -> None:
    steps = bomb(1024, frame_is_one)
    ws, server = accepting(*steps, "frame:1", max_message_size=1 << 20)
    with pytest.raises(curlwire.ConnectionClosed, match="max_message_size"):
        ws.recv(timeout=WAIT)
    assert growth() < 6 * 1024
    assert closing_code(server) == 1009


def test_bomb_in_parts(growth: Any) -> None:
    ws, _ = accepting(*bomb(96, True), receive_mode="partial", inbound_buffer_size=1 << 20)
    total = 0
    while total < 96 * BOMB_PIECE:
        part = ws.recv(timeout=WAIT)
        assert not any(part[:: len(part) // 2 + 1])
        total += len(part)
    assert growth() < 8 * 1024
    ws.abort()


def test_bomb_in_a_stream(growth: Any) -> None:
    server = Recorded(reply(), *bomb(96, True), "close:1000")
    ws = curlwire.connect(server.url, StreamWebSocket, compression="deflate", inbound_buffer_size=1 << 20)
    total, buffer = 0, bytearray(50_000)
    while size := ws.input_stream.readinto(buffer):
        total += size
    assert total == 96 * BOMB_PIECE
    assert growth() < 8 * 1024


def test_bomb_that_nobody_takes(growth: Any) -> None:
    """If the inbox fills in the middle of a frame, the rest of it stays compressed, and the pong waits."""
    ws, _ = accepting(*bomb(96, True), "hang", receive_mode="partial", inbound_buffer_size=1 << 20)
    with pytest.raises(curlwire.WebSocketTimeout):
        ws.ping(timeout=0.5)
    assert growth() < 8 * 1024
    total = 0
    while total < 96 * BOMB_PIECE:
        total += len(ws.recv(timeout=WAIT))
    assert total == 96 * BOMB_PIECE
    ws.abort()


@pytest.mark.parametrize("size", [1, 3, 70_000])
def test_stream_read_of_any_size(size: int) -> None:
    data = TEXT.encode()[:400] * (1 if size < 10 else 300)
    server = Recorded(reply(), raw(0xC2, deflated(data)), raw(0x82, b"plain"), "close:1000")
    ws = curlwire.connect(server.url, StreamWebSocket, compression="deflate")
    got = b""
    while part := ws.input_stream.read(size):
        assert len(part) <= size
        got += part
    assert got == data + b"plain"


# ---- other servers

PEERS = ["CW_ECHO_WS", "CW_ECHO_WSS", "CW_NODE_WS", "CW_AIOHTTP_WS", "CW_NGINX_WS", "CW_NGINX_WSS"]
SETTINGS: list[dict[str, Any]] = [
    {},
    {"server_max_window_bits": 9, "client_max_window_bits": 9},
    {"server_max_window_bits": 12, "client_max_window_bits": 10},
    {"server_no_context_takeover": True, "client_no_context_takeover": True},
    {"server_max_window_bits": 8, "client_max_window_bits": 8},
    {"compression_threshold": 0},
]


@pytest.mark.parametrize("control", SETTINGS, ids=lambda control: ",".join(control) or "defaults")
@pytest.mark.parametrize("peer", PEERS)
def test_peer(peer: str, control: dict[str, Any]) -> None:
    with curlwire.connect(url(peer), compression="deflate", ca_file=ca_file(), **control) as ws:
        # zlib cannot make a window of 8 bits, so these servers may decline it. If they accept, it must work.
        assert ws.extensions is not None or control.get("server_max_window_bits") == 8
        for message in (*MESSAGES, *MESSAGES):
            ws.send(message)
            assert ws.recv(timeout=WAIT) == message
        round_trip(ws)
    assert ws.was_clean


@pytest.mark.parametrize("peer", PEERS[:4])
def test_peer_stream(peer: str) -> None:
    data = TEXT.encode() * 200 + NOISE
    with curlwire.connect(url(peer), StreamWebSocket, compression="deflate", ca_file=ca_file()) as ws:
        sender = threading.Thread(target=lambda: [ws.output_stream.write(data) for _ in range(5)])
        sender.start()
        got = b""
        while len(got) < 5 * len(data):
            got += ws.input_stream.read(1 << 16)
        sender.join()
    assert got == data * 5


def test_large_noise_and_echo() -> None:
    data = os.urandom(8 << 20)
    with opened(compression="deflate") as ws:
        ws.send(data)
        assert ws.recv(timeout=WAIT) == data


def test_close_inside_an_unfinished_message() -> None:
    """A message that the server's close cuts short raises an error, for every close code."""
    begun = deflated(random.Random(1).randbytes(1000))  # random bytes, which do not get smaller
    half = (bytes([0x42, 126]) + len(begun).to_bytes(2, "big") + begun).hex()  # RSV1, not final
    for code in ("1000", "1001"):
        ws, _ = accepting(f"x:{half}", f"close:{code}", "frame:1")
        with pytest.raises(curlwire.ConnectionClosed, match="in the middle of a message"):
            ws.recv(timeout=WAIT)
        with pytest.raises(curlwire.ConnectionClosed, match="in the middle of a message"):
            list(ws)
    server = Recorded(reply(NAME), f"x:{half}", "close:1000", "frame:1", "end")
    stream = curlwire.connect(server.url, StreamWebSocket, compression="deflate")
    with pytest.raises(curlwire.ConnectionClosed, match="in the middle of a message"):
        stream.input_stream.readall()


@pytest.mark.parametrize(("compress", "rsv"), [(None, [0, 4]), (True, [4, 4]), (False, [0, 0])])
def test_compress_of_one_message(compress: bool | None, rsv: list[int]) -> None:
    for send in ("send", "send_many", "send_json", "fragments"):
        ws, server = accepting(*closing_after(4 if send == "fragments" else 2))
        small, large = "small", "a" * 200
        if send == "send":
            ws.send(small, compress=compress)
            ws.send(large, compress=compress)
        elif send == "send_many":
            ws.send_many([small, large], compress=compress)
        elif send == "send_json":
            ws.send_json(small, compress=compress)
            ws.send_json(large, compress=compress)
        else:
            ws.send([small], compress=compress)
            ws.send([large], compress=compress)
        ws.wait_closed(WAIT)
        frames = [frame for frame in server.record()["frames"] if frame["opcode"] == 1]
        begun = [4, 4] if send == "fragments" and compress is None else rsv
        assert [frame["rsv"] for frame in frames] == begun


def test_compress_where_the_server_declined() -> None:
    server = Recorded("frame:1", "echo", "end")
    ws = curlwire.connect(server.url, compression="deflate")
    ws.send("a" * 200, compress=True)
    ws.close()
    ws.wait_closed(WAIT)
    assert server.record()["frames"][0]["rsv"] == 0


@pytest.mark.parametrize("wrong", [1, 0, "deflate"])
def test_wrong_compress(wrong: Any) -> None:
    with opened() as ws:
        for call in (ws.send, ws.send_json):
            with pytest.raises(TypeError, match="compress must be True, False or None"):
                call("a", compress=wrong)
        with pytest.raises(TypeError, match="compress must be True, False or None"):
            ws.send_many(["a"], compress=wrong)


@pytest.mark.parametrize("compress", [None, True, False])
def test_compressed_fragments(compress: bool | None) -> None:
    with opened(compression="deflate") as ws:
        assert ws.extensions is not None
        ws.send((b"abc" * 100 for _ in range(3)), compress=compress)
        assert ws.recv(timeout=WAIT) == b"abc" * 300
