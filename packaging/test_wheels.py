# SPDX-License-Identifier: MIT
"""Tests the wheels in dist/, which packaging/build_wheels.py has built.

    python3 tests/servers/run.py -- python3 packaging/test_wheels.py [--list | WORD ...]

WORD selects the tests whose names contain it. Prints TAP. The suite `wheels` of scripts/run_tests.py runs it.

What each wheel contains is checked for every target. The wheels for x86_64 run in minimal systems of Debian 12
and 13 (packaging/roots.py), those for aarch64 under qemu, and the free-threaded one with a CPython that is
built here. The wheels for musl are built and checked, but not run.
"""

from __future__ import annotations

import datetime
import functools
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

import build_wheels
import children
import nogil
import roots
import sources
from build_wheels import ABIS, TARGETS, Abi, Target, tools
from checks import Failed, call

ROOT = build_wheels.ROOT
DIST = build_wheels.DIST
MOST_MIB = 6
RELEASES = {"bookworm": "Debian 12", "trixie": "Debian 13"}
NEEDED = {
    "gnu": {
        "libc.so.6",
        "libpthread.so.0",
        "libdl.so.2",
        "libm.so.6",
        "ld-linux-x86-64.so.2",
        "ld-linux-aarch64.so.1",
    },
    "musl": {"libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"},
}
LICENCES = {
    "LICENSE",
    "LICENSE-UNICODE",
    "curl.txt",
    "libpsl.txt",
    "openssl.txt",
    "publicsuffix.txt",
    "zlib.txt",
}
SUITE = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout", "120")
# The Python suite without the tests of programs in Lua and those that start Kerberos, which are not in a wheel.
LEFT_OUT = (
    *("--ignore=tests/python/test_nginx_lua.py", "--ignore=tests/python/test_kerberos.py"),
    *("-k", "not (scenario and lua)"),
)
PYTHON_SUITE = (*SUITE, "tests/python", *LEFT_OUT)
# What the Python suite imports. tests/requirements.txt has the versions.
OF_SUITE = (
    *("pytest", "pytest-timeout", "websockets", "aiohttp", "mypy", "gevent", "eventlet"),
    *("uvloop", "trio", "anyio", "prompt_toolkit", "rich", "prometheus_client", "opentelemetry-sdk"),
)
# cffi, which gevent needs, refuses the free-threaded 3.13, and pip would compile a part of mypy for it in Rust.
# So the tests of gevent and eventlet, and one with mypy, are left out.
NOT_FREE = ("gevent", "eventlet", "mypy")
# CPython 3.13.15 without the lock hangs at its end after _testcapi.set_nomemory() and uuid.UUID(int=5), also if
# nothing imports curlwire. So the tests without memory are left out too.
LEFT_OUT_FREE = ("--ignore=tests/python/test_gevent.py", "--ignore=tests/python/test_no_memory.py")


def wheel_of(target: Target, abi: Abi) -> Path:
    found = list(DIST.glob(f"curlwire-*-{abi.python}-{abi.abi}-{'.'.join(target.tags)}.whl"))
    if len(found) != 1:
        raise Failed(
            f"dist/ has {len(found)} wheels for {target.tag} and {abi.abi}, not one. Run: make clean wheel"
        )
    return found[0]


# ---- what is inside


@functools.cache
def unpacked(wheel: Path) -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory(prefix="curlwire-wheel-")
    call(tools() / "wheel", "unpack", "--dest", folder.name, wheel)  # it checks every sum of RECORD
    return folder


def tree_of(wheel: Path) -> Path:
    return next(Path(unpacked(wheel).name).iterdir())


def module_of(wheel: Path) -> Path:
    found = list(tree_of(wheel).rglob("*.so"))
    if len(found) != 1:
        raise Failed(f"{wheel.name} has {len(found)} shared objects, not one")
    return found[0]


def check_sizes(*paths: Path) -> None:
    for path in paths:
        if path.stat().st_size > MOST_MIB << 20:
            raise Failed(f"{path.name} has {path.stat().st_size / 2**20:.2f} MiB, more than {MOST_MIB}")


