# SPDX-License-Identifier: MIT
"""The verb tap: what it passes on, shows, records and replays, and how it ends.

One tap in front of the scripted server serves most tests, because the path of a request says what that server
does. The clients run in this process.
"""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import curlwire
from curlwire.command import tap as verb
from curlwire.command.codes import Failure
from curlwire.command.tap_line import target_of
from curlwire.command.tap_record import Record
from curlwire.command.verbs import run_verb
from helpers import (
    COMMAND,
    WAIT,
    echo,
    environment,
    log_of,
    new_token,
    reply,
    rss_kib,
    url,
    wait_until_full,
    wait_until_it_waits,
)

SECRET = "s3cr3t"
BASE = url("CW_SCRIPT_WS", "")


class Tap:
    """A running tap. stdout goes to a file."""

    def __init__(self, folder: Path, *words: str, stdout: int | None = None) -> None:
        self.shown = folder / "shown"
        self.recorded = folder / "recorded"
        with open(self.shown, "wb") as out:
            self.process = subprocess.Popen(
                [*COMMAND, "tap", *words],
                stdin=subprocess.DEVNULL,
                stdout=out if stdout is None else stdout,
                stderr=subprocess.PIPE,
                env=environment(),
            )
        assert self.process.stderr is not None
        self.told = self.process.stderr.readline().decode()
        found = re.search(r"listening on (ws://\S+)/,", self.told)
        self.uri = found[1] if found else ""

    def connect(self, path: str = "/s/echo", **controls: Any) -> curlwire.MessageWebSocket:
        controls = {"receive_timeout": WAIT, **controls}
        ws: curlwire.MessageWebSocket = curlwire.connect(self.uri + path, **controls)
        return ws

    def wait_shown(self, pattern: str) -> str:
        """Waits until a line of stdout matches, and returns stdout."""
        return self._wait(lambda: self.shown.read_text(), pattern)

    @staticmethod
    def _wait(read: Callable[[], str], pattern: str) -> str:
        until = time.monotonic() + WAIT
        while not re.search(pattern, whole := read(), re.MULTILINE):
            assert time.monotonic() < until, whole
            time.sleep(0.01)
        return whole

    def events(self, client: str) -> list[dict[str, Any]]:
        """The recorded events of a client, without their times."""
        events = [json.loads(line) for line in self.recorded.read_text().splitlines()]
        assert all(abs(event.pop("time") - time.time()) < 3600 for event in events)
        return [event for event in events if str(event.pop("client")) == client]

    def end(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(WAIT)
        if self.process.stderr is not None and not self.process.stderr.closed:
            with self.process.stderr:
                self.told += self.process.stderr.read().decode()
        return code


@pytest.fixture(scope="module")
def tap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tap]:
    folder = tmp_path_factory.mktemp("tap")
    # its own limit on time is for a run of these tests that is killed
    one = Tap(folder, "127.0.0.1:0", BASE, "--record", str(folder / "recorded"), "-m", "1500")
    yield one
    assert one.end() == 143, one.told
    assert "Traceback" not in one.told


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Tap]]:
    taps: list[Tap] = []

    def begin(*words: str, stdout: int | None = None) -> Tap:
        taps.append(Tap(tmp_path, *words, stdout=stdout))
        return taps[-1]

    yield begin
    for one in taps:
        one.process.kill()
        one.end()


def path_of(*steps: str) -> str:
    """The path for the scripted server, with a token for its log."""
    return f"/s/{'/'.join(steps)}?id={new_token()}"


def log_of_path(path: str) -> dict[str, Any]:
    """What the scripted server got."""
    return log_of(path.rpartition("id=")[2])


def number_of(tap: Tap, path: str) -> str:
    """The number of the client with this path."""
    plain = re.escape(path.partition("?")[0])
    shown = tap.wait_shown(rf"^\d+ = open {plain}$")
    numbers: list[str] = re.findall(rf"^(\d+) = open {plain}$", shown, re.MULTILINE)
    return numbers[-1]


