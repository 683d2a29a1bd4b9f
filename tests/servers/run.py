# SPDX-License-Identifier: MIT
"""Starts the test peers, runs a command with their addresses in its environment, and ends the peers.

    python3 tests/servers/run.py [--without NAME,...] [--only NAME,...] -- COMMAND ARGUMENTS...

Returns the exit code of the command. A peer that cannot be started is an error. The peers, and the variables of
each:

    echo      CW_ECHO_WS, CW_ECHO_WSS (the websockets library), CW_BADHOST_WSS, CW_EXPIRED_WSS
    ping      CW_PING_WS (as echo, but it pings every 0.3 s and gives up after 4 s without a pong)
    scripted  CW_SCRIPT_WS, CW_SCRIPT_WSS, CW_PLAIN_HTTP (the http:// base for /log)
    handshake CW_HANDSHAKE_WS, CW_HANDSHAKE_WSS (handshakes of tests/conformance/handshake)
    aiohttp   CW_AIOHTTP_WS
    node      CW_NODE_WS (the npm library ws, found in NODE_PATH, else in build/node/node_modules)
    tls       CW_TLS_PORTS ("good=PORT ...": the ports of tls.py, and plain=PORT without TLS),
              CW_TLS_FOLDER (the files of certs.py), CW_TLS_LOG (the http:// base); forwards to scripted
    vectors   CW_VECTORS_WS (the vectors of tests/conformance)
    nginx     CW_NGINX_WS, CW_NGINX_WSS (forwards to echo)
    login     CW_LOGIN_APACHE_WS, CW_LOGIN_NGINX_WS (ask for a login, and forward to echo),
              CW_LOGIN_PASSWORD (of the user "user")
    proxies   CW_PROXIES ("open=PORT ...": the proxies of proxy_settings.py)
    reaching  CW_REACHING_WSS (echo and DNS over HTTPS), CW_UNIX_PATH and CW_ABSTRACT_NAME (Unix sockets: echo)

CW_CA_FILE and CW_REFUSED_WS, an address that refuses connections, are always set. The URLs have no path and do
not end with a slash. The host is localhost with TLS and 127.0.0.1 without.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(ROOT / "scripts")]

import children  # noqa: E402

import certs  # noqa: E402
import login_settings  # noqa: E402
import nginx_settings  # noqa: E402
import proxy_settings  # noqa: E402

NAMES = (
    *(
        "echo",
        "ping",
        "scripted",
        "vectors",
        "tls",
        "handshake",
        "aiohttp",
        "node",
        "nginx",
        "login",
        "proxies",
    ),
    "reaching",
)
START_S = 60
LOWEST_PORT = 12000  # of those that are chosen here


class CannotStart(Exception):
    """A peer could not be started. The message says which and why."""


class Peers:
    """A context manager that runs the peers. `environment` holds the variables for the command."""

    def __init__(self, names: tuple[str, ...] = NAMES) -> None:
        self.names = names
        self.environment: dict[str, str] = {}
        self.processes: list[subprocess.Popen[str]] = []
        self.readers: list[threading.Thread] = []
        self.folder = Path()
        self.late = contextlib.ExitStack()  # what is undone after the peers have ended
        self.undo = contextlib.ExitStack()

    def __enter__(self) -> Peers:
        with contextlib.ExitStack() as undo:
            self.folder = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="curlwire-peers-")))
            self.late = undo.enter_context(contextlib.ExitStack())
            undo.callback(self.end_all)
            certs.make(self.folder)
            self.environment["CW_CA_FILE"] = str(self.folder / "ca.pem")
            self.environment["CW_REFUSED_WS"] = f"ws://127.0.0.1:{undo.enter_context(refused_port())}"
            for name in self.names:
                getattr(self, f"start_{name}")()
            self.undo = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.undo.close()

    # -- the peers

    def start_echo(self) -> None:
        specs = ["ws", *(self.tls(name) for name in ("server", "badhost", "expired"))]
        ports = self.python("echo.py", *(f"--listen={spec}" for spec in specs))
        self.name_ports(("CW_ECHO_WS", "CW_ECHO_WSS", "CW_BADHOST_WSS", "CW_EXPIRED_WSS"), ports)

    def start_ping(self) -> None:
        self.name_ports(("CW_PING_WS",), self.python("echo.py", "--ping-interval=0.3", "--ping-timeout=4"))

    def start_scripted(self) -> None:
        ports = self.python("scripted.py", "--listen=ws", f"--listen={self.tls('server')}")
        self.name_ports(("CW_SCRIPT_WS", "CW_SCRIPT_WSS"), ports)
        self.environment["CW_PLAIN_HTTP"] = f"http://127.0.0.1:{ports[0]}"

    def start_handshake(self) -> None:
        ports = self.python("handshake.py", "--listen=ws", f"--listen={self.tls('server')}")
        self.name_ports(("CW_HANDSHAKE_WS", "CW_HANDSHAKE_WSS"), ports)

    def start_tls(self) -> None:
        import tls  # it needs a package (pyOpenSSL) that the other peers do not need

        if "CW_SCRIPT_WS" not in self.environment:
            raise CannotStart("tls forwards to scripted: start that too")
        upstream = self.environment["CW_SCRIPT_WS"].rpartition(":")[2]
        log, plain, *ports = self.python("tls.py", f"--certificates={self.folder}", f"--upstream={upstream}")
        words = [f"plain={plain}", *(f"{name}={port}" for name, port in zip(tls.PORTS, ports, strict=True))]
        self.environment["CW_TLS_PORTS"] = " ".join(words)
        self.environment["CW_TLS_FOLDER"] = str(self.folder)
        self.environment["CW_TLS_LOG"] = f"http://127.0.0.1:{log}"

    def start_vectors(self) -> None:
        self.name_ports(("CW_VECTORS_WS",), self.python("vectors.py"))

    def start_aiohttp(self) -> None:
        self.name_ports(("CW_AIOHTTP_WS",), self.python("aiohttp_echo.py"))

    def start_reaching(self) -> None:
        path, name = str(self.folder / "echo.sock"), f"curlwire-{os.getpid()}"
        words = (f"--certificates={self.folder}", f"--unix={path}", f"--abstract={name}")
        self.name_ports(("CW_REACHING_WSS",), self.python("reaching.py", *words))
        self.environment |= {"CW_UNIX_PATH": path, "CW_ABSTRACT_NAME": name}

    def start_node(self) -> None:
        modules = os.environ.get("NODE_PATH") or str(ROOT / "build" / "node" / "node_modules")
        node = shutil.which("node") or shutil.which("nodejs")
        if node is None:
            raise CannotStart("node: no node command; run sh scripts/install.sh test")
        environment = {**os.environ, "NODE_PATH": modules}
        self.name_ports(
            ("CW_NODE_WS",), self.listening("node", [node, str(HERE / "node_echo.js")], environment)
        )

    def start_nginx(self) -> None:
        nginx = nginx_settings.program()
        if nginx is None:
            raise CannotStart("nginx: no nginx command; run sh scripts/install.sh test")
        if "CW_ECHO_WS" not in self.environment:
            raise CannotStart("nginx forwards to echo: start that too")
        upstream = int(self.environment["CW_ECHO_WS"].rpartition(":")[2])
        # nginx does not report its ports, so they are chosen here. Another process may take one first, so try
        # again.
        for attempt in range(3):
            ports = free_ports(2)
            prefix = self.folder / f"nginx-{attempt}"
            prefix.mkdir()
            http = nginx_settings.proxy(
                upstream, self.folder, f"127.0.0.1:{ports[0]}", f"127.0.0.1:{ports[1]} ssl"
            )
            arguments = nginx_settings.write(prefix, http, "master_process off;")
            process = self.start([nginx, *arguments], dict(os.environ))
            if all(self.accepts(process, port) for port in ports):
                self.name_ports(("CW_NGINX_WS", "CW_NGINX_WSS"), ports)
                return
        raise CannotStart("nginx does not accept connections; its output is above")

    def start_login(self) -> None:
        programs = {"apache": login_settings.apache_program(), "nginx": nginx_settings.program()}
        for name, program in programs.items():
            if program is None:
                raise CannotStart(f"login: no command of {name}; run sh scripts/install.sh test")
        if "CW_ECHO_WS" not in self.environment:
            raise CannotStart("login forwards to echo: start that too")
        upstream = int(self.environment["CW_ECHO_WS"].rpartition(":")[2])
        folder = Path(self.late.enter_context(tempfile.TemporaryDirectory(prefix="curlwire-login-")))
        login_settings.write_users(folder)
        for _ in range(3):  # neither reports its port, as above
            ports = free_ports(2)
            http = login_settings.nginx(folder, ports[1], upstream)
            arguments = {
                "apache": login_settings.apache(folder, ports[0], upstream),
                "nginx": nginx_settings.write(folder, http, "master_process off; user root;", level="crit"),
            }
            started = [
                self.start([str(programs[name]), *arguments[name]], dict(os.environ)) for name in programs
            ]
            if all(self.accepts(process, port) for process, port in zip(started, ports, strict=True)):
                self.name_ports(("CW_LOGIN_APACHE_WS", "CW_LOGIN_NGINX_WS"), ports)
                self.environment["CW_LOGIN_PASSWORD"] = login_settings.PASSWORD
                return
        raise CannotStart("login: Apache or nginx does not accept connections; their output is above")

    def start_proxies(self) -> None:
        folder = self.folder / "proxies"
        folder.mkdir()
        self.folder.chmod(0o711)  # squid drops the rights of root, and its helpers read files of the folder
        proxy_settings.write_users(folder)
        found: dict[str, int] = {}
        for name, (_, kinds) in proxy_settings.SQUIDS.items():
            found |= self.proxy("squid", tuple(kinds), partial(proxy_settings.squid, folder, self.folder, name))
        for name in ("socks", "socks_login"):
            found |= self.proxy("microsocks", (name,), proxy_settings.microsocks)
        server = self.proxy("sshd", ("sshd",), partial(proxy_settings.sshd, folder))
        found |= self.proxy("ssh", ("ssh",), partial(proxy_settings.ssh, folder, server["sshd"]))
        self.environment["CW_PROXIES"] = " ".join(f"{name}={port}" for name, port in found.items())

    def proxy(
        self, command: str, names: tuple[str, ...], arguments: Callable[[dict[str, int]], list[str]]
    ) -> dict[str, int]:
        """Starts a proxy with a free port for each name. Another process may take one first: it tries again."""
        program = proxy_settings.program(command)
        if program is None:
            raise CannotStart(f"proxies: no {command} command; run sh scripts/install.sh test")
        for _ in range(3):
            ports = dict(zip(names, free_ports(len(names)), strict=True))
            # microsocks writes a line for each connection
            process = self.start([program, *arguments(ports)], dict(os.environ), command == "microsocks")
            if all(self.accepts(process, port) for port in ports.values()):
                return ports
        raise CannotStart(f"{command} does not accept connections; its output is above")

    # -- starting and ending

    def tls(self, name: str) -> str:
        return f"wss:{self.folder / name}.pem:{self.folder / name}.key"

    def name_ports(self, names: tuple[str, ...], ports: list[int]) -> None:
        for name, port in zip(names, ports, strict=True):
            where = f"wss://localhost:{port}" if name.endswith("_WSS") else f"ws://127.0.0.1:{port}"
            self.environment[name] = where

    def start(
        self, command: list[str], environment: dict[str, str], is_quiet: bool = False
    ) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
            # node makes its stderr nonblocking, so it must not share ours
            stderr=subprocess.DEVNULL if is_quiet else subprocess.PIPE,
            start_new_session=True,  # Ctrl-C must end the command first, then the peers
        )  # fmt: skip
        self.processes.append(process)
        if is_quiet:
            return process
        reader = threading.Thread(target=hand_on, args=(process,), daemon=True)
        self.readers.append(reader)
        reader.start()
        return process

    def python(self, script: str, *arguments: str) -> list[int]:
        return self.listening(script, [sys.executable, str(HERE / script), *arguments], dict(os.environ))

    def listening(self, name: str, command: list[str], environment: dict[str, str]) -> list[int]:
        """Starts a peer whose first line is "listening PORT ...", and checks that it accepts connections."""
        process = self.start(command, environment)
        assert process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            words = process.stdout.readline().split() if selector.select(START_S) else []
        if words[:1] != ["listening"]:
            raise CannotStart(f"{name} did not start (exit code {process.poll()}); its output is above")
        ports = [int(word) for word in words[1:]]
        if not all(self.accepts(process, port) for port in ports):
            raise CannotStart(f"{name} does not accept connections; its output is above")
        return ports

    @staticmethod
    def accepts(process: subprocess.Popen[str], port: int) -> bool:
        until = time.monotonic() + START_S
        while process.poll() is None and time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return True
            time.sleep(0.02)  # before the next try, because a refused connect returns at once
        return False

    def end_all(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
        for reader in self.readers:
            reader.join(5)
        self.processes.clear()
        self.readers.clear()


def hand_on(process: subprocess.Popen[str]) -> None:
    """Copies the stderr of a peer to the stderr of this process."""
    assert process.stderr is not None
    with process.stderr:
        for line in process.stderr:
            sys.stderr.write(line)
            sys.stderr.flush()


@contextlib.contextmanager
def refused_port() -> Iterator[int]:
    """Yields a port that refuses connections. It is bound, so no other process gets it, but does not listen."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def free_ports(count: int) -> list[int]:
    """Returns ports that no process has.

    They are below those that the system gives to connections and to port 0. So only a server that is started
    in the same way can take one meanwhile.
    """
    try:
        lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:  # not Linux
        lowest = 0
    candidates = range(LOWEST_PORT, lowest)
    with contextlib.ExitStack() as stack:
        ports: list[int] = []
        while len(ports) < count:
            holder = stack.enter_context(socket.socket())
            with contextlib.suppress(OSError):  # it is in use
                holder.bind(("127.0.0.1", random.choice(candidates) if candidates else 0))
                ports.append(holder.getsockname()[1])
        return ports


