# SPDX-License-Identifier: MIT
"""A TLS front for another peer. Each port does TLS correctly or with one fault.

    python3 tests/servers/tls.py --certificates FOLDER --upstream PORT

It forwards the plain bytes of a connection to the peer at PORT (scripted.py) and back, so every script of that
peer works behind each fault. PORTS below lists the ports.

    GET http://127.0.0.1:LOG/new/NAME

opens one more port that behaves as NAME does, and returns its number.

    GET http://127.0.0.1:LOG/PORT

returns the record of the last connection to a port, when that has ended or after 30 s. Ask only for the record
of a new port, because several suites may run at once. The record is an object:

    sni            the host name that the client asked for, or null
    version        the version of TLS
    host           the Host header of the request, or null
    error          why the handshake failed, or null
    raw            the first 8 KiB that the client sent, in hexadecimal
    record_types   the types of the TLS records in raw
    plain_bytes    the number of decrypted bytes
    handshakes     the number of handshakes; all after the first are renegotiations

It writes FOLDER/another.ocsp, a status for another certificate than serverchain's. Its own OpenSSL sends no
such status, but the command openssl does.

The first line on stdout is "listening LOG PLAIN PORT ...". PLAIN is a port without TLS, and the others are in
the order of PORTS.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime
import json
import re
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from OpenSSL import SSL

from certs import CHAINS

LIFE_S = 120
LOG_WAIT_S = 30
PIECE_BYTES = 65536
RAW_BYTES = 8192


@dataclass(frozen=True)
class Port:
    certificate: str = "server"
    afterwards: str = ""  # the certificate of all connections but the first; "" = the same
    least: int = SSL.TLS1_2_VERSION
    most: int = SSL.TLS1_3_VERSION
    demands_certificate: bool = False
    notifies: bool = True  # ends with close_notify
    renegotiates: bool = False  # asks for a renegotiation whenever the client has sent something
    chooses: bytes = b""  # the protocol that it chooses by ALPN; b"" = it ignores ALPN
    # The OCSP status that it staples: "good", "revoked", "old" or "forged" (signed by another authority)
    status: str = ""  # "" = none
    is_stuck: bool = False  # asks for a renegotiation at the first message, and then stops reading


CERTIFICATES = (
    "badhost", "expired", "future", "revoked", "unknown", "chain", "selfsigned", "nameonly", "iponly",
    "wildcard", "purpose", "weak", "broken", *(f"{name}chain" for name in CHAINS),
)  # fmt: skip
PORTS = {
    "good": Port(),
    **{name: Port(name) for name in CERTIFICATES},
    "badhost12": Port("badhost", most=SSL.TLS1_2_VERSION),
    "old": Port(least=SSL.TLS1_VERSION, most=SSL.TLS1_1_VERSION),
    "client": Port(demands_certificate=True),
    "client12": Port(demands_certificate=True, most=SSL.TLS1_2_VERSION),
    "cut": Port(notifies=False),
    "cut12": Port(notifies=False, most=SSL.TLS1_2_VERSION),
    "renegotiate": Port(renegotiates=True, most=SSL.TLS1_2_VERSION),
    "tls12": Port(most=SSL.TLS1_2_VERSION),
    "tls13": Port(least=SSL.TLS1_3_VERSION),
    "alpn": Port(chooses=b"http/1.1"),
    # libcurl looks for the issuer in the certificates that the server sends
    **{f"stapled{status}": Port("serverchain", status=status) for status in ("good", "old", "forged")},
    "stapledrevoked": Port("revokedchain", status="revoked"),
    "stapled12": Port("serverchain", status="good", most=SSL.TLS1_2_VERSION),
    "stapledalone": Port(status="good"),
    "twofaced": Port(afterwards="nameonly"),
    "stuck": Port(is_stuck=True, most=SSL.TLS1_2_VERSION),
}


@dataclass
class Record:
    sni: str | None = None
    version: str | None = None
    error: str | None = None
    host: str | None = None
    raw: bytes = b""
    plain_bytes: int = 0
    handshakes: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def as_json(self) -> bytes:
        types, rest = [], self.raw
        while len(rest) >= 5:
            types.append(rest[0])
            rest = rest[5 + int.from_bytes(rest[3:5], "big") :]
        return json.dumps(
            {
                "sni": self.sni,
                "version": self.version,
                "error": self.error,
                "host": self.host,
                "record_types": types,
                "plain_bytes": self.plain_bytes,
                "raw": self.raw.hex(),
                "handshakes": self.handshakes,
            }
        ).encode()


class Link:
    """One connection, which joins the client's TLS and the upstream peer."""

    def __init__(
        self, port: Port, context: SSL.Context, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.port = port
        self.reader = reader
        self.writer = writer
        self.record = Record()
        self.tls = SSL.Connection(context, None)
        self.tls.set_app_data(self.record)
        self.tls.set_accept_state()
        self.fed = asyncio.Event()  # set when bytes came from the client, so that a waiting write may go on

    async def flush(self) -> None:
        with contextlib.suppress(SSL.WantReadError):
            while True:
                self.writer.write(self.tls.bio_read(PIECE_BYTES))
        await self.writer.drain()

    async def feed(self) -> bool:
        data = await self.reader.read(PIECE_BYTES)
        if data:
            self.record.raw = (self.record.raw + data)[:RAW_BYTES]
            self.tls.bio_write(data)
            self.fed.set()
        return bool(data)

    async def handshake(self) -> bool:
        while True:
            try:
                self.tls.do_handshake()
            except SSL.WantReadError:
                await self.flush()
                if not await self.feed():
                    self.record.error = "the client left"
                    return False
            except SSL.Error as error:
                self.record.error = str(error)
                return False
            else:
                await self.flush()
                self.record.version = self.tls.get_protocol_version_name()
                return True

    async def read(self) -> bytes:
        """Returns plain bytes of the client; b"" at its end."""
        while True:
            try:
                data: bytes = self.tls.recv(PIECE_BYTES)
            except SSL.WantReadError:
                await self.flush()
                if not await self.feed():
                    return b""
            except SSL.ZeroReturnError:
                return b""
            else:
                if self.record.plain_bytes == 0:
                    hosts = re.findall(rb"(?i)\r\nhost: *([^\r\n]*)", data)
                    self.record.host = b", ".join(hosts).decode() or None
                self.record.plain_bytes += len(data)
                return data

    async def write(self, data: bytes) -> None:
        while data:
            self.fed.clear()
            try:
                data = data[self.tls.send(data[:16384]) :]
            except SSL.WantReadError:
                await self.flush()
                await self.fed.wait()
        await self.flush()

    async def ask_for_handshake(self) -> None:
        if not self.tls.renegotiate_pending():
            self.tls.renegotiate()
            self.tls.do_handshake()  # sends the request; read() reads the client's answer
            await self.flush()

    async def carry_in(self, upstream: asyncio.StreamWriter) -> None:
        while data := await self.read():
            # The first plain bytes are the HTTP request, which starts no renegotiation.
            if self.record.plain_bytes > len(data) and (self.port.renegotiates or self.port.is_stuck):
                await self.ask_for_handshake()
            if self.port.is_stuck and self.tls.renegotiate_pending():
                return await self.swallow()
            upstream.write(data)
            await upstream.drain()
        if upstream.can_write_eof():
            upstream.write_eof()

    async def carry_out(self, upstream: asyncio.StreamReader) -> None:
        while data := await upstream.read(PIECE_BYTES):
            await self.write(data)
        if self.port.notifies:
            with contextlib.suppress(SSL.Error):
                self.tls.shutdown()
            await self.flush()
        self.writer.write_eof()

    async def swallow(self) -> None:
        """Reads until the client ends, because closing with unread bytes would send a reset."""
        while await self.reader.read(PIECE_BYTES):
            pass

    async def run(self, upstream_port: int) -> None:
        if not await self.handshake():
            await self.flush()  # sends the alert
            self.writer.write_eof()
            await self.swallow()
            return
        reader, writer = await asyncio.open_connection("127.0.0.1", upstream_port)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.carry_in(writer))
                tasks.create_task(self.carry_out(reader))
        finally:
            writer.close()


