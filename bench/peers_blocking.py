# SPDX-License-Identifier: MIT
"""The benchmark's works through other blocking clients, each used as its documentation recommends.

peers_blocking.py <compat | websockets | websocket-client | curl_cffi> -
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import blocking
from worker import main, refuse_deflate, tls, tls_of, version_of, wants_deflate


class Websockets:
    """websockets.sync, with the C masking of its wheel; it compresses only if the job asks for it."""

    library = "websockets"

    def __init__(self) -> None:
        self.connect = importlib.import_module(f"{self.library}.sync.client").connect
        self.managers: dict[int, Any] = {}

    def open(self, url: str) -> Any:
        compression = "deflate" if wants_deflate(url) else None
        manager = self.connect(url, compression=compression, max_size=None, ssl=tls_of(url))
        self.managers[id(ws := manager.__enter__())] = (
            manager  # the library returns a context manager, which closes the connection
        )
        return ws

    def send(self, ws: Any) -> Any:
        return ws.send

    def send_text(self, ws: Any, text: str) -> None:
        ws.send(text)

    def recv(self, ws: Any) -> Any:
        return ws.recv

    def payload(self, message: Any) -> Any:
        return message

    def iterate(self, ws: Any) -> Any:
        return ws

    def close(self, ws: Any) -> None:
        self.managers.pop(id(ws)).__exit__(None, None, None)


class Compat(Websockets):
    """The same program with another import."""

    library = "curlwire.compat.websockets"


class WebsocketClient:
    """websocket-client with wsaccel, which masks in C, without UTF-8 check and locks (a thread each)."""

    def __init__(self) -> None:
        import websocket

        self.websocket = websocket

    def open(self, url: str) -> Any:
        refuse_deflate(url)
        options = {"context": tls()} if url.startswith("wss:") else {}
        return self.websocket.create_connection(
            url, sslopt=options, enable_multithread=False, skip_utf8_validation=True
        )

    def send(self, ws: Any) -> Any:
        return ws.send_binary

    def send_text(self, ws: Any, text: str) -> None:
        ws.send(text)

    def recv(self, ws: Any) -> Any:
        return ws.recv

    def payload(self, message: Any) -> Any:
        return message

    def iterate(self, ws: Any) -> Any:
        return None

    def close(self, ws: Any) -> None:
        ws.close()


class CurlCffi:
    """curl_cffi's blocking WebSocket, which calls libcurl's own framing through cffi."""

    def __init__(self) -> None:
        from curl_cffi import WebSocket

        self.websocket = WebSocket

    def open(self, url: str) -> Any:
        refuse_deflate(url)
        ws = self.websocket()
        ws.connect(url, verify=os.environ["BENCH_CA"])
        return ws

    def send(self, ws: Any) -> Any:
        return ws.send_binary

    def send_text(self, ws: Any, text: str) -> None:
        ws.send_str(text)

    def recv(self, ws: Any) -> Any:
        return ws.recv

    def payload(self, message: Any) -> Any:
        return message[0] if isinstance(message, tuple) else message

    def iterate(self, ws: Any) -> Any:
        return None

    def close(self, ws: Any) -> None:
        ws.close()


CLIENTS: dict[str, type[blocking.Client]] = {
    "compat": Compat,
    "websockets": Websockets,
    "websocket-client": WebsocketClient,
    "curl_cffi": CurlCffi,
}

if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in CLIENTS:
        sys.exit(__doc__)
    client: blocking.Client = CLIENTS[sys.argv[1]]()
    name = "curlwire" if sys.argv[1] == "compat" else sys.argv[1]
    main(lambda job: blocking.run(client, job), {name: version_of(name)}, sys.argv[2:])