def chosen(only: str, without: str) -> tuple[str, ...]:
    for name in filter(None, (only + "," + without).split(",")):
        if name not in NAMES:
            raise SystemExit(f"run.py: no peer is called {name}; there are {', '.join(NAMES)}")
    wanted = set(filter(None, only.split(","))) or set(NAMES)
    return tuple(name for name in NAMES if name in wanted - set(without.split(",")))


def main() -> int:
    parser = argparse.ArgumentParser(usage="run.py [--without NAME,...] [--only NAME,...] -- COMMAND...")
    parser.add_argument("--without", default="")
    parser.add_argument("--only", default="")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    children.hand_on_signals()
    # SIGTERM must not leave peers behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with Peers(chosen(options.only, options.without)) as peers:
            command = subprocess.Popen(options.command, env={**os.environ, **peers.environment})
            try:
                code = command.wait()
            except KeyboardInterrupt:  # the terminal has sent it to the command too
                code = command.wait()
            except SystemExit:
                command.terminate()
                command.wait()
                raise
            return code if code >= 0 else 128 - code
    except CannotStart as error:
        print(f"run.py: {error}", file=sys.stderr)
        return 3
    except FileNotFoundError as error:
        print(f"run.py: {error}", file=sys.stderr)
        return 127


if __name__ == "__main__":
    sys.exit(main())
