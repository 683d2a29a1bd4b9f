# SPDX-License-Identifier: MIT
"""Runs the Autobahn test suite against curlwire, and prints the results as rows of docs/conformance.md.

    python3 tests/autobahn/run.py [--build DIR] [--only SET] [CLIENT ...]

A client is python, lua5.4 or luajit; without one it runs all three. DIR is a build of curlwire
(build). The sets are rules (sections 1-7 and 10 of the suite), limits (section 9), compression (of
sections 12 and 13 a third, with small messages) and large-compression (the rest). All of it takes half an hour
on two processors, and large-compression most of that. The suite's own pages are in
build/autobahn/reports/CLIENT-SET. The exit status is 1 if a case fails, or did not run.

The suite needs Python 2.7. The first run fetches it, into build/autobahn: PyPy from Debian 11, and the Python
packages of requirements.txt. It needs apt-get, dpkg-deb, the package debian-archive-keyring, and a processor
that Debian calls amd64. It installs nothing on the system.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
WORK = ROOT / "build" / "autobahn"
DEBIAN = "bullseye"  # Debian 11, the last release with PyPy for Python 2.7
PACKAGES = ("pypy", "pypy-lib", "libffi7", "libssl1.1")  # the libraries are those that later releases lack
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
PIP = "pip==20.3.4"  # the last one for Python 2.7
START_S = 60.0
LIMIT_S = 3600.0  # of one set with one client


@dataclass(frozen=True)
class Set:
    cases: tuple[str, ...]
    count: int  # of the pinned suite, so that no case is left out
    options: tuple[str, ...] = ()


def compression_set(*numbers: int) -> Set:
    """The cases with these numbers in each part of the sections 12 and 13."""
    parts = [f"12.{part}" for part in range(1, 6)] + [f"13.{part}" for part in range(1, 8)]
    cases = tuple(f"{part}.{number}" for part in parts for number in numbers)
    return Set(cases, len(cases), ("compression=deflate",))


SETS = {
    "rules": Set(("1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*"), 247),
    "limits": Set(("9.*",), 54),
    "compression": compression_set(1, 2, 3, 4, 5, 11),
    "large-compression": compression_set(*range(6, 11), *range(12, 19)),
}
CLIENTS = ("python", "lua5.4", "luajit")
# The suite has other words for a case that went wrong, such as FAILED, WRONG CODE and UNCLEAN.
GOOD = ("OK", "NON-STRICT", "INFORMATIONAL")


class Stop(Exception):
    """Says what went wrong, and what to do."""


# ---- the suite


def call(*command: str | Path, env: dict[str, str] | None = None, cwd: Path = ROOT) -> str:
    ended = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
    )
    if ended.returncode != 0:
        raise Stop(f"{command[0]} failed:\n{' '.join(map(str, command))}\n{ended.stdout}{ended.stderr}")
    return ended.stdout


def mirror() -> str:
    """The archive of Debian that apt uses."""
    lines = call("apt-get", "indextargets", "--format", "$(LABEL)|$(COMPONENT)|$(REPO_URI)").splitlines()
    found = [line.removeprefix("Debian|main|") for line in lines if line.startswith("Debian|main|")]
    if not found:
        raise Stop("apt uses no archive of Debian. Set MIRROR to the address of one")
    return found[0]


def fetch_pypy() -> None:
    """Unpacks PyPy into WORK/root. apt uses lists of its own, and checks the archive's signature."""
    for folder in ("lists/partial", "cache/archives/partial", "debs"):
        (WORK / "apt" / folder).mkdir(parents=True)
    (WORK / "apt" / "status").touch()
    source = f"deb [signed-by={KEYRING}] {os.environ.get('MIRROR') or mirror()} {DEBIAN} main\n"
    (WORK / "apt" / "sources.list").write_text(source)
    apt = WORK / "apt"
    words = (
        f"Dir::Etc::sourcelist={apt}/sources.list", "Dir::Etc::sourceparts=/dev/null", f"Dir::State={apt}",
        f"Dir::State::status={apt}/status", f"Dir::Cache={apt}/cache", "APT::Architecture=amd64",
        "APT::Sandbox::User=root", "Acquire::Languages=none",
    )  # fmt: skip
    options = [option for word in words for option in ("-o", word)]
    call("apt-get", "-q", *options, "update")
    call("apt-get", "-q", *options, "download", *PACKAGES, cwd=apt / "debs")
    for package in sorted((apt / "debs").glob("*.deb")):
        call("dpkg-deb", "-x", package, WORK / "root")


