# SPDX-License-Identifier: MIT
"""Network namespaces of our own, where names do not resolve and packets get lost without harm to anybody.

A namespace lives as long as the process that was started in it. That process reads a pipe of ours. So nothing
is left on the machine however the tests end. Root makes namespaces directly; other users make them inside a
user namespace. A machine that allows neither fails the tests that need a namespace, because no other test
replaces them.

    python3 tests/faults/network.py     a name server on 127.0.0.1:53 that never answers; "query" for each query
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
CLIENT = "10.99.0.1"
SERVER = "10.99.0.2"
READY = "echo $$; exec cat"


class NoNamespaces(Exception):
    """This machine does not let us make one."""


class Namespace:
    """prefix starts a command inside. With outside, the namespace is made inside another, of the same user.

    kinds are unshare's options for what is its own beside the network.
    """

    def __init__(self, outside: Namespace | None = None, *kinds: str) -> None:
        self.prefix: list[str] = []
        self.has_mounts = "--mount" in kinds
        self.user = ["--user"] if os.geteuid() != 0 else []
        flags = [] if outside or not self.user else ["--user", "--map-root-user"]
        command = ["unshare", *flags, "--net", *kinds, "sh", "-c", READY]
        self.process = subprocess.Popen(
            [*(outside.prefix if outside else []), *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.pid = ""

    def begin(self) -> None:
        assert self.process.stdout is not None
        self.pid = self.process.stdout.readline().strip()
        if not self.pid:
            words = self.process.communicate()[1].strip()
            raise NoNamespaces(
                f"NO NETWORK NAMESPACES HERE, so faults of the network cannot be tested: {words}. Run the "
                "tests as root (in a container: with CAP_SYS_ADMIN and CAP_NET_ADMIN), or allow user namespaces"
            )
        enter = ["--user", "--preserve-credentials"] if self.user else []
        mounts = ["--mount", "--root", "--wd"] if self.has_mounts else []  # the root: it may be a chroot's
        self.prefix = ["nsenter", "--target", self.pid, *enter, "--net", *mounts]
        self.ip("link", "set", "lo", "up")

    def run(self, *command: str) -> None:
        done = subprocess.run([*self.prefix, *command], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NoNamespaces(f"{' '.join(command)} failed in a namespace of ours: {done.stderr.strip()}")

    def ip(self, *words: str) -> None:
        self.run("ip", *words)

    def end(self) -> None:
        """The namespace goes with its last process."""
        self.process.kill()
        self.process.communicate()


@contextlib.contextmanager
def namespace(outside: Namespace | None = None, *kinds: str) -> Iterator[Namespace]:
    made = Namespace(outside, *kinds)
    try:
        made.begin()
        yield made
    finally:
        made.end()


@contextlib.contextmanager
def pair(*kinds: str) -> Iterator[tuple[Namespace, Namespace]]:
    """Two namespaces, the client's and the server's, and a cable between their interfaces "cable". kinds are
    the client's."""
    with namespace(None, *kinds) as client, namespace(client) as server:
        peer = ("peer", "name", "cable", "netns", server.pid)
        client.ip("link", "add", "cable", "type", "veth", *peer)
        for side, address in ((client, CLIENT), (server, SERVER)):
            side.ip("address", "add", f"{address}/24", "dev", "cable")
            side.ip("link", "set", "cable", "up")
        yield client, server


def mount_kinds(folder: Path) -> list[str]:
    """How to get mounts of our own, that nobody else sees. unshare sees to that where the root is a mount; in a
    chroot it is none, and whether they stay ours is tried on files of the test."""
    plain = ["--mount"]
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    if any(line.split()[4] == "/" for line in mounts):
        return plain
    unchanged = [*plain, "--propagation", "unchanged"]
    inside, outside = folder / "inside", folder / "outside"
    inside.write_text("inside")
    outside.write_text("outside")
    with namespace(None, *unchanged) as made:
        made.run("mount", "--bind", str(inside), str(outside))
        is_seen = outside.read_text() != "outside"
        made.run("umount", str(outside))
    if is_seen:
        raise NoNamespaces("a mount in a namespace of ours is seen outside: make the chroot's root a mount")
    return unchanged


@contextlib.contextmanager
def without_answers(folder: Path) -> Iterator[tuple[Namespace, subprocess.Popen[str]]]:
    """A namespace whose name server, ours, gets queries and never answers. Its words are on its stdout."""
    import driver

    with namespace(None, *mount_kinds(folder)) as made:
        for name, words in (("resolv.conf", "nameserver 127.0.0.1\n"), ("nsswitch.conf", "hosts: files dns\n")):
            (folder / name).write_text(words)
            made.run("mount", "--bind", str(folder / name), f"/etc/{name}")
        with driver.started(str(HERE / "network.py"), prefix=made.prefix) as (_, process):
            yield made, process


def main() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 53))
        print("listening 53", flush=True)
        while server.recv(512):
            print("query", flush=True)


if __name__ == "__main__":
    main()