# -- what is passed on


def test_messages_both_ways(tap: Tap) -> None:
    path = path_of("wait:1", "x:010161", "x:800162", "x:820100", "echo")
    with tap.connect(path) as ws:
        assert [ws.recv(), ws.recv()] == ["ab", b"\0"]
        ws.send("a\x1b[31m\nb")
        assert ws.recv() == "a\x1b[31m\nb"
        ws.send(iter(["joined", " fragments"]))
        assert ws.recv() == "joined fragments"
        ws.send(b"\xff" * 100)
        assert ws.recv() == b"\xff" * 100
        number = number_of(tap, path)
    shown = tap.wait_shown(rf"^{number} > close 1000$")
    for line in (
        "< text ab",
        "< binary 0x00",
        r"> text a\x1b[31m\nb",
        "> text joined fragments",
        f"< binary 0x{'ff' * 64} … (100 bytes)",
    ):
        assert f"\n{number} {line}\n" in f"\n{shown}"
    events = tap.events(number)
    assert events[0] == {"type": "open", "path": path.partition("?")[0]}
    assert events[1] == {"type": "text", "from": "server", "data": "ab"}
    assert events[2] == {"type": "binary", "from": "server", "base64": "AA=="}
    assert {"type": "text", "from": "client", "data": "a\x1b[31m\nb"} in events
    assert events[-1] == {"type": "close", "from": "client", "code": 1000, "reason": ""}
    assert stat.S_IMODE(tap.recorded.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("steps", "code", "reason"),
    [
        (["close:4000"], 4000, ""),
        (["x:880503f3627965"], 1011, "bye"),
        (["close"], 1005, ""),
        (["rst"], 1006, None),
    ],
)
def test_the_server_ends(tap: Tap, steps: list[str], code: int, reason: str | None) -> None:
    path = path_of("frame:1", *steps)
    ws = tap.connect(path)
    ws.send("go")
    with pytest.raises(curlwire.ConnectionClosed):
        ws.recv()
    assert ws.close_code == code
    assert reason is None or ws.close_reason == reason
    number = number_of(tap, path)
    tap.wait_shown(rf"^{number} < (lost .*|close {code}{' bye' if reason else ''})$")


@pytest.mark.parametrize(("code", "payload"), [(1000, "03e8"), (3001, "0bb9627965"), (1005, "")])
def test_the_client_closes(tap: Tap, code: int, payload: str) -> None:
    path = path_of("echo")
    ws = tap.connect(path)
    ws.close(code, "bye" if code == 3001 else "")
    ws.wait_closed(WAIT)
    assert ws.was_clean
    assert log_of_path(path)["frames"][-1]["payload"] == payload


def test_the_client_is_lost(tap: Tap) -> None:
    path = path_of("echo")
    ws = tap.connect(path)
    ws.abort()
    log = log_of_path(path)
    assert log["frames"] == []
    assert log["end"] in ("eof", "reset")
    tap.wait_shown(rf"^{number_of(tap, path)} > lost$")


def test_headers_are_passed_on_and_secrets_are_not_shown(tap: Tap) -> None:
    path = path_of("echo") + "&"  # the token stands in front of this letter
    names = {"Authorization": "Bearer", "Cookie": "a=", "X-Token": "", "Origin": "http://", "User-Agent": "me"}
    headers = {name: value + SECRET for name, value in names.items()}
    ws = curlwire.connect(f"{tap.uri}{path[:-1].replace('?', f'?t={SECRET}&')}", headers=headers)
    ws.close()
    head = log_of_path(path[:-1])["request"]
    assert f"GET {path[:-1].replace('?', f'?t={SECRET}&')} HTTP/1.1\r\n" in head
    assert f"\r\nHost: {BASE.partition('//')[2]}\r\n" in head
    for name, value in headers.items():
        assert head.count(f"\r\n{name}: {value}\r\n") == 1
    assert head.lower().count("\r\nsec-websocket-key: ") == 1
    number_of(tap, path)
    assert SECRET not in tap.shown.read_text() + tap.recorded.read_text() + tap.told


