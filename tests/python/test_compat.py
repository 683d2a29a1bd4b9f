# SPDX-License-Identifier: MIT
"""curlwire.compat.websockets: its names and arguments, what it refuses, and what its programs cannot show."""

import asyncio
import base64
import gc
import hashlib
import inspect
import logging
import os
import socket
import subprocess
import sys
import threading
import weakref
from typing import Any
from unittest.mock import patch

import pytest
import websockets
import websockets.asyncio.client
import websockets.client
import websockets.proxy
import websockets.sync.client
import websockets.uri

import curlwire
from curlwire.compat import websockets as ours
from curlwire.compat.websockets import client, exceptions, frames, proxy, uri
from curlwire.compat.websockets.asyncio import client as asyncio_client
from curlwire.compat.websockets.datastructures import Headers, MultipleValuesError
from curlwire.compat.websockets.protocol import State
from curlwire.compat.websockets.sync import client as sync_client
from peers import WAIT, Recorded, echo, url

SECRET = "hunter2secret"


# ---- names and arguments


def test_every_name_of_the_package_is_there_or_says_why_not() -> None:
    for name in websockets.__all__:
        try:
            getattr(ours, name)
        except ImportError as error:
            assert "curlwire" in str(error) and name in str(error)
            assert name in ours._OF_SERVERS + ours._OF_FRAMES
    with pytest.raises(AttributeError):
        ours.nothing  # noqa: B018
    assert set(ours.__all__) <= set(dir(ours)) | set(ours._OF_ASYNCIO)


def test_every_exception_is_there_with_its_bases() -> None:
    import websockets.exceptions as theirs

    for name in theirs.__all__:
        bases = {base.__name__ for base in getattr(theirs, name).__mro__}
        assert {base.__name__ for base in getattr(exceptions, name).__mro__} == bases


def parameters(function: Any) -> dict[str, tuple[Any, Any]]:
    """The kind and the default of each argument. A default that is an object counts by its name."""
    found = inspect.signature(function).parameters.values()
    return {
        one.name: (one.kind, getattr(one.default, "__name__", one.default))
        for one in found
        if one.name not in ("self", "user_agent_header")
    }


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (asyncio_client.connect, websockets.asyncio.client.connect),
        (asyncio_client.unix_connect, websockets.asyncio.client.unix_connect),
        (sync_client.connect, websockets.sync.client.connect),
        (sync_client.unix_connect, websockets.sync.client.unix_connect),
        (sync_client.reconnect, websockets.sync.client.reconnect),
        (sync_client.unix_reconnect, websockets.sync.client.unix_reconnect),
        (client.backoff, websockets.client.backoff),
        (client.process_exception, websockets.client.process_exception),
        (asyncio_client.ClientConnection, websockets.asyncio.client.ClientConnection),
        (sync_client.ClientConnection, websockets.sync.client.ClientConnection),
    ],
)
def test_arguments_and_defaults_are_the_same(mine: Any, theirs: Any) -> None:
    assert parameters(mine) == parameters(theirs)


METHODS = ("recv", "recv_streaming", "send", "close", "wait_closed", "ping", "pong")


@pytest.mark.parametrize("name", METHODS)
def test_methods_have_the_same_arguments(name: str) -> None:
    for mine, theirs in ((asyncio_client, websockets.asyncio.client), (sync_client, websockets.sync.client)):
        pair = (getattr(module.ClientConnection, name) for module in (mine, theirs))
        one, other = (list(parameters(method).items()) for method in pair)
        assert one == other


def test_the_defaults_of_the_programs_are_those_of_websockets() -> None:
    connecting = asyncio_client.connect("ws://localhost/")
    protocol = connecting.protocol()
    connection = asyncio_client.ClientConnection(protocol, **connecting._connection_kwargs)
    control = connection._ws.control
    assert control.max_message_size == 2**20
    assert (control.ping_interval, control.ping_timeout, control.close_timeout) == (20, 20, 10)
    assert control.proxy is False and control.send_timeout is None
    assert connecting.open_timeout == 10
    assert next(iter(client.backoff())) <= 5
    assert [round(delay, 1) for delay, _ in zip(client.backoff(0), range(4), strict=False)] == [
        0,
        3.1,
        5.0,
        8.1,
    ]


# ---- functions of which both libraries have one


