# SPDX-License-Identifier: MIT
"""Closes a connection with a code and a reason: uwp_close.py [URI]."""

import sys

import curlwire

URI = sys.argv[1] if len(sys.argv) > 1 else "ws://localhost:8765/"


def on_closed(ws: curlwire.MessageWebSocket, args: curlwire.ClosedEventArgs) -> None:
    print("closed:", args.code)


ws = curlwire.MessageWebSocket()
ws.on_closed = on_closed
try:
    ws.connect(URI)
except curlwire.WebSocketError as error:
    sys.exit(f"uwp_close.py: {error}")
print("closing: 1000")
ws.close(1000, "")
curlwire.run_forever()  # until the server has answered, or close_timeout is over
