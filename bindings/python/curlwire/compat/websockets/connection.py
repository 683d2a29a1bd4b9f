# SPDX-License-Identifier: MIT
"""What the connections of asyncio and of the synchronous client share."""

import uuid
from base64 import b64encode
from contextlib import suppress
from typing import Any

from curlwire import _core
from curlwire.compat.websockets.client import ClientProtocol, logger_of
from curlwire.compat.websockets.datastructures import Headers
from curlwire.compat.websockets.exceptions import ConnectionClosed, ProtocolError
from curlwire.compat.websockets.failures import closed, response_of
from curlwire.compat.websockets.frames import Close, CloseCode
from curlwire.compat.websockets.http11 import Request, Response
from curlwire.compat.websockets.protocol import State
from curlwire.compat.websockets.tls import refuse
from curlwire.compat.websockets.typing import LoggerLike, Subprotocol
from curlwire.compat.websockets.uri import WebSocketURI
from curlwire.errors import WebSocketTimeout

Address = tuple[str, int] | str


def address_of(text: str | None) -> Address:
    """Returns 'host:port' as a pair, and '' for a Unix socket, as the module socket does."""
    host, separator, port = (text or "").rpartition(":")
    if not separator or not port.isdigit():
        return text or ""
    return host.strip("[]"), int(port)


class TlsObject:
    """What ssl.SSLObject tells about a connection over TLS."""

    def __init__(self, socket: _core.MessageWebSocket, server_hostname: str) -> None:
        self._socket = socket
        self.server_hostname: str = server_hostname

    def version(self) -> str | None:
        """Returns the version, such as 'TLSv1.3'."""
        return self._socket._tls_version

    def cipher(self) -> tuple[str, str, int | None] | None:
        """Returns (name, version, None)."""
        name, version = self._socket._tls_cipher, self._socket._tls_version
        return (name, version, None) if name and version else None

    def selected_alpn_protocol(self) -> str | None:
        """Returns the protocol that ALPN chose, or None."""
        return self._socket._tls_alpn

    def getpeercert(self, binary_form: bool = False) -> bytes | None:
        """Returns the server's certificate in DER. binary_form must be True."""
        if not binary_form:
            refuse("getpeercert() without binary_form=True", "curlwire's Certificate reads the DER")
        certificate = self._socket.information.server_certificate
        return None if certificate is None else certificate.der


