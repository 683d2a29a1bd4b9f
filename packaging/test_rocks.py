# SPDX-License-Identifier: MIT
"""Tests the rocks in dist/, which `make rocks` has built.

    python3 tests/servers/run.py -- python3 packaging/test_rocks.py [--list | WORD ...]

WORD selects the tests whose names contain it. Prints TAP. The suite `rocks` of scripts/run_tests.py runs it.

What each binary rock contains is checked. Those for x86_64 are installed in minimal systems of Debian 12 and 13
(packaging/roots.py), without a network, a compiler or a libcurl. Those for aarch64 run under qemu.
The source rock is built in minimal systems that have a compiler and the headers of OpenSSL and zlib.
"""

from __future__ import annotations

import calendar
import functools
import hashlib
import os
import re
import sys
import tempfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

import build_rocks
import roots
from build_rocks import LUAS, TARGETS
from build_wheels import DIST
from checks import Failed, call
from test_wheels import LICENCES, RELEASES, TRUST, check_linking, check_paths, check_sizes, run

MACHINES = {"x86_64": "X86-64", "aarch64": "AArch64"}
NEWEST_GLIBC = (2, 17)


def rock_of(processor: str, lua: str) -> Path:
    path = DIST / f"lua-{lua}" / f"{build_rocks.rockspec().stem}.linux-{processor}.rock"
    if not path.exists():
        raise Failed(f"there is no {path}. Run: make rocks")
    return path


@functools.cache
def unpacked(rock: Path) -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory(prefix="curlwire-rock-")
    with zipfile.ZipFile(rock) as packed:
        packed.extractall(folder.name)
    return folder


def tree_of(processor: str, lua: str) -> Path:
    return Path(unpacked(rock_of(processor, lua)).name)


# ---- what is inside


def is_small(processor: str, lua: str) -> None:
    check_sizes(rock_of(processor, lua), tree_of(processor, lua) / "lib" / "curlwire" / "core.so")


def links_glibc(processor: str, lua: str) -> None:
    """Checks the exported name, the libraries, the processor, and that each symbol is in an old glibc."""
    module = tree_of(processor, lua) / "lib" / "curlwire" / "core.so"
    check_linking(module, "luaopen_curlwire_core", "gnu")
    said = call("readelf", "--wide", "--file-header", "--version-info", module)
    if not re.search(rf"Machine:.*{MACHINES[processor]}$", said, re.MULTILINE):
        raise Failed(said)
    versions = {tuple(map(int, found.split("."))) for found in re.findall(r"GLIBC_([\d.]+)", said)}
    if not versions or max(versions) > NEWEST_GLIBC:
        raise Failed(f"the module needs these versions of glibc: {sorted(versions)}")


def has_its_files(processor: str, lua: str) -> None:
    """Checks the files, the licences, and the sums of the manifest."""
    tree = tree_of(processor, lua)
    files = {str(path.relative_to(tree)): path for path in tree.rglob("*") if path.is_file()}
    wanted = {
        f"{build_rocks.rockspec().name}", "rock_manifest", "lib/curlwire/core.so",
        "lua/curlwire/init.lua", "lua/curlwire/annotations.lua",
        *(f"doc/{name}" for name in {*LICENCES, "LICENSE-UNICODE"}),
    }  # fmt: skip
    if set(files) != wanted:
        raise Failed(f"the rock has {sorted(files)}, but expected was {sorted(wanted)}")
    manifest = files.pop("rock_manifest").read_text()
    sums = {hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() for path in files.values()}
    if set(re.findall(r'"([0-9a-f]{32})"', manifest)) != sums:
        raise Failed(f"these are not the sums of the files:\n{manifest}")


def has_no_path(processor: str, lua: str) -> None:
    check_paths(tree_of(processor, lua))


def is_the_same_again(processor: str, lua: str) -> None:
    """Checks that a second build of the same commit gives the same bytes."""
    rock = rock_of(processor, lua)
    before = rock.read_bytes()
    with zipfile.ZipFile(rock) as packed:
        when = calendar.timegm((*packed.infolist()[0].date_time, 0, 0, 0))
    call(
        sys.executable, "packaging/build_rocks.py", processor, lua, env={"SOURCE_DATE_EPOCH": str(when)}
    )  # fmt: skip
    if rock.read_bytes() != before:
        raise Failed(f"a second build of {rock.name} for Lua {lua} has other bytes")


# ---- Debian 12 and 13