def pypy() -> tuple[list[str], dict[str, str]]:
    """The command of PyPy, and its environment."""
    libraries = WORK / "root/usr/lib/x86_64-linux-gnu"
    return [str(WORK / "root/usr/bin/pypy")], {
        "LD_LIBRARY_PATH": str(libraries),
        "PYTHONPATH": str(WORK / "site"),
    }


def requirements() -> tuple[list[str], list[str]]:
    """The packages that have wheels, and those that have not."""
    lines = (HERE / "requirements.txt").read_text().splitlines()
    names = [line for line in lines if line and not line.startswith("#")]
    return names[:-3], names[-3:]


def fetch_packages() -> None:
    """Installs the packages of requirements.txt into WORK/site."""
    wheels, sources = requirements()
    pip = (sys.executable, "-m", "pip", "-q", "--disable-pip-version-check")
    target = ("--target", WORK / "site", "--no-compile", "--no-deps")
    platform = (
        "--only-binary=:all:", "--ignore-requires-python", "--python-version", "2.7", "--implementation", "cp",
        "--abi", "cp27mu", "--abi", "none", "--platform", "manylinux1_x86_64", "--platform", "any",
    )  # fmt: skip
    call(*pip, "install", *target, *platform, *wheels)
    # The other packages have to be built in Python 2.7. A wheel of pip runs without being installed.
    call(*pip, "download", "--no-deps", "--only-binary=:all:", "--dest", WORK / "pip", PIP)
    (wheel,) = (WORK / "pip").glob("pip-*.whl")
    command, env = pypy()
    call(*command, f"{wheel}/pip", "install", *target, "--no-build-isolation", *sources, env=env)
    (WORK / "site/zope/__init__.py").touch()  # pip leaves it out with --target


def fetch() -> None:
    """Fetches the suite, unless it is there."""
    stamp = WORK / "stamp"
    wanted = "\n".join((DEBIAN, *PACKAGES, PIP, *map("\n".join, requirements())))
    if stamp.exists() and stamp.read_text() == wanted:
        return
    for program in ("apt-get", "dpkg-deb"):
        if not shutil.which(program):
            raise Stop(f"{program} is missing: run this on Debian, or on a system with its tools")
    if not KEYRING.exists():
        raise Stop(f"{KEYRING} is missing: install the package debian-archive-keyring")
    if call("dpkg", "--print-architecture").strip() != "amd64":
        raise Stop("PyPy is fetched for amd64 only: run this on such a machine")
    print("fetching the suite", flush=True)
    shutil.rmtree(WORK, ignore_errors=True)
    fetch_pypy()
    fetch_packages()
    stamp.write_text(wanted)


# ---- runs


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def serving(name: str, cases: tuple[str, ...]) -> Iterator[str]:
    """Runs the fuzzing server for these cases. Gives its URI."""
    uri = f"ws://127.0.0.1:{free_port()}"
    reports = WORK / "reports" / name
    shutil.rmtree(reports, ignore_errors=True)
    reports.mkdir(parents=True)
    settings = {
        "url": uri, "outdir": str(reports), "options": {"failByDrop": False}, "cases": cases,
        "exclude-cases": [], "exclude-agent-cases": {},
    }  # fmt: skip
    settings_file, log = reports / "settings.json", reports / "server.log"
    settings_file.write_text(json.dumps(settings))
    command, env = pypy()
    command += ["-u", str(HERE / "server.py"), "-m", "fuzzingserver", "-s", str(settings_file), "-u", "0"]
    with log.open("w") as out:
        server = subprocess.Popen(command, cwd=WORK, env={**os.environ, **env}, stdout=out, stderr=out)
    try:
        until = time.monotonic() + START_S
        while "listening\n" not in log.read_text():
            if server.poll() is not None or time.monotonic() > until:
                raise Stop(f"the server did not start:\n{log.read_text()}")
            time.sleep(0.1)  # the server says only in its output that it listens
        yield uri
    finally:
        server.terminate()
        server.wait()


