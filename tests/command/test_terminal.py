# SPDX-License-Identifier: MIT
"""The line editor of the command, in a real terminal (tmux)."""

import os
import re
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import curlwire
from helpers import COMMAND, WAIT, Peer, echo, environment, script, serving_peers, text


class Screen:
    """A terminal that runs the command, and then says its exit code and how the terminal is set."""

    def __init__(self, folder: Path) -> None:
        self.tmux = ["tmux", "-u", "-S", str(folder / "tmux"), "-f", "/dev/null"]

    def run(self, *words: str, **more: str) -> None:
        command = f"{shlex.join([*COMMAND, *words])}; echo code=$?; stty -a; sleep 1000"
        whole = environment(LC_ALL="C.UTF-8", TERM="xterm-256color", **more)
        start = ["new-session", "-d", "-x", "120", "-y", "40", command]
        subprocess.run([*self.tmux, *start], env=whole, check=True)

    def keys(self, *keys: str) -> None:
        subprocess.run([*self.tmux, "send-keys", *keys], check=True)

    def wait(self, pattern: str) -> str:
        """Waits until the screen matches, with the lines that have left it, and returns the text."""
        until = time.monotonic() + WAIT
        while True:
            shown = self.ask("capture-pane", "-p", "-S", "-")
            if re.search(pattern, shown, re.MULTILINE):
                return shown
            assert time.monotonic() < until, shown
            time.sleep(0.05)

    def ask(self, *words: str) -> str:
        return subprocess.run([*self.tmux, *words], capture_output=True, text=True, check=True).stdout

    def close(self) -> None:
        """Ends tmux and what runs in it, and waits for their end."""
        pids = self.ask("display-message", "-p", "#{pid} #{pane_pid}").split()
        self.ask("kill-server")
        until = time.monotonic() + WAIT
        while any(is_running(pid) for pid in pids):
            assert time.monotonic() < until
            time.sleep(0.02)


def is_running(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    one = Screen(tmp_path)
    yield one
    one.close()


def test_a_conversation(screen: Screen) -> None:
    screen.run(echo())
    screen.wait("^open: 127")
    screen.keys("hello", "Enter")
    screen.wait("^< hello$")
    screen.keys('{"a": [1]}', "Enter")
    screen.wait(r'^< \{\n  "a": \[\n    1\n')
    screen.keys("Up", "Up", "Enter")
    screen.wait("^< hello\n(.*\n)*< hello$")
    screen.keys("C-c")
    screen.wait("^> close .*1000$")
    shown = screen.wait("^code=130$")
    assert re.search(r"^< close .*1000$", shown, re.MULTILINE)
    screen.wait(r"\bicanon\b(.*\n)*.*\becho\b")  # the terminal is as it was


def test_what_the_server_sends(screen: Screen) -> None:
    # the server waits for the pong, and for what is typed
    screen.run(script("x:820201ff", "x:890161", text("a\x1b[31mred"), "frame:2", "close:1011"))
    screen.wait("^< 0x01 ff$")
    screen.wait("^< ping .*")
    screen.wait("^> pong .*")
    screen.wait(r"^< a\\x1b\[31mred$")
    screen.keys("x", "Enter")
    screen.wait(r"^curlwire: \(110\) .*1011")
    screen.wait("^code=110$")
    screen.wait(r"\bicanon\b")


def test_a_tap(screen: Screen) -> None:
    screen.run("tap", "127.0.0.1:0", script("x:890161", text("a\x1b[31mred\nb"), "echo"))
    shown = screen.wait("^curlwire: listening on ws://127.0.0.1:[0-9]+/, for ws://")
    with curlwire.connect(re.findall(r"listening on (\S+)/,", shown)[0]) as ws:
        ws.recv(WAIT)
        screen.wait("^1 < ping 0x$")
        screen.wait(r"^1 < text a\\x1b\[31mred\\nb$")
        screen.keys("C-c")
        screen.wait("code=130$")


def test_ctrl_d_is_the_end_of_stdin(screen: Screen) -> None:
    screen.run("--linger", "0.2", echo())
    screen.wait("^>")
    screen.keys("C-d")
    screen.wait("^code=0$")


def test_typed_before_the_connection_is_open(screen: Screen) -> None:
    asked, may_answer = threading.Event(), threading.Event()
    got: list[str] = []

    def answer(peer: Peer) -> None:
        asked.set()
        may_answer.wait(WAIT)
        peer.accept()
        got.append(peer.receive())
        peer.close(1000)

    with serving_peers(answer) as uri:
        screen.run(uri)
        assert asked.wait(WAIT)
        screen.keys("early", "Enter")
        screen.wait("early")
        may_answer.set()
        screen.wait("^code=0$")
    assert got == ["early"]


def test_reconnecting(screen: Screen) -> None:
    def lose(peer: Peer) -> None:
        peer.accept()
        peer.receive()

    def answer(peer: Peer) -> None:
        peer.accept()
        peer.send(peer.receive())
        peer.receive()

    with serving_peers(lose, answer) as uri:
        screen.run("--reconnect", "--retry-delay", "0.01", uri)
        screen.wait("^>")
        screen.keys("one", "Enter")
        screen.wait("^connecting again after: .*")
        screen.wait("^connected again by attempt 2")
        screen.keys("two", "Enter")
        screen.wait("^< two")
        screen.keys("C-c")
        screen.wait("^code=130$")
        screen.wait(r"\bicanon\b")


def test_without_the_extra(screen: Screen, tmp_path: Path) -> None:
    """The terminal itself edits the line."""
    (tmp_path / "prompt_toolkit.py").write_text("raise ImportError\n")
    paths = os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])
    screen.run("--count", "1", echo(), PYTHONPATH=paths)
    screen.keys("typed", "Enter")
    screen.wait("^typed\ntyped\ncode=0$")


