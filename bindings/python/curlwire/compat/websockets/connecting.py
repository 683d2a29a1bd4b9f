# SPDX-License-Identifier: MIT
"""The part of connect() that asyncio and the synchronous client share: arguments, redirects and errors."""

import contextlib
import logging
import os
import socket
import tempfile
import urllib.parse
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, Literal

from curlwire import _core
from curlwire.compat.websockets.client import ClientProtocol
from curlwire.compat.websockets.datastructures import Headers, HeadersLike
from curlwire.compat.websockets.exceptions import InvalidStatus, SecurityError, without_secrets
from curlwire.compat.websockets.extensions import permessage_deflate
from curlwire.compat.websockets.proxy import get_proxy, parse_proxy, with_port
from curlwire.compat.websockets.tls import controls_of, refuse, system_file
from curlwire.compat.websockets.typing import LoggerLike, Origin, Subprotocol
from curlwire.compat.websockets.uri import WebSocketURI, parse_uri

MAX_REDIRECTS = int(os.environ.get("WEBSOCKETS_MAX_REDIRECTS", "10"))
_REDIRECTS = (300, 301, 302, 303, 307, 308)
_CREDENTIALS = ("authorization", "cookie", "proxy-authorization")
_FAMILIES = {socket.AF_UNSPEC: 0, socket.AF_INET: 1, socket.AF_INET6: 2}  # as libcurl's CURL_IPRESOLVE_
NO_LIMIT_S = 10.0**8  # for a control that takes a time but not None


def max_message_size(max_size: int | tuple[int | None, int | None] | None) -> int | None:
    """Returns the control max_message_size for the argument max_size."""
    if not isinstance(max_size, tuple):
        return max_size
    message, fragment = max_size
    if fragment is not None and (message is None or fragment < message):
        refuse("a limit for fragments in max_size", "the control max_message_size limits whole messages")
    return message


def _check_queue(max_queue: int | tuple[int | None, int | None] | None) -> None:
    high, low = max_queue if isinstance(max_queue, tuple) else (max_queue, None)
    if low is not None and low < 0:
        raise ValueError("low must be positive or equal to zero")
    if high is not None and low is not None and high < low:
        raise ValueError("high must be greater than or equal to low")


def connection_controls(
    protocol: ClientProtocol,
    ping_interval: float | None,
    ping_timeout: float | None,
    close_timeout: float | None,
    max_queue: int | tuple[int | None, int | None] | None,
) -> dict[str, Any]:
    """Returns the controls of a connection. A queue has no control: see the docs."""
    if not isinstance(protocol, ClientProtocol):
        raise TypeError(f"ClientConnection takes what connect() passes, not {protocol!r}")
    _check_queue(max_queue)
    return {
        **protocol.controls,
        "ping_interval": ping_interval,
        "ping_timeout": ping_timeout,
        "close_timeout": NO_LIMIT_S if close_timeout is None else close_timeout,
        "send_timeout": None,  # a server that does not read is found by the pings, as with websockets
    }