def client_command(client: str, build: Path) -> tuple[list[str], dict[str, str]]:
    if client == "python":
        return [sys.executable, str(HERE / "client.py")], {"PYTHONPATH": str(build / "python")}
    modules = build / "lua" / ("jit" if client == "luajit" else client.removeprefix("lua"))
    if not modules.is_dir():
        raise Stop(f"{modules} is missing: build it with make lua")
    env = {"LUA_PATH": f"{modules}/?.lua;{modules}/?/init.lua;;", "LUA_CPATH": f"{modules}/?.so;;"}
    return [client, str(HERE / "client.lua")], env


def version_of(text: str) -> tuple[int, ...]:
    found = re.search(r"libcurl (\d+)\.(\d+)", text)
    assert found, text
    return tuple(int(part) for part in found.groups())


def run_set(client: str, name: str, build: Path) -> Path:
    """Runs a set of cases. Returns the folder of its reports."""
    command, env = client_command(client, build)
    with serving(f"{client}-{name}", SETS[name].cases) as uri:
        try:
            ended = subprocess.run(
                [*command, uri, client, *SETS[name].options], env={**os.environ, **env}, timeout=LIMIT_S,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise Stop(f"the client {client} did not end within {LIMIT_S:.0f} s in {name}") from None
    print(ended.stdout, end="", flush=True)
    if ended.returncode != 0:
        raise Stop(f"the client {client} ended with exit code {ended.returncode} in {name}")
    return WORK / "reports" / f"{client}-{name}"


# ---- results


def in_order(case: str) -> list[int]:
    return [int(part) for part in case.split(".")]


def read_results(reports: Path, count: int) -> tuple[Counter[str], list[str]]:
    """Returns how often the suite said each word of a case, and the faults."""
    ((_, cases),) = json.loads((reports / "index.json").read_text()).items()
    words: Counter[str] = Counter()
    faults = [] if len(cases) == count else [f"{reports.name}: {len(cases)} cases ran, not {count}"]
    for case in sorted(cases, key=in_order):
        behavior, close = cases[case]["behavior"], cases[case]["behaviorClose"]
        words[behavior if close in ("OK", behavior) else f"{behavior}, close {close}"] += 1
        if behavior in GOOD and close in GOOD:
            continue
        detail = json.loads((reports / cases[case]["reportfile"]).read_text())
        why = f"{detail['result']} {detail['resultClose']}"
        faults.append(f"{reports.name}, case {case}: {behavior}, close {close}: {why}")
    return words, faults


def shown(words: Counter[str]) -> str:
    return ", ".join(f"{count} {word}" for word, count in words.most_common())


def main() -> None:
    parser = argparse.ArgumentParser(description="Runs the Autobahn suite against curlwire.")
    parser.add_argument("--build", type=Path, default=ROOT / "build")
    parser.add_argument("--only", choices=SETS, action="append", metavar="SET")
    parser.add_argument("clients", nargs="*", metavar="CLIENT", default=CLIENTS)
    args = parser.parse_args()
    if unknown := sorted(set(args.clients) - set(CLIENTS)):
        parser.error(f"no client {unknown[0]}: name {', '.join(CLIENTS)}")
    fetch()
    rows, faults = [], []
    for client in args.clients:
        command, env = client_command(client, args.build.resolve())
        version = call(*command, "--version", env=env).strip()
        for name in args.only or SETS:
            if SETS[name].options and version_of(version) < (8, 21):
                print(f"{client}: no compression with {version}")
                continue
            begin = time.monotonic()
            print(f"== {client}, {name}: {version}", flush=True)
            words, wrong = read_results(run_set(client, name, args.build.resolve()), SETS[name].count)
            rows.append(f"| {client} | {name} | {sum(words.values())} | {shown(words)} |")
            print(f"{rows[-1]} {time.monotonic() - begin:.0f} s", flush=True)
            faults += wrong
    print("", *requirements()[1], *rows, *(f"FAILED {fault}" for fault in faults), sep="\n")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is ended too
    try:
        main()
    except Stop as stop:
        sys.exit(f"run.py: {stop}")
