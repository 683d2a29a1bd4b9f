# SPDX-License-Identifier: MIT
"""curlwire.ReconnectingWebSocket: messages over several connections, handlers, renewals, and clean ends."""

import gc
import signal
import subprocess
import sys
import textwrap
import threading
import weakref
from typing import Any

import pytest

import curlwire
from attempts import AT_ONCE, ReconnectingWebSocket, ends_at_third, scripts, text
from curlwire import ReconnectPolicy
from curlwire.reconnecting_base import Deadline, end_of
from peers import WAIT, Recorded, echo, script, wait_until


def test_messages_of_several_connections() -> None:
    lost: list[int | None] = []
    uri = scripts(
        [text("a"), text("b"), "close:1001"], [text("c"), "end"], [text("d"), "rst"], [text("e"), "close:1000"]
    )
    ws = ReconnectingWebSocket(uri, policy=AT_ONCE)
    ws.on_disconnected = lambda _, reason: lost.append(reason.code)
    with ws:
        messages = list(ws)
    assert messages[:3] + messages[-1:] == ["a", "b", "c", "e"]  # a reset may take its message along
    assert lost == [1001, 1006, 1006, 1000]
    assert (ws.state, ws.attempt) == ("closed", 4)


def test_functions_get_the_number_of_the_attempt() -> None:
    calls: list[tuple[str, int]] = []
    record = Recorded(text("x"), "close:1000")

    def uri(attempt: int) -> str:
        calls.append(("uri", attempt))
        return record.url if attempt == 3 else "ws://localhost:1/"

    def headers(attempt: int) -> dict[str, str]:
        calls.append(("headers", attempt))
        if attempt == 1:
            raise RuntimeError("no token")
        return {"X-Token": f"token-{attempt}"}

    def subprotocols(attempt: int) -> list[str]:
        calls.append(("subprotocols", attempt))
        return [f"p{attempt}"]

    with ReconnectingWebSocket(uri, headers=headers, subprotocols=subprotocols, policy=AT_ONCE) as ws:
        assert list(ws) == ["x"]
    assert calls == [
        ("uri", 1), ("headers", 1),
        ("uri", 2), ("headers", 2), ("subprotocols", 2),
        ("uri", 3), ("headers", 3), ("subprotocols", 3),
    ]  # fmt: skip
    request = record.record()["request"]
    assert "X-Token: token-3" in request
    assert "Sec-WebSocket-Protocol: p3" in request


def test_the_exception_of_a_function_is_the_error_at_the_end() -> None:
    def uri(attempt: int) -> str:
        raise LookupError(f"attempt {attempt}")

    policy = ReconnectPolicy(first_delay=0.001, max_attempts=2)
    ws = ReconnectingWebSocket(uri, policy=policy)
    with pytest.raises(LookupError, match="attempt 2"):
        ws.connect(WAIT)


def test_wrong_results_of_functions_are_not_retried() -> None:
    number: Any = 5
    ws = ReconnectingWebSocket(lambda _: number, policy=AT_ONCE)
    with pytest.raises(TypeError, match="the URI must be a str"):
        ws.connect(WAIT)
    assert ws.attempt == 1
    ws = ReconnectingWebSocket(lambda _: "http://localhost/", policy=AT_ONCE)
    with pytest.raises(curlwire.ArgumentError):
        ws.connect(WAIT)

    async def coroutine(attempt: int) -> str:
        return "ws://localhost:1/"

    function: Any = coroutine
    ws = ReconnectingWebSocket(function, policy=AT_ONCE)
    with pytest.raises(TypeError, match=r"ReconnectingWebSocket of curlwire\.aio or curlwire\.trio"):
        ws.connect(WAIT)


def test_on_connected_logs_in_before_all_others() -> None:
    record = Recorded("frame:1", text("welcome"), "frame:3", "close:1000")
    answers: list[Any] = []

    def on_connected(ws: ReconnectingWebSocket, attempt: int) -> None:
        ws.send(f"login {attempt}")
        answers.append(ws.recv(WAIT))
        ws.send("subscribe")

    ws = ReconnectingWebSocket(scripts(["close:1012"], record.url), policy=AT_ONCE)

    def first(ws: ReconnectingWebSocket, attempt: int) -> None:
        if attempt == 2:
            on_connected(ws, attempt)

    ws.on_connected = first
    with ws:
        wait_until(lambda: ws.attempt == 2)  # else the first connection may take the message
        ws.send("payload")
        assert list(ws) == []
    sent = [bytes.fromhex(frame["payload"]) for frame in record.record()["frames"] if frame["opcode"] == 1]
    assert sent == [b"login 2", b"subscribe", b"payload"]
    assert answers == ["welcome"]


