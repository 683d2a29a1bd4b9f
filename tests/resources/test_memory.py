# SPDX-License-Identifier: MIT
"""Every allocation fails once, through the bindings: the core's, libcurl's, the interpreter's for a binding.

The modules are the released ones: what fails is the process's malloc, for one library at a time (failing.c).
"""

import sys
from pathlib import Path

import pytest

from programs import HERE, assert_done, lua_environment, python

SESSIONS = ("message", "stream", "handlers", "failed")


@pytest.mark.parametrize("library", ["curlwire/_core", "libcurl", "main"])
@pytest.mark.parametrize("session", SESSIONS)
def test_python(fast: str, failing: Path, session: str, library: str) -> None:
    # every object of Python's by malloc, not from its arenas
    python("memory.py", fast, session, library, LD_PRELOAD=str(failing), PYTHONMALLOC="malloc")


if sys.version_info < (3, 12):  # 3.13 itself crashes where it makes a type (PyType_FromModuleAndSpec)

    def test_python_loads_the_module(fast: str, failing: Path) -> None:
        python("memory.py", fast, "load", "main", LD_PRELOAD=str(failing), PYTHONMALLOC="malloc")


@pytest.mark.parametrize("whose", ["curlwire/core", "libcurl", "lua"])
def test_lua(fast: str, host: tuple[Path, str], whose: str) -> None:
    program, version = host
    assert_done(program, whose, HERE / "memory.lua", fast, **lua_environment(version))
