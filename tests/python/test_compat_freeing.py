# SPDX-License-Identifier: MIT
"""curlwire.compat.websockets: an exception that is gone keeps no connection alive."""

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from curlwire.compat.websockets import exceptions
from curlwire.compat.websockets.asyncio import client as asyncio_client
from curlwire.compat.websockets.sync import client as sync_client
from peers import echo, url

END = "/s/end"  # a server that drops the connection


@contextmanager
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def iterate(ws: Any) -> None:
    async for _ in ws:
        pass


async def ping(ws: Any) -> None:
    await (await ws.ping())


async def decode(ws: Any) -> None:
    await ws.send(b"\xff")
    await ws.recv(True)


@pytest.mark.parametrize(
    ("call", "is_lost"),
    [
        (lambda ws: ws.recv(), True),
        (lambda ws: ws.send("x"), True),
        (iterate, True),
        (ping, True),
        (decode, False),
    ],
    ids=["recv", "send", "iterate", "ping", "decode"],
)
def test_an_asyncio_connection_is_freed(call: Callable[[Any], Awaitable[None]], is_lost: bool) -> None:
    async def main() -> weakref.ref[Any]:
        ws = await asyncio_client.connect(url("CW_SCRIPT_WS", END) if is_lost else echo())
        if is_lost:
            await ws.wait_closed()
        with pytest.raises(exceptions.ConnectionClosedError):
            await call(ws)
        return weakref.ref(ws)

    with no_collector():
        assert asyncio.run(main())() is None


def decode_now(ws: Any) -> None:
    ws.send(b"\xff")
    ws.recv(None, True)


@pytest.mark.parametrize(
    ("call", "is_lost"),
    [
        (lambda ws: ws.recv(), True),
        (lambda ws: ws.send("x"), True),
        (list, True),
        (lambda ws: ws.ping(), True),
        (decode_now, False),
    ],
    ids=["recv", "send", "iterate", "ping", "decode"],
)
def test_a_synchronous_connection_is_freed(call: Callable[[Any], object], is_lost: bool) -> None:
    def main() -> weakref.ref[Any]:
        ws = sync_client.connect(url("CW_SCRIPT_WS", END) if is_lost else echo())
        if is_lost:
            ws.wait_closed()
        with pytest.raises(exceptions.ConnectionClosedError):
            call(ws)
        return weakref.ref(ws)

    with no_collector():
        assert main()() is None


def other(exc: Exception) -> Exception:
    return ValueError(str(exc))


def same(exc: Exception) -> Exception:
    return exc


FAILURES = [
    (lambda: url("CW_SCRIPT_WS", "/nothing-here"), exceptions.InvalidStatus),
    (lambda: "ws://127.0.0.1:1/", OSError),
]


@pytest.mark.parametrize(("find", "kind"), FAILURES, ids=["status", "network"])
@pytest.mark.parametrize("process", [None, same, other])
def test_a_failed_connect_frees_its_connection(
    find: Callable[[], str], kind: type[Exception], process: Any
) -> None:
    made: list[weakref.ref[Any]] = []
    uri = find()
    wanted = ValueError if process is other else kind

    def note(create: Any) -> Callable[..., Any]:
        def create_noted(*args: Any, **kwargs: Any) -> Any:
            ws = create(*args, **kwargs)
            made.append(weakref.ref(ws))
            return ws

        return create_noted

    async def main() -> None:
        connecting = asyncio_client.connect(
            uri, create_connection=note(asyncio_client.ClientConnection), process_exception=process or same
        )
        with pytest.raises(wanted):
            await (iterate(connecting) if process else connecting)

    def main_now() -> None:
        arguments: dict[str, Any] = {"create_connection": note(sync_client.ClientConnection)}
        with pytest.raises(wanted):
            if process:
                list(sync_client.reconnect(uri, process_exception=process, **arguments))
            else:
                sync_client.connect(uri, **arguments)

    with no_collector():
        asyncio.run(main())
        main_now()
        assert len(made) == 2 and [one() for one in made] == [None, None]