class Arguments:
    """The arguments of connect() that both clients have, and what follows from them."""

    def __init__(
        self,
        uri: str,
        *,
        origin: Origin | None,
        extensions: Sequence[Any] | None,
        subprotocols: Sequence[Subprotocol] | None,
        compression: str | None,
        additional_headers: HeadersLike | None,
        user_agent_header: str | None,
        proxy: str | Literal[True] | None,
        process_exception: Callable[[Exception], Exception | None],
        open_timeout: float | None,
        reconnect_delays: Callable[[], Generator[float]],
        max_size: int | tuple[int | None, int | None] | None,
        logger: LoggerLike | None,
    ) -> None:
        self.uri: str = uri
        self.ws_uri: WebSocketURI = parse_uri(uri)
        if isinstance(subprotocols, str):
            raise TypeError("subprotocols must be a list, not a str")
        if compression not in ("deflate", None):
            raise ValueError(f"unsupported compression: {compression}")
        self.additional_headers: Headers | None = (
            None if additional_headers is None else Headers(additional_headers)
        )
        if self.additional_headers is not None:
            self.additional_headers.check_values()
        self.user_agent_header: str | None = user_agent_header
        self.proxy: str | Literal[True] | None = proxy
        self.process_exception: Callable[[Exception], Exception | None] = process_exception
        self.open_timeout: float | None = open_timeout
        self.reconnect_delays: Callable[[], Generator[float]] = reconnect_delays
        self.logger: LoggerLike = logging.getLogger("websockets.client") if logger is None else logger
        self._controls: dict[str, Any] = {
            "max_message_size": max_message_size(max_size),
            "origin": origin,
            "supported_protocols": subprotocols,
            **_compression(list(extensions or ()), compression),
        }

    # ---- one attempt

    def protocol(
        self,
        *,
        ssl: Any = None,
        server_hostname: str | None = None,
        proxy_ssl: Any = None,
        proxy_server_hostname: str | None = None,
        host: str | None = None,
        port: int | None = None,
        sock: socket.socket | None = None,
        unix_path: Any = None,
        more: dict[str, Any] | None = None,
    ) -> ClientProtocol:
        """Returns what create_connection() gets, for the URI as it is now."""
        controls = {**self._controls, **(more or {})}
        if ssl is not None and ssl is not True:
            controls.update(controls_of(ssl))
        if server_hostname:
            controls["tls_server_name"] = server_hostname
        controls["proxy"] = False
        if unix_path is not None:
            controls["unix_socket_path"] = os.fsdecode(unix_path)
        elif sock is None:
            controls.update(self._proxy_controls(controls, proxy_ssl, proxy_server_hostname))
            if host is not None or port is not None:
                controls["connect_to"] = [self._target(controls, host, port)]
        headers = [] if self.additional_headers is None else list(self.additional_headers.raw_items())
        if not any(name.lower() == "user-agent" for name, _ in headers):
            if self.user_agent_header is None:
                headers.append(("User-Agent", ""))
            else:
                controls["user_agent"] = self.user_agent_header
        return ClientProtocol(
            self.ws_uri, logger=self.logger, target=self.uri, controls=controls, headers=headers, sock=sock
        )

    def _target(self, controls: dict[str, Any], host: str | None, port: int | None) -> str:
        if controls["proxy"] is not False:
            refuse("host or port together with a proxy", "give the proxy by its URI, or set proxy=None")
        name = self.ws_uri.host if host is None else host
        place = f"[{name}]" if ":" in name else name
        return f"::{place}:{self.ws_uri.port if port is None else port}"

    def _proxy_controls(
        self, controls: dict[str, Any], proxy_ssl: Any, proxy_server_hostname: str | None
    ) -> dict[str, Any]:
        proxy = get_proxy(self.ws_uri) if self.proxy is True else self.proxy
        if proxy is None:
            return {}
        parts = parse_proxy(proxy)
        if parts.scheme != "https":
            if proxy_ssl:
                raise ValueError(f"proxy_ssl argument is incompatible with an {parts.scheme}:// proxy")
            more = {}
        else:
            if proxy_ssl is False:  # an explicit None
                raise ValueError("proxy_ssl=None is incompatible with an https:// proxy")
            if proxy_server_hostname not in (None, parts.hostname):
                refuse(
                    "proxy_server_hostname", "libcurl checks the host in the URI of the proxy (control proxy)"
                )
            more = self._proxy_tls(controls, proxy_ssl)
        if self.user_agent_header is None and parts.scheme.startswith("http"):
            more["proxy_headers"] = {"User-Agent": ""}
        return {"proxy": with_port(parts), **more}

    @staticmethod
    def _proxy_tls(controls: dict[str, Any], proxy_ssl: Any) -> dict[str, Any]:
        """Returns the controls of TLS to the proxy. proxy_ca_data stands for a file with this content."""
        if proxy_ssl is None or proxy_ssl is True:
            if not controls.keys() & {"ca_data", "ca_path"}:
                return {}
            file = system_file()  # without this control, the authorities of the server count for the proxy
            if file is None:
                refuse("an https:// proxy without proxy_ssl here", "pass proxy_ssl with its authorities")
            return {"proxy_ca_file": file}
        found = controls_of(proxy_ssl)
        more: dict[str, Any] = {"proxy_verify": found.pop("verify", True)}
        if "ca_data" in found:
            more["proxy_ca_data"] = found.pop("ca_data")
        for name in ("client_certificate", "client_key", "client_key_password"):
            if name in found:
                more[f"proxy_{name}"] = found.pop(name)
        if found:
            refuse(f"{', '.join(found)} for a proxy", "the controls for a proxy begin with proxy_")
        return more

    # ---- what follows from a failure

    def process_redirect(self, exc: Exception, *, is_unix: bool, has_place: bool, has_sock: bool) -> bool:
        """Follows a redirect: changes the URI for the next attempt. Returns False if it is none."""
        location = exc.response.headers.get_all("Location") if isinstance(exc, InvalidStatus) else []
        if not location or not isinstance(exc, InvalidStatus) or exc.response.status_code not in _REDIRECTS:
            return False
        new_uri = urllib.parse.urljoin(self.uri, location[0])
        shown = without_secrets(new_uri)
        new, old = parse_uri(new_uri), self.ws_uri
        if has_sock:
            raise ValueError(f"cannot follow redirect to {shown} with a preexisting socket") from exc
        if old.secure and not new.secure:
            raise SecurityError(f"cannot follow redirect to non-secure URI {shown}") from exc
        if new.origin != old.origin:
            what = "a Unix socket" if is_unix else "an explicit host or port" if has_place else ""
            if what:
                raise ValueError(f"cannot follow cross-origin redirect to {shown} with {what}") from exc
            if self.additional_headers is not None:
                pairs = self.additional_headers.raw_items()
                self.additional_headers = Headers(
                    [(name, value) for name, value in pairs if name.lower() not in _CREDENTIALS]
                )
        self.uri, self.ws_uri = new_uri, new
        return True

    def next_delay(self, exc: Exception, delays: Generator[float] | None) -> tuple[float, Generator[float]]:
        """Returns how long to wait after a failed connect, and the generator. Raises if it is fatal."""
        try:
            new_exc = self.process_exception(exc)
        except Exception as raised:
            new_exc = raised
        try:
            if new_exc is exc:
                raise exc
            if new_exc is not None:
                raise new_exc from exc
            generator = self.reconnect_delays() if delays is None else delays
            delay = next(generator)
            name = type(exc).__name__
            self.logger.info("connect failed; reconnecting in %.1f seconds: %s: %s", delay, name, exc)
            return delay, generator
        finally:
            del exc, new_exc  # in the traceback, they would be a reference cycle, which keeps the connection


