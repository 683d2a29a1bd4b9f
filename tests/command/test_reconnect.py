# SPDX-License-Identifier: MIT
"""The option --reconnect: what is sent again, what is retried, and how the command ends."""

import contextlib
import io
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from curlwire.command.connecting import warn
from curlwire.command.output import say
from helpers import WAIT, Peer, echo, run, serving_peers, start, url

AGAIN = ("--reconnect", "--retry-delay", "0.01")
FIRST = (*AGAIN, "--no-stdin", "-d", "sub")


def lose(peer: Peer) -> None:
    """Accepts, takes one message, sends it back, and is lost."""
    peer.accept()
    peer.send(peer.receive())


def refuse(status: str = "503 Busy") -> Callable[[Peer], None]:
    return lambda peer: peer.refuse(status)


def end(code: int) -> Callable[[Peer], None]:
    """Accepts, takes one message, sends it back, and closes with this code."""

    def answer(peer: Peer) -> None:
        lose(peer)
        peer.close(code)

    return answer


def answer(peer: Peer) -> None:
    """Sends each message back, until the client ends."""
    peer.accept()
    while True:
        peer.send(peer.receive())


def wait_for(process: "subprocess.Popen[bytes]", part: bytes) -> None:
    """Waits for a line of stderr."""
    assert process.stderr is not None
    for line in process.stderr:
        if part in line:
            return
    raise AssertionError(part)


def without_trace(err: bytes) -> bytes:
    """The lines of stderr that are not there because of -v."""
    return b"".join(line for line in err.splitlines(keepends=True) if not line.startswith(b"* "))