def is_small(target: Target, abi: Abi) -> None:
    wheel = wheel_of(target, abi)
    check_sizes(wheel, module_of(wheel))


def check_linking(module: Path, exported: str, libc: str) -> None:
    """Checks what the dynamic linker sees: one exported name, known libraries, no writable code.

    The C library is the system's: packaging/trunctfdf2.c says what else it could be.
    """
    rows = [line.split() for line in call("readelf", "--wide", "--dyn-syms", module).splitlines()]
    rows = [row for row in rows if len(row) > 7 and row[0][:-1].isdigit() and row[4] != "LOCAL"]
    names = [row[7] for row in rows if row[6] != "UND"]
    if names != [exported]:
        raise Failed(f"the module exports {names}, but only {exported} was expected")
    taken = {row[7].partition("@")[0] for row in rows if row[6] == "UND"}
    missing = {"memcpy", "memset", "__stack_chk_fail"} - taken
    if missing or "__trunctfdf2" in taken:
        raise Failed(f"the module has its own {sorted(missing)}, or lacks __trunctfdf2. Use -rtlib=none")
    said = call("readelf", "--wide", "--dynamic", "--program-headers", module)
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", said))
    if not needed <= NEEDED[libc]:
        raise Failed(f"the module needs {sorted(needed)}")
    for words in (r"FLAGS.*NODELETE", r"BIND_NOW|FLAGS_1.* NOW", r"GNU_RELRO", r"GNU_STACK.* RW "):
        if not re.search(words, said):
            raise Failed(f"readelf says nothing of {words} in:\n{said}")
    if re.search(r"TEXTREL|RPATH|RUNPATH", said):
        raise Failed(f"the module has relocations in its code, or a path of libraries:\n{said}")


def exports_one_name(target: Target, abi: Abi) -> None:
    check_linking(module_of(wheel_of(target, abi)), "PyInit__core", "musl" if "musl" in target.tag else "gnu")


def has_its_tag(target: Target, abi: Abi) -> None:
    """Checks the tag against the libraries and versions of symbols that the module needs."""
    wheel = wheel_of(target, abi)
    said = " ".join(call(tools() / "auditwheel", "show", wheel).split())
    if f'is consistent with the following platform tag: "{target.tag}"' not in said:
        raise Failed(said)
    lines = (tree_of(wheel) / dist_info(wheel) / "WHEEL").read_text().splitlines()
    tags = {line.removeprefix("Tag: ") for line in lines if line.startswith("Tag: ")}
    if tags != {f"{abi.python}-{abi.abi}-{tag}" for tag in target.tags}:
        raise Failed(f"WHEEL has the tags {sorted(tags)}")


def dist_info(wheel: Path) -> str:
    return "-".join(wheel.name.split("-")[:2]) + ".dist-info"


def is_limited(target: Target, abi: Abi) -> None:
    call(tools() / "abi3audit", "--strict", wheel_of(target, abi))


CHECK_SBOM = """
import pathlib, sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(pathlib.Path(sys.argv[1]).read_text())
sys.exit(str(error) if error else 0)
"""


def has_papers(target: Target, abi: Abi) -> None:
    """Checks that the wheel has the licence of each library, and a valid bill of materials that names it."""
    wheel = wheel_of(target, abi)
    info = tree_of(wheel) / dist_info(wheel)
    metadata = (info / "METADATA").read_text()
    listed = re.findall(r"^License-File: (.*)$", metadata, re.MULTILINE)
    there = {
        str(path.relative_to(info / "licenses")) for path in (info / "licenses").rglob("*") if path.is_file()
    }
    if set(listed) != there or there != LICENCES:
        raise Failed(f"METADATA lists the licences {listed}, and the wheel has {sorted(there)}")
    (bom,) = (info / "sboms").iterdir()
    call(tools() / "python", "-c", CHECK_SBOM, bom)
    text = bom.read_text()
    for name, row in sources.read().items():
        if name in build_wheels.INSIDE and not (row.sha256 in text and f'"{row.version}"' in text):
            raise Failed(f"the bill of materials does not have {name} {row.version} with its SHA-256")
    (expression,) = re.findall(r"^License-Expression: (.*)$", metadata, re.MULTILINE)
    in_bom = " AND ".join(re.findall(r'"(?:id|expression)": "(.*)"', text))
    if set(in_bom.split(" AND ")) != set(expression.split(" AND ")):
        raise Failed(f"METADATA has the licences {expression}, and the bill of materials {in_bom}")


