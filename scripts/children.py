# SPDX-License-Identifier: MIT
"""Runs the programs of the tests: each in a process group of its own, with a limit in time and in memory.

Whatever a program leaves behind is ended, and told. Used by run_tests.py, checks.py, repeat.py and
tests/servers/run.py; needs nothing but Python.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

MEMORY_KIB = 8 << 20  # of address space. The largest honest program, mypy, takes less than 2 GiB
GRACE_S = 10.0  # for a child that has been told to end, and for one that outlives its parent
LIMITED = 'ulimit -v "$0" 2>/dev/null; exec "$@"'
PR_SET_CHILD_SUBREAPER = 36

groups: set[int] = set()  # process groups that run now
is_ending = threading.Event()
is_adopting = threading.Event()


@dataclass
class Ended:
    """A program that has ended. Notes say what is wrong beside its exit code."""

    code: int
    output: str
    notes: list[str] = field(default_factory=list)


def hand_on_signals() -> None:
    """Makes SIGINT and SIGQUIT end our children, also where they are ignored: `nohup sh scripts/test.sh &`.

    A child inherits that a signal is ignored, but no handler. So a handler that does nothing goes on ignoring
    the signal here, and gives the children the default.
    """
    for number in (signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


# -- groups


def exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def is_gone(group: int, seconds: float) -> bool:
    """Whether the group has no process any more, after so many seconds at most."""
    until = time.monotonic() + seconds
    while exists(group):
        if time.monotonic() > until:
            return False
        bury_orphans()
        time.sleep(0.02)  # no call waits for a group
    return True


def send(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def end_group(group: int) -> None:
    """SIGTERM, so that a runner ends its own children; SIGKILL to what is left."""
    send(group, signal.SIGTERM)
    if not is_gone(group, GRACE_S):
        send(group, signal.SIGKILL)
        is_gone(group, GRACE_S)


# -- orphans: processes that have left their group, and whose parent has ended


def adopt_orphans() -> None:
    """Makes this process the parent of each descendant whose own parent ends. Linux only.

    For a process that runs one program at a time: whatever is orphaned is of that program.
    """
    if sys.platform == "linux" and ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0:
        is_adopting.set()


def all_children() -> dict[int, str]:
    """Our children by number, with the letter of their state (Z: ended, not buried). Linux only."""
    found: dict[int, str] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
            number = int(path.parent.name)
            if int(parent) == os.getpid():
                found[number] = state
    return found


def orphans() -> dict[int, str]:
    """Our children that we did not start."""
    if not is_adopting.is_set():
        return {}
    return {number: state for number, state in all_children().items() if number not in groups}


def bury_orphans() -> dict[int, str]:
    """Frees the numbers of those that have ended; the others."""
    alive = {}
    for number, state in orphans().items():
        if state == "Z":
            with contextlib.suppress(ChildProcessError):
                os.waitpid(number, os.WNOHANG)
        else:
            alive[number] = state
    return alive


def end_orphans() -> bool:
    """Ends those that do not end by themselves; whether there were any."""
    until = time.monotonic() + GRACE_S
    were_ended = False
    while (alive := bury_orphans()) and time.monotonic() < until + GRACE_S:
        for number in alive if time.monotonic() > until else ():
            were_ended = True
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(number, signal.SIGKILL)
        time.sleep(0.02)
    return were_ended


# -- ends


def end_all() -> None:
    """Ends all that runs; nothing is started any more."""
    is_ending.set()
    groups.update(all_children())  # also one that was being started just now
    for group in list(groups):
        send(group, signal.SIGTERM)
    until = time.monotonic() + GRACE_S
    while (left := [group for group in list(groups) if exists(group)]) and time.monotonic() < until:
        for number, state in all_children().items():
            if state == "Z":
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(number, os.WNOHANG)
        time.sleep(0.02)
    for group in left:
        send(group, signal.SIGKILL)


def leave(*_: object) -> None:
    raise SystemExit(143)


@contextlib.contextmanager
def ends_children() -> Iterator[None]:
    """No child outlives the block, also where SIGTERM, Ctrl-C or an exception ends it."""
    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        end_all()


# -- one program


def watch(process: subprocess.Popen[str], limit_s: float, notes: list[str]) -> None:
    """Waits for the program and for its children, and ends those that last too long."""
    group = process.pid
    try:
        process.wait(limit_s)
    except subprocess.TimeoutExpired:
        notes.append(f"took more than {limit_s:g} s")
        end_group(group)
        process.wait()
    if not is_gone(group, GRACE_S):
        notes.append("left a process behind")
        end_group(group)


def run(
    command: Sequence[str], *, cwd: Path, environment: Mapping[str, str] | None = None, limit_s: float = 300,
    is_bounded: bool = True, show: Callable[[str], object] | None = None,
) -> Ended:  # fmt: skip
    """Runs a program to its end. show gets each line of its output. FileNotFoundError where there is none.

    is_bounded: its memory has a limit. A sanitizer needs terabytes of address space, so it has none.
    """
    if not (cwd / command[0]).exists() and not shutil.which(command[0]):
        raise FileNotFoundError(command[0])
    if is_ending.is_set():
        return Ended(-signal.SIGTERM, "", ["was not started: the run has been ended"])
    process = subprocess.Popen(
        ["sh", "-c", LIMITED, str(MEMORY_KIB), *command] if is_bounded else list(command),
        cwd=cwd, env=None if environment is None else dict(environment), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
    )  # fmt: skip
    groups.add(process.pid)
    notes: list[str] = []
    lines: list[str] = []

    def read() -> None:
        assert process.stdout is not None
        with process.stdout as stream:
            for line in stream:
                lines.append(line)
                if show is not None:
                    show(line)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    watch(process, limit_s, notes)
    if end_orphans():
        notes.append("left a process behind, in a session of its own")
    reader.join(GRACE_S)
    if reader.is_alive():
        notes.append("left a process behind that holds its output")
    groups.discard(process.pid)
    return Ended(process.returncode, "".join(lines), notes)
