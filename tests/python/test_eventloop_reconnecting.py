# SPDX-License-Identifier: MIT
"""'async for ws in connect()' of curlwire.aio and curlwire.trio, which connects again."""

import socket
from typing import Any
from urllib.parse import urlsplit

import anyio
import pytest

import curlwire
from attempts import AT_ONCE, refusal, scripts, text
from curlwire import ReconnectPolicy
from loops import Loop, loop
from peers import echo, script

__all__ = ["loop"]


def address_of(uri: str) -> tuple[str, int]:
    parts = urlsplit(uri)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


def test_connect_iterates_over_connections(loop: Loop) -> None:
    async def main() -> None:
        uri = scripts(refusal(503), [text("a"), "close:1012"], [text("b"), "end"], [text("c"), "close:1000"])
        got: list[Any] = []
        async for ws in loop.api.connect(uri, policy=AT_ONCE, close_timeout=0.1):
            try:
                async for message in ws:
                    got.append(message)
            except curlwire.ConnectionClosed as error:
                got.append(error.code)
        assert got == ["a", 1012, "b", 1006, "c"]

    loop.run(main)


def test_iterating_raises_what_is_not_retried(loop: Loop) -> None:
    async def main() -> None:
        with pytest.raises(curlwire.HandshakeError):
            async for _ in loop.api.connect(refusal(404), policy=AT_ONCE):
                raise AssertionError("there is no connection")
        turns = 0
        with pytest.raises(curlwire.ConnectionClosed) as caught:
            async for ws in loop.api.connect(script("close:4000"), policy=AT_ONCE):
                turns += 1
                with pytest.raises(curlwire.ConnectionClosed):
                    await ws.recv()
        assert (turns, caught.value.code) == (1, 4000)

    loop.run(main)


def test_a_turn_that_ends_with_an_open_socket_renews_it(loop: Loop) -> None:
    async def main() -> None:
        sockets = []
        async for ws in loop.api.connect(echo(), policy=AT_ONCE):
            sockets.append(ws)
            await ws.send("x")
            assert await ws.recv() == "x"
            if len(sockets) == 3:
                break
        assert [ws.state for ws in sockets[:2]] == ["closed", "closed"]
        assert [ws.close_code for ws in sockets[:2]] == [1000, 1000]
        await sockets[2].close()

    loop.run(main)


def test_functions_of_connect_need_async_for(loop: Loop) -> None:
    async def main() -> None:
        with pytest.raises(TypeError, match="async for"):
            await loop.api.connect(lambda _: echo())
        with pytest.raises(TypeError, match="policy must be"):
            number: Any = 5
            async for _ in loop.api.connect(echo(), policy=number):
                pass

    loop.run(main)


def test_a_given_connection_serves_one_connect(loop: Loop) -> None:
    async def main() -> None:
        given = socket.create_connection(address_of(echo()))
        with pytest.raises(TypeError, match="sock is for one connection"):
            async for _ in loop.api.connect(echo(), policy=AT_ONCE, sock=given):
                pass

    loop.run(main)


def test_cancelling_between_two_connections(loop: Loop) -> None:
    async def main() -> None:
        slow = ReconnectPolicy(delays=[3600.0])
        began = anyio.Event()

        async def iterate() -> None:
            async for ws in loop.api.connect(script("close:1012"), policy=slow):
                with pytest.raises(curlwire.ConnectionClosed):
                    await ws.recv()
                began.set()

        async with anyio.create_task_group() as group:
            group.start_soon(iterate)
            await began.wait()
            group.cancel_scope.cancel()

    loop.run(main)
