# SPDX-License-Identifier: MIT
"""Uses a connection as a file. Writes two lines and reads them back: stream.py ws://HOST/PATH."""

import io
import sys

import curlwire

if len(sys.argv) != 2:
    sys.exit("usage: stream.py ws://HOST/PATH")
with curlwire.connect(sys.argv[1], curlwire.StreamWebSocket) as ws:
    ws.output_stream.write(b"one\ntwo\n")
    lines = io.BufferedReader(ws.input_stream)
    for _ in range(2):
        print(lines.readline().decode().rstrip())