def test_kept_messages_are_sent_in_order_after_the_next_connect() -> None:
    record = Recorded("frame:4", "close:1000")
    is_down = threading.Event()
    go_on = threading.Event()

    def uri(attempt: int) -> str:
        if attempt == 1:
            return script("close:1012")
        is_down.set()
        assert go_on.wait(WAIT)
        return record.url

    with ReconnectingWebSocket(uri, policy=AT_ONCE) as ws:
        assert is_down.wait(WAIT)
        buffer = bytearray(b"two")
        ws.send("one")
        ws.send(buffer)
        buffer[:] = b"xxx"
        ws.send_json({"a": 3})
        assert ws.send_many([b"four"], text=True) == 1
        assert ws.unsent_count == 4
        with pytest.raises(curlwire.ArgumentError, match="UTF-8"):
            ws.send(b"\xff", text=True)
        with pytest.raises(curlwire.ArgumentError, match="surrogates"):
            ws.send("\ud800")
        number: Any = 5
        with pytest.raises(TypeError, match="takes a str or a bytes-like object"):
            ws.send(number)
        go_on.set()
        assert list(ws) == []
        assert ws.unsent_count == 0
    frames = [(frame["opcode"], bytes.fromhex(frame["payload"])) for frame in record.record()["frames"]]
    assert frames[:4] == [(1, b"one"), (2, b"two"), (1, b'{"a": 3}'), (1, b"four")]


def test_the_kept_messages_have_a_limit() -> None:
    policy = ReconnectPolicy(delays=[1000])
    with ReconnectingWebSocket(scripts(["close:1012"]), policy=policy, unsent_buffer_size=10) as ws:
        with pytest.raises(curlwire.WebSocketTimeout):
            ws.recv(0.01)
        wait_until(lambda: ws.state == "connecting")
        ws.send("12345")
        ws.send("12345")
        with pytest.raises(curlwire.WebSocketTimeout, match="unsent_buffer_size"):
            ws.send("1", timeout=0.01)
        assert ws.unsent_count == 2
        ws.close()
        with pytest.raises(curlwire.ConnectionClosed, match="2 messages of 10 bytes"):
            ws.wait_closed(WAIT)
        with pytest.raises(curlwire.ConnectionClosed, match="closed the socket"):
            ws.send("x")
        ws._driver.loss = None


def test_messages_are_dropped_if_asked() -> None:
    policy = ReconnectPolicy(delays=[1000])
    with ReconnectingWebSocket(scripts(["close:1012"]), policy=policy, unsent="drop") as ws:
        wait_until(lambda: ws.state == "connecting")
        ws.send("1")
        ws.send("2")
        assert (ws.dropped_count, ws.unsent_count) == (2, 0)


def test_reconnect_receives_what_has_arrived_first() -> None:
    second = scripts([text("1"), text("2"), text("3"), "hang"], [text("4"), "close:1000"])
    ws = ReconnectingWebSocket(second, policy=AT_ONCE)
    reasons: list[curlwire.ConnectionClosed] = []
    ws.on_disconnected = lambda _, reason: reasons.append(reason)
    with ws:
        assert ws.recv(WAIT) == "1"
        inner = ws.socket
        assert inner is not None
        wait_until(lambda: inner.information.statistics.text_messages_received >= 3)
        ws.reconnect()
        assert [ws.recv(WAIT) for _ in range(3)] == ["2", "3", "4"]
        assert list(ws) == []
    assert ws.attempt == 2
    assert len(reasons) == 2


