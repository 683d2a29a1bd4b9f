# SPDX-License-Identifier: MIT
"""The exceptions. Their __cause__ is the exception of curlwire, if there is one."""

from curlwire.compat.websockets.frames import Close, CloseCode
from curlwire.compat.websockets.http11 import Response

__all__ = [
    "ConcurrencyError",
    "ConnectionClosed",
    "ConnectionClosedError",
    "ConnectionClosedOK",
    "DuplicateParameter",
    "HeaderLineTooLong",
    "InvalidHandshake",
    "InvalidHeader",
    "InvalidHeaderFormat",
    "InvalidHeaderValue",
    "InvalidMessage",
    "InvalidMethod",
    "InvalidOrigin",
    "InvalidParameterName",
    "InvalidParameterValue",
    "InvalidProtocol",
    "InvalidProxy",
    "InvalidProxyMessage",
    "InvalidProxyStatus",
    "InvalidState",
    "InvalidStatus",
    "InvalidURI",
    "InvalidUpgrade",
    "NegotiationError",
    "PayloadTooBig",
    "ProtocolError",
    "ProxyError",
    "RequestLineTooLong",
    "SecurityError",
    "StatusLineTooLong",
    "TooManyFragments",
    "TooManyHeaders",
    "WebSocketException",
]


def without_secrets(uri: str) -> str:
    """Returns a URI, which may be malformed, without its user, password, query and fragment."""
    for mark in "?#":
        uri = uri.partition(mark)[0]
    before, at, host = uri.rpartition("@")
    if not at:
        return uri
    scheme, separator, _ = before.partition("://")
    return f"{scheme}{separator}***@{host}" if separator else f"***@{host}"


class WebSocketException(Exception):
    """The base class of the exceptions of this package."""


class ConnectionClosed(WebSocketException):
    """The connection has ended.

    rcvd: the close frame that was received, a Close, or None. sent: the one that was sent, or None.
    rcvd_then_sent: a bool, True if the server closed first; None unless both frames were exchanged.
    __cause__: None after a closing handshake, else the exception of curlwire, which says what happened.
    """

    def __init__(self, rcvd: Close | None, sent: Close | None, rcvd_then_sent: bool | None = None) -> None:
        super().__init__(rcvd, sent, rcvd_then_sent)
        self.rcvd: Close | None = rcvd
        self.sent: Close | None = sent
        self.rcvd_then_sent: bool | None = rcvd_then_sent

    @property
    def code(self) -> int:
        """The close code that was received; 1006 if none was."""
        return CloseCode.ABNORMAL_CLOSURE if self.rcvd is None else self.rcvd.code

    @property
    def reason(self) -> str:
        """The close reason that was received; '' if none was."""
        return "" if self.rcvd is None else self.rcvd.reason

    def __str__(self) -> str:
        if self.rcvd is None and self.sent is None:
            return "no close frame received or sent"
        if self.rcvd is None:
            return f"sent {self.sent}; no close frame received"
        if self.sent is None:
            return f"received {self.rcvd}; no close frame sent"
        if self.rcvd_then_sent:
            return f"received {self.rcvd}; then sent {self.sent}"
        return f"sent {self.sent}; then received {self.rcvd}"


class ConnectionClosedOK(ConnectionClosed):
    """The connection has ended with a closing handshake, with 1000, 1001 or no code on both sides."""


class ConnectionClosedError(ConnectionClosed):
    """The connection was lost, or closed with another code."""


class InvalidURI(WebSocketException):
    """The URI is not one of a WebSocket. uri: the URI. msg: what is wrong with it."""

    def __init__(self, uri: str, msg: str) -> None:
        super().__init__(uri, msg)
        self.uri: str = uri
        self.msg: str = msg

    def __str__(self) -> str:
        return f"{without_secrets(self.uri)} isn't a valid URI: {self.msg}"

    def __repr__(self) -> str:
        return f"InvalidURI({without_secrets(self.uri)!r}, {self.msg!r})"


class InvalidProxy(WebSocketException):
    """The URI of the proxy cannot be used. proxy: the URI. msg: what is wrong with it."""

    def __init__(self, proxy: str, msg: str) -> None:
        super().__init__(proxy, msg)
        self.proxy: str = proxy
        self.msg: str = msg

    def __str__(self) -> str:
        return f"{without_secrets(self.proxy)} isn't a valid proxy: {self.msg}"

    def __repr__(self) -> str:
        return f"InvalidProxy({without_secrets(self.proxy)!r}, {self.msg!r})"


class InvalidHandshake(WebSocketException):
    """The opening handshake has failed."""


class SecurityError(InvalidHandshake):
    """The handshake would break a rule of security."""


