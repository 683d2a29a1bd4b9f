# SPDX-License-Identifier: MIT
"""Code that the Python programs of the benchmark share: it reads jobs, has clocks, and prints lines of JSON.

A job is a line of words: the work, the server, the number of messages, their size in bytes (32), the number of
connections (1). With the single argument "-" the program reads jobs from its standard input until that ends.
Otherwise its arguments are the job. The works:

roundtrip   sends a message and waits for its echo
receive     receives from a flooding server until the end
send        sends messages one by one; ends when the server has reported every byte
many        makes round trips on many connections at once; the count is for all together
latency     echoes messages that the server sends at a fixed rate (the "size") to many connections; the server
            times each from the moment when it was due (pace.h)
connect     opens connections one after another; they stay open until the end
idle        does the same, and measures their memory

With "deflated-" before the name, roundtrip and receive use compressed messages, without context takeover.
"""

from __future__ import annotations

import json
import os
import resource
import ssl
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from typing import Any

WARM_UP = 200
Clock = tuple[float, float]
Answer = dict[str, Any]


class Unsupported(Exception):
    """Raised if this client cannot do a work; the text says why."""


@dataclass
class Job:
    work: str
    url: str
    count: int
    size: int = 32
    connections: int = 1
    is_deflated: bool = field(default=False, init=False)

    def echo(self) -> str:
        return f"{self.url}/echo" + ("?deflate=1" if self.is_deflated else "")

    def payload(self) -> bytes:
        return records(self.size) if self.is_deflated else b"a" * self.size

    def source(self) -> str:
        deflate = "&deflate=1" if self.is_deflated else ""
        return f"{self.url}/source?size={self.size}&count={self.count}&wait=1{deflate}"

    def paced(self) -> str:
        return f"{self.url}/paced?size=32"

    def pace(self) -> str:
        return f"{self.url}/pace?rate={self.size}&count={self.count}"

    def trips_each(self) -> int:
        return max(1, self.count // self.connections)


def version_of(package: str) -> str:
    """Returns the version of a client; curlwire is used where it was built, and not installed."""
    if package == "curlwire":
        import curlwire

        return curlwire.__version__
    return metadata.version(package)


def records(size: int) -> bytes:
    """Text that compresses like typical messages; server.c makes the same."""
    number, lines, length = 1, [], 0
    while length < size:
        number = (number * 1103515245 + 12345) & 0xFFFFFFFF
        price = f"{number >> 20}.{number >> 8 & 63:02}"
        lines.append(f'{{"id":{number >> 16},"bid":{price},"quantity":{number >> 4 & 1023}}}\n')
        length += len(lines[-1])
    return "".join(lines).encode()[:size]


def wants_deflate(url: str) -> bool:
    return "deflate=1" in url


def refuse_deflate(url: str) -> None:
    """Refuses compressed works, for clients that cannot compress."""
    if wants_deflate(url):
        raise Unsupported("this client has no compression")


def now() -> Clock:
    use = resource.getrusage(resource.RUSAGE_SELF)
    return time.perf_counter(), use.ru_utime + use.ru_stime


def rss_kib() -> int:
    with open("/proc/self/smaps_rollup", encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("Rss:"))


@cache
def tls() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=os.environ["BENCH_CA"])


def tls_of(url: str) -> ssl.SSLContext | None:
    return tls() if url.startswith("wss:") else None


def check_sum(answer: str | bytes, job: Job) -> None:
    """Checks the server's answer to "?" at /sink."""
    text = answer if isinstance(answer, str) else answer.decode()
    if text != str(job.count * job.size):
        sys.exit(f"the server counted {text} bytes instead of {job.count * job.size}")


def check_flood(got: int, length: int, job: Job) -> None:
    if got != job.count or length != job.size:
        sys.exit(f"{got} messages came, not {job.count}, or they are not of {job.size} bytes")


def latencies(report: str | bytes) -> Answer:
    text = report if isinstance(report, str) else report.decode()
    names = ("count", "p50_us", "p99_us", "p999_us", "max_us")
    return dict(zip(names, map(int, text.split()), strict=True))


def answer(job: Job, start: Clock, end: Clock, more: Answer, versions: Answer) -> str:
    return json.dumps(
        {
            "work": job.work,
            "size_bytes": job.size,
            "count": job.count,
            "connections": job.connections,
            "seconds": round(end[0] - start[0], 6),
            "processor_seconds": round(end[1] - start[1], 6),
            "python": sys.version.split()[0],
            **versions,
            **more,
        }
    )


def main(run: Callable[[Job], tuple[Clock, Clock, Answer]], versions: Answer, words: list[str]) -> None:
    lines = [" ".join(words)] if words != ["-"] else sys.stdin
    for line in lines:
        work, url, *numbers = line.split()
        job = Job(work.removeprefix("deflated-"), url, *map(int, numbers))
        job.is_deflated = work.startswith("deflated-")
        try:
            text = answer(job, *run(job), versions)
        except Unsupported as reason:
            text = json.dumps({"work": work, "unsupported": str(reason)})
        print(text, flush=True)