@pytest.mark.parametrize(
    "text",
    [
        "ws://localhost", "wss://LOCALHOST:99/a/b?c=d&e", "ws://u%40:p%2F@h/", "ws://[::1]:8/x",
        "ws://h/ö?ü=ä", "wss://ö.example/", "http://h/", "ws:///x", "ws://h/#f", "ws://user@h/",
        "ws://h:99999/", "ws://h:x/", "",
    ],
)  # fmt: skip
def test_uris_are_read_alike(text: str) -> None:
    try:
        theirs = websockets.uri.parse_uri(text)
    except (websockets.InvalidURI, ValueError):
        with pytest.raises(exceptions.InvalidURI):
            uri.parse_uri(text)
        return
    mine = uri.parse_uri(text)
    names = ("secure", "host", "port", "path", "query", "username", "password", "resource_name", "user_info")
    assert [getattr(mine, name) for name in names] == [getattr(theirs, name) for name in names]


@pytest.mark.parametrize("target", ["ws://example.com/", "wss://example.com/", "ws://localhost:80/"])
@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"http_proxy": "http://a:1"},
        {"https_proxy": "http://b:2", "http_proxy": "http://a:1"},
        {"socks_proxy": "http://c:3", "https_proxy": "http://b:2"},
        {"ws_proxy": "socks5://d:4", "wss_proxy": "http://e:5", "socks_proxy": "http://c:3"},
        {"https_proxy": "http://b:2", "http_proxy": "http://a:1", "no_proxy": "example.com"},
    ],
)
def test_the_environment_names_the_same_proxy(target: str, environment: dict[str, str]) -> None:
    with patch.dict(os.environ, environment):
        for name in set(os.environ) - set(environment):
            if name.lower().endswith("_proxy"):
                del os.environ[name]
        theirs = websockets.proxy.get_proxy(websockets.uri.parse_uri(target))
        assert proxy.get_proxy(uri.parse_uri(target)) == theirs


def test_close_frames_are_described_alike() -> None:
    from websockets.frames import Close

    for code in (*frames.CloseCode, 1016, 2999, 3000, 3999, 4000, 4999):
        for reason in ("", "why"):
            assert str(frames.Close(code, reason)) == str(Close(code, reason))
    pairs = [(None, None, None), ((1000, "a"), None, None), (None, (1001, ""), None), ((1, ""), (2, ""), True)]
    pairs.append(((1000, ""), (1000, ""), False))
    for rcvd, sent, order in pairs:
        mine = exceptions.ConnectionClosed(rcvd and frames.Close(*rcvd), sent and frames.Close(*sent), order)
        theirs = websockets.ConnectionClosed(rcvd and Close(*rcvd), sent and Close(*sent), order)
        assert str(mine) == str(theirs)


def test_headers() -> None:
    headers = Headers({"A": "1"}, b="2")
    headers["a"] = "3"
    headers.update([("C", "4")])
    assert list(headers) == ["a", "b", "c"] and len(headers) == 3
    assert headers.get_all("A") == ["1", "3"] and headers["B"] == "2" and "c" in headers and 5 not in headers
    assert list(headers.raw_items()) == [("A", "1"), ("b", "2"), ("a", "3"), ("C", "4")]
    with pytest.raises(MultipleValuesError, match="'A'"):
        headers["A"]
    with pytest.raises(KeyError):
        headers["D"]
    copy = headers.copy()
    del headers["A"]
    assert "a" not in headers and copy != headers and copy == Headers(copy)
    assert str(headers) == "b: 2\r\nC: 4\r\n\r\n"
    with pytest.raises(KeyError):
        del headers["A"]
    headers.clear()
    assert not headers and headers != 5


def test_a_uri_that_only_the_core_refuses() -> None:
    for bad in ("ws://a b/", "ws://h\0/", f"ws://u:{SECRET}@h/a b?{SECRET}"):
        with pytest.raises(exceptions.InvalidURI) as caught:
            sync_client.connect(bad)
        assert isinstance(caught.value.__cause__, curlwire.ArgumentError)
        assert SECRET not in str(caught.value) + repr(caught.value)


def test_another_loop_is_told() -> None:
    ws = asyncio.run(connected())

    async def main() -> None:
        for call in (ws.recv, lambda: ws.send("x"), ws.close):
            with pytest.raises(curlwire.StateError, match="another event loop"):
                await call()
        ws.transport.abort()

    asyncio.run(main())


async def connected() -> asyncio_client.ClientConnection:
    return await asyncio_client.connect(echo())


