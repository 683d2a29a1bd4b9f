# SPDX-License-Identifier: MIT
"""Checks that raise TypeError in programs that use async or await with curlwire, which is synchronous.

Without them such a program fails far from its mistake, and a program with an async handler does not fail at
all.
"""

import sys
from collections.abc import Awaitable, Callable
from functools import partial
from opcode import opmap
from types import AsyncGeneratorType, CoroutineType, FrameType, GeneratorType
from typing import NoReturn

from curlwire._core import WebSocket

# The values of inspect.CO_GENERATOR and so on. Importing inspect here would cost a tenth of the time of
# importing curlwire, and a program that has run out of descriptors cannot import it later.
_GENERATOR, _COROUTINE, _ASYNC_GENERATOR = 0x20, 0x80, 0x200
_IS_COROUTINE = _COROUTINE | _ASYNC_GENERATOR
_CACHE, _GET_AWAITABLE = opmap.get("CACHE", 0), opmap.get("GET_AWAITABLE")
_INSTRUCTION_BYTES = 2


def refuse_await(name: str, frame: FrameType) -> None:
    """Raises TypeError if the frame awaits the call that it is executing, as in await ws.recv()."""
    if not frame.f_code.co_flags & _IS_COROUTINE:
        return
    code = frame.f_code.co_code
    at = frame.f_lasti + _INSTRUCTION_BYTES
    while at < len(code) and code[at] == _CACHE:  # the inline caches of the call instruction
        at += _INSTRUCTION_BYTES
    if at < len(code) and code[at] == _GET_AWAITABLE:
        raise TypeError(
            f"{name}() is synchronous and cannot be awaited: leave out 'await'. It blocks its thread; "
            "in an event loop use curlwire.aio"
        )


def check_call(name: str) -> None:
    """Raises TypeError if a method in C is awaited. The method calls this in the frame of its caller."""
    refuse_await(name, sys._getframe(1))


def _refuse(handler: object, what: str, instead: str) -> NoReturn:
    name = getattr(handler, "__qualname__", None) or type(handler).__qualname__
    raise TypeError(f"cannot use {name} as a handler f(ws, args), because it {what}: {instead}")


_FROM_A_PLAIN_ONE = (
    "let a plain function start the coroutine in its event loop: "
    "asyncio.run_coroutine_threadsafe(coroutine, loop)"
)


def _flags(function: object) -> int:
    """Returns the code flags of a function, a method or an AsyncMock, as inspect reads them."""
    if hasattr(function, "_is_coroutine_mark"):  # inspect.markcoroutinefunction
        return _COROUTINE
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    flags = getattr(code, "co_flags", 0)
    return flags if isinstance(flags, int) else 0


def check_handler(handler: Callable[..., object]) -> None:
    """Raises TypeError if calling the handler would only create a coroutine or a generator."""
    function: object = handler
    while isinstance(function, partial):
        function = function.func
    for called in (function, getattr(type(function), "__call__", None)):  # noqa: B004 # the class's own __call__
        flags = _flags(called)
        if flags & _IS_COROUTINE:
            _refuse(function, "is an 'async def' function, which nothing would await", _FROM_A_PLAIN_ONE)
        if flags & _GENERATOR:
            _refuse(function, "is a generator function, which nothing would run", "take the 'yield' out of it")


def check_result(handler: object, result: object) -> None:
    """Raises TypeError if a handler returned a coroutine, a generator or another awaitable, and closes it.

    Closing it prevents Python's own warning "coroutine was never awaited", which comes at another time and
    place.
    """
    if isinstance(result, (CoroutineType, GeneratorType)):
        result.close()
    elif isinstance(result, WebSocket) or not isinstance(result, (Awaitable, AsyncGeneratorType)):
        return
    kind = type(result).__qualname__
    _refuse(handler, f"returned an object of the type {kind}, which nothing awaits", _FROM_A_PLAIN_ONE)
