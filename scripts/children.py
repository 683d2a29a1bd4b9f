# SPDX-License-Identifier: MIT
"""Runs the programs of the tests, each in its own process group, with limits on time and memory.

Ends and reports every process that a program leaves behind. run_tests.py, checks.py, repeat.py and
tests/servers/run.py use it. It needs only Python.
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

MEMORY_KIB = 8 << 20  # of address space. The largest program, mypy, takes less than 2 GiB
GRACE_S = 10.0  # time to end, for a child that got a signal and for one whose parent has ended
LIMITED = 'ulimit -v "$0" 2>/dev/null; exec "$@"'
PR_SET_CHILD_SUBREAPER = 36

groups: set[int] = set()  # process groups that run now
is_ending = threading.Event()
is_adopting = threading.Event()


@dataclass
class Ended:
    """A program that has ended. The notes say what went wrong, apart from its exit code."""

    code: int
    output: str
    notes: list[str] = field(default_factory=list)


def hand_on_signals() -> None:
    """Makes SIGINT and SIGQUIT end our children, even if we ignore them (`nohup sh scripts/test.sh &`).

    A child inherits an ignored signal, but not a handler. So this sets a handler that does nothing: we still
    ignore the signal, and the children get the default action.
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


def is_gone(group: int, seconds: float, leader: subprocess.Popen[str] | None = None) -> bool:
    """Waits up to so many seconds until the group has no process; returns whether it has none.

    leader: its first process, if nobody else waits for it. Until then it counts, also when it has ended.
    """
    until = time.monotonic() + seconds
    while (leader is not None and leader.poll() is None) or exists(group):
        if time.monotonic() > until:
            return False
        bury_orphans()
        time.sleep(0.02)  # there is no call that waits for a group
    return True


def send(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def end_group(group: int, leader: subprocess.Popen[str] | None = None) -> None:
    """Sends SIGTERM, so that a runner ends its own children, and after GRACE_S SIGKILL."""
    send(group, signal.SIGTERM)
    if not is_gone(group, GRACE_S, leader):
        send(group, signal.SIGKILL)
        is_gone(group, GRACE_S, leader)


# -- orphans: processes that have left their group and whose parent has ended


def adopt_orphans() -> None:
    """Makes this process the parent of each descendant whose own parent ends. Linux only.

    Only a process that runs one program at a time may call it: then each orphan belongs to that program.
    """
    if sys.platform == "linux" and ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0:
        is_adopting.set()


def all_children() -> dict[int, str]:
    """The state letter of each of our children, by number (Z: ended, not waited for). Linux only."""
    found: dict[int, str] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
            number = int(path.parent.name)
            if int(parent) == os.getpid():
                found[number] = state
    return found


def orphans() -> dict[int, str]:
    """Our children that adopt_orphans brought us."""
    if not is_adopting.is_set():
        return {}
    return {number: state for number, state in all_children().items() if number not in groups}


def bury_orphans() -> dict[int, str]:
    """Waits for the orphans that have ended, which frees their numbers; returns the others."""
    alive = {}
    for number, state in orphans().items():
        if state == "Z":
            with contextlib.suppress(ChildProcessError):
                os.waitpid(number, os.WNOHANG)
        else:
            alive[number] = state
    return alive


def end_orphans() -> bool:
    """Ends the orphans that do not end within GRACE_S; returns whether there were any."""
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
    """Ends all programs that run, and lets no new one start."""
    is_ending.set()
    groups.update(all_children())  # also a child that was being started just now
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
    """Ends all children when the block ends, even by SIGTERM, Ctrl-C or an exception."""
    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        end_all()


# -- one program


def watch(process: subprocess.Popen[str], limit_s: float, notes: list[str]) -> None:
    """Waits for the program and its children, and ends each that takes too long."""
    group = process.pid
    try:
        process.wait(limit_s)
    except subprocess.TimeoutExpired:
        notes.append(f"took more than {limit_s:g} s")
        end_group(group, process)
        process.wait()
    if not is_gone(group, GRACE_S):
        notes.append("left a process behind")
        end_group(group)


def run(
    command: Sequence[str], *, cwd: Path, environment: Mapping[str, str] | None = None, limit_s: float = 300,
    is_bounded: bool = True, show: Callable[[str], object] | None = None,
) -> Ended:  # fmt: skip
    """Runs a program to its end, and passes each line of its output to show.

    Raises FileNotFoundError if the program is not installed. is_bounded limits its memory; a program under a
    sanitizer needs terabytes of address space, so it runs without that limit.
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
