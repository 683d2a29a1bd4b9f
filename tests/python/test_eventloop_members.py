# SPDX-License-Identifier: MIT
"""curlwire.aio and curlwire.trio: the members of their classes, beside those of the synchronous classes."""

import asyncio
import inspect
import logging
import socket
from typing import Any
from urllib.parse import urlsplit

import anyio
import pytest

import curlwire
from curlwire import ConnectionClosed, SocketMessageType, StateError
from loops import Job, Loop, loop, round_trip, turn, until
from peers import Recorded, echo, frame, script, text
from test_tls import address, folder

__all__ = ["loop"]

# The members of the synchronous classes that the classes for an event loop do not have, each with its reason.
LEFT_OUT = {
    "run_forever": "the program runs the loop itself; wait_closed() waits for the end",
    "dispatch": "a loop that curlwire does not know calls it; here the hub calls the handlers",
    "fileno": "of dispatch()",
    "__enter__": "async with is their form",
    "__exit__": "async with is their form",
    "__iter__": "async for is their form",
    "__next__": "async for is their form",
    "__await__": "of the synchronous classes, it raises TypeError",
    "__anext__": "the iterator is an object of its own",
}


def parameters(method: Any) -> list[tuple[str, Any]]:
    """Returns the names and kinds of the parameters of a method, without self."""
    found = list(inspect.signature(method).parameters.values())[1:]
    return [(parameter.name, parameter.kind) for parameter in found]


@pytest.mark.parametrize("name", ["MessageWebSocket", "StreamWebSocket"])
def test_each_member_of_the_synchronous_class(loop: Loop, name: str) -> None:
    """It is there too, with the same parameters, and says what it does."""
    synchronous, own = getattr(curlwire, name), getattr(loop.api, name)
    for member in dir(synchronous):
        if member in LEFT_OUT or (member.startswith("_") and not member.startswith("__")):
            continue
        assert hasattr(own, member), member
        if member.startswith("__"):
            continue
        assert inspect.getdoc(getattr(own, member)), member
        if callable(getattr(synchronous, member)):
            wanted = parameters(getattr(synchronous, member))
            assert parameters(getattr(own, member)) == wanted, member


def test_nothing_is_left_out_that_does_not_exist() -> None:
    for member in LEFT_OUT:
        assert any(hasattr(c, member) for c in (curlwire.MessageWebSocket, curlwire.StreamWebSocket)) or (
            member in ("__await__", "__anext__")
        )


def test_connect_has_the_parameters_of_the_synchronous_one(loop: Loop) -> None:
    wanted = list(inspect.signature(curlwire.connect).parameters)
    got = inspect.signature(loop.api.connect).parameters
    assert [name for name in got if name in wanted] == wanted


def test_both_packages_have_the_same_names() -> None:
    from curlwire import aio, trio

    assert trio.__all__ == aio.__all__
    for api in (aio, trio):
        for name in api.__all__:
            assert inspect.getdoc(getattr(api, name)), name


def test_facts(loop: Loop) -> None:
    async def main() -> None:
        ws = loop.api.MessageWebSocket(supported_protocols=["chat"])
        assert (ws.state, ws.uri, ws.effective_uri, ws.close_code) == ("new", None, None, None)
        ws.set_request_header("X-One", "1")
        ws.add_request_header("X-One", "2")
        async with ws:
            await ws.connect(echo())
            for name in ("uri", "effective_uri", "protocol", "extensions", "local_address", "remote_address",
                         "framing", "authorities", "close_code", "close_reason", "was_clean"):  # fmt: skip
                assert getattr(ws, name) == getattr(ws._core, name)
            assert ws.remote_address.endswith(f":{urlsplit(echo()).port}")
            assert ws.information.remote_address == ws.remote_address
            assert "Upgrade" in ws.response_headers
            assert ws.bandwidth_statistics == ws._core.bandwidth_statistics

    loop.run(main)


def test_bad_arguments_of_connect(loop: Loop) -> None:
    with pytest.raises(TypeError, match=rf"of {loop.api.__name__}, not"):
        loop.api.connect(echo(), curlwire.MessageWebSocket)
    with pytest.raises(TypeError, match="same option"):
        loop.api.connect(echo(), subprotocols=["a"], supported_protocols=["b"])
    with pytest.raises(TypeError, match="headers must be"):
        loop.api.connect(echo(), headers=["ab"])
    with pytest.raises(TypeError):
        loop.api.connect(echo(), subprotocols="chat")


