# SPDX-License-Identifier: MIT
"""Many connections exchange numbered messages with checksums, half of them over TLS. One connection in twenty
is cut at a random moment, and the others may not lose a message. Prints a report and then TAP.

    python3 tests/load/load.py           LOAD_S=60 LOAD_CONNECTIONS=2000 LOAD_SEED=... in the environment

The client is curlwire for Python with handlers. `make load` runs it with the built module.
"""

from __future__ import annotations

import os
import random
import resource
import struct
import sys
import threading
import time
import zlib
from array import array
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import curlwire
import peers

ROUND_S = 0.5  # each connection sends about one message in this time
CUT_SHARE = 0.05
PATIENCE_S = 120.0  # for what must come at the end: echoes, cuts and closes; a busy machine needs some of it
DESCRIPTORS = 5  # the client uses at most this many for a connection, and a few more in all
BODY_BYTES = 4096
HEAD = struct.Struct("!IIIq")  # connection, number, CRC-32 of the body, time of sending (ns)
BODY = random.Random(1).randbytes(2 * BODY_BYTES)


class Connection:
    """One connection, with the messages that it sent and received, and how it ended."""

    def __init__(self, index: int, addresses: peers.Addresses, *, is_tls: bool, is_cut: bool) -> None:
        self.index = index
        self.is_cut = is_cut
        names = ("cut_wss" if is_cut else "wss") if is_tls else ("cut_ws" if is_cut else "ws")
        self.uri: str = getattr(addresses, names)
        self.sent = 0
        self.taken = 0
        self.full = 0
        self.faults: list[str] = []
        self.closed: list[curlwire.ClosedEventArgs] = []
        self.latencies = array("d")
        self.was_open = False
        self.socket = curlwire.MessageWebSocket(
            ca_file=addresses.ca_file, connect_timeout=PATIENCE_S, close_timeout=PATIENCE_S
        )
        self.socket.on_message_received = self.take
        self.socket.on_closed = self.end

    def connect(self) -> None:
        try:
            self.socket.connect(self.uri)
            self.was_open = True
        except curlwire.WebSocketError as error:
            self.faults.append(f"not connected: {error}")

    def send(self, choose: random.Random) -> None:
        begin = choose.randrange(BODY_BYTES)
        body = BODY[begin : begin + (choose.randrange(BODY_BYTES) >> choose.randrange(6))]
        head = HEAD.pack(self.index, self.sent + 1, zlib.crc32(body), time.monotonic_ns())
        try:
            self.socket.send(head + body, timeout=0)
        except TimeoutError:
            self.full += 1
        except curlwire.ConnectionClosed as error:
            if not self.is_cut:
                self.faults.append(f"lost while sending: {error}")
        else:
            self.sent += 1

    def take(self, _: curlwire.MessageWebSocket, args: curlwire.MessageReceivedEventArgs) -> None:
        """The handler for messages, which the dispatcher thread calls."""
        view = args.buffer
        index, number, check, sent_ns = HEAD.unpack_from(view)
        self.latencies.append((time.monotonic_ns() - sent_ns) / 1e6)
        if index != self.index or number != self.taken + 1 or check != zlib.crc32(view[HEAD.size :]):
            self.faults.append(
                f"message {self.taken + 1} of {self.index} is {number} of {index}, {len(view)} bytes"
            )
        self.taken += 1

    def end(self, _: curlwire.MessageWebSocket, args: curlwire.ClosedEventArgs) -> None:
        self.closed.append(args)

    def is_served(self) -> bool:
        """Returns whether it has received all that it sent, or has ended."""
        return self.taken >= self.sent or bool(self.closed)


