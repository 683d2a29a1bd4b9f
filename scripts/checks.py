# SPDX-License-Identifier: MIT
"""The suites of run_tests.py that are functions here: style, installs in clean places, the programs of the
README and of the pages, the examples. A test fails if it raises Failed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "faults"))

import children

import network

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
SYSTEM = BUILD / "system"  # the build with the system's libcurl
BIN = Path(sys.executable).parent
LIMIT_S = 900  # of one command: it catches a hang, and is ample for a busy machine
Test = tuple[str, Callable[[], None]]
# Runs commands as on a fresh machine: /usr/local is empty, and no other process sees what they write there or
# in /etc. The arguments are a folder for those files, which holds the commands too, and the folder to run in.
FRESH = """
set -eu
cp -a /etc "$1/etc"
mkdir "$1/local" "$1/home"
mount --bind "$1/local" /usr/local
mount --bind "$1/etc" /etc
mkdir -p /usr/local/bin /usr/local/lib /usr/local/include /usr/local/share
ldconfig
cd "$2"
export HOME="$1/home" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
unset PYTHONPATH LUA_PATH LUA_CPATH VIRTUAL_ENV
exec sh -eu "$1/commands"
"""
C_SOURCES = (
    "core/include/*.h",
    "core/src/*/*.[ch]",
    "bindings/*/src/*.[ch]",
    "tests/core/*.[ch]",
    "tests/fuzz/*.[ch]",
    "tests/resources/*.[ch]",
    "bench/*.[ch]",
    "packaging/include/*.h",
    "examples/*.c",
)
LUA_FOLDERS = ("bench", "bindings", "examples", "tests")  # luacheck walks also what it excludes
PYTHON_ROUND_TRIP = """
import curlwire, os
with curlwire.connect(os.environ["CW_ECHO_WS"] + "/") as ws:
    ws.send("hello")
    assert ws.recv() == "hello"
"""
LUA_ROUND_TRIP = """
local curlwire = require "curlwire"
local ws = assert(curlwire.connect(os.getenv("CW_ECHO_WS") .. "/", {message_type = "utf8"}))
assert(ws:send("hello"))
assert(assert(ws:receive()) == "hello")
curlwire.spawn(function() ws:close() assert(ws:wait_closed()) end)
curlwire.run()
"""


class Failed(Exception):
    """A test has failed; the text is the output of the tool."""


def call(*command: str | Path, cwd: Path = ROOT, fails: bool = False, env: dict[str, str] | None = None) -> str:
    """Runs a command and returns its output. Raises Failed if it fails, or with `fails` if it succeeds."""
    words = [str(word) for word in command]
    try:
        ended = children.run(words, cwd=cwd, environment={**os.environ, **(env or {})}, limit_s=LIMIT_S)
    except FileNotFoundError:
        raise Failed(f"{words[0]} is not installed. Run: sh scripts/install.sh test") from None
    problems = list(ended.notes)
    if (ended.code != 0) is not fails:
        problems.append(f"ended with exit code {ended.code}")
    if problems:
        raise Failed(f"{' '.join(words)} {', '.join(problems)}\n{ended.output[-6000:]}")
    return ended.output


def files(*patterns: str) -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for pattern in patterns for path in ROOT.glob(pattern))


# -- style


def run_tool(*command: str | Path) -> None:
    call(*command)


def run_mypy(*names: str) -> None:
    # the folders of scripts that import each other
    names_of_folders = (
        "bench",
        "packaging",
        "scripts",
        "tests/command",
        "tests/faults",
        "tests/python",
        "tests/real_servers",
        "tests/servers",
    )
    path = os.pathsep.join(str(ROOT / name) for name in names_of_folders)
    call(BIN / "mypy", "--strict", "--cache-dir", BUILD / "mypy", *names, env={"MYPYPATH": path})


def run_stubtest() -> None:
    call(
        sys.executable, "-m", "mypy.stubtest", "--allowlist", "tests/python/stubtest.txt", "curlwire",
        env={"PYTHONPATH": str(BUILD / "python")},
    )  # fmt: skip


def run_stub_docs() -> None:
    call(sys.executable, "scripts/stub_docs.py", "--check", env={"PYTHONPATH": str(BUILD / "python")})


def run_controls() -> None:
    """Checks that the files generated from the table of controls are up to date."""
    call(sys.executable, "scripts/controls.py", "--check", env={"PYTHONPATH": str(BUILD / "python")})


def run_pyright() -> None:
    """Checks that the package's types are complete and mean what tests/python/typed.py says."""
    pyright: list[str | Path] = [BUILD / "node/node_modules/.bin/pyright", "--pythonpath", sys.executable]
    built = {"PYTHONPATH": str(BUILD / "python")}
    call(*pyright, "--verifytypes", "curlwire", "--ignoreexternal", env=built)
    call(*pyright, "tests/python/typed.py", env=built)


def run_shellcheck() -> None:
    call("shellcheck", *files("scripts/*.sh", "examples/servers/*.sh", ".ci/run"))


def check_github(pattern: str, schema: str) -> None:
    names = files(f".github/{pattern}")
    if not names:
        raise Failed(f".github/{pattern} matches no file")
    call(BIN / "check-jsonschema", "--builtin-schema", f"vendor.github-{schema}", *names)


