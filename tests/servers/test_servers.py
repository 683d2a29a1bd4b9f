# SPDX-License-Identifier: MIT
"""Tests of the test peers. This file starts its own peers, so it runs alone: pytest tests/servers."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import json
import os
import socket
import ssl
import struct
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import websockets

import run

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # the answer to that key, from RFC 6455 section 1.3
TOKENS = (f"t{number}" for number in itertools.count())
MASK = b"\x01\x02\x03\x04"
ADDRESS = "127.0.0.1"  # not "localhost", because a bare root file system has no /etc/hosts


@pytest.fixture(scope="module")
def env() -> Iterator[dict[str, str]]:
    with run.Peers() as peers:
        yield peers.environment


def frame(opcode: int, payload: bytes = b"", mask: bytes = MASK, fin: bool = True) -> bytes:
    """Returns a short frame of a client."""
    masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
    return bytes([fin << 7 | opcode, 0x80 | len(payload)]) + mask + masked


class Raw:
    """A client that only sends and reads bytes."""

    def __init__(self, base: str, path: str, ca_file: str = "") -> None:
        url = urlsplit(base)
        self.socket = socket.create_connection((ADDRESS, url.port or 0), 60)
        if url.scheme == "wss":
            context = ssl.create_default_context(cafile=ca_file)
            self.socket = context.wrap_socket(self.socket, server_hostname=url.hostname)
        self.token = next(TOKENS)
        request = (
            f"GET {path}?id={self.token} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        self.socket.sendall(request.encode())

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                break
            data += more
        return data

    def head(self) -> bytes:
        data = b""
        while not data.endswith(b"\r\n\r\n"):
            byte = self.socket.recv(1)
            assert byte, data
            data += byte
        return data

    def rest(self) -> bytes:
        data = b""
        while more := self.socket.recv(65536):
            data += more
        return data

    def reset(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def log(env: dict[str, str], client: Raw) -> Any:
    with urllib.request.urlopen(f"{env['CW_PLAIN_HTTP']}/log/{client.token}", timeout=60) as reply:
        return json.load(reply)


# -- scripted.py


@pytest.mark.parametrize("base", ["CW_SCRIPT_WS", "CW_SCRIPT_WSS"])
def test_handshake_and_frames_are_recorded(env: dict[str, str], base: str) -> None:
    with Raw(env[base], "/s/frame:2/x:8100/end", env["CW_CA_FILE"]) as client:
        head = client.head().decode()
        assert head.startswith("HTTP/1.1 101 ")
        assert f"\r\nSec-WebSocket-Accept: {ACCEPT}\r\n" in head
        client.socket.sendall(frame(1, b"one") + frame(0x9, b"\xff", b"abcd"))
        assert client.rest() == b"\x81\x00"
    record = log(env, client)
    assert record["end"] == "server"
    assert record["error"] is None
    assert record["masks_differ"] is True
    assert f"id={client.token} HTTP/1.1\r\n" in record["request"]
    assert record["frames"] == [
        {"opcode": 1, "fin": True, "rsv": 0, "masked": True, "length": 3, "payload": b"one".hex()},
        {"opcode": 9, "fin": True, "rsv": 0, "masked": True, "length": 1, "payload": "ff"},
    ]


def test_unmasked_frame_and_same_masks_are_told(env: dict[str, str]) -> None:
    with Raw(env["CW_SCRIPT_WS"], "/s/frame:3/end") as client:
        client.head()
        client.socket.sendall(frame(1, b"a") + frame(1, b"b", fin=False) + b"\x82\x01x")
        assert client.rest() == b""
    record = log(env, client)
    assert [entry["masked"] for entry in record["frames"]] == [True, True, False]
    assert [entry["fin"] for entry in record["frames"]] == [True, False, True]
    assert record["masks_differ"] is False


def test_long_frames_are_decoded(env: dict[str, str]) -> None:
    payload = bytes(range(256)) * 400
    masked = bytes(byte ^ MASK[place % 4] for place, byte in enumerate(payload))
    with Raw(env["CW_SCRIPT_WS"], "/s/frame:1/end") as client:
        client.head()
        client.socket.sendall(b"\x82\xff" + struct.pack("!Q", len(payload)) + MASK + masked)
        client.rest()
    (entry,) = log(env, client)["frames"]
    assert entry["length"] == len(payload)
    assert bytes.fromhex(entry["payload"]) == payload[:65536]


def test_reply_of_the_scripts_own(env: dict[str, str]) -> None:
    reply = b"HTTP/1.1 403 No\r\nX: {accept}\r\nContent-Length: 0\r\n\r\n"
    with Raw(env["CW_SCRIPT_WS"], f"/s/hs:{reply.hex()}/end") as client:
        assert client.rest() == reply.replace(b"{accept}", ACCEPT.encode())


def test_joined_bytes_come_in_one_packet_with_the_reply(env: dict[str, str]) -> None:
    for _ in range(20):
        with Raw(env["CW_SCRIPT_WS"], "/s/join/x:810568656c6c6f") as client:
            assert client.socket.recv(65536).endswith(b"\r\n\r\n\x81\x05hello")


def test_joined_bytes_come_in_one_tls_record(env: dict[str, str]) -> None:
    with Raw(env["CW_SCRIPT_WSS"], "/s/join/x:810568656c6c6f", env["CW_CA_FILE"]) as client:
        assert client.socket.recv(65536).endswith(b"\r\n\r\n\x81\x05hello")


def test_join_after_a_reply_of_its_own(env: dict[str, str]) -> None:
    with Raw(env["CW_SCRIPT_WS"], f"/s/hs:{b'abc'.hex()}/join/x:ff/end") as client:
        assert client.rest() == b"abc\xff"


def test_drip_and_repeat(env: dict[str, str]) -> None:
    with Raw(env["CW_SCRIPT_WS"], "/s/drip:81026869/repeat:100000:8900/end") as client:
        client.head()
        assert client.rest() == b"\x81\x02hi" + b"\x89\x00" * 100000


def test_echo_answers_pings_and_the_close_frame(env: dict[str, str]) -> None:
    with Raw(env["CW_SCRIPT_WS"], "/s/frame:1/echo/end") as client:
        client.head()
        sent = (
            frame(2, b"skipped"),
            frame(1, b"a", fin=False),
            frame(9, b"p"),
            frame(0, b"b"),
            frame(8, b"\x03\xe8"),
        )
        client.socket.sendall(b"".join(sent))
        assert client.rest() == b"\x01\x01a" + b"\x8a\x01p" + b"\x80\x01b" + b"\x88\x02\x03\xe8"


@pytest.mark.parametrize(("step", "expected"), [("close:1001", b"\x88\x02\x03\xe9"), ("close", b"\x88\x00")])
def test_close_frames(env: dict[str, str], step: str, expected: bytes) -> None:
    with Raw(env["CW_SCRIPT_WS"], f"/s/{step}/end") as client:
        client.head()
        assert client.rest() == expected


def test_half_close_leaves_the_other_half(env: dict[str, str]) -> None:
    with Raw(env["CW_SCRIPT_WS"], "/s/eof") as client:
        client.head()
        assert client.rest() == b""
        client.socket.sendall(frame(1, b"still here"))
    record = log(env, client)
    assert record["frames"][0]["payload"] == b"still here".hex()
    assert record["end"] == "eof"


def test_reset_by_the_server(env: dict[str, str]) -> None:
    with Raw(env["CW_SCRIPT_WS"], "/s/frame:1/rst") as client:
        client.head()
        client.socket.sendall(frame(1))
        with pytest.raises(ConnectionResetError):
            client.rest()
    assert log(env, client)["end"] == "server"


def test_end_by_the_client_is_told(env: dict[str, str]) -> None:
    for path in ("/s/hang", "/s/frame:9/end", "/s/stall"):
        with Raw(env["CW_SCRIPT_WS"], path) as client:
            client.head()
        assert log(env, client)["end"] == "eof", path


def test_reset_by_the_client_is_told(env: dict[str, str]) -> None:
    for path in ("/s/hang", "/s/frame:9/end", "/s/stall"):
        client = Raw(env["CW_SCRIPT_WS"], path)
        client.head()
        client.reset()
        assert log(env, client)["end"] == "reset", path


def test_stall_makes_the_client_wait(env: dict[str, str]) -> None:
    with Raw(env["CW_SCRIPT_WS"], "/s/stall") as client:
        client.head()
        client.socket.setblocking(False)
        sent = 0
        with pytest.raises(BlockingIOError):
            while sent < 1 << 30:
                sent += client.socket.send(frame(2, b"x" * 125) * 500)


def test_resume_reads_on(env: dict[str, str]) -> None:
    with Raw(env["CW_SCRIPT_WS"], "/s/stall/x:8900/wait:1/resume/frame:1/end") as client:
        client.head()
        assert client.read(2) == b"\x89\x00"
        client.socket.sendall(frame(1, b"late"))
        assert client.rest() == b""
    assert log(env, client)["frames"][0]["payload"] == b"late".hex()


def go(env: dict[str, str], token: str) -> None:
    with urllib.request.urlopen(f"{env['CW_PLAIN_HTTP']}/go/{token}", timeout=60) as reply:
        assert json.load(reply) == {}


@pytest.mark.parametrize("base", ["CW_SCRIPT_WS", "CW_SCRIPT_WSS"])
def test_a_gate_waits_for_its_request(env: dict[str, str], base: str) -> None:
    with Raw(env[base], "/s/gate/x:8100/gate/x:8101/gate/x:8102/end", env["CW_CA_FILE"]) as client:
        client.head()
        client.socket.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.read(1)
        client.socket.settimeout(60)
        go(env, client.token)
        assert client.read(2) == b"\x81\x00"
        go(env, client.token)
        go(env, client.token)  # before or after the second gate
        assert client.rest() == b"\x81\x01\x81\x02"
    assert log(env, client)["end"] == "server"


def test_a_gate_ends_with_the_connection(env: dict[str, str]) -> None:
    with Raw(env["CW_SCRIPT_WS"], "/s/gate/x:8100") as client:
        client.head()
    assert log(env, client)["end"] == "eof"
    go(env, client.token)  # too late, but not an error


@pytest.mark.parametrize(
    "path", ["/s/nonsense", "/s/x", "/s/x:0", "/s/x:00/hs:00", "/s/x:00/join", "/s/repeat:n:00"]
)
def test_a_wrong_script_is_refused(env: dict[str, str], path: str) -> None:
    with Raw(env["CW_SCRIPT_WS"], path) as client:
        assert client.rest().startswith(b"HTTP/1.1 400 ")
    assert log(env, client)["error"]


def test_unknown_paths_are_not_found(env: dict[str, str]) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{env['CW_PLAIN_HTTP']}/other", timeout=60)
    with caught.value as reply:
        assert reply.code == 404


# -- the libraries' servers


def client_tls(env: dict[str, str], url: str) -> dict[str, Any]:
    return {"ssl": ssl.create_default_context(cafile=env["CW_CA_FILE"])} if url.startswith("wss:") else {}


async def exchange(env: dict[str, str], url: str) -> None:
    async with websockets.connect(url, host=ADDRESS, max_size=None, **client_tls(env, url)) as ws:
        for message in ("", "Grüße", b"", bytes(range(256)), b"x" * 3_000_000):
            await ws.send(message)
            assert await ws.recv() == message


@pytest.mark.parametrize(
    "base", ["CW_ECHO_WS", "CW_ECHO_WSS", "CW_PING_WS", "CW_NODE_WS", "CW_NGINX_WS", "CW_NGINX_WSS"]
)
def test_echo(env: dict[str, str], base: str) -> None:
    asyncio.run(asyncio.wait_for(exchange(env, env[base] + "/"), 30))


async def collect(url: str, messages: tuple[str, ...] = ()) -> tuple[list[str | bytes], int | None, str | None]:
    async with websockets.connect(url, max_size=None) as ws:
        for message in messages:
            await ws.send(message)
        taken: list[str | bytes] = []
        try:
            while len(taken) < (len(messages) or 1 << 30):
                taken.append(await ws.recv())
        except websockets.exceptions.ConnectionClosed:
            pass
        return taken, ws.close_code, ws.close_reason


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/flood?count=100&size=10&kind=text", (["x" * 10] * 100, 1000, "")),
        ("/flood?count=3&size=100000", ([b"x" * 100000] * 3, 1000, "")),
        ("/close?code=4321&reason=so%20be%20it", ([], 4321, "so be it")),
        ("/nowhere", ([], 1008, "no such path: /nowhere")),
    ],
)
def test_paths(env: dict[str, str], path: str, expected: object) -> None:
    assert asyncio.run(asyncio.wait_for(collect(env["CW_ECHO_WS"] + path), 30)) == expected


def test_sink(env: dict[str, str]) -> None:
    taken, _, _ = asyncio.run(asyncio.wait_for(collect(env["CW_ECHO_WS"] + "/sink", ("abc", "")), 30))
    assert taken == ["3", "0"]


async def first(url: str, count: int) -> list[str | bytes]:
    async with websockets.connect(url) as ws:
        return [await ws.recv() for _ in range(count)]


def test_ticker(env: dict[str, str]) -> None:
    assert asyncio.run(asyncio.wait_for(first(env["CW_ECHO_WS"] + "/ticker", 3), 30)) == ["0", "1", "2"]


async def protocol(url: str, offered: list[Any]) -> str | None:
    async with websockets.connect(url, subprotocols=offered) as ws:
        return ws.subprotocol


def test_subprotocol(env: dict[str, str]) -> None:
    url = env["CW_ECHO_WS"] + "/subprotocol"
    assert asyncio.run(asyncio.wait_for(protocol(url, ["superchat"]), 30)) == "superchat"


def test_slow_makes_the_sender_wait_and_sends_nothing(env: dict[str, str]) -> None:
    with Raw(env["CW_ECHO_WS"], "/slow") as client:
        client.head()
        client.socket.setblocking(False)
        sent = 0
        with pytest.raises(BlockingIOError):
            while sent < 1 << 30:
                sent += client.socket.send(frame(2, b"x" * 125) * 500)


def test_ping_peer_drops_a_client_that_does_not_answer(env: dict[str, str]) -> None:
    with Raw(env["CW_PING_WS"], "/") as client:
        client.head()
        data = client.rest()
    assert data[:2] == b"\x89\x04", "no ping came"
    assert b"\x88" in data[6:], "no close frame came"


# -- certificates


@pytest.mark.parametrize(
    ("base", "words"),
    [("CW_BADHOST_WSS", "Hostname mismatch"), ("CW_EXPIRED_WSS", "certificate has expired")],
)
def test_bad_certificates_are_bad_in_the_way_they_say(env: dict[str, str], base: str, words: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match=words):
        Raw(env[base], "/", env["CW_CA_FILE"])


def test_certificates_stand_strict_verification(env: dict[str, str]) -> None:
    url = urlsplit(env["CW_ECHO_WSS"])
    context = ssl.create_default_context(cafile=env["CW_CA_FILE"])
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    for name in ("localhost", "127.0.0.1", "::1"):
        with (
            socket.create_connection((ADDRESS, url.port or 0), 60) as plain,
            context.wrap_socket(plain, server_hostname=name) as secure,
        ):
            assert secure.version()


# -- run.py


def runner(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(Path(run.__file__)), *arguments]
    return subprocess.run(
        command, env=environment or dict(os.environ), capture_output=True, text=True, timeout=60, check=False
    )


def test_run_returns_the_exit_code_and_leaves_nothing() -> None:
    script = "echo $PPID $CW_ECHO_WS; exit 7"
    done = runner("--only", "echo", "--", "sh", "-c", script)
    assert done.returncode == 7
    _, url = done.stdout.split()
    with pytest.raises(ConnectionRefusedError):
        Raw(url, "/")


def test_run_fails_if_a_peer_cannot_start(tmp_path: Path) -> None:
    done = runner("--only", "node", "--", "true", environment={**os.environ, "NODE_PATH": str(tmp_path)})
    assert done.returncode == 3
    assert "node did not start" in done.stderr


def test_run_knows_its_peers() -> None:
    assert "no peer is called nodes" in runner("--without", "nodes", "--", "true").stderr


def test_refused_port_refuses(env: dict[str, str]) -> None:
    with pytest.raises(ConnectionRefusedError):
        Raw(env["CW_REFUSED_WS"], "/")


def test_accept_is_the_rfcs() -> None:
    guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    assert base64.b64encode(hashlib.sha1((KEY + guid).encode()).digest()).decode() == ACCEPT