def test_reconnect_waits_for_a_recv_that_has_a_message() -> None:
    """Such a recv does not show that nothing has arrived."""
    has_message, may_go_on = threading.Event(), threading.Event()

    def slow(data: Any) -> Any:
        has_message.set()
        assert may_go_on.wait(WAIT)
        return data

    uri = scripts([text("1"), text("2"), text("3"), "hang"], [text("4"), "close:1000"])
    with ReconnectingWebSocket(uri, policy=AT_ONCE, close_timeout=WAIT) as ws:
        got: list[Any] = []
        thread = threading.Thread(target=lambda: got.append(ws.recv_json(WAIT, loads=slow)))
        thread.start()
        assert has_message.wait(WAIT)
        inner = ws.socket
        assert inner is not None
        wait_until(lambda: inner.information.statistics.text_messages_received >= 3)
        ws.reconnect()
        wait_until(lambda: ws._driver.retiring is not None or ws.attempt == 2)
        may_go_on.set()
        thread.join(WAIT)

        def take(inner: curlwire.MessageWebSocket, seconds: float | None) -> Any:
            counts.append(ws._driver.receiver_count)  # it need not be waited for: it takes what is there
            return inner.recv(seconds)

        counts: list[int] = []
        got.append(ws._driver.receive(take, Deadline(WAIT)))
        assert counts == [0]
        got += [ws.recv(WAIT) for _ in range(2)]
        assert got == ["1", "2", "3", "4"]


def test_reconnect_from_another_thread_ends_a_waiting_recv() -> None:
    with ReconnectingWebSocket(scripts(["hang"], [text("new"), "close:1000"]), policy=AT_ONCE) as ws:

        def reconnect() -> None:
            wait_until(lambda: ws._driver.receiver_count > 0)
            ws.reconnect()

        thread = threading.Thread(target=reconnect)
        thread.start()
        assert ws.recv(WAIT) == "new"
        thread.join()


def test_reconnect_ends_a_delay() -> None:
    policy = ReconnectPolicy(delays=[1000, 1000])
    with ReconnectingWebSocket(scripts(["close:1012"], [text("x"), "close:1000"]), policy=policy) as ws:
        wait_until(lambda: ws._driver.is_pausing and ws.attempt == 1)
        ws.reconnect()
        assert ws.recv(WAIT) == "x"


def test_max_age_renews_the_connection() -> None:
    policy = ReconnectPolicy(first_delay=0.001, max_age=0.05)
    with ReconnectingWebSocket(ends_at_third, policy=policy) as ws:
        assert set(ws) == {"x"}
    assert ws.attempt >= 3


def test_handlers_get_the_messages_of_all_connections() -> None:
    seen: list[Any] = []
    ws = ReconnectingWebSocket(
        scripts([text("a"), "close:1012"], [text("b"), "end"], [text("c"), "close:4000"]), policy=AT_ONCE
    )
    ws.on_connected = lambda _, attempt: seen.append(attempt)
    ws.on_message_received = lambda _, args: seen.append(args.data)
    ws.on_disconnected = lambda _, reason: seen.append(reason.code)
    ws.on_closed = lambda _, args: seen.append(("closed", args.code))
    ws.connect(WAIT)
    ws.run_forever()
    assert seen == [1, "a", 1012, 2, "b", 1006, 3, "c", 4000, ("closed", 4000)]
    with pytest.raises(curlwire.ConnectionClosed):
        ws.recv()


def test_a_socket_with_handlers_stays_alive_and_another_does_not() -> None:
    ended = threading.Event()
    ws = ReconnectingWebSocket(script("hang"), policy=AT_ONCE)
    ws.on_closed = lambda _, __: ended.set()
    ws.connect(WAIT)
    driver = ws._driver
    reference = weakref.ref(ws)
    del ws
    gc.collect()
    kept = reference()
    assert kept is not None
    kept.close()
    kept.wait_closed(WAIT)
    assert ended.wait(WAIT)
    other = ReconnectingWebSocket(script("hang"), policy=AT_ONCE)
    other.connect(WAIT)
    driver = other._driver
    gc.disable()
    try:
        del other
        wait_until(lambda: driver.has_finished)
    finally:
        gc.enable()


def test_the_exception_of_a_handler_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[type[BaseException]] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: reported.append(args.exc_type))

    def on_connected(_: ReconnectingWebSocket, attempt: int) -> None:
        raise KeyError(attempt)

    ws = ReconnectingWebSocket(script(text("x"), "close:1000"), policy=AT_ONCE)
    ws.on_connected = on_connected
    with ws:
        assert list(ws) == ["x"]
    assert reported == [KeyError]


def test_close_ends_a_delay_and_a_recv() -> None:
    ws = ReconnectingWebSocket(scripts(["close:1012"]), policy=ReconnectPolicy(delays=[1000]))

    def close() -> None:
        wait_until(lambda: ws.last_error is not None)
        ws.close()

    with ws:
        threading.Thread(target=close).start()
        assert list(ws) == []
        ws.wait_closed(WAIT)
    assert ws.state == "closed"
    with pytest.raises(curlwire.ConnectionClosed, match="this program has closed"):
        ws.recv()
    with pytest.raises(curlwire.StateError, match="connects once"):
        ws.connect()


