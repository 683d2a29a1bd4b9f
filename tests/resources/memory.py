# SPDX-License-Identifier: MIT
"""Repeats a session and makes the next allocation of a library fail each time. It needs failing.c preloaded.

    memory.py URL SESSION MODULE ...

MODULE is part of a library's path, or "main" for the interpreter's own program. Prints the outcomes of the
sessions and then "done". Every other end is a failure. All blocks of curlwire and libcurl must be freed,
whichever allocation fails. The interpreter's blocks are not checked, because it leaks some itself (3.11:
PySequence_List).
"""

import collections
import contextlib
import ctypes
import faulthandler
import gc
import importlib.util
import sys
import time
from collections.abc import Callable

import curlwire
from curlwire import _core

failing = ctypes.CDLL(None)
failing.failing_at.argtypes = [ctypes.c_long]
failing.failing_live.restype = ctypes.c_long

FAILS, COUNTS = 1, 2  # as in failing.h
OURS = ("curlwire/_core", "libcurl")
WAIT = 20.0
LIMIT = 270.0
URL, SESSION, *MODULES = sys.argv[1:]
LARGE = bytes(range(251)) * 1200
room = memoryview(bytearray(len(LARGE)))


unraisable: list[str] = []  # the names of exceptions in handlers and finalizers
# This is not a threading.Event, because its lock stays locked if memory runs out inside. Sessions create no
# function, because Python 3.13 crashes if it has no memory for that.
heard: list[int] = []
closed: list[int] = []


def on_unraisable(report: "sys.UnraisableHookArgs") -> None:
    unraisable.append(report.exc_type.__name__)


def received(ws: curlwire.MessageWebSocket) -> str | bytes:
    """Receives the next message. If memory is short for the result, the message must stay the next one."""
    try:
        return ws.recv()
    except MemoryError:
        return ws.recv()


def message() -> None:
    with curlwire.MessageWebSocket(receive_timeout=WAIT, supported_protocols=["a", "b"]) as ws:
        ws.control.message_type = "utf8"
        ws.set_request_header("X-A", "1")
        ws.connect(URL + "/echo")
        ws.send("text")
        assert received(ws) == "text"
        ws.send(LARGE)
        assert received(ws) == LARGE
        ws.control.message_type = "binary"
        ws.send_nonfinal_frame(b"frag")
        assert ws.ping(WAIT) > 0
        ws.send_final_frame(b"ments")
        assert received(ws) == b"fragments"
        assert ws.information.remote_address and ws.response_headers and repr(ws)
        ws.close(1000, "done")
        ws.wait_closed(WAIT)
        if ws.close_code != 1000:  # without memory for the close frame the connection is dropped
            raise curlwire.ConnectionClosed


def stream() -> None:
    with curlwire.StreamWebSocket(receive_timeout=WAIT) as ws:
        ws.connect(URL + "/echo")
        ws.output_stream.write(LARGE)
        have, count = 0, 1
        while have < len(LARGE) and count:
            count = ws.input_stream.readinto(room[have:])
            have += count
        if have < len(LARGE):
            raise curlwire.ConnectionClosed
        assert room == LARGE
        ws.close()
        assert ws.input_stream.readinto(room) == 0


def on_message(ws: curlwire.MessageWebSocket, args: curlwire.MessageReceivedEventArgs) -> None:
    assert args.data == LARGE
    heard.append(1)


def on_closed(ws: curlwire.MessageWebSocket, args: curlwire.ClosedEventArgs) -> None:
    closed.append(args.code)


def handlers() -> None:
    heard.clear()
    closed.clear()
    with curlwire.MessageWebSocket() as ws:
        ws.on_message_received = on_message
        ws.on_closed = on_closed
        ws.connect(URL + "/echo")
        ws.send(LARGE)
        while not heard and not unraisable:
            time.sleep(0.001)
            if ws.state != "open":
                raise curlwire.ConnectionClosed
        ws.close()
        ws.run_forever()
        assert closed or unraisable


def load() -> None:
    """Loads the extension module once more, as an import in another interpreter does."""
    spec = importlib.util.find_spec("curlwire._core")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception:  # enum.py raises many kinds, because a lookup without memory finds nothing
        if not failing.failing_happened():
            raise
        raise MemoryError from None
    assert module.MessageWebSocket is not curlwire.MessageWebSocket


def failed() -> None:
    ws = curlwire.MessageWebSocket()
    try:
        ws.connect(URL + "/nowhere")
    except curlwire.HandshakeError as error:
        assert error.http_status == 404 and error.headers and str(error) and curlwire.get_status(error)
    else:
        raise AssertionError("connected")


SESSIONS: dict[str, Callable[[], None]] = {
    "message": message,
    "stream": stream,
    "handlers": handlers,
    "failed": failed,
    "load": load,
}


def disarm() -> bool:
    """Stops the failing. Returns whether an allocation has failed. The failure may also come in here."""
    while True:
        try:
            happened = bool(failing.failing_happened())
            failing.failing_at(-1)
        except (MemoryError, ctypes.ArgumentError):
            continue
        return happened


def one(session: Callable[[], None], n: int) -> tuple[str, bool]:
    """Runs a session whose n-th allocation fails. Returns its outcome, and whether an allocation has failed."""
    unraisable.clear()
    failing.failing_at(n)
    try:
        session()
    except MemoryError:
        outcome = "MemoryError"
    except RuntimeError as error:
        if "lock" not in str(error):  # threading reports a lack of memory as an error about its lock
            raise
        outcome = "MemoryError"
    except curlwire.WebSocketError as error:
        outcome = type(error).__name__
    else:
        outcome = "fine"
    happened = disarm()
    return "+".join([outcome, *unraisable]), happened


def sweep(session: Callable[[], None]) -> collections.Counter[str]:
    """Makes every allocation of a session fail in turn. Returns the outcomes. Ends sockets and service."""
    outcomes: collections.Counter[str] = collections.Counter()
    happened = True
    while happened:
        outcome, happened = one(session, outcomes.total())
        _core.shutdown(WAIT)
        gc.collect()
        outcomes[outcome] += 1
    assert outcome == "fine"
    return outcomes


def wait_once() -> None:
    """Makes this thread allocate the objects with which it waits, and which it keeps."""
    with curlwire.connect(URL + "/echo") as ws, contextlib.suppress(curlwire.WebSocketTimeout):
        ws.recv(timeout=0.01)
    _core.shutdown(WAIT)


def main() -> None:
    faulthandler.dump_traceback_later(LIMIT, exit=True)
    sys.unraisablehook = on_unraisable
    session = SESSIONS[SESSION]
    # All blocks count, also those that curlwire keeps for its next use: which one it keeps may change.
    for module in {*MODULES, *OURS}:
        how = (FAILS if module in MODULES else 0) | (COUNTS if module in OURS else 0)
        assert failing.failing_watch(module.encode(), how), f"no library is called {module}"
    for _ in range(3):
        assert one(session, -1) == ("fine", False)
    wait_once()
    live = failing.failing_live()
    outcomes = sweep(session)
    assert failing.failing_live() == live, f"{failing.failing_live() - live} blocks were left"
    print(dict(outcomes))
    assert outcomes.total() - outcomes["fine"] > 5
    print("done")


main()
