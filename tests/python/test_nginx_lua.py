# SPDX-License-Identifier: MIT
"""curlwire for Lua inside nginx, whose Lua module uses OpenResty's LuaJIT. The master process loads curlwire,
and its worker connects after the fork. The programs of docs/openresty.md run too."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import curlwire
from peers import WAIT, echo, script, text

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "servers"))

import nginx_settings  # noqa: E402

MODULES = Path(curlwire.__file__).resolve().parents[2] / "lua" / "jit"  # of the build under test
UNPACKED = ROOT / "build" / "nginx-lua"  # scripts/install.sh test
MAIN = """
load_module {unpacked}/usr/lib/nginx/modules/ndk_http_module.so;
load_module {unpacked}/usr/lib/nginx/modules/ngx_http_lua_module.so;
{user}
{main}
"""
HTTP = """
    lua_package_path "{folder}/?.lua;{modules}/?.lua;{modules}/?/init.lua;{unpacked}/usr/share/lua/5.1/?.lua;;";
    lua_package_cpath "{modules}/?.so;;";
    init_by_lua_block {{ require "curlwire" }}
    server {{
        listen unix:{folder}/socket;
        {locations}
        location / {{
            content_by_lua_block {{
                local curlwire = require "curlwire"
                local ws = assert(curlwire.connect("{echo}"))
                assert(ws:send("from nginx"))
                ngx.print(curlwire.libcurl_version, " ", (assert(ws:receive({wait}))))
                ws:close()
                ws:wait_closed()
            }}
        }}
    }}
"""


def ask(folder: Path, path: str = "/") -> str:
    """Returns the body of nginx's answer."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(WAIT)
        connection.connect(f"{folder}/socket")
        connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        with connection.makefile("rb") as answer:
            head, _, body = answer.read().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), head
    return body.decode()


def page(folder: Path) -> tuple[str, str]:
    """Writes the Lua file of docs/openresty.md. Returns its settings: the pool, and the locations."""
    shown = (ROOT / "docs" / "openresty.md").read_text()
    (module,) = re.findall(r"^```lua\n(.*?)^```$", shown, re.MULTILINE | re.DOTALL)
    main, exchange, messages = re.findall(r"^```nginx\n(.*?)^```$", shown, re.MULTILINE | re.DOTALL)
    (folder / "ws_thread.lua").write_text(module)
    exchange = exchange.replace("ws://localhost:8765/", echo())
    served = script("x:" + text("one"), "x:" + text("") + text("two\n"), "close:1000")
    messages = messages.replace("ws://localhost:8765/", served).replace(
        "/tmp/messages.sock", f"{folder}/messages"
    )
    return main, exchange + messages


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Path]:
    """Runs nginx. Gives the folder with its socket."""
    program = nginx_settings.program()
    assert (UNPACKED / "done").exists(), "nginx's Lua module is missing. Run: sh scripts/install.sh test"
    assert program is not None, "nginx is missing. Run: sh scripts/install.sh test"
    pool, locations = page(tmp_path)
    main = MAIN.format(unpacked=UNPACKED, user="user root;" if os.geteuid() == 0 else "", main=pool)
    http = HTTP.format(
        unpacked=UNPACKED, folder=tmp_path, modules=MODULES, echo=echo(), wait=WAIT, locations=locations
    )
    (libraries,) = {str(path.parent) for path in UNPACKED.glob("usr/lib/*/libluajit-5.1.so.2")}
    running = subprocess.Popen(
        [program, *nginx_settings.write(tmp_path, http, main)],
        env={**os.environ, "LD_LIBRARY_PATH": libraries},
    )
    try:
        until = time.monotonic() + WAIT
        while not (tmp_path / "nginx.pid").exists():  # nginx writes it when it listens
            assert running.poll() is None, "nginx did not start; its output is above"
            assert time.monotonic() < until
            time.sleep(0.01)
        yield tmp_path
    finally:
        running.terminate()
        running.wait(WAIT)


def test_nginx(nginx: Path) -> None:
    for _ in range(3):
        assert ask(nginx) == f"{curlwire.libcurl_version} from nginx"


def test_nginx_thread(nginx: Path) -> None:
    for _ in range(3):
        assert ask(nginx, "/exchange") == "Hello, World!\n"


def test_nginx_messages_through_a_unix_socket(nginx: Path) -> None:
    for _ in range(2):
        assert ask(nginx, "/messages") == "one\n\ntwo\n\n"