ROUND_TRIP = """
local curlwire = require "curlwire"
for _, uri in ipairs {os.getenv("CW_ECHO_WS"), os.getenv("CW_ECHO_WSS")} do
    local ws = assert(curlwire.connect(uri .. "/", {message_type = "utf8", ca_file = os.getenv("CA_FILE")}))
    assert(ws:send("hello"))
    assert(assert(ws:receive()) == "hello")
    ws:close()
end
print("round trips are done with libcurl " .. curlwire.libcurl_version)
"""
INSTALL = """
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq install --no-install-recommends luarocks lua5.4 "$@" >/dev/null
test -z "$(find /usr/lib /usr/local/lib -name 'libcurl*')"
"""
# LuaRocks cannot fetch anything.
ROCK = 'exec unshare --net luarocks --lua-version="$1" install "$2"'


@functools.cache
def system(release: str, name: str, *packages: str) -> roots.Root:
    """Returns a system with LuaRocks that trusts the test server."""
    root = roots.Root(release, name)
    root.call("sh", "-euc", INSTALL + TRUST, "sh", *packages)
    return root


def without_compiler(release: str) -> roots.Root:
    root = system(release, "rocks", "lua5.1", "lua5.3", "luajit")
    root.call("sh", "-c", "! command -v cc && ! command -v gcc")
    return root


def installs(release: str, lua: str) -> None:
    """Sends messages to a server that the system trusts. LuaJIT takes the rock for Lua 5.1."""
    root = without_compiler(release)
    root.call("sh", "-euc", ROCK, "sh", lua, rock_of("x86_64", lua))
    for interpreter in (f"lua{lua}", *(["luajit"] if lua == "5.1" else [])):
        root.call(interpreter, "-e", ROUND_TRIP)


def refuses_another_lua(release: str) -> None:
    """Checks that LuaRocks does not install a rock for another version of Lua."""
    output = without_compiler(release).call(
        "sh", "-c", f"! ({ROCK}) 2>&1", "sh", "5.3", rock_of("x86_64", "5.1")
    )
    if "lua ~> 5.1" not in output:
        raise Failed(f"LuaRocks does not say that the rock is for Lua 5.1:\n{output}")


def builds(release: str) -> None:
    """Builds the source rock without a network, and sends messages."""
    compiler = ("gcc", "make", "pkg-config", "libssl-dev", "zlib1g-dev", "liblua5.4-dev")
    root = system(release, "source-rock", *compiler)
    rock = DIST / f"{build_rocks.rockspec().stem}.src.rock"
    root.call("sh", "-euc", ROCK, "sh", "5.4", rock)
    root.call("lua5.4", "-e", ROUND_TRIP)


# ---- aarch64, under qemu


def aarch64_echoes(lua: str) -> None:
    emulator, program = roots.qemu("arm64", f"lua{lua}")
    tree = tree_of("aarch64", lua)
    environment = {
        "LUA_PATH": f"{tree}/lua/?.lua;{tree}/lua/?/init.lua",
        "LUA_CPATH": f"{tree}/lib/?.so",
        "CA_FILE": os.environ["CW_CA_FILE"],
    }
    call(*emulator, program, "-e", ROUND_TRIP, env=environment)


# ---- the list


def tests() -> list[tuple[str, Callable[[], None]]]:
    found: list[tuple[str, Callable[[], None]]] = []
    for processor in TARGETS:
        for lua in LUAS:
            name = f"{processor}, Lua {lua}"
            found += [
                (f"{name}: its size", partial(is_small, processor, lua)),
                (
                    f"{name}: exports luaopen alone, and needs only glibc 2.17",
                    partial(links_glibc, processor, lua),
                ),
                (f"{name}: its files, with the licences", partial(has_its_files, processor, lua)),
                (f"{name}: no path of this machine", partial(has_no_path, processor, lua)),
            ]
    found.append(("a second build gives the same bytes", partial(is_the_same_again, "x86_64", "5.4")))
    for release, name in RELEASES.items():
        found += [
            *((f"{name}: installs for Lua {lua}, and echoes over wss with the system's authorities",
               partial(installs, release, lua)) for lua in LUAS),
            (f"{name}: a rock for another Lua is refused", partial(refuses_another_lua, release)),
            (f"{name}: the source rock builds without a network or a libcurl", partial(builds, release)),
        ]  # fmt: skip
    found += [
        (f"aarch64 under qemu: echoes over wss in Lua {lua}", partial(aarch64_echoes, lua)) for lua in LUAS
    ]
    return found


if __name__ == "__main__":
    sys.exit(run(tests(), sys.argv[1:]))