JUNK = {
    "HTTP/1.1 101 OK\r\nUpgrade: websocket\r\n\r\n": "InvalidUpgrade",
    "HTTP/1.1 101 OK\r\nConnection: Upgrade\r\n\r\n": "InvalidUpgrade",
    "HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n": "InvalidHeader",
    "HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n"
    "Sec-WebSocket-Protocol: other\r\n\r\n": "NegotiationError",
    "HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n"
    "Sec-WebSocket-Extensions: other\r\n\r\n": "NegotiationError",
    "220 smtp.example\r\n": "InvalidMessage",
    "HTTP/1.1 101 OK\r\nX: " + "x" * 200_000 + "\r\n\r\n": "InvalidHandshake",
}


@pytest.mark.parametrize("reply", JUNK, ids=range(len(JUNK)))
def test_replies_that_break_a_rule(serve: Any, reply: str) -> None:
    """Each has its exception, and none of them is tried again."""
    from sites import reply as answering

    def answer(connection: socket.socket, head: bytes) -> None:
        key = head.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        answering(reply.replace("{accept}", accept.decode()).replace("\r\n", "\n"))(connection, head)

    with pytest.raises(exceptions.InvalidHandshake) as caught:
        sync_client.connect(f"ws://127.0.0.1:{serve(answer).port}/", proxy=None)
    error = caught.value
    assert JUNK[reply] in {base.__name__ for base in type(error).__mro__}
    assert client.process_exception(error) is error
    while error.__cause__ is not None and not isinstance(error, curlwire.WebSocketError):
        error = error.__cause__  # type: ignore[assignment]
    assert isinstance(error, curlwire.HandshakeError)


def test_a_server_that_ends_at_once_is_tried_again(serve: Any) -> None:
    with pytest.raises(exceptions.InvalidMessage) as caught:
        sync_client.connect(f"ws://127.0.0.1:{serve(lambda connection, head: None).port}/", proxy=None)
    assert isinstance(caught.value.__cause__, EOFError)
    assert client.process_exception(caught.value) is None


# ---- what is refused


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"ssl_handshake_timeout": 5}, "connect_timeout"),
        ({"flags": 1}, "resolve"),
        ({"family": 99}, "family"),
        ({"max_size": (100, 10)}, "max_message_size"),
        ({"extensions": [object()]}, "compression"),
        ({"proxy": "https://h:1", "proxy_server_hostname": "other"}, "proxy"),
        ({"proxy": "http://h:1", "host": "h"}, "proxy"),
    ],
)
def test_what_cannot_be_done_is_refused(arguments: dict[str, Any], words: str) -> None:
    async def main() -> None:
        await asyncio_client.connect("ws://localhost:1/", **arguments)

    with pytest.raises(NotImplementedError, match=words):
        asyncio.run(main())


def test_unknown_and_wrong_arguments() -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match="low"):
            await asyncio_client.connect("ws://localhost:1/", max_queue=(1, 2))

    asyncio.run(main())
    for connect in (asyncio_client.connect, sync_client.connect):
        with pytest.raises(TypeError, match="'nonsense'"):
            connect("ws://localhost:1/", nonsense=1)
    with pytest.raises(NotImplementedError, match="connect_timeout"):
        sync_client.connect("ws://localhost:1/", timeout=3)
    with pytest.raises(TypeError, match="what connect"):
        sync_client.ClientConnection(None, "protocol")  # type: ignore[arg-type]


def test_pings_and_pongs_with_a_payload_name_their_control() -> None:
    async def main() -> None:
        async with asyncio_client.connect(echo()) as ws:
            with pytest.raises(NotImplementedError, match="ping_payload"):
                await ws.ping("payload")
            with pytest.raises(NotImplementedError, match="desired_unsolicited_pong_interval"):
                await ws.pong()
            with pytest.raises(TypeError):
                await ws.ping(5)  # type: ignore[arg-type]

    asyncio.run(main())
    with sync_client.connect(echo()) as ws:
        with pytest.raises(NotImplementedError, match="ping_payload"):
            ws.ping(b"payload")
        with pytest.raises(NotImplementedError, match="desired_unsolicited_pong_interval"):
            ws.pong(b"")
        with pytest.raises(TypeError):
            ws.pong(5)  # type: ignore[arg-type]


# ---- secrets


