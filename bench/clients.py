# SPDX-License-Identifier: MIT
"""Builds the programs of the benchmark, lists its clients, and runs them. Used by run.py.

A client is a process that does one job after another. So a run of a tenth of a second does not include the
start of an interpreter, and the clients can take turns often.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from scenarios import SYSTEM_KEYS

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / "bench"
LUAS = {"5.1": "lua5.1", "5.3": "lua5.3", "5.4": "lua5.4", "jit": "luajit"}
JOB_SECONDS = 60
Result = dict[str, Any]


class Broken(Exception):
    """Something failed that should work; the text says what."""


# ---- Building ----------------------------------------------------------------------------------------------


def curl_flags(libcurl: str | None = None) -> list[str]:
    """The flags for libcurl: `libcurl` is private or system, or what LIBCURL in the environment says."""
    environment = {**os.environ, **({"LIBCURL": libcurl} if libcurl else {})}
    flags = []
    for which in ("cflags", "libs"):
        command = ["sh", str(ROOT / "scripts/check_libcurl.sh"), which]
        found = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        if found.returncode != 0:
            raise Broken(found.stderr.strip())
        flags += found.stdout.split()
    return flags


def compile_program(program: Path, sources: Sequence[Path], libraries: Sequence[str]) -> Path:
    """Compiles a program, unless it is newer than all sources and was compiled with the same command."""
    headers = [*BENCH.glob("*.h"), *ROOT.glob("core/include/*.h"), *ROOT.glob("core/src/*/*.h")]
    newest = max(path.stat().st_mtime for path in [*sources, *headers])
    command = [
        *os.environ.get("CC", "cc").split(),
        "-std=c11",
        "-D_GNU_SOURCE",
        "-O2",
        "-pthread",
        f"-I{ROOT / 'core/include'}",
        f"-I{ROOT / 'core/src'}",
        *os.environ.get("CFLAGS", "").split(),
        "-o",
        str(program),
        *map(str, sources),
        *libraries,
    ]
    stamp = program.with_suffix(".command")
    is_same = stamp.exists() and stamp.read_text(encoding="utf-8") == " ".join(command)
    if program.exists() and program.stat().st_mtime > newest and is_same:
        return program
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Broken(f"{program.name} does not compile:\n{done.stderr.strip()}")
    stamp.write_text(" ".join(command), encoding="utf-8")
    return program


SSL = ("-lssl", "-lcrypto")


def build_server(place: Path) -> Path:
    """Builds the server, which the load test uses too."""
    rooms = [ROOT / "core/src" / name for name in ("base/digest.c", "base/sha1.c", "protocol/frame.c")]
    sources = [BENCH / "server.c", BENCH / "pace.c", BENCH / "tls.c", *rooms]
    return compile_program(place / "server", sources, (*SSL, "-lz"))


def build(place: Path) -> dict[str, Path]:
    place.mkdir(parents=True, exist_ok=True)
    core = sorted(ROOT.glob("core/src/*/*.c"))
    curl = curl_flags()
    return {
        "server": build_server(place),
        "bare": compile_program(place / "bare", [BENCH / "bare.c", BENCH / "tls.c"], SSL),
        "libcurl": compile_program(place / "libcurl", [BENCH / "libcurl.c"], curl),
        "core": compile_program(place / "core", [BENCH / "core.c", *core], curl),
        "idle": compile_program(place / "idle", [BENCH / "idle.c", *core], curl),
    }


def make_certificate(place: Path) -> tuple[Path, Path]:
    """Makes a self-signed certificate for 127.0.0.1, valid for a week, and its key."""
    certificate, key = place / "certificate.pem", place / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "7", "-subj", "/CN=localhost", "-keyout", str(key), "-out", str(certificate)]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Broken(f"openssl cannot make a certificate: {done.stderr.strip()}")
    return certificate, key


def install_peers(venv: Path) -> Path:
    """Installs the other Python clients in the versions of requirements.txt, unless they are installed."""
    wanted = (BENCH / "requirements.txt").read_text(encoding="utf-8")
    stamp = venv / "requirements.done"
    python = venv / "bin" / "python"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        print(f"installing the Python clients into {venv}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, "-r", str(BENCH / "requirements.txt")], check=True)
        stamp.write_text(wanted, encoding="utf-8")
    return python


# ---- The clients -------------------------------------------------------------------------------------------


@dataclass
class Client:
    name: str
    kind: str  # bare, libcurl, curlwire, peer
    language: str  # C, Python, Lua
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    in_quick: bool = True
    in_unpinned: bool = True
    leaves_out: tuple[str, ...] = ()  # works
    keys: frozenset[str] | None = None  # the only scenarios; None = all


# Rows beside the main ones are not measured on many connections, which takes longest.
ONE_CONNECTION = ("many", "latency")


def system_client(python: Path, package: Path) -> Client:
    """curlwire with the system's libcurl."""
    return Client(
        "curlwire Python, system's libcurl",
        "curlwire",
        "Python",
        [str(python), str(BENCH / "python_bench.py"), "-"],
        {"PYTHONPATH": str(package)},
        in_quick=False,
        in_unpinned=False,
        keys=SYSTEM_KEYS,
    )