def write(process: "subprocess.Popen[bytes]", data: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(data)
    process.stdin.flush()


def wait_until_read(process: "subprocess.Popen[bytes]", count: int) -> None:
    """Waits until the command has read so many messages and has no connection for them. It needs -v."""
    wait_for(process, b"* curlwire: messages of stdin that wait for a connection: %d\n" % count)


def test_data_is_sent_again_and_lines_wait() -> None:
    """Lines that come while there is no connection are sent on the next one, behind --data."""
    may_answer = threading.Event()

    def late(peer: Peer) -> None:
        may_answer.wait(WAIT)
        answer(peer)

    with serving_peers(lose, refuse(), late) as uri:
        process = start(*AGAIN, "-d", "one", "-d", "two", "--count", "5", uri)
        wait_for(process, b"connecting again after: the server refused the WebSocket with HTTP status 503")
        write(process, b"a\nb\n")
        may_answer.set()
        out, err = process.communicate(timeout=WAIT)
    assert (process.returncode, out) == (0, b"one\none\ntwo\na\nb\n")
    assert err == b"curlwire: connected again by attempt 3\n"


@pytest.mark.parametrize(
    ("last", "code", "error"),
    [
        (end(1000), 0, ""),
        (end(4000), 110, "4000"),
        (end(1008), 110, "1008"),
        (refuse("403 Forbidden"), 22, "403"),
    ],
)
def test_what_is_final(last: Callable[[Peer], None], code: int, error: str) -> None:
    with serving_peers(lose, end(1001), last) as uri:
        ended = run(*FIRST, uri)
    assert ended.code == code
    assert ended.out == "sub\n" * (2 if code == 22 else 3)
    assert ended.err.count("connecting again") == 2
    assert error in ended.err


def test_the_first_connect_is_retried_only_by_retry() -> None:
    with serving_peers(refuse(), answer) as uri:
        ended = run(*FIRST, uri)
        assert ended.code == 22
        assert "again" not in ended.err
    with serving_peers(refuse(), answer) as uri:
        ended = run(*FIRST, "--retry", "1", "--count", "1", uri)
        assert (ended.code, ended.out) == (0, "sub\n")
        assert "Trying again in 0.01 s, 1 left" in ended.err
    assert run(*FIRST, url("CW_REFUSED_WS")).code == 7
    assert run(*FIRST, "http://x/").code == 3


@pytest.mark.parametrize(
    ("words", "last", "code", "error"),
    [
        (("--retry", "2"), refuse(), 22, "gave up after 3 attempts in a row (--retry)"),
        (("--retry", "1"), end(1001), 56, "gave up after 2 attempts in a row (--retry)"),
        (("--retry-max-time", "0.001"), lose, 56, "(--retry-max-time)"),
        (("--retry", "2", "-s"), refuse(), 22, None),
        (("--timeout", "0.5"), refuse(), 28, "--timeout"),
    ],
)
def test_giving_up(words: tuple[str, ...], last: Callable[[Peer], None], code: int, error: str | None) -> None:
    with serving_peers(lose, last) as uri:
        ended = run(*FIRST, *words, uri)
    assert ended.code == code, ended
    if error is None:
        assert ended.err == ""
    else:
        assert ended.err.splitlines()[-1].startswith(f"curlwire: ({code}) ")
        assert error in ended.err


def test_lines_that_were_not_sent_are_counted() -> None:
    may_refuse = threading.Event()

    def late(peer: Peer) -> None:
        may_refuse.wait(WAIT)
        peer.refuse("403 Forbidden")

    with serving_peers(lose, late) as uri:
        process = start(*AGAIN, "-v", "-d", "sub", uri)
        wait_for(process, b"connecting again")
        write(process, b"a\nb\n")
        wait_until_read(process, 2)
        may_refuse.set()
        _, err = process.communicate(timeout=WAIT)
    assert process.returncode == 22
    assert b"curlwire: messages that were read from stdin and not sent: 2\ncurlwire: (22) " in err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_delay(number: int, code: int) -> None:
    with serving_peers(lose) as uri:
        process = start("--reconnect", "--retry-delay", "1000", "-v", "-d", "sub", uri)
        wait_for(process, b"connecting again")
        write(process, b"a\n")
        wait_until_read(process, 1)
        process.send_signal(number)
        _, err = process.communicate(timeout=WAIT)
    assert process.returncode == code
    assert without_trace(err) == b"curlwire: messages that were read from stdin and not sent: 1\n"


def test_a_signal_ends_an_attempt() -> None:
    asked, is_over = threading.Event(), threading.Event()

    def silent(_: Peer) -> None:
        asked.set()
        is_over.wait(WAIT)

    with serving_peers(lose, silent) as uri:
        process = start(*FIRST, uri)
        assert asked.wait(WAIT)
        process.terminate()
        assert process.wait(WAIT) == 143
        is_over.set()


def test_the_close_code_and_a_polite_end() -> None:
    closed: list[bytes | None] = []

    def note(peer: Peer) -> None:
        lose(peer)
        with contextlib.suppress(ConnectionError):
            peer.receive()
        closed.append(peer.closed)

    with serving_peers(lose, note) as uri:
        ended = run(*FIRST, "--count", "2", "--close", "3001:bye", uri)
    assert (ended.code, ended.out) == (0, "sub\nsub\n")
    assert closed == [b"\x0b\xb9bye"]


def test_linger_begins_anew_with_each_connection() -> None:
    """It does not end while there is no connection, although stdin has ended."""
    is_later = threading.Event()
    taken: list[tuple[str, float]] = []  # the message of the second connection, and how long that was open

    def late(peer: Peer) -> None:
        is_later.wait(WAIT)
        began_at = time.monotonic()
        peer.accept()
        message = peer.receive()
        with contextlib.suppress(ConnectionError):
            peer.receive()  # the close frame
        taken.append((message, time.monotonic() - began_at))

    with serving_peers(lose, late) as uri:
        process = start(*AGAIN, "-d", "sub", "--linger", "0.3", uri)
        assert process.stdin is not None and process.stdout is not None
        wait_for(process, b"connecting again")
        process.stdin.close()
        time.sleep(0.4)  # the time of --linger is over, and the command must still be there
        is_later.set()
        assert process.stdout.read() == b"sub\n"
        assert process.wait(WAIT) == 0
    ((message, taken_s),) = taken
    assert message == "sub"
    assert taken_s >= 0.29  # by a clock of milliseconds
    with serving_peers(lose, answer) as uri:
        assert run(*AGAIN, "-d", "sub", "--linger", "0.1", uri).code == 0


def test_until_and_facts_go_over_all_connections(tmp_path: Path) -> None:
    form = "%{messages_received} %{messages_sent} %{size_download} %{size_upload} %{http_code} %{close_code}"
    with serving_peers(lose, lose, end(1000)) as uri:
        ended = run(*FIRST, "-v", "--trace", str(tmp_path / "trace"), "-w", form, uri)
    assert ended.out == "sub\nsub\nsub\n3 3 9 9 101 1000"
    assert ended.err.count("> head GET / ") == 3
    assert "the connection has ended: code 1000" in ended.err
    assert (tmp_path / "trace").read_text().count("> head GET / ") == 3
    with serving_peers(lose, lose, answer) as uri:
        ended = run(*AGAIN, "--no-stdin", "-d", "a", "-d", "b", "--until", "b", uri)
    assert (ended.code, ended.out) == (0, "a\na\na\nb\n")


def test_a_reader_that_is_late_loses_nothing() -> None:
    """While the messages of several connections wait for the reader of stdout, no further one is made."""
    data = "x" * 1000
    numbers = iter(range(1000))

    def flood(peer: Peer) -> None:
        peer.accept()
        number = next(numbers)
        peer.send_long(*[f"{number:03} {data}" for _ in range(100)])  # more than the pipe of stdout takes
        if number == 9:
            peer.close(1000)

    with serving_peers(flood) as uri:
        process = start(*AGAIN, "-v", "--no-stdin", uri)
        for _ in range(4):
            wait_for(process, b"connecting again")
        wait_for(process, b"no further connection while the messages of 4 connections wait for stdout")
        out, _ = process.communicate(timeout=WAIT)
    assert process.returncode == 0
    assert out.decode().splitlines() == [f"{number:03} {data}" for number in range(10) for _ in range(100)]


def test_a_line_of_stderr_is_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """So the lines of other threads cannot come into it, also with PYTHONUNBUFFERED."""

    class Writes(io.StringIO):
        def write(self, text: str) -> int:
            written.append(text)
            return len(text)

    written: list[str] = []
    monkeypatch.setattr("sys.stderr", Writes())
    warn({}, "a text")
    say({}, 7, "an error")
    monkeypatch.undo()
    assert written == ["curlwire: a text\n", "curlwire: (7) an error\n"]


def test_wrong_use(tmp_path: Path) -> None:
    assert "--jsonrpc" in run("--reconnect", "--jsonrpc", echo()).err
    assert "not for the verb get" in run("get", "--reconnect", echo(), str(tmp_path / "file")).err
    ended = run("--reconnect", "--trace", "/nonexistent/trace", echo())
    assert ended.code == 23
    (tmp_path / "bad").write_bytes(b"\xff")
    assert run("--reconnect", "-d", f"@{tmp_path}/bad", echo()).code == 26
    assert run("--reconnect", "--cert", "/nonexistent", "--no-stdin", "wss://localhost:1/").code == 58
