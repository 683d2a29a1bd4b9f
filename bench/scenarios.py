# SPDX-License-Identifier: MIT
"""The scenarios that are measured, and the targets. Used by run.py and report.py."""

from __future__ import annotations

from dataclasses import dataclass

KIB, MIB = 1024, 1024 * 1024
PYTHON, C = "curlwire Python", "curlwire C"
PICOWS = ("picows, asyncio", "picows, uvloop")
# Additional works of one client: (work, client) to the names of works and their rows.
VARIANTS = {
    ("receive", "bare socket"): {"walk": "reading frame headers only", "collect": "into a buffer"},
    ("send", "bare socket"): {"mask": "masking"},
    ("roundtrip", "bare socket"): {"eager": "reading before polling"},
    ("receive", PYTHON): {"into": "recv_into", "view": "copy=False"},
    ("send", PYTHON): {"several": "send_many", "batch": "ws.batch()"},
}


@dataclass(frozen=True)
class Scenario:
    work: str
    size: int
    scheme: str = "ws"
    connections: int = 1
    start: int = 1  # messages of a first, short run, which finds the length of the others
    in_quick: bool = False
    together: bool = False  # client and server on one processor
    languages: tuple[str, ...] = ("C", "Python", "Lua")  # or a kind of clients, as "bare"

    @property
    def key(self) -> str:
        parts = [self.scheme, self.work, str(self.size), str(self.connections)]
        return "-".join(parts + ["together"] * self.together)

    @property
    def title(self) -> str:
        names = {
            "roundtrip": "round trip",
            "deflated-roundtrip": "round trip, compressed,",
            "deflated-receive": "receive, compressed,",
            "receive": "receive",
            "send": "send",
            "many": "round trips",
            "latency": "echoes at a fixed rate,",
            "connect": "connects",
            "idle": "idle",
        }
        text = names[self.work]
        if self.work == "latency":
            text += f" {self.size:,} a second"
        elif self.work not in ("connect", "idle"):
            unit = f"{self.size // MIB} MiB" if self.size >= MIB else f"{self.size // KIB} KiB"
            text += f" {self.size} B" if self.size < KIB else f" {unit}"
        if self.work in ("many", "latency", "idle"):
            text += f" on {self.connections:,} connection{'s' * (self.connections > 1)}"
        return f"{text}, {self.scheme}" + (", one processor" if self.together else "")

    @property
    def is_flood(self) -> bool:
        return self.work in ("receive", "send", "deflated-receive")


def flood(work: str, sizes: dict[int, int], scheme: str, quick: tuple[int, ...]) -> list[Scenario]:
    return [Scenario(work, size, scheme, start=start, in_quick=size in quick) for size, start in sizes.items()]


MANY = ("Python", "Lua")
RECEIVE = {32: 20_000, KIB: 5_000, 64 * KIB: 200, MIB: 20}
SEND = {32: 2_000, KIB: 2_000, MIB: 10}
# Scenarios with a target come first, because --quick stops when its time is over.
SCENARIOS = [
    Scenario("roundtrip", 32, start=500, in_quick=True),
    *flood("receive", RECEIVE, "ws", (32, KIB, MIB)),
    *flood("send", SEND, "ws", (32, MIB)),
    Scenario("idle", 32, connections=1000, start=1, in_quick=True),
    Scenario("roundtrip", 32, "wss", start=500, in_quick=True),
    *flood("receive", RECEIVE, "wss", (KIB, MIB)),
    *flood("send", SEND, "wss", (32, MIB)),
    Scenario("latency", 2000, connections=100, start=1000, in_quick=True, languages=MANY),
    Scenario("many", 32, connections=100, start=2000, in_quick=True, languages=MANY),
    Scenario("connect", 32, start=100, in_quick=True, languages=MANY),
    Scenario("roundtrip", 4 * KIB, start=500),
    Scenario("roundtrip", 4 * KIB, "wss", start=500),
    Scenario("deflated-roundtrip", 4 * KIB, start=200, languages=MANY),
    Scenario("deflated-receive", 4 * KIB, start=1000, languages=MANY),
    Scenario("roundtrip", 32, start=500, together=True),
    Scenario("many", 32, connections=2000, start=20_000, languages=MANY),
    Scenario("many", 32, "wss", connections=100, start=2000, languages=MANY),
    Scenario("many", 32, "wss", connections=2000, start=20_000, languages=MANY),
    Scenario("many", 32, connections=1000, start=20_000, languages=("bare", "Python")),
    Scenario("latency", 2000, connections=1000, start=4000, languages=("Python",)),
    Scenario("latency", 2000, connections=1, start=1000, languages=MANY),
    Scenario("latency", 2000, connections=2000, start=4000, languages=MANY),
    Scenario("latency", 2000, "wss", connections=100, start=1000, languages=MANY),
    Scenario("connect", 32, "wss", start=100, languages=MANY),
    Scenario("idle", 32, "wss", connections=1000, start=1),
]


