# SPDX-License-Identifier: MIT
"""Tests of on_message_received, on_closed, the dispatcher thread and run_forever."""

import gc
import queue
import sys
import threading
from typing import Any

import pytest

import curlwire
from curlwire import ClosedEventArgs, MessageReceivedEventArgs, MessageWebSocket
from peers import WAIT, Recorded, echo, opened, round_trip, script, text, url


class Heard:
    """Handlers that put their arguments into a queue."""

    def __init__(self, ws: MessageWebSocket) -> None:
        self.events: queue.Queue[Any] = queue.Queue()
        ws.on_message_received = lambda _, args: self.events.put(args.data)
        ws.on_closed = lambda _, args: self.events.put(args)

    def next(self) -> Any:
        return self.events.get(timeout=WAIT)


def test_handler_message() -> None:
    heard: queue.Queue[tuple[MessageWebSocket, MessageReceivedEventArgs, str]] = queue.Queue()
    with MessageWebSocket() as ws:
        ws.on_message_received = lambda ws, args: heard.put((ws, args, threading.current_thread().name))
        ws.connect(echo())
        ws.send("text")
        sender, args, thread = heard.get(timeout=WAIT)
        assert sender is ws
        assert thread == "curlwire dispatcher"
        assert (args.data, args.message_type, args.is_message_complete) == (
            "text",
            curlwire.SocketMessageType.UTF8,
            True,
        )
        assert args.data is args.data
        assert args.buffer.tobytes() == b"text"
        ws.send(b"bytes")
        assert heard.get(timeout=WAIT)[1].data == b"bytes"


def test_handler_dispose() -> None:
    log: list[Any] = []
    ws = MessageWebSocket(message_type="utf8")

    def on_message(ws: MessageWebSocket, args: MessageReceivedEventArgs) -> None:
        log.append(args.data)
        ws.close(1000, "done")

    def on_closed(ws: MessageWebSocket, args: ClosedEventArgs) -> None:
        log.append((args.code, args.reason, args.was_clean))

    ws.on_message_received = on_message
    ws.on_closed = on_closed
    ws.connect(echo())
    ws.send("Hello, World!")
    ws.run_forever()
    assert log == ["Hello, World!", (1000, "done", True)]
    assert ws.state == "closed"


def test_handler_drops_the_last_reference() -> None:
    ended = threading.Event()
    held = [MessageWebSocket()]

    def on_message(ws: MessageWebSocket, args: MessageReceivedEventArgs) -> None:
        if held:
            held.clear()
            ws.send("again")
        else:
            ended.set()

    held[0].on_message_received = on_message
    held[0].connect(echo())
    held[0].send("go")
    assert ended.wait(WAIT)


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # this thread or the dispatcher drops the socket
def test_kept_args_do_not_keep_the_connection() -> None:
    peer = Recorded("echo", "end")
    kept: queue.Queue[Any] = queue.Queue()
    ws = MessageWebSocket()
    ws.on_message_received = lambda _, args: kept.put(args)
    ws.connect(peer.url)
    ws.send("kept")
    args = kept.get(timeout=WAIT)
    ws.on_message_received = None
    del ws
    assert [frame["opcode"] for frame in peer.record()["frames"]] == [1, 8]
    assert args.data == "kept"


def test_handler_closed_by_peer() -> None:
    ws = MessageWebSocket()
    heard = Heard(ws)
    ws.connect(echo("/close?code=4000&reason=bye"))
    assert heard.next() == ClosedEventArgs(4000, "bye", True)


def test_handler_closed_by_us() -> None:
    ws = MessageWebSocket()
    heard = Heard(ws)
    ws.connect(echo())
    ws.close(1000, "done")
    args = heard.next()
    assert (args.code, args.was_clean) == (1000, True)


def test_handler_closed_lost() -> None:
    ws = MessageWebSocket()
    heard = Heard(ws)
    ws.connect(script("rst"))
    args = heard.next()
    assert (args.code, args.was_clean) == (1006, False)
    assert args.reason


def test_handler_closed_once() -> None:
    ws = MessageWebSocket()
    heard = Heard(ws)
    ws.connect(echo())
    ws.close(1000)
    ws.close(1001)
    ws.abort()
    ws.run_forever()
    ws.close(1000)
    ws.abort()
    assert isinstance(heard.next(), ClosedEventArgs)
    other = MessageWebSocket()
    other_heard = Heard(other)  # its events come after all events of the first socket
    other.connect(echo("/close?code=1000"))
    assert isinstance(other_heard.next(), ClosedEventArgs)
    assert heard.events.empty()


