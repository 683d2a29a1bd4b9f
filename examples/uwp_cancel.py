# SPDX-License-Identifier: MIT
"""Gives a connect a limit of 5 s: uwp_cancel.py [URI [SECONDS]].

The limit belongs to the call. It does nothing to a connection that is open when the time is over.
"""

import sys

import curlwire

URI = sys.argv[1] if len(sys.argv) > 1 else "ws://localhost:8765/"
SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 5.0

try:
    with curlwire.MessageWebSocket() as ws:
        ws.connect(URI, timeout=SECONDS)
        print("connected in time")
        ws.send("hello")
        print("received:", ws.recv())
except curlwire.ConnectTimeout:
    print(f"gave up after {SECONDS:g} s")
    sys.exit(1)
except curlwire.WebSocketError as error:
    sys.exit(f"uwp_cancel.py: {error}")
