# SPDX-License-Identifier: MIT
"""The work of bare.c through curlwire's Python module, with blocking calls. Prints one line of JSON.

roundtrip   ws.send, ws.recv
receive     "for message in ws", from a flooding server, to the end of the connection
send        ws.send in a loop; ends when the server says that all have come
"""

import json
import resource
import sys
import time

import curlwire

WARM_UP = 200
Clock = tuple[float, float]


def now() -> Clock:
    use = resource.getrusage(resource.RUSAGE_SELF)
    return time.perf_counter(), use.ru_utime + use.ru_stime


def roundtrip(url: str, count: int, size: int) -> tuple[Clock, Clock]:
    payload = b"a" * size
    with curlwire.connect(url + "/echo") as ws:
        for _ in range(WARM_UP):
            ws.send(payload)
            ws.recv()
        start = now()
        for _ in range(count):
            ws.send(payload)
            ws.recv()
        return start, now()


def receive(url: str, count: int, size: int) -> tuple[Clock, Clock]:
    got = 0
    last: str | bytes = b""
    with curlwire.connect(f"{url}/source?size={size}&count={count}&wait=1") as ws:
        start = now()
        ws.send("go")
        for message in ws:
            got += 1
            last = message
        end = now()
    if got != count or len(last) != size:
        sys.exit(f"{got} messages came, not {count}, or they are not of {size} bytes")
    return start, end


def send(url: str, count: int, size: int) -> tuple[Clock, Clock]:
    payload = b"a" * size
    with curlwire.connect(url + "/sink") as ws:
        start = now()
        for _ in range(count):
            ws.send(payload)
        ws.send("?")
        answer = ws.recv()
        end = now()
    if answer != str(count * size):
        sys.exit(f"the server has counted {answer!r} bytes, not {count * size}")
    return start, end


WORKS = {"roundtrip": roundtrip, "receive": receive, "send": send}


def main(arguments: list[str]) -> None:
    if len(arguments) not in (3, 4) or arguments[0] not in WORKS:
        sys.exit("usage: python_bench.py <roundtrip|receive|send> <ws://host:port> <count> [size in bytes, 32]")
    work, url, count = arguments[0], arguments[1], int(arguments[2])
    size = int(arguments[3]) if len(arguments) == 4 else 32
    start, end = WORKS[work](url, count, size)
    print(
        json.dumps(
            {
                "program": "python",
                "work": work,
                "size_bytes": size,
                "count": count,
                "seconds": round(end[0] - start[0], 6),
                "processor_seconds": round(end[1] - start[1], 6),
                "python": sys.version.split()[0],
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1:])
