# SPDX-License-Identifier: MIT
"""Compression is refused with a libcurl before 8.21.0 and with framing="curl", which cannot receive it."""

import pytest

import curlwire
from peers import COMPRESSION_REFUSED, echo, opened, round_trip


@pytest.mark.parametrize("socket_class", [curlwire.MessageWebSocket, curlwire.StreamWebSocket])
def test_compression_is_refused(socket_class: type[curlwire.WebSocket]) -> None:
    ws = socket_class(compression="deflate")
    with pytest.raises(curlwire.ConnectError, match=COMPRESSION_REFUSED):
        ws.connect(echo())
    assert ws.state == "new"
    ws.control.compression = "none"
    ws.connect(echo())
    assert ws.extensions is None
    ws.close()


def test_none_is_offered() -> None:
    with opened(compression="none", client_max_window_bits=9) as ws:
        assert ws.information.extensions is None
        round_trip(ws)
