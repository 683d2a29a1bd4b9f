# SPDX-License-Identifier: MIT
"""What the sockets need of an event loop, and the mailbox that wakes it when the service thread has news.

curlwire.aio and curlwire.trio have one class each that does the rest for their library.
"""

import weakref
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, Self, TypeVar

from curlwire import _core
from curlwire.errors import StateError

if TYPE_CHECKING:
    from types import TracebackType

_T = TypeVar("_T")

NO_LIMIT: AbstractAsyncContextManager[object] = nullcontext()  # what timeout(None) returns


class Future(Protocol, Generic[_T]):
    """A result that one task awaits, as asyncio's. If that task is cancelled, so is the future."""

    def done(self) -> bool:
        """Returns whether there is a result, or an exception, or the future was cancelled."""

    def cancelled(self) -> bool:
        """Returns whether the task was cancelled."""

    def result(self) -> _T:
        """Returns the result."""

    def exception(self) -> BaseException | None:
        """Returns the exception."""

    def set_result(self, result: _T, /) -> None:
        """Wakes the task with a result."""

    def set_exception(self, exception: BaseException, /) -> None:
        """Wakes the task with an exception."""

    def __await__(self) -> Generator[Any, Any, _T]: ...


class Task(Protocol):
    """A task that runs on its own."""

    def cancel(self) -> object:
        """Cancels the task."""


class Scope(Protocol):
    """A block of one task that cancel() ends. The code after the block goes on."""

    def cancel(self) -> object:
        """Cancels what the task awaits in the block."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: "TracebackType | None",
    ) -> bool | None: ...


class Owner(Protocol):
    """The object that owns a socket of the core."""

    def _on_event(self, event: int, line: str | None) -> None: ...


# The weak references let a hub go with its last socket. A loop cannot be a weak key here, because its hub
# refers to it.
_hubs: weakref.WeakValueDictionary[int, "Hub"] = weakref.WeakValueDictionary()


class Hub(ABC):
    """An event loop with its mailbox. The loop watches the mailbox while a socket is connecting or open."""

    cancelled: ClassVar[type[BaseException]]  # a cancelled task gets it

    def __init__(self, loop: Any) -> None:
        self.loop: Any = loop
        self.mailbox: _core.Mailbox = _core.Mailbox()
        self._count: int = 0
        self._waits: set[Future[Any]] = set()  # asyncio keeps no task alive that waits for one of them

    @classmethod
    def running(cls) -> Self:
        """Returns the hub of the running loop, and makes it if there is none."""
        loop = cls.running_loop()
        hub = _hubs.get(id(loop))
        if hub is None or hub.loop is not loop:
            hub = _hubs[id(loop)] = cls(loop)
        assert isinstance(hub, cls)
        return hub

    def check(self) -> None:
        """Raises StateError if another loop runs, and RuntimeError if none does."""
        if self.running_loop() is not self.loop:
            raise StateError(
                "this socket belongs to another event loop: use it in the loop that connected it, or make a "
                "new socket"
            )

    def enter(self) -> None:
        """Notes one more socket that waits for events."""
        self._count += 1
        if self._count == 1:
            # The loop holds the hub, and the hub the tasks that wait. It holds no other socket.
            self.add_reader(self.mailbox.fileno(), _deliver, self)

    def leave(self) -> None:
        """Notes one socket less."""
        self._count -= 1
        if self._count == 0:
            self.remove_reader(self.mailbox.fileno())

    async def wait(self, future: Future[_T]) -> _T:
        """Waits for a future, and keeps the task that waits alive, even if the program does not store it."""
        self._waits.add(future)
        try:
            return await future
        finally:
            self._waits.discard(future)

    def run(self, call: Callable[[], object]) -> bool:
        """Calls a function in the loop's thread: now if this is that thread, else soon.

        Returns False if the loop has ended.
        """
        with suppress(RuntimeError):
            if self.is_running_here():
                call()
            else:
                self.call_soon_threadsafe(call)
            return True
        return False

    def is_cancellation(self, error: BaseException) -> bool:
        """Returns whether a task was cancelled. A nursery of trio puts its cancellations in a group."""
        if isinstance(error, BaseExceptionGroup):
            return error.split(self.cancelled)[1] is None
        return isinstance(error, self.cancelled)

    def is_foreign(self, error: BaseException) -> bool:
        """Returns whether an exception is the cancellation of another task, which this task has awaited."""
        return self.is_cancellation(error) and not self.is_cancelled()

    def is_cancelled(self) -> bool:
        """Returns whether a cancellation that arrives is meant for the task that runs now."""
        return True

    def settle(self, message: str, error: BaseException) -> None:
        """Reports what a handler has raised. Raises what must end its task, such as its cancellation."""
        if isinstance(error, BaseExceptionGroup) and not isinstance(error, Exception):
            failures, rest = error.split(Exception)
            if failures is not None:
                self.report(message, failures)
            error = error if rest is None else rest
        if not isinstance(error, Exception) and not self.is_foreign(error):
            raise error from None
        self.report(message, error)

    def bind(self, core: _core.WebSocket) -> None:  # noqa: B027 # asyncio alone needs it
        """Lets the core check that its calls come from this loop."""

    @staticmethod
    @abstractmethod
    def running_loop() -> Any:
        """Returns the object that stands for the running loop. Raises RuntimeError if none runs."""

    @staticmethod
    @abstractmethod
    def current_task() -> object:
        """Returns the object of the task that runs now; None outside of a task."""

    @abstractmethod
    def is_running_here(self) -> bool:
        """Returns whether this thread runs the loop now."""

    @abstractmethod
    def call_soon_threadsafe(self, call: Callable[[], object]) -> None:
        """Lets the loop call a function soon. Any thread may call it. Raises RuntimeError if it has ended."""

    @abstractmethod
    def add_reader(self, fd: int, callback: Callable[..., object], *args: object) -> None:
        """Calls a function whenever a descriptor is readable."""

    @abstractmethod
    def remove_reader(self, fd: int) -> None:
        """Ends that, at once."""

    @abstractmethod
    def create_future(self) -> Future[Any]:
        """Returns a new future."""

    @abstractmethod
    def timeout(self, seconds: float | None) -> AbstractAsyncContextManager[object]:
        """Returns a block that raises TimeoutError when its time is over. None = no limit."""

    @abstractmethod
    def scope(self) -> Scope:
        """Returns a block that can be cancelled."""

    @abstractmethod
    def create_task(self, coroutine: Coroutine[Any, Any, None]) -> Task:
        """Runs a coroutine, which catches its exceptions itself."""

    @abstractmethod
    def run_in_thread(self, call: Callable[..., _T], *args: object) -> Awaitable[_T]:
        """Calls a function in a thread. If the task is cancelled, the thread goes on alone."""

    @abstractmethod
    def report(self, message: str, error: BaseException) -> None:
        """Reports the exception of a handler the way of the library."""


def _deliver(hub: Hub) -> None:
    while (news := _core.take_event(hub.mailbox)) is not None:
        socket, event, line = news
        reference_to_owner: Any = socket
        owner: Owner | None = reference_to_owner._owner()
        if owner is not None:
            owner._on_event(event, line)