def check_paths(tree: Path) -> None:
    """Checks that no file of a tree names a folder of the machine that built it."""
    for path in tree.rglob("*"):
        if path.is_file() and str(ROOT).encode() in path.read_bytes():
            raise Failed(f"{path.relative_to(tree)} contains {ROOT}")


def has_no_path(target: Target, abi: Abi) -> None:
    check_paths(tree_of(wheel_of(target, abi)))


def is_the_same_again(target: Target, abi: Abi) -> None:
    """Checks that a second build of the same commit gives the same bytes."""
    wheel = wheel_of(target, abi)
    before = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (bom,) = (tree_of(wheel) / dist_info(wheel) / "sboms").iterdir()
    told = datetime.datetime.fromisoformat(json.loads(bom.read_text())["metadata"]["timestamp"])
    again = {"SOURCE_DATE_EPOCH": str(int(told.timestamp()))}
    call(sys.executable, "packaging/build_wheels.py", target.tag, abi.abi, env=again)
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != before:
        raise Failed(f"a second build of {wheel.name} has other bytes")


# ---- Debian 12 and 13, with only python3 and python3-venv

ROUND_TRIP = """
import os, curlwire
assert "site-packages" in curlwire.__file__, curlwire.__file__
{settings}
for uri in os.environ["CW_ECHO_WS"], os.environ["CW_ECHO_WSS"]:
    with curlwire.connect(uri + "/", **settings) as ws:
        ws.send("hello")
        assert ws.recv() == "hello"
print("round trips are done with libcurl", curlwire.libcurl_version)
"""
WITH_FILE = 'settings = {"ca_file": os.environ["CW_CA_FILE"]}'
WITH_SYSTEM = "settings = {}"
INSTALL = """
python3 -m venv /venv
/venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-index "$1"
"""
TRUST = """
mkdir -p /usr/local/share/ca-certificates
cp "$CW_CA_FILE" /usr/local/share/ca-certificates/curlwire-test.crt
update-ca-certificates >/dev/null
"""


def wheel_here() -> Path:
    return wheel_of(TARGETS[0], ABIS[0])


@functools.cache
def installed(release: str) -> roots.Root:
    """Returns a system in which the wheel is installed."""
    root = roots.Root(release)
    root.call("sh", "-euc", INSTALL, "sh", wheel_here())
    return root


def echoes(release: str) -> None:
    """Sends messages to a server that ca_file trusts, then to one that the system trusts."""
    root = installed(release)
    root.call("/venv/bin/python", "-c", ROUND_TRIP.format(settings=WITH_FILE))
    trusting = roots.Root(release, "trusting")
    trusting.call("sh", "-euc", INSTALL + TRUST, "sh", wheel_here())
    trusting.call("/venv/bin/python", "-c", ROUND_TRIP.format(settings=WITH_SYSTEM))


def requirements(*names: str) -> list[str]:
    text = (ROOT / "tests" / "requirements.txt").read_text()
    return [re.findall(rf"^{name}==\S+", text, re.MULTILINE)[0] for name in names]


def python_suite(release: str) -> None:
    root = installed(release)
    pip = ("/venv/bin/pip", "install", "--quiet", "--disable-pip-version-check")
    root.call(*pip, *requirements(*OF_SUITE))
    root.call("/venv/bin/python", *PYTHON_SUITE, cwd=ROOT)