def test_no_text_shows_a_secret() -> None:
    texts = []
    for bad in (
        f"http://u:{SECRET}@h/",
        f"ws://u:{SECRET}@h/?t={SECRET}#f",
        f"u:{SECRET}@h",
        f"ws://h:x/?{SECRET}",
    ):
        with pytest.raises(exceptions.InvalidURI) as caught:
            uri.parse_uri(bad)
        texts += [str(caught.value), repr(caught.value)]
    for bad in (f"other://u:{SECRET}@h", f"http://u:{SECRET}@h/path", f"http://h/?{SECRET}"):
        with pytest.raises(exceptions.InvalidProxy) as wrong:
            proxy.parse_proxy(bad)
        texts += [str(wrong.value), repr(wrong.value)]
    parsed = uri.parse_uri(f"ws://u:{SECRET}@h/?{SECRET}")
    protocol = client.ClientProtocol(parsed, logger=logging.getLogger("test"))
    texts += [repr(parsed), repr(Headers({"Authorization": SECRET, "Cookie": SECRET})), repr(protocol)]
    assert not [text for text in texts if SECRET in text]


def test_a_redirect_to_another_place_gets_no_secret(serve: Any) -> None:
    from sites import accept, go, headers_of

    second = serve(accept)
    first = serve(go(f"ws://127.0.0.1:{second.port}/there"))
    secrets = {"Authorization": f"Bearer {SECRET}", "Cookie": SECRET, "X-Other": "kept"}
    with sync_client.connect(f"ws://127.0.0.1:{first.port}/", additional_headers=secrets, proxy=None) as ws:
        assert ws.recv() == "hello"
        ws.socket.abort()
    assert headers_of(first.heads.get(timeout=WAIT))["authorization"] == f"Bearer {SECRET}"
    got = headers_of(second.heads.get(timeout=WAIT))
    assert "authorization" not in got and "cookie" not in got and got["x-other"] == "kept"


# ---- connections


def test_the_request_that_is_shown_is_the_one_that_is_sent() -> None:
    recorded = Recorded("close", "frame:1", "end")
    target = recorded.url.replace("ws://", "ws://user:pass@")
    headers = {"X-One": "1", "Host": "other.example"}
    with sync_client.connect(target, additional_headers=headers, subprotocols=["a", "b"]) as ws:
        assert list(ws) == []
        assert ws.request is not None
        shown = ws.request
    lines = recorded.record()["request"].split("\r\n")
    assert lines[0] == f"GET {shown.path} HTTP/1.1"
    sent = Headers([tuple(line.split(": ", 1)) for line in lines[1:] if line])  # type: ignore[misc]
    for name in ("Sec-WebSocket-Key", "Accept"):  # the core makes them
        del sent[name]
    assert {name: sent[name] for name in sent} == {name: shown.headers[name] for name in shown.headers}


def test_a_lost_connection_has_a_cause() -> None:
    async def main() -> None:
        ws = await asyncio_client.connect(url("CW_SCRIPT_WS", "/s/end"))
        for _ in range(2):
            with pytest.raises(exceptions.ConnectionClosedError) as caught:
                await ws.recv()
            assert caught.value.code == 1006 and caught.value.reason == ""
            assert isinstance(caught.value.__cause__, curlwire.ConnectionClosed)
        with pytest.raises(exceptions.ConnectionClosedError):
            async for _ in ws:
                pass

    asyncio.run(main())


def test_a_server_that_answers_no_ping_is_a_lost_connection() -> None:
    with sync_client.connect(url("CW_SCRIPT_WS", "/s/hang"), ping_interval=0.05, ping_timeout=0.05) as ws:
        with pytest.raises(exceptions.ConnectionClosedError) as caught:
            ws.recv()
        assert (caught.value.rcvd, caught.value.sent) == (None, None)
        assert "ping" in str(caught.value.__cause__)


def test_a_cancelled_recv_loses_no_message() -> None:
    async def main() -> None:
        async with asyncio_client.connect(echo()) as ws:
            for number in range(50):
                task = asyncio.create_task(ws.recv())
                await ws.send(str(number))
                for _ in range(number % 5):
                    await asyncio.sleep(0)
                task.cancel()
                try:
                    message = await task
                except asyncio.CancelledError:
                    message = await ws.recv()
                assert message == str(number)

    asyncio.run(main())


def test_a_message_that_is_no_text_fails_the_connection_if_text_is_asked_for() -> None:
    async def main() -> None:
        async with asyncio_client.connect(echo()) as ws:
            await ws.send(b"\xff")
            with pytest.raises(exceptions.ConnectionClosedError) as caught:
                await ws.recv(decode=True)
            assert caught.value.sent is not None and caught.value.sent.code == 1007

    asyncio.run(main())
    with sync_client.connect(echo()) as ws:
        ws.send(b"\xff")
        with pytest.raises(exceptions.ConnectionClosedError):
            ws.recv(None, True)
        assert ws.close_code == 1007


