# SPDX-License-Identifier: MIT
"""The command in pipes: what it sends and writes, when it ends, and what happens when stdin or stdout fail."""

import fcntl
import json
import os
import re
import select
import subprocess
import threading
import time
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pytest

import curlwire
from curlwire.command.codes import Failure
from curlwire.command.input import Input
from curlwire.command.jsonrpc import JsonRpc
from curlwire.command.output import Message, Output
from curlwire.command.session import Session, _Receiver
from helpers import (
    COMMAND,
    WAIT,
    Ended,
    Peer,
    echo,
    environment,
    go,
    log_of,
    new_token,
    rss_kib,
    run,
    script,
    serving_peers,
    start,
    text,
    wait_until_full,
    wait_until_it_waits,
)

COUNT = 20_000


def test_every_line_is_a_message_and_comes_back() -> None:
    lines = "".join(f"line {number}\n" for number in range(COUNT))
    ended = run("--count", str(COUNT), echo(), stdin=lines.encode())
    assert ended == Ended(0, lines, "")


def test_nothing_is_dropped_at_the_end_of_stdin() -> None:
    """All that has come when --linger is over is written, also if the reader is slower than that."""
    many = [f"{number:05}" for number in range(20_000)]  # more than the pipe of stdout takes
    has_come = threading.Event()

    def answer(peer: Peer) -> None:
        peer.accept()
        peer.send(*many)
        peer.ping()
        has_come.set()
        peer.receive()  # the close frame

    with serving_peers(answer) as uri:
        process = start("--linger", "0", uri)
        assert process.stdin is not None and process.stdout is not None
        assert has_come.wait(WAIT)
        wait_until_full(process.stdout)
        process.stdin.close()
        wait_until_it_waits(process)  # the time is over, and nothing has been read
        assert process.stdout.read().decode().split() == many
        assert process.wait(WAIT) == 0


class Pieces:
    """Stands for a socket that has so many messages, of which two fill a batch."""

    def __init__(self, count: int) -> None:
        self.left = count
        self.receiver: Any = None

    def recv(self, timeout: float | None, *, decode: bool | None) -> bytes:
        if self.left == 0:
            assert self.receiver.is_idle is (timeout is None)
            raise curlwire.WebSocketTimeout if timeout == 0 else curlwire.ConnectionClosed("end", code=1000)
        self.left -= 1
        return b"x" * 40_000


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4])
def test_the_receiver_is_idle_only_when_nothing_has_come(count: int, tmp_path: Path) -> None:
    """At the end of --linger the command ends only if the receiver is idle."""
    pieces = Pieces(count)
    output = Output({"output": str(tmp_path / "out")})
    write = output.write

    def check(messages: list[Message]) -> None:
        assert not receiver.is_idle
        write(messages)

    output.write = check  # type: ignore[method-assign]
    receiver = _Receiver({}, pieces, output, SimpleQueue(), None)  # type: ignore[arg-type]
    pieces.receiver = receiver
    receiver.run()
    kind, error = receiver.events.get()
    assert kind == "received" and isinstance(error, curlwire.ConnectionClosed)
    assert (tmp_path / "out").stat().st_size == 40_001 * count
    os.close(output.fd)


def test_when_linger_is_over() -> None:
    """After the end of stdin. With --reconnect not before the newest connection has had that time."""

    def end_of(given: dict[str, Any], stdin_ended_at: float | None, ws: Any = None) -> float:
        given |= {"no-stdin": True}
        one = Session(given, ws or curlwire.MessageWebSocket(), Input(given), Output({}), float("inf"))
        one.stdin_ended_at = stdin_ended_at
        return one._linger_end()

    assert end_of({}, None) == float("inf")
    assert end_of({}, 10.0) == 12.0
    assert end_of({"linger": 5.0}, 10.0) == 15.0
    assert end_of({"linger": float("inf")}, 10.0) == float("inf")
    assert end_of({}, 10.0, SimpleNamespace(ready=None, ready_at=1.0)) == float("inf")
    assert end_of({}, 10.0, SimpleNamespace(ready=True, ready_at=1.0)) == 12.0
    assert end_of({}, 10.0, SimpleNamespace(ready=True, ready_at=20.0)) == 22.0
    assert end_of({}, None, SimpleNamespace(ready=True, ready_at=20.0)) == float("inf")


