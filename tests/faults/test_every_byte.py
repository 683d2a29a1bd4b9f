# SPDX-License-Identifier: MIT
"""A cut and a reset at every byte of a recorded handshake and session, in both directions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

import driver
from curlwire import WebErrorStatus
from driver import Client, Result
from proxy import Connection, Proxy
from server import LEFT, PLAYED_BINARY, PLAYED_TEXT

GREETING = "grüß dich"
BYTES = bytes(range(256))[:130]  # a length of two bytes
PROCESSES = 2  # the cores there are at least

CUT = WebErrorStatus.ERROR_HTTP_INVALID_SERVER_RESPONSE
RESET = WebErrorStatus.CONNECTION_RESET


@dataclass(frozen=True)
class Shape:
    """A class and a way to receive, the ops of its session, and the end that it comes to."""

    socket_class: str
    mode: str
    ops: str
    end: tuple[int, bool, str]

    def __str__(self) -> str:
        return f"{self.socket_class}-{self.mode}"


def message_ops(ending: str) -> str:
    fragments = " ".join(f"part:{part.encode().hex()}" for part in ("eins ", "zwei "))
    return (
        f"connect {driver.text(GREETING)} recv binary:{BYTES.hex()} recv {fragments} last:{b'drei'.hex()} recv "
        f"ping {driver.text('play')} recv recv {ending}"
    )


PLAYED = len("".join(PLAYED_TEXT)) + len(PLAYED_BINARY)
SHAPES = (
    Shape("message", "blocking", message_ops(f"{driver.close(1000, 'bye')} wait"), (1000, True, "")),
    # here the server ends it
    Shape("message", "handlers", message_ops(f"{driver.text('leave')} recv"), (LEFT[0], True, LEFT[1])),
    Shape(
        "stream",
        "blocking",
        f"connect binary:{BYTES.hex()} recv:{len(BYTES)} ping {driver.text('play')} recv:{PLAYED} "
        f"{driver.close(1000, 'bye')} wait",
        (1000, True, ""),
    ),
)


@dataclass(frozen=True)
class Recorded:
    """A session in which nothing went wrong."""

    up: bytes
    down: bytes
    result: Result

    def head_bytes(self, direction: str) -> int:
        """Where the handshake's bytes end."""
        return (self.up if direction == "up" else self.down).index(b"\r\n\r\n") + 4

    def length(self, direction: str) -> int:
        return len(self.up if direction == "up" else self.down)


def line(shape: Shape, port: int) -> str:
    return driver.session(shape.socket_class, shape.mode, f"ws://127.0.0.1:{port}/", "", shape.ops)


def record(client: Client, shape: Shape, server: int) -> Recorded:
    with Proxy("127.0.0.1", server) as proxy:
        port = proxy.listen([""])
        (result,) = driver.run(client, [line(shape, port)])
        (connection,) = proxy.connections(port)
        assert connection.ended.wait(10)
    assert connection.end == "eof"
    assert result.closed[0][:2] == shape.end[:2] and len(result.closed) == 1, result
    return Recorded(bytes(connection.kept["up"]), bytes(connection.kept["down"]), result)


def frames(data: bytes) -> list[tuple[int, int, bytes, int]]:
    """The server's whole frames: opcode, fin, payload, and where each ends."""
    found, at = [], 0
    while at + 2 <= len(data):
        length, start = data[at + 1], at + 2
        if length == 126:
            length, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
        if start + length > len(data):
            break
        found.append((data[at] & 15, data[at] >> 7, data[start : start + length], start + length))
        at = start + length
    return found


def whole_messages(data: bytes) -> list[tuple[str, bytes]]:
    messages, parts = [], []
    kind = ""
    for opcode, fin, payload, _ in frames(data):
        if opcode in (1, 2):
            kind = "text" if opcode == 1 else "binary"
        if opcode < 8:
            parts.append(payload)
        if opcode < 8 and fin:
            messages.append((kind, b"".join(parts)))
            parts = []
    return messages


def has_close(data: bytes) -> bool:
    return any(opcode == 8 for opcode, *_ in frames(data))


def fault(shape: Shape, recorded: Recorded, action: str, got: Result, connection: Connection) -> str:
    """What is wrong with a session that was ended; empty if nothing is."""
    passed = bytes(connection.kept["down"])
    head = recorded.head_bytes("down")
    if [step.action for step in connection.done] != [action]:
        return "the proxy did not do its step"
    if len(passed) < head:
        if got.last.name != "connect" or got.last.kind != "CW_CONNECT_FAILED":
            return "no connect error"
        statuses = {CUT if action == "cut" else RESET}
        if connection.done[0].at == 0 and action == "reset":
            statuses.add(WebErrorStatus.CANNOT_CONNECT)  # it may come before connect() has returned
        if got.last.status not in statuses:
            return f"the status of the connect error is {got.last.status.name}"
        return "there were events" if got.messages or got.closed else ""
    if got.ops[0].kind != "ok" and not (action == "reset" and got.ops[0].status == RESET):
        return "the connect failed, although the whole reply came"
    if got.ops[0].kind != "ok":
        return "there were events" if got.messages or got.closed else ""
    if len(got.closed) != 1:
        return f"{len(got.closed)} closed events"
    code, was_clean, _ = got.closed[0]
    right = [shape.end[:2]] if has_close(passed[head:]) else [(1006, False)]
    if action == "reset":  # it may overtake the server's close frame, or our answer to that
        right += [(1006, False), (right[0][0], False)]
    if (code, was_clean) not in right:
        return f"it was closed with {got.closed[0]}"
    return wrong_messages(shape, recorded, action, got, passed[head:])


def wrong_messages(shape: Shape, recorded: Recorded, action: str, got: Result, passed: bytes) -> str:
    if shape.socket_class == "stream":
        if not recorded.result.flow.startswith(got.flow):
            return "bytes that were not sent"
        least = b"".join(payload for opcode, _, payload, _ in frames(passed) if opcode < 8)
        is_short = len(got.flow) < len(least)
    else:
        if recorded.result.messages[: len(got.messages)] != got.messages:
            return "messages that were not sent"
        is_short = got.messages != whole_messages(passed)
    # after a cut what has come is given out, every byte of it; a reset may throw it away
    return "messages that came were not given out" if is_short and action == "cut" else ""


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("action", ["cut", "reset"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_an_end_at_every_byte(client: Client, shape: Shape, action: str, direction: str, server: int) -> None:
    recorded = record(client, shape, server)
    places = range(recorded.length(direction) + 1)
    parts = [
        [f"{direction}@{place}:{action}" for place in places[part::PROCESSES]] for part in range(PROCESSES)
    ]
    wrong: list[str] = []
    with Proxy("127.0.0.1", server) as proxy, ThreadPoolExecutor(PROCESSES) as pool:
        ports = [proxy.listen(scripts) for scripts in parts]
        results = pool.map(
            lambda port, scripts: driver.run(client, [line(shape, port)] * len(scripts)), ports, parts
        )
        for port, scripts, sessions in zip(ports, parts, results, strict=True):
            connections = proxy.connections(port)
            assert len(connections) == len(scripts)
            for script, got, connection in zip(scripts, sessions, connections, strict=True):
                assert connection.ended.wait(10)
                what = fault(shape, recorded, action, got, connection)
                slow = [op for op in got.ops if op.ms > 5000]
                if what or slow:
                    wrong.append(f"{script}: {what or 'slow'}: {got}")
    assert not wrong, f"{len(wrong)} of {len(places)}:\n" + "\n".join(wrong[:5])
