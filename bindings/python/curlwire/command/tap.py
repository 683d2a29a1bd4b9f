# SPDX-License-Identifier: MIT
"""The verb tap: a server between clients and a server, which shows, records and replays what they send.

Several clients run side by side in one event loop. Every wait for a peer, or for the reader of stdout, holds up
only what comes from the other side. So a side that does not read makes the other side wait, and memory is
bounded: for each client, a message of --max-size in each direction and some buffers.
"""

import asyncio
import ipaddress
import itertools
import os
import signal
import socket
import time
from contextlib import suppress
from typing import Any

from curlwire.command import codes
from curlwire.command.codes import Failure
from curlwire.command.connecting import check_uri, seconds, settings, warn
from curlwire.command.output import say, write_trace
from curlwire.command.parser import Given, usage
from curlwire.command.report import without_secrets
from curlwire.errors import WebSocketError

_CLIENTS = 100
_POLITE_S = 10.0  # for the close frames at the end
_LOOK_S = 0.2  # between two looks at a stdout that may be stuck
_CONNECT_S = 60.0
_MAX_BYTES = 64 << 20  # the default of --max-size
_OWNER_ONLY = 0o177  # umask
_NEVER = float("inf")


def parse_listen(text: str) -> str | tuple[str, int]:
    """Returns the path of a Unix socket, or the address and the port of LISTEN. Raises Failure."""
    scheme, mark, rest = text.partition("://")
    if mark:
        if scheme.lower() != "ws" or rest.partition("/")[2]:
            raise usage("LISTEN of tap is an address such as ws://127.0.0.1:9000/: it has no TLS and no path")
        text = rest.partition("/")[0]
    elif text.startswith("unix:"):
        return text[5:]
    elif "/" in text:
        return text
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 0xFFFF:
        raise usage(
            "LISTEN of tap is an address and a port, such as 127.0.0.1:9000, or the path of a Unix socket"
        )
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise usage("LISTEN of tap has an IPv6 address in [ ], such as [::1]:9000")
    return ("127.0.0.1" if host in ("", "localhost") else host), int(port)


def _listen_unix(path: str) -> socket.socket:
    """Returns a socket that only its owner can connect to. Raises OSError."""
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    old = os.umask(_OWNER_ONLY)
    try:
        one.bind(path)
    except OSError:
        one.close()
        raise
    finally:
        os.umask(old)
    return one


def _listen(given: Given, text: str) -> socket.socket:
    """Returns the socket that listens. Raises Failure."""
    where = parse_listen(text)
    try:
        if isinstance(where, str):
            return _listen_unix(where)
        address = ipaddress.ip_address(where[0])
        if not address.is_loopback and not given.get("allow-remote"):
            raise usage(f"{where[0]} lets other machines connect. If that is meant, add --allow-remote")
        family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
        return socket.create_server(where, family=family)
    except OSError as error:
        reason = error.strerror or str(error)
    except ValueError:
        raise usage(f"{where[0]!r} is no IP address. LISTEN of tap has one, such as 127.0.0.1:9000") from None
    raise Failure(codes.LISTEN, f"tap cannot listen on {text!r}: {reason}. Choose another address")


def _name_of(one: socket.socket) -> str:
    where = one.getsockname()
    if isinstance(where, str):
        return f"unix:{where}"
    host = f"[{where[0]}]" if ":" in where[0] else where[0]
    return f"ws://{host}:{where[1]}/"


