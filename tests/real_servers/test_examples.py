# SPDX-License-Identifier: MIT
"""The programs of examples/servers/, in Python, in Lua and as a shell script, with real servers."""

import base64
import contextlib
import os
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import curlwire
import servers
from servers import ROOT, WAIT

MODULES = Path(curlwire.__file__).resolve().parents[1]
LUA_MODULES = MODULES.parent / "lua" / "5.4"
LANGUAGES = pytest.mark.parametrize("language", ["py", "lua", "sh"])
INTERPRETERS = {"py": sys.executable, "lua": "lua5.4", "sh": "bash"}
LARGE = 3 << 20


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder that has the command."""
    folder = tmp_path_factory.mktemp("commands")
    script = folder / "curlwire"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m curlwire "$@"\n')
    script.chmod(0o755)
    return str(folder)


@pytest.fixture
def run(commands: str, language: str) -> "Run":
    return Run(commands, language)


class Run:
    """Runs a program in one language."""

    def __init__(self, commands: str, language: str) -> None:
        self.language = language
        self.environment = {
            "PATH": f"{commands}:{os.environ['PATH']}",
            "PYTHONPATH": str(MODULES),
            "LUA_PATH": f"{LUA_MODULES}/?.lua;{LUA_MODULES}/?/init.lua;;",
            "LUA_CPATH": f"{LUA_MODULES}/?.so;;",
        }

    def __call__(self, name: str, *arguments: str, code: int = 0, **environment: str) -> str:
        """Runs it, checks its exit code, and returns what it has printed (to stderr, if it failed)."""
        program = ROOT / "examples" / "servers" / f"{name}.{self.language}"
        ended = subprocess.run(
            [INTERPRETERS[self.language], str(program), *arguments],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=WAIT,
            env={**os.environ, **self.environment, **environment},
        )  # fmt: skip
        assert ended.returncode == code, (ended.returncode, ended.stdout[-2000:], ended.stderr[-2000:])
        assert code or not ended.stderr, ended.stderr
        return ended.stderr if code else ended.stdout


# -- without a server


@pytest.mark.parametrize("language", ["sh"])
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("chromium", ["about:blank", "/dev/null"]), ("node_inspector", ["1"]), ("mosquitto", ["a", "b"]),
        ("nats", ["a", "b"]), ("jupyter", ["1"]), ("vnc", []),
    ],
)  # fmt: skip
def test_exit_code_of_the_command(run: Run, name: str, arguments: list[str]) -> None:
    uri = f"ws://{servers.ADDRESS}:{servers.free_port()}/"
    assert "(7)" in run(name, uri, *arguments, code=7, JUPYTER_TOKEN=servers.TOKEN)


# -- Node's inspector


@pytest.fixture(scope="module")
def node() -> Iterator[str]:
    with servers.node() as uri:
        yield uri


@LANGUAGES
def test_node_inspector(run: Run, node: str) -> None:
    printed = run("node_inspector", node, 'String(answer) + "\\n".length')
    assert printed.endswith('"value":"421"}}}\n' if run.language == "sh" else "421\n")


@LANGUAGES
def test_node_inspector_with_large_messages(run: Run, node: str) -> None:
    # an argument of a program has at most 128 KiB; the reply is above 1 MiB
    printed = run("node_inspector", node, f"'{'x' * 100_000}'.repeat({LARGE // 100_000})")
    assert printed.count("x") == LARGE // 100_000 * 100_000


@LANGUAGES
def test_node_inspector_shows_an_error(run: Run, node: str) -> None:
    if run.language == "sh":
        assert "ReferenceError" in run("node_inspector", node, "unknown")  # in the reply
    else:
        assert "ReferenceError: unknown is not defined" in run("node_inspector", node, "unknown", code=1)


def test_node_inspector_drops_a_client_that_pings(node: str) -> None:
    """The reason for the example's control."""
    with curlwire.connect(node) as ws, pytest.raises(curlwire.ConnectionClosed):
        ws.ping()
        ws.recv(WAIT)


# -- Mosquitto


@pytest.fixture(scope="module")
def mosquitto() -> Iterator[tuple[str, int]]:
    with servers.mosquitto() as uri_and_port:
        yield uri_and_port


