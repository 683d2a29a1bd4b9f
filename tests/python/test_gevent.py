# SPDX-License-Identifier: MIT
"""gevent and eventlet replace Python's threads and locks by greenlets. Handlers still run on a system thread.
Each test runs in its own process, and applies the patch before or after it imports curlwire."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from peers import WAIT, echo

PATCHES = {
    "gevent": "from gevent import monkey; monkey.patch_all()",
    "eventlet": "import eventlet; eventlet.monkey_patch()",
}
START = """
import os, sys, threading, time
{first}
{second}
URI = sys.argv[1]
"""
HANDLERS = """
heard = []
name = lambda: threading.current_thread().name
ws = curlwire.MessageWebSocket()
ws.on_message_received = lambda ws, args: (heard.extend([args.data, name()]), ws.close())
ws.on_closed = lambda ws, args: heard.append(args.code)
ws.connect(URI)
ws.send("hi")
curlwire.run_forever()
ws.run_forever()
print(*heard, flush=True)
"""
# The greenlets of the main thread go on while the handlers run.
GREENLETS = """
heard = []
ticks = []
def work():
    ws = curlwire.MessageWebSocket()
    ws.on_message_received = lambda ws, args: heard.append(args.data)
    ws.connect(URI)
    for number in range(3):
        ws.send(str(number))
    until = time.monotonic() + 50
    while (len(heard) < 3 or not ticks) and time.monotonic() < until:
        time.sleep(0.01)  # all messages may come before the ticker has begun
    ws.close()
def tick():
    while thread.is_alive():
        ticks.append(1)
        time.sleep(0.01)
thread = threading.Thread(target=work)
thread.start()
ticker = threading.Thread(target=tick)
ticker.start()
thread.join()
ticker.join()
print(*heard, len(ticks) > 0, flush=True)
"""
# The program ends while a socket with handlers is open.
OPEN_AT_THE_END = """
ws = curlwire.MessageWebSocket()
ws.on_message_received = lambda ws, args: None
ws.connect(URI)
print("end", flush=True)
"""
IN_A_HANDLER = """
def refuse(ws, args):
    try:
        curlwire.run_forever()
    except curlwire.StateError:
        print("refused", flush=True)
    ws.close()
ws = curlwire.MessageWebSocket()
ws.on_message_received = refuse
ws.connect(URI)
ws.send("x")
ws.run_forever()
"""
FORK = """
def round_trip(who):
    heard = []
    ws = curlwire.MessageWebSocket()
    ws.on_message_received = lambda ws, args: (heard.append(args.data), ws.close())
    ws.connect(URI)
    ws.send(who)
    ws.run_forever()
    # One write, because two processes write. eventlet's os.write may wait in an epoll that both share.
    sys.stdout.write(heard[0] + "\\n")
    sys.stdout.flush()
round_trip("before")
child = os.fork()
round_trip("child" if child == 0 else "parent")
if child == 0:
    os._exit(0)  # the parent cannot wait: gevent's waitpid does not return here
"""
RECEIVING = """
ws = curlwire.connect(URI)
try:
    print("waiting", flush=True)
    ws.recv(timeout=None)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
RUNNING = """
ws = curlwire.MessageWebSocket()
ws.on_closed = lambda ws, args: None
ws.connect(URI)
try:
    print("waiting", flush=True)
    curlwire.run_forever()
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.fixture(params=[(name, order) for name in PATCHES for order in ("before", "after")], ids="-".join)
def start(request: pytest.FixtureRequest) -> str:
    """Returns the start of a script: the patch, and the import of curlwire before or after it."""
    name, order = request.param
    lines = [PATCHES[name], "import curlwire"]
    first, second = lines if order == "before" else reversed(lines)
    return START.format(first=first, second=second)


@contextmanager
def _running(script: str) -> Iterator["subprocess.Popen[str]"]:
    # "-W ignore" hides eventlet's warning that it is deprecated.
    command = [sys.executable, "-W", "ignore", "-c", script, echo()]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _said(script: str) -> list[str]:
    """Returns the lines that a script prints. The script must end by itself with exit status 0."""
    with _running(script) as process:
        out, errors = process.communicate(timeout=3 * WAIT)
        assert process.returncode == 0, errors
        return out.splitlines()


def test_handlers_run(start: str) -> None:
    assert _said(start + HANDLERS) == ["hi curlwire dispatcher 1000"]


def test_greenlets_go_on(start: str) -> None:
    assert _said(start + GREENLETS) == ["0 1 2 True"]


def test_a_program_ends_with_an_open_socket(start: str) -> None:
    assert _said(start + OPEN_AT_THE_END) == ["end"]


def test_run_forever_in_a_handler_is_refused(start: str) -> None:
    assert _said(start + IN_A_HANDLER) == ["refused"]


def test_a_child_has_handlers_of_its_own(start: str) -> None:
    said = _said(start + FORK)
    assert said[0] == "before"
    assert sorted(said[1:]) == ["child", "parent"]


@pytest.mark.parametrize("script", [RECEIVING, RUNNING], ids=["recv", "run_forever"])
def test_ctrl_c_ends_a_wait(start: str, script: str) -> None:
    with _running(start + script) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.2)  # usually enough for the process to wait; the test is correct in any case
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "interrupted\n"
        assert process.wait(WAIT) == 0
