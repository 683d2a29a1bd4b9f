# SPDX-License-Identifier: MIT
"""The exceptions, and which of them stands for which failure of the core."""

from curlwire._core import WebErrorStatus
from curlwire.information import Headers


class WebSocketError(Exception):
    """What every exception of curlwire is.

    status: the WebErrorStatus; curl_code: libcurl's CURLcode, 0 = none; http_status: of the reply that refused
    the upgrade, 0 = none; headers: of that reply; body: its start, empty where libcurl dropped it; os_errno: of
    the system call that failed, 0 = none.
    """

    def __init__(
        self,
        message: str = "",
        *,
        status: WebErrorStatus = WebErrorStatus.UNKNOWN,
        curl_code: int = 0,
        http_status: int = 0,
        headers: Headers | None = None,
        body: bytes = b"",
        os_errno: int = 0,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.curl_code = curl_code
        self.http_status = http_status
        self.headers: Headers = headers if headers is not None else Headers()
        self.body = body
        self.os_errno = os_errno


class ArgumentError(WebSocketError, ValueError):
    """An argument is of the right type but cannot be used; nothing was done."""


class StateError(WebSocketError, RuntimeError):
    """The call is not allowed in the state the socket is in; nothing was done."""


class WebSocketTimeout(WebSocketError, TimeoutError):
    """The time is over. After connecting, the socket stands as it was before the call."""


class ConnectError(WebSocketError, ConnectionError):
    """There is no connection, for whatever reason. The socket is new again and may try once more.

    Wrong use is told by ArgumentError and StateError, and want of memory by MemoryError.
    """


class ConnectTimeout(ConnectError, WebSocketTimeout):
    """No connection came about in time."""


class HandshakeError(ConnectError):
    """The server answered, but not with a WebSocket: see http_status and headers."""


class CertificateError(ConnectError):
    """The server's certificate is not to be trusted: status says why."""


class ConnectionClosed(WebSocketError, ConnectionError):
    """The connection has ended, or is being closed.

    code, reason: the peer's; 1005 where it gave no code, 1006 where the connection was lost (reason then says
    how), None while the closing handshake is going on; was_clean: whether both close frames were exchanged.
    """

    def __init__(
        self,
        message: str = "",
        *,
        code: int | None = None,
        reason: str = "",
        was_clean: bool = False,
        status: WebErrorStatus = WebErrorStatus.UNKNOWN,
        curl_code: int = 0,
        os_errno: int = 0,
    ) -> None:
        super().__init__(message, status=status, curl_code=curl_code, os_errno=os_errno)
        self.code = code
        self.reason = reason
        self.was_clean = was_clean


_CLASSES: dict[str, type[WebSocketError]] = {
    "CW_WOULD_BLOCK": WebSocketTimeout,
    "CW_TIMED_OUT": WebSocketTimeout,
    "CW_INVALID_ARGUMENT": ArgumentError,
    "CW_INVALID_STATE": StateError,
    "CW_AFTER_FORK": StateError,
}


def _status_of(number: int, http_status: int) -> WebErrorStatus:
    try:
        return WebErrorStatus(number)
    except ValueError:
        return WebErrorStatus.UNEXPECTED_STATUS_CODE if http_status else WebErrorStatus.UNKNOWN


def _connect_error(status: WebErrorStatus, http_status: int) -> type[ConnectError]:
    if status.name.startswith("CERTIFICATE_"):
        return CertificateError
    if http_status or status is WebErrorStatus.ERROR_HTTP_INVALID_SERVER_RESPONSE:
        return HandshakeError
    if status is WebErrorStatus.TIMEOUT:
        return ConnectTimeout
    return ConnectError


def make_error(
    core_status: str,
    message: str,
    web_status: int,
    curl_code: int,
    http_status: int,
    os_errno: int,
    header_lines: str,
    code: int,
    reason: str,
    was_clean: int,
) -> WebSocketError:
    """Makes the exception for a failed call of the core out of the facts about it."""
    status = _status_of(web_status, http_status)
    if core_status == "CW_CLOSED":
        return ConnectionClosed(
            message,
            code=code or None,
            reason=reason,
            was_clean=bool(was_clean),
            status=status,
            curl_code=curl_code,
            os_errno=os_errno,
        )
    if core_status == "CW_CONNECT_FAILED":
        error_class: type[WebSocketError] = _connect_error(status, http_status)
    else:
        error_class = _CLASSES.get(core_status, WebSocketError)
    if error_class is WebSocketTimeout and status is WebErrorStatus.UNKNOWN:
        status = WebErrorStatus.TIMEOUT
    error = error_class(
        message,
        status=status,
        curl_code=curl_code,
        http_status=http_status,
        headers=Headers(header_lines),
        os_errno=os_errno,
    )
    if isinstance(error, OSError) and os_errno:
        error.errno = os_errno
    return error


def get_status(error: BaseException) -> WebErrorStatus:
    """Returns the WebErrorStatus of an exception; UNKNOWN if it is none of curlwire's."""
    if not isinstance(error, BaseException):
        raise TypeError(f"get_status() takes an exception, not {type(error).__name__}")
    return error.status if isinstance(error, WebSocketError) else WebErrorStatus.UNKNOWN
