# SPDX-License-Identifier: MIT
"""Translates the exceptions of curlwire into those of this package."""

import http
import re
import socket
import ssl

from curlwire import _core
from curlwire.compat.websockets.datastructures import Headers
from curlwire.compat.websockets.exceptions import (
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    InvalidHandshake,
    InvalidHeader,
    InvalidMessage,
    InvalidProxyMessage,
    InvalidProxyStatus,
    InvalidStatus,
    InvalidUpgrade,
    InvalidURI,
    NegotiationError,
    ProxyError,
)
from curlwire.compat.websockets.frames import OK_CODES, Close, CloseCode
from curlwire.compat.websockets.http11 import Response
from curlwire.errors import (
    ArgumentError,
    CertificateError,
    ConnectError,
    ConnectTimeout,
    HandshakeError,
    WebSocketError,
)

_LOST = CloseCode.ABNORMAL_CLOSURE
_NO_CODE = CloseCode.NO_STATUS_RCVD
_REASONS = {  # as OpenSSL, and so Python's ssl, says them
    "CERTIFICATE_COMMON_NAME_IS_INCORRECT": "Hostname mismatch, certificate is not valid for the host",
    "CERTIFICATE_EXPIRED": "certificate has expired",
    "CERTIFICATE_REVOKED": "certificate revoked",
}
_ABOUT_URI = re.compile(r"the (URI|host|port|path|query|user|password)\b")
_ENDED = ("ended the connection", "ended its reply", "was lost")  # after an EOFError, a program connects again
_FAULTS = (  # words of curlwire's text, and what OpenSSL says
    ("self-signed", "self-signed certificate"),
    ("from an unknown authority", "unable to get local issuer certificate"),
)


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return ""


def response_of(status: int, pairs: list[tuple[str, str]], body: bytes = b"") -> Response:
    """Returns the Response for a reply."""
    return Response(status, _phrase(status), Headers(pairs), body)


# ---- the opening handshake


def _certificate(error: CertificateError) -> Exception:
    text = str(error)
    faults = [fault for words, fault in _FAULTS if words in text]
    reason = faults[0] if faults else _REASONS.get(error.status.name, text)
    made = ssl.SSLCertVerificationError(
        1, f"[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {reason}"
    )
    made.verify_message = reason
    return made


def _no_reply(error: ConnectError, proxy: bool) -> Exception:
    """Returns the exception for a connection that ended before the reply, or whose reply is not HTTP."""
    cause: Exception
    if any(words in str(error) for words in _ENDED):
        cause = EOFError("connection closed while reading HTTP status line")
    elif "not HTTP/1.1" in str(error):
        cause = ValueError(f"unsupported protocol; expected HTTP/1.1: {error}")
    else:
        cause = ValueError(str(error))
    text = "did not receive a valid HTTP response"
    made = InvalidProxyMessage(f"{text} from proxy") if proxy else InvalidMessage(text)
    cause.__cause__ = error
    made.__cause__ = cause
    return made


def _reply(error: HandshakeError) -> Exception:
    """Returns the exception for a reply of 101 that breaks a rule."""
    text, headers = str(error), error.headers
    for name, kind in (
        ("Upgrade", InvalidUpgrade),
        ("Connection", InvalidUpgrade),
        ("Sec-WebSocket-Accept", InvalidHeader),
    ):
        if name.lower() in text.lower().partition(";")[0].split():
            return kind(name, headers.get(name))
    if "extension" in text.lower() or "protocol" in text.lower():
        return NegotiationError(text)
    return InvalidHandshake(text)


def _refusal(error: HandshakeError) -> Exception:
    response = response_of(error.http_status, error.headers.raw, error.body)
    if not str(error).startswith("the proxy "):
        return InvalidStatus(response)
    return InvalidProxyStatus(response) if 100 <= error.http_status < 600 else _no_reply(error, True)


def _network(error: ConnectError) -> Exception:
    """Returns the exception that Python's own calls raise for a failure of the network."""
    if error.status is _core.WebErrorStatus.HOST_NAME_NOT_RESOLVED:
        return socket.gaierror(socket.EAI_NONAME, str(error))
    return OSError(error.os_errno, str(error)) if error.os_errno else error


def connect_failure(error: WebSocketError, uri: str, proxy: str, timed_out: str) -> Exception:
    """Returns the exception for a connect that has failed. proxy: its scheme, '' without one."""
    made: Exception
    if isinstance(error, ArgumentError):
        made = InvalidURI(uri, str(error)) if _ABOUT_URI.match(str(error)) else error
    elif isinstance(error, ConnectTimeout):
        made = TimeoutError(timed_out)
    elif isinstance(error, CertificateError):
        made = _certificate(error)
    elif isinstance(error, HandshakeError):
        if error.http_status >= 200:
            made = _refusal(error)
        else:
            made = _reply(error) if error.http_status else _no_reply(error, "the proxy" in str(error))
    elif isinstance(error, ConnectError):
        made = _lost(error, proxy)
    else:
        return error
    if made is not error and made.__cause__ is None:
        made.__cause__ = error
    return made


def _lost(error: ConnectError, proxy: str) -> Exception:
    is_of_proxy = "the proxy" in str(error)
    if is_of_proxy and proxy.startswith("socks") and not error.os_errno:
        return ProxyError("failed to connect to SOCKS proxy")
    if "during the handshake" in str(error):
        return _no_reply(error, is_of_proxy)
    return _network(error)


# ---- the end of a connection


def _sent_on_failure(socket: _core.MessageWebSocket) -> Close | None:
    """Returns what curlwire sent when the server broke a rule; None if the connection was lost."""
    if not socket.information.statistics.close_frames_sent:
        return None
    reason = socket.close_reason or ""
    for words, code in (
        ("max_message_size", CloseCode.MESSAGE_TOO_BIG),
        ("max_fragments", CloseCode.POLICY_VIOLATION),
        ("UTF-8", CloseCode.INVALID_DATA),
    ):
        if words in reason:
            return Close(code, "")
    return Close(CloseCode.PROTOCOL_ERROR, "")


def closed(
    socket: _core.MessageWebSocket, asked: Close | None, cause: BaseException | None
) -> ConnectionClosed:
    """Returns the exception for a connection that has ended.

    asked: what the program has closed with, before the server did; None if it has not.
    cause: the exception of curlwire, which becomes the __cause__ unless there was a closing handshake.
    """
    code = socket.close_code
    rcvd = None if code is None or code == _LOST else Close(code, socket.close_reason or "")
    if asked is not None:
        sent: Close | None = asked
    elif rcvd is None:
        sent = _sent_on_failure(socket)
    else:  # curlwire answers with the server's code, and without a reason
        sent = Close(rcvd.code, "")
    is_complete = rcvd is not None and sent is not None
    is_ok = rcvd is not None and sent is not None and rcvd.code in OK_CODES and sent.code in OK_CODES
    kind = ConnectionClosedOK if is_ok else ConnectionClosedError
    made = kind(rcvd, sent, asked is None if is_complete else None)
    made.__cause__ = None if is_complete else cause
    made.__suppress_context__ = True
    return made
