# SPDX-License-Identifier: MIT
"""The dispatcher thread, which runs the handlers, and waiting for the sockets that have some.

One daemon thread per process, started when the first handler is set. The loop itself is Mailbox.dispatch, in C.
Sockets are held weakly here. An open one that has handlers keeps itself until its closed event has been
dispatched; any other is collected, and closed, when nobody else holds it.
"""

import atexit
import os
import sys
import threading
import weakref
from collections.abc import Callable
from functools import partial

from curlwire import _core
from curlwire._core import WebSocket
from curlwire.errors import StateError

# What running handlers, and after them the closing handshakes, get at the interpreter's exit. What was sent
# gets longer, as long as it makes progress.
_EXIT_SECONDS = 1.0
# How soon a change is seen that could not be told for want of memory.
_LOOK_SECONDS = 1.0


class _Dispatcher:
    """The thread, its mailbox, and the sockets that have, or had, handlers."""

    def __init__(self) -> None:
        self.mailbox = _core.Mailbox()
        self.thread = threading.Thread(target=self.mailbox.dispatch, name="curlwire dispatcher", daemon=True)
        self.sockets: dict[int, weakref.ref[WebSocket]] = {}
        self.thread.start()


# Reentrant: a weak reference's callback may come while its thread is in here. Code enters the lock, not the
# condition: leaving that is a call of Python's, which without memory fails and leaves it locked.
_lock = threading.RLock()
_changed = threading.Condition(_lock)
_dispatcher: _Dispatcher | None = None
_change_count = 0


def watch(socket: WebSocket) -> _core.Mailbox:
    """Remembers a socket that got a handler, and returns the mailbox its events have to go to."""
    global _dispatcher
    if not _core.is_main_interpreter:
        raise StateError(  # which Python would end the process for, when the interpreter ends
            "a subinterpreter cannot have handlers: they run on a thread of their own; use recv() or iteration"
        )
    with _lock:
        if _dispatcher is None:
            _dispatcher = _Dispatcher()
        key = id(socket)
        if key not in _dispatcher.sockets:
            _dispatcher.sockets[key] = weakref.ref(socket, partial(_forget, _dispatcher, key))
        return _dispatcher.mailbox


def _forget(dispatcher: _Dispatcher, key: int, _: object) -> None:
    with _lock:
        dispatcher.sockets.pop(key, None)
        changed()


def changed() -> None:
    """Lets run_forever look again: a socket has ended, lost its handlers, or did not connect."""
    global _change_count
    with _lock:
        _change_count += 1
        _changed.notify_all()


def _wait_while(is_pending: Callable[[], bool]) -> None:
    """Waits for changes until there is nothing pending.

    Looking may itself drop the last reference of a socket, so that a change comes from inside: it is counted.
    """
    with _lock:
        while True:
            count = _change_count
            if not is_pending():
                return
            if count == _change_count:
                _changed.wait(_LOOK_SECONDS)


def _check_thread() -> None:
    if _dispatcher is not None and threading.current_thread() is _dispatcher.thread:
        raise StateError("run_forever() in a handler would wait for itself; call it from another thread")


def _sockets() -> list[WebSocket]:
    references = list(_dispatcher.sockets.values()) if _dispatcher is not None else []
    return [socket for reference in references if (socket := reference()) is not None]


def _any_pending() -> bool:
    return any(socket._has_handlers() and socket._is_pending() for socket in _sockets())


def run_forever() -> None:
    """Waits until every socket that has handlers has ended and its on_closed has run.

    Returns at once if there is none. Raises StateError inside a handler. Blocks; Ctrl-C ends it.
    """
    _check_thread()
    _wait_while(_any_pending)


def run_forever_of(socket: WebSocket) -> None:
    """Waits for one socket that has handlers; what its run_forever() does."""
    _check_thread()
    _wait_while(socket._is_pending)


def _stop_at_exit() -> None:
    if _dispatcher is not None:
        _dispatcher.mailbox.stop()
        _dispatcher.thread.join(_EXIT_SECONDS)
    loss = _core.shutdown(_EXIT_SECONDS)
    if loss and sys.stderr is not None:
        print(f"curlwire: {loss}", file=sys.stderr)
    for socket in _sockets():
        socket._let_go()  # so that what the handlers hold, files perhaps, has its end too
    if _dispatcher is not None:
        # a weak reference that dies before its object calls nobody: this module may be gone by then
        _dispatcher.sockets.clear()


def _reset_after_fork() -> None:
    global _lock, _changed, _dispatcher
    _lock = threading.RLock()
    _changed = threading.Condition(_lock)
    _dispatcher = None
    _core.after_fork()


atexit.register(_stop_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)
