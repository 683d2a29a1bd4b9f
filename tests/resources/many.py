# SPDX-License-Identifier: MIT
"""Makes COUNT connections that end in every way, and checks that descriptors and memory do not grow.

many.py URL REFUSED COUNT does the same as many.c, and prints "done" at the end.
"""

import contextlib
import faulthandler
import gc
import os
import sys
from collections.abc import Callable

import curlwire
from curlwire import _core

URL, REFUSED, COUNT = sys.argv[1:]
WARM_UP = 600
PAGE_BYTES = os.sysconf("SC_PAGESIZE")
SLACK_BYTES, SLACK_BLOCKS = 3_000_000, 200
KEPT = 20  # so many sockets are kept until the next ones exist


def closed() -> curlwire.WebSocket:
    ws = curlwire.connect(URL + "/echo")
    ws.send("echo")
    assert ws.recv() == "echo"
    ws.close(1000, "end")
    ws.wait_closed()
    ws.close()
    return ws


def closing() -> curlwire.WebSocket:
    ws = curlwire.connect(URL + "/echo", curlwire.StreamWebSocket)
    ws.close()
    return ws


def dropped() -> curlwire.WebSocket:
    return curlwire.connect(URL + "/echo")


def dropped_in_a_circle() -> curlwire.WebSocket:
    ws = curlwire.MessageWebSocket()
    ws.on_closed = lambda _, args: ws.close()
    ws.connect(URL + "/echo")
    ws.close()
    return ws


def aborted() -> curlwire.WebSocket:
    ws = curlwire.connect(URL + "/echo")
    ws.abort()
    return ws


def closed_by_peer() -> curlwire.WebSocket:
    ws = curlwire.connect(URL + "/source?size=9&count=2")
    assert len(list(ws)) == 2
    return ws


def with_streams() -> curlwire.WebSocket:
    ws = curlwire.connect(URL + "/echo", curlwire.StreamWebSocket)
    ws.output_stream.write(b"echo")
    assert ws.input_stream.read(4) == b"echo"
    return ws


def failing(url: str) -> curlwire.WebSocket:
    ws = curlwire.MessageWebSocket()
    with contextlib.suppress(curlwire.ConnectError):
        ws.connect(url)
        raise AssertionError("connected")
    return ws


FATES: list[Callable[[], curlwire.WebSocket]] = [
    closed,
    closing,
    dropped,
    dropped_in_a_circle,
    aborted,
    closed_by_peer,
    with_streams,
    lambda: failing(REFUSED),
    lambda: failing(URL + "/nowhere"),
    curlwire.MessageWebSocket,
]


def live(count: int) -> tuple[int, int, int]:
    """Uses so many sockets. Returns the descriptors, the bytes of memory and Python's blocks afterwards."""
    kept: list[curlwire.WebSocket] = []
    for number in range(count):
        kept.append(FATES[number % len(FATES)]())
        del kept[:-KEPT]
    kept.clear()
    curlwire.run_forever()
    gc.collect()
    _core.shutdown(20)
    with open("/proc/self/statm") as file:
        resident = int(file.read().split()[1]) * PAGE_BYTES
    return len(os.listdir("/proc/self/fd")), resident, sys.getallocatedblocks()


def main() -> None:
    faulthandler.dump_traceback_later(270, exit=True)
    with curlwire.connect(URL + "/echo") as ws, contextlib.suppress(curlwire.WebSocketTimeout):
        ws.recv(timeout=0.01)  # allocates the objects with which this thread waits, and which it keeps
    before = live(WARM_UP)
    after = live(int(COUNT))
    print("descriptors, bytes, blocks:", before, after)
    assert after[0] == before[0]
    assert after[1] < before[1] + SLACK_BYTES
    assert after[2] < before[2] + SLACK_BLOCKS
    print("done")


main()
