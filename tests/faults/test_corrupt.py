# SPDX-License-Identifier: MIT
"""A changed byte at every place of handshake and session, both ways: an error or an end, never a crash."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

import driver
from curlwire import WebErrorStatus
from driver import Client, Result
from proxy import Proxy
from test_every_byte import SHAPES, Recorded, Shape, record, whole_messages

PROCESSES = 8  # where a length has changed somebody waits for bytes that never come
# short, since that is what happens then
OPTIONS = "connect_timeout=0.3,receive_timeout=0.2,ping_timeout=0.2,close_timeout=0.2"
OTHER_BITS = ("01", "ff", "80")


def line(shape: Shape, port: int) -> str:
    return driver.session(shape.socket_class, shape.mode, f"ws://127.0.0.1:{port}/", OPTIONS, shape.ops)


def accept_places(recorded: Recorded) -> range:
    """The value that answers our key."""
    begin = recorded.down.lower().index(b"sec-websocket-accept: ") + 22
    return range(begin, begin + 28)


def fault(shape: Shape, recorded: Recorded, direction: str, place: int, got: Result) -> str:
    if got.ops[0].kind != "ok":
        if got.ops[0].kind != "CW_CONNECT_FAILED" or got.ops[0].status == WebErrorStatus.UNKNOWN:
            return "no connect error with a status"
        return "there were events" if got.messages or got.closed else ""
    if direction == "down" and place in accept_places(recorded):
        return "a wrong Sec-WebSocket-Accept was taken"
    if len(got.closed) != 1:
        return f"{len(got.closed)} closed events"
    head = recorded.head_bytes("down")
    before = whole_messages(recorded.down[head:place]) if direction == "down" and place > head else []
    if shape.socket_class == "stream":
        wanted: Sequence[object] = b"".join(data for _, data in before)
        given: Sequence[object] = got.flow
    else:
        wanted, given = before, got.messages
    if any(
        op.kind == "CW_TIMED_OUT" for op in got.ops
    ):  # a busy machine may bring them too late to be received
        wanted = wanted[: len(given)]
    return "" if given[: len(wanted)] == wanted else "what came before the change was not given out"


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("shape", SHAPES[::2], ids=str)
def test_a_changed_byte(client: Client, shape: Shape, direction: str, server: int) -> None:
    recorded = record(client, shape, server)
    # a stream takes the same bytes apart in the same way
    places = range(0, recorded.length(direction), 3 if shape.socket_class == "stream" else 1)
    parts = [places[part::PROCESSES] for part in range(PROCESSES)]
    wrong: list[str] = []
    with Proxy("127.0.0.1", server) as proxy, ThreadPoolExecutor(PROCESSES) as pool:

        def run(part: range) -> list[Result]:
            port = proxy.listen([f"{direction}@{at}:xor:{OTHER_BITS[at % 3]}" for at in part])
            return driver.run(client, [line(shape, port)] * len(part))

        for part, results in zip(parts, pool.map(run, parts), strict=True):
            for place, got in zip(part, results, strict=True):
                if what := fault(shape, recorded, direction, place, got):
                    wrong.append(f"{direction}@{place}: {what}: {got}")
    assert not wrong, f"{len(wrong)} of {len(places)}:\n" + "\n".join(wrong[:5])
