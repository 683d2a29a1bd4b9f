# SPDX-License-Identifier: MIT
"""A server for the tests of how a connection reaches its server: WebSocket echo and DNS over HTTPS, made with
aiohttp and dnspython.

    python3 tests/servers/reaching.py --certificates FOLDER [--port PORT] [--unix PATH] [--abstract NAME]

    wss://localhost:PORT/                 echo, also for the name api.example
    https://localhost:PORT/dns-query      DNS over HTTPS (RFC 8484): api.example is 127.0.0.1, and the only name
    https://localhost:PORT/broken         answers every question with 500
    https://localhost:PORT/log            the questions so far, one a line

The Unix sockets have echo without TLS. FOLDER has the files of certs.py. The first line on stdout is
"listening PORT".
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import ssl
from pathlib import Path

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
from aiohttp import WSMsgType, web

ADDRESSES = {"api.example.": "127.0.0.1"}
asked: list[str] = []


async def echo(request: web.Request) -> web.WebSocketResponse:
    ws = web.WebSocketResponse(max_msg_size=0)
    await ws.prepare(request)
    async for message in ws:
        if message.type is WSMsgType.TEXT:
            await ws.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await ws.send_bytes(message.data)
    return ws


async def answer(request: web.Request) -> web.Response:
    question = dns.message.from_wire(await request.read())
    reply = dns.message.make_response(question)
    name, kind = question.question[0].name, question.question[0].rdtype
    asked.append(f"{name} {dns.rdatatype.to_text(kind)}")
    address = ADDRESSES.get(str(name).lower())
    if address is None:
        reply.set_rcode(dns.rcode.NXDOMAIN)
    elif kind == dns.rdatatype.A:
        reply.answer.append(dns.rrset.from_text(name, 60, "IN", "A", address))
    return web.Response(body=reply.to_wire(), content_type="application/dns-message")


async def broken(_: web.Request) -> web.Response:
    return web.Response(status=500)


async def log(_: web.Request) -> web.Response:
    return web.Response(text="\n".join(asked))


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--certificates", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0, help="0 = any")
    parser.add_argument("--unix", action="append", default=[], metavar="PATH")
    parser.add_argument("--abstract", action="append", default=[], metavar="NAME")
    options = parser.parse_args()

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    application = web.Application()
    application.router.add_get("/", echo)
    application.router.add_post("/dns-query", answer)
    application.router.add_post("/broken", broken)
    application.router.add_get("/log", log)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.certificates / "reaching.pem", options.certificates / "reaching.key")
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
    await runner.setup()
    for path in [*options.unix, *("\0" + name for name in options.abstract)]:
        await web.UnixSite(runner, path).start()
    site = web.TCPSite(runner, "127.0.0.1", options.port, ssl_context=context)
    await site.start()
    print("listening", runner.addresses[-1][1], flush=True)
    await stop.wait()
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
