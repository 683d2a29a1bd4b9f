# SPDX-License-Identifier: MIT
"""The side of the verb tap that accepts a client: the library websockets reads and makes the frames."""

import asyncio
import http
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from typing import Any, TypeAlias, cast

from websockets.datastructures import Headers
from websockets.frames import Frame as WireFrame
from websockets.frames import Opcode
from websockets.http11 import Request as HttpRequest
from websockets.http11 import Response
from websockets.protocol import State
from websockets.server import ServerProtocol

# The types of the library are Any here, because the checker of the types of a package sees no other package.
Request: TypeAlias = Any
Frame: TypeAlias = Any
_READ_BYTES = 1 << 16
_NO_CODE = 1005
_PONG = 0x8A  # the first byte of a pong
# Headers of one connection. All others are passed on. Those of the handshake are made anew.
_OF_CONNECTION = {
    "connection", "content-length", "host", "keep-alive", "proxy-authenticate", "proxy-authorization",
    "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
}  # fmt: skip
_HANDSHAKE = "sec-websocket-"

_log = logging.getLogger("curlwire.tap")
_log.addHandler(logging.NullHandler())  # the library logs requests, which have secrets
_log.propagate = False


def passed_on(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Returns the headers that are passed on to the other side."""
    return [
        (name, value)
        for name, value in headers
        if name.lower() not in _OF_CONNECTION and not name.lower().startswith(_HANDSHAKE)
    ]


class Client:
    """The connection of a client. Only the event loop uses it.

    reader, writer: of asyncio. max_bytes: of a message; None = no limit.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, max_bytes: int | None
    ) -> None:
        self.reader: asyncio.StreamReader = reader
        self.writer: asyncio.StreamWriter = writer
        self.subprotocol: str | None = None
        self.draining: asyncio.Lock = asyncio.Lock()
        self.protocol: Any = ServerProtocol(
            max_size=max_bytes, logger=_log, select_subprotocol=lambda _, __: cast("Any", self.subprotocol)
        )

    # ---- the handshake

    async def request(self) -> Request | None:
        """Returns the request; None if there is none, or it was no WebSocket's and is answered."""
        while not self.protocol.handshake_exc:
            data = await self.reader.read(_READ_BYTES)
            if not data:
                return None
            self.protocol.receive_data(data)
            events = self.protocol.events_received()
            if not events or not isinstance(events[0], HttpRequest):
                continue
            answer = self.protocol.accept(events[0])
            if answer.status_code == 101:
                return events[0]
            await self._answer(answer)
            return None
        await self._flush()
        return None

    async def accept(
        self, request: Request, subprotocol: str | None, headers: Iterable[tuple[str, str]]
    ) -> None:
        """Accepts the request, with these headers too."""
        self.subprotocol = subprotocol
        response = self.protocol.accept(request)
        for name, value in headers:
            if name.lower() != "date":
                response.headers[name] = value
        await self._answer(response)

    async def refuse(self, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        """Refuses the request."""
        try:
            phrase = http.HTTPStatus(status).phrase
        except ValueError:
            phrase = "Refused"
        whole = Headers(headers)
        whole["Connection"] = "close"
        whole["Content-Length"] = str(len(body))
        await self._answer(Response(status, phrase, whole, body))

    async def _answer(self, response: Response) -> None:
        self.protocol.send_response(response)
        await self._flush()

    # ---- frames

    async def frames(self) -> AsyncIterator[Frame]:
        """Yields the frames of the client. Ends after its close frame, and when the connection has ended."""
        events: list[Frame] = []
        while True:
            for event in events:
                yield event
                if event.opcode is Opcode.CLOSE:
                    return
            if self.protocol.state is State.CLOSED or self.protocol.parser_exc:
                return
            try:
                data = await self.reader.read(_READ_BYTES)
            except OSError:
                data = b""
            if data:
                self.protocol.receive_data(data)
            else:
                self.protocol.receive_eof()
            events = [event for event in self.protocol.events_received() if isinstance(event, WireFrame)]
            await self._flush(is_answer=True)

    async def _flush(self, *, is_answer: bool = False) -> None:
        """Writes what the protocol has made. If the client is lost, only frames() tells it.

        is_answer: leaves out pongs. The library answers a ping at once, but the answer of the server counts.
        """
        for data in self.protocol.data_to_send():
            if not data:
                if self.writer.can_write_eof():
                    self.writer.write_eof()
            elif not (is_answer and data[0] == _PONG):
                self.writer.write(data)
        with suppress(OSError):
            async with self.draining:
                await self.writer.drain()

    @property
    def is_connecting(self) -> bool:
        """Whether the request is not answered yet."""
        return self.protocol.state is State.CONNECTING

    @property
    def is_open(self) -> bool:
        """Whether frames can be sent."""
        return self.protocol.state is State.OPEN

    async def send(self, message: str | bytes) -> None:
        """Sends a message. Waits while the client does not read."""
        if not self.is_open:
            return
        if isinstance(message, str):
            self.protocol.send_text(message.encode())
        else:
            self.protocol.send_binary(message)
        await self._flush()

    async def ping(self, data: bytes = b"") -> None:
        """Sends a ping."""
        if self.is_open:
            self.protocol.send_ping(data)
            await self._flush()

    async def pong(self, data: bytes) -> None:
        """Sends a pong."""
        if self.is_open:
            self.protocol.send_pong(data)
            await self._flush()

    async def close(self, code: int, reason: str) -> None:
        """Sends a close frame."""
        if self.is_open:
            self.protocol.send_close(None if code == _NO_CODE else code, reason)
            await self._flush()

    async def fail(self, code: int, reason: str) -> None:
        """Sends a close frame because the client has broken a rule, and ends the connection."""
        if self.is_open:
            self.protocol.fail(code, reason)
            await self._flush()

    def abort(self) -> None:
        """Drops the connection without a close frame."""
        self.writer.transport.abort()

    async def end(self, limit_s: float) -> None:
        """Ends the connection behind what was sent, and drops it if the client does not take that in time."""
        self.writer.close()
        try:
            async with asyncio.timeout(limit_s):
                await self.writer.wait_closed()
        except OSError:  # also TimeoutError
            self.abort()
