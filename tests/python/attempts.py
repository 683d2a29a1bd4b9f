# SPDX-License-Identifier: MIT
"""What the tests of reconnecting share: servers for each attempt, and a socket with short waits."""

from collections.abc import Callable
from typing import Any

import curlwire
from curlwire import ReconnectPolicy
from peers import frame, handshake, script

AT_ONCE = ReconnectPolicy(first_delay=0.001, max_delay=0.001)


def text(payload: str) -> str:
    """Returns the step that sends a text message."""
    return "x:" + frame(1, payload.encode())


def scripts(*all_steps: "list[str] | str") -> Callable[[int], str]:
    """Returns a function for the URI: attempt number n runs script number n; a str is a URI itself."""

    def uri(attempt: int) -> str:
        steps = all_steps[attempt - 1]
        return steps if isinstance(steps, str) else script(*steps)

    return uri


def ends_at_third(attempt: int) -> str:
    """The URI of a server that only waits. At the third attempt it sends "x" and closes; and at later attempts,
    because a busy machine may renew the third connection before the message has come."""
    return script("hang") if attempt < 3 else script(text("x"), "close:1000")


def refusal(status: int, *headers: str) -> str:
    lines = [f"HTTP/1.1 {status} No", "Content-Length: 0", *headers, "", ""]
    return script(handshake("\n".join(lines)), "end")


class ReconnectingWebSocket(curlwire.ReconnectingWebSocket):
    """The class, with a short wait for servers that do not answer a close frame or do not end TCP."""

    def __init__(self, uri: Any, **arguments: Any) -> None:
        super().__init__(uri, **{"close_timeout": 0.1, **arguments})
