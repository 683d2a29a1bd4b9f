# SPDX-License-Identifier: MIT
"""Tests of send() with an iterable, whose items are the fragments of one message."""

import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

import curlwire
from curlwire import ArgumentError, ConnectionClosed, MessageWebSocket, StateError
from peers import WAIT, Recorded, opened, round_trip
from peers import text as text_frame

Frame = tuple[int, bool, bytes]
CLOSED_WITH_1011 = (8, True, b"\x03\xf3a message could not be completed")


def recorded(frames: int) -> tuple[MessageWebSocket, Recorded]:
    """Returns a connection to a server that records so many frames, and then echoes our close."""
    server = Recorded(f"frame:{frames}", "echo", "end")
    ws: MessageWebSocket = curlwire.connect(server.url)
    return ws, server


def frames_of(server: Recorded) -> list[Frame]:
    return [(f["opcode"], f["fin"], bytes.fromhex(f["payload"])) for f in server.record()["frames"]]


@pytest.mark.parametrize(
    ("items", "text", "opcode"),
    [
        (["one ", "zwö"], None, 1),
        ([b"one ", "zwö".encode()], None, 2),
        (("one ", "zwö"), False, 2),
        (iter([b"one ", bytearray("zwö".encode())]), True, 1),
        ([b"one ", "zwö"], True, 1),
        (["one ", "zwö".encode()], False, 2),
    ],
)
def test_fragments_of_an_iterable(items: Iterable[str | bytes], text: bool | None, opcode: int) -> None:
    ws, server = recorded(3)
    with ws:
        ws.send(items, text=text)
    assert frames_of(server)[:3] == [(opcode, False, b"one "), (0, False, "zwö".encode()), (0, True, b"")]


def test_a_fragment_goes_out_before_the_next_is_made() -> None:
    """The server answers the first fragment while the generator waits for that answer."""
    server = Recorded("frame:1", f"x:{text_frame('go')}", "frame:3", "echo", "end")
    ws = curlwire.connect(server.url)

    def items() -> Iterator[str]:
        yield "first"
        assert ws.recv(timeout=WAIT) == "go"
        yield "second"

    with ws:
        ws.send(items())
    data = [frame for frame in frames_of(server) if frame[0] < 8]
    assert data == [(1, False, b"first"), (0, False, b"second"), (0, True, b"")]


def test_text_may_be_cut_inside_a_character() -> None:
    with opened() as ws:
        ws.send([b"a\xe2", b"\x82", b"\xacb"], text=True)
        assert ws.recv(timeout=WAIT) == "a€b"


def test_an_iterable_without_items_sends_nothing() -> None:
    with opened() as ws:
        ws.send([])
        ws.send(iter(()), text=True)
        round_trip(ws)


@pytest.mark.parametrize("kind", [str, bytes])
def test_empty_items(kind: type) -> None:
    with opened() as ws:
        ws.send([kind(), kind()])
        assert ws.recv(timeout=WAIT) == kind()


def test_large_items() -> None:
    with opened() as ws:
        ws.send(bytes([i]) * 300_000 for i in range(8))
        assert ws.recv(timeout=WAIT) == b"".join(bytes([i]) * 300_000 for i in range(8))


class Failure(Exception):
    """The exception of an iterable."""


def failing(*items: Any) -> Iterator[Any]:
    yield from items
    raise Failure


def test_an_exception_before_the_first_fragment_sends_nothing() -> None:
    with opened() as ws:
        with pytest.raises(Failure):
            ws.send(failing())
        for wrong in ([5], [None, "a"], [["a"]]):
            with pytest.raises(TypeError, match=r"an iterable for send\(\) takes a str or a bytes-like object"):
                ws.send(wrong)  # type: ignore[arg-type]
        with pytest.raises(ArgumentError, match="lone surrogate"):
            ws.send(["\ud800"])
        round_trip(ws)


@pytest.mark.parametrize(
    ("items", "text", "error", "sent_count"),
    [
        (failing("a"), None, Failure, 1),
        (["a", 5], None, TypeError, 1),
        (["a", b"b"], None, TypeError, 1),
        (["a", "\ud800"], None, ArgumentError, 1),
        ([b"a", b"\xff"], True, ArgumentError, 1),
        ([b"a", b"\xc3"], True, ArgumentError, 2),  # the end cuts a character
    ],
    ids=["raises", "wrong type", "mixed", "surrogate", "not UTF-8", "cut character"],
)
def test_an_exception_in_the_middle_closes_with_1011(
    items: Any, text: bool | None, error: type[Exception], sent_count: int
) -> None:
    ws, server = recorded(sent_count)  # the echo of a fragment would end the connection
    with pytest.raises(error):
        ws.send(items, text=text)
    with pytest.raises(ConnectionClosed):
        ws.send("later")
    ws.wait_closed(WAIT)
    sent = frames_of(server)
    assert sent[0][1:] == (False, b"a")
    assert sent[-1] == CLOSED_WITH_1011
    assert not any(is_final for opcode, is_final, _ in sent if opcode < 8)


def test_other_sends_while_an_iterable_is_sent() -> None:
    """No fragment or message of another call gets into the message, not even of the iterable's own thread."""
    with opened() as ws:
        caught: list[BaseException] = []

        def attempt(*calls: Any) -> None:
            for call in calls:
                with pytest.raises(StateError, match="another call is sending the fragments"):
                    call()
                caught.append(StateError())

        calls = (
            lambda: ws.send("x"),
            lambda: ws.send(["x"]),
            lambda: ws.send_many(["x"]),
            lambda: ws.send_nonfinal_frame(b"x"),
            lambda: ws.send_final_frame(b"x"),
        )

        def items() -> Iterator[bytes]:
            yield b"a"
            attempt(*calls)
            thread = threading.Thread(target=attempt, args=calls)
            thread.start()
            thread.join()
            yield b"b"

        ws.send(items())
        assert len(caught) == 10
        assert ws.recv(timeout=WAIT) == b"ab"
        ws.send_nonfinal_frame(b"c")
        with pytest.raises(StateError, match="final frame"):
            ws.send([b"x"])
        ws.send_final_frame(b"d")
        assert ws.recv(timeout=WAIT) == b"cd"


def test_closed_in_the_middle() -> None:
    ws, server = recorded(1)

    def items() -> Iterator[str]:
        yield "a"
        ws.close(4000, "done")
        yield "b"

    with pytest.raises(ConnectionClosed):
        ws.send(items())
    ws.wait_closed(WAIT)
    assert frames_of(server)[-1] == (8, True, b"\x0f\xa0done")


def test_what_cannot_be_sent() -> None:
    with opened() as ws:
        with pytest.raises(
            TypeError, match="a str, a bytes-like object or an iterable of them, not <class 'int'>"
        ):
            ws.send(5)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=r"an iterable of them, not <class 'curlwire\.MessageWebSocket'>"):
            ws.send(ws)  # iterating over it would wait for a message
        with pytest.raises(TypeError, match="send_json"):
            ws.send({"a": 1})
        round_trip(ws)
