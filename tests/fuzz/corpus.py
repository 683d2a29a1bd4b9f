# SPDX-License-Identifier: MIT
"""Makes seeds for the fuzz targets from the vectors of tests/conformance, and a few others.

    python3 tests/fuzz/corpus.py FOLDER

writes the files FOLDER/TARGET/NAME. A seed begins with the fields that its target reads first: a split, flags
or calls (see fuzz_*.c).
"""

from __future__ import annotations

import importlib.util
import re
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
MOST_BYTES = 4096
RETRIES = (
    b"120", b"Sun, 06 Nov 1994 08:49:37 GMT", b"Sunday, 06-Nov-94 08:49:37 GMT", b"Sun Nov  6 08:49:37 1994",
    b"Tue, 29 Feb 2000 00:00:00 GMT", b"Saturday, 31-Dec-44 23:59:60 GMT",
)  # fmt: skip
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # the answer to the key in fuzz_reply.c
REPLY = (
    b"HTTP/1.1 101 \r\n",
    b"Upgrade: websocket\r\n",
    b"Connection: keep-alive, Upgrade\r\n",
    b"Sec-WebSocket-Accept: " + ACCEPT + b"\r\n",
    b"Sec-WebSocket-Protocol: v2.chat\r\n",
)
TEXTS = (
    b"",
    b"a",
    "κόσμε €\N{GRINNING FACE}".encode(),
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xc0\xaf",
    b"x" * 70 + b"\xff",
)
HOSTS = (
    "bücher.example", "bu\u0308cher.example", "xn--bcher-kva.ex\uff41mple", "fa\u1e9e.de", "a\u3002b\uff0ec",
    "\u0dc1\u0dca\u200d\u0dbb\u0dd3.com", "\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.com", "\ufdfa",
    "\u1112\u1161\u11ab.\uac00\u11a8", "a\u0323\u0307.\u0627\u0660", "\u05d0\u05d1.example", "bcher-kva",
)  # fmt: skip
# Calls of socket_run.h: receive, send a text, send a fragment, ping, close with 1000, look, drain.
CALLS = (
    b"\x1c\x1c\x1c",
    b"\x00\x19abc\x1c",
    b"\x01\x08ab\x01\x0acd",
    b"\x12\x1c",
    b"\x04\x03\xe8\x00\x19",
    b"\x87\x1f\x18\x06",
)


def frame(first: int, payload: bytes) -> bytes:
    if len(payload) < 126:
        return bytes([first, len(payload)]) + payload
    return struct.pack("!BBH", first, 126, len(payload)) + payload


def made_here() -> Iterator[tuple[str, bytes]]:
    for number, text in enumerate(TEXTS):
        yield f"text{number}", frame(0x81, text)
        yield f"fragments{number}", frame(0x01, text[:3]) + frame(0x89, b"ping") + frame(0x80, text[3:])
        yield f"close{number}", frame(0x88, b"\x03\xe8" + text)
    for code in (0, 999, 1005, 1015, 2999, 4999, 5000):
        yield f"code{code}", frame(0x88, struct.pack("!H", code))
    for length in (126, 4000):
        yield f"length{length}", frame(0x82, bytes(length))
    yield "not-minimal", bytes.fromhex("827e0005") + b"Hello"
    yield "huge", bytes.fromhex("827fffffffffffffffff")
    yield "ahead", bytes.fromhex("827f0000000000100000") + bytes(64)


