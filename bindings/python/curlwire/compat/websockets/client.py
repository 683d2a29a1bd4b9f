# SPDX-License-Identifier: MIT
"""What connect() of asyncio and of the synchronous client share: the policy of retries, and ClientProtocol."""

import os
import random
import uuid
import weakref
from collections.abc import Generator, Sequence
from typing import Any

from curlwire import _core
from curlwire.compat.websockets.exceptions import InvalidMessage, InvalidStatus
from curlwire.compat.websockets.extensions.permessage_deflate import PerMessageDeflate
from curlwire.compat.websockets.http11 import Response
from curlwire.compat.websockets.protocol import Side, State
from curlwire.compat.websockets.typing import LoggerLike, Subprotocol
from curlwire.compat.websockets.uri import WebSocketURI

__all__ = ["ClientProtocol", "backoff", "process_exception"]

_STATES = {"open": State.OPEN, "closing": State.CLOSING, "closed": State.CLOSED}


def _from_environment(name: str, default: float) -> float:
    return float(os.environ.get(f"WEBSOCKETS_BACKOFF_{name}", default))


def backoff(
    initial_delay: float = _from_environment("INITIAL_DELAY", 5),
    min_delay: float = _from_environment("MIN_DELAY", 3.1),
    max_delay: float = _from_environment("MAX_DELAY", 90),
    factor: float = _from_environment("FACTOR", 1.618),
) -> Generator[float]:
    """Generates the delays between attempts, in seconds.

    The first one is random, up to initial_delay. Then they grow by factor from min_delay to max_delay.
    """
    yield random.random() * initial_delay
    delay = min_delay
    while True:
        yield min(delay, max_delay)
        delay = min(delay * factor, max_delay)


def process_exception(exc: Exception) -> Exception | None:
    """Returns None if a connect that failed with this exception is to be tried again, else the exception.

    Network errors (OSError, TimeoutError, and a connection that ended before the reply) and the HTTP statuses
    500, 502, 503 and 504 are tried again.
    """
    if isinstance(exc, (OSError, TimeoutError)):
        return None
    if isinstance(exc, InvalidMessage) and isinstance(exc.__cause__, EOFError):
        return None
    if isinstance(exc, InvalidStatus) and exc.response.status_code in (500, 502, 503, 504):
        return None
    return exc


class ClientProtocol:
    """What connect() passes to create_connection, and what a connection has as its attribute protocol.

    It holds the settings of the connection, and shows its state. The protocol itself is in curlwire's core.
    """

    side: Side = Side.CLIENT

    def __init__(
        self,
        uri: WebSocketURI,
        *,
        logger: LoggerLike,
        target: str = "",
        controls: dict[str, Any] | None = None,
        headers: Sequence[tuple[str, str]] = (),
        sock: Any = None,
    ) -> None:
        self.uri: WebSocketURI = uri
        self.id: uuid.UUID = uuid.uuid4()
        self.logger: LoggerLike = logger
        self.target: str = target  # the URI as the program gave it
        self.controls: dict[str, Any] = controls or {}
        self.headers: Sequence[tuple[str, str]] = headers  # '' removes one that curlwire sends by default
        self.sock: Any = sock
        self.response: Response | None = None
        self.socket: _core.MessageWebSocket | None = None

    def __repr__(self) -> str:
        return f"<ClientProtocol of {self.socket!r}>"

    @property
    def state(self) -> State:
        """The State of the connection."""
        return State.CONNECTING if self.socket is None else _STATES.get(self.socket.state, State.CONNECTING)

    @property
    def extensions(self) -> list[PerMessageDeflate]:
        """The extensions that the server has accepted."""
        parameters = None if self.socket is None else self.socket.extensions
        return [PerMessageDeflate(parameters)] if parameters else []

    @property
    def subprotocol(self) -> Subprotocol | None:
        """The subprotocol that the server chose, or None."""
        name = None if self.socket is None else self.socket.protocol
        return None if name is None else Subprotocol(name)

    @property
    def close_code(self) -> int | None:
        """The close code that was received; 1006 if none was; None before the end."""
        return None if self.socket is None else self.socket.close_code

    @property
    def close_reason(self) -> str | None:
        """The close reason that was received; '' if none was; None before the end."""
        if self.socket is None or self.socket.close_code is None:
            return None
        return "" if self.socket.close_code == 1006 else self.socket.close_reason


def logger_of(protocol: ClientProtocol, connection: object) -> LoggerLike:
    """Returns the logger of a connection, whose records have the connection as their attribute websocket."""
    import logging

    return logging.LoggerAdapter(protocol.logger, {"websocket": weakref.proxy(connection)})