def test_handler_closed_on_a_stream() -> None:
    heard: queue.Queue[ClosedEventArgs] = queue.Queue()
    ws = curlwire.StreamWebSocket()
    ws.on_closed = lambda _, args: heard.put(args)
    ws.connect(echo("/close?code=1000&reason=end"))
    assert heard.get(timeout=WAIT) == (1000, "end", True)


def test_handler_none_after_failure() -> None:
    ws = MessageWebSocket()
    heard = Heard(ws)
    with pytest.raises(curlwire.ConnectError):
        ws.connect(url("CW_REFUSED_WS"))
    ws.run_forever()  # returns at once, without handlers
    assert heard.events.empty()
    ws.connect(echo("/close?code=1000"))
    assert isinstance(heard.next(), ClosedEventArgs)


def test_handler_order() -> None:
    ws = MessageWebSocket()
    heard = Heard(ws)
    ws.connect(script(*(f"x:{text(str(number))}" for number in range(100)), "close:1000"))
    assert [heard.next() for _ in range(100)] == [str(number) for number in range(100)]
    assert isinstance(heard.next(), ClosedEventArgs)
    flooded = MessageWebSocket()
    flood = Heard(flooded)
    flooded.connect(echo("/flood?count=3000"))
    assert [flood.next() for _ in range(3000)] == [b"x" * 32] * 3000
    assert isinstance(flood.next(), ClosedEventArgs)


def test_handler_set_late() -> None:
    ws = opened("/flood?count=3&kind=text&size=4")
    assert ws.recv(timeout=WAIT) == "xxxx"
    ws.wait_closed(WAIT)
    heard = Heard(ws)
    assert [heard.next(), heard.next()] == ["xxxx", "xxxx"]
    assert isinstance(heard.next(), ClosedEventArgs)


def test_handler_removed() -> None:
    with opened() as ws:
        heard = Heard(ws)
        ws.send("to the handler")
        assert heard.next() == "to the handler"
        ws.on_message_received = None
        assert ws.on_message_received is None
        round_trip(ws)
        del ws.on_closed
        assert ws.on_closed is None


