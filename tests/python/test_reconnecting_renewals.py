# SPDX-License-Identifier: MIT
"""curlwire.ReconnectingWebSocket: when reconnect() renews the connection, and where messages go meanwhile."""

from typing import Any

from attempts import AT_ONCE, ReconnectingWebSocket, scripts, text
from peers import WAIT, Recorded, echo, wait_until


def test_reconnect_does_not_wait_for_a_receiver_if_nothing_has_arrived() -> None:
    """Only the next connection ends the loop: this close_timeout does not."""
    with ReconnectingWebSocket(scripts(["hang"], echo()), policy=AT_ONCE, close_timeout=3600) as ws:
        ws.reconnect()
        wait_until(lambda: ws.attempt == 2 and ws.state == "open")
        ws.send("x")
        assert ws.recv(WAIT) == "x"


def test_reconnect_needs_no_further_recv_once_all_is_received() -> None:
    uri = scripts([text("1"), text("2"), "hang"], echo())
    with ReconnectingWebSocket(uri, policy=AT_ONCE, close_timeout=3600) as ws:
        inner = ws.socket
        assert inner is not None
        wait_until(lambda: inner.information.statistics.text_messages_received >= 2)
        ws.reconnect()
        wait_until(lambda: ws._driver.retiring is not None)
        assert [ws.recv(WAIT) for _ in range(2)] == ["1", "2"]
        wait_until(lambda: ws.attempt == 2 and ws.state == "open")


def test_messages_after_reconnect_wait_for_the_new_connection() -> None:
    first = Recorded("hang")
    ws = ReconnectingWebSocket(lambda attempt: first.url if attempt == 1 else echo(), policy=AT_ONCE)
    with ws:
        ws.send("old")
        with ws._driver.lock:  # the thread of the socket cannot notice the call before the messages are sent
            ws.reconnect()
            assert ws.send_many(["1", "2"]) == 2
            assert ws.unsent_count == 2
        assert [ws.recv(WAIT) for _ in range(2)] == ["1", "2"]
    frames = [(frame["opcode"], bytes.fromhex(frame["payload"])) for frame in first.record()["frames"]]
    assert [payload for opcode, payload in frames if opcode == 1] == [b"old"]


def test_reconnect_in_on_connected_sends_kept_messages_on_the_next_connection() -> None:
    first = Recorded("hang")
    ws = ReconnectingWebSocket(lambda attempt: first.url if attempt == 1 else echo(), policy=AT_ONCE)

    def on_connected(ws: Any, attempt: int) -> None:
        if attempt == 1:
            with ws._driver.lock:
                ws._driver.unsent.add("kept", None, None, 4)
            ws.reconnect()

    ws.on_connected = on_connected
    with ws:
        assert ws.recv(WAIT) == "kept"
        assert ws.attempt == 2
    assert [frame["opcode"] for frame in first.record()["frames"]] == [8]
