# SPDX-License-Identifier: MIT
"""The works of worker.py with blocking calls, for curlwire (python_bench.py) and the other blocking clients.

A client returns the library's own calls, so that no code of the benchmark is between the loop and the library.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

from worker import (
    WARM_UP,
    Answer,
    Clock,
    Job,
    Unsupported,
    check_flood,
    check_sum,
    latencies,
    now,
    rss_kib,
)

MOST_THREADS = 100


class Client(Protocol):
    """A library with blocking calls. A connection is an object of any type."""

    def open(self, url: str) -> Any: ...
    def send(self, ws: Any) -> Any:
        """Returns the call that sends a binary message."""

    def send_text(self, ws: Any, text: str) -> None: ...
    def recv(self, ws: Any) -> Any:
        """Returns the call that waits for a message."""

    def payload(self, message: Any) -> Any:
        """Returns the payload of a message that recv has returned."""

    def iterate(self, ws: Any) -> Any:
        """Returns an iterator over messages until the connection ends, or None if the library has none."""

    def close(self, ws: Any) -> None: ...


def roundtrip(client: Client, job: Job) -> tuple[Clock, Clock, Answer]:
    payload = job.payload()
    ws = client.open(job.echo())
    send, recv = client.send(ws), client.recv(ws)
    for _ in range(WARM_UP):
        send(payload)
        recv()
    start = now()
    for _ in range(job.count):
        send(payload)
        recv()
    end = now()
    client.close(ws)
    return start, end, {}


def receive(client: Client, job: Job) -> tuple[Clock, Clock, Answer]:
    got = 0
    last: Any = b""
    ws = client.open(job.source())
    recv, messages = client.recv(ws), client.iterate(ws)
    start = now()
    client.send_text(ws, "go")
    if messages is None:
        for _ in range(job.count):
            last = recv()
        got = job.count
    else:
        for last in messages:  # noqa: B007 - the last is looked at below
            got += 1
    end = now()
    check_flood(got, len(client.payload(last)), job)
    client.close(ws)
    return start, end, {}


def send(client: Client, job: Job) -> tuple[Clock, Clock, Answer]:
    payload = b"a" * job.size
    ws = client.open(job.url + "/sink")
    send = client.send(ws)
    start = now()
    for _ in range(job.count):
        send(payload)
    client.send_text(ws, "?")
    answer = client.recv(ws)()
    end = now()
    check_sum(client.payload(answer), job)
    client.close(ws)
    return start, end, {}


def open_for_threads(client: Client, url: str, connections: int) -> list[Any]:
    if connections > MOST_THREADS:
        raise Unsupported(
            f"a blocking client needs a thread for each connection, and the benchmark allows {MOST_THREADS}"
        )
    return [client.open(url) for _ in range(connections)]


def in_threads(sockets: list[Any], work: Callable[[Any], None]) -> list[threading.Thread]:
    threads = [threading.Thread(target=work, args=(ws,)) for ws in sockets]
    for thread in threads:
        thread.start()
    return threads


def many(client: Client, job: Job) -> tuple[Clock, Clock, Answer]:
    payload = b"a" * job.size
    trips = range(job.trips_each())

    def work(ws: Any) -> None:
        send, recv = client.send(ws), client.recv(ws)
        for _ in trips:
            send(payload)
            recv()

    sockets = open_for_threads(client, job.url + "/echo", job.connections)
    start = now()
    for thread in in_threads(sockets, work):
        thread.join()
    end = now()
    for ws in sockets:
        client.close(ws)
    return start, end, {"count": len(trips) * job.connections}


def latency(client: Client, job: Job) -> tuple[Clock, Clock, Answer]:
    share = range(
        max(1, job.count // job.connections)
    )  # the server serves them in turn, so each gets the same number
    job.count = len(share) * job.connections

    def work(ws: Any) -> None:
        send, recv, payload = client.send(ws), client.recv(ws), client.payload
        for _ in share:
            send(payload(recv()))

    sockets = open_for_threads(client, job.paced(), job.connections)
    threads = in_threads(sockets, work)
    control = client.open(job.pace())
    start = now()
    client.send_text(control, "go")
    report = client.payload(client.recv(control)())
    end = now()
    for thread in threads:
        thread.join()
    for ws in [*sockets, control]:
        client.close(ws)
    return start, end, latencies(report)


def connect(client: Client, job: Job) -> tuple[Clock, Clock, Answer]:
    client.close(client.open(job.url + "/echo"))
    start = now()
    sockets = [client.open(job.url + "/echo") for _ in range(job.count)]
    end = now()
    for ws in sockets:
        client.close(ws)
    return start, end, {}


def idle(client: Client, job: Job) -> tuple[Clock, Clock, Answer]:
    sockets = [client.open(job.url + "/echo")]
    first = rss_kib()
    start = now()
    sockets += [client.open(job.url + "/echo") for _ in range(job.connections - 1)]
    end = now()
    opened = rss_kib()
    for ws in sockets:
        client.send(ws)(b"a" * job.size)
        client.recv(ws)()
    used = rss_kib()
    for ws in sockets:
        client.close(ws)
    each = job.connections - 1
    return (
        start,
        end,
        {
            "rss_kib_each": round((opened - first) / each, 2),
            "rss_kib_each_after_message": round((used - first) / each, 2),
        },
    )


WORKS: dict[str, Callable[[Client, Job], tuple[Clock, Clock, Answer]]] = {
    "roundtrip": roundtrip,
    "receive": receive,
    "send": send,
    "many": many,
    "latency": latency,
    "connect": connect,
    "idle": idle,
}


def run(client: Client, job: Job) -> tuple[Clock, Clock, Answer]:
    if job.work not in WORKS:
        raise Unsupported(f"this client has no {job.work}")
    return WORKS[job.work](client, job)
