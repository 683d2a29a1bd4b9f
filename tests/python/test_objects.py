# SPDX-License-Identifier: MIT
"""Tests of the Python objects: garbage collection, weak references, subclasses, docstrings, the stub."""

import copy
import gc
import inspect
import pickle
import re
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import curlwire
from conftest import LIMIT_SECONDS, limit_time
from curlwire import MessageWebSocket, StreamWebSocket
from curlwire.reconnecting_base import ReconnectingBase
from peers import WAIT, Recorded, echo, opened, opened_stream, url, wait_until


def _until_freed(alive: "weakref.ref[MessageWebSocket]") -> None:
    """Waits, because the dispatcher thread lets go of a socket a moment after run_forever() has returned."""
    wait_until(lambda: gc.collect() >= 0 and alive() is None)


def _with_handlers(uri: str, *names: str) -> "weakref.ref[MessageWebSocket]":
    """Makes a socket that only a cycle through its handlers refers to. Connects it if there is a URI."""
    ws = MessageWebSocket()

    def handler(_: MessageWebSocket, args: object) -> None:
        assert ws

    for name in names:
        setattr(ws, name, handler)
    if uri:
        ws.connect(uri)
    return weakref.ref(ws)


@pytest.mark.parametrize(
    "names", [("on_message_received",), ("on_closed",), ("on_message_received", "on_closed")]
)
def test_an_open_socket_with_handlers_lives_until_its_end(names: tuple[str, ...]) -> None:
    peer = Recorded("echo", "end")
    alive = _with_handlers(peer.url, *names)
    gc.collect()
    ws = alive()
    assert ws is not None
    assert ws.state == "open"
    ws.close()
    del ws
    curlwire.run_forever()
    _until_freed(alive)
    assert [frame["opcode"] for frame in peer.record()["frames"]] == [8]


def test_a_socket_whose_handlers_were_removed_is_collected() -> None:
    peer = Recorded("echo", "end")
    alive = _with_handlers(peer.url, "on_message_received", "on_closed")
    ws = alive()
    assert ws is not None
    ws.on_message_received = None
    gc.collect()
    assert alive() is not None
    del ws.on_closed
    ws.on_message_received = print
    ws.on_message_received = None  # this also breaks the cycle
    with pytest.warns(ResourceWarning, match="unclosed"):
        del ws
        gc.collect()
    assert alive() is None
    assert [frame["opcode"] for frame in peer.record()["frames"]] == [8]


def test_a_socket_that_is_not_open_is_not_kept() -> None:
    alive = [_with_handlers("", "on_message_received", "on_closed")]
    failed = MessageWebSocket()
    failed.on_message_received = lambda _, args: None
    failed.on_closed = lambda _, args: None
    with pytest.raises(curlwire.ConnectError):
        failed.connect(url("CW_REFUSED_WS"))
    alive.append(weakref.ref(failed))
    del failed
    gc.collect()
    assert [reference() for reference in alive] == [None, None]


class Configured(MessageWebSocket):
    """A subclass that keeps its own control, as scripts do, and so makes a cycle."""

    def __init__(self) -> None:
        super().__init__()
        self.options = self.control


class Piped(StreamWebSocket):
    def __init__(self) -> None:
        super().__init__()
        self.options = self.control
        self.source, self.sink = self.input_stream, self.output_stream
        self.facts, self.group = self.information, self.batch()


def _closed_over() -> MessageWebSocket:
    ws = MessageWebSocket()
    control = ws.control
    ws.on_closed = lambda _, args: print(control)
    return ws


def _closed_over_and_removed() -> MessageWebSocket:
    ws = MessageWebSocket()
    control, reference = ws.control, weakref.ref(ws)
    ws.on_message_received = lambda _, args: print(control, reference)
    ws.on_message_received = None  # retired_handler still refers to the old one
    return ws


@pytest.mark.parametrize("make", [Configured, Piped, _closed_over, _closed_over_and_removed])
def test_a_circle_through_an_object_of_the_socket_is_collected(make: Callable[[], Any]) -> None:
    ws = make()
    alive = weakref.ref(ws)
    del ws
    gc.collect()
    assert alive() is None


def test_the_collector_sees_what_a_mailbox_and_a_control_refer_to() -> None:
    ws, mailbox = MessageWebSocket(), curlwire._core.Mailbox()
    assert set(gc.get_referents(ws.control)) == {curlwire.MessageWebSocketControl, ws}
    assert gc.get_referents(mailbox) == [type(mailbox), []]


def test_a_handler_set_after_the_end_keeps_nothing() -> None:
    ws = opened("/close?code=1000")
    ws.wait_closed(WAIT)
    ws.on_message_received = lambda _, args: None
    ws.run_forever()
    alive = weakref.ref(ws)
    del ws
    _until_freed(alive)


def test_removed_handlers_are_let_go() -> None:
    class Handler:
        def __call__(self, ws: MessageWebSocket, args: object) -> None: ...

    ws = MessageWebSocket()
    handler = Handler()
    alive = weakref.ref(handler)
    ws.on_closed = handler
    del handler
    assert alive() is not None
    ws.on_closed = None
    assert alive() is None


