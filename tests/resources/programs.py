# SPDX-License-Identifier: MIT
"""The function with which the tests of this folder run their programs."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ROOT / "build" / "resources"
LIMIT_S = 280.0  # seconds; a program needs a few, and ten times as many on a busy machine


def assert_done(*command: str | Path, **environment: str) -> None:
    """Runs a program to its end. The last word on stdout must be "done", and stderr must be empty."""
    process = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=LIMIT_S,
        check=False,
    )
    print(process.stdout, process.stderr, f"exit code {process.returncode}")
    assert (process.stderr, process.returncode) == ("", 0)
    assert process.stdout.endswith("done\n")


def python(script: str, *arguments: str, **environment: str) -> None:
    assert_done(sys.executable, HERE / script, *arguments, **environment)


def lua_environment(version: str, build: Path = ROOT / "build") -> dict[str, str]:
    modules = build / "lua" / version
    return {"LUA_PATH": f"{modules}/?.lua;{modules}/?/init.lua;;", "LUA_CPATH": f"{modules}/?.so;;"}