def status_kib(name: str) -> int:
    """Returns VmRSS or VmHWM of this process in KiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise KeyError(name)


def library_cpu_s() -> float:
    """Returns the processor time of the threads that Python does not know, which is the service thread."""
    ours = {str(thread.native_id) for thread in threading.enumerate()}
    ticks = 0
    for task in Path("/proc/self/task").iterdir():
        if task.name not in ours:
            fields = (task / "stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def exchange(connections: list[Connection], seconds: float, choose: random.Random) -> None:
    """Lets each connection send once in every round, spread over the round."""
    begin = time.monotonic()
    count = 0
    while (now := time.monotonic()) < begin + seconds:
        due = int((now - begin) / ROUND_S * len(connections))
        if due - count > len(connections):
            count = due - len(connections)  # this machine is too slow for the rate, so skip some
        while count < due:
            connection = connections[count % len(connections)]
            if not connection.closed:
                connection.send(choose)
            count += 1
        time.sleep(0.002)


def wait_for_echoes(connections: list[Connection]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not all(connection.is_served() for connection in connections) and time.monotonic() < until:
        time.sleep(0.01)


def wait_for_cuts(connections: list[Connection], seconds: float) -> None:
    """Waits for the last cuts, which may come a little after the end. It sends on, because a cut inside a
    message needs a message."""
    until = time.monotonic() + seconds
    choose = random.Random(2)
    left = connections
    while (left := [each for each in left if not each.closed]) and time.monotonic() < until:
        for connection in left:
            connection.send(choose)
        time.sleep(0.2)


def close_all(connections: list[Connection]) -> None:
    for connection in connections:
        connection.socket.close()
    until = time.monotonic() + PATIENCE_S
    while not all(connection.closed for connection in connections) and time.monotonic() < until:
        time.sleep(0.01)


def quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class Tap:
    def __init__(self) -> None:
        self.count = 0
        self.failed = 0

    def say(self, is_ok: bool, text: str, notes: list[str] | None = None) -> None:
        self.count += 1
        self.failed += not is_ok
        for note in (notes or [])[:20]:
            print("#", note)
        print(f"{'ok' if is_ok else 'not ok'} {self.count} - {text}", flush=True)


def judge(connections: list[Connection], open_count: int) -> int:
    tap = Tap()
    cut = [each for each in connections if each.is_cut]
    rest = [each for each in connections if not each.is_cut]
    faults = [fault for each in connections for fault in each.faults]
    lost = sum(each.sent - each.taken for each in rest)
    few = [f"{each.index}: {each.sent}" for each in rest if each.sent < 5]
    bad_cut = [
        f"{each.index}: {each.closed}, {each.taken} of {each.sent}"
        for each in cut
        if [args.code for args in each.closed] != [1006] or each.closed[0].was_clean or each.taken > each.sent
    ]
    bad_end = [
        f"{each.index}: {each.closed}"
        for each in rest
        if [(args.code, args.was_clean) for args in each.closed] != [(1000, True)]
    ]
    print("1..5")
    tap.say(open_count == len(connections), f"{len(connections)} connections were open at once")
    tap.say(not faults, "no message is damaged, doubled or out of order", faults)
    tap.say(lost == 0 and not few, "nothing is lost on connections that were not cut", few)
    tap.say(not bad_cut and bool(cut), "each that was cut has one closed event, 1006", bad_cut)
    tap.say(not bad_end, "each of the others has one closed event, 1000, clean", bad_end)
    return 1 if tap.failed else 0


def report(connections: list[Connection], words: dict[str, str]) -> None:
    rest = [each for each in connections if not each.is_cut]
    latencies = sorted(value for each in connections for value in each.latencies)
    words |= {
        "messages": f"{sum(each.sent for each in connections)} sent, "
        f"{sum(each.taken for each in connections)} came back",
        "cut": f"{sum(1 for each in connections if each.is_cut)}",
        "lost": f"{sum(each.sent - each.taken for each in rest)} on those that were not cut",
        "put off": f"{sum(each.full for each in connections)} sends that would have had to wait",
        "latency": f"p50 {quantile(latencies, 0.5):.2f} ms, p99 {quantile(latencies, 0.99):.2f} ms, "
        f"most {quantile(latencies, 1):.2f} ms",
    }
    for name, value in words.items():
        print(f"# {name:12} {value}")


def run_load(count: int, seconds: float, seed: int) -> int:
    choose = random.Random(seed)
    cut = set(choose.sample(range(count), max(1, int(CUT_SHARE * count))))
    with peers.started(count, seconds, seed) as addresses:
        before_kib = status_kib("VmRSS")
        connections = [
            Connection(index, addresses, is_tls=index % 2 == 1, is_cut=index in cut) for index in range(count)
        ]
        begin = time.monotonic()
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(Connection.connect, connections))
        connect_s = time.monotonic() - begin
        # A connection that was cut already counts too, because it was open.
        open_count = sum(
            1 for each in connections if each.socket.state == "open" or (each.is_cut and each.was_open)
        )
        descriptors = len(os.listdir("/proc/self/fd"))
        idle_kib = status_kib("VmRSS")
        before = resource.getrusage(resource.RUSAGE_SELF)
        service_s = library_cpu_s()
        exchange(connections, seconds, choose)
        after = resource.getrusage(resource.RUSAGE_SELF)
        service_s = library_cpu_s() - service_s
        wait_for_cuts([each for each in connections if each.is_cut], PATIENCE_S)
        wait_for_echoes(connections)
        close_all(connections)
    cpu_s = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    report(
        connections,
        {
            "connections": f"{count}, half of them over TLS; {open_count} open after {connect_s:.1f} s; "
            f"{descriptors / count:.1f} descriptors each; seed {seed}",
            "processor": f"{cpu_s:.1f} s in {seconds:g} s, {service_s:.1f} s of them the service thread's",
            "memory": f"peak {status_kib('VmHWM') / 1024:.0f} MiB; {(idle_kib - before_kib) / count:.0f} KiB "
            "for a connection before its first message",
        },
    )
    return judge(connections, open_count)


def main() -> int:
    count = int(os.environ.get("LOAD_CONNECTIONS") or 2000)
    seconds = float(os.environ.get("LOAD_S") or 60)
    seed = int(os.environ.get("LOAD_SEED") or 0) or random.SystemRandom().randrange(1, 1 << 31)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = DESCRIPTORS * count + 100
    if most != resource.RLIM_INFINITY and most < wanted:
        print(f"Bail out! {count} connections need {wanted} descriptors and {most} are allowed (ulimit -Hn)")
        return 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if most == resource.RLIM_INFINITY else most, most))
    print(f"# seed {seed}", flush=True)
    return run_load(count, seconds, seed)


if __name__ == "__main__":
    sys.exit(main())
