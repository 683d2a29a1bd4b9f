# SPDX-License-Identifier: MIT
"""A client of the verb tap from its request to its end: with the server behind it, or with a recorded one."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from websockets.frames import Opcode

from curlwire import aio
from curlwire.command.codes import Failure
from curlwire.command.connecting import explain
from curlwire.command.tap_client import Client, Frame, Request, passed_on
from curlwire.command.tap_record import (
    BINARY,
    CLIENT,
    CLOSE,
    LOST,
    OPEN,
    PING,
    PONG,
    REFUSED,
    SERVER,
    TEXT,
    Event,
    Record,
    data_of,
)
from curlwire.errors import ArgumentError, ConnectionClosed, ConnectTimeout, WebSocketError

_CLOSE_S = 10.0  # for the close frame of a client
_NO_CODE, _LOST, _GONE, _BAD_TEXT = 1005, 1006, 1001, 1007
_BAD_REQUEST, _BAD_GATEWAY, _GATEWAY_TIMEOUT = 400, 502, 504
_SWITCHING, _BUSY = 101, 503
_PLAIN = [("Content-Type", "text/plain; charset=utf-8")]
_END = None  # in place of a message: the client has closed, or is lost
Message = str | bytes


def target_of(uri: str, path: str) -> str:
    """Returns the URI for a request: the path of the client behind that of the URI, and both queries."""
    base, _, own = uri.partition("?")
    path, _, query = path.partition("?")
    scheme, _, rest = base.partition("://")
    host, slash, folder = rest.partition("/")
    if path.startswith("/") and path != "/":
        folder, slash = f"{folder.rstrip('/')}{path}".removeprefix("/") if folder else path[1:], "/"
    queries = "&".join(one for one in (own, query) if one)
    return f"{scheme}://{host}{slash or '/'}{folder}" + (f"?{queries}" if queries else "")


class Line:
    """What both kinds have in common: the client, its number, and reading its messages."""

    def __init__(self, number: int, client: Client, record: Record, limit_s: float) -> None:
        self.number: int = number
        self.client: Client = client
        self.record: Record = record
        self.limit_s: float = limit_s  # for the request of the client, and for the connect to the server
        self.accepted: asyncio.Event = asyncio.Event()
        self.is_quiet: bool = False  # the end of the client is not noted

    async def run(self) -> None:
        """Serves the client until its end. Raises Failure if nothing can be written any more."""
        request = await self._request()
        if request is not None:
            await self.serve(request)
        await self.client.end(_CLOSE_S)

    async def turn_away(self, text: str) -> None:
        """Refuses the client with HTTP status 503."""
        if await self._request() is not None:
            await self.refuse(_BUSY, _PLAIN, f"curlwire tap: {text}\n".encode(), text)
        await self.client.end(_CLOSE_S)

    async def _request(self) -> Request | None:
        try:
            async with asyncio.timeout(self.limit_s):
                return await self.client.request()
        except OSError:  # also TimeoutError
            return None

    async def serve(self, request: Request) -> None:
        """Answers the request, and serves the client."""
        raise NotImplementedError

    async def stop(self) -> None:
        """Closes the connection because the command ends."""
        self.is_quiet = True
        if self.client.is_connecting:
            self.client.abort()
        await self.client.close(_GONE, "")

    async def refuse(self, status: int, headers: list[tuple[str, str]], body: bytes, reason: str) -> None:
        """Refuses the client with an HTTP status."""
        facts = {"reason": reason} if reason else {}
        await self.record.note(self.number, REFUSED, status=status, **facts)
        await self.client.refuse(status, headers, body)

    async def opened(self, request: Request, subprotocol: str | None, headers: list[tuple[str, str]]) -> None:
        """Accepts the client."""
        facts = {"subprotocol": subprotocol} if subprotocol else {}
        # the query may have a token
        await self.record.note(self.number, OPEN, path=request.path.partition("?")[0], **facts)
        await self.client.accept(request, subprotocol, headers)
        self.accepted.set()

    async def on_message(self, message: Message) -> None:
        """Takes a message of the client."""

    async def on_ping(self, data: bytes) -> None:
        """Takes a ping of the client."""

    async def read(self) -> tuple[int, str]:
        """Reads the client to its end. Returns the code and the reason of its close frame; 1006 without one."""
        parts: list[bytes] = []
        is_text = False
        async for frame in self.client.frames():
            if frame.opcode is Opcode.CLOSE:
                return await self._closed(frame)
            data = bytes(frame.data)
            if frame.opcode in (Opcode.PING, Opcode.PONG):
                kind = PING if frame.opcode is Opcode.PING else PONG
                await self.record.message(self.number, CLIENT, data, kind)
                if kind == PING:
                    await self.on_ping(data)
                continue
            if frame.opcode is not Opcode.CONT:
                is_text = frame.opcode is Opcode.TEXT
            parts.append(data)
            if frame.fin:
                whole, parts = b"".join(parts), []
                if not await self._take(whole, is_text):
                    return _LOST, ""
        await self._lost()
        return _LOST, ""

    async def _lost(self) -> None:
        if not self.is_quiet:
            error = self.client.protocol.parser_exc
            is_rule = error is not None and not isinstance(error, EOFError)
            await self.record.note(self.number, LOST, CLIENT, **({"reason": str(error)} if is_rule else {}))

    async def _take(self, whole: bytes, is_text: bool) -> bool:
        message: Message = whole
        if is_text:
            try:
                message = whole.decode()
            except UnicodeDecodeError:
                await self.record.note(self.number, LOST, CLIENT, reason="a text message is not UTF-8")
                await self.client.fail(_BAD_TEXT, "")
                return False
        await self.record.message(self.number, CLIENT, message)
        await self.on_message(message)
        return True

    async def _closed(self, _: Frame) -> tuple[int, str]:
        close = self.client.protocol.close_rcvd
        assert close is not None
        if not self.is_quiet:
            await self.record.note(self.number, CLOSE, CLIENT, code=int(close.code), reason=close.reason)
        return int(close.code), close.reason


class Relay(Line):
    """A client with the server behind it.

    uri: of the server. controls, headers: of the socket to it. show_trace: shows a line of its trace, or None.
    """

    def __init__(
        self,
        uri: str,
        controls: dict[str, Any],
        headers: list[tuple[str, str]],
        show_trace: Callable[[str], object] | None,
        *common: Any,
    ) -> None:
        super().__init__(*common)
        self.uri: str = uri
        self.controls: dict[str, Any] = controls
        self.headers: list[tuple[str, str]] = headers
        self.ws: aio.MessageWebSocket | None = None
        self.pinging: asyncio.Task[None] | None = None
        self.ping_data: bytes = b""
        self.passing: asyncio.Task[None] | None = None  # a ping of the server
        self.show_trace: Callable[[str], object] | None = show_trace

    def _socket(self, request: Request) -> aio.MessageWebSocket:
        """Returns the socket to the server, with the headers of the client. Raises ArgumentError."""
        controls = dict(self.controls)
        offered = ",".join(request.headers.get_all("Sec-WebSocket-Protocol")).split(",")
        names = [name.strip() for name in offered if name.strip()]
        if names:
            controls["supported_protocols"] = names
        ws = aio.MessageWebSocket(**controls)
        ours = {name.lower() for name, _ in self.headers}
        ours |= {"origin"} if "origin" in controls else set()
        ours |= {"user-agent"} if "user_agent" in controls else set()
        ours |= {"authorization"} if controls.keys() & {"server_credential", "xoauth2_bearer"} else set()
        theirs = passed_on(request.headers.raw_items())
        for name, value in [*((n, v) for n, v in theirs if n.lower() not in ours), *self.headers]:
            ws.add_request_header(name, value)
        ws.on_trace = self._on_trace
        return ws

    def _on_trace(self, _: object, line: str) -> None:
        if self.show_trace:
            self.show_trace(line)
        if "< frame ping " in line and (self.passing is None or self.passing.done()):
            self.passing = asyncio.get_running_loop().create_task(self._pass_ping())

    async def serve(self, request: Request) -> None:
        """Connects to the server, answers the request as it does, and passes on what both send."""
        ws: aio.MessageWebSocket | None = None
        try:
            self.ws = ws = self._socket(request)
            await ws.connect(target_of(self.uri, request.path), timeout=self.limit_s)
        except WebSocketError as error:
            await self._refused(error)
            return
        finally:
            if ws is not None and ws.state != "open":
                ws.abort()
        try:
            await self.opened(request, ws.protocol, passed_on(ws.response_headers.raw))
            await self._pass_on(ws)
        finally:
            for task in (self.pinging, self.passing):
                if task is not None:
                    task.cancel()
            ws.abort()

    async def _refused(self, error: WebSocketError) -> None:
        if error.http_status > _SWITCHING:
            headers = passed_on(error.headers.raw)
            await self.refuse(error.http_status, headers, error.body, "")
            return
        status = _GATEWAY_TIMEOUT if isinstance(error, ConnectTimeout) else _BAD_GATEWAY
        status = _BAD_REQUEST if isinstance(error, ArgumentError) else status
        text = explain(error)
        await self.refuse(status, _PLAIN, f"curlwire tap: {text}\n".encode(), text)

    async def _pass_on(self, ws: aio.MessageWebSocket) -> None:
        up = asyncio.create_task(self._up(ws))
        down = asyncio.create_task(self._down(ws))
        try:
            await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
            if not up.done() and not await down:
                self.is_quiet = True
                self.client.abort()
            async with asyncio.timeout(_CLOSE_S):  # for the close frame of the client, or the end of the server
                await up
                await down
        except TimeoutError:
            self.client.abort()
        finally:
            up.cancel()
            down.cancel()

    async def _up(self, ws: aio.MessageWebSocket) -> None:
        code, reason = await self.read()
        if code == _LOST:
            ws.abort()
            return
        with suppress(ConnectionClosed):
            await ws.close(code, reason)

    async def _down(self, ws: aio.MessageWebSocket) -> bool:
        """Passes on what the server sends. Returns whether a close frame has gone to the client."""
        try:
            while True:
                message = await ws.recv(None)
                await self.record.message(self.number, SERVER, message)
                await self.client.send(message)
        except WebSocketError as error:
            code, reason = ws.close_code or _LOST, ws.close_reason
            if self.is_quiet or not self.client.is_open:
                return True
            if code == _LOST:
                await self.record.note(self.number, LOST, SERVER, reason=explain(error))
                return False
            await self.record.note(self.number, CLOSE, SERVER, code=code, reason=reason)
            await self.client.close(code, reason)
            return True

    async def on_message(self, message: Message) -> None:
        """Passes on a message. Waits while the server does not read."""
        if self.ws is not None:
            with suppress(ConnectionClosed):
                await self.ws.send(message, timeout=None)

    async def on_ping(self, data: bytes) -> None:
        """Lets the server answer a ping. If one waits already, its pong answers this one too."""
        self.ping_data = data
        if self.pinging is None or self.pinging.done():
            self.pinging = asyncio.create_task(self._ping())

    async def _ping(self) -> None:
        assert self.ws is not None
        with suppress(WebSocketError, Failure):  # other frames show the same error
            await self.ws.ping(timeout=None)
            data = self.ping_data
            await self.record.message(self.number, SERVER, data, PONG)
            await self.client.pong(data)

    async def _pass_ping(self) -> None:
        await self.accepted.wait()
        with suppress(Failure):
            await self.record.message(self.number, SERVER, b"", PING)
            await self.client.ping()

    async def stop(self) -> None:
        """Closes both connections with code 1001."""
        await super().stop()
        if self.ws is not None:
            with suppress(WebSocketError):
                await self.ws.close(_GONE)


class Replay(Line):
    """A client that a recorded server answers."""

    def __init__(self, events: list[Event], *common: Any) -> None:
        super().__init__(*common)
        self.events: Iterator[Event] = iter(events)
        self.messages: asyncio.Queue[Message | None] = asyncio.Queue(1)

    async def serve(self, request: Request) -> None:
        """Answers the request as it was recorded, then the messages of the client by their number."""
        first = next(self.events)
        if first["type"] == REFUSED:
            await self.refuse(first["status"], [], b"", "")
            return
        offered = ",".join(request.headers.get_all("Sec-WebSocket-Protocol")).split(",")
        chosen = first.get("subprotocol")
        await self.opened(request, chosen if chosen in [name.strip() for name in offered] else None, [])
        reading = asyncio.create_task(self._read())
        try:
            await self._play()
            while not reading.done() and await self.messages.get() is not _END:
                pass
            await reading
        except TimeoutError:
            self.client.abort()
        finally:
            reading.cancel()
            await self.client.end(_CLOSE_S)

    async def _read(self) -> None:
        await self.read()
        await self.messages.put(_END)

    async def _play(self) -> None:
        for event in self.events:
            kind = event["type"]
            if event["from"] == CLIENT:
                if kind in (TEXT, BINARY, CLOSE) and await self.messages.get() is _END:
                    await self.messages.put(_END)
                    return
            elif kind == LOST:
                self.is_quiet = True
                await self.record.note(self.number, LOST, SERVER)
                self.client.abort()
                return
            elif kind == CLOSE:
                await self.record.note(self.number, CLOSE, SERVER, code=event["code"], reason=event["reason"])
                await self.client.close(event["code"], event["reason"])
                return
            elif kind != PONG:
                await self._send(event)

    async def _send(self, event: Event) -> None:
        data = data_of(event)
        if event["type"] == PING:
            await self.record.message(self.number, SERVER, data, PING)
            await self.client.ping(data if isinstance(data, bytes) else b"")
            return
        await self.record.message(self.number, SERVER, data)
        await self.client.send(data)

    async def on_message(self, message: Message) -> None:
        """Lets the recorded server go on."""
        await self.messages.put(message)

    async def on_ping(self, data: bytes) -> None:
        """Answers a ping."""
        await self.record.message(self.number, SERVER, data, PONG)
        await self.client.pong(data)
