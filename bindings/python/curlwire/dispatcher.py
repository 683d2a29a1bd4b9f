# SPDX-License-Identifier: MIT
"""The dispatcher thread, which calls the handlers, and run_forever(), which waits for sockets with handlers.

Each process has one dispatcher thread. It starts when the first handler is set. Its loop is _core.dispatch, in
C.

This module holds only weak references to sockets. An open socket with handlers holds a reference to itself
until its closed event has been handled. Every other socket is collected, and closed, with its last reference.

This module uses no locks or threads of the module threading. gevent and eventlet replace those by greenlets,
but the dispatcher is a system thread. Instead, each step is one call of a dict, a list or a SimpleQueue. Such a
call is atomic, even if the callback of a weak reference runs in between.
"""

import atexit
import os
import sys
import threading
import weakref
from _queue import Empty, SimpleQueue  # gevent replaces the classes of the module queue
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from curlwire import _core
from curlwire._core import WebSocket
from curlwire.errors import StateError

# At the interpreter's exit, running handlers get this many seconds to return. Then closing handshakes get as
# many. Queued messages may take longer, as long as the kernel accepts bytes.
_EXIT_SECONDS = 1.0
# run_forever() checks the sockets at least this often, because changed() may fail when memory runs out.
_LOOK_SECONDS = 1.0


class _Dispatcher:
    """The dispatcher thread, its mailbox, and the sockets that have or had handlers."""

    def __init__(self) -> None:
        self.mailbox = _core.Mailbox()
        self.sockets: dict[int, weakref.ref[WebSocket]] = {}
        self.ended: SimpleQueue[None] = SimpleQueue()

    def start(self) -> None:
        """Starts the thread. A second call does nothing."""
        self.mailbox.start(self._run)

    def _run(self) -> None:
        try:
            _become_thread("curlwire dispatcher")
            _core.dispatch(self.mailbox)
        finally:
            self.ended.put(None)


def _become_thread(name: str) -> None:
    """Does what threading.Thread does at its start: sets the name, and installs debuggers and profilers."""
    threading.current_thread().name = name
    if (trace := threading.gettrace()) is not None:
        sys.settrace(trace)
    if (profile := threading.getprofile()) is not None:
        sys.setprofile(profile)


_dispatchers: list[_Dispatcher] = []  # only the first is used; threads that set the first handlers may add more
_waiting: list[SimpleQueue[None]] = []  # one for each thread in run_forever; changed() puts an item into each


def _dispatcher() -> _Dispatcher:
    if not _dispatchers:
        _dispatchers.append(_Dispatcher())
    dispatcher = _dispatchers[0]  # the same for all threads, because the list only grows
    dispatcher.start()
    return dispatcher


def watch(socket: WebSocket) -> _core.Mailbox:
    """Registers a socket that has got a handler, and returns the mailbox for its events."""
    if not _core.is_main_interpreter:
        # Python aborts the process if a subinterpreter ends while it has a thread of this kind.
        raise StateError(
            "a subinterpreter cannot have handlers: they run on a thread of their own; use recv() or iteration"
        )
    dispatcher = _dispatcher()
    key = id(socket)
    if key not in dispatcher.sockets:
        dispatcher.sockets[key] = weakref.ref(socket, partial(_forget, dispatcher, key))
    return dispatcher.mailbox


def _forget(dispatcher: _Dispatcher, key: int, _: object) -> None:
    dispatcher.sockets.pop(key, None)
    changed()


def changed() -> None:
    """Wakes run_forever() to check again: a socket has ended, lost its handlers, or failed to connect."""
    for news in _waiting.copy():
        news.put(None)


def _wait_while(is_pending: Callable[[], bool]) -> None:
    """Waits until is_pending() is false, and checks it after each change."""
    news: SimpleQueue[None] = SimpleQueue()
    _waiting.append(news)
    try:
        while is_pending():
            with suppress(Empty):
                news.get(timeout=_LOOK_SECONDS)
    finally:
        _waiting.remove(news)


# any(...) makes a function. CPython 3.13.5 crashes in PyFunction_NewWithQualName if it has no memory for one.
# So this function and _any_pending() loop.
def _check_thread() -> None:
    for dispatcher in _dispatchers:
        if dispatcher.mailbox.is_own_thread():
            raise StateError("run_forever() in a handler would wait for itself; call it from another thread")


def _sockets() -> list[WebSocket]:
    references = [reference for dispatcher in _dispatchers for reference in dispatcher.sockets.copy().values()]
    return [socket for reference in references if (socket := reference()) is not None]


def _any_pending() -> bool:
    for socket in _sockets():  # noqa: SIM110
        if socket._has_handlers() and socket._is_pending():
            return True
    return False


def run_forever() -> None:
    """Waits until every socket with handlers has ended and its on_closed has returned.

    Returns at once if no socket has handlers. Raises StateError in a handler, because it would wait for itself.
    Blocks; Ctrl-C ends it. Any thread but the dispatcher thread may call it.
    """
    _check_thread()
    _wait_while(_any_pending)


def run_forever_of(socket: WebSocket) -> None:
    """Waits until one socket with handlers has ended. Its run_forever() calls this."""
    _check_thread()
    _wait_while(socket._is_pending)


def _stop_at_exit() -> None:
    for dispatcher in _dispatchers:
        dispatcher.mailbox.stop()
    for dispatcher in _dispatchers[:1]:
        with suppress(Empty):
            dispatcher.ended.get(timeout=_EXIT_SECONDS)
    loss = _core.shutdown(_EXIT_SECONDS)
    if loss and sys.stderr is not None:
        print(f"curlwire: {loss}", file=sys.stderr)
    for socket in _sockets():
        socket._let_go()  # so that objects which the handlers hold, such as files, are closed too
    for dispatcher in _dispatchers:
        # The callbacks of these references must not run later, because this module may be gone by then.
        dispatcher.sockets.clear()


def _reset_after_fork() -> None:
    _dispatchers.clear()
    _waiting.clear()
    _core.after_fork()


atexit.register(_stop_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)
