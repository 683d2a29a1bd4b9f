# SPDX-License-Identifier: MIT
"""Fixtures that build and start the benchmark's server, a malloc that fails, and a host for Lua states."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from programs import BUILD, HERE, ROOT

sys.path.append(str(ROOT / "bench"))

import clients

PACKAGES = {"5.1": "lua5.1", "5.2": "lua5.2", "5.3": "lua5.3", "5.4": "lua5.4", "jit": "luajit"}


def compiled(name: str, *arguments: str | Path) -> Path:
    """Compiles a program or a library into build/resources, and returns its path."""
    BUILD.mkdir(parents=True, exist_ok=True)
    program = BUILD / name
    flags = "-std=c11 -D_GNU_SOURCE -O1 -g -Wall -Wextra -Wpedantic -Wconversion -Werror -pthread"
    command = [os.environ.get("CC", "cc"), *shlex.split(flags), "-o", str(program), *map(str, arguments)]
    subprocess.run(command, check=True)
    return program


def package_flags(name: str) -> list[str]:
    command = ["pkg-config", "--cflags", "--libs", name]
    return shlex.split(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.fixture(scope="session")
def failing() -> Path:
    """Returns the library with the malloc that fails, for LD_PRELOAD."""
    return compiled("failing.so", "-shared", "-fPIC", HERE / "failing.c")


@pytest.fixture(scope="session", params=PACKAGES)
def host(request: pytest.FixtureRequest) -> tuple[Path, str]:
    """Returns the program that runs a script in a Lua state while memory is short, and the version of Lua."""
    version: str = request.param
    flags = package_flags(PACKAGES[version])
    return compiled(f"host-{version}", HERE / "host.c", HERE / "failing.c", *flags), version


@pytest.fixture(scope="session")
def fast() -> Iterator[str]:
    """Yields the URL of a server that is fast enough for ten thousand connections."""
    BUILD.mkdir(parents=True, exist_ok=True)
    program = clients.build_server(BUILD)
    process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None and process.stdout is not None
    with process:  # the server ends when its standard input is closed
        yield f"ws://127.0.0.1:{int(process.stdout.readline())}"
        process.stdin.close()