def test_linger_ends_a_chatty_connection() -> None:
    def chat(peer: Peer) -> None:
        peer.accept()
        while not select.select([peer.connection], [], [], 0.02)[0]:
            peer.send("still here")
        peer.receive()  # the close frame

    with serving_peers(chat) as uri:
        ended = run("--linger", "0.3", uri)
    assert ended == Ended(0, "still here\n" * ended.out.count("\n"), "")


def test_linger_inf_waits_for_the_server() -> None:
    ended = run("--linger", "inf", script("frame:1", "wait:100", text("late"), "close:1000"), stdin=b"go\n")
    assert ended == Ended(0, "late\n", "")


def test_linger_zero() -> None:
    """All of stdin goes out before the close frame, and no answer is waited for."""
    token = new_token()
    uri = script("frame:1000", "echo") + f"?id={token}"  # it echoes the close frame
    assert run("--linger", "0", "--close", "3000", uri, stdin=b"a\n" * 1000) == Ended(0, "", "")
    *sent, last = log_of(token)["frames"]
    assert [(one["opcode"], one["payload"]) for one in sent] == [(1, b"a".hex())] * 1000
    assert (last["opcode"], last["payload"]) == (8, "0bb8")


def test_no_stdin_receives_until_the_server_closes() -> None:
    assert run("--no-stdin", script("wait:50", text("a", "b"), "close:1000")) == Ended(0, "a\nb\n", "")


def test_count_takes_no_more_than_it_says() -> None:
    assert run("--no-stdin", "--count", "2", script(text("a", "b", "c"), "echo")).out == "a\nb\n"
    assert run("--no-stdin", "--count", "0", script(text("a"), "echo")) == Ended(0, "", "")


def test_until_and_expect() -> None:
    uri = script(text("a", "beta", "c"), "echo")
    assert run("--no-stdin", "--until", "^b", uri) == Ended(0, "a\nbeta\n", "")
    assert run("--no-stdin", "--expect", "a", "--count", "3", uri) == Ended(0, "a\nbeta\nc\n", "")