def test_subclass_and_headers(loop: Loop) -> None:
    class Own(loop.api.MessageWebSocket):  # type: ignore[misc,name-defined]
        pass

    async def main() -> None:
        peer = Recorded("echo")
        async with loop.api.connect(
            peer.url, Own, headers={"X-A": "1"}, subprotocols=["chat"], **IMPATIENT
        ) as ws:
            assert type(ws) is Own
            await round_trip(ws)
        assert "X-A: 1" in str(peer.record())

    loop.run(main)


@pytest.mark.parametrize("form", ["blocking", "nonblocking", "descriptor"])
def test_a_connection_of_the_program(loop: Loop, form: str) -> None:
    async def main() -> None:
        where = urlsplit(echo())
        sock = socket.create_connection((where.hostname, where.port))
        sock.setblocking(form != "nonblocking")
        name = "{}:{}".format(*sock.getsockname())
        async with loop.api.connect(
            "ws://nowhere.invalid/", sock=sock.fileno() if form == "descriptor" else sock
        ) as ws:
            assert ws.local_address == name
            await round_trip(ws)
        assert (sock.fileno() == -1) == (form != "descriptor")
        sock.close()
        ws = loop.api.MessageWebSocket()
        ws.set_connected_socket(None)
        with pytest.raises(TypeError, match="sock must be"):
            ws.set_connected_socket("x")

    loop.run(main)


# ---- receiving


def test_json_and_into_a_buffer(loop: Loop) -> None:
    async def main() -> None:
        async with loop.api.connect(echo()) as ws:
            await ws.send_json({"a": [1, 2]})
            assert await ws.recv_json() == {"a": [1, 2]}
            await ws.send_json(1, dumps=lambda value: b"[1]", compress=False)
            assert await ws.recv() == "[1]"
            with pytest.raises(TypeError, match="dumps must return"):
                await ws.send_json(1, dumps=lambda value: value)
            await ws.send("not json")
            with pytest.raises(curlwire.MessageError) as caught:
                await ws.recv_json()
            assert caught.value.data == "not json"
            await ws.send(b"12345")
            with pytest.raises(curlwire.ArgumentError):
                await ws.recv_into(bytearray(4))
            buffer = bytearray(8)
            assert await ws.recv_into(buffer) == 5
            assert buffer[:5] == b"12345"

    loop.run(main)


IMPATIENT = {"close_timeout": 0.1}  # for a peer that does not answer the close frame
PARTS = (frame(2, b"one\n", False), frame(0, b"", False), frame(0, b"two\nth"), text("next"))


@pytest.mark.parametrize("mode", ["full", "partial"])
def test_recv_stream(loop: Loop, mode: str) -> None:
    async def main() -> None:
        async with loop.api.connect(
            script(f"x:{''.join(PARTS)}", "hang"), receive_mode=mode, **IMPATIENT
        ) as ws:
            stream = await ws.recv_stream()
            assert stream.message_type is SocketMessageType.BINARY
            assert [line async for line in stream] == [b"one\n", b"two\n", b"th"]
            stream = await ws.recv_stream()
            assert stream.message_type is SocketMessageType.UTF8
            assert await stream.read(2) == b"ne"
            assert not stream.at_eof()
            assert await stream.readexactly(2) == b"xt"
            assert await stream.read() == b""
            assert stream.at_eof()

    loop.run(main)


def test_the_next_receive_skips_the_rest_of_a_stream(loop: Loop) -> None:
    async def main() -> None:
        first, rest = frame(2, b"abc", False), frame(0, b"def")
        peer = script(f"x:{first}", "frame:1", f"x:{rest + text('next')}", "hang")
        async with loop.api.connect(peer, receive_mode="partial", **IMPATIENT) as ws:
            stream = await ws.recv_stream()
            assert await stream.read(1) == b"a"
            await ws.send("go on")
            assert await ws.recv() == b"next"
            assert await stream.read(2) == b"bc"
            with pytest.raises(StateError):
                await stream.read()

    loop.run(main)


def test_a_message_stream_that_is_cut(loop: Loop) -> None:
    async def main() -> None:
        async with loop.api.connect(script(f"x:{PARTS[0]}", "end"), receive_mode="partial") as ws:
            stream = await ws.recv_stream()
            assert await stream.readline() == b"one\n"
            with pytest.raises(ConnectionClosed):
                await stream.read()

    loop.run(main)


# ---- sending