def test_close_ends_an_attempt() -> None:
    entered = threading.Event()

    def uri(attempt: int) -> str:
        entered.set()
        return script("hs:", "hang")  # no reply ever

    ws = ReconnectingWebSocket(uri, policy=AT_ONCE)
    with pytest.raises(curlwire.WebSocketTimeout) as caught:
        ws.connect(timeout=0)
    assert str(caught.value) == (
        "timed out after 0 s waiting for the first connection, because the socket is connecting: call again, "
        "or wait longer"
    )
    assert caught.value.status is curlwire.WebErrorStatus.TIMEOUT
    assert entered.wait(WAIT)
    ws.close()
    ws.wait_closed(WAIT)
    assert ws.attempt == 1


@pytest.mark.parametrize("place", ["on_connected", "on_disconnected", "headers"])
def test_close_in_a_function_of_the_program(place: str) -> None:
    def close(*_: object) -> None:
        ws.close(4001, "enough")

    ws = ReconnectingWebSocket(
        scripts(["close:1012"]), policy=AT_ONCE, headers=close if place == "headers" else None
    )
    if place != "headers":
        setattr(ws, place, close)
    closed: list[int] = []
    ws.on_closed = lambda _, args: closed.append(args.code)
    try:
        ws.connect(WAIT)
    except curlwire.ConnectionClosed:
        assert place != "on_disconnected"
    ws.run_forever()
    assert closed == [4001]
    assert ws.attempt == 1


def test_calls_that_would_wait_for_themselves() -> None:
    errors: list[str] = []

    def on_connected(ws: ReconnectingWebSocket, _: int) -> None:
        for call in (ws.wait_closed, ws.run_forever):
            with pytest.raises(curlwire.StateError) as caught:
                call()
            errors.append(str(caught.value))

    ws = ReconnectingWebSocket(script("close:1000"), policy=AT_ONCE)
    ws.on_connected = on_connected
    with ws:
        assert list(ws) == []
    assert len(errors) == 2


def test_a_later_thread_may_have_the_number_of_an_ended_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with ReconnectingWebSocket(script("close:1000"), policy=AT_ONCE) as ws:
        assert list(ws) == []
    ended = ws._driver.thread
    assert ended is not None
    ended.join(WAIT)
    monkeypatch.setattr(threading, "get_ident", lambda: ended.ident)
    ws.wait_closed(WAIT)


def test_abort() -> None:
    ws = ReconnectingWebSocket(script("hang"), policy=AT_ONCE)
    with ws:
        ws.abort()
    assert ws.state == "closed"


def test_an_exception_in_the_block_closes_with_1011() -> None:
    record = Recorded("hang")
    with pytest.raises(ZeroDivisionError), ReconnectingWebSocket(record.url):
        raise ZeroDivisionError
    assert record.record()["frames"][-1]["payload"] == (1011).to_bytes(2, "big").hex()


