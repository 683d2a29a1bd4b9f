# SPDX-License-Identifier: MIT
"""Sent messages arrive however the process ends and however slow the server is. Lost messages are reported."""

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import curlwire
from peers import WAIT, Recorded, echo, script

MESSAGES = 1000
GROUPS = 8
AT_ONCE = 5
HEAD = "import multiprocessing, os, signal, sys\nimport curlwire\n"


def numbers(count: int) -> list[str]:
    return [str(number).encode().hex() for number in range(count)]


def arrived(connection: Recorded) -> list[str]:
    """Returns the payloads of the messages that the server received."""
    return [frame["payload"] for frame in connection.record()["frames"] if frame["opcode"] != 8]


def start(program: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HEAD + textwrap.dedent(program), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def busy_machine() -> Iterator[None]:
    """Runs two processes that compute during the test."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


SEND = f"""
ws = curlwire.connect(sys.argv[1])
for number in range({MESSAGES}):
    ws.send(str(number))
"""


# Each group of processes is a test of its own, so that the time limit of a test holds for few processes.
@pytest.mark.parametrize("group", range(GROUPS))
@pytest.mark.parametrize("end", ["os._exit(0)", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_all_messages_of_a_process_that_ends(end: str, group: int) -> None:
    """A message is in the kernel when its send returns, so 40 processes that end at once lose nothing."""
    with busy_machine():
        connections = [Recorded("hang") for _ in range(AT_ONCE)]
        processes = [start(SEND + end, connection.url) for connection in connections]
        for process in processes:
            process.communicate(timeout=6 * WAIT)
    assert [len(arrived(connection)) for connection in connections] == [MESSAGES] * AT_ONCE
    assert arrived(connections[0]) == numbers(MESSAGES)


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_all_messages_of_a_child_of_multiprocessing(
    method: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A child of multiprocessing ends by os._exit while a global variable still holds its socket."""
    program = f"""
    import curlwire, multiprocessing, sys
    kept = []
    def work(uri):
        kept.append(curlwire.connect(uri))
        for number in range({MESSAGES}):
            kept[0].send(str(number))
    if __name__ == "__main__":
        context = multiprocessing.get_context({method!r})
        children = [context.Process(target=work, args=(uri,)) for uri in sys.argv[1:]]
        for child in children:
            child.start()
        for child in children:
            child.join()
    """
    file = tmp_path_factory.mktemp("delivery") / "children.py"  # a file, because forkserver and spawn import it
    file.write_text(textwrap.dedent(program))
    connections = [Recorded("hang") for _ in range(5)]
    subprocess.run([sys.executable, str(file), *[c.url for c in connections]], check=True, timeout=6 * WAIT)
    assert [len(arrived(connection)) for connection in connections] == [MESSAGES] * 5


# After go() the server reads nothing for longer than close_timeout, and longer than the 1 s that the exit of a
# program gives to closing handshakes.
SLOW = ("stall", "gate", "wait:1600", "resume", "hang")
ENDINGS = {
    "the end of the script": "",
    "an exception": "raise ValueError",
    "close()": "ws.close()",
    "close() and wait_closed()": "ws.close(); ws.wait_closed()",
    "dropping the socket": "del ws",
    "leaving with": "ws.__exit__(None, None, None)",
    "leaving with by an exception": "ws.__exit__(ValueError, ValueError(), None)",
}


@pytest.mark.parametrize("way", ENDINGS)
def test_a_slow_server_gets_all_messages(way: str) -> None:
    connection = Recorded(*SLOW)
    program = """
    ws = curlwire.connect(sys.argv[1], close_timeout=0.5)
    sent_count = 0
    try:
        while True:  # until the kernel and the socket's queue are full
            ws.send(bytes(1000), timeout=0)
            sent_count += 1
    except curlwire.WebSocketTimeout:
        print(sent_count, flush=True)
    """
    process = start(textwrap.dedent(program) + ENDINGS[way], connection.url)
    assert process.stdout is not None
    sent_count = int(process.stdout.readline())
    connection.go()
    _, errors = process.communicate(timeout=3 * WAIT)
    assert "curlwire:" not in errors
    assert len(arrived(connection)) == sent_count


def test_a_slow_server_gets_what_a_send_without_waiting_queued() -> None:
    connection = Recorded(*SLOW)
    program = """
    ws = curlwire.connect(sys.argv[1], close_timeout=0.5)
    ws.send(bytes(12_000_000), timeout=0)
    """
    process = start(program, connection.url)
    connection.go()
    assert process.communicate(timeout=3 * WAIT) == ("", "")
    assert connection.record()["frames"][0]["length"] == 12_000_000


def stuck(**control: float) -> curlwire.MessageWebSocket:
    """Returns a socket whose server reads nothing, after sending more than both kernels can buffer."""
    ws = curlwire.connect(script("stall", "hang"), send_timeout=0.2, **control)  # type: ignore[arg-type]
    ws.send(bytes(12_000_000), timeout=0)
    return ws


LOSS = r"^up to \d+ bytes that were sent did not reach the server: .* \(send_timeout\)"


def test_what_is_lost_is_told_by_wait_closed() -> None:
    ws = stuck()
    ws.close()
    with pytest.raises(curlwire.ConnectionClosed, match=LOSS) as caught:
        ws.wait_closed()
    assert caught.value.code == 1006


def test_what_is_lost_is_told_by_with() -> None:
    with pytest.raises(curlwire.ConnectionClosed, match=LOSS), stuck():
        pass
    with pytest.raises(ValueError, match=r"^on purpose") as caught, stuck():
        raise ValueError("on purpose")
    assert "did not reach the server" in caught.value.__notes__[0]


def test_what_is_lost_is_told_at_exit() -> None:
    program = """
    ws = curlwire.connect(sys.argv[1], send_timeout=0.2)
    ws.send(bytes(12_000_000), timeout=0)
    """
    process = start(program, script("stall", "hang"))
    output, errors = process.communicate(timeout=3 * WAIT)
    assert (output, process.returncode) == ("", 0)
    assert errors.startswith("curlwire: up to ")
    assert errors.count("\n") == 1


def test_ctrl_c_ends_the_wait_at_exit() -> None:
    program = """
    ws = curlwire.connect(sys.argv[1], send_timeout=100)
    ws.send(bytes(12_000_000), timeout=0)
    print("ending", flush=True)
    """
    process = start(program, script("stall", "hang"))
    assert process.stdout is not None
    assert process.stdout.readline() == "ending\n"
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)  # usually enough for the process to wait; the test is correct in any case
    process.send_signal(2)
    process.communicate(timeout=3 * WAIT)