def test_streams_keep_their_socket() -> None:
    out = opened_stream().output_stream
    gc.collect()
    assert out.write(b"x") == 1
    with pytest.warns(ResourceWarning, match="unclosed <StreamWebSocket open "):
        del out


def test_references_are_balanced() -> None:
    with opened() as ws:
        data = b"x" * 1000

        def handler(ws: object, args: object) -> None: ...

        counts = [sys.getrefcount(thing) for thing in (ws, data, handler, None)]
        for _ in range(200):
            ws.send(data, timeout=None)
            _ = ws.recv(timeout=WAIT, copy=False).data
            _ = (ws.control.supported_protocols, ws.information.uri, repr(ws), ws.state, ws.response_headers)
            ws.on_closed = handler
            ws.on_closed = None
            with pytest.raises(TypeError):
                ws.send(ws)
        after = [sys.getrefcount(thing) for thing in (ws, data, handler, None)]
        assert all(abs(one - other) < 50 for one, other in zip(counts, after, strict=True))


def test_sockets_are_freed() -> None:
    kinds = (MessageWebSocket, StreamWebSocket)
    alive = []
    for _ in range(50):
        for kind in kinds:
            ws = kind(no_delay=False)
            _ = (ws.control, ws.information, ws.output_stream)
            alive.append(weakref.ref(ws))
    del ws, _
    assert [reference for reference in alive if reference() is not None] == []


def test_subclasses() -> None:
    class Mixin:
        extra = 1

    class Chatty(Mixin, MessageWebSocket):
        def __init__(self, **control: Any) -> None:
            super().__init__(message_type="utf8", **control)
            self.heard: list[object] = []

    with curlwire.connect(echo(), Chatty, no_delay=False) as ws:
        assert type(ws) is Chatty
        assert (ws.extra, ws.heard, ws.control.message_type.name) == (1, [], "UTF8")
        ws.send("x")
        assert ws.recv(timeout=WAIT) == "x"
        assert "Chatty open ws://" in repr(ws)


def test_events_outlive_their_socket() -> None:
    ws = opened()
    ws.send("kept")
    message = ws.recv(timeout=WAIT, copy=False)
    ws.abort()
    del ws
    gc.collect()
    assert message.data == "kept"


def _public(owner: type) -> list[tuple[str, Any]]:
    """Returns the members of a class, also those that it inherits from a class without a public name."""
    owners = [part for part in owner.__mro__ if part is owner or part is ReconnectingBase]
    return [(name, member) for part in owners for name, member in vars(part).items() if name[0] != "_"]


def _doc(owner: type, name: str) -> str | None:
    slots = vars(owner).get("__slots__")
    if isinstance(slots, dict) and name in slots:
        return str(slots[name])
    return inspect.getdoc(getattr(owner, name))


CLASSES = [getattr(curlwire, name) for name in curlwire.__all__ if inspect.isclass(getattr(curlwire, name))]


@pytest.mark.parametrize("owner", CLASSES)
def test_everything_has_a_docstring(owner: type) -> None:
    assert owner.__doc__
    assert {name for name, _ in _public(curlwire.ReconnectingWebSocket)} >= {"connect", "on_closed", "state"}
    lacking = [
        name
        for name, member in _public(owner)
        if (callable(member) or inspect.isdatadescriptor(member)) and not _doc(owner, name)
    ]
    if issubclass(owner, int):  # the members of an enumeration have no docstrings
        return
    assert lacking == []


@pytest.mark.parametrize("owner", [MessageWebSocket, StreamWebSocket, curlwire.WebSocket])
def test_docstrings_tell_threads_and_blocking(owner: type) -> None:
    for name, member in _public(owner):
        if not inspect.isroutine(member):
            continue
        text = member.__doc__ or ""
        assert inspect.signature(member), name
        assert "lock" in text, f"{name} does not say whether it blocks"
        assert "thread" in text, f"{name} does not say from which threads"
        assert "Raises" in text, f"{name} does not say what it raises"


def test_nothing_is_missing_in_all() -> None:
    assert sorted(curlwire.__all__) == sorted(set(curlwire.__all__))
    for name in curlwire.__all__:
        assert getattr(curlwire, name) is not None
    assert curlwire.__version__.count(".") == 2
    assert tuple(map(int, curlwire.libcurl_version.split("-")[0].split("."))) >= (8, 14, 0)


