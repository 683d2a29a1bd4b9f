# SPDX-License-Identifier: MIT
"""Compression with a libcurl before 8.21, which cannot receive it: the connect says so and nothing is sent."""

import pytest

import curlwire
from peers import echo, opened, round_trip


@pytest.mark.parametrize("socket_class", [curlwire.MessageWebSocket, curlwire.StreamWebSocket])
def test_refused(socket_class: type[curlwire.WebSocket]) -> None:
    ws = socket_class(compression="deflate")
    with pytest.raises(curlwire.WebSocketError) as caught:
        ws.connect(echo())
    assert str(caught.value).startswith("compression needs libcurl 8.21.0 or later, and ")
    assert curlwire.libcurl_version in str(caught.value)
    assert ws.state == "new"
    ws.control.compression = "none"
    ws.connect(echo())
    assert ws.extensions is None
    ws.close()


def test_none_is_offered() -> None:
    with opened(compression="none", client_max_window_bits=9) as ws:
        assert ws.information.extensions is None
        round_trip(ws)