def test_a_form_for_programs_has_no_editor(screen: Screen) -> None:
    screen.run("--output-format", "hex", "--count", "1", echo())
    screen.keys("a", "Enter")
    screen.wait("^a\n61\ncode=0$")


def test_get_shows_a_bar(screen: Screen, tmp_path: Path) -> None:
    """It disappears at the end, which leaves the sums."""
    may_end = tmp_path / "end"
    os.mkfifo(may_end)
    screen.run("put", str(may_end), echo())
    with may_end.open("wb", buffering=0) as pipe:
        pipe.write(b"x" * 2048)
        screen.wait(r"━ 2\.0/\? KiB")
        assert screen.ask("display-message", "-p", "#{cursor_flag}").strip() == "0"
    shown = screen.wait("^code=0$")
    assert re.search(r"^2.0 KiB, .*/s, sha256 [0-9a-f]{64}$", shown, re.MULTILINE)
    assert "━" not in shown
    assert screen.ask("display-message", "-p", "#{cursor_flag}").strip() == "1"


def test_sigterm_gives_the_terminal_back(screen: Screen, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        f"import os; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))"
    )
    paths = os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])
    screen.run("get", script(text("abc"), "hang"), "/dev/null", PYTHONPATH=paths)
    screen.wait(r"━ 3/\? bytes")
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGTERM)
    screen.wait("^code=143$")
    assert screen.ask("display-message", "-p", "#{cursor_flag}").strip() == "1"


def test_a_live_table(screen: Screen) -> None:
    screen.run("bench", "--duration", "0.1", echo())
    shown = screen.wait("^code=0$")
    rows = [line.split() for line in shown.splitlines()]
    assert rows[0] == ["count", "rate", "p50", "p90", "p99", "most"]
    assert [row[0] for row in rows[1:4]] == ["connects", "round", "throughput"]


@pytest.mark.parametrize("verb", ["get", "bench"])
def test_verbs_without_the_extra(screen: Screen, tmp_path: Path, verb: str) -> None:
    (tmp_path / "rich.py").write_text("raise ImportError\n")
    paths = os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])
    words = (
        ["get", script("x:820161", "close:1000"), "/dev/null"]
        if verb == "get"
        else ["bench", "--duration", "0.1", echo()]
    )
    screen.run(*words, PYTHONPATH=paths)
    shown = screen.wait("^code=0$")
    assert re.search("^1 B, .*sha256" if verb == "get" else r"^ *throughput +\d", shown, re.MULTILINE)
    assert "━" not in shown
