# SPDX-License-Identifier: MIT
"""A handler or function of the program awaits a task that was cancelled. That failure ends nothing else."""

import asyncio
from typing import Any

import pytest

from attempts import AT_ONCE
from curlwire import CertificateError, ReconnectPolicy, aio
from loops import Loop, until
from peers import ca_file, echo, script, url


@pytest.fixture(params=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> Loop:
    """Without trio, where the scope that is cancelled always surrounds what gets the exception."""
    return Loop(request.param)


async def fail(*_: Any) -> None:
    """Awaits a task that is cancelled."""
    task = asyncio.create_task(asyncio.sleep(3600))
    asyncio.get_running_loop().call_soon(task.cancel)
    await task


def test_handlers_of_a_socket(loop: Loop) -> None:
    got: list[str] = []
    closed: list[int] = []

    async def handle(ws: Any, args: Any) -> None:
        got.append(args.data)
        if args.data == "first":
            await fail()

    async def main() -> None:
        ws = aio.MessageWebSocket()
        ws.on_message_received = handle
        ws.on_closed = lambda ws, args: closed.append(args.code)
        await ws.connect(echo())
        for message in ("first", "second"):
            await ws.send(message)
        await until(lambda: len(got) == 2)
        await ws.close()
        await until(lambda: closed == [1000])

    loop.run(main, expects_reports=True)
    assert got == ["first", "second"]
    assert len(loop.reports) == 1


def test_the_certificate_is_rejected(loop: Loop) -> None:
    async def main() -> None:
        ws = aio.MessageWebSocket(ca_file=ca_file())
        ws.on_server_custom_validation_requested = fail
        with pytest.raises(CertificateError):
            await ws.connect(url("CW_ECHO_WSS"))

    loop.run(main, expects_reports=True)
    assert len(loop.reports) == 1


@pytest.mark.parametrize("name", ["on_connected", "on_disconnected", "on_closed"])
def test_handlers_of_a_reconnecting_socket(loop: Loop, name: str) -> None:
    attempts: list[int] = []

    def uri(attempt: int) -> str:
        attempts.append(attempt)
        return script("close:1012") if attempt == 1 else echo()

    async def main() -> None:
        ws = aio.ReconnectingWebSocket(uri, policy=AT_ONCE)
        setattr(ws, name, fail)
        async with ws:
            await until(lambda: len(attempts) == 2 and ws.socket is not None)
            await ws.send("x")
            assert await ws.recv() == "x"

    loop.run(main, expects_reports=True)
    assert len(loop.reports) == (1 if name == "on_closed" else 2)


@pytest.mark.parametrize("part", ["uri", "headers", "subprotocols"])
def test_functions_for_a_connect(loop: Loop, part: str) -> None:
    """That attempt has failed, and another one follows."""
    attempts: list[int] = []
    values: dict[str, Any] = {"uri": echo(), "headers": None, "subprotocols": None}

    async def function(attempt: int) -> Any:
        attempts.append(attempt)
        if attempt == 1:
            await fail()
        return values[part]

    async def main() -> None:
        arguments = {**values, part: function}
        uri = arguments.pop("uri")
        async with aio.ReconnectingWebSocket(uri, policy=AT_ONCE, **arguments) as ws:
            await ws.send("x")
            assert await ws.recv() == "x"
        async for other in aio.connect(uri, policy=AT_ONCE, **arguments):
            await other.close()

    loop.run(main)
    assert attempts == [1, 2, 1, 2]


def test_should_retry(loop: Loop) -> None:
    """As with its other exceptions, no attempt follows."""

    async def main() -> None:
        policy = ReconnectPolicy(should_retry=fail)
        ws = aio.ReconnectingWebSocket(script("end"), policy=policy)
        with pytest.raises(RuntimeError, match="awaited a task that was cancelled"):
            await ws.connect()
            await ws.recv()

    loop.run(main)


def test_the_task_that_calls_a_handler_is_cancelled(loop: Loop) -> None:
    """That still ends the task, and is no failure of the handler."""
    began: list[str] = []
    ended: list[str] = []

    async def handle(ws: Any, args: Any) -> None:
        began.append(args.data)
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(args.data)

    async def main() -> None:
        ws = aio.MessageWebSocket()
        ws.on_message_received = handle
        await ws.connect(echo())
        await ws.send("x")
        await until(lambda: began == ["x"])
        task = ws._receiver
        ws.on_message_received = None  # cancels the task
        await until(lambda: ended == ["x"])
        await until(task.done)
        assert task.cancelled()
        ws.abort()

    loop.run(main)
