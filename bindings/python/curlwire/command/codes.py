# SPDX-License-Identifier: MIT
"""The table of exit codes, and which of them stands for an exception of curlwire.

The numbers are curl's, where curl has one. Ours are above 109.
"""

from curlwire._core import WebErrorStatus
from curlwire.errors import ArgumentError, ConnectionClosed, WebSocketError, WebSocketTimeout

USAGE, URI, HTTP, PARTIAL, OUTPUT, INPUT, TIMEOUT = 2, 3, 22, 18, 23, 26, 28
REDIRECTS, NO_REPLY, SENDING, RECEIVING, CERTIFICATE, SIZE, PROXY = 47, 52, 55, 56, 58, 63, 97
CLOSED, PROTOCOL, EXPECT, REPLY, LISTEN, INTERRUPTED, TERMINATED = 110, 111, 112, 113, 114, 130, 143

EXIT_CODES: dict[int, str] = {
    0: "All went well; the server closed with 1000, 1001 or no code, or the command closed",
    USAGE: "An option or its value is wrong",
    URI: "The URI is malformed",
    5: "The name of the proxy cannot be resolved",
    6: "The name of the server cannot be resolved",
    7: "The server or the proxy refused the connection",
    PARTIAL: "Fewer messages came than --count, or fewer replies than requests of --jsonrpc",
    HTTP: "The server answered with an HTTP status in place of a WebSocket",
    OUTPUT: "stdout, or the file of an option, cannot be written",
    INPUT: "stdin, or the file of an option, cannot be read, or is not of the --input-format",
    TIMEOUT: "A timeout: --connect-timeout, --timeout or --max-time",
    35: "The TLS handshake failed",
    45: "The --interface cannot be used",
    REDIRECTS: "There were too many redirects, or one led where none is followed",
    NO_REPLY: "The server ended the connection without a reply, or before the first message of --count",
    SENDING: "The connection was lost while sending",
    RECEIVING: "The connection was lost",
    CERTIFICATE: "The client certificate is missing or cannot be used",
    59: "The --ciphers, --tls13-ciphers or --curves cannot be used",
    60: "The certificate of the server or of the proxy is not trusted",
    SIZE: "A message is larger than --max-size, or than the memory",
    77: "The file or the folder of trusted certificates cannot be used",
    82: "The file of revoked certificates cannot be used",
    90: "The server's public key is not the one of --pinnedpubkey",
    PROXY: "The proxy refused or failed",
    CLOSED: "The server closed with an error code",
    PROTOCOL: "The server broke the WebSocket protocol",
    EXPECT: "No message matched --expect or --until, or a server of bench does not echo",
    REPLY: "A reply of --jsonrpc is an error",
    LISTEN: "The verb tap cannot listen on its address",
    INTERRUPTED: "Ctrl-C",
    TERMINATED: "SIGTERM",
}

_TLS = (35, CERTIFICATE, 60, 77, 90)  # as in curl, they also stand for the TLS of an https:// proxy
_OF_PROXY = ("the proxy ", "the answer of the proxy ", "the reply of the proxy ")
_CLOSED_WELL = (1000, 1001, 1005)
_LOST = 1006
# These failures have no number of libcurl's, so a part of the error's text tells them. The order matters.
_BY_TEXT: tuple[tuple[str, int], ...] = (
    ("exceeds max_message_size", SIZE),
    ("trace_file ", OUTPUT),
    ("broke the protocol", PROTOCOL),
    ("client certificate", CERTIFICATE),
    ("client_certificate", CERTIFICATE),
    ("client_key", CERTIFICATE),
    ("instead of answering the handshake", NO_REPLY),
    ("the server's handshake reply is invalid", PROTOCOL),
    ("is not HTTP/1.1", PROTOCOL),
    ("does not support TLS", 35),
)


# What curl returns if the value of a control cannot be used. All others are wrong usage.
_BY_CONTROL: dict[str, int] = {
    "ca_file": 77, "ca_path": 77, "proxy_ca_file": 77, "crl_file": 82, "pinned_public_key": 90,
    "tls_ciphers": 59, "tls13_ciphers": 59, "tls_groups": 59, "interface": 45,
    "netrc_file": INPUT, "cookie_file": INPUT, "cookie_jar": INPUT,
}  # fmt: skip


def _of_control(error: WebSocketError) -> int:
    name = error.option or str(error).partition(" ")[0]
    if name == "cookie_jar" and "cannot be written" in str(error):
        return OUTPUT
    return _BY_CONTROL.get(name, USAGE)


def _of_text(text: str) -> int:
    for words, code in _BY_TEXT:
        if words in text:
            return code
    return 0


def _of_closed(error: ConnectionClosed) -> int:
    if error.code in _CLOSED_WELL:
        return RECEIVING if getattr(error, "__notes__", None) else 0  # the note tells that --reconnect gave up
    if error.code != _LOST and error.code is not None:
        return CLOSED
    return _of_text(str(error)) or (SENDING if error.curl_code == SENDING else RECEIVING)


def of_error(error: WebSocketError) -> int:
    """Returns the exit code for an exception; 0 for a ConnectionClosed with a code that is no error."""
    if isinstance(error, ConnectionClosed):
        return _of_closed(error)
    if isinstance(error, ArgumentError):
        return USAGE
    if error.status is WebErrorStatus.REDIRECT_FAILED:
        return REDIRECTS
    if error.curl_code not in _TLS and str(error).startswith(_OF_PROXY):
        return CERTIFICATE if "client certificate" in str(error) else PROXY
    if error.http_status >= 200:
        return HTTP
    if isinstance(error, WebSocketTimeout):
        return TIMEOUT
    code = _of_text(str(error)) or (error.curl_code if error.curl_code in EXIT_CODES else 0)
    return code or (_of_control(error) if error.status is WebErrorStatus.UNEXPECTED_CLIENT_ERROR else 7)


class Failure(Exception):
    """The command cannot go on. code: the exit code. The text is for people, and shows no secret."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
