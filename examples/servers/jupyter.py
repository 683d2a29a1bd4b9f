# SPDX-License-Identifier: MIT
"""Runs code in a Jupyter kernel and prints its output: jupyter.py ws://HOST:PORT/api/kernels/ID/channels CODE.

The variable JUPYTER_TOKEN is the server's token. `POST /api/kernels` starts a kernel and returns its ID. A
message of the subprotocol has numbers of 8 bytes, little-endian: how many offsets follow, and the offsets of
its parts.
"""

import itertools
import json
import os
import sys
import uuid
from typing import Any

import curlwire

SUBPROTOCOL = "v1.kernel.websocket.jupyter.org"
PARTS = ("header", "parent_header", "metadata", "content")  # they follow the name of the channel


def encoded(channel: str, message: dict[str, Any]) -> bytes:
    parts = [channel.encode(), *(json.dumps(message[name]).encode() for name in PARTS)]
    writer = curlwire.DataWriter()
    writer.byte_order = "little_endian"
    writer.write_uint64(len(parts) + 1)
    sizes = [8 * (len(parts) + 2), *map(len, parts)]
    for offset in itertools.accumulate(sizes):
        writer.write_uint64(offset)
    writer.write_bytes(b"".join(parts))
    return bytes(writer.detach_buffer())


def decoded(data: bytes) -> dict[str, Any]:
    reader = curlwire.DataReader.from_buffer(data)
    reader.byte_order = "little_endian"
    offsets = [reader.read_uint64() for _ in range(reader.read_uint64())]
    parts = [data[begin:end] for begin, end in itertools.pairwise(offsets)]
    return {name: json.loads(part) for name, part in zip(PARTS, parts[1:], strict=False)}


if len(sys.argv) != 3 or "JUPYTER_TOKEN" not in os.environ:
    sys.exit("usage: JUPYTER_TOKEN=TOKEN jupyter.py ws://HOST:PORT/api/kernels/ID/channels CODE")
number = uuid.uuid4().hex
header = {"msg_id": number, "msg_type": "execute_request", "session": number, "username": "", "version": "5.3"}
content = {"code": sys.argv[2], "silent": False}
request = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
token = os.environ["JUPYTER_TOKEN"]
with curlwire.connect(sys.argv[1], xoauth2_bearer=token, subprotocols=[SUBPROTOCOL]) as ws:
    ws.send(encoded("shell", request))
    for data in ws:
        assert isinstance(data, bytes)  # the subprotocol has no text
        message = decoded(data)
        if message["parent_header"].get("msg_id") != number:
            continue
        kind, content = message["header"]["msg_type"], message["content"]
        if kind == "stream":
            print(content["text"], end="")
        elif kind == "error":
            sys.exit(f"{content['ename']}: {content['evalue']}")
        elif kind == "status" and content["execution_state"] == "idle":
            break