BESIDE = r"""
import itertools, os, ssl, subprocess, sys, threading
import socket as sockets
from urllib.parse import urlsplit

URI, CA_FILE = os.environ["CW_ECHO_WSS"], os.environ["CW_CA_FILE"]
PORT = urlsplit(URI).port

def use_curlwire():
    import curlwire
    with curlwire.connect(URI + "/", ca_file=CA_FILE) as ws:
        ws.send("hello")
        assert ws.recv() == "hello"

def use_pycurl():
    import pycurl
    one = pycurl.Curl()
    one.setopt(pycurl.URL, f"https://localhost:{PORT}/")
    one.setopt(pycurl.CAINFO, CA_FILE)
    one.setopt(pycurl.WRITEFUNCTION, lambda data: None)
    one.setopt(pycurl.TIMEOUT, 60)
    one.perform()
    assert one.getinfo(pycurl.RESPONSE_CODE) == 426  # the echo server wants an upgrade
    one.close()

def use_psycopg2():
    import psycopg2
    with sockets.create_server(("127.0.0.1", 0)) as server:
        def refuse():
            peer, _ = server.accept()
            with peer:
                peer.recv(8)
                peer.sendall(b"S")  # "TLS follows", and then no TLS
                peer.recv(1)
                peer.sendall(b"not TLS at all")
        thread = threading.Thread(target=refuse)
        thread.start()
        try:
            psycopg2.connect(host="127.0.0.1", port=server.getsockname()[1], sslmode="require", user="nobody")
        except psycopg2.OperationalError as error:
            assert "SSL" in str(error), error
        else:
            raise AssertionError("psycopg2 connected to no server")
        thread.join()

def use_ssl():
    context = ssl.create_default_context(cafile=CA_FILE)
    with sockets.create_connection(("localhost", PORT)) as raw:
        with context.wrap_socket(raw, server_hostname="localhost") as tls:
            assert tls.version() == "TLSv1.3"

USES = {"curlwire": use_curlwire, "pycurl": use_pycurl, "psycopg2": use_psycopg2, "ssl": use_ssl}
if len(sys.argv) > 1:
    for name in sys.argv[1:]:
        __import__(name)
    for name in sys.argv[1:]:
        USES[name]()
    threads = [threading.Thread(target=use) for use in USES.values() for _ in range(2)]
    failures = []
    threading.excepthook = lambda told: failures.append(told.exc_value)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == [], failures
else:
    for order in itertools.permutations(USES):
        subprocess.run([sys.executable, __file__, *order], check=True, timeout=300)
    print("all orders are done")
"""


def beside_others(release: str) -> None:
    """Checks that one process may contain libcurl and OpenSSL of several makers, imported in any order."""
    root = installed(release)
    root.call("/venv/bin/pip", "install", "--quiet", "--disable-pip-version-check", "pycurl", "psycopg2-binary")
    root.write("/beside.py", BESIDE)
    root.call("/venv/bin/python", "/beside.py")


# ---- aarch64, under qemu


def installed_packages(names: tuple[str, ...], folder: Path) -> None:
    """Installs packages of pure Python."""
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    call(*pip, "--only-binary=:all:", f"--target={folder}", *requirements(*names))


