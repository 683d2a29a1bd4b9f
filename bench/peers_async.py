# SPDX-License-Identifier: MIT
"""The benchmark's works through the asyncio clients, each used as its documentation recommends.

    peers_async.py <curlwire | compat | websockets | aiohttp | curl_cffi> <asyncio | uvloop> -

picows has its own file, peers_picows.py, because its fast path has no awaitable calls.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
from importlib import metadata
from typing import Any

from worker import (
    WARM_UP,
    Answer,
    Clock,
    Job,
    Unsupported,
    check_flood,
    check_sum,
    latencies,
    main,
    now,
    refuse_deflate,
    rss_kib,
    tls,
    tls_of,
    version_of,
    wants_deflate,
)

Times = tuple[Clock, Clock, Answer]


class Client:
    """The calls as most clients name them. Each client says how it connects, and what it does otherwise."""

    async def end(self) -> None:
        pass

    def send(self, ws: Any) -> Any:
        return ws.send

    async def send_text(self, ws: Any, text: str) -> None:
        await ws.send(text)

    def recv(self, ws: Any) -> Any:
        return ws.recv

    def payload(self, message: Any) -> Any:
        return message

    def iterate(self, ws: Any) -> Any:
        return ws

    async def close(self, ws: Any) -> None:
        await ws.close()


class Curlwire(Client):
    async def begin(self) -> None:
        from curlwire import aio

        self.connect = aio.connect

    async def open(self, url: str) -> Any:
        options: dict[str, Any] = {"compression": "deflate" if wants_deflate(url) else "none"}
        if url.startswith("wss:"):
            options["ca_file"] = os.environ["BENCH_CA"]
        return await self.connect(url, max_message_size=None, **options)


class Websockets(Client):
    library = "websockets"

    async def begin(self) -> None:
        self.connect = importlib.import_module(f"{self.library}.asyncio.client").connect

    async def open(self, url: str) -> Any:
        compression = "deflate" if wants_deflate(url) else None
        return await self.connect(url, compression=compression, max_size=None, ssl=tls_of(url))


class Compat(Websockets):
    """The same program with another import."""

    library = "curlwire.compat.websockets"


class Aiohttp(Client):
    """aiohttp with one session for all connections, as its documentation demands, and without a size limit."""

    async def begin(self) -> None:
        import aiohttp

        # the default limit of 100 connections is meant for HTTP
        self.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, ssl=tls()))

    async def end(self) -> None:
        await self.session.close()

    async def open(self, url: str) -> Any:
        return await self.session.ws_connect(url, max_msg_size=0, compress=15 if wants_deflate(url) else 0)

    def send(self, ws: Any) -> Any:
        return ws.send_bytes

    async def send_text(self, ws: Any, text: str) -> None:
        await ws.send_str(text)

    def recv(self, ws: Any) -> Any:
        return ws.receive

    def payload(self, message: Any) -> Any:
        return message.data


class CurlCffi(Client):
    async def begin(self) -> None:
        from curl_cffi import AsyncSession

        self.session = AsyncSession(verify=os.environ["BENCH_CA"], max_clients=4096)

    async def end(self) -> None:
        await self.session.close()

    async def open(self, url: str) -> Any:
        refuse_deflate(url)
        return await self.session.ws_connect(url)

    def send(self, ws: Any) -> Any:
        return ws.send_binary

    async def send_text(self, ws: Any, text: str) -> None:
        await ws.send_str(text)

    def payload(self, message: Any) -> Any:
        return message[0]

    def iterate(self, ws: Any) -> Any:
        return None


async def roundtrip(client: Any, job: Job) -> Times:
    payload = job.payload()
    ws = await client.open(job.echo())
    send, recv = client.send(ws), client.recv(ws)
    for _ in range(WARM_UP):
        await send(payload)
        await recv()
    start = now()
    for _ in range(job.count):
        await send(payload)
        await recv()
    end = now()
    await client.close(ws)
    return start, end, {}


async def receive(client: Any, job: Job) -> Times:
    got = 0
    last: Any = None
    ws = await client.open(job.source())
    recv, messages = client.recv(ws), client.iterate(ws)
    start = now()
    await client.send_text(ws, "go")
    if messages is None:
        for _ in range(job.count):
            last = await recv()
        got = job.count
    else:
        async for last in messages:  # noqa: B007 - the last is looked at below
            got += 1
    end = now()
    check_flood(got, len(client.payload(last)), job)
    await client.close(ws)
    return start, end, {}


async def send(client: Any, job: Job) -> Times:
    payload = b"a" * job.size
    ws = await client.open(job.url + "/sink")
    send = client.send(ws)
    start = now()
    for _ in range(job.count):
        await send(payload)
    await client.send_text(ws, "?")
    answer = await client.recv(ws)()
    end = now()
    check_sum(client.payload(answer), job)
    await client.close(ws)
    return start, end, {}


async def open_all(client: Any, url: str, count: int) -> list[Any]:
    """Opens connections in groups: the server's queue of new ones and the clients' timeouts are limited."""
    sockets: list[Any] = []
    while len(sockets) < count:
        some = min(50, count - len(sockets))
        sockets += await asyncio.gather(*(client.open(url) for _ in range(some)))
    return sockets


async def close_all(client: Any, sockets: list[Any]) -> None:
    await asyncio.gather(*(client.close(ws) for ws in sockets))


async def many(client: Any, job: Job) -> Times:
    payload = b"a" * job.size
    trips = range(job.trips_each())

    async def work(ws: Any) -> None:
        send, recv = client.send(ws), client.recv(ws)
        for _ in trips:
            await send(payload)
            await recv()

    sockets = await open_all(client, job.url + "/echo", job.connections)
    start = now()
    await asyncio.gather(*(work(ws) for ws in sockets))
    end = now()
    await close_all(client, sockets)
    return start, end, {"count": len(trips) * job.connections}


async def latency(client: Any, job: Job) -> Times:
    share = range(
        max(1, job.count // job.connections)
    )  # the server serves them in turn, so each gets the same number
    job.count = len(share) * job.connections

    async def work(ws: Any) -> None:
        send, recv, payload = client.send(ws), client.recv(ws), client.payload
        for _ in share:
            await send(payload(await recv()))

    sockets = await open_all(client, job.paced(), job.connections)
    tasks = [asyncio.create_task(work(ws)) for ws in sockets]
    control = await client.open(job.pace())
    start = now()
    await client.send_text(control, "go")
    report = client.payload(await client.recv(control)())
    end = now()
    await asyncio.gather(*tasks)
    await close_all(client, [*sockets, control])
    return start, end, latencies(report)


async def connect(client: Any, job: Job) -> Times:
    await client.close(await client.open(job.url + "/echo"))
    start = now()
    sockets = [await client.open(job.url + "/echo") for _ in range(job.count)]
    end = now()
    await close_all(client, sockets)
    return start, end, {}


async def idle(client: Any, job: Job) -> Times:
    sockets = [await client.open(job.url + "/echo")]
    first = rss_kib()
    start = now()
    sockets += [await client.open(job.url + "/echo") for _ in range(job.connections - 1)]
    end = now()
    opened = rss_kib()
    for ws in sockets:
        await client.send(ws)(b"a" * job.size)
        await client.recv(ws)()
    used = rss_kib()
    await close_all(client, sockets)
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
CLIENTS = {
    "curlwire": Curlwire,
    "compat": Compat,
    "websockets": Websockets,
    "aiohttp": Aiohttp,
    "curl_cffi": CurlCffi,
}


async def run(client: Any, works: dict[str, Any], job: Job) -> Times:
    if job.work not in works:
        raise Unsupported(f"this client has no {job.work}")
    await client.begin()
    try:
        times: Times = await works[job.work](client, job)
        return times
    finally:
        await client.end()


def serve(client: Any, works: dict[str, Any], package: str, words: list[str]) -> None:
    """Runs all jobs in one event loop, which words[0] names."""
    name = "curlwire" if package == "compat" else package
    versions = {name: version_of(name)}
    if words[0] == "uvloop":
        import uvloop

        versions["uvloop"] = metadata.version("uvloop")
        loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    else:
        loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    main(lambda job: loop.run_until_complete(run(client, works, job)), versions, words[1:])


if __name__ == "__main__":
    if len(sys.argv) < 4 or sys.argv[1] not in CLIENTS or sys.argv[2] not in ("asyncio", "uvloop"):
        sys.exit(__doc__)
    serve(CLIENTS[sys.argv[1]](), WORKS, sys.argv[1], sys.argv[2:])
