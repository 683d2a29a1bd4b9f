# SPDX-License-Identifier: MIT
"""Tests of the code that runs the test programs: scripts/children.py, run.py and scripts/run_tests.py."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# It runs in a new process, as a suite does.
SUITE = """
import sys
sys.path.insert(0, "scripts")
import children
from pathlib import Path
children.GRACE_S = {grace_s}
children.adopt_orphans()
children.hand_on_signals()
{body}
"""
RUN = "ended = children.run({command!r}, cwd=Path('.'), limit_s={limit_s}); print(ended.code, ended.notes)"


def said(body: str, *, before: str = "", grace_s: float = 60) -> str:
    command = [sys.executable, "-c", SUITE.format(body=body, grace_s=grace_s)]
    done = subprocess.run(
        ["sh", "-c", f'{before} exec "$@"', "sh", *command],
        cwd=ROOT, capture_output=True, text=True, timeout=100, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def run(command: list[str], limit_s: float = 60, grace_s: float = 60) -> str:
    return said(RUN.format(command=command, limit_s=limit_s), grace_s=grace_s)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def pid_in(path: Path) -> int:
    while not path.exists() or not path.read_text().endswith("\n"):
        time.sleep(0.01)
    return int(path.read_text())


def test_a_program_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    script = f"sh -c 'echo $$ > {tmp_path}/pid; exec sleep 1000' & sleep 1000"
    assert run(["sh", "-c", script], limit_s=1) == "-15 ['took more than 1 s']"
    pid = tmp_path / "pid"
    if pid.exists() and pid.read_text():  # a busy machine may not have come so far in a second
        assert not is_alive(int(pid.read_text()))


def test_what_a_program_leaves_behind_is_ended_and_told(tmp_path: Path) -> None:
    script = f"sh -c 'echo $$ > {tmp_path}/pid; exec sleep 1000' & while ! [ -s {tmp_path}/pid ]; do :; done"
    assert run(["sh", "-c", script], grace_s=2) == "0 ['left a process behind']"
    assert not is_alive(pid_in(tmp_path / "pid"))


def test_what_has_left_the_group_is_ended_and_told(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = f"setsid sh -c 'echo $$ > {pid}; exec sleep 1000' & while ! [ -s {pid} ]; do :; done"
    assert run(["sh", "-c", script], grace_s=2) == "0 ['left a process behind, in a session of its own']"
    assert not is_alive(pid_in(pid))


def test_memory_is_bounded() -> None:
    assert run([sys.executable, "-c", "bytearray(9 << 30)"]).startswith("1 ")


def test_signals_that_are_ignored_are_not_handed_on() -> None:
    """Programs get the default signal handlers even if the caller ignores signals, as in `nohup ... &`."""
    script = "import signal; print(signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGQUIT))"
    body = f"print(children.run([{sys.executable!r}, '-c', {script!r}], cwd=Path('.')).output)"
    ignored = said(body, before='trap "" INT QUIT;')
    assert ignored == said(body)
    assert "SIG_IGN" not in ignored


def test_run_py_hands_no_ignored_signal_on() -> None:
    script = "import signal; print(signal.getsignal(signal.SIGINT) == signal.default_int_handler)"
    words = [sys.executable, "tests/servers/run.py", "--only", "vectors", "--", sys.executable, "-c", script]
    done = subprocess.run(
        ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *words],
        cwd=ROOT, capture_output=True, text=True, timeout=100, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "True"


# Prints which outputs of the command are blocking, the number of peers, and the outputs that a peer shares.
OUTPUTS = """
import os
from pathlib import Path

parent, own = os.getppid(), str(os.getpid())
peers = [pid for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split() if pid != own]
files = {os.readlink(f"/proc/{pid}/fd/{fd}") for pid in peers for fd in (1, 2)}
shared = [fd for fd in (1, 2) if os.readlink(f"/proc/{own}/fd/{fd}") in files]
print(os.get_blocking(1), os.get_blocking(2), len(peers), shared)
"""


def test_peers_leave_the_command_its_blocking_output() -> None:
    """node makes its stderr nonblocking. If the command shared that pipe, writing a long text would fail."""
    words = [sys.executable, "tests/servers/run.py", "--only", "node", "--", sys.executable, "-c", OUTPUTS]
    done = subprocess.run(
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=100, check=True
    )
    assert done.stdout == "True True 1 []\n"


def test_what_a_peer_says_is_passed_on() -> None:
    words = [sys.executable, "tests/servers/run.py", "--only", "node", "--", "true"]
    done = subprocess.run(
        words, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False,
        env={**os.environ, "NODE_PATH": "/nonexistent"},
    )  # fmt: skip
    assert done.returncode == 3
    assert "Cannot find module" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("run.py: node did not start")


def test_a_runner_that_is_ended_ends_its_programs(tmp_path: Path) -> None:
    script = ["sh", "-c", f"echo $$ > {tmp_path}/pid; exec sleep 1000"]
    body = f"with children.ends_children():\n    children.run({script!r}, cwd=Path('.'))"
    suite = SUITE.format(body=body, grace_s=60)
    with subprocess.Popen([sys.executable, "-c", suite], cwd=ROOT) as runner:
        pid = pid_in(tmp_path / "pid")
        runner.send_signal(signal.SIGTERM)
        assert runner.wait(100) == 143
    assert not is_alive(pid)


def test_a_suite_ends_with_its_failures(tmp_path: Path) -> None:
    body = """
import run_tests
run_tests.run_here("sample", lambda: run_tests.run("sample", ["printf", "ok 1 - a\\\\nnot ok 2 - b c\\\\n"]))
"""
    lines = said(body).splitlines()
    assert lines[-2:] == ["FAILURE sample: not ok 2 - b c", "1 passed, 1 failed"]


def test_suites_that_take_long_are_named_while_they_run() -> None:
    body = """
import threading
import run_tests
run_tests.SILENCE_S = 0.2
told = threading.Event()
def beside(name):
    assert name != "long" or told.wait(60)
    return run_tests.Counts(1), ""
run_tests.run_beside = beside
class Progress(run_tests.Progress):
    def still(self):
        super().still()
        told.set()
run_tests.Progress = Progress
run_tests.run_side_by_side(["long"])
"""
    lines = said(body).splitlines()
    assert re.fullmatch(r"-- still running: long \(\d+ s\)", lines[1]), lines


def test_a_program_that_is_not_built_is_told() -> None:
    body = """
import run_tests
run_tests.run_here("core", lambda: run_tests.core_program("test_nothing", "test"))
"""
    lines = said(body).splitlines()
    how = "Run: sh scripts/install.sh test && sh scripts/build.sh test"
    assert lines[-2].endswith(f"test_nothing is not installed or not built. {how}")
    assert lines[-1] == "0 passed, 1 failed"


def test_one_test_is_found_by_its_name() -> None:
    def find(name: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", f"import sys; sys.path.insert(0, 'scripts'); import test_one; "
             f"print(test_one.find({name!r}).relative_to(test_one.ROOT))"],
            cwd=ROOT, capture_output=True, text=True, timeout=100, check=False, env={**os.environ},
        )  # fmt: skip
        return done.stdout.strip() or done.stderr.splitlines()[-1]

    assert find("test_ping") == "tests/core/test_ping.c"
    assert find("test_ping.c") == "tests/core/test_ping.c"
    assert find("tests/python/test_tls.py") == "tests/python/test_tls.py"
    assert find("test_streams.lua") == "tests/lua/test_streams.lua"
    assert "T=tests/core/test_closing.c or " in find("test_closing")
    assert "there is no file of tests test_nothing" in find("test_nothing")
