# SPDX-License-Identifier: MIT
"""When to connect again: the class ReconnectPolicy, and what every reconnecting object shares.

The rules are in C (_core.Reconnect), and the same for every language. This module asks the program's own
functions. Nothing here waits, so all packages use it.
"""

import copy
import inspect
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import CoroutineType
from typing import TYPE_CHECKING, Any, TypeVar

from curlwire import _core
from curlwire.defaults import Default
from curlwire.errors import ArgumentError, ConnectionClosed, StateError, WebSocketError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_Value = TypeVar("_Value")
_SETTINGS = ("first_delay", "max_delay", "max_attempts", "max_elapsed", "stable_after", "max_age")
_LOST = 1006
KEPT_SOCKETS = 4  # ended connections whose messages the program has not taken yet

# Tests replace it.
clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True, kw_only=True)
class ReconnectPolicy:
    """When a reconnecting object connects again, and when it gives up. All times are in seconds.

    Attempts and delays are counted in a series. The first attempt begins a series, and so does the end of a
    stable connection.

    first_delay: the bound of the first delay, 0.001 or more, default 1. Each delay is random, from 0 to its
    bound. The bound doubles with each delay of a series.
    max_delay: the bound does not grow beyond this, 0.001 or more, default 60.
    max_attempts: the most attempts in a series, an int, 1 or more. The default is None, no limit.
    max_elapsed: no attempt begins later than this after its series. The default is None, no limit.
    stable_after: a connection that was open this long is stable, 0 or more, default 10. A message is no proof,
    because servers greet.
    max_age: a connection is renewed at this age, or up to a tenth earlier. The default is None, no limit.
    delays: delays in place of the backoff, 0 or more: an iterable, or a function that returns one. A list or a
    function begins anew with each series, an iterator goes on. At its end the object gives up. The default is
    None, the backoff.
    should_retry: f(error), which decides after each failure: True or False, or None for the default rules. For
    curlwire.aio and curlwire.trio it may be a coroutine function. The default is None, the default rules:
    network errors, HTTP 429 and 5xx, and close codes 1001, 1005, 1006 and 1011-1014 are retried. An exception
    of a function for the URI, the headers or the subprotocols is retried too.
    Raises ArgumentError for a value out of its range, TypeError for a bad type.
    """

    first_delay: float = 1.0
    max_delay: float = 60.0
    max_attempts: int | None = None
    max_elapsed: float | None = None
    stable_after: float = 10.0
    max_age: float | None = None
    delays: Iterable[float] | Callable[[], Iterable[float]] | None = None
    should_retry: Callable[[Exception], Any] | None = None

    def __post_init__(self) -> None:
        """Checks the values."""
        self._make_rules()
        if self.should_retry is not None and not callable(self.should_retry):
            raise TypeError(f"should_retry must be a function or None, not {type(self.should_retry)!r}")
        if self.delays is not None and not callable(self.delays) and not isinstance(self.delays, Iterable):
            raise TypeError(
                f"delays must be an iterable of seconds, a function that returns one, or None, not "
                f"{type(self.delays)!r}"
            )

    def _make_rules(self) -> _core.Reconnect:
        rules = _core.Reconnect()
        for name in _SETTINGS:
            rules.set(name, getattr(self, name))
        return rules


def checked_policy(policy: ReconnectPolicy | None) -> ReconnectPolicy:
    """Returns the policy of an argument; the default policy for None."""
    if policy is None:
        return ReconnectPolicy()
    if not isinstance(policy, ReconnectPolicy):
        raise TypeError(f"policy must be a ReconnectPolicy or None, not {type(policy)!r}")
    return policy


def is_retried(error: BaseException) -> bool:
    """Returns whether the default rules retry after an error of a connect, or the end of a connection."""
    if isinstance(error, ConnectionClosed):
        return _core.Reconnect.is_retried(error.code or _LOST, 0, 0)
    if isinstance(error, WebSocketError) and not isinstance(error, (ArgumentError, StateError)):
        return _core.Reconnect.is_retried(0, error.http_status, int(error.status))
    return False