def under_qemu(*arguments: str | Path, wheel: Path) -> str:
    emulator, python = roots.qemu("arm64")
    with tempfile.TemporaryDirectory(prefix="curlwire-arm64-") as folder:
        installed_packages(("pytest", "pytest-timeout"), Path(folder))
        shutil.copytree(tree_of(wheel) / "curlwire", Path(folder) / "site-packages" / "curlwire")
        path = f"{folder}/site-packages:{folder}"
        environment = {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONNOUSERSITE": "1"}
        return call(*emulator, python, *arguments, env=environment)


def aarch64_echoes(abi: Abi) -> None:
    target = next(one for one in TARGETS if one.tag == "manylinux_2_17_aarch64")
    first = "import platform; print(platform.machine())\n"
    said = under_qemu("-c", first + ROUND_TRIP.format(settings=WITH_FILE), wheel=wheel_of(target, abi))
    if not said.startswith("aarch64\n"):
        raise Failed(said)


def aarch64_conforms(abi: Abi) -> None:
    target = next(one for one in TARGETS if one.tag == "manylinux_2_17_aarch64")
    # the first test replays all vectors, which takes an emulated processor minutes
    under_qemu(*SUITE, "--timeout", "800", "tests/python/test_conformance.py", wheel=wheel_of(target, abi))


# ---- a free-threaded Python


def free_threaded() -> Path:
    """The Python of a virtual environment in which the free-threaded wheel is installed."""
    folder = build_wheels.WORK / "nogil-venv"
    shutil.rmtree(folder, ignore_errors=True)
    call(nogil.python(), "-m", "venv", folder)
    pip = (folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    call(*pip, "--no-deps", "--no-index", wheel_of(TARGETS[0], ABIS[1]))
    call(*pip, *requirements(*(name for name in OF_SUITE if name not in NOT_FREE)))
    return folder / "bin" / "python"


STAYS_FREE = """
import sys, curlwire
assert not sys._is_gil_enabled(), "importing curlwire has turned the global lock on"
"""


def free_threaded_suite() -> None:
    python = free_threaded()
    call(python, "-W", "error", "-c", STAYS_FREE)
    call(python, "-c", ROUND_TRIP.format(settings=WITH_FILE))
    # Otherwise Python turns the global lock on when a test imports a module that is not made for this build.
    environment = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHON_GIL": "0"}
    call(python, *PYTHON_SUITE, *LEFT_OUT_FREE, env=environment)


# ---- the list


def tests() -> list[tuple[str, Callable[[], None]]]:
    found: list[tuple[str, Callable[[], None]]] = []
    for target in TARGETS:
        for abi in ABIS:
            name = f"{abi.abi} {target.tag}"
            found += [
                (f"{name}: at most {MOST_MIB} MiB", partial(is_small, target, abi)),
                (f"{name}: exports PyInit__core alone", partial(exports_one_name, target, abi)),
                (f"{name}: auditwheel agrees with the tag", partial(has_its_tag, target, abi)),
                (f"{name}: licences and a bill of materials", partial(has_papers, target, abi)),
                (f"{name}: no path of this machine", partial(has_no_path, target, abi)),
            ]
            if abi.abi == "abi3":
                found.append((f"{name}: only the limited API", partial(is_limited, target, abi)))
    found.append(("a second build gives the same bytes", partial(is_the_same_again, TARGETS[0], ABIS[0])))
    for release, name in RELEASES.items():
        found += [
            (f"{name}: installs, and echoes over wss with the system's authorities", partial(echoes, release)),
            (f"{name}: beside pycurl, psycopg2-binary and ssl", partial(beside_others, release)),
            (f"{name}: the Python suite", partial(python_suite, release)),
        ]
    found += [
        ("aarch64 under qemu: echoes over wss", partial(aarch64_echoes, ABIS[0])),
        ("aarch64 under qemu: the conformance vectors", partial(aarch64_conforms, ABIS[0])),
        ("free-threaded Python: the Python suite", free_threaded_suite),
    ]
    return found


def run(tests: list[tuple[str, Callable[[], None]]], arguments: list[str]) -> int:
    """Lists or runs tests, and prints TAP. Returns the exit code."""
    if arguments == ["--list"]:
        print("\n".join(name for name, _ in tests))
        return 0
    chosen = [(name, test) for name, test in tests if not arguments or any(word in name for word in arguments)]
    children.hand_on_signals()
    failed = 0
    with children.ends_children():
        for name, test in chosen:
            try:
                test()
                print(f"ok - {name}", flush=True)
            except (Failed, build_wheels.Failed, sources.NoSource) as error:
                failed += 1
                print(f"not ok - {name}\n{error}", flush=True)
    return 1 if failed or not chosen else 0


def main(arguments: list[str]) -> int:
    os.environ["CW_TEST_WHEEL"] = "1"  # some tests of the suite depend on what is inside
    return run(tests(), arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