def _compression(extensions: list[Any], compression: str | None) -> dict[str, Any]:
    is_default = compression == "deflate"
    if is_default:
        extensions = permessage_deflate.enable_client_permessage_deflate(extensions)
    controls: dict[str, Any] = {}
    for one in extensions:
        if getattr(one, "name", None) != "permessage-deflate":
            refuse(f"the extension {one!r}", "it has one extension, by the control compression")
        controls = permessage_deflate.controls_of(one)
    if is_default and "compression" not in _core.build_info()["features"]:
        return {}  # libcurl is too old for it, and a server may refuse compression anyway
    return controls


def family_controls(family: int) -> dict[str, Any]:
    """Returns the controls for the argument family of asyncio's create_connection()."""
    if family not in _FAMILIES:
        refuse(f"the family {family!r}", "unix_connect() is for Unix sockets")
    which = _FAMILIES[socket.AddressFamily(family)]
    return {"curl_options": {"IPRESOLVE": which}} if which else {}


def local_controls(address: tuple[str, int] | None) -> dict[str, Any]:
    """Returns the controls for a local address."""
    if address is None:
        return {}
    host, port = address[0], address[1]
    controls: dict[str, Any] = {"interface": f"host!{host}"} if host else {}
    return {**controls, "local_port": port} if port else controls


@contextlib.contextmanager
def complete(protocol: ClientProtocol) -> Iterator[None]:
    """Gives the controls what must be in a file during the connect."""
    data = protocol.controls.pop("proxy_ca_data", None)
    if data is None:
        yield
        return
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(data)
        file.flush()
        protocol.controls["proxy_ca_file"] = file.name
        yield