def python_clients(python: Path, package: Path) -> list[Client]:
    ours = [str(python), str(BENCH / "python_bench.py"), "-"]
    paths = {"PYTHONPATH": str(package)}
    clients = [
        Client("curlwire Python", "curlwire", "Python", ours, paths),
        Client(
            "curlwire Python, libcurl's framing",
            "curlwire",
            "Python",
            ours,
            {**paths, "CURLWIRE_FRAMING": "curl"},
            in_quick=False,
            in_unpinned=False,
            leaves_out=ONE_CONNECTION,
        ),
    ]

    def peer(name: str, script: str, *words: str, in_quick: bool = True) -> None:
        command = [str(python), str(BENCH / script), *words, "-"]
        clients.append(Client(name, "peer", "Python", command, in_quick=in_quick))

    for loop in ("asyncio", "uvloop"):
        command = [str(python), str(BENCH / "peers_async.py"), "curlwire", loop, "-"]
        clients.append(Client(f"curlwire {loop}", "curlwire", "Python", command, paths))
    for kind, words in (
        ("asyncio", ("peers_async.py", "compat", "asyncio")),
        ("sync", ("peers_blocking.py", "compat")),
    ):
        command = [str(python), str(BENCH / words[0]), *words[1:], "-"]
        name = f"curlwire.compat.websockets, {kind}"
        clients.append(Client(name, "curlwire", "Python", command, paths, in_quick=False, in_unpinned=False))
    peer("picows, asyncio", "peers_picows.py", "asyncio")
    peer("picows, uvloop", "peers_picows.py", "uvloop")
    peer("aiohttp, asyncio", "peers_async.py", "aiohttp", "asyncio", in_quick=False)
    peer("aiohttp, uvloop", "peers_async.py", "aiohttp", "uvloop")
    peer("websockets, sync", "peers_blocking.py", "websockets")
    peer("websockets, asyncio", "peers_async.py", "websockets", "asyncio", in_quick=False)
    peer("websockets, uvloop", "peers_async.py", "websockets", "uvloop")
    peer("websocket-client", "peers_blocking.py", "websocket-client")
    peer("curl_cffi, sync", "peers_blocking.py", "curl_cffi")
    peer("curl_cffi, asyncio", "peers_async.py", "curl_cffi", "asyncio", in_quick=False)
    return clients


def lua_clients(products: Path) -> tuple[list[Client], list[str]]:
    clients, missing = [], []
    for version, interpreter in LUAS.items():
        modules = products / "lua" / version
        title = "LuaJIT" if version == "jit" else f"Lua {version}"
        in_quick = version in ("jit", "5.3")
        if shutil.which(interpreter) is None:
            missing.append(f"{title}: not measured, {interpreter} is not installed")
            continue
        if modules.is_dir():
            environment = {
                "LUA_PATH": f"{modules}/?.lua;{modules}/?/init.lua;;",
                "LUA_CPATH": f"{modules}/?.so;;",
            }
            command = [interpreter, str(BENCH / "lua_bench.lua"), "-"]
            clients.append(
                Client(
                    f"curlwire {title}",
                    "curlwire",
                    "Lua",
                    command,
                    environment,
                    in_quick,
                    in_unpinned=in_quick,
                    leaves_out=() if in_quick else ONE_CONNECTION,
                )
            )
        else:
            missing.append(f"curlwire {title}: not measured, {modules} is not built (make lua)")
        if in_quick:
            # Debian has some modules for lua-http only in the folder of Lua 5.2; they are plain Lua
            environment = {"LUA_PATH": "/usr/share/lua/5.2/?.lua;;"} if version == "5.3" else {}
            command = [interpreter, str(BENCH / "lua_http.lua")]
            probe = subprocess.run(
                [interpreter, "-e", "require 'http.websocket'"],
                env={**os.environ, **environment},
                capture_output=True,
                check=False,
            )
            if probe.returncode == 0:
                clients.append(Client(f"lua-http, {title}", "peer", "Lua", [*command, "-"], environment))
            else:
                missing.append(f"lua-http, {title}: not measured, it is not installed (apt: lua-http)")
    return clients, missing


