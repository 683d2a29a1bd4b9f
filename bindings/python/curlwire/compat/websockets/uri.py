# SPDX-License-Identifier: MIT
"""URIs of WebSockets."""

import urllib.parse
from dataclasses import dataclass, field

from curlwire.compat.websockets.exceptions import InvalidURI

__all__ = ["WebSocketURI", "parse_uri"]

_KEPT = ":/?#[]@!$&'()*+,;=%"  # of a path or a query that has other characters


@dataclass
class WebSocketURI:
    """The parts of a URI.

    secure: True for wss. host: in lower case. port: the default one if the URI has none. path, query: '' if the
    URI has none. username, password: None if it has none.
    """

    secure: bool
    host: str
    port: int
    path: str
    query: str = field(repr=False)
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    @property
    def resource_name(self) -> str:
        """The path with the query."""
        return (self.path or "/") + (f"?{self.query}" if self.query else "")

    @property
    def user_info(self) -> tuple[str, str] | None:
        """The pair (username, password), or None."""
        return None if self.username is None else (self.username, self.password or "")

    @property
    def origin(self) -> tuple[bool, str, int]:
        """What two URIs of the same origin have in common."""
        return self.secure, self.host, self.port

    @property
    def host_header(self) -> str:
        """The value of the header Host."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


def parse_uri(uri: str) -> WebSocketURI:
    """Returns the parts of a URI. Raises InvalidURI."""
    try:
        parts = urllib.parse.urlsplit(uri)
        port = parts.port
    except ValueError as error:
        raise InvalidURI(uri, str(error)) from None
    if parts.scheme not in ("ws", "wss"):
        raise InvalidURI(uri, "scheme isn't ws or wss")
    if parts.hostname is None:
        raise InvalidURI(uri, "hostname isn't provided")
    if parts.fragment:
        raise InvalidURI(uri, "fragment identifier is meaningless")
    if parts.username is not None and parts.password is None:
        raise InvalidURI(uri, "username provided without password")
    host, path, query = parts.hostname, parts.path, parts.query
    if not uri.isascii():
        host = host.encode("idna").decode()
        path, query = urllib.parse.quote(path, safe=_KEPT), urllib.parse.quote(query, safe=_KEPT)
    secure = parts.scheme == "wss"
    username, password = (
        None if text is None else urllib.parse.unquote(text) for text in (parts.username, parts.password)
    )
    return WebSocketURI(secure, host, port or (443 if secure else 80), path, query, username, password)
