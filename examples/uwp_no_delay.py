# SPDX-License-Identifier: MIT
"""Turns Nagle's algorithm on before connecting, and writes to the stream: uwp_no_delay.py [URI]."""

import sys

import curlwire

URI = sys.argv[1] if len(sys.argv) > 1 else "ws://localhost:8765/"

with curlwire.StreamWebSocket() as ws:
    ws.control.no_delay = False
    try:
        ws.connect(URI)
        print("writing: small")
        ws.output_stream.write(b"small")
    except curlwire.WebSocketError as error:
        sys.exit(f"uwp_no_delay.py: {error}")
    try:
        ws.control.no_delay = True
    except curlwire.StateError:
        print("no_delay cannot change after connecting")
