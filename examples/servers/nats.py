# SPDX-License-Identifier: MIT
"""Publishes a text by NATS and receives it: nats.py ws://HOST:PORT/ SUBJECT TEXT.

NATS is lines in a stream of bytes. The server sends its first line at once, and compresses if its configuration
has `compression: true`.
"""

import io
import json
import sys

import curlwire

if len(sys.argv) != 4:
    sys.exit("usage: nats.py ws://HOST:PORT/ SUBJECT TEXT")
uri, subject, data = sys.argv[1], sys.argv[2], sys.argv[3].encode()
with curlwire.connect(uri, curlwire.StreamWebSocket, compression="deflate") as ws:
    lines = io.BufferedReader(ws.input_stream)
    info = json.loads(lines.readline().removeprefix(b"INFO "))
    print(f"NATS {info['version']}, compression: {ws.information.extensions or 'none'}")
    ws.output_stream.write(b'CONNECT {"verbose": false}\r\n')
    ws.output_stream.write(b"SUB %s 1\r\n" % subject.encode())
    ws.output_stream.write(b"PUB %s %d\r\n%s\r\n" % (subject.encode(), len(data), data))
    while line := lines.readline():
        verb, *words = line.decode().split()
        if verb == "PING":
            ws.output_stream.write(b"PONG\r\n")
        elif verb == "-ERR":
            sys.exit(f"nats.py: {line.decode().strip()}")
        elif verb == "MSG":
            print(f"{words[0]}: {lines.read(int(words[-1])).decode()}")
            break
