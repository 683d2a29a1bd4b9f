# SPDX-License-Identifier: MIT
"""Writes ten bytes to a stream while another thread reads the echo: uwp_stream.py [URI]."""

import sys
import threading

import curlwire

URI = sys.argv[1] if len(sys.argv) > 1 else "ws://localhost:8765/"
DATA = bytes(range(10))
failures: list[curlwire.WebSocketError] = []


def on_closed(ws: curlwire.StreamWebSocket, args: curlwire.ClosedEventArgs) -> None:
    print("closed:", args.code)


def read(ws: curlwire.StreamWebSocket) -> None:
    reader = curlwire.DataReader(ws.input_stream)
    reader.input_stream_options = curlwire.InputStreamOptions.PARTIAL
    try:
        while reader.unconsumed_buffer_length < len(DATA) and reader.load(256) > 0:
            pass
        print("read:", *reader.read_bytes(len(DATA)))
    except curlwire.WebSocketError as error:  # the main thread reports it
        failures.append(error)


ws = curlwire.StreamWebSocket()
ws.on_closed = on_closed
try:
    ws.connect(URI)
    reading = threading.Thread(target=read, args=[ws])
    reading.start()
    print("writing:", *DATA)
    writer = curlwire.DataWriter(ws.output_stream)
    writer.write_bytes(DATA)
    writer.store()
    writer.detach_stream()
    reading.join()
    ws.close()
    curlwire.run_forever()  # until the socket is closed
    if failures:
        raise failures[0]
except curlwire.WebSocketError as error:
    sys.exit(f"uwp_stream.py: {error}")