class RequestLineTooLong(SecurityError):
    """Of servers: this package does not raise it."""


class StatusLineTooLong(SecurityError):
    """The reply's first line is too long. curlwire raises InvalidHandshake instead."""


class HeaderLineTooLong(SecurityError):
    """A header of the reply is too long. curlwire raises InvalidHandshake instead."""


class TooManyHeaders(SecurityError):
    """The reply has too many headers. curlwire raises InvalidHandshake instead."""


class ProxyError(InvalidHandshake):
    """The proxy has not made the connection."""


class InvalidProxyMessage(ProxyError):
    """The reply of an HTTP proxy cannot be read, or there was none."""


class InvalidProxyStatus(ProxyError):
    """An HTTP proxy has refused. response: its reply, a Response."""

    def __init__(self, response: Response) -> None:
        super().__init__(response)
        self.response: Response = response

    def __str__(self) -> str:
        return f"proxy rejected connection: HTTP {self.response.status_code:d}"


class InvalidMessage(InvalidHandshake):
    """The server's reply cannot be read, or there was none."""


class InvalidMethod(InvalidHandshake):
    """Of servers: this package does not raise it."""

    def __init__(self, method: str) -> None:
        super().__init__(method)
        self.method: str = method

    def __str__(self) -> str:
        return f"unsupported HTTP method: {self.method}"


class InvalidProtocol(InvalidHandshake):
    """Of servers: this package does not raise it."""

    def __init__(self, protocol: str) -> None:
        super().__init__(protocol)
        self.protocol: str = protocol

    def __str__(self) -> str:
        return f"unsupported HTTP version: {self.protocol}"


class InvalidStatus(InvalidHandshake):
    """The server has refused the WebSocket. response: its reply, a Response."""

    def __init__(self, response: Response) -> None:
        super().__init__(response)
        self.response: Response = response

    def __str__(self) -> str:
        return f"server rejected WebSocket connection: HTTP {self.response.status_code:d}"


class InvalidHeader(InvalidHandshake):
    """A header is missing or wrong. name: its name. value: its value, or None."""

    def __init__(self, name: str, value: str | None = None) -> None:
        super().__init__(name, value)
        self.name: str = name
        self.value: str | None = value

    def __str__(self) -> str:
        if self.value is None:
            return f"missing {self.name} header"
        return f"invalid {self.name} header: {self.value}" if self.value else f"empty {self.name} header"


class InvalidHeaderFormat(InvalidHeader):
    """A header cannot be parsed."""

    def __init__(self, name: str, error: str, header: str, pos: int) -> None:
        super().__init__(name, f"{error} at {pos} in {header}")


class InvalidHeaderValue(InvalidHeader):
    """A header has a wrong value."""


class InvalidOrigin(InvalidHeader):
    """Of servers: this package does not raise it."""

    def __init__(self, origin: str | None) -> None:
        super().__init__("Origin", origin)


class InvalidUpgrade(InvalidHeader):
    """The header Upgrade or Connection is missing or wrong."""


class NegotiationError(InvalidHandshake):
    """The server chose an extension or a subprotocol that was not offered."""


class DuplicateParameter(NegotiationError):
    """A parameter of an extension is there twice. name: its name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name: str = name

    def __str__(self) -> str:
        return f"duplicate parameter: {self.name}"


class InvalidParameterName(NegotiationError):
    """A parameter of an extension is unknown. name: its name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name: str = name

    def __str__(self) -> str:
        return f"invalid parameter name: {self.name}"


class InvalidParameterValue(NegotiationError):
    """A parameter of an extension has a wrong value. name: its name. value: its value, or None."""

    def __init__(self, name: str, value: str | None) -> None:
        super().__init__(name, value)
        self.name: str = name
        self.value: str | None = value

    def __str__(self) -> str:
        if self.value is None:
            return f"missing value for parameter {self.name}"
        shown = f"invalid value for parameter {self.name}: {self.value}"
        return shown if self.value else f"empty value for parameter {self.name}"


class ProtocolError(WebSocketException):
    """A frame would break the protocol, such as a close frame with a code that may not be sent."""


class PayloadTooBig(WebSocketException):
    """A message is too big. curlwire raises ConnectionClosedError instead, with sent.code 1009."""


class TooManyFragments(WebSocketException):
    """A message has too many fragments. curlwire raises ConnectionClosedError instead, with sent.code 1008."""


class InvalidState(WebSocketException, AssertionError):
    """The state of the connection does not allow a frame. This package does not raise it."""


class ConcurrencyError(WebSocketException, RuntimeError):
    """Two tasks receive at the same time."""