def test_a_connection_is_freed_without_the_collector() -> None:
    async def main() -> weakref.ref[Any]:
        ws = await asyncio_client.connect(echo())
        await ws.send("x")
        await ws.recv()
        await ws.close()
        return weakref.ref(ws)

    gc.collect()
    gc.disable()
    try:
        assert asyncio.run(main())() is None
    finally:
        gc.enable()


def test_close_in_the_middle_of_fragments() -> None:
    async def main() -> None:
        begun = asyncio.Event()

        async def items() -> Any:
            yield "begun"
            begun.set()
            await asyncio.Event().wait()

        ws = await asyncio_client.connect(echo())
        task = asyncio.create_task(ws.send(items()))
        await begun.wait()
        await ws.close()
        with pytest.raises(exceptions.ConnectionClosedError) as caught:
            await ws.recv()
        assert caught.value.sent is not None and caught.value.sent.code == 1011
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_a_given_socket_and_a_given_place() -> None:
    host, port = echo().split("/")[2].split(":")

    async def main() -> None:
        sock = socket.create_connection((host, int(port)))
        async with asyncio_client.connect("ws://nowhere.invalid/", sock=sock) as ws:
            await ws.send("x")
            assert await ws.recv() == "x"
        arguments = {"host": host, "port": int(port), "family": socket.AF_INET, "local_addr": (host, 0)}
        async with asyncio_client.connect("ws://nowhere.invalid/", happy_eyeballs_delay=0.1, **arguments) as ws:
            assert ws.local_address[0] == host and ws.transport.get_extra_info("peername") == (host, int(port))
            assert ws.transport.get_extra_info("nothing", 5) == 5 and not ws.transport.is_closing()

    asyncio.run(main())
    with sync_client.connect(
        "ws://nowhere.invalid/", address=(host, int(port)), source_address=(host, 0)
    ) as ws:
        assert ws.socket.getpeername() == (host, int(port)) and ws.socket.getsockname()[0] == host


def test_connect_is_not_reentrant() -> None:
    async def main() -> None:
        connecting = asyncio_client.connect(echo())
        async with connecting:
            with pytest.raises(RuntimeError, match="reentrant"):
                await connecting.__aenter__()

    asyncio.run(main())
    connecting = sync_client.connect(echo(), legacy=False)
    with connecting, pytest.raises(RuntimeError, match="reentrant"):
        connecting.__enter__()


def test_a_ping_ends_with_the_connection() -> None:
    silent = url("CW_SCRIPT_WS", "/s/frame:1/end")

    async def main() -> None:
        ws = await asyncio_client.connect(silent)
        waiter = await ws.ping()
        with pytest.raises(exceptions.ConnectionClosedError):
            await waiter

    asyncio.run(main())
    with sync_client.connect(silent) as ws:
        assert ws.ping(ack_on_close=True).wait(WAIT)
    with sync_client.connect(silent) as ws:
        event = ws.ping()
        ws.wait_closed()
        for thread in threading.enumerate():
            if thread.name.startswith("curlwire-ping"):
                thread.join(WAIT)
        assert not event.is_set()


def test_a_synchronous_program_does_not_load_asyncio() -> None:
    code = "import sys, curlwire.compat.websockets.sync.client; sys.exit('asyncio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=WAIT).returncode == 0


def test_close_refuses_1005() -> None:
    async def main() -> None:
        async with asyncio_client.connect(echo()) as ws:
            with pytest.raises(exceptions.ProtocolError, match="1005"):
                await ws.close(1005)
            assert ws.state is State.OPEN

    asyncio.run(main())
    with sync_client.connect(echo()) as ws:
        with pytest.raises(exceptions.ProtocolError, match="1005"):
            ws.close(1005)
        ws.close()
        assert ws.close_code == 1000


@pytest.mark.parametrize("value", ["a\r\nB: c", "a\n", "\0", "\x7f"])
def test_a_header_that_could_end_its_line(value: str) -> None:
    async def main() -> None:
        await asyncio_client.connect(echo(), additional_headers={"X": value})

    for call in (
        lambda: asyncio.run(main()),
        lambda: sync_client.connect(echo(), additional_headers=[("X", value)]),
    ):
        with pytest.raises(exceptions.InvalidHeaderValue) as caught:
            call()
        assert caught.value.name == "X" and isinstance(caught.value, exceptions.InvalidHandshake)
    with pytest.raises(exceptions.InvalidHeaderValue) as caught:
        sync_client.connect(echo(), additional_headers={"Authorization": SECRET + value})
    assert SECRET not in str(caught.value)