class ProgramError(Exception):
    """A function of the program has failed. The attribute error is its exception."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class Attempts:
    """Counts the attempts of one object and decides what follows a failure."""

    def __init__(self, policy: ReconnectPolicy) -> None:
        self.policy = policy
        self.count: int = 0  # of attempts
        self._rules = policy._make_rules()
        self._delays: Iterator[float] | None = None

    def begin(self) -> int:
        """Notes that an attempt begins, and returns its number."""
        self.count = self._rules.begin(clock())
        return self.count

    def opened(self) -> float | None:
        """Notes that the connection is open, and returns when it must be renewed."""
        return self._rules.opened(clock())

    def ended(self) -> None:
        """Notes that the connection has ended, or that the attempt has failed."""
        is_iterator = isinstance(self.policy.delays, Iterator)
        if self._rules.ended(clock()) and not is_iterator:
            self._delays = None

    def renew(self) -> float:
        """Returns the delay after an end on purpose."""
        return self._rules.renew()

    def ask(self, error: Exception) -> Any:
        """Returns what should_retry says, which may be awaitable; None without that function."""
        return None if self.policy.should_retry is None else self.policy.should_retry(error)

    def next(self, failure: Exception, answer: object) -> float:
        """Returns the delay before the next attempt, or raises the error of the failure if there is none.

        failure: the exception, or a ProgramError around it. answer: of ask().
        """
        error = failure.error if isinstance(failure, ProgramError) else failure
        if inspect.isawaitable(answer):
            if isinstance(answer, CoroutineType):
                answer.close()
            raise TypeError(
                "should_retry must be a plain function here; coroutine functions need curlwire.aio or "
                "curlwire.trio"
            )
        if not (answer if answer is not None else isinstance(failure, ProgramError) or is_retried(error)):
            raise error
        verdict = self._rules.next(clock(), self._given(error), getattr(error, "retry_after", None))
        if isinstance(verdict, str):
            error.add_note(verdict)
            raise error
        return verdict

    def _given(self, error: Exception) -> float | None:
        """Returns the next delay of the program, or None for the backoff."""
        delays = self.policy.delays
        if delays is None:
            return None
        if self._delays is None:
            self._delays = iter(delays() if callable(delays) else delays)
        delay = next(self._delays, None)
        if delay is None:
            error.add_note("gave up: delays has no further delay")
            raise error
        if isinstance(delay, bool) or not isinstance(delay, (int, float)):
            raise TypeError(f"delays must contain seconds, a float or an int, not {type(delay)!r}")
        if not 0 <= delay < math.inf:
            raise ArgumentError(f"delays must contain 0 or more seconds, not {delay!r}")
        return delay


class Target:
    """What each attempt connects to: the arguments of the constructor."""

    def __init__(
        self, uri: Any, headers: Any, subprotocols: Any, timeout: Any, control: dict[str, Any]
    ) -> None:
        self.uri = uri
        self.headers = headers
        self.subprotocols = subprotocols
        self.timeout: float | Default | None = timeout
        self.control = control
        self.send_timeout: float | None = None  # of the sockets; only the event loops need it
        if subprotocols is not None and "supported_protocols" in control:
            raise TypeError("subprotocols and supported_protocols are the same option: give one of them")

    def options(self, subprotocols: Any) -> dict[str, Any]:
        """Returns the keywords of a socket."""
        return self.control if subprotocols is None else {**self.control, "supported_protocols": subprotocols}


def call(part: "_Value | Callable[[int], Any]", attempt: int) -> Any:
    """Returns an argument for a connect: the result of a function of the program, or the value itself."""
    if not callable(part):
        return part
    try:
        return part(attempt)
    except Exception as error:
        raise ProgramError(error) from None


def refuse_coroutine(value: Any) -> Any:
    """Returns a value, but raises TypeError for an awaitable."""
    if inspect.isawaitable(value):
        if isinstance(value, CoroutineType):
            value.close()
        raise TypeError(
            "coroutine functions need ReconnectingWebSocket of curlwire.aio or curlwire.trio: pass a plain "
            "function here"
        )
    return value


def stored(error: BaseException) -> BaseException:
    """Returns an exception to keep, without the frames and objects that its traceback refers to."""
    return error.with_traceback(None)


def fresh(error: BaseException) -> BaseException:
    """Returns a copy of a kept exception to raise, so that each caller gets a traceback of its own."""
    try:
        return copy.copy(error)
    except Exception:  # an exception of the program that cannot be copied
        return error


def closed_here() -> ConnectionClosed:
    """Returns the exception for calls after this program's close()."""
    return ConnectionClosed("this program has closed the socket: make a new one to connect again")


class Unsent:
    """The messages that wait for a connection, up to a limit in bytes. The owner's lock guards it."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.size_bytes: int = 0
        self._messages: deque[tuple[str | bytes, bool | None, bool | None, int]] = deque()

    def __len__(self) -> int:
        return len(self._messages)

    def has_room(self, size_bytes: int) -> bool:
        """Returns whether a message of this size fits."""
        return self.size_bytes + size_bytes <= self.limit_bytes

    def add(self, data: str | bytes, text: bool | None, compress: bool | None, size_bytes: int) -> None:
        """Adds a message at the end."""
        self._messages.append((data, text, compress, size_bytes))
        self.size_bytes += size_bytes

    def first(self) -> tuple[str | bytes, bool | None, bool | None]:
        """Returns the oldest message: its data, text and compress."""
        return self._messages[0][:3]

    def drop_first(self) -> None:
        """Removes the oldest message."""
        self.size_bytes -= self._messages.popleft()[3]

    def text_of_loss(self) -> str:
        """Returns the error text about messages that will never be sent."""
        return (
            f"{len(self)} messages of {self.size_bytes} bytes were kept for a connection and not sent: send "
            "them again on a new socket"
        )


def checked_unsent(unsent: str, limit_bytes: int) -> Unsent | None:
    """Returns the list for unsent messages; None if they are dropped."""
    if unsent not in ("keep", "drop"):
        raise ArgumentError(f"unsent cannot be {unsent!r}: use 'keep' or 'drop'")
    if isinstance(limit_bytes, bool) or not isinstance(limit_bytes, int):
        raise TypeError(f"unsent_buffer_size must be an int, not {type(limit_bytes)!r}")
    if limit_bytes < 0:
        raise ArgumentError(f"unsent_buffer_size cannot be {limit_bytes}: use 0 or more bytes")
    return Unsent(limit_bytes) if unsent == "keep" else None


def kept(data: "str | ReadableBuffer", text: bool | None) -> tuple[str | bytes, int]:
    """Returns a copy of a message that nobody can change, and its size in bytes. Raises as send() does."""
    if isinstance(data, str):
        try:
            return data, len(data.encode())
        except UnicodeEncodeError:
            raise ArgumentError("a text with lone surrogates cannot be sent: it has no UTF-8") from None
    try:
        copied = bytes(memoryview(data))
    except TypeError:
        raise TypeError(
            f"send() of a reconnecting socket takes a str or a bytes-like object, not {type(data)!r}"
        ) from None
    if text:
        try:
            copied.decode()
        except UnicodeDecodeError:
            raise ArgumentError("the bytes of a text message must be UTF-8") from None
    return copied, len(copied)
