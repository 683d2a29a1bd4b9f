# SPDX-License-Identifier: MIT
"""A cut and a reset at every byte of a recorded handshake and session, in both directions."""

from __future__ import annotations

from collections.abc import Callable
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
# nothing here has to wait, but a busy machine may be late
OPTIONS = ",".join(
    f"{name}_timeout=90" for name in ("connect", "send", "receive", "close", "ping")
)  # instead of BOUNDS
SLOW_MS = 45000
TLS_STEP = 17

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
        """Returns where the handshake's bytes end."""
        return (self.up if direction == "up" else self.down).index(b"\r\n\r\n") + 4

    def length(self, direction: str) -> int:
        return len(self.up if direction == "up" else self.down)


def line(shape: Shape, port: int, base: str = "ws://127.0.0.1") -> str:
    return driver.session(shape.socket_class, shape.mode, f"{base}:{port}/", OPTIONS, shape.ops)


def record(
    client: Client,
    shape: Shape,
    server: int,
    base: str = "ws://127.0.0.1",
    environment: dict[str, str] | None = None,
) -> Recorded:
    with Proxy("127.0.0.1", server) as proxy:
        port = proxy.listen([""])
        (result,) = driver.run(client, [line(shape, port, base)], environment=environment)
        (connection,) = proxy.connections(port)
        assert connection.ended.wait(60)
    # a client that ends with TLS's own goodbye unread resets
    assert connection.end == "eof" or (environment and connection.end == "reset")
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
    """Returns what is wrong with a session that was ended; empty if nothing is."""
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


Judge = Callable[[Result, Connection], str]


def check_all(scripts: list[str], server: int, run: Callable[[int, int], list[Result]], judge: Judge) -> None:
    """Sessions through the proxy, one for each script, in a few processes; run gets a port and how many."""
    parts = [scripts[part::PROCESSES] for part in range(PROCESSES)]
    wrong: list[str] = []
    with Proxy("127.0.0.1", server) as proxy, ThreadPoolExecutor(PROCESSES) as pool:
        ports = [proxy.listen(part) for part in parts]
        for port, part, sessions in zip(ports, parts, pool.map(run, ports, map(len, parts)), strict=True):
            for script, got, connection in zip(part, sessions, proxy.connections(port), strict=True):
                assert connection.ended.wait(60)
                what = judge(got, connection)
                if what or any(op.ms > SLOW_MS for op in got.ops):
                    wrong.append(f"{script}: {what or 'slow'}: {got}")
    assert not wrong, f"{len(wrong)} of {len(scripts)}:\n" + "\n".join(wrong[:5])


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("action", ["cut", "reset"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_an_end_at_every_byte(client: Client, shape: Shape, action: str, direction: str, server: int) -> None:
    recorded = record(client, shape, server)
    check_all(
        [f"{direction}@{place}:{action}" for place in range(recorded.length(direction) + 1)],
        server,
        lambda port, count: driver.run(client, [line(shape, port)] * count),
        lambda got, connection: fault(shape, recorded, action, got, connection),
    )


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("action", ["cut", "reset"])
def test_an_end_under_tls(
    client: Client, action: str, direction: str, tls_server: int, tls_environment: dict[str, str]
) -> None:
    """At every few bytes: there are thousands, and where records end is not ours to know."""
    shape, base = SHAPES[0], "wss://localhost"
    recorded = record(client, shape, tls_server, base, tls_environment)
    statuses = {WebErrorStatus.CANNOT_CONNECT, CUT, RESET, WebErrorStatus.CONNECTION_ABORTED}

    def judge(got: Result, _: Connection) -> str:
        if got.ops[0].kind != "ok":
            if got.last.kind != "CW_CONNECT_FAILED" or got.last.status not in statuses:
                return "no connect error of a right status"
            return "there were events" if got.messages or got.closed else ""
        if len(got.closed) != 1 or got.closed[0][:2] not in ((1006, False), shape.end[:2]):
            return "not one closed event"
        is_prefix = recorded.result.messages[: len(got.messages)] == got.messages
        return "" if is_prefix else "messages that were not sent"

    check_all(
        [f"{direction}@{place}:{action}" for place in range(0, recorded.length(direction) - 40, TLS_STEP)],
        tls_server,
        lambda port, count: driver.run(client, [line(shape, port, base)] * count, environment=tls_environment),
        judge,
    )