# The scenarios in which the system's libcurl matters: an old one decodes the frames over TLS.
SYSTEM_KEYS = frozenset(
    [
        f"{scheme}-{rest}"
        for scheme in ("ws", "wss")
        for rest in ("roundtrip-32-1", "receive-32-1", "idle-32-1000")
    ]
    + ["ws-receive-1048576-1", "ws-send-32-1", "wss-receive-1048576-1", "wss-connect-32-1"]
)


@dataclass(frozen=True)
class Target:
    """A ratio to reach, round by round: of rates, or with `smaller` of times or sizes, where less is better."""

    scenario: str
    client: str
    against: tuple[str, ...]  # compared with the best of them; empty = `wanted` is a figure, not a ratio
    wanted: float
    name: str  # how the page names `against`
    smaller: bool = False
    is_processor: bool = False  # compares the processor time of a message


def python_targets() -> list[Target]:
    bare, into, masking = ("bare socket",), f"{PYTHON}, recv_into", ("bare socket, masking",)
    return [
        Target("ws-receive-32-1", PYTHON, PICOWS, 2.0, "picows"),
        Target("ws-receive-1024-1", PYTHON, PICOWS, 1.5, "picows"),
        Target("ws-receive-1048576-1", PYTHON, PICOWS, 0.6, "picows", True, True),
        Target("ws-receive-1048576-1", PYTHON, PICOWS, 1.3, "picows"),
        Target("ws-receive-1048576-1", PYTHON, bare, 0.7, "bare socket"),
        Target("ws-receive-1048576-1", into, bare, 0.85, "bare socket"),
        Target("ws-send-1048576-1", PYTHON, PICOWS, 1.2, "picows"),
        Target("ws-send-1048576-1", PYTHON, masking, 0.9, "bare socket, masking"),
        Target("ws-send-32-1", PYTHON, PICOWS, 1.1, "picows"),
        Target("ws-send-32-1", f"{PYTHON}, send_many", PICOWS, 10.0, "picows"),
        Target("ws-send-32-1", f"{PYTHON}, ws.batch()", PICOWS, 10.0, "picows"),
        Target("ws-roundtrip-32-1", PYTHON, bare, 1.15, "bare socket", True),
        Target("ws-roundtrip-32-1", C, bare, 1.1, "bare socket", True),
        Target("ws-idle-32-1000", PYTHON, PICOWS, 1.0, "picows", True),
        Target("wss-idle-32-1000", PYTHON, (), 32, "-", True),
    ]


def asyncio_targets(loop: str) -> list[Target]:
    """The targets of curlwire.aio, each against clients in the same event loop."""
    ours = f"curlwire {loop}"
    picows, aiohttp, others = (
        (f"picows, {loop}",),
        (f"aiohttp, {loop}",),
        (f"websockets, {loop}", f"aiohttp, {loop}"),
    )
    both, names = picows + aiohttp, "websockets, aiohttp"
    return [
        Target("ws-roundtrip-32-1", ours, picows, 1.0, "picows", True),
        Target("ws-roundtrip-32-1", ours, others, 0.5, names, True),
        Target("ws-receive-32-1", ours, picows, 1.5, "picows"),
        Target("ws-receive-32-1", ours, others, 2.0, names),
        Target("ws-send-32-1", ours, picows, 1.2, "picows"),
        Target("ws-send-32-1", ours, others, 2.0, names),
        Target("ws-many-32-1000", ours, both, 1.2, "picows, aiohttp"),
        Target("ws-latency-2000-1000", ours, both, 1.0, "picows, aiohttp", True),
        Target("ws-idle-32-1000", ours, both, 1.0, "picows, aiohttp", True),
    ]


def compat_targets(kind: str) -> list[Target]:
    """The targets of curlwire.compat.websockets against websockets, with the same program."""
    ours, other = f"curlwire.compat.websockets, {kind}", (f"websockets, {kind}",)
    return [
        Target("ws-roundtrip-32-1", ours, other, 0.5, "websockets", True),
        Target("ws-receive-32-1", ours, other, 2.0, "websockets"),
        Target("ws-send-32-1", ours, other, 2.0, "websockets"),
    ]


def targets() -> list[Target]:
    found, bare = python_targets(), ("bare socket",)
    for loop in ("asyncio", "uvloop"):
        found += asyncio_targets(loop)
    for kind in ("asyncio", "sync"):
        found += compat_targets(kind)
    for lua in ("Lua 5.3", "LuaJIT"):
        ours, peer = f"curlwire {lua}", (f"lua-http, {lua}",)
        for key in ("receive-32", "receive-1024", "receive-1048576", "send-1048576", "send-32"):
            found.append(Target(f"ws-{key}-1", ours, peer, 5.0, "lua-http"))
        found.append(Target("ws-roundtrip-32-1", ours, bare, 1.15, "bare socket", True))
        found.append(Target("ws-idle-32-1000", ours, peer, 1.0, "lua-http", True))
    return found


def least_over_wss(work: str) -> float:
    """The least ratio to every other client of the same language, in a scenario over wss."""
    return 1.0 if work in ("connect", "idle") else 0.95


TARGET_KEYS = frozenset(target.scenario for target in targets())


def has_target(scenario: Scenario) -> bool:
    return scenario.scheme == "wss" or scenario.key in TARGET_KEYS
