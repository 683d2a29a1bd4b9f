# SPDX-License-Identifier: MIT
"""A server that dies, and a network that does: found out, with 1006, by keepalive where nobody says so."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import driver
import network
from conftest import SERVER
from driver import Result
from network import CLIENT, Namespace
from phases import Phase, variants

# a server of a busy machine may be late with a pong, while the clients start
KEEPALIVE = "ping_interval=0.3,ping_timeout=4"
HELLO = f"connect {driver.text('hello')} recv:5"
FOUND_MS = 90_000  # with the time that other clients need to start; without keepalive it takes longer


def run_with(phase: Phase, process: subprocess.Popen[str], fault: Callable[[], None]) -> list[Result]:
    """Sessions of every client, and the fault once all of them have said hello."""
    who = variants()
    with ThreadPoolExecutor(len(who)) as pool:
        results = [pool.submit(phase.run, variant) for variant in who]
        assert process.stdout is not None
        for _ in who:
            assert process.stdout.readline() == "hello\n"
        fault()
        return [result.result() for result in results]


def check_lost(phase: Phase, process: subprocess.Popen[str], fault: Callable[[], None], words: str) -> None:
    """Every session hears of the end, once, with 1006; and receiving says so, too."""
    for result in run_with(phase, process, fault):
        assert result.flow == b"hello", result
        assert [event[:2] for event in result.closed] == [(1006, False)], result
        assert words in result.closed[0][2], result
        assert result.last.kind == "CW_CLOSED" and result.last.ms < FOUND_MS, result


def phase(host: str, port: int, options: str = KEEPALIVE, prefix: Sequence[str] = ()) -> Phase:
    return Phase(f"ws://{host}:{port}/", f"receive_timeout=120,{options}", f"{HELLO} recv", prefix)


# -- the server


def test_a_server_that_is_killed() -> None:
    # its kernel says so, and keepalive is not needed
    with driver.started(SERVER) as (port, process):
        check_lost(phase("127.0.0.1", port, "ping_interval=0"), process, process.kill, "connection")


def test_a_server_that_is_stopped() -> None:
    with driver.started(SERVER) as (port, process):
        stop = lambda: process.send_signal(signal.SIGSTOP)  # noqa: E731
        check_lost(phase("127.0.0.1", port), process, stop, "after a keepalive ping")


# -- the network


@contextlib.contextmanager
def across() -> Iterator[tuple[Namespace, Namespace, Phase, subprocess.Popen[str]]]:
    """A server in one namespace, and the phase of clients in the other."""
    with (
        network.pair() as (client, server),
        driver.started(SERVER, network.SERVER, prefix=server.prefix) as (port, process),
    ):
        yield client, server, phase(network.SERVER, port, prefix=client.prefix), process


def test_a_namespace_that_is_taken_down() -> None:
    with across() as (_, server, sessions, process):

        def take_down() -> None:
            # first its interface, so that the kernel's last words for the server's sockets get nowhere
            server.ip("link", "set", "cable", "down")
            process.kill()
            process.wait()
            server.end()

        check_lost(sessions, process, take_down, "after a keepalive ping")


def test_an_interface_that_goes_away() -> None:
    with across() as (client, _, sessions, process):
        gone = lambda: client.ip("link", "delete", "cable")  # noqa: E731
        check_lost(sessions, process, gone, "connection was lost")


def test_a_route_that_drops_the_answers() -> None:
    with across() as (_, server, sessions, process):
        drop = lambda: server.ip("route", "add", "blackhole", f"{CLIENT}/32")  # noqa: E731
        check_lost(sessions, process, drop, "after a keepalive ping")


def test_a_route_that_drops_the_requests() -> None:
    with across() as (client, _, sessions, process):
        drop = lambda: client.ip("route", "add", "blackhole", f"{network.SERVER}/32")  # noqa: E731
        check_lost(sessions, process, drop, "connection was lost")


def test_a_neighbour_that_is_somebody_else() -> None:
    # packets leave, and nobody takes them: what a dead router does
    with across() as (client, _, sessions, process):
        words = ("neigh", "replace", network.SERVER, "lladdr", "02:00:00:00:00:99", "dev", "cable")
        check_lost(sessions, process, lambda: client.ip(*words), "after a keepalive ping")


def test_a_short_loss_is_survived() -> None:
    with across() as (_, server, sessions, process):

        def drop_for_a_while() -> None:
            server.ip("route", "add", "blackhole", f"{CLIENT}/32")
            time.sleep(0.7)  # the fault itself
            server.ip("route", "delete", "blackhole", f"{CLIENT}/32")

        options = "ping_interval=0.3,ping_timeout=10"
        ops = f"{HELLO} pause:300 {driver.text('still')} recv:5 {driver.close(1000)} wait"
        lasting = Phase(sessions.uri, options, ops, sessions.prefix)
        for result in run_with(lasting, process, drop_for_a_while):
            assert result.flow == b"hellostill" and result.closed == [(1000, True, "")], result
