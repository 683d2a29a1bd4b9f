# SPDX-License-Identifier: MIT
"""WebSocket clients for asyncio.

While the event loop is free, it reads and writes the connections itself. While it is blocked, curlwire's
background thread answers pings and takes what arrives, so a busy program keeps its connections. The exceptions
and options are those of the package curlwire.
"""

from curlwire.aio.connecting import connect
from curlwire.aio.reconnecting import ReconnectingWebSocket
from curlwire.aio.sockets import MessageWebSocket, StreamWebSocket
from curlwire.aio.streams import InputStream, OutputStream

__all__ = [
    "InputStream",
    "MessageWebSocket",
    "OutputStream",
    "ReconnectingWebSocket",
    "StreamWebSocket",
    "connect",
]
