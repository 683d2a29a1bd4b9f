# SPDX-License-Identifier: MIT
"""Tests that calls without memory raise MemoryError, and nothing else, and leave the objects usable.

The programs run in a process of their own, in which CPython's _testcapi makes each allocation fail in turn.
"""

import subprocess
import sys

import pytest

from peers import WAIT, echo

RUN = """
import sys, _testcapi, curlwire

def recover():
    pass

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
        if failed is not None:
            recover()
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
CONNECTION = """
ws = curlwire.connect(URL, ping_interval=None)

def recover():
    ws.send("end")
    while ws.recv() not in ("end", b"end"):
        pass
"""
# No write has to wait, so the handler is not called. Waking run_forever() may fail, which Python reports.
SENDING = """
sys.unraisablehook = lambda unraisable: None

def handler(ws, buffered_amount):
    pass

def steps():
    ws.on_writable = handler
    assert ws.try_send("höher")
    assert ws.try_send(b"x" * 1000, compress=False)
    assert ws.buffered_amount >= 0
    ws.on_writable = None
    latency = ws.information.latency
    assert latency.last > 0
    assert latency.p99 >= latency.minimum

ws.ping()
steps()
try_all(steps)
recover()
"""
# It calls no read(n), and adds no bytearray to bytes: without memory, CPython 3.11 prints a SystemError then.
STREAM = """
def read(stream, size):
    buffer, done = bytearray(4096), 0
    while done < size and (count := stream.readinto(buffer)):
        done += count
    return done

def steps():
    ws.send(b"x" * 10_000)
    with ws.recv_stream() as stream:
        assert stream.readinto(bytearray(20)) == 20
        assert read(stream, 5000) >= 5000
        stream.readall()
        assert stream.readinto(bytearray(1)) == 0
    ws.send("höher")
    with ws.recv_stream() as stream:
        assert stream.readall() == "höher".encode()

steps()
try_all(steps)
recover()
"""
PROGRAMS = {
    "memory": MEMORY,
    "files": FILES,
    "sending": CONNECTION + SENDING,
    "stream": CONNECTION + STREAM,
    "stream in parts": CONNECTION.replace("None)", "None, receive_mode='partial')") + STREAM,
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_no_memory(program: str) -> None:
    program = f"URL = {echo()!r}{RUN}{program}"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=WAIT, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("done ")
