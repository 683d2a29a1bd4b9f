# SPDX-License-Identifier: MIT
"""The exception classes, and the function that makes an exception for a failed call of the core."""

from curlwire._core import WebErrorStatus
from curlwire.information import Headers


class WebSocketError(Exception):
    """The base class of all exceptions of curlwire.

    status: a WebErrorStatus, UNKNOWN if no other fits.
    curl_code: libcurl's CURLcode, an int; 0 = none.
    http_status: the HTTP status, an int, with which the server or a proxy refused; 0 = none.
    headers: the Headers of that reply.
    body: the start of the body of that reply, as bytes, at most 64 KiB. No text of the exception shows it,
    because it may repeat secrets. It is empty without "refusal-body" in build_info()["features"].
    retry_after: the seconds, a float, after which the server or proxy wants the next attempt; None = it named
    none.
    os_errno: the errno of the system call that failed, an int; 0 = none.
    option: the name of the control that the error is about, such as "receive_timeout" or "interface"; None = of
    no single control, or it is not known.
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
        retry_after: float | None = None,
        option: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.curl_code = curl_code
        self.http_status = http_status
        self.headers: Headers = headers if headers is not None else Headers()
        self.body = body
        self.retry_after = retry_after
        self.os_errno = os_errno
        self.option = option


class ArgumentError(WebSocketError, ValueError):
    """An argument has the right type but a value that cannot be used. The call did nothing."""


class StateError(WebSocketError, RuntimeError):
    """The socket is in a state that does not allow the call. The call did nothing."""


class MessageError(WebSocketError, ValueError):
    """A received message cannot be read as JSON. The connection still works.

    data: the message, a str or bytes. No text of the exception shows it, because it may be secret. The next
    call takes the next message.
    """

    def __init__(self, message: str = "", *, data: str | bytes = b"") -> None:
        super().__init__(message)
        self.data = data


class WebSocketTimeout(WebSocketError, TimeoutError):
    """The call has timed out. A socket that was open stays open."""


class ConnectError(WebSocketError, ConnectionError):
    """The connect has failed. The socket is new again, so connect() may be called again.

    Wrong use raises ArgumentError or StateError instead, and a lack of memory raises MemoryError.
    """


class ConnectTimeout(ConnectError, WebSocketTimeout):
    """The connect has timed out."""


class HandshakeError(ConnectError):
    """The server or a proxy refused the WebSocket, or its reply was wrong: see http_status and body."""


class CertificateError(ConnectError):
    """The certificate of the server or of a proxy is not trusted: see status for the reason."""


class ConnectionClosed(WebSocketError, ConnectionError):
    """The connection has ended, or its closing handshake has begun.

    code: the peer's close code, an int. 1005 if the peer gave none, 1006 if the connection was lost, None
    during the closing handshake.
    reason: the peer's close reason, a str; for 1006 a text about how the connection was lost.
    was_clean: a bool, True if both close frames were exchanged.
    __cause__: if the connection was lost (code 1006), an OSError with the reason, such as a
    ConnectionResetError or a TimeoutError. None after a closing handshake.
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


_LOST = 1006  # the close code of a connection that was lost

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


def _cause(reason: str, status: WebErrorStatus, os_errno: int) -> OSError:
    """Makes the exception that says why a connection was lost."""
    if os_errno:
        return OSError(os_errno, reason)  # which makes the subclass of that errno
    return (TimeoutError if status is WebErrorStatus.TIMEOUT else ConnectionAbortedError)(reason)


def timed_out(seconds: float | None, what: str, option: str | None = None) -> WebSocketTimeout:
    """Makes the exception for a call that has waited as long as it may, with the text of the core.

    option: the control that sets the limit; None if the program gave it to the call.
    """
    control = f" ({option})" if option else ""
    return WebSocketTimeout(
        f"timed out after {seconds:g} s waiting for {what}{control}: call again, or wait longer",
        status=WebErrorStatus.TIMEOUT,
        option=option,
    )


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
    body: bytes = b"",
    retry_after: int = -1,
    option: str | None = None,
) -> WebSocketError:
    """Makes the exception for a failed call of the core from the details of the failure."""
    status = _status_of(web_status, http_status)
    if core_status == "CW_CLOSED":
        closed = ConnectionClosed(
            message,
            code=code or None,
            reason=reason,
            was_clean=bool(was_clean),
            status=status,
            curl_code=curl_code,
            os_errno=os_errno,
        )
        closed.option = option
        if code == _LOST:
            closed.__cause__ = _cause(reason, status, os_errno)
        return closed
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
        body=body,
        os_errno=os_errno,
        retry_after=None if retry_after < 0 else float(retry_after),
        option=option,
    )
    if isinstance(error, OSError) and os_errno:
        error.errno = os_errno
    return error


def get_status(error: BaseException) -> WebErrorStatus:
    """Returns the WebErrorStatus of an exception, or UNKNOWN if the exception is not one of curlwire's.

    Raises TypeError if error is not an exception. Does not block. Any thread may call it.
    """
    if not isinstance(error, BaseException):
        raise TypeError(f"get_status() takes an exception, not {type(error).__name__}")
    return error.status if isinstance(error, WebSocketError) else WebErrorStatus.UNKNOWN