@LANGUAGES
def test_mosquitto(run: Run, mosquitto: tuple[str, int]) -> None:
    uri, port = mosquitto
    command = [
        "stdbuf",
        "-oL",
        "mosquitto_sub",
        "-h",
        servers.ADDRESS,
        "-p",
        str(port),
        "-t",
        "a/b",
        "-C",
        "1",
        "-d",
        "-v",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as other:
        end = threading.Timer(WAIT, other.kill)
        end.start()
        try:
            assert other.stdout is not None
            for line in other.stdout:
                if line.startswith("Subscribed"):
                    break
            assert run("mosquitto", uri, "a/b", "Grüße, World") == "a/b: Grüße, World\n"
            assert "a/b Grüße, World\n" in other.stdout.read()
        finally:
            end.cancel()
            other.kill()


@pytest.mark.parametrize("language", ["py", "lua"])
def test_mosquitto_sends_a_large_packet(run: Run, mosquitto: tuple[str, int]) -> None:
    text = "0123456789" * 10_000
    assert run("mosquitto", mosquitto[0], "large", text) == f"large: {text}\n"


# -- NATS


@pytest.fixture(scope="module")
def nats() -> Iterator[str]:
    with servers.nats() as uri:
        yield uri


@LANGUAGES
def test_nats(run: Run, nats: str) -> None:
    first, *others = run("nats", nats, "a.b", "Grüße, World").splitlines()
    assert first.startswith("NATS 2")
    assert run.language == "sh" or "compression: permessage-deflate" in first
    assert others == ["a.b: Grüße, World"]


@LANGUAGES
def test_nats_sends_compressed_data(run: Run, nats: str) -> None:
    text = "0123456789" * 10_000
    assert run("nats", nats, "large", text).endswith(f"large: {text}\n")


# -- Jupyter


@pytest.fixture(scope="module")
def jupyter() -> Iterator[str]:
    with servers.jupyter() as uri:
        yield uri


@LANGUAGES
def test_jupyter(run: Run, jupyter: str) -> None:
    printed = run("jupyter", jupyter, 'print("six times seven\\n", 6 * 7)', JUPYTER_TOKEN=servers.TOKEN)
    assert printed == ('"six times seven\\n 42\\n"\n' if run.language == "sh" else "six times seven\n 42\n")


@LANGUAGES
def test_jupyter_refuses_another_token(run: Run, jupyter: str) -> None:
    code = 22 if run.language == "sh" else 1
    error = run("jupyter", jupyter, "1", code=code, JUPYTER_TOKEN="secret-word")
    assert "403" in error
    assert "secret-word" not in error


# -- websockify in front of a VNC server


@pytest.fixture(scope="module")
def vnc() -> Iterator[str]:
    with servers.vnc() as uri:
        yield uri


@LANGUAGES
def test_vnc(run: Run, vnc: str) -> None:
    assert run("vnc", vnc) == "RFB 003.008, 640 x 480, desktop of the tests\n"


# -- Chromium


@pytest.fixture(scope="module")
def chromium() -> Iterator[str]:
    with servers.chromium() as uri:
        yield uri


def png_size(data: bytes) -> tuple[int, int]:
    """Checks a PNG to its end, and returns its width and height."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    size, place, name = (0, 0), 8, b""
    while place < len(data):
        length, name = struct.unpack(">I4s", data[place : place + 8])
        chunk = data[place + 4 : place + 8 + length]
        assert struct.unpack(">I", data[place + 8 + length : place + 12 + length])[0] == zlib.crc32(chunk)
        if name == b"IHDR":
            size = struct.unpack(">II", chunk[4:12])
        place += length + 12
    assert name == b"IEND"
    return size


@LANGUAGES
def test_chromium(run: Run, chromium: str, tmp_path: Path) -> None:
    # noise makes a picture of more than 1 MiB
    page = (
        "<canvas id=c width=1000 height=800></canvas><script>const x = c.getContext('2d'),"
        "i = x.createImageData(1000, 800); for (let n = 0; n < i.data.length; n += 4096)"
        "crypto.getRandomValues(new Uint8Array(i.data.buffer, n, Math.min(4096, i.data.length - n)));"
        "for (let n = 3; n < i.data.length; n += 4) i.data[n] = 255; x.putImageData(i, 0, 0)</script>"
    )
    address = "data:text/html;base64," + base64.b64encode(page.encode()).decode()
    file = tmp_path / "page.png"
    printed = run("chromium", chromium, address, str(file))
    data = file.read_bytes()
    assert printed == f"{file}: {len(data)} bytes\n"
    assert len(data) > 1 << 20
    width, height = png_size(data)
    assert width >= 1000
    assert height > 700


def test_chromium_refuses_an_origin(chromium: str) -> None:
    """Why the examples send no Origin."""
    with contextlib.ExitStack() as stack, pytest.raises(curlwire.WebSocketError) as error:
        stack.enter_context(curlwire.connect(chromium, origin="http://localhost"))
    assert error.value.http_status == 403
