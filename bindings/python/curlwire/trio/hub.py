# SPDX-License-Identifier: MIT
"""What the sockets need of trio. Tasks of the sockets are system tasks, which end with the main task."""

import contextvars
import logging
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import AbstractAsyncContextManager
from functools import partial
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import outcome
import trio

from curlwire.eventloop import hub

_T = TypeVar("_T")
_logger = logging.getLogger("curlwire.trio")


class Future(Generic[_T]):
    """A result that one task awaits."""

    def __init__(self) -> None:
        self._task: trio.lowlevel.Task | None = None
        self._outcome: outcome.Value[_T] | outcome.Error | None = None
        self._is_cancelled = False

    def done(self) -> bool:
        """Returns whether there is a result, or an exception, or the future was cancelled."""
        return self._outcome is not None or self._is_cancelled

    def cancelled(self) -> bool:
        """Returns whether the task was cancelled."""
        return self._is_cancelled

    def result(self) -> _T:
        """Returns the result."""
        assert isinstance(self._outcome, outcome.Value)
        return self._outcome.value

    def exception(self) -> BaseException | None:
        """Returns the exception."""
        return self._outcome.error if isinstance(self._outcome, outcome.Error) else None

    def set_result(self, result: _T, /) -> None:
        """Wakes the task with a result."""
        self._finish(outcome.Value(result))

    def set_exception(self, exception: BaseException, /) -> None:
        """Wakes the task with an exception."""
        self._finish(outcome.Error(exception))

    def _finish(self, result: "outcome.Value[_T] | outcome.Error") -> None:
        self._outcome = result
        if self._task is not None:
            trio.lowlevel.reschedule(self._task)

    def _cancel(self, _: object) -> trio.lowlevel.Abort:
        self._is_cancelled = True
        return trio.lowlevel.Abort.SUCCEEDED

    def __await__(self) -> Generator[Any, Any, _T]:
        if self._outcome is None:
            self._task = trio.lowlevel.current_task()
            try:
                yield from trio.lowlevel.wait_task_rescheduled(self._cancel).__await__()
            finally:
                self._task = None
        assert self._outcome is not None
        return self._outcome.unwrap()


class _Limit:
    """A block that raises TimeoutError when its time is over."""

    def __init__(self, seconds: float) -> None:
        self._scope: trio.CancelScope = trio.move_on_after(seconds)

    async def __aenter__(self) -> None:
        self._scope.__enter__()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._scope.__exit__(exc_type, exc_value, traceback)
        if self._scope.cancelled_caught:
            raise TimeoutError


class _Scope:
    """A block that cancel() ends."""

    def __init__(self) -> None:
        self._scope: trio.CancelScope = trio.CancelScope()

    def cancel(self) -> None:
        self._scope.cancel()

    async def __aenter__(self) -> Self:
        self._scope.__enter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return self._scope.__exit__(exc_type, exc_value, traceback)


def _call(callback: Callable[[], object]) -> None:
    try:
        callback()
    except Exception as error:  # which would end trio
        _logger.error("an event of a socket has failed", exc_info=error)


async def _watch(scope: trio.CancelScope, fd: int, callback: Callable[[], object]) -> None:
    with scope:
        while not scope.cancel_called:  # after remove_reader() the descriptor may be closed
            await trio.lowlevel.wait_readable(fd)
            if not scope.cancel_called:
                _call(callback)


async def _run(scope: trio.CancelScope, coroutine: Coroutine[Any, Any, None]) -> None:
    with scope:
        await coroutine


class Hub(hub.Hub):
    """A run of trio with its mailbox."""

    cancelled = trio.Cancelled

    def __init__(self, loop: Any) -> None:
        super().__init__(loop)
        self._readers: dict[int, trio.CancelScope] = {}

    @staticmethod
    def running_loop() -> Any:
        """Returns the token of the running trio. Raises RuntimeError if none runs."""
        return trio.lowlevel.current_trio_token()

    @staticmethod
    def current_task() -> object:
        """Returns the task that runs now; None outside of a task."""
        try:
            return trio.lowlevel.current_task()
        except RuntimeError:
            return None

    def is_running_here(self) -> bool:
        """Returns whether this thread runs this trio now."""
        try:
            return trio.lowlevel.current_trio_token() is self.loop
        except RuntimeError:
            return False

    def call_soon_threadsafe(self, call: Callable[[], object]) -> None:
        """Lets trio call a function soon."""
        self.loop.run_sync_soon(call)

    def add_reader(self, fd: int, callback: Callable[..., object], *args: object) -> None:
        """Calls a function whenever a descriptor is readable."""
        scope = self._readers[fd] = trio.CancelScope()
        trio.lowlevel.spawn_system_task(_watch, scope, fd, partial(callback, *args), name="curlwire reader")

    def remove_reader(self, fd: int) -> None:
        """Ends that, at once."""
        scope = self._readers.pop(fd, None)
        if scope is not None:
            scope.cancel()

    def create_future(self) -> Future[Any]:
        """Returns a new future."""
        return Future()

    def timeout(self, seconds: float | None) -> AbstractAsyncContextManager[object]:
        """Returns a block that raises TimeoutError when its time is over."""
        return hub.NO_LIMIT if seconds is None else _Limit(seconds)

    def scope(self) -> _Scope:
        """Returns a block that can be cancelled."""
        return _Scope()

    def create_task(self, coroutine: Coroutine[Any, Any, None]) -> trio.CancelScope:
        """Runs a coroutine."""
        scope = trio.CancelScope()
        trio.lowlevel.spawn_system_task(
            _run, scope, coroutine, name="curlwire handler", context=contextvars.copy_context()
        )
        return scope

    def run_in_thread(self, call: Callable[..., _T], *args: object) -> Awaitable[_T]:
        """Calls a function in a thread."""
        return trio.to_thread.run_sync(call, *args, abandon_on_cancel=True)

    def report(self, message: str, error: BaseException) -> None:
        """Logs the exception of a handler."""
        _logger.error(message, exc_info=error)