def test_data_is_sent_first(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("from a file")
    words = ("-d", "first", "-d", f"@{tmp_path}/file", "--count", "3", echo())
    assert run(*words, stdin=b"last").out == "first\nfrom a file\nlast\n"
    assert run("-d", "@-", "--count", "1", "--output-format", "raw", echo(), stdin=b"a\nb\n").out == "a\nb\n"


@pytest.mark.parametrize(
    ("style", "stdin", "out"),
    [
        ("lines", b"a\n\nb", "a||b|"),
        ("null", b"a\nb\0c", "a\nb|c|"),
        ("hex", b"6162\n 63 64 \n", "ab|cd|"),
        ("jsonl", b'{"data":"a"}\n{"type":"binary","data":"b"}\n{"base64":"Yw=="}\n', "a|b|c|"),
    ],
)
def test_input_formats(style: str, stdin: bytes, out: str) -> None:
    words = ("--input-format", style, "--print", "%{data}|", "--count", str(out.count("|")), echo())
    assert run(*words, stdin=stdin).out == out


def test_raw_input_is_binary() -> None:
    ended = run("--input-format", "raw", "--output-format", "jsonl", "--count", "1", echo(), stdin=b"\xff")
    assert json.loads(ended.out)["base64"] == "/w=="


@pytest.mark.parametrize(
    ("style", "out"), [("lines", "a\nb\n"), ("null", "a\0b\0"), ("raw", "ab"), ("hex", "61\n62\n")]
)
def test_output_formats(style: str, out: str) -> None:
    words = ("--no-stdin", "--output-format", style, script("x:8201618101620000", "close:1000"))
    assert run(*words[:-1], script(text("a", "b"), "close:1000")).out == out


def test_jsonl_tells_the_type_and_the_time() -> None:
    ended = run("--no-stdin", "--output-format", "jsonl", script("x:820100" + text("ä")[2:], "close:1000"))
    binary, told = map(json.loads, ended.out.splitlines())
    assert (binary["type"], binary["base64"]) == ("binary", "AA==")
    assert (told["type"], told["data"]) == ("text", "ä")
    assert abs(told["time"] - time.time()) < 3600


def test_binary_messages() -> None:
    words = ("--binary", "--print", r"%{type} %{size} %{number}\n", "--count", "2", echo())
    assert run(*words, stdin=b"a\nbc\n").out == "binary 1 1\nbinary 2 2\n"


def test_jsonrpc_error_without_an_id() -> None:
    """It answers the oldest request without a reply; the others still get theirs."""
    error, two = '{"id":null,"error":{"code":-32700}}', '{"id":2,"result":2}'
    uri = script("frame:2", text(error, two), "echo")
    ended = run("--jsonrpc", uri, stdin=b"one\ntwo\n")
    assert (ended.code, ended.out) == (113, f"{error}\n{two}\n")


def test_jsonrpc_orders_replies() -> None:
    replies = ['{"id":2,"result":"b"}', '{"method":"news"}', '{"id":1,"result":"a"}']
    uri = script("frame:2", text(*replies), "echo")
    ended = run("--jsonrpc", uri, stdin=b'one\n{"jsonrpc":"2.0","method":"two","id":2}\n')
    assert ended == Ended(0, "\n".join([replies[1], replies[2], replies[0], ""]), "")


def test_jsonrpc_without_the_member_jsonrpc() -> None:
    """Chromium and Node refuse the member, and send none. In JSON-RPC 1.0, each reply has an error."""
    replies = ['{"id":3,"result":{}}', '{"id":2,"error":null,"result":1}', '{"id":1,"result":[]}']
    uri = script("frame:3", text(*replies), "echo")
    ended = run("--jsonrpc-omit-jsonrpc", uri, stdin=b"one\ntwo\nthree\n")
    assert ended == Ended(0, "\n".join([*reversed(replies), ""]), "")


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        (b"a.b", '{"jsonrpc": "2.0", "method": "a.b", "id": 1}'),
        (b'  a "\xc3\xa4" , 2 ', '{"jsonrpc": "2.0", "method": "a", "params": ["\xe4" , 2], "id": 1}'),
        (b"a 5", '{"jsonrpc": "2.0", "method": "a", "params": [5], "id": 1}'),
        (b"a [1],[2]", '{"jsonrpc": "2.0", "method": "a", "params": [[1],[2]], "id": 1}'),
        (b'a {"b":1e400}', '{"jsonrpc": "2.0", "method": "a", "params": {"b":1e400}, "id": 1}'),
        (b' {"id":7,"a":1.50,"a":"\\ud800"}', '{"id":7,"a":1.50,"a":"\\ud800"}'),
    ],
)
def test_jsonrpc_requests(line: bytes, request_: str) -> None:
    rpc = JsonRpc()
    assert rpc.request(line) == request_
    omitting = JsonRpc(has_version=False)
    assert omitting.request(line) == request_.replace('"jsonrpc": "2.0", ', "")
    assert not omitting.is_answered()


