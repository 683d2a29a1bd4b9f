# SPDX-License-Identifier: MIT
"""The mailbox of an event loop: it wakes the loop when the service thread has news for one of its sockets."""

import asyncio
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from curlwire import _core


class Owner(Protocol):
    """The object of this package that owns a socket of the core."""

    def _on_event(self, event: int) -> None: ...


class Hub:
    """The mailbox of one event loop. The loop watches it while a socket is connecting or open."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop: asyncio.AbstractEventLoop = loop
        self.mailbox: _core.Mailbox = _core.Mailbox()
        self._count: int = 0

    def enter(self) -> None:
        """Notes one more socket that waits for events."""
        self._count += 1
        if self._count == 1:
            self.loop.add_reader(self.mailbox.fileno(), _deliver, weakref.ref(self))

    def leave(self) -> None:
        """Notes one socket less."""
        self._count -= 1
        if self._count == 0:
            self.loop.remove_reader(self.mailbox.fileno())

    def run(self, call: Callable[[], object]) -> None:
        """Calls a function in the loop's thread: now if this is that thread, else soon. Not if it is closed."""
        with suppress(RuntimeError):
            if asyncio._get_running_loop() is self.loop:
                call()
            elif not self.loop.is_closed():
                self.loop.call_soon_threadsafe(call)


# The weak references let a hub go with its last socket. A loop cannot be a weak key here, because its hub
# refers to it.
_hubs: weakref.WeakValueDictionary[int, Hub] = weakref.WeakValueDictionary()


def hub_of(loop: asyncio.AbstractEventLoop) -> Hub:
    """Returns the hub of a loop, and makes it if there is none."""
    hub = _hubs.get(id(loop))
    if hub is None or hub.loop is not loop:
        hub = _hubs[id(loop)] = Hub(loop)
    return hub


def _deliver(reference: "weakref.ref[Hub]") -> None:
    hub = reference()
    if hub is None:
        return
    while (news := _core.take_event(hub.mailbox)) is not None:
        socket, event = news
        reference_to_owner: Any = socket
        owner: Owner | None = reference_to_owner._owner()
        if owner is not None:
            owner._on_event(event)
