# SPDX-License-Identifier: MIT
"""The request and the reply of an opening handshake."""

import sys
from dataclasses import dataclass

from curlwire import _core
from curlwire.compat.websockets.datastructures import Headers

__all__ = ["USER_AGENT", "Request", "Response"]

USER_AGENT: str = f"Python/{sys.version_info[0]}.{sys.version_info[1]} curlwire/{_core.version}"
"""The header User-Agent of requests, unless the program gives another."""


@dataclass
class Request:
    """The request of a handshake.

    path: a str, with the query. headers: the Headers that were sent, without Sec-WebSocket-Key, which the core
    makes and checks.
    """

    path: str
    headers: Headers


@dataclass
class Response:
    """The reply to a handshake.

    status_code: an int. reason_phrase: the usual one of the status, a str. headers: the Headers.
    body: the start of the body, bytes, at most 64 KiB.
    """

    status_code: int
    reason_phrase: str
    headers: Headers
    body: bytes = b""
