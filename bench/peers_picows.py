# SPDX-License-Identifier: MIT
"""The benchmark's works through picows. They use its core API, a listener whose methods get each frame.

    peers_picows.py <asyncio | uvloop> -

The listener takes each message as bytes, as every other client returns it; the server sends each in one frame.
Sends obey pause_writing, as its documentation recommends for a slower server.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

from peers_async import Times, serve
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect
from worker import WARM_UP, Job, check_flood, check_sum, latencies, now, refuse_deflate, rss_kib, tls_of

BINARY, TEXT, CLOSE = WSMsgType.BINARY, WSMsgType.TEXT, WSMsgType.CLOSE


class Listener(WSListener):  # type: ignore[misc] # a Cython class
    """Calls a function with each data frame, and closes when the server closes."""

    def __init__(self, take: Callable[[WSTransport, bytes], object]) -> None:
        self.take = take
        self.may_write = asyncio.Event()
        self.may_write.set()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
        else:
            self.take(transport, frame.get_payload_as_bytes())

    def pause_writing(self) -> None:
        self.may_write.clear()

    def resume_writing(self) -> None:
        self.may_write.set()


class Picows:
    async def begin(self) -> None:
        pass

    async def end(self) -> None:
        pass


async def open_one(url: str, take: Callable[[WSTransport, bytes], object]) -> tuple[WSTransport, Any]:
    refuse_deflate(url)
    transport, listener = await ws_connect(lambda: Listener(take), url, ssl_context=tls_of(url))
    return transport, listener


async def open_all(url: str, count: int, take: Callable[[WSTransport, bytes], object]) -> list[WSTransport]:
    return [(await open_one(url, take))[0] for _ in range(count)]


async def close_all(transports: list[WSTransport]) -> None:
    for transport in transports:
        transport.send_close()  # the listener disconnects when the answer arrives
    await asyncio.gather(*(transport.wait_disconnected() for transport in transports))


def ignore(transport: WSTransport, payload: bytes) -> None:
    pass


async def roundtrip(client: Any, job: Job) -> Times:
    payload = b"a" * job.size
    done = asyncio.get_running_loop().create_future()
    left = WARM_UP + job.count
    start = now()

    def take(transport: WSTransport, echo: bytes) -> None:
        nonlocal left, start
        left -= 1
        if left > 0:
            if left == job.count:
                start = now()
            transport.send(BINARY, payload)
        else:
            done.set_result(now())

    transport, _ = await open_one(job.echo(), take)
    transport.send(BINARY, payload)
    end = await done
    await close_all([transport])
    return start, end, {}


async def receive(client: Any, job: Job) -> Times:
    got = 0
    last = b""

    def take(transport: WSTransport, payload: bytes) -> None:
        nonlocal got, last
        got += 1
        last = payload

    transport, _ = await open_one(job.source(), take)
    start = now()
    transport.send(TEXT, b"go")
    await transport.wait_disconnected()
    end = now()
    check_flood(got, len(last), job)
    return start, end, {}


async def send(client: Any, job: Job) -> Times:
    payload = b"a" * job.size
    done = asyncio.get_running_loop().create_future()
    transport, listener = await open_one(job.url + "/sink", lambda transport, answer: done.set_result(answer))
    may_write = listener.may_write
    is_set, send = may_write.is_set, transport.send
    start = now()
    for _ in range(job.count):
        if not is_set():
            await may_write.wait()
        send(BINARY, payload)
    transport.send(TEXT, b"?")
    answer = await done
    end = now()
    check_sum(answer, job)
    await close_all([transport])
    return start, end, {}


async def many(client: Any, job: Job) -> Times:
    payload = b"a" * job.size
    done = asyncio.get_running_loop().create_future()
    total = job.trips_each() * job.connections
    left = total - job.connections + 1  # at 0 only the last trips of the other connections are pending

    def take(transport: WSTransport, echo: bytes) -> None:
        nonlocal left
        left -= 1
        if left > 0:
            transport.send(BINARY, echo)
        elif left == 1 - job.connections:
            done.set_result(None)

    transports = await open_all(job.url + "/echo", job.connections, take)
    start = now()
    for transport in transports:
        transport.send(BINARY, payload)
    await done
    end = now()
    await close_all(transports)
    return start, end, {"count": total}


async def latency(client: Any, job: Job) -> Times:
    done = asyncio.get_running_loop().create_future()
    transports = await open_all(
        job.paced(), job.connections, lambda transport, payload: transport.send(BINARY, payload)
    )
    control, _ = await open_one(job.pace(), lambda transport, report: done.set_result(report))
    start = now()
    control.send(TEXT, b"go")
    report = await done
    end = now()
    await close_all([*transports, control])
    return start, end, latencies(report)


async def connect(client: Any, job: Job) -> Times:
    await close_all(await open_all(job.url + "/echo", 1, ignore))
    start = now()
    transports = await open_all(job.url + "/echo", job.count, ignore)
    end = now()
    await close_all(transports)
    return start, end, {}


async def idle(client: Any, job: Job) -> Times:
    echoed = asyncio.Event()
    transports = await open_all(job.url + "/echo", 1, lambda transport, echo: echoed.set())
    first = rss_kib()
    start = now()
    transports += await open_all(job.url + "/echo", job.connections - 1, lambda transport, echo: echoed.set())
    end = now()
    opened = rss_kib()
    for transport in transports:
        echoed.clear()
        transport.send(BINARY, b"a" * job.size)
        await echoed.wait()
    used = rss_kib()
    await close_all(transports)
    each = job.connections - 1
    return (
        start,
        end,
        {
            "rss_kib_each": round((opened - first) / each, 2),
            "rss_kib_each_after_message": round((used - first) / each, 2),
        },
    )


WORKS = {
    "roundtrip": roundtrip,
    "receive": receive,
    "send": send,
    "many": many,
    "latency": latency,
    "connect": connect,
    "idle": idle,
}

if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in ("asyncio", "uvloop"):
        sys.exit(__doc__)
    serve(Picows(), WORKS, "picows", sys.argv[1:])