def test_stub_agrees() -> None:
    pytest.importorskip("mypy")
    limit_time(4 * LIMIT_SECONDS)  # mypy takes 30 s on a busy machine
    allowed = Path(__file__).with_name("stubtest.txt")
    command = [sys.executable, "-m", "mypy.stubtest", "--allowlist", str(allowed), "curlwire"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


# ---- Copies

PARTS: dict[str, Callable[[Any], object]] = {
    "socket": lambda ws: ws,
    "control": lambda ws: ws.control,
    "information": lambda ws: ws.information,
    "output_stream": lambda ws: ws.output_stream,
    "input_stream": lambda ws: StreamWebSocket().input_stream,
    "stream control": lambda ws: StreamWebSocket().control,
    "message": lambda ws: ws.recv(copy=False),
}
COPIERS: dict[str, Callable[[Any], object]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{f"pickle {protocol}": lambda part, p=protocol: pickle.dumps(part, p) for protocol in range(6)},  # type: ignore[misc]
}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("copier", COPIERS)
def test_copies_are_refused(part: str, copier: str) -> None:
    with opened() as ws:
        ws.send("message")
        thing = PARTS[part](ws)
        with pytest.raises(TypeError) as caught:
            COPIERS[copier](thing)
        assert str(caught.value) == (
            f"cannot copy or pickle a {type(thing).__name__}: it belongs to one live connection; copy the "
            "values that you need, or make a new socket"
        )


def test_copies_of_a_subclass_and_of_its_owner_are_refused() -> None:
    class Own(MessageWebSocket):
        pass

    with pytest.raises(TypeError, match="cannot copy or pickle a Own: "):
        copy.copy(Own())
    with pytest.raises(TypeError, match="cannot copy or pickle a Own: "):
        copy.deepcopy({"a": [Own()]})


def test_event_args_are_refused_and_values_are_not() -> None:
    seen: list[object] = []
    ws = MessageWebSocket()

    def on_message_received(ws: MessageWebSocket, args: curlwire.MessageReceivedEventArgs) -> None:
        for copier in COPIERS.values():
            try:
                copier(args)
            except TypeError as error:
                seen.append(str(error).startswith("cannot copy or pickle a MessageReceivedEventArgs: "))
        ws.close()

    ws.on_message_received = on_message_received
    ws.connect(echo())
    ws.send("message")
    ws.run_forever()
    assert seen == [True] * len(COPIERS)
    args = curlwire.ClosedEventArgs(1000, "bye", True)
    assert pickle.loads(pickle.dumps(args)) == copy.deepcopy(args) == args


# ---- Sockets that nobody closes


def _run(program: str, *flags: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *flags, "-c", program, echo("/sink"), url("CW_PLAIN_HTTP", "")],
        capture_output=True,
        text=True,
        timeout=WAIT,
        check=False,
    )


OPEN = "import sys, gc, curlwire\nws = curlwire.connect(sys.argv[1])\n"
UNCLOSED = re.compile(
    r"unclosed <(MessageWebSocket|Own) open ws://\S+/sink at 127\.0\.0\.1:\d+>: call close\(\), or use 'with'"
)


@pytest.mark.parametrize("program", ["del ws", "ws.me = ws; del ws; gc.collect()", "ws = None"])
def test_an_unclosed_socket_is_warned_about(program: str) -> None:
    name = "class Own(curlwire.MessageWebSocket): pass\n" if "me" in program else ""
    start = OPEN if not name else "import sys, gc, curlwire\n" + name + "ws = Own(); ws.connect(sys.argv[1])\n"
    done = _run(start + program + "\nprint('on')", "-W", "always::ResourceWarning")
    assert (done.returncode, done.stdout) == (0, "on\n")
    assert UNCLOSED.search(done.stderr), done.stderr
    assert done.stderr.count("ResourceWarning") == 1


def test_an_unclosed_socket_with_warnings_as_errors() -> None:
    """The warning becomes an exception that Python ignores and reports; the program goes on."""
    done = _run(
        OPEN + "try: 1/0\nexcept ZeroDivisionError: ws = None\nprint('on')", "-W", "error::ResourceWarning"
    )
    assert (done.returncode, done.stdout) == (0, "on\n")
    assert "Exception ignored in: <class 'curlwire.MessageWebSocket'>" in done.stderr
    assert UNCLOSED.search(done.stderr), done.stderr


@pytest.mark.parametrize(
    "program",
    [
        "ws.close(); del ws",
        "ws.abort(); del ws",
        "with ws: pass\ndel ws",
        "ws.send('x' * 9)",  # open at the end of the program
        "def keep(): pass\nkeep.ws = ws; del ws",
        "import os\npid = os.fork()\nif pid == 0: ws = None; os._exit(0)\nos.waitpid(pid, 0); ws.close()",
        "ws.on_closed = print; del ws; gc.collect()",  # a socket with a handler lives until its end
        "ws.close(); ws.wait_closed(); ws = curlwire.MessageWebSocket(); ws = None",
    ],
)
def test_no_warning(program: str) -> None:
    done = _run(OPEN + program, "-W", "error")
    assert (done.returncode, done.stderr) == (0, "")


def test_an_unclosed_socket_still_sends() -> None:
    peer = Recorded("stall", "gate", "resume", "frame:2", "end")
    ws = curlwire.connect(peer.url)
    ws.send(b"x" * 100_000, timeout=0)
    with pytest.warns(ResourceWarning, match="unclosed <MessageWebSocket open "):
        del ws
    peer.go()
    frames = peer.record()["frames"]
    assert [frame["length"] for frame in frames] == [100_000, 0]