def count_handshake(connection: SSL.Connection, where: int, _: int) -> None:
    if where & SSL.SSL_CB_HANDSHAKE_DONE:
        connection.get_app_data().handshakes += 1


def note_name(connection: SSL.Connection) -> None:
    name = connection.get_servername()
    connection.get_app_data().sni = name.decode() if name else None


def load(folder: Path, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / f"{name}.pem").read_bytes())


def make_status(status: str, certificate: str, folder: Path) -> bytes:
    """Makes an OCSP response in DER. status: as a port's; "another" is for another certificate."""
    signer = "other-ca" if status == "forged" else "ca"
    key = serialization.load_pem_private_key((folder / f"{signer}.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    now = datetime.datetime.now(datetime.UTC)
    age = datetime.timedelta(days=10 if status == "old" else 0, hours=1)
    is_revoked = status == "revoked"
    response = ocsp.OCSPResponseBuilder().add_response(
        cert=load(folder, "badhost" if status == "another" else certificate),
        issuer=load(folder, "ca"),
        algorithm=hashes.SHA1(),  # RFC 5019 names certificates by it
        cert_status=ocsp.OCSPCertStatus.REVOKED if is_revoked else ocsp.OCSPCertStatus.GOOD,
        this_update=now - age,
        next_update=now - age + datetime.timedelta(days=2),
        revocation_time=now - age if is_revoked else None,
        revocation_reason=x509.ReasonFlags.key_compromise if is_revoked else None,
    )
    response = response.responder_id(ocsp.OCSPResponderEncoding.HASH, load(folder, signer))
    response = response.certificates([load(folder, signer)])
    return response.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def make_context(port: Port, certificate: str, folder: Path) -> SSL.Context:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_cipher_list(b"DEFAULT:@SECLEVEL=0")  # some ports need weak settings
    context.set_min_proto_version(port.least)
    context.set_max_proto_version(port.most)
    context.use_certificate_chain_file(str(folder / f"{certificate}.pem"))
    context.use_privatekey_file(str(folder / f"{certificate}.key"))
    context.set_tlsext_servername_callback(note_name)
    context.set_info_callback(count_handshake)
    if port.chooses:
        context.set_alpn_select_callback(
            lambda _, offered: port.chooses if port.chooses in offered else SSL.NO_OVERLAPPING_PROTOCOLS
        )
    if port.status:
        status = make_status(port.status, port.certificate, folder)
        context.set_ocsp_server_callback(lambda *_: status)
    if port.demands_certificate:
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
    return context


async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers without TLS, as a web server answers bytes that are not a request."""
    with contextlib.suppress(OSError):
        await reader.read(PIECE_BYTES)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
    writer.close()


class Server:
    def __init__(self, folder: Path, upstream_port: int) -> None:
        self.folder = folder
        self.upstream_port = upstream_port
        self.records: dict[int, Record] = {}

    async def listen(self, name: str) -> int:
        port = PORTS[name]
        names = [port.certificate, port.afterwards or port.certificate]
        contexts = [make_context(port, certificate, self.folder) for certificate in names]

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            link = Link(port, contexts.pop(0) if len(contexts) > 1 else contexts[0], reader, writer)
            self.records[writer.get_extra_info("sockname")[1]] = link.record
            try:
                async with asyncio.timeout(LIFE_S):
                    await link.run(self.upstream_port)
            except* (OSError, SSL.Error, asyncio.CancelledError):
                pass  # the client has reset it, it took too long, or this program is ending
            finally:
                link.record.ended.set()
                writer.close()

        return await start(handle)

    async def record(self, port: int) -> bytes:
        record = self.records.get(port, Record())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOG_WAIT_S):
                await record.ended.wait()
        return record.as_json()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, IndexError):
            what, _, name = (await reader.readline()).decode().split(" ")[1].removeprefix("/").partition("/")
            text = str(await self.listen(name)).encode() if what == "new" else await self.record(int(what))
            writer.write(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + text)
            await writer.drain()
        writer.close()


async def start(handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> int:
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    return port


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--certificates", type=Path, required=True)
    parser.add_argument("--upstream", type=int, required=True)
    options = parser.parse_args()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    other = make_status("another", "serverchain", options.certificates)
    (options.certificates / "another.ocsp").write_bytes(other)
    server = Server(options.certificates, options.upstream)
    ports = [await start(server.answer), await start(refuse), *[await server.listen(name) for name in PORTS]]
    print("listening", *ports, flush=True)
    await stop.wait()


if __name__ == "__main__":
    asyncio.run(main())
