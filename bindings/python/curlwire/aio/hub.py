# SPDX-License-Identifier: MIT
"""What the sockets need of asyncio."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, suppress
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from curlwire import _core
from curlwire.eventloop import hub

if TYPE_CHECKING:
    from types import TracebackType

_T = TypeVar("_T")


class Scope:
    """A block that cancel() ends."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._limit: asyncio.Timeout = asyncio.timeout(None)

    def cancel(self) -> None:
        """Cancels the block by a time limit, which keeps it apart from other cancellations of the task."""
        with suppress(RuntimeError):  # it is being cancelled already
            self._limit.reschedule(self._loop.time())

    async def __aenter__(self) -> Self:
        await self._limit.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: "TracebackType | None",
    ) -> bool | None:
        try:
            await self._limit.__aexit__(exc_type, exc_value, traceback)
        except TimeoutError:  # cancel() has ended the block, for __aexit__ raises no exception of the block
            return True
        return None


class Hub(hub.Hub):
    """A loop of asyncio with its mailbox."""

    cancelled: ClassVar[type[BaseException]] = asyncio.CancelledError
    loop: asyncio.AbstractEventLoop

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._tasks: set[asyncio.Task[None]] = set()  # because asyncio keeps no tasks alive

    @staticmethod
    def running_loop() -> asyncio.AbstractEventLoop:
        """Returns the running loop. Raises RuntimeError if none runs."""
        return asyncio.get_running_loop()

    def bind(self, core: _core.WebSocket) -> None:
        """Lets the core check that its calls come from this loop."""
        core._loop = self.loop

    @staticmethod
    def current_task() -> object:
        """Returns the task that runs now."""
        return None if asyncio._get_running_loop() is None else asyncio.current_task()

    def is_cancelled(self) -> bool:
        """Returns whether the task that runs now was cancelled itself."""
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0

    def is_running_here(self) -> bool:
        """Returns whether this thread runs the loop now."""
        return asyncio._get_running_loop() is self.loop

    def call_soon_threadsafe(self, call: Callable[[], object]) -> None:
        """Lets the loop call a function soon."""
        self.loop.call_soon_threadsafe(call)

    def add_reader(self, fd: int, callback: Callable[..., object], *args: object) -> None:
        """Calls a function whenever a descriptor is readable."""
        self.loop.add_reader(fd, callback, *args)

    def remove_reader(self, fd: int) -> None:
        """Ends that, at once."""
        self.loop.remove_reader(fd)

    def create_future(self) -> asyncio.Future[Any]:
        """Returns a new future."""
        return self.loop.create_future()

    def timeout(self, seconds: float | None) -> AbstractAsyncContextManager[object]:
        """Returns a block that raises TimeoutError when its time is over."""
        return hub.NO_LIMIT if seconds is None else asyncio.timeout(seconds)

    def scope(self) -> Scope:
        """Returns a block that can be cancelled."""
        return Scope(self.loop)

    def create_task(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Runs a coroutine."""
        task = self.loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def run_in_thread(self, call: Callable[..., _T], *args: object) -> Awaitable[_T]:
        """Calls a function in a thread of its own.

        asyncio.run() waits at its end for the threads of asyncio.to_thread(), so a cancelled call would hold
        the program up.
        """
        future: asyncio.Future[_T] = self.loop.create_future()

        def finish(result: "_T | None", error: BaseException | None) -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)  # type: ignore[arg-type]

        def work() -> None:
            result, failure = None, None
            try:
                result = call(*args)
            except BaseException as error:
                failure = error
            with suppress(RuntimeError):  # the loop has ended
                self.loop.call_soon_threadsafe(finish, result, failure)

        threading.Thread(target=work, name="curlwire call", daemon=True).start()
        return future

    def report(self, message: str, error: BaseException) -> None:
        """Gives the exception of a handler to the loop's exception handler."""
        self.loop.call_exception_handler({"message": message, "exception": error})
