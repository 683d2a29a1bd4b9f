# SPDX-License-Identifier: MIT
"""A TCP proxy on loopback that goes wrong as told, at an exact byte of either direction.

    python3 tests/faults/proxy.py HOST:PORT SCRIPT ...     prints a port for each script, until Ctrl-C

In a program: `with Proxy(host, port) as proxy: port = proxy.listen([script, script, ...])`. The first
connection to that port gets the first script, the second the second, and so on; more connections get the last.

A script is steps with blanks between them, or empty: nothing goes wrong. A step is DIRECTION@BYTE:ACTION.
DIRECTION is `up` (client to server) or `down`. The step is done as soon as exactly BYTE bytes have passed in
that direction, even if more bytes came in one segment. 0 is before the first byte. Steps of one direction are
done in order.

    cut              ends both connections with FIN, and throws away what still comes
    reset            ends both with RST
    half             half-closes: the receiver of this direction reads the end, the other direction goes on
    stall            passes no more in this direction; what is sent stays in the kernels, so TCP pushes back
    stall:MS         the same for a while
    gate             the same until `proxy.open_gates(port)`, which opens the gates of all connections of a port
    until:BYTE       passes no more until BYTE bytes have passed in the other direction: who is first changes
    trickle:N:MS     from here on passes N bytes at a time, a pause between them
    xor:HEX          the next bytes are changed by exclusive or
    drop:N           the next N bytes are lost
    insert:HEX       sends these bytes besides

`proxy.connections(port)` keeps each connection: the bytes that passed in each direction (up to 16 MiB, as they
were passed on), the steps that were done, and how it ended.

Bounds: 60 s for a connection; closing the proxy resets what is left.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import sys
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

LIFE_S = 60
DRAIN_S = 20
KEPT_BYTES = 16 << 20
READ_BYTES = 1 << 16
# the number of arguments, and which of them is hexadecimal
ACTIONS = {
    "cut": (0, 0), "reset": (0, 0), "half": (0, 0), "stall": (0, 1), "gate": (0, 0), "until": (1, 1),
    "trickle": (2, 2), "xor": (1, 1), "drop": (1, 1), "insert": (1, 1),
}  # fmt: skip
HEX = ("xor", "insert")
OTHER = {"up": "down", "down": "up"}


class BadScript(Exception):
    """A script is not in the language above."""


class Ended(Exception):
    """A step ends the connection; its argument is how."""


@dataclass(frozen=True)
class Step:
    direction: str
    at: int
    action: str
    arguments: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.direction}@{self.at}:{':'.join((self.action, *self.arguments))}"

    @property
    def number(self) -> int:
        return int(self.arguments[0])

    @property
    def data(self) -> bytes:
        return bytes.fromhex(self.arguments[0])


def parse(script: str) -> list[Step]:
    steps: list[Step] = []
    for word in script.split():
        place, _, rest = word.partition(":")
        direction, _, at = place.partition("@")
        action, *arguments = rest.split(":")
        least, most = ACTIONS.get(action, (1, 0))
        try:
            step = Step(direction, int(at), action, tuple(arguments))
            for argument in arguments:
                bytes.fromhex(argument) if action in HEX else int(argument)
        except ValueError as error:
            raise BadScript(f"{word}: {error}") from None
        if direction not in OTHER or step.at < 0 or not least <= len(arguments) <= most:
            raise BadScript(f"{word}: no such step, or a wrong number of arguments")
        if any(before.direction == direction and before.at > step.at for before in steps):
            raise BadScript(f"{word}: the bytes of a direction's steps must not go down")
        steps.append(step)
    return steps


def reset(end: socket.socket) -> None:
    # zero seconds to linger: the kernel sends RST in place of FIN
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()


@dataclass
class Connection:
    """One client, and our connection to the server for it."""

    steps: list[Step]
    passed: dict[str, int] = field(default_factory=lambda: {"up": 0, "down": 0})
    kept: dict[str, bytearray] = field(default_factory=lambda: {"up": bytearray(), "down": bytearray()})
    done: list[Step] = field(default_factory=list)
    end: str = ""  # eof, cut, reset, refused, life
    ended: threading.Event = field(default_factory=threading.Event)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, client: socket.socket, address: tuple[str, int]) -> None:
        loop = asyncio.get_running_loop()
        server = socket.socket()
        server.setblocking(False)
        try:
            async with asyncio.timeout(LIFE_S):
                await loop.sock_connect(server, address)
                for end in (client, server):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.end = await self.pump_both(client, server)
                if self.end == "cut":
                    await self.finish(client, server)
        except TimeoutError:
            self.end = "life"
        except OSError:
            self.end = "refused"
        except asyncio.CancelledError:
            self.end = "life"  # the proxy is closed
        finally:
            for end in (client, server):
                end.close() if self.end in ("eof", "cut") else reset(end)
            self.ended.set()

    async def pump_both(self, client: socket.socket, server: socket.socket) -> str:
        pumps = {
            asyncio.create_task(Pump(self, "up", client, server).run()),
            asyncio.create_task(Pump(self, "down", server, client).run()),
        }
        try:
            left = pumps
            while left:
                over, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
                for pump in over:
                    if (how := pump.result()) != "eof":
                        return how
            return "eof"
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    @staticmethod
    async def finish(*ends: socket.socket) -> None:
        """FIN to both, and reading on, since closing with unread bytes would be a reset."""
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_WR)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                await asyncio.gather(*(drain(end) for end in ends))


async def drain(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while await asyncio.get_running_loop().sock_recv(end, READ_BYTES):
            pass


class Pump:
    """One direction of a connection."""

    def __init__(
        self, connection: Connection, direction: str, source: socket.socket, target: socket.socket
    ) -> None:
        self.connection = connection
        self.direction = direction
        self.source = source
        self.target = target
        self.steps = deque(step for step in connection.steps if step.direction == direction)
        self.xor = b""
        self.drop = 0
        self.piece = 0  # trickle
        self.pause_s = 0.0
        self.is_half_closed = False

    async def run(self) -> str:
        """Returns how it ended: eof for this direction alone; cut, reset for both."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                await self.do_due()
                data = await loop.sock_recv(self.source, READ_BYTES)
                if not data:
                    if not self.is_half_closed:
                        self.target.shutdown(socket.SHUT_WR)
                    return "eof"
                while data:
                    await self.do_due()
                    count = min(self.room(), len(data))
                    await self.forward(data[:count])
                    data = data[count:]
        except Ended as ended:
            return str(ended)
        except OSError:
            return "reset"

    def room(self) -> int:
        room = self.steps[0].at - self.connection.passed[self.direction] if self.steps else READ_BYTES
        return min(room, self.piece or room)

    async def forward(self, data: bytes) -> None:
        connection, count = self.connection, len(data)
        lost = min(self.drop, count)
        self.drop -= lost
        data = data[lost:]
        if self.xor:
            changed = bytes(a ^ b for a, b in zip(data, self.xor, strict=False))
            data, self.xor = changed + data[len(changed) :], self.xor[len(changed) :]
        await self.send(data)
        connection.passed[self.direction] += count
        if connection.steps:
            async with connection.news:
                connection.news.notify_all()
        if self.piece:
            await asyncio.sleep(self.pause_s)

    async def send(self, data: bytes) -> None:
        if data and not self.is_half_closed:
            kept = self.connection.kept[self.direction]
            kept += data[: KEPT_BYTES - len(kept)]
            await asyncio.get_running_loop().sock_sendall(self.target, data)

    async def do_due(self) -> None:
        while self.steps and self.steps[0].at <= self.connection.passed[self.direction]:
            step = self.steps.popleft()
            self.connection.done.append(step)
            await self.do(step)

    async def do(self, step: Step) -> None:
        match step.action:
            case "cut" | "reset":
                raise Ended(step.action)
            case "half":
                self.is_half_closed = True
                self.target.shutdown(socket.SHUT_WR)
            case "stall":
                await asyncio.sleep(step.number / 1000 if step.arguments else LIFE_S)
            case "gate":
                await self.connection.gate.wait()
            case "until":
                other = OTHER[self.direction]
                async with self.connection.news:
                    await self.connection.news.wait_for(lambda: self.connection.passed[other] >= step.number)
            case "trickle":
                self.piece, self.pause_s = step.number, int(step.arguments[1]) / 1000
            case "xor":
                self.xor = step.data
            case "drop":
                self.drop = step.number
            case "insert":
                await self.send(step.data)


