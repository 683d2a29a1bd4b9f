# SPDX-License-Identifier: MIT
"""The Python objects that describe a connection: Headers, Information and others, and a socket's repr."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple, NoReturn, SupportsIndex, TypedDict

from curlwire import _core
from curlwire.certificates import Certificate, ChainValidationResult

if TYPE_CHECKING:
    from curlwire._core import WebSocket
    from curlwire.counting import Statistics


class Headers(Mapping[str, str]):
    """The headers of an HTTP reply, as a mapping of str to str. Names ignore case.

    If a name occurs several times, headers["name"] joins its values with ", ", and get_all(name) returns them
    as a list. raw is the list of all (name, value) in order.
    """

    __slots__ = {"raw": "A list of all (name, value), in order."}

    def __init__(self, lines: str = "") -> None:
        self.raw: list[tuple[str, str]] = _core.parse_headers(lines)

    def get_all(self, name: str) -> list[str]:
        """Returns a list of all values of a name, in order; [] if there is none."""
        wanted = name.lower()
        return [value for key, value in self.raw if key.lower() == wanted]

    def __getitem__(self, name: str) -> str:
        values = self.get_all(name)
        if not values:
            raise KeyError(name)
        return ", ".join(values)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self.get_all(name))

    def __iter__(self) -> Iterator[str]:
        seen: dict[str, str] = {}
        for name, _ in self.raw:
            seen.setdefault(name.lower(), name)
        return iter(seen.values())

    def __len__(self) -> int:
        return len({name.lower() for name, _ in self.raw})

    def __repr__(self) -> str:
        return f"Headers({self.raw!r})"


class ClosedEventArgs(NamedTuple):
    """The argument of on_closed.

    code: the peer's close code, an int. 1005 if the peer gave none, 1006 if the connection was lost.
    reason: the peer's close reason, a str; for 1006 a text about how the connection was lost.
    was_clean: a bool, True if both close frames were exchanged.
    """

    code: int
    reason: str
    was_clean: bool


class BandwidthStatistics(NamedTuple):
    """The speed of a connection, as the system has measured it, with the members of UWP's BandwidthStatistics.

    All members are 0 and False without a connection, and on systems other than Linux. They are estimates of the
    TCP connection, which leads to the proxy if there is one.

    outbound_bits_per_second: the rate, an int, at which the peer's system has lately acknowledged sent bytes.
    inbound_bits_per_second: the most bytes that the program has taken in a round trip, per second, an int.
    outbound_bits_per_second_instability, inbound_bits_per_second_instability: 0; no system measures them.
    outbound_bandwidth_peaked: a bool, True if the line limits the outbound rate, False if the program has not
    sent more.
    inbound_bandwidth_peaked: False; no system measures it.
    """

    outbound_bits_per_second: int
    inbound_bits_per_second: int
    outbound_bits_per_second_instability: int
    inbound_bits_per_second_instability: int
    outbound_bandwidth_peaked: bool
    inbound_bandwidth_peaked: bool


class TlsInformation(NamedTuple):
    """The TLS connection to the server.

    version: a str such as "TLSv1.3".
    cipher: a str such as "TLS_AES_256_GCM_SHA384".
    alpn: the protocol that the server chose, "http/1.1", or None.
    authorities: the authorities that the server's certificate is checked by, or None.
    is_resumed: a bool, True if the connect has resumed the session of an earlier one (tls_session_resumption).
    """

    version: str
    cipher: str | None
    alpn: str | None
    authorities: str | None
    is_resumed: bool


class Timings(NamedTuple):
    """How long the parts of the last connect took: floats, in seconds.

    None stands for a part that there was not, or that was not finished. Before a connect, all are None.

    look_up: the name look-up, of the proxy if there is one.
    tcp: from then until TCP was connected, to the proxy if there is one.
    proxy: from then until the proxy had connected us, with TLS to an https:// proxy.
    tls: from then until the TLS handshake with the server was finished.
    upgrade: from then until the server's reply was complete.
    total: the whole connect, also if it failed.
    """

    look_up: float | None
    tcp: float | None
    proxy: float | None
    tls: float | None
    upgrade: float | None
    total: float | None


class Latency(NamedTuple):
    """How long round trips of pings took, from a ping to its pong: floats, in seconds; None if there was none.

    They are the latest 128 round trips, of ping() and of keepalive. A ping counts if its pong came before the
    next ping was sent. information.statistics has the numbers since the beginning.

    last: the latest.
    minimum: the shortest.
    mean: the mean.
    p99: the shortest time within which 99 % of them ended. With fewer than 100, it is the longest.
    """

    last: float | None
    minimum: float | None
    mean: float | None
    p99: float | None


def refuse_copy(part: object) -> NoReturn:
    """Raises the TypeError for a part of a socket that copy or pickle is to copy."""
    raise TypeError(
        f"cannot copy or pickle a {type(part).__name__}: it belongs to one live connection; copy the values "
        "that you need, or make a new socket"
    )


class BuildInfo(TypedDict):
    """The dict that build_info() returns.

    curlwire, libcurl: the versions of curlwire, and of the libcurl that is loaded, as str.
    libcurl_built: the version of the libcurl that curlwire was built with, a str.
    libcurl_linked: "embedded" if libcurl is inside curlwire, "system" if it is a shared library, which the
    system updates.
    tls: the TLS library of libcurl with its version, a str such as "OpenSSL/3.5.2", or None.
    zlib: the version of zlib, a str.
    authorities: the authorities that a connect would use now, as ws.information has them, or None.
    features: a tuple of str, as far as this build has them: "ws", "wss", "native-framing", "compression",
    "https-proxy", "international-names", "ipv6", "shared-authorities", "refusal-body".
    """

    curlwire: str
    libcurl: str
    libcurl_built: str
    libcurl_linked: Literal["embedded", "system"]
    tls: str | None
    zlib: str
    authorities: str | None
    features: tuple[str, ...]


class Information:
    """The object ws.information: facts about the connection, which stay readable after its end.

    The socket has most of the attributes too, under the same names.
    """

    __slots__ = ("_socket",)

    def __init__(self, socket: "WebSocket") -> None:
        self._socket = socket

    @property
    def uri(self) -> str | None:
        """The URI that was passed to connect(), or None."""
        return self._socket.uri

    @property
    def effective_uri(self) -> str | None:
        """The URI that redirects have led to, without user name and password; None before connect().

        Without a redirect, it is the same as uri.
        """
        return self._socket.effective_uri

    @property
    def protocol(self) -> str | None:
        """The subprotocol that the server chose, or None."""
        return self._socket.protocol

    @property
    def extensions(self) -> str | None:
        """The extension that the server accepted, such as "permessage-deflate", or None."""
        return self._socket.extensions

    @property
    def local_address(self) -> str | None:
        """The local end of the connection as "address:port"; None before connecting."""
        return self._socket.local_address

    @property
    def remote_address(self) -> str | None:
        """The address of the server, or of the proxy, as "address:port"; None before connecting."""
        return self._socket.remote_address

    @property
    def framing(self) -> Literal["curl", "native", "mixed"] | None:
        """The code that makes and reads the frames; None before connecting.

        "native" (curlwire), "curl" (libcurl), or "mixed" (curlwire sends, libcurl receives).
        """
        return self._socket.framing

    @property
    def authorities(self) -> str | None:
        """The authorities that certificates are checked by, and what names them; None if none is checked.

        For example "system: /etc/ssl/certs/ca-certificates.crt" or "SSL_CERT_FILE: /srv/ca.pem".
        """
        return self._socket.authorities

    @property
    def response_headers(self) -> Headers:
        """The headers of the server's reply. Names ignore case."""
        return self._socket.response_headers

    @property
    def bandwidth_statistics(self) -> BandwidthStatistics:
        """The speed of the connection; zero and False without a connection, and if the system cannot tell."""
        return self._socket.bandwidth_statistics

    @property
    def tls(self) -> TlsInformation | None:
        """The TLS connection to the server, also after its end; None without TLS.

        None, too, if the TLS library of libcurl does not tell.
        """
        ws = self._socket
        version = ws._tls_version
        if version is None:
            return None
        is_resumed = ws._tls_resumed == "yes"
        return TlsInformation(version, ws._tls_cipher, ws._tls_alpn, ws.authorities, is_resumed)

    @property
    def timings(self) -> Timings:
        """How long the parts of the last connect took, also after its end and after a failed connect."""
        return Timings(*self._socket._timings)

    @property
    def latency(self) -> Latency:
        """How long the latest round trips of pings took: last, minimum, mean and p99, also after the end."""
        return Latency(*self._socket._latency)

    @property
    def statistics(self) -> "Statistics":
        """What curlwire has counted for this socket: bytes, messages, frames, round trips, queues."""
        from curlwire.counting import Statistics  # its dataclass is slow to import

        return Statistics(*self._socket._statistics)

    @property
    def state(self) -> Literal["new", "connecting", "open", "closing", "closed"]:
        """The state: 'new', 'connecting', 'open', 'closing' or 'closed'."""
        return self._socket.state

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> NoReturn:
        refuse_copy(self)

    @property
    def server_certificate(self) -> Certificate | None:
        """The certificate that the server sent, also if the connect failed because of it.

        None without TLS, before a connect, and if the TLS library of libcurl is not OpenSSL.
        """
        chain = self._socket._certificate_chain
        return Certificate(chain[0]) if chain else None

    @property
    def server_intermediate_certificates(self) -> tuple[Certificate, ...]:
        """The certificates that the server sent with its own, a tuple in the server's order."""
        return tuple(map(Certificate, self._socket._certificate_chain[1:]))

    @property
    def server_certificate_errors(self) -> tuple[ChainValidationResult, ...]:
        """What is wrong with the server's certificate: a tuple of ChainValidationResult, which are str.

        They are the errors that control.ignorable_server_certificate_errors has let pass, and the one that made
        the connect fail. TLS libraries stop at the first fault, so there may be more.
        """
        text = self._socket._server_certificate_errors
        return tuple(map(ChainValidationResult, text.split(", "))) if text else ()

    @property
    def server_certificate_error_severity(self) -> Literal["none", "ignorable", "fatal"] | None:
        """How bad that is: "fatal" if the connect failed because of it, "ignorable" if errors were ignored.

        "none" if nothing is wrong, None if the server has sent no certificate.
        """
        return self._socket._server_certificate_error_severity

    def __repr__(self) -> str:
        return f"<curlwire.Information of {self._socket!r}>"


def _describe_connection(socket: "WebSocket") -> Iterator[str]:
    yield socket.state
    if socket._public_uri:
        yield socket._public_uri
    if socket.remote_address:
        yield f"at {socket.remote_address}"


def describe(socket: "WebSocket") -> str:
    """Returns the repr of a socket."""
    kind = type(socket)
    words = [f"{kind.__module__}.{kind.__qualname__}"]
    try:
        words += list(_describe_connection(socket))
    except RuntimeError:  # the StateError in a child after fork()
        words.append("of the parent process")
    return f"<{' '.join(words)}>"
