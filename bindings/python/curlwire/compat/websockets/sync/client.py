# SPDX-License-Identifier: MIT
"""connect() of the synchronous client."""

import os
import socket
import ssl as ssl_module
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from types import TracebackType
from typing import Any, Literal, TypedDict, Unpack, overload

from curlwire.compat.websockets.client import backoff, process_exception
from curlwire.compat.websockets.connecting import Arguments, complete, local_controls
from curlwire.compat.websockets.datastructures import HeadersLike
from curlwire.compat.websockets.exceptions import SecurityError
from curlwire.compat.websockets.failures import connect_failure
from curlwire.compat.websockets.http11 import USER_AGENT
from curlwire.compat.websockets.sync.connection import ClientConnection
from curlwire.compat.websockets.tls import refuse
from curlwire.compat.websockets.typing import LoggerLike, Origin, PathLike, Subprotocol
from curlwire.errors import WebSocketError

__all__ = ["ClientConnection", "connect", "reconnect", "unix_connect", "unix_reconnect"]

MAX_REDIRECTS: int = int(os.environ.get("WEBSOCKETS_MAX_REDIRECTS", "10"))
"""How many redirects a connect follows."""

_OFFERED = ("address", "all_errors", "path", "source_address", "timeout", "unix")


def _old_ssl(kwargs: dict[str, Any]) -> ssl_module.SSLContext | None:
    warnings.warn("ssl_context was renamed to ssl", DeprecationWarning, stacklevel=4)
    context: ssl_module.SSLContext | None = kwargs.pop("ssl_context")
    return context


def _check_names(kwargs: dict[str, Any]) -> None:
    for name in kwargs:
        if name not in _OFFERED:
            raise TypeError(f"connect() got an unexpected keyword argument {name!r}")
    if kwargs.get("timeout") is not None:
        refuse("timeout", "open_timeout limits the whole connect (control connect_timeout)")