def handshake(*headers: str) -> str:
    lines = ["HTTP/1.1 101 x", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: {accept}"]
    return "hs:" + "\r\n".join([*lines, *headers, "", ""]).encode().hex()


def test_the_subprotocol_and_the_headers_of_the_server(tap: Tap) -> None:
    path = path_of(handshake("Sec-WebSocket-Protocol: b", "Set-Cookie: c=1", "Set-Cookie: d=2"), "echo")
    with curlwire.connect(tap.uri + path, subprotocols=["a", "b"]) as ws:
        assert ws.protocol == "b"
        assert ws.response_headers.get_all("Set-Cookie") == ["c=1", "d=2"]
    tap.wait_shown(r"^\d+ = open .* b$")
    with tap.connect(path_of("echo"), compression="deflate") as ws:
        assert ws.extensions is None


def test_refusals(tap: Tap) -> None:
    with pytest.raises(curlwire.HandshakeError) as caught:
        tap.connect("/s/" + reply("401 Unauthorized", 'WWW-Authenticate: Basic realm="x"'))
    assert caught.value.http_status == 401
    assert caught.value.headers["WWW-Authenticate"] == 'Basic realm="x"'
    tap.wait_shown(r"^\d+ = refused 401$")
    with pytest.raises(curlwire.HandshakeError) as caught:
        tap.connect("/s/" + reply("599 Odd"))
    assert caught.value.http_status == 599
    with pytest.raises(curlwire.HandshakeError) as caught:
        tap.connect("/s/" + reply("101 x", "Upgrade: websocket", "Connection: Upgrade"))
    assert caught.value.http_status == 502
    assert b"Sec-WebSocket-Accept" in caught.value.body


def test_pings_go_from_end_to_end(tap: Tap) -> None:
    path = path_of("x:89023131", "echo")
    with tap.connect(path) as ws:
        assert ws.ping(WAIT) > 0
        number = number_of(tap, path)
        shown = tap.wait_shown(rf"^{number} > pong 0x$")
        assert re.search(rf"^{number} < ping 0x$", shown, re.MULTILINE)
        assert re.search(rf"^{number} > ping (0x\w+)\n(.*\n)*{number} < pong \1$", shown, re.MULTILINE)
    ws = tap.connect(path_of("frame:1", "close:1000"))
    with pytest.raises(curlwire.ConnectionClosed):
        ws.ping(WAIT)  # the tap does not answer in place of a server that does not


# -- clients that break rules


def raw(tap: Tap, data: bytes, is_frame: bool = True) -> bytes:
    """Sends bytes, and returns what comes until the end."""
    host, port = tap.uri.partition("//")[2].split(":")
    request = b"GET /s/echo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    request += b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    with socket.create_connection((host, int(port)), WAIT) as one:
        got = b""
        if is_frame:
            one.sendall(request)
            while b"\r\n\r\n" not in got:
                got += one.recv(1 << 16)
        one.sendall(data)
        while more := one.recv(1 << 16):
            got += more
    return got


@pytest.mark.parametrize(
    ("frame", "code"),
    [(b"\x81\x81\0\0\0\0\xff", 1007), (b"\x81\x01a", 1002), (b"\x82\xff\0\0\0\1\0\0\0\0\0\0\0\0", 1009)],
)
def test_a_client_breaks_a_rule(tap: Tap, frame: bytes, code: int) -> None:
    got = raw(tap, frame).partition(b"\r\n\r\n")[2]
    assert (got[0], int.from_bytes(got[2:4])) == (0x88, code)
    tap.wait_shown(r"^\d+ > lost .+$")


def test_a_client_that_is_none(tap: Tap) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(tap.uri.replace("ws:", "http:"), timeout=WAIT)
    with caught.value as error:
        assert error.code == 426
    assert raw(tap, b"\x16\x03\x01nonsense\r\n\r\n", is_frame=False) == b""


# -- limits


def test_a_side_that_does_not_read_makes_the_other_wait(tap: Tap) -> None:
    before = rss_kib(tap.process.pid)
    message = "827e0dac" + "00" * 3500
    path = path_of(f"repeat:6000:{message}", "close:1000")
    slow = tap.connect(path, inbound_buffer_size=65536)
    stuck = tap.connect(path_of("frame:1", "stall", "wait:2000", "rst"))
    stuck.send("go")
    with pytest.raises(curlwire.WebSocketError):
        for _ in range(100):
            stuck.send(b"x" * 1_000_000, timeout=0.3)
    stuck.abort()
    line = f"\n{number_of(tap, path)} < binary "
    wait_until_it_waits(tap.process)  # until the tap reads no more
    count = tap.shown.read_text().count(line)
    assert count < 6000
    assert rss_kib(tap.process.pid) - before < 20_000
    assert all(len(slow.recv()) == 3500 for _ in range(count + 10))  # it goes on
    slow.abort()


def test_the_limit_of_clients(tap: Tap) -> None:
    before = len(re.findall(r" = refused 503 ", tap.shown.read_text()))
    clients: list[curlwire.MessageWebSocket] = []
    with pytest.raises(curlwire.HandshakeError) as caught:
        for _ in range(101):
            clients.append(tap.connect())
    assert caught.value.http_status == 503
    assert len(re.findall(r" = refused 503 100 clients", tap.shown.read_text())) == before + 1
    for one in clients:
        one.abort()


# -- the end


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_closes_politely(start: Callable[..., Tap], tmp_path: Path, number: int, code: int) -> None:
    where = tmp_path / "socket"
    tap = start(f"unix:{where}", BASE, "--output-format", "jsonl", "-H", "X-Mine: 1")
    assert stat.S_IMODE(where.stat().st_mode) == 0o600
    path = path_of("echo")
    ws = curlwire.connect(f"ws://x{path}", unix_socket_path=str(where), headers={"X-Mine": "2", "X-Other": "3"})
    assert tap.end(number) == code
    with pytest.raises(curlwire.ConnectionClosed):
        ws.recv(WAIT)
    assert ws.close_code == 1001
    log = log_of_path(path)
    assert log["frames"][-1]["payload"] == "03e9"
    assert re.findall(r"\r\n(X-\w+: \d)", log["request"]) == ["X-Other: 3", "X-Mine: 1"]
    assert not where.exists()
    assert json.loads(tap.shown.read_text().splitlines()[0])["type"] == "open"


def test_the_second_signal_ends_at_once(start: Callable[..., Tap]) -> None:
    tap = start("127.0.0.1:0", BASE)
    ws = tap.connect(path_of("hang"))  # it does not answer a close frame
    tap.process.terminate()
    with pytest.raises(curlwire.ConnectionClosed):
        ws.recv()
    assert ws.close_code == 1001
    assert tap.end(signal.SIGINT) == 130  # 143 is the code of an end without the second one


def test_a_stuck_or_closed_stdout(start: Callable[..., Tap]) -> None:
    reading, writing = os.pipe()
    tap = start("127.0.0.1:0", echo("/"), stdout=writing)
    ws = tap.connect("/")
    ws.send("x" * 1_000_000)  # more than a pipe takes
    wait_until_full(reading)
    with pytest.raises(curlwire.WebSocketTimeout):  # what cannot be shown is not passed on
        ws.recv(0)
    assert tap.end() == 143
    os.close(reading)
    os.close(writing)


def test_failures_while_it_runs(start: Callable[..., Tap]) -> None:
    with open("/dev/full", "wb") as full:
        tap = start("127.0.0.1:0", url("CW_REFUSED_WS"), "-m", "300", stdout=full.fileno())
        with pytest.raises(curlwire.WebSocketError):
            tap.connect("/")
        assert tap.process.wait(WAIT) == 23
        tap.end()
    assert "curlwire: (23) stdout cannot be written: No space left" in tap.told
    tap = start("127.0.0.1:0", url("CW_REFUSED_WS"), "-m", "0.1")
    assert tap.process.wait(WAIT) == 28


# -- replay


def line(client: int, kind: str, sender: str = "", **facts: object) -> str:
    return json.dumps({"client": client, "type": kind, **({"from": sender} if sender else {}), **facts})


def test_replay(start: Callable[..., Tap], tmp_path: Path) -> None:
    (tmp_path / "record").write_text(
        "\n".join(
            [
                line(7, "open", path="/", subprotocol="b"),
                line(9, "refused", status=403),
                line(7, "text", "server", data="hello"),
                line(7, "text", "client", data="one"),
                line(7, "binary", "client", base64="AA=="),
                line(7, "ping", "server", base64="MQ=="),
                line(7, "binary", "server", base64="/w=="),
                line(7, "close", "server", code=4001, reason="bye"),
                line(8, "open", path="/"),
                line(8, "text", "client", data="x"),
                line(8, "lost", "server"),
                line(10, "open", path="/"),
                line(10, "close", "client", code=1000, reason=""),
            ]
        )
    )
    tap = start("127.0.0.1:0", "--replay", str(tmp_path / "record"), "--record", str(tmp_path / "recorded"))
    for _ in range(2):  # it begins again behind the last one
        ws = tap.connect("/", supported_protocols=["a", "b"])
        assert (ws.protocol, ws.recv()) == ("b", "hello")
        ws.send("anything")
        assert ws.ping(WAIT) > 0
        with pytest.raises(curlwire.WebSocketTimeout):
            ws.recv(0.05)
        ws.send("else")
        assert ws.recv() == b"\xff"
        with pytest.raises(curlwire.ConnectionClosed):
            ws.recv()
        assert (ws.close_code, ws.close_reason) == (4001, "bye")
        with pytest.raises(curlwire.HandshakeError) as caught:
            tap.connect("/")
        assert caught.value.http_status == 403
        ws = tap.connect("/")
        ws.send("x")
        with pytest.raises(curlwire.ConnectionClosed):
            ws.recv()
        assert ws.close_code == 1006
        with tap.connect("/") as ws:
            ws.send("more than recorded")
    tap.wait_shown("^8 > close 1000$")
    assert [event["type"] for event in tap.events("1")][:3] == ["open", "text", "text"]
    assert tap.end() == 143


# -- words of the command line; in this process, because that is faster


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        ([], 2, "tap needs LISTEN and URI"),
        (["127.0.0.1:0"], 2, "the URI is missing"),
        (["127.0.0.1:0", "ws://x", "ws://y"], 2, "2 URIs"),
        (["127.0.0.1:0", "http://x"], 3, "ws:// or wss://"),
        (["127.0.0.1:0", "x"], 3, "Type: curlwire wss://x"),
        (["127.0.0.1", "ws://x"], 2, "such as 127.0.0.1:9000"),
        (["127.0.0.1:65536", "ws://x"], 2, "such as 127.0.0.1:9000"),
        (["wss://127.0.0.1:1/", "ws://x"], 2, "no TLS"),
        (["ws://127.0.0.1:1/path", "ws://x"], 2, "no path"),
        (["example.com:1", "ws://x"], 2, "no IP address"),
        (["0.0.0.0:0", "ws://x"], 2, "--allow-remote"),
        (["[::]:0", "ws://x"], 2, "--allow-remote"),
        (["/nonexistent/socket", "ws://x"], 114, "cannot listen on '/nonexistent/socket'"),
        (["127.0.0.1:0", "ws://x", "--output-format", "raw"], 2, "--output-format lines, hex, jsonl"),
        (["127.0.0.1:0", "ws://x", "--print", "x"], 2, "--output-format"),
        (["127.0.0.1:0", "ws://x", "--record", "/nonexistent/file"], 23, "/nonexistent/file"),
        (["127.0.0.1:0", "ws://x", "-o", "/nonexistent/file"], 23, "/nonexistent/file"),
        (["127.0.0.1:0", "ws://x", "--reconnect"], 2, "not for the verb tap"),
        (["127.0.0.1:0", "ws://x", "--replay", "file"], 2, "leave out the URI"),
        (["127.0.0.1:0", "--replay", "/nonexistent/file"], 26, "/nonexistent/file"),
        (["127.0.0.1:0", "--replay", "/dev/null"], 26, "no recorded client"),
    ],
)
def test_wrong_words(capsys: pytest.CaptureFixture[str], words: list[str], code: int, error: str) -> None:
    assert run_verb("tap", words) == code
    told = capsys.readouterr().err
    assert told.startswith(f"curlwire: ({code}) ")
    assert error in told


