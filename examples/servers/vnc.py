# SPDX-License-Identifier: MIT
"""Prints the size and the name of a VNC server's screen: vnc.py ws://HOST:PORT/.

`websockify PORT HOST:5900` carries the bytes of VNC's protocol, RFB (RFC 6143), in binary messages. It closes
with 1003 if a client sends text. The numbers of RFB are big-endian, as in a DataReader.
"""

import sys

import curlwire

NO_PASSWORD, SHARED = 1, 1

if len(sys.argv) != 2:
    sys.exit("usage: vnc.py ws://HOST:PORT/")
with curlwire.connect(sys.argv[1], curlwire.StreamWebSocket) as ws:
    writer, reader = curlwire.DataWriter(ws.output_stream), curlwire.DataReader(ws.input_stream)

    def read_uint32() -> int:
        reader.load(4)
        return reader.read_uint32()

    def read_text(size: int) -> str:
        reader.load(size)
        return reader.read_string(size)

    def send(data: bytes) -> None:
        writer.write_bytes(data)
        writer.store()

    version = read_text(12)
    send(b"RFB 003.008\n")
    reader.load(1)
    count = reader.read_byte()
    if count == 0:
        sys.exit(f"vnc.py: the server refuses: {read_text(read_uint32())}")
    reader.load(count)
    kinds = reader.read_bytes(count)
    if NO_PASSWORD not in kinds:
        sys.exit("vnc.py: the server wants a password")
    send(bytes([NO_PASSWORD]))
    if read_uint32() != 0:
        sys.exit(f"vnc.py: the login failed: {read_text(read_uint32())}")
    send(bytes([SHARED]))
    reader.load(4 + 16)
    width, height = reader.read_uint16(), reader.read_uint16()
    reader.read_bytes(16)  # the form of a pixel
    print(f"{version.strip()}, {width} x {height}, {read_text(read_uint32())}")
