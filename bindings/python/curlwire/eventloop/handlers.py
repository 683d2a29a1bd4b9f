# SPDX-License-Identifier: MIT
"""The handlers of the classes for an event loop. The loop calls them, one at a time for each socket."""

import inspect
from abc import abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any, Self, TypeVar

from curlwire.eventloop.facts import Core, Facts
from curlwire.eventloop.hub import Hub, Task
from curlwire.information import ClosedEventArgs
from curlwire.validation import ServerCustomValidationRequestedEventArgs, validate_soon

_Handler = TypeVar("_Handler", bound=Callable[..., object] | None)


def checked(handler: _Handler) -> _Handler:
    """Returns a handler, or raises TypeError if it cannot be called."""
    if handler is not None and not callable(handler):
        raise TypeError(
            f"cannot set the handler: it must be callable as f(ws, args), or None, not {type(handler)!r}"
        )
    return handler


class Handlers(Facts[Core]):
    """The handlers that both classes have, and what calls them."""

    _hub: Hub | None = None

    def __init__(self) -> None:
        self._on_closed: Callable[[Self, ClosedEventArgs], object] | None = None
        self._on_trace: Callable[[Self, str], object] | None = None
        self._on_validation: Callable[[Self, ServerCustomValidationRequestedEventArgs], object] | None = None

    @abstractmethod
    def _subscribe(self) -> None:
        """Lets the hub get the events that the handlers need."""

    @property
    def on_closed(self) -> "Callable[[Self, ClosedEventArgs], object] | None":
        """The handler for the end of the connection, f(ws, args), or None. It may be a coroutine function."""
        return self._on_closed

    @on_closed.setter
    def on_closed(self, handler: "Callable[[Self, ClosedEventArgs], object] | None") -> None:
        self._on_closed = checked(handler)

    @property
    def on_server_custom_validation_requested(
        self,
    ) -> "Callable[[Self, ServerCustomValidationRequestedEventArgs], object] | None":
        """The handler that may reject the server's certificate, f(ws, args), or None.

        It may be a coroutine function; the connect waits for its end. An exception that leaves it rejects the
        certificate. Otherwise it is as for the synchronous class. Setting it raises StateError after connect()
        has begun.
        """
        return self._on_validation

    @on_server_custom_validation_requested.setter
    def on_server_custom_validation_requested(
        self, handler: "Callable[[Self, ServerCustomValidationRequestedEventArgs], object] | None"
    ) -> None:
        self._core._ask_certificate(checked(handler) is not None)
        self._on_validation = handler

    async def _validate(self) -> None:
        try:
            await validate_soon(self._core, self, self._on_validation)
        except BaseException as error:
            self._settle(error)

    @property
    def on_trace(self) -> "Callable[[Self, str], object] | None":
        """The handler for the lines of the connection's trace, f(ws, line), or None. A plain function.

        line is a str. Set it before connect() to see the opening handshake too. If the loop is too slow, lines
        are dropped, and a line says how many. Secrets are masked, payloads are not.
        """
        return self._on_trace

    @on_trace.setter
    def on_trace(self, handler: "Callable[[Self, str], object] | None") -> None:
        self._on_trace = checked(handler)
        self._subscribe()

    def _tell_trace(self, line: str) -> None:
        handler: Callable[[Any, str], object] | None = self._on_trace
        if handler is None:
            return
        try:
            handler(self, line)
        except Exception as error:
            self._report(error)

    def _tell_closed(self) -> None:
        handler = self._on_closed
        if handler is not None:
            self._spawn(self._call(handler, self._closed_args()))

    def _closed_args(self) -> ClosedEventArgs:
        core = self._core
        return ClosedEventArgs(core.close_code or 1006, core.close_reason, core.was_clean)

    async def _call(self, handler: Callable[[Any, Any], object], args: object) -> None:
        """Calls a handler, and awaits its result if it must."""
        try:
            result = handler(self, args)
            if inspect.isawaitable(result):
                await result
        except BaseException as error:
            self._settle(error)

    def _failure_text(self) -> str:
        return f"a handler of {self!r} has failed"

    def _settle(self, error: BaseException) -> None:
        """Reports what a handler has raised, or raises it if it must end the task."""
        assert self._hub is not None
        self._hub.settle(self._failure_text(), error)

    def _report(self, error: Exception) -> None:
        if self._hub is not None:
            self._hub.report(self._failure_text(), error)

    def _spawn(self, coroutine: "Coroutine[Any, Any, None]") -> Task:
        """Runs a coroutine, which keeps this socket alive."""
        assert self._hub is not None
        return self._hub.create_task(coroutine)
