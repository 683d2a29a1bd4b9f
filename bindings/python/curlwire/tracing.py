# SPDX-License-Identifier: MIT
"""Gives the trace of a socket to the module logging."""

import logging

from curlwire._core import WebSocket


def log_trace(ws: WebSocket, logger: logging.Logger | None = None, level: int = logging.DEBUG) -> None:
    """Gives the lines of a socket's trace to a logger. Call it before ws.connect().

    logger: a logging.Logger. The default is logging.getLogger("curlwire.trace"). level: of each line, an int;
    the default is logging.DEBUG.
    It sets ws.on_trace, so the dispatcher thread calls the logger and its handlers. If the logger is disabled
    for that level, nothing is traced. Raises StateError in a subinterpreter. Does not block. Any thread may
    call it.
    """
    target = logger or logging.getLogger("curlwire.trace")
    if target.isEnabledFor(level):
        ws.on_trace = lambda _, line: target.log(level, "%s", line)
