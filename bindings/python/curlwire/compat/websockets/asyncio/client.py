# SPDX-License-Identifier: MIT
"""connect() for asyncio."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from types import TracebackType
from typing import Any, Literal

from curlwire.compat.websockets.asyncio.connection import ClientConnection
from curlwire.compat.websockets.client import backoff, process_exception
from curlwire.compat.websockets.connecting import Arguments, complete, family_controls, local_controls
from curlwire.compat.websockets.datastructures import HeadersLike
from curlwire.compat.websockets.exceptions import SecurityError
from curlwire.compat.websockets.failures import connect_failure
from curlwire.compat.websockets.http11 import USER_AGENT
from curlwire.compat.websockets.tls import refuse
from curlwire.compat.websockets.typing import LoggerLike, Origin, PathLike, Subprotocol
from curlwire.errors import WebSocketError

__all__ = ["ClientConnection", "connect", "unix_connect"]

MAX_REDIRECTS: int = int(os.environ.get("WEBSOCKETS_MAX_REDIRECTS", "10"))
"""How many redirects a connect follows."""

_IGNORED = ("all_errors", "interleave")  # curlwire tries the families in turns, and reports one error
_OFFERED = (
    "family",
    "happy_eyeballs_delay",
    "host",
    "local_addr",
    "path",
    "port",
    "proxy_server_hostname",
    "proxy_ssl",
    "server_hostname",
    "sock",
    "ssl",
    "unix",
)
_REFUSED = {
    "flags": "the control resolve gives addresses",
    "proto": "curlwire opens TCP connections",
    "proxy_ssl_handshake_timeout": "open_timeout limits the whole connect (control connect_timeout)",
    "proxy_ssl_shutdown_timeout": "close_timeout limits the end (control close_timeout)",
    "ssl_handshake_timeout": "open_timeout limits the whole connect (control connect_timeout)",
    "ssl_shutdown_timeout": "close_timeout limits the end (control close_timeout)",
}


def _check_names(kwargs: dict[str, Any]) -> None:
    for name, value in kwargs.items():
        if name in _REFUSED:
            if value:
                refuse(name, _REFUSED[name])
        elif name not in _OFFERED and name not in _IGNORED:
            raise TypeError(f"connect() got an unexpected keyword argument {name!r}")


class connect(Arguments):
    """Connects to a server. Await it, or use it in 'async with', or in 'async for' to reconnect.

    uri: a str that begins with ws:// or wss://. The arguments and defaults are those of websockets. In
    addition to those named here, host, port, sock, ssl, server_hostname, local_addr, family,
    happy_eyeballs_delay, proxy_ssl and unix_connect()'s path are understood.
    Raises InvalidURI, InvalidProxy, OSError, InvalidHandshake, TimeoutError, and NotImplementedError for what
    curlwire cannot do. docs/compat-websockets.md lists the differences.
    """

    def __init__(
        self,
        uri: str,
        *,
        origin: Origin | None = None,
        extensions: Sequence[Any] | None = None,
        subprotocols: Sequence[Subprotocol] | None = None,
        compression: str | None = "deflate",
        additional_headers: HeadersLike | None = None,
        user_agent_header: str | None = USER_AGENT,
        proxy: str | Literal[True] | None = True,
        process_exception: Callable[[Exception], Exception | None] = process_exception,
        open_timeout: float | None = 10,
        ping_interval: float | None = 20,
        ping_timeout: float | None = 20,
        close_timeout: float | None = 10,
        reconnect_delays: Callable[[], Generator[float]] = backoff,
        max_size: int | tuple[int | None, int | None] | None = 2**20,
        max_queue: int | tuple[int | None, int | None] | None = 16,
        write_limit: int | tuple[int, int | None] = 2**15,
        logger: LoggerLike | None = None,
        create_connection: Callable[..., ClientConnection] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            uri,
            origin=origin,
            extensions=extensions,
            subprotocols=subprotocols,
            compression=compression,
            additional_headers=additional_headers,
            user_agent_header=user_agent_header,
            proxy=proxy,
            process_exception=process_exception,
            open_timeout=open_timeout,
            reconnect_delays=reconnect_delays,
            max_size=max_size,
            logger=logger,
        )
        if not self.ws_uri.secure and kwargs.get("ssl") is not None:
            raise ValueError("ssl argument is incompatible with a ws:// URI")
        if self.ws_uri.secure and kwargs.get("ssl", True) is None:
            raise ValueError("ssl=None is incompatible with a wss:// URI")
        _check_names(kwargs)
        self._kwargs: dict[str, Any] = kwargs
        self._create: Callable[..., ClientConnection] = create_connection or ClientConnection
        self._connection_kwargs: dict[str, Any] = {
            "ping_interval": ping_interval,
            "ping_timeout": ping_timeout,
            "close_timeout": close_timeout,
            "max_queue": max_queue,
            "write_limit": write_limit,
        }
        self._connection: ClientConnection | None = None

    def _unix_path(self) -> PathLike | None:
        kwargs = self._kwargs
        path, sock = kwargs.get("path"), kwargs.get("sock")
        if not kwargs.get("unix"):
            return None
        if path is None and sock is None:
            raise ValueError("no path and sock were specified")
        if path is not None and sock is not None:
            raise ValueError("path and sock can not be specified at the same time")
        return path if path is None or isinstance(path, (str, bytes)) else os.fspath(path)

    async def _attempt(self, timeout: float | None) -> ClientConnection:
        kwargs = self._kwargs
        more = {**family_controls(kwargs.get("family", 0)), **local_controls(kwargs.get("local_addr"))}
        if kwargs.get("happy_eyeballs_delay") is not None:
            more["happy_eyeballs_timeout"] = kwargs["happy_eyeballs_delay"]
        proxy_ssl = kwargs.get("proxy_ssl", True) if "proxy_ssl" in kwargs else None
        protocol = self.protocol(
            ssl=kwargs.get("ssl"),
            server_hostname=kwargs.get("server_hostname"),
            proxy_ssl=False if "proxy_ssl" in kwargs and proxy_ssl is None else proxy_ssl,
            proxy_server_hostname=kwargs.get("proxy_server_hostname"),
            host=kwargs.get("host"),
            port=kwargs.get("port"),
            sock=kwargs.get("sock"),
            unix_path=self._unix_path(),
            more=more,
        )
        with complete(protocol):
            connection = self._create(protocol, **self._connection_kwargs)
            try:
                await connection._open(timeout)
            except WebSocketError as error:
                proxy = str(protocol.controls.get("proxy") or "")
                raise connect_failure(error, self.uri, proxy, "timed out during opening handshake")
        return connection

    async def connect(self) -> ClientConnection:
        """Connects, and follows redirects."""
        kwargs = self._kwargs
        try:
            async with asyncio.timeout(self.open_timeout):
                for _ in range(MAX_REDIRECTS):
                    try:
                        return await self._attempt(None)
                    except Exception as exc:
                        if not self.process_redirect(
                            exc,
                            is_unix=bool(kwargs.get("unix")),
                            has_place=kwargs.get("host") is not None or kwargs.get("port") is not None,
                            has_sock=kwargs.get("sock") is not None,
                        ):
                            raise
                raise SecurityError(f"more than {MAX_REDIRECTS} redirects")
        except TimeoutError as error:
            raise TimeoutError("timed out during opening handshake") from error

    def __await__(self) -> Generator[Any, None, ClientConnection]:
        return self.connect().__await__()

    async def __aenter__(self) -> ClientConnection:
        if self._connection is not None:
            raise RuntimeError("connect() isn't reentrant")
        self._connection = await self
        return await self._connection.__aenter__()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.__aexit__(exc_type, exc_value, traceback)

    async def __aiter__(self) -> AsyncIterator[ClientConnection]:
        delays: Generator[float] | None = None
        while True:
            try:
                async with self as connection:
                    yield connection
            except Exception as exc:
                delay, delays = self.next_delay(exc, delays)
                await asyncio.sleep(delay)
            else:
                delays = None


def unix_connect(path: PathLike | None = None, uri: str | None = None, **kwargs: Any) -> connect:
    """Connects through a Unix socket.

    path: of the socket. uri: the default is ws://localhost/, with ssl wss://localhost/. The other arguments are
    those of connect().
    """
    if uri is None:
        uri = "ws://localhost/" if kwargs.get("ssl") is None else "wss://localhost/"
    return connect(uri, unix=True, path=path, **kwargs)