@pytest.mark.parametrize(
    "bad",
    [
        "x", "[]", "[" * 100_000, '{"type": "open"}', line(1, "text", "client", data="x"),
        "\n".join((line(1, "open"), line(1, "nonsense"))),
        "\n".join((line(1, "open"), line(1, "text", "server"))),
        "\n".join((line(1, "open"), line(1, "binary", "server", base64="!"))),
        "\n".join((line(1, "open"), line(1, "close", "server", code="x"))),
        "\n".join((line(1, "open"), line(1, "text", "nobody", data="x"))),
    ],
)  # fmt: skip
def test_a_record_that_is_none(capsys: pytest.CaptureFixture[str], tmp_path: Path, bad: str) -> None:
    (tmp_path / "file").write_text(bad)
    assert run_verb("tap", ["127.0.0.1:0", "--replay", str(tmp_path / "file")]) == 26
    assert f"line {bad.count(chr(10)) + 1} of " in capsys.readouterr().err


def test_an_address_in_use(capsys: pytest.CaptureFixture[str], tap: Tap) -> None:
    assert run_verb("tap", [tap.uri, "ws://x"]) == 114
    assert "Address already in use" in capsys.readouterr().err


def test_without_the_extra(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "websockets.server", None)
    assert run_verb("tap", ["127.0.0.1:0", "ws://x"]) == 2
    assert "pip install 'curlwire[cli]'" in capsys.readouterr().err


