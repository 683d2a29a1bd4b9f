# SPDX-License-Identifier: MIT
"""Sends a text, reads the echo in a handler, and closes the socket in that handler: uwp_message.py [URI]."""

import sys

import curlwire

URI = sys.argv[1] if len(sys.argv) > 1 else "ws://localhost:8765/"


def on_message_received(ws: curlwire.MessageWebSocket, args: curlwire.MessageReceivedEventArgs) -> None:
    reader = args.get_data_reader()
    print("received:", reader.read_string(reader.unconsumed_buffer_length))
    ws.close()


def on_closed(ws: curlwire.MessageWebSocket, args: curlwire.ClosedEventArgs) -> None:
    print("closed:", args.code)


ws = curlwire.MessageWebSocket(message_type="utf8")
ws.on_message_received = on_message_received
ws.on_closed = on_closed
try:
    ws.connect(URI)
    print("sending: Hello, World!")
    writer = curlwire.DataWriter(ws.output_stream)
    writer.write_string("Hello, World!")
    writer.store()
    writer.detach_stream()
except curlwire.WebSocketError as error:
    sys.exit(f"uwp_message.py: {error}")
curlwire.run_forever()  # until the socket is closed
