# SPDX-License-Identifier: MIT
"""ping() of curlwire.aio and curlwire.trio, which waits in the loop."""

import threading
from typing import Any

import anyio
import pytest

from curlwire import ConnectionClosed, StateError, WebErrorStatus, WebSocketTimeout
from loops import Job, Loop, loop, polled, round_trip, until
from peers import WAIT, Recorded, echo, script

__all__ = ["loop"]


def test_ping_in_a_loop(loop: Loop) -> None:
    """Also while another task receives."""

    async def main() -> None:
        async with loop.api.connect(echo()) as ws, anyio.create_task_group() as group:
            seconds = await ws.ping()
            assert isinstance(seconds, float)
            assert 0 < seconds < WAIT
            assert 0 < await ws.ping(timeout=None) < WAIT
            receiver = Job(group, ws.recv)
            await polled(ws)
            assert 0 < await ws.ping() < WAIT
            await ws.send("x")
            assert await receiver.result() == "x"
            assert ws.information.statistics.pings_sent == 3

    loop.run(main)


def test_many_pings_in_a_loop(loop: Loop) -> None:
    """64 wait at a time, without threads. Those that are cancelled make room."""

    async def main() -> None:
        threads = set(threading.enumerate())
        peer = Recorded("gate", "echo", "end")
        ws = await loop.api.connect(peer.url, ping_interval=None, close_timeout=0.1)
        async with anyio.create_task_group() as group:
            jobs = [Job(group, lambda: ws.ping(WAIT)) for _ in range(64)]
            await until(lambda: ws.information.statistics.pings_sent == 64)
            assert set(threading.enumerate()) <= threads
            with pytest.raises(WebSocketTimeout, match="64 pings already wait"):
                await ws.ping()
            for job in jobs[:60]:
                job.scope.cancel()
                assert await job.end()
            more = [Job(group, lambda: ws.ping(WAIT)) for _ in range(60)]
            await until(lambda: ws.information.statistics.pings_sent == 124)
            assert not any(job.ended.is_set() for job in jobs[60:] + more)
            peer.go()
            for job in jobs[60:] + more:
                assert 0 < await job.result() < WAIT
        await round_trip(ws)
        await ws.close()

    loop.run(main)


@pytest.mark.parametrize("code", [1006, 1001])
def test_a_ping_ends_with_the_connection(loop: Loop, code: int) -> None:
    async def main() -> None:
        peer = Recorded("frame:2", "end" if code == 1006 else f"close:{code}", "hang")
        ws = await loop.api.connect(peer.url, close_timeout=0.1)
        async with anyio.create_task_group() as group:
            for job in [Job(group, lambda: ws.ping(timeout=None)) for _ in range(2)]:
                with pytest.raises(ConnectionClosed) as caught:
                    await job.result()
                assert caught.value.code == code
                assert (caught.value.__cause__ is not None) == (code == 1006)
            with pytest.raises(ConnectionClosed):
                await ws.ping()
        ws.abort()
        await ws.wait_closed()

    loop.run(main)


@pytest.mark.parametrize("call", ["close", "abort"])
def test_a_ping_ends_when_the_program_closes(loop: Loop, call: str) -> None:
    async def main() -> None:
        ws = await loop.api.connect(script("hang"), close_timeout=0.1)
        async with anyio.create_task_group() as group:
            job = Job(group, lambda: ws.ping(timeout=None))
            await until(lambda: ws.information.statistics.pings_sent == 1)
            if call == "abort":
                ws.abort()
            else:
                await ws.close()
            with pytest.raises(ConnectionClosed, match="closed by this program"):
                await job.result()
        await ws.wait_closed()

    loop.run(main)


def test_limits_of_a_ping_in_a_loop(loop: Loop) -> None:
    async def main() -> None:
        ws = loop.api.MessageWebSocket(ping_timeout=0.01)
        with pytest.raises(StateError, match="not connected"):
            await ws.ping()
        await ws.connect(script("hang"))
        with pytest.raises(WebSocketTimeout, match=r"after 0\.01 s waiting for a pong") as caught:
            await ws.ping()
        assert (caught.value.option, caught.value.status) == ("ping_timeout", WebErrorStatus.TIMEOUT)
        for seconds in (0.02, 0):
            with pytest.raises(WebSocketTimeout, match=f"after {seconds} s") as caught:
                await ws.ping(timeout=seconds)
            assert caught.value.option is None
        wrong: Any = "DEFAULT"
        with pytest.raises(TypeError, match="must be a number of seconds"):
            await ws.ping(wrong)
        assert ws.state == "open"
        ws.abort()

    loop.run(main)
