# SPDX-License-Identifier: MIT
"""Which proxy a connection takes."""

import urllib.parse
import urllib.request

from curlwire.compat.websockets.exceptions import InvalidProxy
from curlwire.compat.websockets.uri import WebSocketURI

_SCHEMES = ("socks5h", "socks5", "socks4a", "socks4", "https", "http")


def get_proxy(uri: WebSocketURI) -> str | None:
    """Returns the URI of the proxy that the environment or the system names for a server, or None.

    The order is that of websockets: the proxy for WebSockets, then SOCKS, then HTTPS, then HTTP.
    """
    if urllib.request.proxy_bypass(f"{uri.host}:{uri.port}"):
        return None
    proxies = urllib.request.getproxies()
    for scheme in ("wss", "socks", "https") if uri.secure else ("ws", "socks", "https", "http"):
        proxy = proxies.get(scheme)
        if proxy is not None:
            # a system names its SOCKS proxy so
            return proxy.replace("http://", "socks5h://", 1) if scheme == "socks" else proxy
    return None


def parse_proxy(proxy: str) -> urllib.parse.SplitResult:
    """Returns the parts of the URI of a proxy. Raises InvalidProxy."""
    try:
        parts = urllib.parse.urlsplit(proxy)
        _ = parts.port
    except ValueError as error:
        raise InvalidProxy(proxy, str(error)) from None
    if parts.scheme not in _SCHEMES:
        raise InvalidProxy(proxy, f"scheme {parts.scheme} isn't supported")
    if parts.hostname is None:
        raise InvalidProxy(proxy, "hostname isn't provided")
    for name, value in (("path", parts.path.strip("/")), ("query", parts.query), ("fragment", parts.fragment)):
        if value:
            raise InvalidProxy(proxy, f"{name} is meaningless")
    if parts.username is not None and parts.password is None:
        raise InvalidProxy(proxy, "username provided without password")
    return parts


def with_port(parts: urllib.parse.SplitResult) -> str:
    """Returns the URI of a proxy for the control proxy. Without a port it means 80, or 443 for https."""
    host = parts.hostname or ""
    place = f"[{host}]" if ":" in host else host
    user = parts.netloc.rpartition("@")[0]
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"{parts.scheme}://{f'{user}@' if user else ''}{place}:{port}"