class Proxy:
    """The proxy in a thread of its own; a context manager. buffer_bytes: of the kernel, per connection."""

    def __init__(self, host: str, port: int, buffer_bytes: int = 0) -> None:
        self.address = (host, port)
        self.buffer_bytes = buffer_bytes
        self.ports: dict[int, list[Connection]] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> Proxy:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self.stop(), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def listen(self, scripts: Sequence[str]) -> int:
        parsed = [parse(script) for script in scripts]
        listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        if self.buffer_bytes:
            for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                listener.setsockopt(socket.SOL_SOCKET, option, self.buffer_bytes)
        listener.setblocking(False)
        port: int = listener.getsockname()[1]
        self.ports[port] = []
        self.loop.call_soon_threadsafe(self.add_task, listener, port, parsed)
        return port

    def connections(self, port: int) -> list[Connection]:
        return self.ports[port]

    def open_gates(self, port: int) -> None:
        for connection in self.ports[port]:
            self.loop.call_soon_threadsafe(connection.gate.set)

    def add_task(self, listener: socket.socket, port: int, scripts: list[list[Step]]) -> None:
        self.tasks.add(self.loop.create_task(self.accept(listener, port, scripts)))

    async def accept(self, listener: socket.socket, port: int, scripts: list[list[Step]]) -> None:
        with listener:
            while True:
                client, _ = await self.loop.sock_accept(listener)
                connections = self.ports[port]
                connection = Connection(scripts[min(len(connections), len(scripts) - 1)])
                connections.append(connection)
                task = self.loop.create_task(connection.run(client, self.address))
                self.tasks.add(task)
                task.add_done_callback(self.tasks.discard)

    async def stop(self) -> None:
        tasks = list(self.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def main() -> None:
    host, _, port = sys.argv[1].rpartition(":")
    with Proxy(host, int(port)) as proxy, contextlib.suppress(KeyboardInterrupt):
        for script in sys.argv[2:]:
            print(proxy.listen([script]), script, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
