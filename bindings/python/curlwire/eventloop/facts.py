# SPDX-License-Identifier: MIT
"""The facts about a connection, which the classes for an event loop take from the socket inside them."""

from typing import Generic, Literal, TypeVar

from curlwire import _core
from curlwire.information import BandwidthStatistics, Headers, Information

Core = TypeVar("Core", _core.MessageWebSocket, _core.StreamWebSocket)


class Facts(Generic[Core]):
    """The attributes of a socket that only tell something."""

    _core: Core

    @property
    def information(self) -> Information:
        """The facts about the connection, an Information."""
        return self._core.information

    @property
    def state(self) -> Literal["new", "connecting", "open", "closing", "closed"]:
        """The state: 'new', 'connecting', 'open', 'closing' or 'closed'."""
        return self._core.state

    @property
    def buffered_amount(self) -> int:
        """How many bytes of messages wait in the socket, because the kernel has not taken them yet."""
        return self._core.buffered_amount

    @property
    def uri(self) -> str | None:
        """The URI that was passed to connect(), or None."""
        return self._core.uri

    @property
    def effective_uri(self) -> str | None:
        """The URI that redirects have led to, without user name and password; None before connect()."""
        return self._core.effective_uri

    @property
    def protocol(self) -> str | None:
        """The subprotocol that the server chose, or None."""
        return self._core.protocol

    @property
    def extensions(self) -> str | None:
        """The extension that the server accepted, or None."""
        return self._core.extensions

    @property
    def local_address(self) -> str | None:
        """The local end of the connection as 'address:port'; None before connecting."""
        return self._core.local_address

    @property
    def remote_address(self) -> str | None:
        """The address of the server, or of the proxy, as 'address:port'; None before connecting."""
        return self._core.remote_address

    @property
    def framing(self) -> Literal["curl", "native", "mixed"] | None:
        """The code that makes and reads the frames, as of the synchronous class."""
        return self._core.framing

    @property
    def authorities(self) -> str | None:
        """The authorities that the server's certificate is checked by. None if no certificate is checked."""
        return self._core.authorities

    @property
    def response_headers(self) -> Headers:
        """The headers of the server's reply."""
        return self._core.response_headers

    @property
    def bandwidth_statistics(self) -> BandwidthStatistics:
        """The speed of the connection, a BandwidthStatistics."""
        return self._core.bandwidth_statistics

    @property
    def close_code(self) -> int | None:
        """The peer's close code; None before the end. 1005 if it gave none, 1006 for a lost connection."""
        return self._core.close_code

    @property
    def close_reason(self) -> str:
        """The peer's close reason, or a text about how the connection was lost."""
        return self._core.close_reason

    @property
    def was_clean(self) -> bool:
        """Whether both close frames were exchanged."""
        return self._core.was_clean

    def __repr__(self) -> str:
        inner, outer = type(self._core), type(self)
        name = f"{outer.__module__.removesuffix('.classes')}.{outer.__qualname__}"
        return repr(self._core).replace(f"{inner.__module__}.{inner.__qualname__}", name, 1)
