# SPDX-License-Identifier: MIT
"""The client side of the library websockets, on curlwire: a program moves over by changing its imports.

    import curlwire.compat.websockets as websockets
    from curlwire.compat.websockets.sync.client import connect

Names, arguments and defaults are those of websockets 15 to 17. docs/compat-websockets.md lists the differences.
"""

from typing import TYPE_CHECKING, Any

from curlwire import _core
from curlwire.compat.websockets import exceptions
from curlwire.compat.websockets.client import ClientProtocol
from curlwire.compat.websockets.datastructures import Headers, HeadersLike, MultipleValuesError
from curlwire.compat.websockets.exceptions import *  # noqa: F403 # its __all__ is the list of them
from curlwire.compat.websockets.frames import Close, CloseCode, Opcode
from curlwire.compat.websockets.http11 import Request, Response
from curlwire.compat.websockets.protocol import Side, State
from curlwire.compat.websockets.tls import SSLContext, create_default_context
from curlwire.compat.websockets.typing import (
    Data,
    ExtensionName,
    ExtensionParameter,
    LoggerLike,
    Origin,
    StatusLike,
    Subprotocol,
)

if TYPE_CHECKING:
    from curlwire.compat.websockets.asyncio.client import ClientConnection, connect, unix_connect

__all__ = [
    "ClientConnection",
    "ClientProtocol",
    "Close",
    "CloseCode",
    "Data",
    "ExtensionName",
    "ExtensionParameter",
    "Headers",
    "HeadersLike",
    "LoggerLike",
    "MultipleValuesError",
    "Opcode",
    "Origin",
    "Request",
    "Response",
    "SSLContext",
    "Side",
    "State",
    "StatusLike",
    "Subprotocol",
    "connect",
    "create_default_context",
    "unix_connect",
]
__all__ += exceptions.__all__

__version__: str = _core.version

_OF_ASYNCIO = ("ClientConnection", "connect", "unix_connect")
_OF_SERVERS = (
    "Router",
    "Server",
    "ServerConnection",
    "ServerProtocol",
    "basic_auth",
    "broadcast",
    "route",
    "serve",
    "unix_route",
    "unix_serve",
)
_OF_FRAMES = ("Frame", "Protocol")


def __getattr__(name: str) -> Any:
    if name in _OF_ASYNCIO:  # imported late, so that a synchronous program does not load asyncio
        from curlwire.compat.websockets.asyncio import client

        return getattr(client, name)
    if name in _OF_SERVERS:
        raise ImportError(f"curlwire is a client and has no {name}: import it from websockets")
    if name in _OF_FRAMES:
        raise ImportError(f"curlwire has no {name}: its core makes the frames. Use curlwire.MessageWebSocket")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
