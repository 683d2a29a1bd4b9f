# SPDX-License-Identifier: MIT
"""Tests that calls without memory raise MemoryError, and nothing else, and leave the objects usable.

The programs run in a process of their own, in which CPython's _testcapi makes each allocation fail in turn.
"""

import subprocess
import sys

import pytest

from peers import WAIT

RUN = """
import sys, _testcapi, curlwire

def try_all(steps, most=5000):
    for number in range(most):
        failed = None
        _testcapi.set_nomemory(number, number + 1)
        try:
            steps()
        except MemoryError as error:
            failed = error
        finally:
            _testcapi.remove_mem_hooks()
        if failed is None and number > 100:
            break
    steps()
    print("done", number)
"""
MEMORY = """
import uuid

def steps():
    writer = curlwire.DataWriter()
    writer.write_uint32(7)
    writer.write_string("höher")
    writer.write_guid(uuid.UUID(int=5))
    writer.write_bytes(b"x" * 100)
    reader = curlwire.DataReader.from_buffer(bytes(writer.detach_buffer()))
    assert reader.read_uint32() == 7
    assert reader.read_string(6) == "höher"
    assert reader.read_guid() == uuid.UUID(int=5)
    assert reader.read_bytes(100) == b"x" * 100

steps()
try_all(steps)
"""
FILES = """
import io

def steps():
    file = io.BytesIO(bytes(200))
    reader = curlwire.DataReader(file)
    assert reader.load(100) == 100
    reader.read_buffer(50), reader.read_single(), reader.read_double(), reader.read_time_span()
    reader.close()
    assert file.closed
    file = io.BytesIO()
    writer = curlwire.DataWriter(file)
    writer.write_double(1.5)
    writer.write_boolean(True)
    assert writer.store() == 9
    writer.flush()
    assert writer.detach_stream() is file

steps()
try_all(steps)
"""


@pytest.mark.parametrize("program", [MEMORY, FILES], ids=["memory", "files"])
def test_no_memory(program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN + program], capture_output=True, text=True, timeout=WAIT, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("done ")
