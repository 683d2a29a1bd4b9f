# SPDX-License-Identifier: MIT
"""Publishes a text by MQTT 3.1.1 and receives it: mosquitto.py ws://HOST:PORT/ TOPIC TEXT.

MQTT is a stream of bytes: a packet may come in several messages, and a message may have several packets.
Without the subprotocol `mqtt`, Mosquitto accepts the connection and never answers.
"""

import sys

import curlwire

CONNECT, CONNACK, PUBLISH, SUBSCRIBE, SUBACK, DISCONNECT = 0x10, 0x20, 0x30, 0x82, 0x90, 0xE0
CLEAN_SESSION, KEEPALIVE_S = 0x02, 60


def text(value: str) -> bytes:
    """A text as MQTT has it: its length, and its bytes."""
    writer = curlwire.DataWriter()
    writer.write_uint16(writer.measure_string(value))
    writer.write_string(value)
    return bytes(writer.detach_buffer())


def send(writer: curlwire.DataWriter, kind: int, body: bytes) -> None:
    """Sends a packet. Its length takes 7 bits of each byte, the lowest first."""
    writer.write_byte(kind)
    length = len(body)
    while length > 127:
        writer.write_byte(length % 128 + 128)
        length //= 128
    writer.write_byte(length)
    writer.write_bytes(body)
    writer.store()


def receive(reader: curlwire.DataReader, kind: int) -> curlwire.DataReader:
    """Returns a reader of the body of the next packet of a kind."""
    while True:
        reader.load(1)
        got = reader.read_byte() & 0xF0
        length = shift = 0
        while True:
            reader.load(1)
            digit = reader.read_byte()
            length += digit % 128 << shift
            shift += 7
            if digit < 128:
                break
        reader.load(length)
        body = reader.read_bytes(length)
        if got == kind:
            return curlwire.DataReader.from_buffer(body)


if len(sys.argv) != 4:
    sys.exit("usage: mosquitto.py ws://HOST:PORT/ TOPIC TEXT")
uri, topic, message = sys.argv[1:]
with curlwire.connect(uri, curlwire.StreamWebSocket, subprotocols=["mqtt"]) as ws:
    writer, reader = curlwire.DataWriter(ws.output_stream), curlwire.DataReader(ws.input_stream)
    send(writer, CONNECT, text("MQTT") + bytes([4, CLEAN_SESSION, 0, KEEPALIVE_S]) + text("curlwire"))
    flags, refusal = receive(reader, CONNACK).read_bytes(2)
    if refusal:
        sys.exit(f"mosquitto.py: the server refuses with {refusal}")
    send(writer, SUBSCRIBE, bytes([0, 1]) + text(topic) + bytes([0]))
    receive(reader, SUBACK)
    send(writer, PUBLISH, text(topic) + message.encode())
    body = receive(reader, PUBLISH)
    name = body.read_string(body.read_uint16())
    print(f"{name}: {body.read_string(body.unconsumed_buffer_length)}")
    send(writer, DISCONNECT, b"")
