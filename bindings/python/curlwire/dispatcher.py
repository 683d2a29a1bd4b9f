# SPDX-License-Identifier: MIT
"""The dispatcher thread, which runs the handlers, and waiting for the sockets that have some.

One thread per process, started when the first handler is set. The loop itself is _core.dispatch, in C.
Sockets are held weakly here. An open one that has handlers keeps itself until its closed event has been
dispatched; any other is collected, and closed, when nobody else holds it.

Nothing here uses threading's locks or threads: gevent and eventlet replace them by ones that only switch
between greenlets, and the dispatcher is a thread of the system. Each step is one call of a dict, a list or a
SimpleQueue, which is atomic, also where a weak reference's callback comes in between.
"""

import atexit
import os
import sys
import threading
import weakref
from _queue import Empty, SimpleQueue  # gevent replaces those of the module queue
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from curlwire import _core
from curlwire._core import WebSocket
from curlwire.errors import StateError

# How long running handlers, and after them the closing handshakes, may take at the interpreter's exit. Sending
# what waits may take longer, as long as it makes progress.
_EXIT_SECONDS = 1.0
# How soon a change is seen that could not be told for want of memory.
_LOOK_SECONDS = 1.0


class _Dispatcher:
    """The thread, its mailbox, and the sockets that have, or had, handlers."""

    def __init__(self) -> None:
        self.mailbox = _core.Mailbox()
        self.sockets: dict[int, weakref.ref[WebSocket]] = {}
        self.ended: SimpleQueue[None] = SimpleQueue()

    def start(self) -> None:
        """Starts the thread, once."""
        self.mailbox.start(self._run)

    def _run(self) -> None:
        try:
            _become_thread("curlwire dispatcher")
            _core.dispatch(self.mailbox)
        finally:
            self.ended.put(None)


def _become_thread(name: str) -> None:
    """Does what a thread of threading's does at its start: a name, and debuggers and profilers see it."""
    threading.current_thread().name = name
    if (trace := threading.gettrace()) is not None:
        sys.settrace(trace)
    if (profile := threading.getprofile()) is not None:
        sys.setprofile(profile)


_dispatchers: list[_Dispatcher] = []  # the first is used; a race at the first handlers may add others
_waiting: list[SimpleQueue[None]] = []  # one for each thread in run_forever; gets an item for each change


def _dispatcher() -> _Dispatcher:
    if not _dispatchers:
        _dispatchers.append(_Dispatcher())
    dispatcher = _dispatchers[0]  # the same for all, since this list only grows
    dispatcher.start()
    return dispatcher


def watch(socket: WebSocket) -> _core.Mailbox:
    """Remembers a socket that got a handler, and returns the mailbox its events have to go to."""
    if not _core.is_main_interpreter:
        raise StateError(  # which Python would end the process for, when the interpreter ends
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
    """Lets run_forever look again: a socket has ended, lost its handlers, or did not connect."""
    for news in _waiting.copy():
        news.put(None)


def _wait_while(is_pending: Callable[[], bool]) -> None:
    """Waits for changes until there is nothing pending."""
    news: SimpleQueue[None] = SimpleQueue()
    _waiting.append(news)
    try:
        while is_pending():
            with suppress(Empty):
                news.get(timeout=_LOOK_SECONDS)
    finally:
        _waiting.remove(news)


def _check_thread() -> None:
    if any(dispatcher.mailbox.is_own_thread() for dispatcher in _dispatchers):
        raise StateError("run_forever() in a handler would wait for itself; call it from another thread")


def _sockets() -> list[WebSocket]:
    references = [reference for dispatcher in _dispatchers for reference in dispatcher.sockets.copy().values()]
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
    for dispatcher in _dispatchers:
        dispatcher.mailbox.stop()
    for dispatcher in _dispatchers[:1]:
        with suppress(Empty):
            dispatcher.ended.get(timeout=_EXIT_SECONDS)
    loss = _core.shutdown(_EXIT_SECONDS)
    if loss and sys.stderr is not None:
        print(f"curlwire: {loss}", file=sys.stderr)
    for socket in _sockets():
        socket._let_go()  # so that what the handlers hold, files perhaps, has its end too
    for dispatcher in _dispatchers:
        # a weak reference that dies before its object calls nobody: this module may be gone by then
        dispatcher.sockets.clear()


def _reset_after_fork() -> None:
    _dispatchers.clear()
    _waiting.clear()
    _core.after_fork()


atexit.register(_stop_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)