class reconnect(Arguments):
    """Connects to a server, in a 'with' block, or in a 'for' loop to reconnect.

    uri: a str that begins with ws:// or wss://. The arguments and defaults are those of websockets. In
    addition to those named here, address, source_address and unix_connect()'s path are understood.
    Raises InvalidURI, InvalidProxy, OSError, InvalidHandshake, TimeoutError, and NotImplementedError for what
    curlwire cannot do. docs/compat-websockets.md lists the differences.
    """

    def __init__(
        self,
        uri: str,
        *,
        sock: socket.socket | None = None,
        ssl: ssl_module.SSLContext | None = None,
        server_hostname: str | None = None,
        origin: Origin | None = None,
        extensions: Sequence[Any] | None = None,
        subprotocols: Sequence[Subprotocol] | None = None,
        compression: str | None = "deflate",
        additional_headers: HeadersLike | None = None,
        user_agent_header: str | None = USER_AGENT,
        proxy: str | Literal[True] | None = True,
        proxy_ssl: ssl_module.SSLContext | None = None,
        proxy_server_hostname: str | None = None,
        process_exception: Callable[[Exception], Exception | None] = process_exception,
        open_timeout: float | None = 10,
        ping_interval: float | None = 20,
        ping_timeout: float | None = 20,
        close_timeout: float | None = 10,
        reconnect_delays: Callable[[], Generator[float]] = backoff,
        max_size: int | tuple[int | None, int | None] | None = 2**20,
        max_queue: int | tuple[int | None, int | None] | None = 16,
        logger: LoggerLike | None = None,
        create_connection: Callable[..., ClientConnection] | None = None,
        **kwargs: Any,
    ) -> None:
        if ssl is None and "ssl_context" in kwargs:
            ssl = _old_ssl(kwargs)
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
        if not self.ws_uri.secure and ssl is not None:
            raise ValueError("ssl argument is incompatible with a ws:// URI")
        _check_names(kwargs)
        self._sock: socket.socket | None = sock
        self._tls: dict[str, Any] = {
            "ssl": ssl, "server_hostname": server_hostname,
            "proxy_ssl": proxy_ssl, "proxy_server_hostname": proxy_server_hostname,
        }  # fmt: skip
        self._kwargs: dict[str, Any] = kwargs
        self._create: Callable[..., ClientConnection] = create_connection or ClientConnection
        self._connection_kwargs: dict[str, Any] = {
            "ping_interval": ping_interval, "ping_timeout": ping_timeout,
            "close_timeout": close_timeout, "max_queue": max_queue,
        }  # fmt: skip
        self._connection: ClientConnection | None = None

    def _attempt(self, deadline: float | None) -> ClientConnection:
        kwargs = self._kwargs
        host, port = kwargs.get("address") or (None, None)
        protocol = self.protocol(
            **self._tls,
            host=host,
            port=port,
            sock=self._sock,
            unix_path=kwargs.get("path") if kwargs.get("unix") else None,
            more=local_controls(kwargs.get("source_address")),
        )
        proxy = str(protocol.controls.get("proxy") or "")
        timed_out = "timed out while waiting for handshake response"
        with complete(protocol):
            connection = self._create(None, protocol, **self._connection_kwargs)
            try:
                connection._open(None if deadline is None else max(0.0, deadline - time.monotonic()))
            except WebSocketError as error:
                if "the proxy" in str(error) and proxy.startswith("http"):
                    timed_out = "timed out while connecting to HTTP proxy"
                raise connect_failure(error, self.uri, proxy, timed_out)
        return connection

    def connect(self) -> ClientConnection:
        """Connects, and follows redirects."""
        deadline = None if self.open_timeout is None else time.monotonic() + self.open_timeout
        for _ in range(MAX_REDIRECTS):
            try:
                return self._attempt(deadline)
            except Exception as exc:
                if not self.process_redirect(
                    exc,
                    is_unix=bool(self._kwargs.get("unix")),
                    has_place=self._kwargs.get("address") is not None,
                    has_sock=self._sock is not None,
                ):
                    raise
        raise SecurityError(f"more than {MAX_REDIRECTS} redirects")

    def __enter__(self) -> ClientConnection:
        if self._connection is not None:
            raise RuntimeError("connect() isn't reentrant")
        self._connection = self.connect()
        return self._connection.__enter__()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.__exit__(exc_type, exc_value, traceback)

    def __iter__(self) -> Iterator[ClientConnection]:
        delays: Generator[float] | None = None
        while True:
            try:
                with self as connection:
                    yield connection
            except Exception as exc:
                delay, delays = self.next_delay(exc, delays)
                time.sleep(delay)
            else:
                delays = None


class ConnectOptions(TypedDict, total=False):
    """The keywords of connect(), for type checkers."""

    sock: socket.socket | None
    ssl: ssl_module.SSLContext | None
    server_hostname: str | None
    origin: Origin | None
    extensions: Sequence[Any] | None
    subprotocols: Sequence[Subprotocol] | None
    compression: str | None
    additional_headers: HeadersLike | None
    user_agent_header: str | None
    proxy: str | Literal[True] | None
    proxy_ssl: ssl_module.SSLContext | None
    proxy_server_hostname: str | None
    open_timeout: float | None
    ping_interval: float | None
    ping_timeout: float | None
    close_timeout: float | None
    max_size: int | tuple[int | None, int | None] | None
    max_queue: int | tuple[int | None, int | None] | None
    logger: LoggerLike | None
    create_connection: Callable[..., ClientConnection] | None
    ssl_context: ssl_module.SSLContext | None  # the old name of ssl
    address: tuple[str, int]
    source_address: tuple[str, int] | None
    timeout: None
    all_errors: bool


class ReconnectOptions(ConnectOptions, total=False):
    """The keywords of reconnect(), for type checkers."""

    process_exception: Callable[[Exception], Exception | None]
    reconnect_delays: Callable[[], Generator[float]]


@overload
def connect(
    uri: str, *, legacy: Literal[True] | None = ..., **kwargs: Unpack[ConnectOptions]
) -> ClientConnection: ...


