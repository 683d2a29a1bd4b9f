# SPDX-License-Identifier: MIT
"""With 0, 1, 2, ... free descriptors, errors say that descriptors are missing. With enough again, all works."""

import os
import resource
import shutil
import subprocess
import sys

import pytest

from conftest import PACKAGES
from programs import HERE, LIMIT_S, lua_environment

LIMIT, MOST = 64, 20


def limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, hard))


def outcome(*command: str, **environment: str) -> str:
    process = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        preexec_fn=limit,
        timeout=LIMIT_S,
        check=False,
    )
    print(process.stdout, process.stderr)
    assert (process.stderr, process.returncode) == ("", 0)
    first, last = process.stdout.split()
    assert last == "done"
    return first


def sweep(*command: str, **environment: str) -> None:
    """Runs a program with more and more descriptors until it succeeds."""
    outcomes: list[str] = []
    while "through" not in outcomes:
        assert len(outcomes) < MOST
        outcomes.append(outcome(*command, str(len(outcomes)), **environment))
    assert len(outcomes) > 3


def test_python(fast: str) -> None:
    sweep(sys.executable, str(HERE / "descriptors.py"), fast)


@pytest.mark.parametrize("version", PACKAGES)
def test_lua(fast: str, version: str) -> None:
    program = shutil.which(PACKAGES[version])
    assert program is not None
    sweep(program, str(HERE / "descriptors.lua"), fast, **lua_environment(version))
