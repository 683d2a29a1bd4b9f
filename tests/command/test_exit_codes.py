# SPDX-License-Identifier: MIT
"""Each exit code, from the server or the file that causes it. Docs and help have the same table."""

import contextlib
import os
import re
import select
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import curlwire
from curlwire.command import session
from curlwire.command.codes import EXIT_CODES, Failure
from curlwire.command.input import Input
from curlwire.command.output import Message, Output
from helpers import (
    WAIT,
    Peer,
    echo,
    go,
    new_token,
    reply,
    run,
    script,
    serving,
    serving_peers,
    start,
    text,
    tls,
    url,
    wait_until,
    wait_until_it_waits,
)

ROOT = Path(__file__).resolve().parent.parent.parent
CA = os.environ.get("CW_CA_FILE", "")
RPC = '{"jsonrpc":"2.0","id":1,"error":{"code":1}}'
BAD_UTF8 = "x:8101ff"


def loop() -> str:
    """A server that redirects to itself."""
    target = script("close:1000").partition("/s/")[0]
    return script(reply("302 Found", f"Location: {target}/s/{reply('302 Found', 'Location: /s/close')}"))


# the exit code, the words of the command line, stdin, and a part of the error
CASES: tuple[tuple[int, list[str], bytes, str], ...] = (
    (0, ["--no-stdin", script(text("a"), "close:1000")], b"", ""),
    (0, ["--no-stdin", script("close:1001")], b"", ""),
    (0, ["--no-stdin", script("close")], b"", ""),
    (2, ["--nonsense", echo()], b"", "--nonsense is unknown"),
    (2, [], b"", "URI is missing"),
    (2, ["--count", "x", echo()], b"", "whole number"),
    (2, ["-H", "no colon", echo()], b"", "no colon"),
    (2, ["--pinnedpubkey", "", echo()], b"", "--pinnedpubkey has an empty value"),
    (2, ["--local-port", "5-3", echo()], b"", "--local-port needs"),
    (2, ["get", echo(), ""], b"", "needs the name of a file"),
    (2, ["--close", "1006", echo()], b"", "--close needs"),
    (2, ["--proxy", "ftp://x", echo()], b"", "proxy"),
    (2, ["--until", "(", echo()], b"", "regular expression"),
    (3, ["ws:///"], b"", "no host"),
    (3, ["localhost:80"], b"", "Type: curlwire ws://localhost:80"),
    (3, ["ws://[:]"], b"", "not an IPv6 address"),
    (3, ["http://localhost/"], b"", "ws or wss"),
    (5, ["--no-stdin", "-x", "http://no-such-host.invalid:1", echo()], b"", "no-such-host.invalid"),
    (6, ["--no-stdin", "ws://no-such-host.invalid/"], b"", "no-such-host.invalid"),
    (7, ["--no-stdin", url("CW_REFUSED_WS")], b"", "refused"),
    (18, ["--no-stdin", "--count", "2", script(text("a"), "close:1000")], b"", "1 of 2"),
    (22, ["--no-stdin", script(reply("404 Not Found"))], b"", "404"),
    (22, ["--no-stdin", script(reply("302 Found", "Location: /"))], b"", "--location"),
    (23, ["--no-stdin", "-o", "/nonexistent/file", script(text("a"))], b"", "/nonexistent/file"),
    (23, ["--trace", "/nonexistent/trace", echo()], b"", "--trace '/nonexistent/trace'"),
    (26, ["-d", "@/nonexistent", echo()], b"", "/nonexistent"),
    (26, ["--input-format", "hex", echo()], b"zz\n", "hexadecimal"),
    (26, ["--input-format", "jsonl", echo()], b"[1]\n", "JSON"),
    (26, [echo()], b"\xff\n", "UTF-8"),
    (28, ["--no-stdin", "--timeout", "0.2", script("echo")], b"", "--timeout"),
    (28, ["--no-stdin", "-m", "0.3", script("echo")], b"", "(28)"),
    (28, ["--linger", "0", "-m", "0.3", script("hang")], b"", "--max-time is over"),
    (
        23,
        ["--no-stdin", "-c", "/nonexistent/jar", echo()],
        b"",
        "--cookie-jar '/nonexistent/jar' cannot be written",
    ),
    (26, ["--no-stdin", "-c", "/dev/zero", echo()], b"", "--cookie-jar '/dev/zero'"),
    (26, ["--no-stdin", "-b", "/nonexistent", echo()], b"", "--cookie '/nonexistent'"),
    (26, ["--no-stdin", "--netrc-file", "/nonexistent", echo()], b"", "--netrc-file '/nonexistent'"),
    (45, ["--no-stdin", "--interface", "nowhere0", echo()], b"", "nowhere0"),
    (47, ["--no-stdin", "-L", "--max-redirs", "0", loop()], b"", "redirect"),
    (52, ["--no-stdin", "--count", "1", script("close:1000")], b"", "0 of 1"),
    (56, ["--no-stdin", script("rst")], b"", "lost"),
    (56, ["--no-stdin", script("end")], b"", "without a close frame"),
    (58, ["--no-stdin", "--cacert", CA, tls("client")], b"", "certificate"),
    (58, ["--no-stdin", "--cert", "/nonexistent", "--cacert", CA, tls("good")], b"", "--cert"),
    (58, ["--no-stdin", "--key", "/nonexistent", tls("good")], b"", "set --cert too\n"),
    (59, ["--no-stdin", "--ciphers", "x", tls("good")], b"", "--ciphers 'x'"),
    (59, ["--no-stdin", "--tls13-ciphers", "x", tls("good")], b"", "--tls13-ciphers 'x'"),
    (59, ["--no-stdin", "--curves", "x", tls("good")], b"", "--curves 'x'"),
    (60, ["--no-stdin", "--cacert", CA, tls("expired")], b"", "expired"),
    (60, ["--no-stdin", tls("good")], b"", "--cacert"),
    (63, ["--no-stdin", "--max-size", "3", script(text("hello"))], b"", "--max-size"),
    (77, ["--no-stdin", "--cacert", "/nonexistent", tls("good")], b"", "--cacert"),
    (77, ["--no-stdin", "--capath", "/nonexistent", tls("good")], b"", "--capath '/nonexistent'"),
    (82, ["--no-stdin", "--cacert", CA, "--crlfile", "/nonexistent", tls("good")], b"", "--crlfile"),
    (90, ["--no-stdin", "--cacert", CA, "--pinnedpubkey", "/nonexistent", tls("good")], b"", "--pinnedpubkey"),
    (
        90,
        ["--no-stdin", "--cacert", CA, "--pinnedpubkey", "sha256//" + "A" * 43 + "=", tls("good")],
        b"",
        "key",
    ),
    (110, ["--no-stdin", script("close:1011")], b"", "1011"),
    (110, ["--no-stdin", script("close:4000")], b"", "4000"),
    (111, ["--no-stdin", script(BAD_UTF8)], b"", "UTF-8"),
    (111, ["--no-stdin", script(reply("101 x", "Upgrade: websocket", "Connection: Upgrade"))], b"", "Accept"),
    (112, ["--no-stdin", "--expect", "b+", script(text("a"), "close:1000")], b"", "--expect"),
    (112, ["--no-stdin", "--until", "b+", script(text("a"), "close:1000")], b"", "--until"),
    (113, ["--jsonrpc", script("frame:1", text(RPC), "echo")], b"a\n", "1 replies"),
    (113, ["--jsonrpc", script("frame:1", text('{"error":{"code":1}}'), "echo")], b"a\n", "1 replies"),
)
SIGNALS = {130: signal.SIGINT, 143: signal.SIGTERM}
ELSEWHERE = {35, 55, 97, 114, *SIGNALS}  # below, and in test_tap.py


