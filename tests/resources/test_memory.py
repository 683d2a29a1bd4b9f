# SPDX-License-Identifier: MIT
"""Makes every allocation fail once: the core's, libcurl's, and the interpreter's for a binding.

failing.c makes the malloc of the process fail for one library at a time. It tells libraries apart by their
files. So the tests use the released modules with the system's libcurl, which is a file of its own.
"""

import sys
from pathlib import Path

import pytest

from programs import HERE, ROOT, assert_done, lua_environment, python

BUILD = ROOT / "build" / "system"
# PYTHONMALLOC makes Python take every object from malloc, not from its arenas.
FAILING = {"PYTHONPATH": str(BUILD / "python"), "PYTHONMALLOC": "malloc"}

SESSIONS = ("message", "stream", "handlers", "failed")


@pytest.mark.parametrize("library", ["curlwire/_core", "libcurl", "main"])
@pytest.mark.parametrize("session", SESSIONS)
def test_python(fast: str, failing: Path, session: str, library: str) -> None:
    python("memory.py", fast, session, library, LD_PRELOAD=str(failing), **FAILING)


if sys.version_info < (3, 12):  # 3.13 itself crashes when PyType_FromModuleAndSpec has no memory

    def test_python_loads_the_module(fast: str, failing: Path) -> None:
        python("memory.py", fast, "load", "main", LD_PRELOAD=str(failing), **FAILING)


@pytest.mark.parametrize("whose", ["curlwire/core", "libcurl", "lua"])
def test_lua(fast: str, host: tuple[Path, str], whose: str) -> None:
    program, version = host
    assert_done(program, whose, HERE / "memory.lua", fast, **lua_environment(version, BUILD))