class Transport:
    """What asyncio.Transport and socket.socket tell about a connection, and abort()."""

    def __init__(self, socket: _core.MessageWebSocket, uri: WebSocketURI, server_hostname: str) -> None:
        self._socket = socket
        self._uri = uri
        self.server_hostname: str = server_hostname

    def version(self) -> str | None:
        """Returns the version of TLS, such as 'TLSv1.3', or None."""
        return self._socket._tls_version

    def getsockname(self) -> Address:
        """Returns the local address."""
        return address_of(self._socket.local_address)

    def getpeername(self) -> Address:
        """Returns the address of the server, or of the proxy."""
        return address_of(self._socket.remote_address)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Returns 'sockname', 'peername' or 'ssl_object'; default for every other name."""
        if name == "sockname":
            return self.getsockname()
        if name == "peername":
            return self.getpeername()
        if name == "ssl_object" and self._uri.secure:
            return TlsObject(self._socket, self.server_hostname)
        return default

    def is_closing(self) -> bool:
        """Returns whether the connection is closing or has ended."""
        return self._socket.state in ("closing", "closed")

    def abort(self) -> None:
        """Drops the connection at once."""
        self._socket.abort()

    def close(self) -> None:
        """Drops the connection at once. ws.close() makes the closing handshake."""
        self._socket.abort()


class Connection:
    """The base of both classes."""

    def __init__(self, protocol: ClientProtocol, socket: _core.MessageWebSocket) -> None:
        self.protocol: ClientProtocol = protocol
        self.id: uuid.UUID = protocol.id
        self.logger: LoggerLike = logger_of(protocol, self)
        self.request: Request | None = None
        self.response: Response | None = None
        self._core = socket
        self._asked: Close | None = None  # what the program has closed with, before the server did
        protocol.socket = socket
        for name, value in protocol.headers:
            if value:
                socket.add_request_header(name, value)
            else:
                socket.set_request_header(name, value)
        if protocol.sock is not None:
            socket.set_connected_socket(protocol.sock)

    def _opened(self) -> None:
        """Notes the request and the reply of a connect that has succeeded."""
        self.request = _request(self.protocol)
        self.response = response_of(101, self._core.response_headers.raw)

    def _view(self) -> Transport:
        protocol = self.protocol
        name = protocol.controls.get("tls_server_name") or protocol.uri.host
        return Transport(self._core, protocol.uri, name)

    def _check_open(self) -> None:
        """Raises the ConnectionClosed of curlwire if the connection has ended."""
        with suppress(WebSocketTimeout):
            self._core.flush(0)

    def _note_close(self, code: int, reason: str) -> None:
        if code == CloseCode.NO_STATUS_RCVD and self._core.state == "open":  # curlwire takes it, for no code
            raise ProtocolError("1005 is not a close code that may be sent")
        if self._asked is None and self._core.state == "open":
            self._asked = Close(code, reason)

    def _closed(self, cause: BaseException | None) -> ConnectionClosed:
        return closed(self._core, self._asked, cause)

    # ---- facts

    @property
    def local_address(self) -> Address:
        """The local address: (host, port), or '' for a Unix socket."""
        return address_of(self._core.local_address)

    @property
    def remote_address(self) -> Address:
        """The address of the server, or of the proxy."""
        return address_of(self._core.remote_address)

    @property
    def latency(self) -> float:
        """The round trip of the last ping, in seconds; 0.0 before the first."""
        return self._core.information.statistics.round_trip_last or 0.0

    @property
    def state(self) -> State:
        """The State of the connection."""
        return self.protocol.state

    @property
    def subprotocol(self) -> Subprotocol | None:
        """The subprotocol that the server chose, or None."""
        return self.protocol.subprotocol

    @property
    def close_code(self) -> int | None:
        """The close code that was received; 1006 if none was; None before the end."""
        return self.protocol.close_code

    @property
    def close_reason(self) -> str | None:
        """The close reason that was received; '' if none was; None before the end."""
        return self.protocol.close_reason


def check_ping(data: object) -> None:
    """Raises an error for the payload of a ping, which is an option in curlwire."""
    if data is None:
        return
    if not isinstance(data, (str, bytes, bytearray, memoryview)):
        raise TypeError("data must be str or bytes-like")
    refuse("a payload of one ping", "the control ping_payload sets that of all; call ping() without data")


def check_pong(data: object) -> None:
    """Raises an error: curlwire sends unsolicited pongs by an option."""
    if not isinstance(data, (str, bytes, bytearray, memoryview)):
        raise TypeError("data must be str or bytes-like")
    refuse("pong()", "the control desired_unsolicited_pong_interval sends pongs at an interval")


def _request(protocol: ClientProtocol) -> Request:
    uri, controls = protocol.uri, protocol.controls
    given = Headers([(name, value) for name, value in protocol.headers if value])
    headers = Headers()
    if "Host" not in given:
        headers["Host"] = uri.host_header
    headers.update({"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"})
    for name, value in (
        ("Authorization", _basic(uri.user_info)),
        ("Origin", controls.get("origin")),
        ("Sec-WebSocket-Protocol", ", ".join(controls.get("supported_protocols") or ())),
        ("Sec-WebSocket-Extensions", _offer(controls)),
        ("User-Agent", controls.get("user_agent")),
    ):
        if value and name not in given:
            headers[name] = value
    headers.update(given)
    return Request(uri.resource_name, headers)


def _basic(user_info: tuple[str, str] | None) -> str:
    return "" if user_info is None else f"Basic {b64encode(':'.join(user_info).encode()).decode()}"


def _offer(controls: dict[str, Any]) -> str:
    if "compression" not in controls:
        return ""
    words = ["permessage-deflate"]
    words += [name for name in ("server_no_context_takeover", "client_no_context_takeover") if controls[name]]
    if "server_max_window_bits" in controls:
        words.append(f"server_max_window_bits={controls['server_max_window_bits']}")
    bits = controls.get("client_max_window_bits")
    words.append(f"client_max_window_bits={bits}" if bits else "client_max_window_bits")
    return "; ".join(words)


INTERNAL_ERROR = CloseCode.INTERNAL_ERROR