# ---- the end of a with block


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (None, 1000),
        (ValueError(), 1011),
        (SystemExit(1), 1011),
        (KeyboardInterrupt(), 1011),
        (GeneratorExit(), 1000),
    ],
)
def test_with_tells_the_server_whether_it_failed(error: BaseException | None, code: int) -> None:
    connection = Recorded("echo", "end")
    ws = curlwire.connect(connection.url)
    try:
        with ws:
            if error is not None:
                raise error
    except BaseException as caught:
        assert caught is error
    assert connection.record()["frames"][-1]["payload"] == f"{code:04x}"
    assert (ws.close_code, ws.was_clean) == (code, True)


# ---- batches


def test_a_batch_is_sent_in_order() -> None:
    with curlwire.connect(echo()) as ws:
        with ws.batch():
            for number in range(MESSAGES):
                ws.send(str(number))
        assert [ws.recv(timeout=WAIT) for _ in range(MESSAGES)] == [str(number) for number in range(MESSAGES)]


def test_receiving_in_a_batch_sends_it_first() -> None:
    with curlwire.connect(echo()) as ws, ws.batch():
        ws.send("question")
        assert ws.recv(timeout=WAIT) == "question"


def test_a_batch_is_sent_when_an_exception_leaves_it() -> None:
    connection = Recorded("frame:2", "hang")
    ws = curlwire.connect(connection.url)
    with pytest.raises(ValueError, match="on purpose"), ws.batch():
        ws.send("0")
        ws.send("1")
        raise ValueError("on purpose")
    ws.abort()
    assert arrived(connection) == numbers(2)


def test_the_end_of_the_program_sends_a_batch_that_is_open() -> None:
    connection = Recorded("hang")
    process = start("ws = curlwire.connect(sys.argv[1])\nws.batch().__enter__()\nws.send('0')", connection.url)
    assert process.communicate(timeout=3 * WAIT) == ("", "")
    assert arrived(connection) == numbers(1)


def test_a_batch_of_a_stream() -> None:
    connection = Recorded("hang")
    with curlwire.connect(connection.url, curlwire.StreamWebSocket, close_timeout=0.1) as ws, ws.batch():
        for payload in numbers(3):
            ws.output_stream.write(bytes.fromhex(payload))
    assert arrived(connection) == numbers(3)


def test_a_batch_needs_an_open_connection() -> None:
    with pytest.raises(curlwire.StateError, match="not connected"), curlwire.MessageWebSocket().batch():
        pass
    ws = curlwire.connect(echo())
    ws.close()
    with pytest.raises(curlwire.ConnectionClosed), ws.batch():
        pass


def test_the_end_of_a_batch_waits_for_the_kernel() -> None:
    ws = curlwire.connect(script("stall", "hang"), send_timeout=0.2)
    with pytest.raises(curlwire.WebSocketTimeout, match="still being sent"), ws.batch():
        ws.send(bytes(12_000_000), timeout=0)
    ws.abort()