def test_an_iterable_is_one_message(loop: Loop) -> None:
    async def slowly() -> Any:
        for piece in (b"a", b"b"):
            yield piece
            await turn()

    async def main() -> None:
        async with loop.api.connect(echo()) as ws:
            await ws.send(piece for piece in ("one", "two"))
            assert await ws.recv() == "onetwo"
            await ws.send(slowly())
            assert await ws.recv() == b"ab"
            await ws.send([b"a", "b"], text=True)
            assert await ws.recv() == "ab"
            await ws.send([])  # sends nothing
            for wrong, match in (
                (5, "takes a str"),
                ({"a": 1}, "send_json"),
                (ws, "takes a str"),
                (None, "takes"),
            ):
                with pytest.raises(TypeError, match=match):
                    await ws.send(wrong)
            with pytest.raises(TypeError, match="one message by send"):
                await ws.send_many("x")
            await round_trip(ws)

    loop.run(main)


def test_an_iterable_that_fails_closes(loop: Loop) -> None:
    async def main() -> None:
        for items in (["a", b"b"], ["a", 5]):
            async with loop.api.connect(script("frame:2", "close:1011", "end")) as ws:
                with pytest.raises(TypeError):
                    await ws.send(items)
                await ws.wait_closed()
                assert ws.close_code == 1011
                assert ws.state == "closed"

    loop.run(main)


def test_frames(loop: Loop) -> None:
    async def main() -> None:
        async with loop.api.connect(echo(), message_type="utf8") as ws:
            assert await ws.send_nonfinal_frame("ä") == 2
            with pytest.raises(StateError):
                await ws.send("x")
            assert await ws.send_final_frame(b"b") == 1
            assert await ws.recv() == "äb"
            ws.control.message_type = "binary"
            await ws.send_final_frame("c")
            assert await ws.recv() == b"c"

    loop.run(main)


def test_batch_and_flush(loop: Loop) -> None:
    async def main() -> None:
        async with loop.api.connect(echo()) as ws:
            before = ws.information.statistics.wire_bytes_sent
            async with ws.batch():
                for number in range(50):
                    await ws.send(str(number))
            assert ws.information.statistics.wire_bytes_sent > before
            assert [await ws.recv() for _ in range(50)] == [str(number) for number in range(50)]
            await ws.flush()
        with pytest.raises(ConnectionClosed):
            await ws.flush()
        with pytest.raises(ConnectionClosed):
            async with ws.batch():
                pass

    loop.run(main)


def test_flush_and_send_time_out(loop: Loop) -> None:
    """The peer does not read. flush() and send() give up, and the socket goes on."""

    async def main() -> None:
        ws = await loop.api.connect(script("stall", "hang"), outbound_buffer_size=16_384, send_timeout=0.06)
        text = "timed out after {} s waiting for the server to take data{}: call again, or wait longer"

        async def failure(**limit: float) -> curlwire.WebSocketTimeout:
            while True:
                try:
                    await ws.send(b"x" * 100_000, **limit)
                except curlwire.WebSocketTimeout as error:
                    return error

        error = await failure(timeout=0.05)
        assert str(error) == text.format("0.05", "")
        assert error.option is None
        error = await failure()
        assert str(error) == text.format("0.06", " (send_timeout)")
        assert error.option == "send_timeout"
        with pytest.raises(curlwire.WebSocketTimeout):
            await ws.flush(0.05)
        with pytest.raises(curlwire.WebSocketTimeout) as caught:
            await ws.send_many([b"x" * 100_000], timeout=0.05)
        assert getattr(caught.value, "sent_count", 0) == 0
        ws.abort()
        await ws.wait_closed()

    loop.run(main)


def test_try_send_checks_its_argument_and_its_loop(loop: Loop) -> None:
    async def first() -> Any:
        ws = await loop.api.connect(echo())
        assert ws.try_send("x") is True
        for wrong in (5, ["x"], None):
            with pytest.raises(TypeError, match="try_send"):
                ws.try_send(wrong)
        assert await ws.recv() == "x"
        return ws

    async def second() -> None:
        with pytest.raises(StateError, match="another event loop"):
            ws.try_send("x")

    ws = loop.run(first)
    loop.run(second)
    ws.abort()


# ---- handlers


def test_handlers_in_order(loop: Loop) -> None:
    async def main() -> None:
        calls: list[Any] = []
        ended = anyio.Event()
        ws = loop.api.MessageWebSocket()

        async def on_message(socket: Any, args: curlwire.MessageReceivedEventArgs) -> None:
            assert socket is ws
            await turn()
            calls.append(args.data)

        def on_closed(socket: Any, args: curlwire.ClosedEventArgs) -> None:
            calls.append((args.code, args.reason, args.was_clean))
            ended.set()

        ws.on_message_received = on_message
        ws.on_closed = on_closed
        await ws.connect(script("x:810131", "x:810132", "close:1001", "hang"))
        await ended.wait()
        assert calls == ["1", "2", (1001, "", True)]

    loop.run(main)


