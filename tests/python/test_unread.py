# SPDX-License-Identifier: MIT
"""Pongs and close frames that curlwire sends lose no received message, even after the server has ended TCP."""

import time
from typing import Any

import pytest

import curlwire
from peers import ca_file, frame, url

COUNT = 250
SIZE = 8000
FRAMINGS = ["auto", "curl"]
SCHEMES = ["CW_SCRIPT_WS", "CW_SCRIPT_WSS"]
PLAIN = f"repeat:{COUNT}:{frame(2, bytes(SIZE))}"
PINGED = f"repeat:{COUNT}:{frame(9, b'p')}{frame(2, bytes(SIZE))}"


def _opened(scheme: str, steps: str, framing: str, socket_class: Any) -> Any:
    uri = url(scheme, f"/s/{steps}/close:1000/end")
    return curlwire.connect(
        uri,
        socket_class,
        framing=framing,
        ca_file=ca_file(),
        ping_interval=0.02,
        inbound_buffer_size=16384,
    )


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("steps", [PLAIN, PINGED], ids=["plain", "pinged"])
def test_unread_messages(scheme: str, steps: str, framing: str) -> None:
    ws = _opened(scheme, steps, framing, curlwire.MessageWebSocket)
    time.sleep(0.5)  # stands for a script that computes
    assert [len(message) for message in ws] == [SIZE] * COUNT
    ws.wait_closed()
    assert ws.close_code == 1000


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("steps", [PLAIN, PINGED], ids=["plain", "pinged"])
def test_unread_stream(scheme: str, steps: str, framing: str) -> None:
    ws = _opened(scheme, steps, framing, curlwire.StreamWebSocket)
    time.sleep(0.5)
    total = 0
    while part := ws.input_stream.read(65536):
        total += len(part)
    assert total == COUNT * SIZE


@pytest.mark.parametrize("scheme", SCHEMES)
def test_unread_handler(scheme: str) -> None:
    got = []

    def on_message(ws: curlwire.MessageWebSocket, args: Any) -> None:
        if not got:
            time.sleep(0.5)
        got.append(len(args.data))

    ws = curlwire.MessageWebSocket(ca_file=ca_file(), ping_interval=0.02, inbound_buffer_size=16384)
    ws.on_message_received = on_message
    ws.connect(url(scheme, f"/s/{PINGED}/close:1000/end"))
    ws.run_forever()
    assert got == [SIZE] * COUNT
    assert ws.close_code == 1000