def find_clients(programs: dict[str, Path], products: Path, is_quick: bool) -> tuple[list[Client], list[str]]:
    """The clients that can be measured, and a line for each that is missing."""
    core = [str(programs["core"]), "-"]
    clients = [
        Client("bare socket", "bare", "C", [str(programs["bare"]), "-"]),
        Client("libcurl's own framing, C", "libcurl", "C", [str(programs["libcurl"]), "-"], in_unpinned=False),
        Client("curlwire C", "curlwire", "C", core),
        Client(
            "curlwire C, libcurl's framing",
            "curlwire",
            "C",
            core,
            {"CURLWIRE_FRAMING": "curl"},
            in_quick=False,
            in_unpinned=False,
        ),
    ]
    missing = []
    package = products / "python"
    python = install_peers(products / "bench-venv")
    found = python_clients(python, package)
    if not (package / "curlwire").is_dir():
        missing.append(f"curlwire Python: not measured, {package} is not built (make python)")
        found = [client for client in found if client.kind == "peer"]
    system = ROOT / "build" / "system" / "python"
    if not is_quick and products.name != "system":
        if (system / "curlwire").is_dir():
            found.append(system_client(python, system))
        else:
            missing.append(
                f"curlwire Python, system's libcurl: not measured, {system} is not built "
                "(make python LIBCURL=system)"
            )
    luas, missing_luas = lua_clients(products)
    clients += found + luas
    return [client for client in clients if client.in_quick or not is_quick], missing + missing_luas


# ---- Running -----------------------------------------------------------------------------------------------


def pin(command: list[str], processor: int | None) -> list[str]:
    return command if processor is None else ["taskset", "-c", str(processor), *command]


class Worker:
    """A client's process. The first job starts it, and so does the job after a failed job."""

    def __init__(self, client: Client, processor: int | None) -> None:
        self.client = client
        self.processor = processor
        self.process: subprocess.Popen[str] | None = None
        self.errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 - it stays open as long as this object

    def start(self) -> subprocess.Popen[str]:
        self.errors.seek(0)
        self.errors.truncate()
        return subprocess.Popen(
            pin(self.client.command, self.processor),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env={**os.environ, **self.client.environment},
        )

    def do(self, *words: object, seconds: float = JOB_SECONDS) -> Result:
        """Runs a job. The result has "unsupported" if the client cannot do it, and "failed" if it broke."""
        self.process = self.process or self.start()
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            self.process.stdin.write(" ".join(map(str, words)) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        line = self.process.stdout.readline() if ready else ""
        if line:
            result: Result = json.loads(line)
            return result
        self.end()
        self.errors.seek(0)
        said = self.errors.read().strip().splitlines()
        # the error is on Python's last line, and on Lua's first
        text = (
            said[-1 if said[0].startswith("Traceback") else 0] if said else "it ended without an error message"
        )
        text = text if ready else f"not done after {seconds:.0f} s"
        return {"failed": text}

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


class Server:
    """Runs the server until the with block ends."""

    def __init__(self, program: Path, certificate: Path, key: Path, processor: int | None) -> None:
        self.process = subprocess.Popen(
            pin([str(program), "0", str(certificate), str(key)], processor),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        ports = [self.process.stdout.readline().strip() for _ in range(2)]
        if not all(ports):
            raise Broken("the server did not start")
        self.urls = {"ws": f"ws://127.0.0.1:{ports[0]}", "wss": f"wss://127.0.0.1:{ports[1]}"}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()
