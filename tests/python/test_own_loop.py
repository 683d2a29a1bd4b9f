# SPDX-License-Identifier: MIT
"""Tests of fileno() and dispatch(), with which a program calls handlers in a loop of its own."""

import gc
import select
import threading
import weakref
from typing import Any

import pytest

from curlwire import MessageWebSocket, StateError
from peers import WAIT, echo, opened, script, text


def polled(ws: MessageWebSocket) -> int:
    """Waits until the descriptor is readable, then dispatches."""
    poll = select.poll()
    poll.register(ws.fileno(), select.POLLIN)
    assert poll.poll(WAIT * 1000)
    return ws.dispatch(0)


def test_own_loop_polls() -> None:
    events: list[Any] = []
    ws = MessageWebSocket()
    assert ws.fileno() == ws.fileno()
    ws.on_message_received = lambda _, args: events.append((args.data, threading.current_thread()))
    ws.on_closed = lambda _, args: events.append(args.code)
    ws.connect(echo())
    assert ws.dispatch(0) == 0
    ws.send("one")
    ws.send("two")
    while len(events) < 2:
        polled(ws)
    assert events == [("one", threading.current_thread()), ("two", threading.current_thread())]
    ws.close()
    while len(events) < 3:
        polled(ws)
    assert events[2] == 1000
    assert ws.dispatch() == 0  # nothing can come any more


def test_own_loop_waits() -> None:
    ws = MessageWebSocket()
    assert ws.dispatch() == 0
    seen: list[str] = []
    ws.on_message_received = lambda ws, args: seen.append(args.data)
    ws.connect(script("x:" + text("a"), "x:" + text("b"), "close:1000"))
    while len(seen) < 2:
        assert ws.dispatch(timeout=WAIT) > 0
    ws.run_forever()  # dispatches by itself
    assert (seen, ws.state) == (["a", "b"], "closed")


def test_own_loop_late_handler() -> None:
    seen: list[int] = []
    ws = MessageWebSocket()
    ws.fileno()
    ws.on_message_received = lambda ws, args: None
    ws.connect(script("close:1000"))
    ws.run_forever()
    ws.on_closed = lambda ws, args: seen.append(args.code)
    polled(ws)
    assert seen == [1000]


def test_own_loop_too_late() -> None:
    with MessageWebSocket() as ws:
        ws.on_closed = lambda ws, args: None
        with pytest.raises(StateError, match="before the first handler is set"):
            ws.fileno()
        with pytest.raises(StateError, match="before the first handler is set"):
            ws.dispatch(0)


def test_own_loop_in_handler() -> None:
    errors: list[str] = []

    def on_message_received(ws: MessageWebSocket, _: Any) -> None:
        with pytest.raises(StateError) as caught:
            ws.dispatch(0)
        errors.append(str(caught.value))
        ws.close()

    ws = MessageWebSocket()
    ws.fileno()
    ws.on_message_received = on_message_received
    ws.connect(script("x:" + text("a"), "echo"))
    ws.run_forever()
    assert errors == ["dispatch() already runs: call it in one thread only, and not in a handler of the socket"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_own_loop_handler_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    caught: list[BaseException | None] = []
    monkeypatch.setattr("sys.unraisablehook", lambda info: caught.append(info.exc_value))

    def on_message_received(ws: MessageWebSocket, _: Any) -> None:
        ws.close()
        raise ValueError("of the handler")

    ws = MessageWebSocket()
    ws.fileno()
    ws.on_message_received = on_message_received
    ws.connect(script("x:" + text("a"), "echo"))
    ws.run_forever()
    assert [str(error) for error in caught] == ["of the handler"]


def test_own_loop_beside_recv_and_dispatcher() -> None:
    """Sockets with and without a loop of their own do not disturb each other, and recv() still works."""
    with opened("/") as other:
        ws = MessageWebSocket()
        ws.fileno()
        ended: list[int] = []
        ws.on_closed = lambda ws, args: ended.append(args.code)
        ws.connect(echo())
        ws.send("x")
        assert ws.recv(timeout=WAIT) == "x"
        other.send("y")
        assert other.recv(timeout=WAIT) == "y"
        ws.close()
        ws.run_forever()
        assert ended == [1000]


def test_own_loop_is_collected() -> None:
    ws = MessageWebSocket()
    ws.fileno()
    ws.on_message_received = lambda _, args, ws=ws: None  # type: ignore[misc]
    reference = weakref.ref(ws)
    del ws
    gc.collect()
    assert reference() is None