def test_jsonrpc_replies_in_one_message() -> None:
    """All are replies that are waited for, or the message is written as it is."""
    rpc = JsonRpc()
    for line in (b"a", b"b", b'{"method": "c", "id": null}'):  # the last gets no reply
        rpc.request(line)
    for other in (b"[]", b'[{"id": 1, "result": 1}, {"method": "news"}]', b'[{"id": 1}, {"id": 1}]', b"{}"):
        assert rpc.take(other) == [other]
    second = b'{"id": 2, "result": 2}'
    assert rpc.take(second) == []
    assert rpc.take(second) == [second]  # again
    assert rpc.take(b'[{"id": 1, "result": 1}]') == [b'{"id": 1, "result": 1}', second]
    rpc.is_complete = True
    assert rpc.is_answered()


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ([b'{"id":1}', b'{"id":1}'], "have the id 1"),
        ([b'[{"id":"a"},{"id":"a"}]'], 'have the id "a"'),
        ([b"a [1", b""], "neither JSON"),
        ([b"a 1]"], "neither JSON"),
        ([b"\xff"], "neither JSON"),
        ([b"[" * 100_000], "neither JSON"),
    ],
)
def test_jsonrpc_refuses(lines: list[bytes], fault: str) -> None:
    rpc = JsonRpc()
    with pytest.raises(Failure, match=fault) as caught:
        for line in lines:
            rpc.request(line)
    assert caught.value.code == 26


def test_jsonrpc_numbers_avoid_the_ids_of_whole_requests() -> None:
    rpc = JsonRpc()
    rpc.request(b'{"id":1}')
    assert '"id": 2' in rpc.request(b"one")
    deep = b"[" * 100_000
    assert rpc.take(deep) == [deep]  # a message as any other
    replies = rpc.take('[{"id":2,"result":"\\ud800"},{"id":1}]')
    assert replies == [b'{"id": 1}', b'{"id": 2, "result": "\\ud800"}']


def test_close_code() -> None:
    ended = run(
        "--no-stdin", "--count", "1", "--close", "3001:bye", "-w", "%{close_code}", script(text("a"), "echo")
    )
    assert ended.code == 0
    assert ended.out == "a\n3001"


def test_write_out() -> None:
    form = "%{http_code} %{exitcode} %{messages_received} %{size_upload} %header{Upgrade} %{time_connect}\\n"
    ended = run("-d", "abc", "--count", "1", "-w", form, echo())
    assert re.fullmatch(r"abc\n101 0 1 3 websocket \d+\.\d{6}\n", ended.out)
    assert run("-w", "%{nonsense}", echo()).code == 2


# -- stdin and stdout