@pytest.mark.parametrize(("code", "words", "stdin", "error"), CASES)
def test_exit_code(code: int, words: list[str], stdin: bytes, error: str) -> None:
    ended = run(*words, stdin=stdin)
    assert ended.code == code, ended
    assert error in ended.err
    assert bool(ended.err) == bool(code)
    assert not ended.err or ended.err.startswith(f"curlwire: ({code}) ")
    assert "Traceback" not in ended.err


def test_no_tls() -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(1 << 16)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with serving(answer) as port:
        assert run("--no-stdin", f"wss://localhost:{port}/").code == 35


def test_a_proxy_refuses() -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(1 << 16)
        connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    with serving(answer) as port:
        ended = run("--no-stdin", "-x", f"127.0.0.1:{port}", "-U", "me:hidden", echo())
    assert ended.code == 97
    assert "hidden" not in ended.err


def test_lost_while_sending(tmp_path: Path) -> None:
    """The server stops reading, so the kernel does not take all of stdin; then it resets the connection."""
    (tmp_path / "lines").write_bytes((b"x" * 999 + b"\n") * 32_000)
    token = new_token()
    uri = script(text("open"), "frame:1", "stall", "gate", "rst") + f"?id={token}"
    with open(tmp_path / "lines", "rb") as lines:
        process = start("--linger", "inf", uri, stdin=lines)
        assert process.stdout is not None
        assert process.stdout.read(5) == b"open\n"
        wait_until_it_waits(process)
        go(token)
        _, err = process.communicate(timeout=WAIT)
    assert process.returncode == 55
    assert err.startswith(b"curlwire: (55) ") and b"while sending" in err


def test_no_answer_to_the_handshake() -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(1 << 16)

    with serving(answer) as port:
        assert run("--no-stdin", f"ws://127.0.0.1:{port}/").code == 52


@pytest.mark.parametrize("code", SIGNALS)
def test_a_signal_closes_politely(code: int) -> None:
    process = start("--no-stdin", "-w", "%{close_code}", script("x:810141", "echo"))
    assert process.stdout is not None
    assert process.stdout.read(2) == b"A\n"
    process.send_signal(SIGNALS[code])
    out, err = process.communicate(timeout=WAIT)
    assert (process.returncode, out, err) == (code, b"1000", b"")


