# SPDX-License-Identifier: MIT
"""The benchmark's works through curlwire's Python module: blocking calls, the iterator, and handlers for many
connections.

    python_bench.py <work> <ws://host:port> <count> [size in bytes, 32] [connections, 1], or python_bench.py -

Besides the works of worker.py:
into        receives each message into the caller's buffer (recv_into)
view        receives each message as a view, without a copy (recv(copy=False))
several     sends 64 messages in a call (send_many)
batch       sends one message in a call, inside ws.batch()
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Any, Literal

import blocking
from worker import (
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
    wants_deflate,
)

import curlwire

BATCH = 64


class Curlwire:
    def open(self, url: str) -> Any:
        compression: Literal["deflate", "none"] = "deflate" if wants_deflate(url) else "none"
        if os.environ.get("CURLWIRE_FRAMING") == "curl":
            refuse_deflate(url)
        return curlwire.connect(url, ca_file=os.environ.get("BENCH_CA"), compression=compression)

    def send(self, ws: Any) -> Any:
        return ws.send

    def send_text(self, ws: Any, text: str) -> None:
        ws.send(text)

    def recv(self, ws: Any) -> Any:
        return ws.recv

    def payload(self, message: Any) -> Any:
        return message

    def iterate(self, ws: Any) -> Any:
        return ws

    def close(self, ws: Any) -> None:
        ws.close()


def into(job: Job) -> tuple[Clock, Clock, Answer]:
    ws = client.open(job.source())
    if not hasattr(ws, "recv_into"):
        raise Unsupported("this version has no recv_into")
    recv_into, buffer = ws.recv_into, bytearray(job.size)
    length = 0
    start = now()
    ws.send("go")
    for _ in range(job.count):
        length = recv_into(buffer)
    end = now()
    check_flood(job.count, length, job)
    return start, end, {}


def view(job: Job) -> tuple[Clock, Clock, Answer]:
    ws = client.open(job.source())
    recv = ws.recv
    last: Any = b""
    start = now()
    ws.send("go")
    for _ in range(job.count):
        last = recv(copy=False)
    end = now()
    check_flood(job.count, len(last), job)
    return start, end, {}


def several(job: Job) -> tuple[Clock, Clock, Answer]:
    ws = client.open(job.url + "/sink")
    if not hasattr(ws, "send_many"):
        raise Unsupported("this version has no send_many")
    send_many, payload = ws.send_many, b"a" * job.size
    whole, rest = divmod(job.count, BATCH)
    messages = [payload] * BATCH
    start = now()
    for _ in range(whole):
        send_many(messages)
    send_many([payload] * rest)
    ws.send("?")
    answer = ws.recv()
    end = now()
    check_sum(answer, job)
    ws.close()
    return start, end, {}


def batch(job: Job) -> tuple[Clock, Clock, Answer]:
    ws = client.open(job.url + "/sink")
    if not hasattr(ws, "batch"):
        raise Unsupported("this version has no batch")
    send, payload = ws.send, b"a" * job.size
    start = now()
    with ws.batch():
        for _ in range(job.count):
            send(payload)
    ws.send("?")
    answer = ws.recv()
    end = now()
    check_sum(answer, job)
    ws.close()
    return start, end, {}


def open_with_handler(url: str, count: int, handler: Callable[[Any, Any], object]) -> list[Any]:
    sockets = []
    for _ in range(count):
        ws = curlwire.MessageWebSocket(ca_file=os.environ.get("BENCH_CA"))
        ws.on_message_received = handler
        ws.connect(url)
        sockets.append(ws)
    return sockets


def many(job: Job) -> tuple[Clock, Clock, Answer]:
    payload = b"a" * job.size
    total = job.trips_each() * job.connections
    left = total - job.connections + 1  # at 0 only the last trips of the other connections are pending
    done = threading.Event()

    def handler(ws: Any, args: Any) -> None:
        nonlocal left
        left -= 1
        if left > 0:
            ws.send(args.data)
        elif left == 1 - job.connections:
            done.set()

    sockets = open_with_handler(job.url + "/echo", job.connections, handler)
    start = now()
    for ws in sockets:
        ws.send(payload)
    done.wait()
    end = now()
    for ws in sockets:
        ws.close()
    return start, end, {"count": total}


def latency(job: Job) -> tuple[Clock, Clock, Answer]:
    if job.connections == 1:
        return blocking.latency(client, job)
    sockets = open_with_handler(job.paced(), job.connections, lambda ws, args: ws.send(args.data))
    control = client.open(job.pace())
    start = now()
    control.send("go")
    report = control.recv(timeout=60)
    end = now()
    for ws in [*sockets, control]:
        ws.close()
    return start, end, latencies(report)


client = Curlwire()
OWN = {"into": into, "view": view, "several": several, "batch": batch, "many": many, "latency": latency}


def run(job: Job) -> tuple[Clock, Clock, Answer]:
    return OWN[job.work](job) if job.work in OWN else blocking.run(client, job)


if __name__ == "__main__":
    if sys.argv[1:] != ["-"] and len(sys.argv) < 4:
        sys.exit(__doc__)
    main(run, {"curlwire": getattr(curlwire, "__version__", "?")}, sys.argv[1:])
