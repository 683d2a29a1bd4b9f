# SPDX-License-Identifier: MIT
"""What --write-out shows."""

from typing import TYPE_CHECKING

from curlwire._core import WebSocket
from curlwire.command.output import line_of, shown, split_format, write_all
from curlwire.command.parser import Given, read_file
from curlwire.errors import ConnectionClosed, WebSocketError

if TYPE_CHECKING:
    from curlwire.command.reconnecting import Reconnecting

VARIABLES: dict[str, str] = {
    "close_code": "The code of the server's close frame; 1005 if it had none, 1006 if the connection was lost",
    "close_reason": "The reason of that frame",
    "errormsg": "The error, or nothing",
    "exitcode": "The exit code",
    "extensions": "The extension that the server accepted",
    "http_code": "The HTTP status of the server's last answer: 101 for a WebSocket, 000 for none",
    "local_ip": "The address on this side",
    "local_port": "The port on this side",
    "messages_received": "The number of received messages",
    "messages_sent": "The number of sent messages",
    "remote_ip": "The address of the server, or of the proxy",
    "remote_port": "The port of that",
    "response_code": "As http_code",
    "size_download": "The bytes of the received messages",
    "size_upload": "The bytes of the sent messages",
    "subprotocol": "The subprotocol that the server chose",
    "time_appconnect": "Seconds until the TLS handshake was finished",
    "time_connect": "Seconds until TCP was connected",
    "time_namelookup": "Seconds until the name was resolved",
    "time_starttransfer": "Seconds until the server's answer to the handshake was complete",
    "time_total": "Seconds of all of it",
    "url_effective": "The URI that redirects have led to, without user name, password and query",
}


def _address(text: str | None, index: int) -> str:
    host, _, port = (text or "").rpartition(":")
    return (host.strip("[]"), port)[index]


def without_secrets(uri: str) -> str:
    """Returns a URI without user name, password and query."""
    scheme, mark, rest = uri.partition("://")
    host, slash, path = rest.partition("?")[0].partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}"


def _times(ws: WebSocket, total_s: float) -> dict[str, str]:
    timings = ws.information.timings
    at = 0.0
    ends: dict[str, float] = {}
    steps = (
        ("time_namelookup", timings.look_up), ("time_connect", timings.tcp), ("", timings.proxy),
        ("time_appconnect", timings.tls), ("time_starttransfer", timings.upgrade),
    )  # fmt: skip
    for name, step_s in steps:
        at += step_s or 0.0
        ends[name] = at if step_s is not None else 0.0
    ends["time_total"] = total_s
    return {name: f"{end_s:.6f}" for name, end_s in ends.items() if name}


def counts(ws: WebSocket) -> list[int]:
    """Returns the numbers of received and sent messages, and of received and sent bytes."""
    numbers = ws.information.statistics
    received = numbers.text_messages_received + numbers.binary_messages_received
    sent = numbers.text_messages_sent + numbers.binary_messages_sent
    return [received, sent, numbers.bytes_received, numbers.bytes_sent]


def _facts(
    ws: WebSocket, numbers: list[int], code: int, error: BaseException | None, total_s: float
) -> dict[str, str]:
    status = getattr(error, "http_status", 0) or (101 if ws.information.statistics.connects else 0)
    reason = ws.close_reason
    if isinstance(error, ConnectionClosed):
        reason = error.reason
    return {
        "close_code": str(ws.close_code or ""),
        "close_reason": line_of(reason or ""),
        "errormsg": line_of(str(error or "")),
        "exitcode": str(code),
        "extensions": ws.extensions or "",
        "http_code": f"{status:03}",
        "response_code": f"{status:03}",
        "local_ip": _address(ws.local_address, 0),
        "local_port": _address(ws.local_address, 1),
        "remote_ip": _address(ws.remote_address, 0),
        "remote_port": _address(ws.remote_address, 1),
        "messages_received": str(numbers[0]),
        "messages_sent": str(numbers[1]),
        "size_download": str(numbers[2]),
        "size_upload": str(numbers[3]),
        "subprotocol": ws.protocol or "",
        "url_effective": without_secrets(ws.effective_uri or ""),
        **_times(ws, total_s),
    }


class WriteOut:
    """The format of --write-out. It is checked before the connect."""

    def __init__(self, given: Given) -> None:
        text: str = given.get("write-out", "")
        if text.startswith("@"):
            text = read_file(text[1:], "--write-out").decode("utf-8", "surrogateescape")
        self.parts: list[tuple[bool, str]] = split_format(text, self._is_known, "write-out")

    @staticmethod
    def _is_known(name: str) -> bool:
        return name in VARIABLES or name.startswith("header ")

    def write(
        self, one: "WebSocket | Reconnecting", code: int, error: BaseException | None, total_s: float
    ) -> None:
        """Writes the facts to stdout: those of the last connection, but the counts of all. Raises Failure."""
        if not self.parts:
            return
        ws = one if isinstance(one, WebSocket) else one.last
        numbers = counts(ws)
        if not isinstance(one, WebSocket):
            numbers = [sum(pair) for pair in zip(numbers, one.earlier, strict=True)]
        facts = _facts(ws, numbers, code, error, total_s)
        headers = (
            error.headers if isinstance(error, WebSocketError) and error.http_status else ws.response_headers
        )
        texts = [
            shown(headers.get(text[7:], ""))
            if is_name and text.startswith("header ")
            else facts.get(text, "")
            if is_name
            else text
            for is_name, text in self.parts
        ]
        write_all(1, "".join(texts).encode("utf-8", "surrogateescape"), "stdout")