def test_a_full_disk() -> None:
    with open("/dev/full", "wb") as full:
        process = start("--no-stdin", script(text("a"), "echo"), stdout=full)
        _, err = process.communicate(timeout=WAIT)
    assert process.returncode == 23
    assert b"No space left" in err


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["man"], ["doctor"], ["completion", "bash"]])
def test_a_full_disk_for_texts(words: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        process = start(*words, stdout=full)
        _, err = process.communicate(timeout=WAIT)
    assert process.returncode == 23
    assert err.startswith(b"curlwire: (23) stdout cannot be written")


def test_a_reader_that_goes_ends_the_command() -> None:
    """It ends at once, also if no further message comes (SIGPIPE)."""
    process = start("--no-stdin", script(text("a"), "echo"))
    assert process.stdout is not None
    assert process.stdout.read(2) == b"a\n"
    process.stdout.close()
    assert process.wait(WAIT) == 23


def test_head_in_a_pipe() -> None:
    command = f"{' '.join(COMMAND)} -s --no-stdin '{script('repeat:100000:810161', 'echo')}' | head -n 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, env=environment(), check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == (b"a\n", b"", 23)


def test_closed_stdout() -> None:
    done = subprocess.run(
        ["sh", "-c", f"exec {' '.join(COMMAND)} --no-stdin '{echo()}' >&-"],
        capture_output=True, env=environment(), check=False,
    )  # fmt: skip
    assert done.returncode == 23
    assert b"stdout is closed" in done.stderr


def test_closed_stdin_and_stderr() -> None:
    uri = script(text("a"), "echo")
    done = subprocess.run(
        ["sh", "-c", f"exec {' '.join(COMMAND)} --linger 60 --count 1 '{uri}' <&- 2>&-"],
        capture_output=True, env=environment(), check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, b"a\n")


def test_stdin_that_cannot_be_read(tmp_path: Path) -> None:
    with open(tmp_path / "file", "wb") as file:  # it can only be written
        process = start(echo(), stdin=file)
    assert b"stdin cannot be read: Bad file descriptor" in process.communicate(timeout=WAIT)[1]
    assert process.returncode == 26


def test_files_that_do_not_block() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    fcntl.fcntl(writing, 1031, 4096)  # F_SETPIPE_SZ: the smallest
    process = start("--no-stdin", script("repeat:5000:81057878787878", "close:1000"), stdout=writing)
    os.close(writing)
    with open(reading, "rb") as file:
        assert file.read() == b"xxxxx\n" * 5000
    assert process.wait(WAIT) == 0


def test_no_terminal() -> None:
    """As cron starts it: in a session of its own, with /dev/null for stdin."""
    process = start("-d", "a", "--count", "1", echo(), stdin=subprocess.DEVNULL, start_new_session=True)
    out, err = process.communicate(timeout=WAIT)
    assert (process.returncode, out, err) == (0, b"a\n", b"")


def test_a_slow_reader_makes_the_server_wait() -> None:
    """The command stops reading the socket: its memory does not grow, and the server cannot send."""
    message, token = "827e03e8" + "00" * 1000, new_token()
    uri = script("x:82017a", "gate", f"repeat:40000:{message}", "close:1000") + f"?id={token}"
    process = start("--no-stdin", "--output-format", "raw", uri)
    assert process.stdout is not None
    assert process.stdout.read(1) == b"z"
    before_kib = rss_kib(process.pid)
    go(token)
    wait_until_full(process.stdout)
    wait_until_it_waits(process)  # it reads no more
    assert rss_kib(process.pid) < before_kib + 20_000  # 40 MB are on their way
    assert process.stdout.read() == bytes(40_000_000)
    assert process.wait(WAIT) == 0


def test_a_slow_server_makes_stdin_wait() -> None:
    process = start("--linger", "0", script(text("open"), "frame:1", "stall", "hang"))
    assert process.stdin is not None and process.stdout is not None
    assert process.stdout.read(5) == b"open\n"
    before_kib = rss_kib(process.pid)
    stdin = process.stdin.fileno()
    os.set_blocking(stdin, False)
    written, lines = 0, (b"x" * 99 + b"\n") * 600
    while select.select([], [stdin], [], 0)[1]:
        try:
            while True:
                written += os.write(stdin, lines)
                assert written < 100 << 20
        except BlockingIOError:
            wait_until_it_waits(process)  # it has read what it takes
    assert rss_kib(process.pid) < before_kib + 20_000
    process.kill()


def test_sigterm_while_stdout_is_stuck() -> None:
    process = start("--no-stdin", script("repeat:200000:81057878787878", "echo"))
    assert process.stdout is not None
    wait_until_full(process.stdout)
    wait_until_it_waits(process)
    process.terminate()
    assert process.wait(WAIT) == 143


def test_typed_before_the_connection_is_open() -> None:
    """What stands in the pipe before the connect is sent after it."""
    reading, writing = os.pipe()
    os.write(writing, b"early\n")
    process = start("--count", "1", script("frame:1", text("a"), "close:1000"), stdin=reading)
    os.close(reading)
    assert process.communicate(timeout=WAIT)[0] == b"a\n"
    os.close(writing)


def test_many_at_once() -> None:
    """Commands side by side do not disturb each other."""
    ended: list[Ended] = []
    threads = [
        threading.Thread(target=lambda n=n: ended.append(run("-d", str(n), "--count", "1", echo())))
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    assert sorted(one.out for one in ended) == ["0\n", "1\n", "2\n", "3\n"]
