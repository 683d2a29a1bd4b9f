# SPDX-License-Identifier: MIT
"""Code that type checkers must accept, and errors that they must find. The suite lint runs mypy and pyright on
it. A comment "type: ignore" on a line without an error is a failure."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

import io
from datetime import datetime
from typing import Literal, assert_type

import curlwire
import curlwire.trio
from curlwire import (
    ClosedEventArgs,
    MessageReceivedEventArgs,
    MessageWebSocket,
    StreamWebSocket,
    WebSocket,
    aio,
)
from curlwire.compat import websockets as compat
from curlwire.compat.websockets.sync import client as compat_client


class MyWebSocket(MessageWebSocket):
    """A subclass as a program may define it, for handlers that expect it."""

    heard = 0

    def listen(self) -> None:
        self.on_message_received = for_mine
        self.on_closed = self.ended

    @staticmethod
    def ended(ws: "MyWebSocket", args: ClosedEventArgs) -> None:
        ws.heard = args.code


class MyStream(StreamWebSocket): ...


def for_mine(ws: MyWebSocket, args: MessageReceivedEventArgs) -> None:
    ws.heard += len(args)


def for_any(ws: WebSocket, args: object) -> int:
    return 0


def closed_mine(ws: MyWebSocket, args: ClosedEventArgs) -> None: ...


def closed_stream(ws: MyStream, args: ClosedEventArgs) -> None: ...


async def never_runs(ws: MessageWebSocket, args: MessageReceivedEventArgs) -> None: ...


def handlers() -> None:
    mine = curlwire.connect("ws://localhost/", MyWebSocket, message_type="utf8")
    assert_type(mine, MyWebSocket)
    mine.on_message_received = for_mine
    mine.on_message_received = for_any
    mine.on_message_received = lambda ws, args: ws.send(args.data)
    mine.on_closed = closed_mine
    mine.on_closed = for_any
    mine.on_closed = None
    plain = curlwire.connect("ws://localhost/")
    assert_type(plain, MessageWebSocket)
    plain.on_message_received = for_any
    plain.on_message_received = for_mine  # type: ignore[assignment]
    plain.on_closed = lambda ws, args: print(args.code, ws.close_reason)
    stream = curlwire.connect("ws://localhost/", MyStream)
    stream.on_closed = closed_stream
    stream.on_closed = closed_mine  # type: ignore[assignment]


def calls(ws: MessageWebSocket) -> None:
    ws.send(data="x", timeout=None)
    ws.send(b"x", 1.5)
    ws.send(b"x", curlwire.DEFAULT)
    ws.recv(timeout=curlwire.DEFAULT)
    ws.recv(timeout=...)  # type: ignore[call-overload]
    ws.ping(timeout=...)  # type: ignore[arg-type]
    ws.send(5)  # type: ignore[arg-type]
    assert_type(ws.recv(), str | bytes)
    assert_type(ws.recv(copy=False), curlwire.MessageBuffer)
    assert_type([message for message in ws], list[str | bytes])  # noqa: C416 # this tests iteration
    ws.control.max_message_size = None
    ws.control.close_timeout = None  # type: ignore[assignment]
    with ws as same:
        assert_type(same, MessageWebSocket)


def values(ws: StreamWebSocket, args: MessageReceivedEventArgs) -> None:
    with curlwire.DataReader(ws.input_stream) as reader, open("data", "wb") as file:
        assert_type(reader.read_uint32(), int)
        assert_type(reader.read_date_time(), datetime)
        reader.byte_order = "little_endian"
        assert_type(reader.byte_order, curlwire.ByteOrder)
        reader.unicode_encoding = "utf32"  # type: ignore[assignment]
        reader.input_stream_options = (
            curlwire.InputStreamOptions.PARTIAL | curlwire.InputStreamOptions.READ_AHEAD
        )
        curlwire.DataWriter(file).write_int16(1)
    curlwire.DataWriter(ws.output_stream)
    curlwire.DataReader(io.BytesIO(b""))
    curlwire.DataReader(io.StringIO())  # type: ignore[arg-type]
    assert_type(args.get_data_reader(), curlwire.DataReader)
    assert_type(args.get_data_stream(), io.BytesIO)


async def awaits(ws: MessageWebSocket) -> None:
    async with ws:  # type: ignore[attr-defined]
        pass


def choices(ws: MessageWebSocket, decode: bool) -> None:
    assert_type(ws.recv(), str | bytes)
    assert_type(ws.recv(decode=True), str)
    assert_type(ws.recv(decode=False), bytes)
    assert_type(ws.recv(decode=decode), str | bytes)
    assert_type(ws.recv(5, True, decode=True), str)
    assert_type(ws.recv(copy=False), curlwire.MessageBuffer)
    ws.recv(copy=False, decode=True)  # type: ignore[call-overload]
    ws.send(["a", b"b"], text=True, compress=False)
    ws.send(part for part in (b"a", b"b"))
    ws.send(5)  # type: ignore[arg-type]
    ws.send_json({"a": 1}, dumps=lambda value: b"1")
    ws.send_json({"a": 1}, dumps=lambda value: 5)  # type: ignore[arg-type, return-value]
    number: int = ws.recv_json()
    assert_type(ws.recv_json(loads=float), float)
    assert number


def options() -> None:
    ws = curlwire.connect(
        "wss://localhost/",
        MessageWebSocket,
        headers={"Origin": "https://a.example", "X-Many": ["1", "2"]},
        subprotocols=["chat"],
        timeout=5,
        server_credential=("user", "password"),
        proxy_credential=None,
        client_certificate="client.pem",
        client_certificate_type="p12",
    )
    assert_type(ws, MessageWebSocket)
    curlwire.connect("ws://localhost/", StreamWebSocket, headers=[("a", "b")], timeout=None)
    curlwire.connect("ws://localhost/", headers=5)  # type: ignore[call-overload]
    curlwire.connect("ws://localhost/", server_credential="user")  # type: ignore[call-overload]
    curlwire.connect("ws://localhost/", client_certificate_type="der")  # type: ignore[call-overload]
    curlwire.connect("ws://localhost/", StreamWebSocket, message_type="utf8")  # type: ignore[call-overload]


def one_message(ws: MessageWebSocket) -> None:
    with ws.recv_stream(timeout=curlwire.DEFAULT) as stream:
        assert_type(stream, curlwire.MessageStream)
        assert_type(stream.readinto(bytearray(8)), int)
        assert_type(stream.message_type, curlwire.SocketMessageType)
    assert_type(ws.recv_into(bytearray(8), timeout=None), int)


def facts(ws: WebSocket) -> None:
    certificate = ws.information.server_certificate
    assert_type(certificate, curlwire.Certificate | None)
    if certificate is not None:
        assert_type(certificate.subject, str | None)
        assert_type(certificate.der, bytes)
    tls = ws.information.tls
    assert_type(tls, curlwire.TlsInformation | None)
    if tls is not None:
        assert_type(tls.version, str)
        assert_type(tls.is_resumed, bool)
    assert_type(ws.information.timings, curlwire.Timings)
    assert_type(ws.information.timings.total, float | None)
    assert_type(ws.control.tls_min_version, Literal["1.2", "1.3"])
    assert_type(ws.control.client_key_data, str | None)
    assert_type(ws.bandwidth_statistics, curlwire.BandwidthStatistics)
    assert_type(ws.bandwidth_statistics.inbound_bits_per_second, int)
    assert_type(ws.information.statistics.bytes_sent, int)
    assert_type(ws.information.statistics.round_trip_mean, float | None)
    assert_type(curlwire.statistics().closed, dict[int, int])
    assert_type(curlwire.statistics().failed, dict[curlwire.WebErrorStatus, int])


def validate(ws: WebSocket, args: curlwire.ServerCustomValidationRequestedEventArgs) -> None:
    deferral = args.get_deferral()
    assert_type(deferral, curlwire.Deferral)
    assert_type(args.server_certificate, curlwire.Certificate | None)
    args.reject()
    deferral.complete()


def validation(ws: MessageWebSocket) -> None:
    ws.on_server_custom_validation_requested = validate
    ws.on_server_custom_validation_requested = None
    ws.on_trace = lambda ws, line: print(line.upper())
    ws.on_trace = None
    curlwire.log_trace(ws)
    ws.on_server_custom_validation_requested = closed_mine  # type: ignore[assignment]


async def closed_soon(ws: aio.MessageWebSocket, args: ClosedEventArgs) -> None:
    await ws.wait_closed()


async def in_asyncio() -> None:
    async with aio.connect("ws://localhost/", compression="deflate") as ws:
        assert_type(ws, aio.MessageWebSocket)
        assert_type(await ws.send_many(["a", b"b"], timeout=1), int)
        assert_type(await (await ws.recv_stream()).readline(), bytes)
        ws.on_closed = closed_soon
        await ws.send(5)  # type: ignore[arg-type]
    stream = await aio.connect("ws://localhost/", aio.StreamWebSocket, sock=5)
    assert_type(stream, aio.StreamWebSocket)
    assert_type(stream.close_code, int | None)
    reconnecting = aio.ReconnectingWebSocket("ws://localhost/")
    assert_type(reconnecting.socket, aio.MessageWebSocket | None)
    assert_type(reconnecting.attempt, int)
    aio.connect("ws://localhost/", bad_option=1)  # type: ignore[call-overload]


async def in_trio() -> None:
    class Mine(curlwire.trio.MessageWebSocket):
        pass

    assert_type(await curlwire.trio.connect("ws://localhost/", Mine), Mine)
    async with curlwire.trio.connect("ws://localhost/", subprotocols=["chat"]) as ws:
        assert_type(ws, curlwire.trio.MessageWebSocket)
        assert_type(await ws.ping(), float)


async def compat_asyncio() -> None:
    async with compat.connect("ws://localhost/") as ws:
        assert_type(ws, compat.ClientConnection)
        assert_type(await ws.recv(), str | bytes)
        assert_type(await ws.recv(decode=True), str)
        assert_type(await ws.recv(decode=False), bytes)
        async for message in ws:
            assert_type(message, str | bytes)
        assert_type(ws.subprotocol, compat.Subprotocol | None)
    async for ws in compat.connect("ws://localhost/", subprotocols=[compat.Subprotocol("chat")]):
        assert_type(ws.close_code, int | None)


def compat_sync() -> None:
    with compat_client.connect("ws://localhost/") as ws:
        assert_type(ws.recv(timeout=1, decode=False), bytes)
        assert_type(ws.wait_closed(timeout=1), bool)
    for ws in compat_client.connect("ws://localhost/", legacy=False, open_timeout=3):
        assert_type(ws, compat_client.ClientConnection)
    assert_type(compat_client.unix_connect("/tmp/x", max_size=None), compat_client.ClientConnection)
    assert_type(compat_client.unix_connect("/tmp/x", legacy=False), compat_client.reconnect)
    compat_client.connect("ws://localhost/", max_sise=1)  # type: ignore[call-overload]