def test_on_closed_without_a_message_handler(loop: Loop) -> None:
    async def main() -> None:
        codes: list[int] = []

        async def on_closed(_: Any, args: curlwire.ClosedEventArgs) -> None:
            await turn()
            codes.append(args.code)

        peer = Recorded("gate", "close:3000", "hang")
        ws = await loop.api.connect(peer.url)
        ws.on_closed = on_closed
        peer.go()
        await until(lambda: codes == [3000])

    loop.run(main)


def test_exception_of_a_handler_is_reported(loop: Loop) -> None:
    async def main() -> None:
        ws = await loop.api.connect(script("x:810131", "x:810132", "hang"), close_timeout=0.1)
        got: list[Any] = []

        def on_message(_: Any, args: curlwire.MessageReceivedEventArgs) -> None:
            got.append(args.data)
            raise ValueError(args.data)

        ws.on_message_received = on_message
        await until(lambda: len(got) == 2)
        ws.on_message_received = None
        await ws.close()

    loop.run(main, expects_reports=True)
    assert [str(error) for error in loop.reports] == ["1", "2"]


def test_a_handler_must_be_callable(loop: Loop) -> None:
    ws = loop.api.MessageWebSocket()
    for name in ("on_message_received", "on_closed", "on_trace", "on_server_custom_validation_requested"):
        with pytest.raises(TypeError, match="must be callable"):
            setattr(ws, name, 5)
        assert getattr(ws, name) is None


