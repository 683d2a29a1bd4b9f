# SPDX-License-Identifier: MIT
"""Blocks the event loop, or holds the GIL, for three ping intervals, and counts what is lost.

    python3 bench/blocked.py

The server pings each connection every interval, and drops a connection whose pong is late by an interval. It
also sends numbered messages all the time. Each client pings in the same way, reads for a while, blocks once,
and reads the rest. make bench installs the clients, so run it first.
"""

from __future__ import annotations

import asyncio
import ctypes
import importlib
import itertools
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
INTERVAL_S = 0.5
INTERVALS = 3  # for which the loop is blocked
CONNECTIONS = 20
MESSAGES = 200  # to each connection
PAUSE_S = 0.02  # between two of them
CLIENTS = ("curlwire", "compat", "websockets", "aiohttp")
NAMES = {"curlwire": "curlwire.aio", "compat": "curlwire.compat.websockets"}


def hold_gil(seconds: float) -> None:
    """Waits in C without giving the GIL up."""
    ctypes.PyDLL(None).usleep(int(seconds * 1e6))


BLOCKS = {"the loop is blocked": time.sleep, "the GIL is held": hold_gil}


async def serve() -> None:
    """Prints its port, and serves until standard input ends."""
    from websockets.asyncio.server import serve

    async def handle(ws: Any) -> None:
        for number in range(MESSAGES):
            await ws.send(str(number))
            await asyncio.sleep(PAUSE_S)
        await ws.wait_closed()

    options: dict[str, Any] = {"ping_interval": INTERVAL_S, "ping_timeout": INTERVAL_S, "compression": None}
    async with serve(handle, "127.0.0.1", 0, **options) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


async def connect(client: str, url: str, session: Any) -> Any:
    if client == "curlwire":
        from curlwire import aio

        return await aio.connect(url, ping_interval=INTERVAL_S, ping_timeout=INTERVAL_S)
    if client == "aiohttp":
        return await session.ws_connect(url, heartbeat=INTERVAL_S)
    package = "curlwire.compat.websockets" if client == "compat" else "websockets"
    module = importlib.import_module(f"{package}.asyncio.client")
    return await module.connect(url, ping_interval=INTERVAL_S, ping_timeout=INTERVAL_S, compression=None)


async def read_all(ws: Any, numbers: list[int]) -> bool:
    """Reads the messages of a connection. Returns whether all have come."""
    try:
        async for message in ws:
            numbers.append(int(getattr(message, "data", message)))
            if len(numbers) == MESSAGES:
                return True
    except Exception as error:
        print(f"lost: {error}", file=sys.stderr)
    return False


async def work(client: str, block: str, url: str) -> dict[str, int]:
    session = None
    if client == "aiohttp":
        import aiohttp

        session = aiohttp.ClientSession()
    sockets = [await connect(client, url, session) for _ in range(CONNECTIONS)]
    lists: list[list[int]] = [[] for _ in sockets]
    tasks = [asyncio.create_task(read_all(ws, numbers)) for ws, numbers in zip(sockets, lists, strict=True)]
    await asyncio.sleep(2 * INTERVAL_S)
    BLOCKS[block](INTERVALS * INTERVAL_S)
    whole = await asyncio.gather(*tasks)
    await asyncio.gather(*(ws.close() for ws in sockets))
    if session is not None:
        await session.close()
    came = sum(numbers == list(range(len(numbers))) and len(numbers) for numbers in lists)
    return {
        "connections_lost": CONNECTIONS - sum(whole),
        "messages_lost": CONNECTIONS * MESSAGES - came,
    }


def main() -> None:
    python = str(ROOT / "build/bench-venv/bin/python")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "build/python")}
    command = [python, str(Path(__file__).resolve())]
    print("| what | client | connections lost | messages lost |\n| --- | --- | --- | --- |")
    for block, client in itertools.product(BLOCKS, CLIENTS):
        # the server is a process of its own, so that the client's block does not hold it up
        server = subprocess.Popen(
            [*command, "server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            stderr=subprocess.DEVNULL,
        )
        assert server.stdout is not None
        url = f"ws://127.0.0.1:{server.stdout.readline().strip()}/"
        done = subprocess.run(
            [*command, client, block, url], capture_output=True, text=True, env=environment, check=False
        )
        server.communicate()
        if done.returncode != 0:
            sys.exit(f"blocked.py: {client} has failed:\n{done.stderr}")
        lost = json.loads(done.stdout)
        of = f"of {CONNECTIONS}", f"of {CONNECTIONS * MESSAGES:,}"
        cells = f"{lost['connections_lost']} {of[0]} | {lost['messages_lost']:,} {of[1]}"
        print(f"| {block} | {NAMES.get(client, client)} | {cells} |", flush=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["server"]:
        asyncio.run(serve())
    elif len(sys.argv) == 4:
        print(json.dumps(asyncio.run(work(*sys.argv[1:]))))
    elif len(sys.argv) == 1:
        main()
    else:
        sys.exit(__doc__)