def test_many_threads_send_while_connections_are_lost() -> None:
    count, per_thread = 4, 50
    ws = ReconnectingWebSocket(echo(), policy=AT_ONCE)
    got: list[Any] = []

    def send(number: int) -> None:
        for i in range(per_thread):
            ws.send(f"{number}.{i}")
            if i == 25 and number == 0:
                ws.reconnect()

    with ws:
        threads = [threading.Thread(target=send, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # before the renewal, the echo of the last message could be lost with the old connection
        wait_until(lambda: ws.attempt == 2 and ws._driver.current is not None)
        ws.send("last")
        while (message := ws.recv(WAIT)) != "last":
            got.append(message)
    assert len(set(got)) == len(got)  # none came twice
    for number in range(count):
        mine = [int(message.split(".")[1]) for message in got if message.startswith(f"{number}.")]
        assert mine == sorted(mine)


def test_the_reason_of_an_end() -> None:
    """Asking for it sends nothing, and takes no message."""
    new = end_of(curlwire.MessageWebSocket())
    assert (new.code, new.reason) == (1006, str(new))
    assert "not connected" in new.reason
    peer = Recorded(text("kept"), "gate", "close:4001", "frame:1", "end")
    with curlwire.connect(peer.url) as ws:
        assert str(end_of(ws)) == "the connection has ended: connect again"
        peer.go()
        ws.wait_closed(WAIT)
        reason = end_of(ws)
        assert (reason.code, reason.was_clean, reason.__traceback__) == (4001, True, None)
        assert "code 4001" in str(reason)
        assert ws.recv(WAIT) == "kept"
    assert [frame["opcode"] for frame in peer.record()["frames"]] == [8]
    lost = curlwire.connect(script("end"))
    lost.wait_closed(WAIT)
    reason = end_of(lost)
    assert reason.code == 1006
    assert isinstance(reason.__cause__, OSError)


def test_ping_and_facts() -> None:
    ws = ReconnectingWebSocket(echo(), policy=AT_ONCE)
    assert (ws.state, ws.socket, ws.attempt, ws.last_error) == ("new", None, 0, None)
    assert repr(ws) == "<curlwire.ReconnectingWebSocket new, attempt 0>"
    with pytest.raises(curlwire.StateError, match="no connection to ping"):
        ws.ping()
    with pytest.raises(curlwire.StateError, match="call connect"):
        ws.recv()
    with pytest.raises(curlwire.StateError, match="call connect"):
        ws.send("x")
    ws.wait_closed()
    with ws:
        assert ws.ping(WAIT) > 0
        ws.send_json([1])
        assert ws.recv_json(WAIT) == [1]
        ws.send(b"abc")
        buffer = bytearray(10)
        assert ws.recv_into(buffer, WAIT) == 3
        ws.send("view")
        assert bytes(ws.recv(WAIT, copy=False)) == b"view"
        ws.send("text")
        assert ws.recv(WAIT, decode=False) == b"text"
        with pytest.raises(curlwire.WebSocketTimeout):
            ws.recv(0.001)
        assert ws.socket is not None
        assert ws.socket.uri == echo()


def run_script(code: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", textwrap.dedent(code), *arguments],
        capture_output=True, text=True, timeout=WAIT, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("place", ["delay", "first", "recv", "attempt"])
def test_ctrl_c_ends_at_any_point(place: str) -> None:
    code = """
        import sys, curlwire
        place, uri = sys.argv[1:]
        policy = curlwire.ReconnectPolicy(delays=[1000])
        def uri_of(attempt):
            if place in ("first", "attempt"):
                print("ready", flush=True)
            return uri
        ws = curlwire.ReconnectingWebSocket(uri_of, policy=policy, close_timeout=0.1)
        ws.on_disconnected = lambda _, __: place == "delay" and print("ready", flush=True)
        ws.on_connected = lambda _, __: place == "recv" and print("ready", flush=True)
        try:
            with ws:
                for message in ws:
                    pass
        except KeyboardInterrupt:
            ws.wait_closed()
            print("stopped", ws.state, flush=True)
    """
    uri = {
        "delay": script("close:1012"),
        "first": "ws://localhost:1/",
        "recv": script("hang"),
        "attempt": script("hs:", "hang"),
    }[place]
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), place, uri], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        output = ""
        child.send_signal(signal.SIGINT)
        output, _ = child.communicate(timeout=WAIT)
    assert output == "stopped closed\n"
    assert child.returncode == 0


def test_a_program_may_end_without_close() -> None:
    result = run_script(
        """
        import sys, curlwire
        ws = curlwire.ReconnectingWebSocket(sys.argv[1])
        ws.on_message_received = lambda _, __: None
        ws.connect()
        other = curlwire.ReconnectingWebSocket("ws://localhost:1/")
        try:
            other.connect(timeout=0)
        except TimeoutError:
            print("end")
        """,
        script("hang"),
    )
    assert (result.stdout, result.stderr, result.returncode) == ("end\n", "", 0)


def test_a_child_after_fork_gets_an_error() -> None:
    result = run_script(
        """
        import os, sys, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        import curlwire
        ws = curlwire.ReconnectingWebSocket(sys.argv[1], close_timeout=0.1)
        ws.connect()
        child = os.fork()
        if child == 0:
            try:
                ws.recv(5)
            except curlwire.StateError as error:
                print("before fork()" in str(error), flush=True)
            with curlwire.ReconnectingWebSocket(sys.argv[1], close_timeout=0.1) as new:
                print(new.state, flush=True)
            os._exit(0)
        print(os.waitpid(child, 0)[1], flush=True)
        ws.close()
        ws.wait_closed()
        """,
        script("hang"),
    )
    assert (result.stdout, result.stderr, result.returncode) == ("True\nopen\n0\n", "", 0)