def test_two_threads_that_set_both_handlers_or_remove_them() -> None:
    """The subscription must include the changes of both threads. A simpler version failed once in 20 runs."""
    names = ("on_message_received", "on_closed")
    values: list[Any] = [None] * 2000
    values[::2] = [lambda ws, args: None] * 1000
    begin, end = threading.Barrier(3), threading.Barrier(3)
    wrong = []

    def set_all(name: str) -> None:
        for value in values:
            begin.wait(WAIT)
            setattr(ws, name, value)
            end.wait(WAIT)

    with opened() as ws:
        threads = [threading.Thread(target=set_all, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for value in values:
            begin.wait(WAIT)
            end.wait(WAIT)
            # recv() raises StateError while messages go to a handler.
            with pytest.raises((curlwire.StateError, curlwire.WebSocketTimeout)) as raised:
                ws.recv(timeout=0)
            if (value is not None) != (raised.type is curlwire.StateError):
                wrong.append(value)
        for thread in threads:
            thread.join()
    assert wrong == []


def test_handler_error(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: queue.Queue[Any] = queue.Queue()
    monkeypatch.setattr(sys, "unraisablehook", reported.put)
    heard: queue.Queue[Any] = queue.Queue()

    def on_message(ws: MessageWebSocket, args: MessageReceivedEventArgs) -> None:
        if args.data == "bad":
            raise KeyError("from the handler")
        heard.put(args.data)

    with opened() as ws:
        ws.on_message_received = on_message
        ws.send("bad")
        ws.send("good")
        assert heard.get(timeout=WAIT) == "good"
        report = reported.get(timeout=WAIT)
        assert report.exc_type is KeyError
        assert report.object is on_message
        assert ws.state == "open"
    del report


def test_handler_receive_conflict() -> None:
    with opened() as ws:
        heard = Heard(ws)
        with pytest.raises(curlwire.StateError, match="on_message_received"):
            ws.recv(timeout=WAIT)
        with pytest.raises(curlwire.StateError, match="on_message_received"):
            next(iter(ws))
        ws.send("x")
        assert heard.next() == "x"


def test_handler_wrong_type() -> None:
    ws = MessageWebSocket()

    def handler(ws: MessageWebSocket, args: object) -> None: ...

    ws.on_message_received = handler
    ws.on_closed = handler
    wrong: Any = "not a function"
    with pytest.raises(TypeError, match="callable"):
        ws.on_message_received = wrong
    with pytest.raises(TypeError, match="callable"):
        ws.on_closed = wrong
    assert ws.on_message_received is handler
    assert ws.on_closed is handler
    assert ws.state == "new"


def test_run_until_closed() -> None:
    heard: list[int] = []
    sockets = []
    for code in (4000, 4001, 4002):
        ws = MessageWebSocket()
        ws.on_closed = lambda _, args: heard.append(args.code)
        ws.connect(echo(f"/close?code={code}"))
        sockets.append(ws)
    curlwire.run_forever()
    assert sorted(heard) == [4000, 4001, 4002]
    curlwire.run_forever()  # returns at once, because all sockets have ended


def test_run_forever_without_handlers() -> None:
    ws = opened("/close?code=4000")
    ws.run_forever()
    assert ws.state == "closed"


def test_run_forever_in_a_handler_is_refused() -> None:
    heard: queue.Queue[Exception] = queue.Queue()

    def on_message(ws: MessageWebSocket, args: MessageReceivedEventArgs) -> None:
        for wait in (curlwire.run_forever, ws.run_forever):
            try:
                wait()
            except curlwire.StateError as error:
                heard.put(error)

    with opened() as ws:
        ws.on_message_received = on_message
        ws.send("go")
        assert "handler" in str(heard.get(timeout=WAIT))
        assert "handler" in str(heard.get(timeout=WAIT))


def test_run_forever_ends_when_the_handlers_are_taken_away() -> None:
    ws = opened()
    ws.on_closed = lambda _, args: None
    ws.on_message_received = lambda _, args: None
    waiting = threading.Thread(target=curlwire.run_forever)
    waiting.start()
    ws.on_closed = None
    waiting.join(0.05)  # usually enough for the thread to wait; the test is correct in any case
    assert waiting.is_alive()
    ws.on_message_received = None
    waiting.join(WAIT)
    assert not waiting.is_alive()
    ws.close()


def test_run_forever_waits_for_a_socket_that_nobody_holds() -> None:
    heard: list[Any] = []

    def hear(ws: MessageWebSocket, args: MessageReceivedEventArgs) -> None:
        heard.append(args.data)
        ws.close()

    def begin() -> None:
        ws = MessageWebSocket()
        ws.on_message_received = hear
        ws.connect(echo())
        ws.send("text")

    begin()
    gc.collect()
    curlwire.run_forever()
    assert heard == ["text"]


def test_on_closed_set_after_the_end() -> None:
    """on_closed is called even if it is set after the dispatcher has taken the closed event."""
    heard: queue.Queue[Any] = queue.Queue()
    ws = MessageWebSocket()
    ws.on_message_received = lambda _, args: None
    ws.connect(echo("/close?code=4000"))
    ws.run_forever()  # returns when the dispatcher has taken the closed event
    ws.on_closed = lambda _, args: heard.put(args.code)
    ws.run_forever()
    assert heard.get_nowait() == 4000
    ws.on_closed = lambda _, args: heard.put("twice")
    ws.run_forever()
    assert heard.empty()


def test_a_handler_that_cannot_be_set_leaves_a_newer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    ws = MessageWebSocket()

    def other(ws: MessageWebSocket, args: MessageReceivedEventArgs) -> None: ...

    class Refusing:  # fails as in a subinterpreter, after another thread has set a handler
        def __bool__(self) -> bool:
            monkeypatch.undo()
            ws.on_message_received = other
            return False

    monkeypatch.setattr(curlwire._core, "is_main_interpreter", Refusing())
    with pytest.raises(curlwire.StateError):
        ws.on_message_received = lambda _, args: None
    assert ws.on_message_received is other
    monkeypatch.setattr(curlwire._core, "is_main_interpreter", False)
    with pytest.raises(curlwire.StateError):
        ws.on_message_received = lambda _, args: None
    assert ws.on_message_received is other


def test_on_closed_set_late_and_dropped() -> None:
    heard: queue.Queue[Any] = queue.Queue()
    ws = MessageWebSocket()
    ws.on_message_received = lambda _, args: None
    ws.connect(echo("/close?code=4000"))
    ws.run_forever()
    ws.on_closed = lambda _, args: heard.put(args.code)
    del ws
    assert heard.get(timeout=WAIT) == 4000


def test_handler_sends() -> None:
    heard: queue.Queue[str] = queue.Queue()

    def on_message(ws: MessageWebSocket, args: MessageReceivedEventArgs) -> None:
        assert isinstance(args.data, str)
        if len(args.data) < 5:
            ws.send(args.data + "x")
        else:
            heard.put(args.data)

    with opened() as ws:
        ws.on_message_received = on_message
        ws.send("")
        assert heard.get(timeout=WAIT) == "xxxxx"