def test_listen() -> None:
    assert verb.parse_listen("9000") == verb.parse_listen("localhost:9000") == ("127.0.0.1", 9000)
    assert verb.parse_listen("ws://[::1]:9000/") == ("::1", 9000)
    assert verb.parse_listen("unix:x") == "x"
    assert verb.parse_listen("./x") == "./x"
    for text in ("::1:9000", "[::1:9000", "::1]:9000"):
        with pytest.raises(Failure, match=r"such as \[::1\]:9000"):
            verb.parse_listen(text)


@pytest.mark.parametrize(
    ("uri", "path", "target"),
    [
        ("ws://h", "/", "ws://h/"),
        ("ws://h:1/", "/a?b=c", "ws://h:1/a?b=c"),
        ("wss://h/api/?k=1", "/v1?x", "wss://h/api/v1?k=1&x"),
        ("ws://h/api", "/", "ws://h/api"),
        ("ws://h", "//x/y", "ws://h//x/y"),
        ("ws://h/", "http://evil/", "ws://h/"),
    ],
)
def test_targets(uri: str, path: str, target: str) -> None:
    assert target_of(uri, path) == target


def test_lines_cannot_be_forged(tmp_path: Path) -> None:
    record = Record({"output": str(tmp_path / "out"), "output-format": "hex"})
    event = {"client": 1, "from": "server", "type": "close", "code": 1000, "reason": "a\n1 > text\x1b\\"}
    assert record._line(event, None) == b"1 < close 1000 a\\n1 > text\\x1b\\\\\n"
    assert record._line({"client": 1, "from": "client", "type": "text"}, "ä") == b"1 > text c3a4\n"
