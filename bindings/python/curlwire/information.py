# SPDX-License-Identifier: MIT
"""What is known about a connection: its headers, its information object, how it ended, how it is shown."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

from curlwire import _core

if TYPE_CHECKING:
    from curlwire._core import WebSocket


class Headers(Mapping[str, str]):
    """The headers of an HTTP reply, as they came; names are looked up without regard to case.

    headers["name"] joins the values of a name that occurs several times by ", "; get_all gives them one by one,
    and raw is the list of all (name, value) in order.
    """

    __slots__ = {"raw": "The list of all (name, value), in order."}

    def __init__(self, lines: str = "") -> None:
        self.raw: list[tuple[str, str]] = _core.parse_headers(lines)

    def get_all(self, name: str) -> list[str]:
        """Returns every value of a name, in order."""
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
    """What on_closed gets: the peer's code and reason, and whether both close frames were exchanged."""

    code: int
    reason: str
    was_clean: bool


class Information:
    """ws.information: what the connection is. Each attribute is the socket's own of that name."""

    __slots__ = ("_socket",)

    def __init__(self, socket: "WebSocket") -> None:
        self._socket = socket

    @property
    def uri(self) -> str | None:
        """The URI as given to connect; None before."""
        return self._socket.uri

    @property
    def protocol(self) -> str | None:
        """The subprotocol that the server chose, or None."""
        return self._socket.protocol

    @property
    def extensions(self) -> str | None:
        """What compression was agreed on, as the server's header says it, or None."""
        return self._socket.extensions

    @property
    def local_address(self) -> str | None:
        """Our end, as "address:port"; None before connecting."""
        return self._socket.local_address

    @property
    def remote_address(self) -> str | None:
        """The other end (the proxy's, where there is one), as "address:port"; None before connecting."""
        return self._socket.remote_address

    @property
    def framing(self) -> Literal["curl", "native", "mixed"] | None:
        """Who makes the frames: "native", "curl" (libcurl), or "mixed": sent natively, received by libcurl."""
        return self._socket.framing

    @property
    def response_headers(self) -> Headers:
        """The headers of the server's reply."""
        return self._socket.response_headers

    @property
    def state(self) -> str:
        """'new', 'connecting', 'open', 'closing' or 'closed'."""
        return self._socket.state

    def __repr__(self) -> str:
        return f"<curlwire.Information of {self._socket!r}>"


def _describe_connection(socket: "WebSocket") -> Iterator[str]:
    yield socket.state
    if socket._public_uri:
        yield socket._public_uri
    if socket.remote_address:
        yield f"at {socket.remote_address}"


def describe(socket: "WebSocket") -> str:
    """What repr() of a socket shows."""
    kind = type(socket)
    words = [f"{kind.__module__}.{kind.__qualname__}"]
    try:
        words += list(_describe_connection(socket))
    except RuntimeError:  # the StateError of a child that looks at it after a fork
        words.append("of the parent process")
    return f"<{' '.join(words)}>"
