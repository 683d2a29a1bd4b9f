# SPDX-License-Identifier: MIT
"""follow_location "safe": no redirect leads to an address that is less public than the server's that sent it.

The addresses are those of a network namespace of ours. Each case runs in Python and in Lua, with the system's
libcurl, for which curlwire itself connects, and with the libcurl inside.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen
from urllib.parse import quote

import pytest

import driver
import network
import test_trust

ADDRESSES = (
    "8.8.8.8/32", "9.9.9.9/32", "10.0.0.1/32", "10.0.0.2/32", "169.254.169.254/32", "2606:4700::1/128",
    "fd00::1/128",
)  # fmt: skip
HOSTS = """\
9.9.9.9 public.test
10.0.0.1 private.test
127.0.0.1 mixed.test
10.0.0.1 mixed.test
9.9.9.9 mixed.test
8.8.8.8 rebind.test
127.0.0.1 localhost
"""
PYTHON = """
import sys, curlwire
try:
    with curlwire.connect(sys.argv[1], follow_location=sys.argv[2]) as ws:
        print(ws.remote_address.rpartition(":")[0])
except curlwire.ConnectError as error:
    print(error.status.name.lower().replace("_", ""), error)
"""
LUA = """
local curlwire = require "curlwire"
local ws, message, err = curlwire.connect(arg[1], {follow_location = arg[2]})
print(ws and ws.remote_address:match("^(.*):") or err.status_name:lower() .. " " .. message)
if ws then ws:close() end
"""


class Place:
    def __init__(self, made: network.Namespace, folder: Path, port: int, server: Popen[str]) -> None:
        self.made = made
        self.hosts = folder / "hosts"
        self.port = port
        self.server = server
        self.clients = test_trust.clients(folder, PYTHON, LUA)

    def paths(self) -> list[str]:
        """The paths of the requests since the last call."""
        assert self.server.stdout is not None
        end = f"import socket; s = socket.create_connection(('127.0.0.1', {self.port})); "
        self.made.run("python3", "-c", end + "s.sendall(b'GET /end?/ HTTP/1.1\\r\\n\\r\\n'); s.recv(1)")
        return list(iter(lambda: self.server.stdout.readline().strip(), "/end"))  # type: ignore[union-attr]

    def outcomes(self, uri: str, mode: str = "safe") -> set[str]:
        found = set()
        for client in self.clients:
            self.hosts.write_text(HOSTS)
            found.add(client.run(self.made.prefix, uri, mode)[0])
        return found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("redirects")
    (folder / "hosts").write_text(HOSTS)
    (folder / "nsswitch.conf").write_text("hosts: files\n")
    with network.namespace(None, *network.mount_kinds(folder)) as made:
        for name in ("hosts", "nsswitch.conf"):
            made.run("mount", "--bind", str(folder / name), f"/etc/{name}")
        for address in ADDRESSES:
            made.ip("address", "add", address, "dev", "lo", *(["nodad"] if ":" in address else []))
        program = str(driver.HERE / "redirecting.py")
        with driver.started(program, str(folder / "hosts"), prefix=made.prefix) as (port, server):
            yield Place(made, folder, port, server)


def go(*uris: str) -> str:
    """A URI that redirects to the second, which redirects to the third, and so on."""
    first, *rest = uris
    return f"{first}/go?{quote(go(*rest), safe='')}" if rest else f"{first}/in"


def check(place: Place, hosts: str, outcome: str, mode: str = "safe") -> None:
    uris = [f"ws://{host}:{place.port}" for host in hosts.split()]
    found = place.outcomes(go(*uris), mode)
    if outcome == "refused":
        last = uris[-1].removeprefix("ws://").rpartition(":")[0]
        assert len(found) == 1, found
        text = found.pop()
        assert text.startswith("redirectfailed "), text
        assert f"the redirect to {last} leads to an address that is less public" in text
    else:
        assert found == {outcome}
    paths = place.paths()
    assert len(paths) == len(place.clients) * (len(uris) - (outcome == "refused"))
    assert ("/in" in paths) is (outcome != "refused")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "[::1]", "0.0.0.0", "[::]", "[::ffff:127.0.0.1]", "10.0.0.1", "169.254.169.254",
        "[fd00::1]", "localhost", "private.test",
    ],
)  # fmt: skip
def test_from_public_to_private(place: Place, host: str) -> None:
    check(place, f"8.8.8.8 {host}", "refused")


@pytest.mark.parametrize(
    ("hosts", "outcome"),
    [
        ("8.8.8.8 9.9.9.9", "9.9.9.9"),
        ("8.8.8.8 public.test", "9.9.9.9"),
        ("8.8.8.8 mixed.test", "9.9.9.9"),  # only the public one of its addresses
        ("8.8.8.8 [2606:4700::1]", "[2606:4700::1]"),
        ("[2606:4700::1] 10.0.0.1", "refused"),
        ("10.0.0.1 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1 8.8.8.8", "8.8.8.8"),
        ("10.0.0.1 127.0.0.1", "refused"),
        ("127.0.0.1 10.0.0.1", "10.0.0.1"),
        ("127.0.0.1 127.0.0.1", "127.0.0.1"),
        ("127.0.0.1 8.8.8.8 10.0.0.1", "refused"),  # the last redirect counts, not the first server
        ("127.0.0.1 8.8.8.8 9.9.9.9", "9.9.9.9"),
    ],
)
def test_each_redirect_counts(place: Place, hosts: str, outcome: str) -> None:
    check(place, hosts, outcome)


def test_all_goes_everywhere(place: Place) -> None:
    check(place, "8.8.8.8 127.0.0.1", "127.0.0.1", "all")


def test_a_name_that_means_another_address_the_second_time(place: Place) -> None:
    """DNS rebinding: the address of the second connection counts, also for the same origin."""
    found = place.outcomes(f"ws://rebind.test:{place.port}/rebind")
    assert len(found) == 1
    assert "the redirect to rebind.test leads to an address that is less public" in found.pop()
    assert place.paths() == ["/rebind"] * len(place.clients)
    assert place.outcomes(f"ws://rebind.test:{place.port}/rebind", "all") == {"127.0.0.1"}
    assert place.paths() == ["/rebind", "/in"] * len(place.clients)