@pytest.mark.parametrize("code", SIGNALS)
def test_a_signal_ends_a_connect(code: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = start("--no-stdin", f"ws://127.0.0.1:{listener.getsockname()[1]}/")
        connection, _ = listener.accept()
        with connection:
            connection.recv(1 << 16)
            process.send_signal(SIGNALS[code])
            process.communicate(timeout=WAIT)
    assert process.returncode == code


class Stubborn:
    """A server that sends a message, and does not answer the close frame."""

    def __init__(self) -> None:
        self.got_close = threading.Event()

    def __call__(self, peer: Peer) -> None:
        peer.accept()
        peer.has_closed = True
        peer.send("A")
        with contextlib.suppress(ConnectionError):
            peer.receive()
        self.got_close.set()
        while peer.connection.recv(1 << 16):
            pass


@pytest.mark.parametrize("words", [["--count", "1"], ["--until", "A"], ["--linger", "0.1"]])
@pytest.mark.parametrize("code", SIGNALS)
def test_a_signal_ends_the_closing_handshake(code: int, words: list[str]) -> None:
    """The exit code shows that the signal ended it. Its time limit would end it with 0."""
    server = Stubborn()
    with serving_peers(server) as uri:
        process = start(*words, uri, stdin=subprocess.DEVNULL)
        assert server.got_close.wait(WAIT)
        process.send_signal(SIGNALS[code])
        assert process.communicate(timeout=WAIT) == (b"A\n", b"")
    assert process.returncode == code


class Slow:
    """Stands for a socket with messages, whose server does not answer the close frame."""

    def __init__(self, count: int) -> None:
        self.left = count
        self.has_closed, self.has_aborted = threading.Event(), threading.Event()
        self.calls: list[str] = []
        self.on_close: Callable[[], object] = lambda: None

    def recv(self, timeout: float | None, *, decode: bool | None) -> bytes:
        if self.has_closed.is_set():  # a socket forgets what is not taken
            raise curlwire.ConnectionClosed("end", code=1000)
        if self.left:
            self.left -= 1
            return b"x" * 70_000  # one batch
        if timeout == 0:
            raise curlwire.WebSocketTimeout
        assert self.has_closed.wait(WAIT)
        raise curlwire.ConnectionClosed("end", code=1000)

    def close(self, code: int, reason: str) -> None:
        self.calls.append("close")
        self.has_closed.set()
        self.on_close()

    def wait_closed(self, timeout: float) -> None:
        assert self.has_aborted.wait(WAIT)

    def abort(self) -> None:
        self.calls.append("abort")
        self.has_aborted.set()


def test_a_signal_loses_no_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has come is written before the connection is closed. Another signal ends the closing handshake."""
    monkeypatch.setattr(session, "_WRITE_S", WAIT)
    monkeypatch.setattr(session, "_POLITE_S", WAIT)
    socket_ = Slow(5)
    given = {"output": str(tmp_path / "out"), "no-stdin": True}
    output = Output(given)
    one = session.Session(given, socket_, Input(given), output, float("inf"))  # type: ignore[arg-type]
    write = output.write

    def write_late(messages: list[Message]) -> None:
        if socket_.left == 4:
            one.on_signal(signal.SIGINT)
            wait_until(lambda: one.receiver.must_tell_idle)
        write(messages)

    output.write = write_late  # type: ignore[method-assign]
    socket_.on_close = lambda: one.on_signal(signal.SIGTERM)
    with pytest.raises(Failure) as caught:
        one.run()
    assert caught.value.code == 130
    assert (tmp_path / "out").stat().st_size == 5 * 70_001
    assert socket_.calls == ["close", "abort"]
    os.close(output.fd)


@pytest.mark.parametrize("code", SIGNALS)
def test_a_signal_ends_write_out(code: int) -> None:
    process = start("--no-stdin", "--count", "0", "-w", "x" * 100_000, script("close:1000"))
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], WAIT)[0]  # it waits for the reader
    process.send_signal(SIGNALS[code])
    assert process.wait(WAIT) == code


def test_every_code_is_tested() -> None:
    assert set(EXIT_CODES) == {case[0] for case in CASES} | ELSEWHERE


def test_the_tables_agree() -> None:
    page = (ROOT / "docs" / "command.md").read_text()
    rows = {int(code): words for code, words in re.findall(r"^\| (\d+) \| (.+) \|$", page, re.MULTILINE)}
    assert rows == EXIT_CODES
    whole = run("--help", "all").out
    manual = run("man").out
    for code, words in EXIT_CODES.items():
        assert f"{code:3}  {words}" in whole
        assert words.replace("-", "\\-") in manual


def test_silent() -> None:
    assert run("-s", "--no-stdin", url("CW_REFUSED_WS")).err == ""
    assert run("-sS", "--no-stdin", url("CW_REFUSED_WS")).err.startswith("curlwire: (7) ")
