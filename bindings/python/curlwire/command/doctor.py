# SPDX-License-Identifier: MIT
"""The verb doctor: what this build is and uses, then each step to a server, and the first fault."""

import os
import time

from curlwire import build_info
from curlwire._core import WebSocket
from curlwire.command import codes, connecting
from curlwire.command.output import shown, write_text
from curlwire.command.parser import Given
from curlwire.errors import ArgumentError, WebSocketError

_PROXIES = ("ws_proxy", "wss_proxy", "http_proxy", "https_proxy", "all_proxy", "no_proxy")
_PING_S = 10.0


def _row(name: str, text: str) -> None:
    write_text(f"{name:12} {shown(text)}\n")


def _build() -> None:
    facts = build_info()
    _row("curlwire", facts["curlwire"])
    _row(
        "libcurl",
        f"{facts['libcurl']}, {facts['libcurl_linked']}; {facts['tls'] or 'no TLS'}; zlib {facts['zlib']}",
    )
    _row("features", " ".join(facts["features"]))
    _row("authorities", facts["authorities"] or "none are found: give a file by --cacert")
    found = False
    for lower in _PROXIES:
        for name in (lower, lower.upper()):
            value = os.environ.get(name)
            if value and name != "HTTP_PROXY":
                found = True
                _row("proxy", f"{name}={value.rpartition('@')[2]}")
    if not found:
        _row("proxy", "none in the environment")


def _steps(ws: WebSocket) -> None:
    """Writes the steps of the connect that were finished, with their times."""
    timings = ws.information.timings
    tls = ws.information.tls
    certificate = ws.information.server_certificate
    steps = (
        ("name", timings.look_up, "resolved"),
        ("tcp", timings.tcp, f"connected to {ws.remote_address or 'the server'}"),
        ("proxy", timings.proxy, "connected"),
        ("tls", timings.tls, f"{tls.version}, {tls.cipher}" if tls else ""),
        (
            "upgrade",
            timings.upgrade,
            f"subprotocol {ws.protocol or 'none'}, extension {ws.extensions or 'none'}",
        ),
    )
    for name, seconds, text in steps:
        if seconds is not None:
            _row(name, f"{1000 * seconds:8.1f} ms  {text}")
    if certificate is not None:
        _row("certificate", f"{certificate.subject}, until {certificate.valid_to}")


def examine(given: Given, rest: list[str]) -> int:
    """Writes what it finds to stdout, and returns the exit code of the first failure; 0 if all is well."""
    _build()
    if not rest:
        return 0
    uri = connecting.check_uri(rest)
    ws = connecting.make(given)
    try:
        connecting.connect(given, ws, uri, time.monotonic() + given.get("max-time", float("inf")))
        _steps(ws)
        _row("ping", f"{1000 * ws.ping(_PING_S):8.1f} ms")
        ws.close()
        ws.wait_closed(_PING_S)
    except WebSocketError as error:
        if ws.state != "open":
            _steps(ws)
        ws.abort()
        _row("wrong", connecting.explain(error))
        if isinstance(error, ArgumentError):
            return codes.URI
        return codes.of_error(error) or codes.NO_REPLY
    _row("result", "all is well")
    return 0
