# SPDX-License-Identifier: MIT
"""curlwire.aio with what only asyncio has. test_eventloops.py has the tests of all event loops."""

import asyncio
import subprocess
import sys
import textwrap
import threading
from typing import Any

import pytest

import curlwire
from curlwire import aio
from loops import polled, round_trip, run
from peers import WAIT, Recorded, echo, script


async def send(ws: aio.MessageWebSocket, text: str) -> None:
    await ws.send(text)


def test_tasks_timeouts_and_gather() -> None:
    async def main() -> None:
        async with aio.connect(echo()) as ws:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await ws.recv()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(ws.recv(), 0.01)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02), asyncio.TaskGroup() as group:
                    group.create_task(ws.recv())
                    group.create_task(asyncio.sleep(60))
            first, second = ws.recv(), ws.recv()
            results = await asyncio.gather(first, ws.send("x"))
            assert results == ["x", None]
            done, _ = await asyncio.wait([asyncio.ensure_future(second), asyncio.create_task(send(ws, "y"))])
            assert {task.result() for task in done} == {"y", None}
            ws_recv = asyncio.shield(ws.recv())
            await ws.send("z")
            assert await ws_recv == "z"
        results = await asyncio.gather(ws.send("x"), ws.recv(), return_exceptions=True)
        assert [type(result) for result in results] == [curlwire.ConnectionClosed] * 2

    run(main())


def test_cancelled_recv_loses_no_message() -> None:
    """A task is cancelled in each turn of the loop, also in the one in which the message arrives."""

    async def main() -> None:
        async with aio.connect(echo()) as ws:
            for number in range(200):
                task = asyncio.create_task(ws.recv())
                await asyncio.sleep(0)
                await ws.send(str(number))
                for _ in range(number % 20):
                    await asyncio.sleep(0)
                task.cancel()
                try:
                    got = await task
                except asyncio.CancelledError:
                    got = await ws.recv()
                assert got == str(number)

    run(main())


def test_cancelled_recv_keeps_the_reason_of_the_cancellation() -> None:
    async def main() -> None:
        async with aio.connect(echo()) as ws:
            task = asyncio.create_task(ws.recv())
            await polled(ws)
            task.cancel("because")
            with pytest.raises(asyncio.CancelledError, match="because"):
                await task

    run(main())


def test_dropped_and_closed_awaitables_lose_no_message() -> None:
    async def main() -> None:
        async with aio.connect(echo()) as ws:
            await ws.send_many(["1", "2"])
            await ws._readable(None)
            dropped = ws.recv()
            del dropped
            closed: Any = ws.recv()
            closed.close()
            task = asyncio.ensure_future(ws.recv())
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert [await ws.recv(), await ws.recv()] == ["1", "2"]

    run(main())


def test_cancelled_send_is_whole_or_nothing() -> None:
    """A task that sends is cancelled before it has begun. The message was sent when the call was made."""

    async def main() -> None:
        peer = Recorded("frame:3", "close:1000", "end")
        ws = await aio.connect(peer.url)
        task = asyncio.ensure_future(ws.send("whole"))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await ws.send("end")
        await ws.close()
        assert [frame["length"] for frame in peer.record()["frames"]] == [5, 3, 2]

    run(main())


def test_cancelling_again_ends_the_wait_for_the_handshake() -> None:
    async def main() -> None:
        async def work() -> None:
            async with aio.connect(script("hang")) as ws:
                sockets.append(ws)
                await asyncio.sleep(60)

        sockets: list[Any] = []
        task = asyncio.create_task(work())
        while not sockets:
            await asyncio.sleep(0.001)
        task.cancel()
        while sockets[0].state != "closing":
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        sockets[0].abort()
        await sockets[0].wait_closed()

    run(main())


def test_a_program_does_not_wait_for_a_cancelled_ping() -> None:
    """asyncio.run() ends at once, although the pong does not come, and so does the program."""
    code = """
        import asyncio, sys
        from curlwire import aio
        async def main():
            asyncio.get_running_loop().slow_callback_duration = 1000  # no warnings of a busy machine
            ws = await aio.connect(sys.argv[1])
            try:
                async with asyncio.timeout(0.01):
                    await ws.ping(timeout=5000)
            except TimeoutError:
                ws.abort()
        asyncio.run(main())
    """
    program = [sys.executable, "-X", "dev", "-W", "error", "-c", textwrap.dedent(code), script("hang")]
    done = subprocess.run(program, capture_output=True, text=True, timeout=WAIT, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_many_connections() -> None:
    async def main() -> None:
        sockets = await asyncio.gather(*(aio.connect(echo()) for _ in range(50)))
        for _ in range(5):
            await asyncio.gather(*(round_trip(ws) for ws in sockets))
        await asyncio.gather(*(ws.close() for ws in sockets))

    run(main())


def test_a_call_without_a_loop() -> None:
    ws = run(connected())
    with pytest.raises(curlwire.StateError, match="another event loop"):
        ws.send("x").send(None)
    ws.abort()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            ws.recv().send(None)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert [type(error) for error in failures] == [curlwire.StateError]


async def connected() -> aio.MessageWebSocket:
    return await aio.connect(echo())


def test_each_kind_of_wait_is_alone() -> None:
    """A wait for recv() and a wait for recv_into() refuse each other, also after recv() has waited before."""

    async def main() -> None:
        async with aio.connect(echo()) as ws:
            for text in ("a", "b"):
                await ws.send(text)
                assert await ws.recv() == text
            buffer = bytearray(8)
            into = asyncio.create_task(ws.recv_into(buffer))
            await asyncio.sleep(0)
            with pytest.raises(curlwire.StateError, match="another task"):
                await ws.recv()
            await ws.send("c")
            assert await into == 1
            receiving = asyncio.create_task(asyncio.wait_for(ws.recv(), WAIT))
            while ws._core._is_ready_to_wait is False:
                await asyncio.sleep(0)
            with pytest.raises(curlwire.StateError, match="another task"):
                await ws.recv_into(buffer)
            await ws.send("d")
            assert await receiving == "d"

    run(main())


def test_a_socket_whose_constructor_did_not_run() -> None:
    ws = aio.MessageWebSocket.__new__(aio.MessageWebSocket)
    with pytest.raises(AttributeError, match="call __init__"):
        ws.send("x")
    with pytest.raises(AttributeError, match="call __init__"):
        ws.recv()
    with pytest.raises(TypeError, match="_core must be a MessageWebSocket"):
        ws._core = None  # type: ignore[assignment]
