# SPDX-License-Identifier: MIT
"""Runs the programs of websockets_programs with the library websockets, and with curlwire in its place.

A program is in the manner of that library's documentation. Its last comment lines are what it prints. uri(NAME,
path) gives the address of a peer. To run on curlwire, only the imports are changed.
"""

import contextlib
import io
import re
import threading
import warnings
from pathlib import Path

import pytest

import curlwire
from peers import WAIT, url

OURS = "curlwire.compat.websockets"
# What the system's libcurl may lack.
FEATURES = {"compression": "compression", "refusal_body": "refusal-body"}
WITHOUT = [name for name, feature in FEATURES.items() if feature not in curlwire.build_info()["features"]]
FOLDER = Path(__file__).parent / "websockets_programs"
PROGRAMS = sorted(path for path in FOLDER.glob("*.py") if path.stem not in WITHOUT)


def on_curlwire(source: str) -> str:
    """Changes the imports of a program."""
    changed = re.sub(r"^import websockets$", f"import {OURS} as websockets", source, flags=re.MULTILINE)
    changed = re.sub(r"^from websockets([. ])", rf"from {OURS}\1", changed, flags=re.MULTILINE)
    assert changed != source
    return changed


def expected(source: str) -> str:
    lines = source.splitlines()
    first = len(lines)
    while lines[first - 1].startswith("# "):
        first -= 1
    return "".join(f"{line[2:]}\n" for line in lines[first:])


def test_there_are_programs() -> None:
    assert len(PROGRAMS) >= 20
    assert all(expected(path.read_text()) for path in PROGRAMS)


@pytest.mark.parametrize("library", ["websockets", "curlwire"])
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_program(program: Path, library: str) -> None:
    source = program.read_text()
    before = curlwire.statistics()
    out = io.StringIO()
    code = compile(on_curlwire(source) if library == "curlwire" else source, str(program), "exec")
    with contextlib.redirect_stdout(out), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of websockets; pytest makes errors of warnings
        exec(code, {"__name__": "__main__", "uri": lambda name, path="/": url(name, path)})
    assert out.getvalue() == expected(source)
    after = curlwire.statistics()
    connects = after.connects + after.failed_connects - before.connects - before.failed_connects
    assert (connects > 0) == (library == "curlwire")
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(WAIT)
