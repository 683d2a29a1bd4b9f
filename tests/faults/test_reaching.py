# SPDX-License-Identifier: MIT
"""How a connection reaches its server, in networks of their own: local ends, silent addresses, lost
connections, the class of packets, Fast Open, an address with a zone, and a descriptor that a program hands
over. Each in Python and Lua, with both libcurls. tests/python/test_reaching.py has what needs no network."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

import driver
import network
from conftest import SERVER
from driver import CLIENTS, SYSTEM_CLIENTS, Client
from network import CLIENT, Namespace

SOME = [CLIENTS[0], CLIENTS[1], SYSTEM_CLIENTS[0]]  # Python and Lua, and both libcurls
PYTHON = """
import curlwire, json, sys
try:
    ws = curlwire.connect(sys.argv[1], **json.loads(sys.argv[2]))
    ws.send("hello")
    assert ws.recv() == "hello"
    print("open", ws.information.local_address, ws.information.remote_address, flush=True)
    if sys.argv[3] == "wait":
        ws.recv(timeout=None)
    ws.close()
except curlwire.WebSocketError as error:
    print(type(error).__name__, error)
"""
LUA = """
local curlwire = require "curlwire"
local ws, message, err = curlwire.connect(arg[1], assert((loadstring or load)("return " .. arg[2]))())
if ws then
    assert(ws:send("hello", "utf8"))
    assert(ws:receive() == "hello")
    print("open " .. ws.local_address .. " " .. ws.remote_address)
    io.stdout:flush()
    if arg[3] == "wait" then
        _, message, err = ws:receive(math.huge)
    end
    ws:close()
end
if err then
    print((err.name == "CW_CLOSED" and "ConnectionClosed " or "ConnectError ") .. message)
end
"""


def lua_literal(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {lua_literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "{" + ", ".join(map(lua_literal, value)) + "}"
    return json.dumps(value)


def command(client: Client, uri: str, control: dict[str, Any], how: str = "") -> list[str]:
    if client.command[0] == sys.executable:
        return [sys.executable, "-c", PYTHON, uri, json.dumps(control), how]
    # arg[0] is the script that Lua reads from its standard input
    return [client.command[0], "-e", f"arg = {lua_literal([uri, lua_literal(control), how])}\n{LUA}"]


def reach(client: Client, uri: str, prefix: Sequence[str] = (), how: str = "", **control: Any) -> list[str]:
    """Runs a program that connects. Returns its words: "open LOCAL REMOTE", or the error."""
    done = subprocess.run(
        [*prefix, *command(client, uri, control, how)], env={**os.environ, **client.environment},
        pass_fds=[control["sock"]] if "sock" in control else [], capture_output=True, text=True,
        timeout=driver.LIMIT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@contextlib.contextmanager
def across(host: str = network.SERVER) -> Iterator[tuple[Namespace, Namespace, int]]:
    with (
        network.pair() as (client, server),
        driver.started(SERVER, host, prefix=server.prefix) as (port, _),
    ):
        yield client, server, port


def test_local_ends() -> None:
    with across() as (client, _, port):
        client.ip("address", "add", "10.99.0.7/24", "dev", "cable")
        client.ip("link", "add", "unplugged", "type", "veth", "peer", "name", "nowhere")
        uri = f"ws://{network.SERVER}:{port}/"
        for who in SOME:
            words = reach(who, uri, client.prefix)
            assert words[1].startswith(f"{CLIENT}:")
            words = reach(who, uri, client.prefix, interface="10.99.0.7", local_port=7000, local_port_range=100)
            assert words[1].startswith("10.99.0.7:70"), words
            words = reach(who, uri, client.prefix, interface="cable")
            assert words[1].startswith(f"{CLIENT}:"), words
            text = " ".join(reach(who, uri, client.prefix, interface="unplugged", connect_timeout=5))
            assert "ConnectError interface 'unplugged' leads to no server: Network is unreachable; " in text, (
                text
            )


def test_address_with_a_zone() -> None:
    with network.pair() as (client, server):
        client.ip("address", "add", "fe80::99:1/64", "dev", "cable", "nodad")
        server.ip("address", "add", "fe80::99:2/64", "dev", "cable", "nodad")
        with driver.started(SERVER, "::", prefix=server.prefix) as (port, _):
            for who in SOME:
                words = reach(who, f"ws://[fe80::99:2%25cable]:{port}/", client.prefix)
                assert words[2] == f"[fe80::99:2]:{port}", words


SILENT = "10.99.0.77"


def test_a_silent_address_before_the_live_one() -> None:
    with across() as (client, _, port):
        # without this entry the kernel would report after some seconds that nobody has the address
        client.ip("neighbour", "add", SILENT, "lladdr", "02:00:00:00:00:77", "dev", "cable", "nud", "permanent")
        resolve = [f"many.test:{port}:{SILENT},{network.SERVER}"]
        for who in SOME:
            begin = time.monotonic()
            words = reach(
                who, f"ws://many.test:{port}/", client.prefix, resolve=resolve, happy_eyeballs_timeout=2
            )
            assert words[2] == f"{network.SERVER}:{port}", words
            assert 2 <= time.monotonic() - begin < 30  # far less than half of connect_timeout


@pytest.mark.parametrize(
    "control",
    [
        {"tcp_keepalive": True, "tcp_keepidle": 1, "tcp_keepintvl": 1, "tcp_keepcnt": 2},
        # without the second limit, the probes go on for two minutes
        {
            "tcp_keepalive": True,
            "tcp_keepidle": 1,
            "tcp_keepintvl": 1,
            "tcp_keepcnt": 127,
            "tcp_user_timeout": 2,
        },
    ],
)
def test_a_connection_without_an_answer_is_lost(control: dict[str, Any]) -> None:
    """A dead network is found out by TCP alone, without pings."""
    with across() as (client, server, port):
        uri = f"ws://{network.SERVER}:{port}/"
        programs = []
        for who in SOME:
            words = command(who, uri, {"ping_interval": 0, **control}, "wait")
            programs.append(subprocess.Popen([*client.prefix, *words], env={**os.environ, **who.environment},
                                             stdout=subprocess.PIPE, text=True))  # fmt: skip
        for program in programs:
            assert program.stdout is not None
            assert program.stdout.readline().startswith("open "), program
        # before the cable, because the client would ask for the address then, and hear that nobody has it
        client.ip(
            "neighbour",
            "replace",
            network.SERVER,
            "lladdr",
            "02:00:00:00:00:77",
            "dev",
            "cable",
            "nud",
            "permanent",
        )
        server.ip("link", "set", "cable", "down")
        for program in programs:
            text, _ = program.communicate(timeout=60)
            assert text.startswith(
                "ConnectionClosed the connection was lost while receiving: Connection timed out"
            ), text


SNIFFER = """
import socket, sys
packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(int(sys.argv[1], 0)))
packets.bind(("cable", int(sys.argv[1], 0)))
print("listening 0", flush=True)
while True:
    packet = packets.recv(2000)
    if packet[0] >> 4 == 4 and packet[9] == 6 and packet[packet[0] % 16 * 4 + 13] & 2:
        print("SYN", packet[1] >> 2, flush=True)
    elif packet[0] >> 4 == 6 and packet[6] == 6 and packet[53] & 2:
        print("SYN", int.from_bytes(packet[:2], "big") % 4096 >> 6, flush=True)