def build_strictly(compiler: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        call("make", "-s", "-j2", "core", f"CC={compiler}", f"BUILD={folder}", "WERROR=1")


def lint() -> list[Test]:
    return [
        ("rooms and budgets", partial(run_tool, sys.executable, "scripts/check_rooms.py")),
        ("folders and circles", partial(run_tool, sys.executable, "scripts/check_folders.py")),
        ("gcc has no warning", partial(build_strictly, "gcc")),
        ("clang has no warning", partial(build_strictly, "clang")),
        ("macOS, FreeBSD and musl have no warning", partial(run_tool, "make", "-s", "-j2", "cross")),
        (
            "clang-format",
            partial(run_tool, BIN / "clang-format", "--dry-run", "-Werror", *files(*C_SOURCES)),
        ),
        ("ruff check", partial(run_tool, BIN / "ruff", "check", "--no-cache", ".")),
        ("ruff format", partial(run_tool, BIN / "ruff", "format", "--no-cache", "--check", ".")),
        ("mypy of the package", partial(run_mypy, "bindings/python/curlwire", "tests/python/typed.py")),
        ("pyright of the package", run_pyright),
        (
            "mypy of the peers",
            partial(run_mypy, *files("tests/servers/*.py", "tests/load/*.py", "tests/faults/*.py")),
        ),
        ("mypy of the fuzz scripts", partial(run_mypy, *files("tests/fuzz/*.py"))),
        ("mypy of the tests of the command", partial(run_mypy, *files("tests/command/*.py"))),
        (
            "mypy of the tests with real servers",
            partial(run_mypy, *files("tests/real_servers/*.py", "examples/servers/*.py")),
        ),
        ("mypy of the tests of resources", partial(run_mypy, *files("tests/resources/*.py"))),
        (
            "mypy of the Autobahn scripts",
            partial(run_mypy, "tests/autobahn/client.py", "tests/autobahn/run.py"),
        ),
        ("mypy of the tests of compat", partial(run_mypy, *files("tests/compat/*.py"))),
        ("mypy of the benchmark", partial(run_mypy, *files("bench/*.py"))),
        ("mypy of the scripts", partial(run_mypy, *files("scripts/*.py"))),
        ("mypy of the packaging", partial(run_mypy, *files("packaging/*.py"))),
        ("stubtest", run_stubtest),
        ("docstrings of the stub", run_stub_docs),
        ("the table of controls", run_controls),
        ("the table of errors", partial(run_tool, sys.executable, "scripts/errors.py", "--check")),
        ("the table of WebErrorStatus", partial(run_tool, sys.executable, "scripts/statuses.py", "--check")),
        ("the table of host names", partial(run_tool, sys.executable, "scripts/idn_table.py", "--check")),
        ("luacheck", partial(run_tool, "luacheck", "--no-cache", "-q", *LUA_FOLDERS)),
        ("shellcheck", run_shellcheck),
        ("the documentation site", partial(run_tool, "make", "-s", "docs")),
        ("the workflow of GitHub", partial(check_github, "workflows/*.yml", "workflows")),
        ("the issue forms of GitHub", partial(check_github, "ISSUE_TEMPLATE/*.yml", "issue-forms")),
    ]


# -- installs in clean places


@cache
def clean_copy() -> tempfile.TemporaryDirectory[str]:
    """A copy of the files that git would hand out, as a separate repository without any build."""
    folder = tempfile.TemporaryDirectory(prefix="curlwire-install-")
    tree = Path(folder.name) / "tree"
    for name in call("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0"):
        if name and (ROOT / name).is_file():
            target = tree / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
    call("git", "init", "-q", cwd=tree)
    call("git", "add", "-A", cwd=tree)
    identity = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    call("git", *identity, "commit", "-q", "--no-gpg-sign", "-m", "A copy for the test", cwd=tree)
    return folder


def place(name: str) -> tuple[Path, Path]:
    """The clean copy, and a new folder beside it."""
    folder = Path(clean_copy().name)
    (folder / name).mkdir()
    return folder / "tree", folder / name


def source_tree(folder: Path) -> Path:
    """A copy of the clean copy, in which libcurl is built already."""
    source = folder / "source"
    shutil.copytree(Path(clean_copy().name) / "tree", source)
    shutil.copytree(BUILD / "libcurl", source / "build" / "libcurl")
    return source


def pip_install(name: str, *, is_system: bool) -> None:
    """Installs from the repository, or with the system's libcurl, into a new environment; echoes a message."""
    tree, folder = place(name)
    what = str(source_tree(folder)) if is_system else f"git+file://{tree}"
    libcurl = {"LIBCURL": "system"} if is_system else {}
    call(sys.executable, "-m", "venv", folder / "venv")
    python = folder / "venv" / "bin" / "python"
    call(
        python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", what, cwd=folder, env=libcurl
    )
    call(python, "-c", PYTHON_ROUND_TRIP if is_system else BESIDE_SYSTEM + PYTHON_ROUND_TRIP, cwd=folder)
    if not call(folder / "venv" / "bin" / "curlwire", "--version", cwd=folder).startswith("curlwire "):
        raise Failed("the command curlwire does not say its version")
    extensions = [path.name for path in (folder / "venv").rglob("curlwire/*.so")]
    if len(extensions) != 1 or not extensions[0].endswith(".abi3.so"):
        raise Failed(f"one abi3 extension was expected, but these are installed: {extensions}")
    needed = call("readelf", "--dynamic", next((folder / "venv").rglob("curlwire/*.so")))
    if ("[libcurl.so" in needed) != is_system:
        raise Failed(f"the extension needs these libraries:\n{needed}")


PYTHON_METADATA = """
import pathlib, sys, warnings
import setuptools.build_meta as backend
folder = sys.argv[1]  # saved, because the backend changes the arguments
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    name = backend.prepare_metadata_for_build_wheel(folder)
told = [str(one.message) for one in told if one.category.__name__ == "SetuptoolsDeprecationWarning"]
assert told == [], told
assert "License: MIT" in pathlib.Path(folder, name, "METADATA").read_text().splitlines()
"""


def pip_metadata(setuptools: str) -> None:
    """Checks that this setuptools accepts pyproject.toml without a warning that a part of it is deprecated."""
    tree, folder = place(f"pip-{setuptools}")
    call(sys.executable, "-m", "venv", folder / "venv")
    python = folder / "venv" / "bin" / "python"
    call(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", setuptools, "wheel")
    (folder / "out").mkdir()
    call(python, "-c", PYTHON_METADATA, folder / "out", cwd=tree)


@cache
def installed_library(libcurl: str) -> Path:
    _, folder = place(f"library-{libcurl}")
    build = folder.with_name(f"library-{libcurl}-build")  # no other suite builds there at the same time
    call(
        "make",
        "-s",
        "-j2",
        "install",
        f"LIBCURL={libcurl}",
        f"BUILD={build}",
        f"DESTDIR={folder}",
        "PREFIX=/usr",
    )
    return folder


def compile_c(source: Path, program: Path, libcurl: str, *static: str) -> None:
    """Compiles against the installed library, with the flags that pkg-config gives."""
    root = installed_library(libcurl)
    flags = call(
        "pkg-config", *static, "--cflags", "--libs", "curlwire",
        env={"PKG_CONFIG_PATH": f"{root}/usr/lib/pkgconfig", "PKG_CONFIG_SYSROOT_DIR": str(root)},
    ).split()  # fmt: skip
    if static:
        flags = [f"-l:lib{flag[2:]}.a" if flag == "-lcurlwire" else flag for flag in flags]
    call("gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-o", program, source, *flags)


def make_install(libcurl: str) -> None:
    root = installed_library(libcurl)
    for name, static in (("echo", ()), ("echo-static", ("--static",))):
        compile_c(ROOT / "examples" / "echo.c", root / name, libcurl, *static)
        call(root / name, os.environ["CW_ECHO_WS"] + "/", env={"LD_LIBRARY_PATH": f"{root}/usr/lib"})
    shown = call("nm", "--extern-only", "--defined-only", "--format=posix", root / "usr/lib/libcurlwire.a")
    foreign = [line for line in shown.splitlines() if line and not re.match(r"cw_|\S+\[", line)]
    if foreign:
        raise Failed(f"libcurlwire.a exports {foreign}")
    wanted = {
        "include/curlwire.h",
        "lib/libcurlwire.a",
        "lib/libcurlwire.so",
        "lib/libcurlwire.so.0",
        "lib/libcurlwire.so.0.1.0",
        "lib/pkgconfig/curlwire.pc",
    }
    found = {str(path.relative_to(root / "usr")) for path in (root / "usr").rglob("*") if not path.is_dir()}
    if found != wanted:
        raise Failed(f"make install installed {sorted(found)}, but expected was {sorted(wanted)}")


def make_uninstall() -> None:
    _, folder = place("uninstall")
    call("make", "-s", "-j2", "install", f"BUILD={folder.with_name('uninstall-build')}", f"DESTDIR={folder}")
    call("make", "-s", "uninstall", f"DESTDIR={folder}")
    left = [path.name for path in folder.rglob("*") if not path.is_dir()]
    if left:
        raise Failed(f"make uninstall left these files: {left}")


def refuse_libcurl(name: str, version: str, protocols: str, words: str) -> None:
    """Checks that both builds refuse a libcurl, in one line that says how to fix it."""
    tree, folder = place(name)
    fake = folder / "curl-config"
    fake.write_text(
        f"#!/bin/sh\ncase $1 in --version) echo libcurl {version} ;; --protocols) echo {protocols} ;; esac\n"
    )
    fake.chmod(0o755)
    environment = {"LIBCURL": "system", "CURL_CONFIG": str(fake)}
    made = call("make", "-s", "core", cwd=tree, fails=True, env=environment)
    built = call(
        sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-deps",
        f"--target={folder / 'out'}", str(tree), cwd=folder, fails=True, env=environment,
    )  # fmt: skip
    for output in (made, built):
        if not any(words in line and "curl-config" in line for line in output.splitlines()):
            raise Failed(f"no line has '{words}' and 'curl-config' in:\n{output}")


def says(output: str, *words: str) -> None:
    """Checks that the last line of an output says why it failed and what to do."""
    last = (output.splitlines() or [""])[-1]
    if not all(word in last for word in words):
        raise Failed(f"the last line does not have {words} in:\n{output}")


def refuse_lua() -> None:
    """Checks that the compiler and make refuse an untested version of Lua, each in one line."""
    _, folder = place("lua-5.5")
    (folder / "lua.h").write_text("#define LUA_VERSION_NUM 505\ntypedef struct lua_State lua_State;\n")
    (folder / "lauxlib.h").write_text("")
    compat = ROOT / "bindings" / "lua" / "src" / "compat.h"
    compiled = call("gcc", "-fsyntax-only", f"-I{folder}", compat, fails=True)
    made = call("make", "-s", "lua", "LUA_VERSIONS=5.4 5.5", fails=True)
    for output in (compiled, made):
        if not any("curlwire is tested with" in line and "5.4" in line for line in output.splitlines()):
            raise Failed(f"no line refuses Lua 5.5 in:\n{output}")


# A library that stands for another libcurl than curlwire was built with.
OTHER_LIBCURL = """
#include <curl/curl.h>
curl_version_info_data *curl_version_info(CURLversion age)
{
    static const char *const protocols[] = {PROTOCOLS NULL};
    static curl_version_info_data info = {.version = VERSION, .version_num = NUMBER, .protocols = protocols};
    return age >= CURLVERSION_FIRST ? &info : NULL;
}
"""
PYTHON_CONNECT = """
import curlwire, os
try:
    curlwire.connect(os.environ["CW_ECHO_WS"] + "/")
except curlwire.ConnectError as error:
    print(error)
"""
LUA_CONNECT = """
local curlwire = require "curlwire"
local made, socket, err = pcall(curlwire.connect, os.getenv("CW_ECHO_WS") .. "/")
print(tostring(err or socket))
"""


def refuse_loaded(name: str, version: str, number: str, protocols: str, words: str) -> None:
    """Checks that the first connect refuses to work with an unsuitable libcurl, in one line that says why."""
    _, folder = place(name)
    source = folder / "other.c"
    source.write_text(OTHER_LIBCURL)
    macros = (f'-DVERSION="{version}"', f"-DNUMBER={number}", f"-DPROTOCOLS={protocols}")
    cflags = call("sh", "scripts/check_libcurl.sh", "cflags", env={"LIBCURL": "system"}).split()
    call("gcc", "-shared", "-fPIC", *cflags, *macros, "-o", folder / "other.so", source)
    preload = {"LD_PRELOAD": str(folder / "other.so")}
    said = (
        call(sys.executable, "-c", PYTHON_CONNECT, env={"PYTHONPATH": str(SYSTEM / "python"), **preload}),
        call("lua5.4", "-e", LUA_CONNECT, env={**lua_environment(SYSTEM), **preload}),
    )
    for output in said:
        if len(output.splitlines()) != 1 or words not in output:
            raise Failed(f"no line with '{words}' in:\n{output}")


BESIDE_SYSTEM = """
import ctypes
system = ctypes.CDLL("libcurl.so.4", ctypes.RTLD_GLOBAL)
system.curl_version.restype = ctypes.c_char_p
import curlwire
assert system.curl_version().split()[0].decode() != "libcurl/" + curlwire.libcurl_version, "it is the system's"
"""


def private_libcurl() -> None:
    """Checks that the modules export nothing of their libcurl, and work beside the system's in one process."""
    modules = {
        "core.so": (BUILD / "lua" / "5.4" / "curlwire" / "core.so", "luaopen_curlwire_core"),
        "_core.abi3.so": (next((BUILD / "python" / "curlwire").glob("_core*.so")), "PyInit__core"),
    }
    for name, (path, entry) in modules.items():
        defined = call("nm", "--dynamic", "--defined-only", "--format=posix", path).split("\n")
        shown = [line.split()[0] for line in defined if line]
        if shown != [entry]:
            raise Failed(f"{name} exports {shown}, but only {entry} was expected")
    shown = call("nm", "--dynamic", "--format=posix", BUILD / "release" / "libcurlwire.so").split("\n")
    foreign = [line for line in shown if re.match(r"[Cc]url_", line)]
    if foreign:
        raise Failed(f"libcurlwire.so exports or imports {foreign}")
    environment = {"PYTHONPATH": str(BUILD / "python")}
    call(sys.executable, "-c", BESIDE_SYSTEM + PYTHON_ROUND_TRIP, env=environment)


def refuse_setting(name: str, setting: dict[str, str], words: str) -> None:
    """Checks that check_libcurl.sh refuses a setting in one line."""
    tree, _ = place(name)
    output = call("sh", "scripts/check_libcurl.sh", "libs", cwd=tree, fails=True, env=setting)
    if len(output.splitlines()) != 1 or words not in output:
        raise Failed(f"no line with '{words}' in:\n{output}")


def commands(folder: Path, **scripts: str) -> str:
    """A PATH that begins with commands of the test's own."""
    (folder / "bin").mkdir()
    for name, text in scripts.items():
        path = folder / "bin" / name.replace("_", "-")
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
    return f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"


@cache
def packed_libpsl() -> Path:
    _, folder = place("packed")
    call("sh", "scripts/build_libcurl.sh", "--pack", folder)
    return next(folder.glob("libpsl-*.tar.gz"))


def packed(folder: Path, version: str = "0x081600", configure: str = "exit 0") -> dict[str, str]:
    """The variables that name archives: of a libcurl that cannot be built, and of libpsl."""
    (folder / "curl" / "include" / "curl").mkdir(parents=True)
    (folder / "curl" / "include" / "curl" / "curlver.h").write_text(f"#define LIBCURL_VERSION_NUM {version}\n")
    (folder / "curl" / "configure").write_text(f"#!/bin/sh\n{configure}\n")
    (folder / "curl" / "configure").chmod(0o755)
    call("tar", "-czf", folder / "curl.tar.gz", "-C", folder, "curl")
    return {"CURL_TARBALL": str(folder / "curl.tar.gz"), "LIBPSL_TARBALL": str(packed_libpsl())}


def refuse_build(name: str, setting: dict[str, str], *words: str) -> None:
    """Checks that build_libcurl.sh refuses a setting in a last line that says what to do."""
    tree, folder = place(name)
    environment = {**setting, "TMPDIR": str(folder)}  # where a log stays
    output = call("sh", "scripts/build_libcurl.sh", cwd=tree, fails=True, env=environment)
    says(output, *words)
    if (tree / "build" / "libcurl").exists():
        raise Failed(f"build/libcurl was made: {output}")


def refuse_source() -> None:
    _, folder = place("old-source")
    refuse_build(
        "old-source-build", packed(folder, "0x081400"), "older than libcurl 8.21.0", "Set CURL_TARBALL"
    )


def refuse_tarball() -> None:
    _, folder = place("wrong-tarball")
    setting = packed(folder)
    (folder / "curl.tar.gz").write_text("not found\n")
    refuse_build("wrong-tarball-build", setting, "cannot unpack", "Set CURL_TARBALL")


def log_is_kept() -> None:
    """Checks that the log of a failed build is there, also after pip has removed the folder of the build."""
    tree, folder = place("failed-build")
    setting = packed(folder, configure="echo 'configure: error: no such thing'; exit 1")
    output = call(
        sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-deps",
        f"--target={folder / 'out'}", f"git+file://{tree}", cwd=folder, fails=True,
        env={**setting, "TMPDIR": str(folder)},
    )  # fmt: skip
    told = re.search(r"libcurl does not compile, as the lines above say\. The whole log is (\S+)", output)
    if told is None or "configure: error: no such thing" not in Path(told[1]).read_text():
        raise Failed(f"the log is not named or not kept:\n{output}")


def refuse_checksum() -> None:
    """Checks that a download is not used if its SHA-256 is not the one of packaging/sources.txt."""
    tree, folder = place("checksum")
    path = commands(folder, apt_get="exit 100", curl='while [ "$1" != -o ]; do shift; done; echo x >"$2"')
    setting = {"PATH": path, "CURLWIRE_CACHE": str(folder / "cache")}
    output = call("sh", "scripts/fetch_source.sh", "curl", "8.21.0", cwd=tree, fails=True, env=setting)
    says(output, "does not have the SHA-256", "Set CURL_TARBALL")
    if any((folder / "cache").iterdir()):
        raise Failed("the download is in the cache")


def without_network(name: str, *words: str | Path, cwd: Path) -> str:
    """Runs a command in a network namespace of its own, and without the archives that this machine has."""
    user = ["--map-root-user"] if os.geteuid() != 0 else []
    return call("unshare", "--net", *user, *words, cwd=cwd, env={"CURLWIRE_CACHE": str(cwd / f"no-{name}")})


def rock_offline() -> None:
    """Checks that make rock packs the archive of make dist, and that the rock builds without a network."""
    tree, folder = place("rock")
    source = folder / "source"
    shutil.copytree(tree, source)
    call("make", "-s", "rock", cwd=source)
    dist = source / "dist"
    (spec,), (rock,) = dist.glob("curlwire-*.rockspec"), dist.glob("curlwire-*.src.rock")
    (archive,) = dist.glob("curlwire-*.tar.gz")
    call("luarocks", "lint", spec)
    with zipfile.ZipFile(rock) as packed:
        if packed.read(archive.name) != archive.read_bytes():
            raise Failed(f"{rock.name} has another archive than {archive.name}")
    rocks = folder / "rocks"
    rocks.mkdir()
    without_network("cache", "luarocks", "--lua-version=5.4", f"--tree={rocks}", "install", rock, cwd=rocks)
    share, lib = rocks / "share" / "lua" / "5.4", rocks / "lib" / "lua" / "5.4"
    paths = {"LUA_PATH": f"{share}/?.lua;{share}/?/init.lua", "LUA_CPATH": f"{lib}/?.so"}
    call("lua5.4", "-e", LUA_ROUND_TRIP, cwd=folder, env=paths)


def sdist_offline() -> None:
    """Checks that Python's source archive builds and installs without a network."""
    tree, folder = place("sdist")
    source = folder / "source"
    shutil.copytree(tree, source)
    call(sys.executable, "-m", "venv", folder / "venv")
    python = folder / "venv" / "bin" / "python"
    call(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "setuptools", "wheel")
    call(python, "setup.py", "-q", "sdist", "--dist-dir", folder, cwd=source)
    (archive,) = folder.glob("curlwire-*.tar.gz")
    pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-build-isolation")
    without_network("cache", *pip, "--no-index", archive, cwd=folder)
    call(python, "-c", BESIDE_SYSTEM + PYTHON_ROUND_TRIP, cwd=folder)


# Rows for the table of controls, one for each type.
NEW_ROWS = r""" \
    X(CW_OPT_NEW_BOOL, "new_bool", CW_TYPE_BOOL, 0, 0, 1, BOTH, NULL, NULL, NULL, "A flag") \
    X(CW_OPT_NEW_COUNT, "new_count", CW_TYPE_COUNT, 7, 5, INT64_MAX, MESSAGE, NULL, "no limit", "8.99.0", \
      "A size, (at most)") \
    X(CW_OPT_NEW_BITS, "new_bits", CW_TYPE_BITS, 9, 4, 12, BOTH, NULL, NULL, NULL, "Bits") \
    X(CW_OPT_NEW_MS, "new_ms", CW_TYPE_MS, 1250, 0, INT32_MAX, BOTH, NULL, "for ever", NULL, "A time") \
    X(CW_OPT_NEW_ENUM, "new_enum", CW_TYPE_ENUM, 1, 0, 2, BOTH, CW_WORDS("one", "two", "three"), NULL, NULL, \
      "Words") \
    X(CW_OPT_NEW_TEXT, "new_text", CW_TYPE_TEXT, 0, 0, 0, BOTH, NULL, NULL, NULL, "A file (a \"path\")") \
    X(CW_OPT_NEW_LIST, "new_list", CW_TYPE_LIST, 0, 0, 0, BOTH, NULL, NULL, NULL, "Tokens") \
    X(CW_OPT_NEW_DATA, "new_data", CW_TYPE_BYTES, 0, 0, INT64_MAX, MESSAGE, NULL, NULL, NULL, "Any data") \
    X(CW_OPT_NEW_SHORT, "new_short", CW_TYPE_BYTES, 0, 0, 125, BOTH, NULL, NULL, NULL, "A little data") \
    X(CW_OPT_NEW_USER, "new_user", CW_TYPE_CREDENTIAL, 0, 0, 99, BOTH, NULL, NULL, NULL, "A user") \
    X(CW_OPT_NEW_TEXTS, "new_texts", CW_TYPE_TEXTS, 0, 0, 0, BOTH, NULL, NULL, NULL, "Texts") \
    X(CW_OPT_NEW_SECRET, "new_secret", CW_TYPE_SECRET, 0, 0, 0, BOTH, NULL, NULL, NULL, "A secret") \
    X(CW_OPT_NEW_PROXY, "new_proxy", CW_TYPE_PROXY, 0, 0, 0, BOTH, CW_WORDS("direct"), NULL, NULL, "A proxy") \
    X(CW_OPT_NEW_HEADERS, "new_headers", CW_TYPE_HEADERS, 0, 0, 0, BOTH, NULL, NULL, NULL, "Headers") \
    X(CW_OPT_NEW_KEY, "new_key", CW_TYPE_SECRET_BYTES, 0, 0, 99, BOTH, NULL, NULL, NULL, "A key")"""
LACKING = {"no code uses CW_OPT_NEW_DATA: the control new_data would do nothing", "no test names new_data"}


def add_controls(source: Path) -> None:
    """Adds the rows, builds, and generates the files that depend on the table."""
    header = source / "core" / "include" / "curlwire.h"
    table, end, rest = header.read_text().partition("\n/* clang-format on */\n\ntypedef enum cw_option {")
    header.write_text(table + NEW_ROWS + end + rest)
    quickly = {"CFLAGS": "-O0"}
    lua = ("lua", "VARIANT=test", "LUA_VERSIONS=5.4")
    call("make", "-s", "-j2", *lua, "build/test/tests/test_settings", cwd=source, env=quickly)
    call("make", "-s", "python", cwd=source, env=quickly)
    call(
        sys.executable, "scripts/controls.py", cwd=source, env={"PYTHONPATH": str(source / "build" / "python")}
    )
    call("make", "-s", "python", cwd=source, env=quickly)  # with the new types


def new_controls() -> None:
    """Checks that a new row of any type is a control in every language, and that lint names what is missing."""
    tree, folder = place("controls")
    source = folder / "source"
    shutil.copytree(tree, source)
    add_controls(source)
    built = {"PYTHONPATH": str(source / "build" / "python"), "PYTHONDONTWRITEBYTECODE": "1"}
    told = call(
        sys.executable, "scripts/controls.py", "--check", cwd=source, env=built, fails=True
    ).splitlines()
    if len(told) != 2 * NEW_ROWS.count("X(") or not set(told) >= LACKING:
        raise Failed("\n".join(["controls.py --check reports other lines than expected:", *told]))
    stubtest = ("mypy.stubtest", "--allowlist", "tests/python/stubtest.txt", "curlwire")
    pytest = (
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "tests/python/test_control.py",
        "tests/python/test_texts.py",
    )
    call(BIN / "ruff", "format", "--no-cache", "--check", "bindings/python/curlwire", cwd=source)
    call(sys.executable, "-m", *stubtest, cwd=source, env=built)
    call(sys.executable, "-m", *pytest, cwd=source, env=built)
    call(source / "build" / "test" / "tests" / "test_settings", cwd=source)
    modules = source / "build" / "test" / "lua" / "5.4"
    lua = {"LUA_PATH": f"{modules}/?.lua;{modules}/?/init.lua;;", "LUA_CPATH": f"{modules}/?.so;;"}
    call("lua5.4", "tests/lua/run.lua", "tests/lua/test_control.lua", cwd=source, env=lua)


def installs() -> list[Test]:
    """The blocks of README.md try `pip install .` and `luarocks make` for every Lua."""
    return [
        ("pip install git+file://", partial(pip_install, "pip-git", is_system=False)),
        ("pip install . with the system's libcurl", partial(pip_install, "pip-system", is_system=True)),
        ("Python's source archive builds without a network", sdist_offline),
        ("make rock's source rock, with the archive of make dist, builds without a network", rock_offline),
        ("the setuptools of Debian 12", partial(pip_metadata, "setuptools==66.1.1")),
        ("a setuptools that has deprecated old forms", partial(pip_metadata, "setuptools>=80")),
        ("a second install.sh installs nothing", nothing_left_to_install),
        ("the error says why apt has no source of libcurl", apt_reason_is_said),
        ("make says how to install its tools", missing_tools_are_named),
        *(
            (f"README.md, Install, block {number}", partial(install_as_told, f"readme-{number}", block))
            for number, block in enumerate(install_blocks(), 1)
        ),
        ("README.md says how to install three things", three_installs),
        ("make install, pkg-config, examples/echo.c", partial(make_install, "private")),
        ("make install with the system's libcurl", partial(make_install, "system")),
        ("make uninstall", make_uninstall),
        ("an old libcurl is refused", partial(refuse_libcurl, "old", "8.14.0", "WS WSS", "8.14.0 is too old")),
        (
            "a libcurl without wss is refused",
            partial(refuse_libcurl, "no-wss", "8.16.0", "HTTP WS", "without WSS"),
        ),
        (
            "an old libcurl is refused when it is loaded",
            partial(refuse_loaded, "old-loaded", "8.14.0", "0x080e00", '"ws","wss",', "curlwire needs 8.14.1"),
        ),
        (
            "a libcurl without wss is refused when it is loaded",
            partial(refuse_loaded, "no-wss-loaded", "8.16.0", "0x081000", '"http","ws",', "without wss:"),
        ),
        ("Lua 5.5 is refused", refuse_lua),
        ("the libcurl inside is hidden", private_libcurl),
        (
            "a libcurl that is not built is an error",
            partial(refuse_setting, "not-built", {"LIBCURL": "private"}, "Run: make libcurl"),
        ),
        (
            "another value of LIBCURL is an error",
            partial(refuse_setting, "libcurl-word", {"LIBCURL": "own"}, "Set it to private or system"),
        ),
        (
            "CURL_CONFIG without LIBCURL=system is an error",
            partial(refuse_setting, "config-alone", {"CURL_CONFIG": "curl-config"}, "only LIBCURL=system"),
        ),
        ("a row of the table is a control", new_controls),
        ("a source that is too old is an error", refuse_source),
        ("an archive that cannot be unpacked is an error", refuse_tarball),
        (
            "an archive that is not there is an error",
            partial(refuse_build, "no-tarball", {"CURL_TARBALL": "/nowhere.tar.gz"}, "CURL_TARBALL"),
        ),
        ("a download with a wrong checksum is an error", refuse_checksum),
        (
            "a missing compiler is an error",
            partial(refuse_build, "no-cc", {"CC": "/nowhere/cc"}, "/nowhere/cc is not installed", "gcc"),
        ),
        (
            "missing headers are an error",
            partial(refuse_build, "no-headers", {"PKG_CONFIG_LIBDIR": "/nowhere"}, "OpenSSL", "libssl-dev"),
        ),
        ("the log of a failed build is kept", log_is_kept),
    ]


# -- what the README and the pages show, and the examples

# What a user does with curlwire. The first thing that such a page shows is an example, in Python and in Lua.
GUIDE = (
    "first-steps",
    "connecting",
    "redirects",
    "login",
    "reaching",
    "messages",
    "streams",
    "data-reader",
    "closing-and-errors",
    "handlers-and-threads",
    "lua-loops",
    "asyncio",
    "reconnecting",
    "compat-websockets",
    "coming-from",
    "compression",
    "cookies",
    "tls",
    "proxies",
    "tls-options",
    "tracing",
    "controls",
)
# Pages to look something up, which have examples too.
REFERENCE = ("errors", "handshake")
RUN_ELSEWHERE = {"openresty"}  # tests/python/test_nginx_lua.py runs them
FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
SERVER = re.compile(r"^ *```sh\n((?:(?! *```).*\n)*?) *python3 (tests/servers/.*) --port (\d+)", re.MULTILINE)


def lua_environment(build: Path = BUILD) -> dict[str, str]:
    modules = build / "lua" / "5.4"
    return {"LUA_PATH": f"{modules}/?.lua;{modules}/?/init.lua;;", "LUA_CPATH": f"{modules}/?.so;;"}


@dataclass
class Snippet:
    """A program of a page. The block of text that follows in its section is what it prints."""

    language: str
    code: str
    printed: str | None = None


def snippets(text: str) -> list[Snippet]:
    found: list[Snippet] = []
    for section in re.split(r"^## ", text, flags=re.MULTILINE):
        silent: list[Snippet] = []  # those before the next text
        for indent, language, indented in FENCE.findall(section):
            code = re.sub(rf"^{indent}", "", indented, flags=re.MULTILINE)
            if language in ("python", "lua", "c"):
                silent.append(Snippet(language, code))
                found.append(silent[-1])
            elif language == "text":
                for snippet in silent:
                    snippet.printed = code
                silent = []
    return found


def run_snippet(snippet: Snippet, folder: Path, build: Path) -> str:
    """Returns what it prints."""
    source, program = folder / f"snippet.{snippet.language}", folder / "snippet"
    source.write_text(snippet.code)
    if snippet.language == "python":
        return call(sys.executable, source, cwd=folder, env={"PYTHONPATH": str(build / "python")})
    if snippet.language == "lua":
        return call("lua5.4", source, cwd=folder, env=lua_environment(build))
    compile_c(source, program, "private")
    libraries = installed_library("private") / "usr" / "lib"
    return call(program, cwd=folder, env={"LD_LIBRARY_PATH": str(libraries)})


@contextmanager
def page_server(text: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Starts the server of a page. Gives the address or port that the page shows, and the server's."""
    found = SERVER.search(text)
    if not found:
        yield "ws://localhost:8765", os.environ["CW_ECHO_WS"]
        return
    (folder / "tests").symlink_to(ROOT / "tests")
    call("sh", "-euc", found[1], cwd=folder)
    words = [sys.executable, *found[2].split(), "--port", "0"]  # the port itself may be taken
    with subprocess.Popen(
        words, cwd=folder, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as server:  # fmt: skip
        children.groups.add(server.pid)  # so that call() does not take it for an orphan of a snippet
        try:
            line = server.stdout.readline() if server.stdout else ""
            port = re.fullmatch(r"listening (\d+)\n", line)
            if not port:
                raise Failed(f"{' '.join(words)} says {line!r}")
            yield found[3], port[1]
        finally:
            server.terminate()
            server.wait()
            children.groups.discard(server.pid)


# The proxies of the pages: what the pages show, and the real one of tests/servers/proxy_settings.py.
LOGIN = "j0hnny:s3c%3Aret%2F%40@"
PROXIES = {
    "http://user:password@proxy.example:3128": ("basic", f"http://{LOGIN}127.0.0.1"),
    "http://proxy.example:3129": ("digest", "http://127.0.0.1"),
}
CREDENTIAL = '"user", "password"', '"j0hnny", "s3c:ret/@"'


def with_real_proxies(code: str) -> str:
    ports = dict(word.split("=") for word in os.environ["CW_PROXIES"].split())
    for shown, (name, start) in PROXIES.items():
        if shown in code and name == "digest":
            code = code.replace(*CREDENTIAL)
        code = code.replace(shown, f"{start}:{ports[name]}")
    return code


def run_page(name: str, build: Path) -> None:
    """Every program of a page runs, and prints what the page says."""
    text = (ROOT / name).read_text()
    with tempfile.TemporaryDirectory() as place_name:
        folder = Path(place_name)
        with page_server(text, folder) as (shown, here):
            for number, snippet in enumerate(snippets(text), 1):
                snippet.code = with_real_proxies(snippet.code.replace(shown, here))
                printed = run_snippet(snippet, folder, build)
                if snippet.printed not in (None, printed):
                    raise Failed(f"{name}, snippet {number} prints\n{printed}, not\n{snippet.printed}")


def check_opening(name: str, languages: set[str]) -> None:
    """A page has an example in each language before its first section."""
    text = (ROOT / name).read_text()
    found = {snippet.language for snippet in snippets(text.partition("\n## ")[0])}
    if found != languages:
        raise Failed(f"{name} opens with examples in: {sorted(found)}")


def round_trips(commands: str) -> str:
    """The README's commands, followed by a round trip with what they have installed."""
    after = {
        "pip": f"cat > round_trip.py <<'END'\n{PYTHON_ROUND_TRIP}END\n"
        "~/curlwire-venv/bin/python round_trip.py\n",
        # in another folder, because LuaRocks leaves the last version's module in the folder where it builds
        "luarocks": f"cd ~\ncat > round_trip.lua <<'END'\n{LUA_ROUND_TRIP}END\n"
        "for lua in lua5.1 lua5.2 lua5.3 lua5.4 luajit; do $lua round_trip.lua; done\n",
        "make install": './echo "$CW_ECHO_WS/"\n',
    }
    found = [text for word, text in after.items() if re.search(rf"\b{word}\b", commands)]
    if len(found) != 1:
        raise Failed(f"these commands install {len(found)} things, not one:\n{commands}")
    return commands + found[0]


def install_as_told(name: str, commands: str) -> None:
    """Runs the README's commands unchanged, as root of a namespace with its own mounts."""
    _, folder = place(name)
    source = source_tree(folder)
    (folder / "commands").write_text(round_trips(commands))
    user = ["--map-root-user"] if os.geteuid() != 0 else []
    try:
        kinds = network.mount_kinds(folder)
    except network.NoNamespaces as error:
        raise Failed(str(error)) from None
    call("unshare", *user, *kinds, "sh", "-c", FRESH, "sh", folder, source)


def install_blocks() -> list[str]:
    """The blocks of commands in README.md, section Install, one for each language."""
    section = re.search(r"^## Install\n(.*?)^## ", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    return re.findall(r"^```sh\n(.*?)^```$", section[1] if section else "", re.MULTILINE | re.DOTALL)


# The reply of apt when an archive has expired, as a snapshot's archive does: it lists nothing and says why.
EXPIRED = "E: Release file for http://archive.test/debian/dists/sid/InRelease is expired (invalid since 9d)."
FAKE_APT = f"""case "$*" in
*--print-uris*) echo "'http://archive.test/debian/dists/stable/InRelease' x" ;;
*update*) echo "{EXPIRED}" >&2; exit 100 ;;
esac
"""


def apt_reason_is_said() -> None:
    """Checks that build_libcurl.sh shows and keeps apt's own reason why it has no source of libcurl."""
    tree, folder = place("expired")
    fails = "echo 'cannot connect' >&2; exit 1"
    path = commands(folder, apt_get=FAKE_APT, apt_cache=FAKE_APT, curl=fails, wget=fails)
    setting = {"PATH": path, "CURLWIRE_CACHE": str(folder / "cache"), "CURL_TARBALL": "", "TMPDIR": str(folder)}
    output = call("sh", "scripts/build_libcurl.sh", cwd=tree, fails=True, env=setting)
    says(output, "no source of curl", "Set CURL_TARBALL", "The whole log is")
    log = Path(output.split()[-1]).read_text()
    if EXPIRED not in output or EXPIRED not in log:
        raise Failed(f"apt's reason is missing in:\n{output}\nor in:\n{log}")


def three_installs() -> None:
    if len(install_blocks()) != 3:
        raise Failed(f"README.md has {len(install_blocks())} blocks of commands in Install, not 3")


def missing_tools_are_named() -> None:
    """Checks that make says how to install build/venv if it is missing."""
    tree, folder = place("no-venv")
    source = folder / "source"
    shutil.copytree(tree, source)
    for target in ("test-quick", "load", "lint", "format"):
        output = call("make", target, cwd=source, fails=True)
        if "Run: sh scripts/install.sh test" not in output or "not found" in output:
            raise Failed(f"make {target} does not say how to install its tools:\n{output}")


def nothing_left_to_install() -> None:
    """Checks that a second install.sh does not call apt, on any release of Debian."""
    _, folder = place("no-apt")
    for name in ("apt-get", "apt-cache"):
        (folder / name).write_text(f'#!/bin/sh\necho "{name} was called: $*" >&2\nexit 1\n')
        (folder / name).chmod(0o755)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    for kind in ("c", "python", "lua", "demo", "test"):
        call("sh", "scripts/install.sh", kind, env={"PATH": path})


ONE_LANGUAGE = {
    "docs/asyncio.md": "python",
    "docs/compat-websockets.md": "python",
    "docs/coming-from.md": "python",
    "docs/lua-loops.md": "lua",
}


def readme() -> list[Test]:
    pages = [f"docs/{name}.md" for name in GUIDE]
    tests: list[Test] = [("README.md", partial(run_page, "README.md", BUILD))]
    tests += [(name, partial(run_page, name, BUILD)) for name in pages]
    tests += [(f"docs/{name}.md", partial(run_page, f"docs/{name}.md", BUILD)) for name in REFERENCE]
    for name in pages:
        languages = {ONE_LANGUAGE[name]} if name in ONE_LANGUAGE else {"python", "lua"}
        tests.append((f"{name} opens with examples", partial(check_opening, name, languages)))
    tests.append(("README.md has one in each language", check_languages))
    tests.append(("every page with examples is run", check_all_are_run))
    return tests


def check_all_are_run() -> None:
    with_examples = {path.stem for path in (ROOT / "docs").glob("*.md") if snippets(path.read_text())}
    run = {*GUIDE, *REFERENCE, *RUN_ELSEWHERE}
    if with_examples != run:
        raise Failed(f"these pages have examples that no test runs, or none: {sorted(with_examples ^ run)}")


def check_languages() -> None:
    found = {snippet.language for snippet in snippets((ROOT / "README.md").read_text())}
    if found != {"python", "lua", "c"}:
        raise Failed(f"README.md has snippets in {sorted(found)}, not in Python, Lua and C")


def run_example(name: str) -> None:
    url = os.environ["CW_ECHO_WS"] + "/"
    if name.endswith(".py"):
        call(sys.executable, f"examples/{name}", url, env={"PYTHONPATH": str(BUILD / "python")})
    else:
        call("lua5.4", f"examples/{name}", url, env=lua_environment())


def run_demo(command: str) -> None:
    # the demo sends 256 MiB by default; 8 are enough for a test
    extension = "py" if command == sys.executable else "lua"
    call(
        command, f"examples/demo.{extension}", "8",
        env={"PYTHONPATH": str(BUILD / "python"), **lua_environment()},
    )  # fmt: skip


def examples() -> list[Test]:
    names = [Path(name).name for name in files("examples/*.py", "examples/*.lua")]
    tests: list[Test] = [(name, partial(run_example, name)) for name in names if not name.startswith("demo.")]
    # demo.py runs with the tests' Python, which has no tqdm; the demo takes Debian's package of it
    tests += [("demo.py", partial(run_demo, sys.executable)), ("demo.lua", partial(run_demo, "lua5.4"))]
    return tests