def test_trace(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        lines: list[str] = []
        ws = loop.api.MessageWebSocket()
        ws.on_trace = lambda socket, line: lines.append(line)
        async with ws:
            await ws.connect(echo())
            await round_trip(ws, "traced")
            await until(lambda: any("traced" in line for line in lines))
            ws.on_trace = None
        with caplog.at_level(logging.INFO, "curlwire.trace"):
            logged = loop.api.MessageWebSocket()
            curlwire.log_trace(logged, level=logging.INFO)
            async with logged:
                await logged.connect(echo())
                await until(lambda: bool(caplog.messages))

    loop.run(main)


Args = curlwire.ServerCustomValidationRequestedEventArgs


def test_the_question_about_the_certificate(loop: Loop) -> None:
    async def main() -> None:
        heard: list[Any] = []

        async def accept(ws: Any, args: Args) -> None:
            await anyio.sleep(0.01)
            heard.extend([ws, args.server_certificate, args.server_certificate_errors])

        ws = loop.api.MessageWebSocket(ca_file=folder() / "ca.pem")
        ws.on_server_custom_validation_requested = accept
        async with ws:
            await ws.connect(address("good"))
            await round_trip(ws)
            assert heard == [ws, ws.information.server_certificate, ()]
            with pytest.raises(StateError, match="a connect has begun"):
                ws.on_server_custom_validation_requested = None

    loop.run(main)


def test_a_rejected_certificate(loop: Loop) -> None:
    async def rejecting(_: Any, args: Args) -> None:
        await turn()
        args.reject()

    def later(_: Any, args: Args) -> None:
        deferral = args.get_deferral()
        args.reject()
        deferral.complete()

    def failing(_: Any, args: Args) -> None:
        raise KeyError("oops")

    async def main() -> None:
        for handler in (rejecting, later, failing):
            ws = loop.api.StreamWebSocket(ca_file=folder() / "ca.pem")
            ws.on_server_custom_validation_requested = handler
            with pytest.raises(curlwire.CertificateError):
                await ws.connect(address("good"))

    loop.run(main, expects_reports=True)
    assert [type(error) for error in loop.reports] == [KeyError]


# ---- the streams


def test_stream(loop: Loop) -> None:
    async def main() -> None:
        async with loop.api.connect(echo(), loop.api.StreamWebSocket) as ws:
            reader, writer = ws.input_stream, ws.output_stream
            writer.write(b"line 1\nline 2\n")
            writer.writelines([b"abc", b"def"])
            await writer.drain()
            assert await reader.readline() == b"line 1\n"
            assert await reader.readuntil(b"2\n") == b"line 2\n"
            assert await reader.readexactly(6) == b"abcdef"
            with anyio.move_on_after(0.01):
                await reader.read(10)
            writer.write(b"rest")
            await writer.drain()
            assert await reader.readexactly(4) == b"rest"
            assert not writer.is_closing()
            assert not writer.can_write_eof()
            writer.close()
            await writer.wait_closed()
            assert writer.is_closing()
            assert await reader.read() == b""
            assert reader.at_eof()

    loop.run(main)


def test_stream_to_the_end(loop: Loop) -> None:
    async def main() -> None:
        peer = script("x:8203" + b"a\nb".hex(), "x:8201" + b"c".hex(), "close:1000", "hang")
        async with loop.api.connect(peer, loop.api.StreamWebSocket) as ws:
            assert [line async for line in ws.input_stream] == [b"a\n", b"bc"]
        async with loop.api.connect(script("x:820161", "close:1011", "hang"), loop.api.StreamWebSocket) as ws:
            with pytest.raises(ConnectionClosed):
                await ws.input_stream.read()
        async with loop.api.connect(script("x:820161", "close:1000", "hang"), loop.api.StreamWebSocket) as ws:
            with pytest.raises(asyncio.IncompleteReadError) as caught:
                await ws.input_stream.readexactly(2)
            assert caught.value.partial == b"a"
            with pytest.raises(asyncio.IncompleteReadError):
                await ws.input_stream.readuntil(b"\n")

    loop.run(main)


def test_a_line_that_is_too_long(loop: Loop) -> None:
    async def main() -> None:
        async with loop.api.connect(echo(), loop.api.StreamWebSocket) as ws:
            ws.output_stream.write(b"x" * 100_000)
            await ws.output_stream.drain()
            with pytest.raises(asyncio.LimitOverrunError):
                await ws.input_stream.readuntil(b"\n")
            with pytest.raises(ValueError, match="65536"):
                await ws.input_stream.readline()
            assert len(await ws.input_stream.readexactly(100_000)) == 100_000

    loop.run(main)


def test_stream_waits_for_a_slow_reader(loop: Loop) -> None:
    async def main() -> None:
        peer = Recorded("stall", "gate", "resume", "hang")
        async with (
            loop.api.connect(
                peer.url, loop.api.StreamWebSocket, outbound_buffer_size=16_384, close_timeout=0.2
            ) as ws,
            anyio.create_task_group() as group,
        ):
            for _ in range(40):
                ws.output_stream.write(b"x" * 50_000)
            job = Job(group, ws.output_stream.drain)
            await until(lambda: ws._writable is not None)
            assert not job.ended.is_set()
            peer.go()
            await job.result()
        assert sum(frame["length"] for frame in peer.record()["frames"] if frame["opcode"] == 2) == 2_000_000

    loop.run(main)


def test_two_tasks_drain(loop: Loop) -> None:
    """Each write is sent once. close() sends what no task has drained."""

    async def main() -> None:
        peer = Recorded("stall", "gate", "resume", "hang")
        ws = await loop.api.connect(
            peer.url, loop.api.StreamWebSocket, outbound_buffer_size=16_384, **IMPATIENT
        )
        sizes = [100_000 + number for number in range(20)]
        async with anyio.create_task_group() as group:
            for size in sizes:
                ws.output_stream.write(b"x" * size)
            assert ws._unwritten
            group.start_soon(ws.output_stream.drain)
            group.start_soon(ws.output_stream.drain)
            await until(lambda: ws._writable is not None)
            peer.go()
        for _ in range(3):
            ws.output_stream.write(b"end")
        await ws.close()
        lengths = [frame["length"] for frame in peer.record()["frames"] if frame["opcode"] == 2]
        assert lengths == [*sizes, 3, 3, 3]

    loop.run(main)


def test_what_was_not_drained_is_told(loop: Loop) -> None:
    async def main() -> None:
        ws = await loop.api.connect(
            script("stall", "hang"),
            loop.api.StreamWebSocket,
            outbound_buffer_size=16_384,
            send_timeout=0.05,
            close_timeout=0.05,
        )
        while not ws._unwritten:
            ws.output_stream.write(b"x" * 100_000)
        ws.output_stream.close()
        with pytest.raises(ConnectionClosed):
            await ws.output_stream.drain()
        with pytest.raises(ConnectionClosed, match=r"not reach|were not sent"):
            await ws.output_stream.wait_closed()

    loop.run(main)


def test_output_stream_of_messages(loop: Loop) -> None:
    """Each write is a message of the type control.message_type."""

    async def main() -> None:
        async with loop.api.connect(echo(), message_type="utf8") as ws:
            ws.output_stream.write(b"text")
            await ws.output_stream.drain()
            assert await ws.recv() == "text"
            with pytest.raises(curlwire.ArgumentError):
                ws.output_stream.write(b"\xff")
            ws.control.message_type = "binary"
            ws.output_stream.write(b"\xff")
            await ws.output_stream.drain()
            assert await ws.recv() == b"\xff"

    loop.run(main)