def vectors() -> Iterator[tuple[str, bytes]]:
    """Yields the name of each vector and the bytes that the server sends in it."""
    reader = ROOT / "tests" / "servers" / "vectors.py"
    if not reader.exists():
        return
    spec = importlib.util.spec_from_file_location("vectors", reader)
    assert spec and spec.loader
    module = sys.modules["vectors"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    parse: Callable[[str], bytes] = module.parse_bytes
    for path in sorted((ROOT / "tests" / "conformance").glob("*.txt")):
        for block in re.split(r"^vector +", path.read_text(), flags=re.MULTILINE)[1:]:
            sent = b"".join(parse(rest) for rest in re.findall(r"^send(?: +(.*))?$", block, re.MULTILINE))
            yield block.split(maxsplit=1)[0], sent[:MOST_BYTES]


def compressed() -> Iterator[tuple[str, bytes]]:
    """Yields compressed messages of two frames, with every type of block. Each begins with the window, the
    split and a size."""
    for level, strategy in ((0, zlib.Z_DEFAULT_STRATEGY), (6, zlib.Z_FIXED), (9, zlib.Z_DEFAULT_STRATEGY)):
        for number, text in enumerate((b"Hello", b"Hello" * 500, bytes(range(256)) * 9)):
            engine = zlib.compressobj(level, zlib.DEFLATED, -15, 8, strategy)
            data = b"\x07\0\7\x20"
            for _ in range(2):
                message = (engine.compress(text) + engine.flush(zlib.Z_SYNC_FLUSH))[:-4]
                cut = len(message) // 2
                for part in (message[:cut], message[cut:]):
                    data += struct.pack("!H", len(part)) + part
            yield f"blocks{level}{strategy}{number}", data
            yield f"resets{level}{strategy}{number}", b"\x0f" + data[1:]


def replies() -> Iterator[tuple[str, bytes]]:
    """Yields the replies of the handshake vectors. {accept} becomes the answer to the target's key."""
    for path in sorted((ROOT / "tests" / "conformance" / "handshake").glob("*.txt")):
        for block in re.split(r"^name: +", path.read_text(), flags=re.MULTILINE)[1:]:
            text = ""
            for kind, line in re.findall(r"^([>+])(?: (.*))?$", block, re.MULTILINE):
                text += line.replace("\\s", " ") + ("\\r\\n" if kind == ">" else "")
            data = text.encode("latin-1", "replace").decode("unicode_escape").encode("latin-1", "replace")
            yield block.split(maxsplit=1)[0], data.replace(b"{accept}", ACCEPT)[:MOST_BYTES]


def payloads(sent: bytes) -> Iterator[tuple[int, bytes]]:
    """Yields the opcode and payload of each frame, up to the first frame that is not plain."""
    while len(sent) >= 2 and sent[1] <= 126:
        begin = 4 if sent[1] == 126 else 2
        length = int.from_bytes(sent[2:4], "big") if begin == 4 else sent[1]
        yield sent[0] & 15, sent[begin : begin + length]
        sent = sent[begin + length :]


def certificates() -> Iterator[tuple[str, bytes]]:
    """Yields the certificate of test_certificate.c, and messages of a TLS handshake that contain it."""
    text = (ROOT / "tests" / "core" / "test_certificate.c").read_text(encoding="utf-8")
    sample = text[text.index("sample[] =") : text.index(";", text.index("sample[] ="))]
    der = bytes.fromhex("".join(re.findall(r"\\x([0-9a-f]{2})", sample)))
    counted = struct.pack("!I", len(der))[1:] + der
    yield "der", der
    for name, begin, item in (("tls12", b"", counted), ("tls13", b"\0", counted + b"\0\0")):
        body = begin + struct.pack("!I", 2 * len(item))[1:] + 2 * item
        yield name, b"\x0b" + struct.pack("!I", len(body))[1:] + body


REDIRECTS = (
    b"../x/./y?z#f", b"https://a.example:8443/../b", b"//u:p@[::1]:80/", b"http://b.example?q", b"?a",
    b"/%41/..", b"ws://[fe80::1%25eth0]:90/", b'Digest realm="a\\", b", qop=auth, Negotiate, Basic',
    b'machine a.example login u password "p\\n"\nmacdef x\ny\n\ndefault login u password p',
)  # fmt: skip


def seeds() -> Iterator[tuple[str, str, bytes]]:
    """Yields the target, the name and the input of each seed."""
    for number, (name, sent) in enumerate([*made_here(), *vectors()]):
        split = struct.pack("!H", number)
        yield "fuzz_frame", name, split[1:] + sent[:64]
        yield "fuzz_message", name, bytes([number & 15]) + split + sent
        calls = CALLS[number % len(CALLS)]
        flags = number * 2 & 0x3E  # how the peer ends, and the class of the socket
        yield "fuzz_socket", name, bytes([flags, len(calls)]) + calls + sent
        text = b""
        for place, (opcode, payload) in enumerate(payloads(sent)):
            if opcode == 8:
                yield "fuzz_close", f"{name}-{place}", payload
            elif opcode < 8:
                text += payload
        for target in ("fuzz_utf8", "fuzz_utf8_differential"):
            yield target, name, split + text
        for encoding in range(3):
            yield "fuzz_values_differential", f"{name}-{encoding}", bytes([encoding]) + text
    for number, codec in enumerate(("utf-8", "utf-16-le", "utf-16-be")):
        words = "".join(HOSTS) + "\U0010ffff"
        yield "fuzz_values_differential", codec, bytes([number]) + words.encode(codec)
    for number, host in enumerate(HOSTS):
        yield "fuzz_idn", f"host{number}", host.encode()
        yield "fuzz_uri", f"host{number}", f"ws://{host}:80/".encode()
    for number, text in enumerate(REDIRECTS):
        yield "fuzz_redirect", f"text{number}", bytes([number]) + text
    for number, value in enumerate(RETRIES):
        yield "fuzz_retry", f"value{number}", struct.pack("<Q", 784111777)[:5] + value
    for name, data in certificates():
        yield "fuzz_certificate", name, data
    for name, data in compressed():
        yield "fuzz_inflate", name, data
    for name, data in replies():
        yield "fuzz_reply", name, data
        yield "fuzz_trace", name, b"\x40\x02" + data
        yield "fuzz_socket", name, b"\x21\x00" + data
    for without in range(len(REPLY) + 1):
        yield "fuzz_reply", f"without{without}", b"".join(REPLY[:without] + REPLY[without + 1 :]) + b"\r\n"
        yield "fuzz_socket", f"reply{without}", b"\x21\x00" + b"".join(REPLY[:without]) + b"\r\n"


def write(folder: Path) -> int:
    count = 0
    for target, name, data in seeds():
        path = folder / target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        count += 1
    return count


if __name__ == "__main__":
    print(f"{write(Path(sys.argv[1]))} seeds")
