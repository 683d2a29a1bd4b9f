# SPDX-License-Identifier: MIT
"""Answers the cases of Autobahn's fuzzing server with curlwire for Python: echoes each message.

python client.py BASE AGENT [OPTION=VALUE ...]    the options of connect, such as compression=deflate
python client.py --version                        prints the versions
"""

from __future__ import annotations

import platform
import sys
from collections import Counter
from typing import Any

import curlwire

MAX_MESSAGE_BYTES = 64 << 20  # the largest message of the suite has 16 MiB


def ask(uri: str) -> str:
    with curlwire.connect(uri) as ws:
        return str(ws.recv())


def echo(uri: str, options: dict[str, Any]) -> str:
    """Runs a case. Returns which codec received."""
    with curlwire.connect(uri, max_message_size=MAX_MESSAGE_BYTES, **options) as ws:
        framing = str(ws.framing)
        try:
            for message in ws:
                ws.send(message)
        except curlwire.ConnectionClosed:
            pass  # many cases end so on purpose; the server judges the end
    return framing


def update_reports(uri: str) -> None:
    """Makes the server write its reports, and waits until it has."""
    with curlwire.connect(uri, receive_timeout=None) as ws:
        for _ in ws:
            pass


def main() -> None:
    if sys.argv[1:] == ["--version"]:
        python = f"{platform.python_implementation()} {platform.python_version()}"
        print(f"libcurl {curlwire.libcurl_version}, {python}")
        return
    base, agent, *words = sys.argv[1:]
    options = dict(word.split("=", 1) for word in words)
    framings: Counter[str] = Counter()
    for case in range(1, int(ask(f"{base}/getCaseCount")) + 1):
        try:
            framings[echo(f"{base}/runCase?case={case}&agent={agent}", options)] += 1
        except curlwire.WebSocketError as error:
            print(f"case {case}: {type(error).__name__}: {error}")
    update_reports(f"{base}/updateReports?agent={agent}")
    for framing, count in sorted(framings.items()):
        print(f"{count} cases with framing {framing}")


main()
