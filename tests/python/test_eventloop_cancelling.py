# SPDX-License-Identifier: MIT
"""Cancelling calls of curlwire.aio and curlwire.trio at any point.

No message is lost, and the socket is either usable or closed.
"""

import math
import time
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from loops import Job, Loop, loop, polled, round_trip, turn, until
from peers import WAIT, Recorded, echo, script

__all__ = ["loop"]

RECEIVE: dict[str, Callable[[Any], Awaitable[Any]]] = {}


def receiving(call: Callable[[Any], Awaitable[Any]]) -> Callable[[Any], Awaitable[Any]]:
    RECEIVE[call.__name__] = call
    return call


@receiving
async def recv(ws: Any) -> Any:
    return await ws.recv()


@receiving
async def iterate(ws: Any) -> Any:
    return await anext(aiter(ws))


@receiving
async def with_timeout(ws: Any) -> Any:
    return await ws.recv(timeout=WAIT)


@receiving
async def recv_into(ws: Any) -> Any:
    buffer = bytearray(9)
    return buffer[: await ws.recv_into(buffer)].decode()


@receiving
async def recv_stream(ws: Any) -> Any:
    stream = await ws.recv_stream()
    with anyio.CancelScope(shield=True):  # the call that has ended has taken the message
        return (await stream.read()).decode()


@pytest.mark.parametrize("call", RECEIVE.values(), ids=RECEIVE)
def test_cancelled_receive_loses_no_message(loop: Loop, call: Callable[[Any], Awaitable[Any]]) -> None:
    """Also if the message has arrived in the same turn of the loop."""
    outcomes = set()

    async def main() -> None:
        async with loop.api.connect(echo()) as ws, anyio.create_task_group() as group:
            for number in range(60):
                job = Job(group, lambda: call(ws))
                for _ in range(number % 3):
                    await turn()
                await ws.send(str(number))
                for _ in range(number % 20):
                    await turn()
                job.scope.cancel()
                outcomes.add(await job.end())
                got = await call(ws) if job.was_cancelled else job.value
                assert got == str(number)

    loop.run(main)
    assert True in outcomes


def test_cancelled_in_the_turn_in_which_the_message_arrives(loop: Loop) -> None:
    """The loop reads the message and wakes the task. Before the task runs, another task cancels it."""

    async def main() -> None:
        async with loop.api.connect(echo()) as ws, anyio.create_task_group() as group:
            for number in range(30):
                job = Job(group, ws.recv)
                await polled(ws)
                await ws.send(str(number))
                while ws.information.statistics.text_messages_received <= number:
                    time.sleep(0.001)  # the loop is blocked, so the service thread reads
                if ws._waiter is not None:
                    ws._waiter.try_again()
                ws._core._wake(False)
                job.scope.cancel()
                got = await ws.recv() if await job.end() else job.value
                assert got == str(number)

    loop.run(main)


def test_cancelled_send_is_whole_or_nothing(loop: Loop) -> None:
    async def main() -> None:
        peer = Recorded("stall", "gate", "resume", "hang")
        ws = await loop.api.connect(peer.url, outbound_buffer_size=16_384, close_timeout=0.1)
        message = b"x" * 100_000
        sent = 0
        async with anyio.create_task_group() as group:
            while True:
                job = Job(group, lambda: ws.send(message))
                await until(lambda: job.ended.is_set() or ws._writable is not None)  # noqa: B023
                if not job.ended.is_set():
                    break
                sent += 1
            job.scope.cancel()
            sent += not await job.end()  # in that moment the kernel may have taken the rest
        peer.go()
        await ws.send("end")
        await ws.close()
        frames = [frame for frame in peer.record()["frames"] if frame["opcode"] != 8]
        assert [frame["length"] for frame in frames] == [len(message)] * sent + [3]

    loop.run(main)


def test_cancelled_send_of_an_iterable_closes(loop: Loop) -> None:
    """The message cannot be taken back, so the socket closes."""

    async def main() -> None:
        peer = Recorded("frame:2", "close:1011", "end")

        async def pieces() -> Any:
            yield "begun"
            await anyio.sleep(math.inf)

        ws = await loop.api.connect(peer.url)
        async with anyio.create_task_group() as group:
            job = Job(group, lambda: ws.send(pieces()))
            await until(lambda: ws.information.statistics.text_frames_sent == 1)
            job.scope.cancel()
            assert await job.end()
        await ws.wait_closed()
        assert ws.state == "closed"
        last = peer.record()["frames"][-1]
        assert (last["opcode"], last["payload"][:4]) == (8, f"{1011:04x}")

    loop.run(main)


def test_cancelled_connect_ends(loop: Loop) -> None:
    async def main() -> None:
        ws = loop.api.MessageWebSocket()
        async with anyio.create_task_group() as group:
            job = Job(group, lambda: ws.connect(script("hs:", "hang")))
            await until(lambda: ws.state == "connecting")
            job.scope.cancel()
            assert await job.end()
        await until(lambda: ws.state in ("new", "closed"))

    loop.run(main)


def test_cancelled_connect_at_any_point(loop: Loop) -> None:
    """A connect is cancelled after each number of turns. Then the socket is new, closed, or usable."""

    async def main() -> None:
        for turns in range(40):
            ws = loop.api.MessageWebSocket()
            async with anyio.create_task_group() as group:
                job = Job(group, lambda: ws.connect(echo()))  # noqa: B023
                for _ in range(turns):
                    await turn()
                job.scope.cancel()
                if not await job.end():
                    await round_trip(ws)
                    await ws.close()
            await ws.wait_closed()
            await until(lambda: ws.state in ("new", "closed"))  # noqa: B023

    loop.run(main)


def test_cancelling_leaves_the_socket_usable(loop: Loop) -> None:
    """Each call is cancelled after each number of turns that it takes. The socket still works."""

    async def main() -> None:
        async with loop.api.connect(echo()) as ws, anyio.create_task_group() as group:
            for call in (
                ws.ping,
                ws.flush,
                lambda: ws.wait_closed(),
                lambda: ws.recv(timeout=WAIT),
                ws.recv_json,
            ):
                for turns in range(8):
                    job = Job(group, call)
                    for _ in range(turns):
                        await turn()
                    job.scope.cancel()
                    await job.end()
                    assert job.error is None
                await round_trip(ws)

    loop.run(main)


def test_cancelled_close_goes_on(loop: Loop) -> None:
    async def main() -> None:
        peer = Recorded("frame:1", "gate", "close:1000", "hang")
        ws = await loop.api.connect(peer.url)
        async with anyio.create_task_group() as group:
            job = Job(group, ws.close)
            await until(lambda: ws.state == "closing")
            job.scope.cancel()
            assert await job.end()
        assert ws.state == "closing"
        peer.go()
        await ws.wait_closed()
        assert (ws.close_code, ws.was_clean) == (1000, True)

    loop.run(main)


def test_task_group_and_timeout(loop: Loop) -> None:
    async def main() -> None:
        async with loop.api.connect(echo()) as ws:
            with pytest.raises(TimeoutError), anyio.fail_after(0.02):
                async with anyio.create_task_group() as group:
                    group.start_soon(ws.recv)
                    group.start_soon(anyio.sleep, math.inf)
            await round_trip(ws)

    loop.run(main)
