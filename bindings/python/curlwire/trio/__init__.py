# SPDX-License-Identifier: MIT
"""WebSocket clients for trio. The package trio must be installed.

While trio is free, it reads and writes the connections itself. While it is blocked, curlwire's background
thread answers pings and takes what arrives, so a busy program keeps its connections. The exceptions and options
are those of the package curlwire.
"""

from curlwire.eventloop.batching import Batch
from curlwire.eventloop.connecting import Connecting, Connector
from curlwire.eventloop.streams import InputStream, MessageStream, OutputStream
from curlwire.trio.classes import MessageWebSocket, ReconnectingWebSocket, StreamWebSocket, connect

__all__ = [
    "Batch",
    "Connecting",
    "Connector",
    "InputStream",
    "MessageStream",
    "MessageWebSocket",
    "OutputStream",
    "ReconnectingWebSocket",
    "StreamWebSocket",
    "connect",
]