@overload
def connect(uri: str, *, legacy: Literal[False], **kwargs: Unpack[ConnectOptions]) -> reconnect: ...


def connect(
    uri: str,
    *,
    sock: socket.socket | None = None,
    ssl: ssl_module.SSLContext | None = None,
    server_hostname: str | None = None,
    origin: Origin | None = None,
    extensions: Sequence[Any] | None = None,
    subprotocols: Sequence[Subprotocol] | None = None,
    compression: str | None = "deflate",
    additional_headers: HeadersLike | None = None,
    user_agent_header: str | None = USER_AGENT,
    proxy: str | Literal[True] | None = True,
    proxy_ssl: ssl_module.SSLContext | None = None,
    proxy_server_hostname: str | None = None,
    open_timeout: float | None = 10,
    ping_interval: float | None = 20,
    ping_timeout: float | None = 20,
    close_timeout: float | None = 10,
    max_size: int | tuple[int | None, int | None] | None = 2**20,
    max_queue: int | tuple[int | None, int | None] | None = 16,
    logger: LoggerLike | None = None,
    create_connection: Callable[..., ClientConnection] | None = None,
    legacy: bool | None = None,
    **kwargs: Any,
) -> ClientConnection | reconnect:
    """Connects to a server, and returns the connection. Use it in a 'with' block.

    legacy: False returns a reconnect object instead, as it is for a 'for' loop that reconnects.
    The other arguments are those of reconnect(), without process_exception and reconnect_delays.
    """
    connecter = reconnect(
        uri,
        sock=sock,
        ssl=ssl,
        server_hostname=server_hostname,
        origin=origin,
        extensions=extensions,
        subprotocols=subprotocols,
        compression=compression,
        additional_headers=additional_headers,
        user_agent_header=user_agent_header,
        proxy=proxy,
        proxy_ssl=proxy_ssl,
        proxy_server_hostname=proxy_server_hostname,
        open_timeout=open_timeout,
        ping_interval=ping_interval,
        ping_timeout=ping_timeout,
        close_timeout=close_timeout,
        max_size=max_size,
        max_queue=max_queue,
        logger=logger,
        create_connection=create_connection,
        **kwargs,
    )
    return connecter if legacy is False else connecter.connect()


def unix_reconnect(
    path: PathLike | None = None, uri: str | None = None, **kwargs: Unpack[ReconnectOptions]
) -> reconnect:
    """Does for a Unix socket what reconnect() does for an address.

    path: of the socket. uri: the default is ws://localhost/, with ssl wss://localhost/.
    """
    sock = kwargs.get("sock")
    if path is None and sock is None:
        raise ValueError("missing path argument")
    if path is not None and sock is not None:
        raise ValueError("path and sock arguments are incompatible")
    if uri is None:
        is_plain = kwargs.get("ssl") is None and kwargs.get("ssl_context") is None
        uri = "ws://localhost/" if is_plain else "wss://localhost/"
    return reconnect(uri, unix=True, path=path, **kwargs)


@overload
def unix_connect(
    path: PathLike | None = ...,
    uri: str | None = ...,
    *,
    legacy: Literal[True] | None = ...,
    **kwargs: Unpack[ConnectOptions],
) -> ClientConnection: ...


@overload
def unix_connect(
    path: PathLike | None = ...,
    uri: str | None = ...,
    *,
    legacy: Literal[False],
    **kwargs: Unpack[ConnectOptions],
) -> reconnect: ...


def unix_connect(
    path: PathLike | None = None,
    uri: str | None = None,
    *,
    legacy: bool | None = None,
    **kwargs: Unpack[ConnectOptions],
) -> ClientConnection | reconnect:
    """Connects through a Unix socket, and returns the connection.

    path: of the socket. uri: the default is ws://localhost/, with ssl wss://localhost/. The other arguments are
    those of connect().
    """
    connecter = unix_reconnect(path, uri, **kwargs)
    return connecter if legacy is False else connecter.connect()