class Tap:
    """The server. Everything but on_signal() runs in the event loop."""

    def __init__(self, given: Given, uri: str) -> None:
        from curlwire.command.tap_record import Event, Record, read_record

        self.given: Given = given
        self.uri: str = uri
        self.controls: dict[str, Any]
        self.headers: list[tuple[str, str]]
        self.controls, self.headers = settings(given)
        if "trace" in given:
            self.controls["trace_file"] = given["trace"]
        if "ping-interval" not in given:
            self.controls["keepalive"] = "off"  # the pings of the client and of the server are passed on
        size = self.controls.get("max_message_size", _MAX_BYTES)
        self.max_bytes: int | None = size
        self.replays: list[list[Event]] = read_record(given["replay"]) if "replay" in given else []
        self.record: Record = Record(given)
        self.numbers: itertools.count[int] = itertools.count(1)
        self.lines: dict[asyncio.Task[None], Any] = {}
        self.failure: Failure | None = None
        self.stopping: asyncio.Event = asyncio.Event()
        self.must_end: asyncio.Event = asyncio.Event()

    async def run(self, listener: socket.socket) -> None:
        """Serves clients until a signal or a failure. Raises Failure."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.on_signal, number)
        limit_s = self.given.get("max-time", _NEVER)
        server = await asyncio.start_server(self._on_client, sock=listener)
        text = f"for {without_secrets(self.uri)}" if self.uri else f"replaying {self.given['replay']!r}"
        warn(self.given, f"listening on {_name_of(listener)}, {text}")
        try:
            async with asyncio.timeout(seconds(limit_s)):
                await self.stopping.wait()
        except TimeoutError:
            self.failure = Failure(codes.TIMEOUT, f"--max-time is over: {limit_s:g} s")
        server.close()
        await self._close_all()
        if self.failure:
            raise self.failure

    async def _close_all(self) -> None:
        tasks = list(self.lines)
        ending = [asyncio.create_task(line.stop()) for line in self.lines.values()]
        over = asyncio.create_task(self.must_end.wait())
        until = time.monotonic() + _POLITE_S
        while tasks and not (over.done() or self.record.is_stuck() or time.monotonic() >= until):
            await asyncio.wait((*tasks, over), timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED)
            tasks = [task for task in tasks if not task.done()]
        for task in (*ending, *tasks, over):
            task.cancel()

    def on_signal(self, number: int) -> None:
        """Ends the command politely; the second signal ends it at once."""
        if self.stopping.is_set():
            self.must_end.set()
        self.failure = Failure(128 + number, "")
        self.stopping.set()

    async def _on_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from curlwire.command.tap_client import Client
        from curlwire.command.tap_line import Relay, Replay

        client = Client(reader, writer, self.max_bytes)
        limit_s = self.given.get("connect-timeout", _CONNECT_S)
        number = next(self.numbers)
        common = (number, client, self.record, seconds(limit_s))
        if self.uri:
            on_trace = write_trace if self.given.get("verbose") else None
            line: Relay | Replay = Relay(self.uri, self.controls, self.headers, on_trace, *common)
        else:
            line = Replay(self.replays[(number - 1) % len(self.replays)], *common)
        task = asyncio.current_task()
        assert task is not None
        is_full = len(self.lines) >= _CLIENTS
        if len(self.lines) >= 2 * _CLIENTS:  # they wait for their answer that there are too many
            client.abort()
            return
        self.lines[task] = line
        try:
            if is_full or self.stopping.is_set():
                await line.turn_away(f"{_CLIENTS} clients are connected, the most that tap serves")
            else:
                await line.run()
        except Failure as error:
            self.failure = self.failure or error
            self.stopping.set()
            client.abort()
        except (OSError, WebSocketError, asyncio.CancelledError):
            client.abort()
        finally:
            del self.lines[task]


def tap(given: Given, rest: list[str]) -> int:
    """Runs the verb, and returns the exit code. Raises Failure."""
    if not rest:
        raise usage("tap needs LISTEN and URI, such as: curlwire tap 127.0.0.1:9000 wss://example.com/")
    where = rest.pop(0)
    if "replay" in given and rest:
        raise usage("tap --replay answers without a server: leave out the URI")
    uri = "" if "replay" in given else check_uri(rest)
    if uri and uri.partition("://")[0].lower() not in ("ws", "wss"):
        raise Failure(codes.URI, "the URI of tap begins with ws:// or wss://")
    try:
        import websockets.server  # noqa: F401
    except ImportError:
        raise usage("tap needs the library websockets: pip install 'curlwire[cli]'") from None
    listener = _listen(given, where)
    try:
        with listener:
            asyncio.run(_run(given, uri, listener))
    except Failure as error:
        say(given, error.code, str(error))
        return error.code
    finally:
        path = parse_listen(where)
        if isinstance(path, str):
            with suppress(OSError):
                os.unlink(path)
    return 0


async def _run(given: Given, uri: str, listener: socket.socket) -> None:
    await Tap(given, uri).run(listener)
