# SPDX-License-Identifier: MIT
"""A free-threaded CPython for test_wheels.py, built from the source that sources.txt pins.

It stays in build/wheel/nogil-VERSION. The first build takes some minutes.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import sources
from build_wheels import JOBS, WORK, run, say, unpack


def python() -> Path:
    """Returns the command. Without --enable-optimizations, the build takes a fifth of the time."""
    version = sources.read()["python"].version
    place = WORK / f"nogil-{version}"
    command = place / "bin" / f"python{version.rpartition('.')[0]}t"
    done = place / "done"
    if done.exists():
        return command
    say(f"building the free-threaded Python {version}")
    source = unpack(sources.get("python"), WORK / "nogil-source")
    shutil.rmtree(place, ignore_errors=True)
    log = WORK / "nogil.log"
    log.unlink(missing_ok=True)
    # a virtual environment makes its own pip
    run(log, "./configure", "--disable-gil", "--without-ensurepip", f"--prefix={place}", cwd=source)
    run(log, "make", f"-j{JOBS}", cwd=source)
    run(log, "make", "altinstall", cwd=source)
    done.touch()
    shutil.rmtree(source)
    return command
