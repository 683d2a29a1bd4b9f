# SPDX-License-Identifier: MIT
"""Takes the place of the module tests.proxy of the websockets library, which runs mitmproxy.

The proxies are ours (tests/python/proxies.py). They listen before the tests are loaded, so that the tests can
be given their ports. ProxyMixin has what the tests call.
"""

from __future__ import annotations

import base64
import os
import socket
import ssl
from pathlib import Path
from typing import Any

import proxies
from curlwire.compat.websockets import SSLContext

FOLDER = Path(os.environ["CW_CA_FILE"]).parent
HTTP = "regular@"  # how the tests name the mode of an HTTP proxy; the other is socks5@
TLS_HANDSHAKE = 0x16  # the first byte of a connection over TLS


class Request:
    """The request of a tunnel, with the headers as mitmproxy gives them."""

    def __init__(self, head: bytes) -> None:
        lines = head.decode("latin-1").split("\r\n")[1:-2]
        pairs = [line.partition(":")[::2] for line in lines]
        self.headers = {name.encode(): value.strip() for name, value in pairs}


class Flow:
    def __init__(self, head: bytes) -> None:
        self.request = Request(head)


class Options:
    """What a test has set."""

    def __init__(self) -> None:
        self.proxyauth: str | None = None
        self.break_http_connect = False
        self.close_http_connect = False

    def update(self, **values: Any) -> None:
        for name, value in values.items():
            setattr(self, name, value)
        user, _, password = (self.proxyauth or "").partition(":")
        socks.user = (user, password) if self.proxyauth else None


class HttpProxy(proxies.Proxy):
    """An HTTP proxy that also takes TLS on its port, as mitmproxy does."""

    def __init__(self) -> None:
        super().__init__(self.decide)
        self.flows: list[Flow] = []
        self.tunnels = 0

    def talk(self, connection: socket.socket) -> None:
        if connection.recv(1, socket.MSG_PEEK)[:1] != bytes([TLS_HANDSHAKE]):
            super().talk(connection)
            return
        context = proxies.server_context(str(FOLDER / "server.pem"), str(FOLDER / "server.key"))
        with context.wrap_socket(connection, server_side=True) as secure:
            super().talk(secure)

    def decide(self, connection: socket.socket, head: bytes) -> None:
        self.flows.append(Flow(head))
        given = Request(head).headers.get(b"Proxy-Authorization")
        wanted = options.proxyauth
        if wanted is not None:
            right = "Basic " + base64.b64encode(wanted.encode()).decode()
            if given is None or (wanted != "any" and given != right):
                no = "407 Proxy Authentication Required\nProxy-Authenticate: Basic\nContent-Length: 0\n\n"
                proxies.reply(f"HTTP/1.1 {no}")(connection, head)
                return
        if options.close_http_connect:
            return
        if options.break_http_connect:
            proxies.reply("HTTP/1.1 999 Nothing\nContent-Length: 0\n\n")(connection, head)
            return
        self.tunnels += 1
        proxies.tunnel(connection, head)


socks = proxies.Socks()
http = HttpProxy()
options = Options()


class ProxyMixin:
    proxy_mode: str
    proxy_options = options
    proxy_context: ssl.SSLContext

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()  # type: ignore[misc]
        cls.proxy_context = SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        cls.proxy_context.load_verify_locations(FOLDER / "ca.pem")
        cls.forget()

    @staticmethod
    def forget() -> None:
        http.flows.clear()
        http.tunnels = 0
        while not socks.heads.empty():
            socks.heads.get_nowait()

    def get_http_connects(self) -> list[Flow]:
        return http.flows

    def assertNumFlows(self, number: int) -> None:
        through_socks = sum(
            1 for head in socks.heads.queue if " " in head
        )  # the kind of the address, and the host
        tunnels = http.tunnels if self.proxy_mode.startswith(HTTP) else through_socks
        self.assertEqual(tunnels, number)  # type: ignore[attr-defined]

    def tearDown(self) -> None:
        self.forget()
        super().tearDown()  # type: ignore[misc]