"""


@pytest.mark.parametrize(("kind", "host"), [("0x800", network.SERVER), ("0x86dd", "fd99::2")])
def test_dscp(kind: str, host: str) -> None:
    """The first packet has it already."""
    with network.pair() as (client, server):
        for side, address in ((client, "fd99::1"), (server, "fd99::2")):
            side.ip("address", "add", f"{address}/64", "dev", "cable", "nodad")
        with (
            driver.started(SERVER, host, prefix=server.prefix) as (port, _),
            driver.started("-c", SNIFFER, kind, prefix=server.prefix) as (_, sniffer),
        ):
            assert sniffer.stdout is not None
            shown = f"[{host}]" if ":" in host else host
            for who in SOME:
                assert reach(who, f"ws://{shown}:{port}/", client.prefix, dscp=46)[0] == "open"
                assert sniffer.stdout.readline() == "SYN 46\n"
                assert reach(who, f"ws://{shown}:{port}/", client.prefix)[0] == "open"
                assert sniffer.stdout.readline() == "SYN 0\n"


def counter(namespace: Namespace, name: str) -> int:
    text = subprocess.run(
        [*namespace.prefix, "cat", "/proc/self/net/netstat"], capture_output=True, text=True, check=True
    ).stdout
    names, values = (line.split() for line in text.splitlines()[:2])
    return int(values[names.index(name)])


def test_fast_open() -> None:
    with network.pair() as (client, server):
        # clients send data without a cookie; servers take it, on every port that listens from now on
        client.run("sh", "-c", "echo 5 > /proc/sys/net/ipv4/tcp_fastopen")
        server.run("sh", "-c", "echo 1538 > /proc/sys/net/ipv4/tcp_fastopen")
        with driver.started(SERVER, network.SERVER, prefix=server.prefix) as (port, _):
            uri = f"ws://{network.SERVER}:{port}/"
            for count, who in enumerate(SOME):
                assert reach(who, uri, client.prefix)[0] == "open"
                assert counter(server, "TCPFastOpenPassive") == count
                assert reach(who, uri, client.prefix, curl_options={"TCP_FASTOPEN": 1})[0] == "open"
                assert counter(server, "TCPFastOpenPassive") == count + 1


@pytest.mark.parametrize("who", [*CLIENTS, *SYSTEM_CLIENTS])
def test_a_descriptor_from_another_program(who: Client, server: int) -> None:
    with socket.create_connection(("127.0.0.1", server)) as sock:
        words = reach(who, "ws://nowhere.invalid/", sock=sock.fileno())
        assert words == ["open", "{}:{}".format(*sock.getsockname()), f"127.0.0.1:{server}"]
