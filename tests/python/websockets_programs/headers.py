"""Sends headers and a subprotocol, and reads those of the reply."""

import asyncio

from websockets.asyncio.client import connect


async def main():
    async with connect(
        uri("CW_ECHO_WS", "/?q=1"),
        additional_headers={"X-Token": "abc"},
        user_agent_header="Smith/1",
        origin="http://localhost",
        subprotocols=["superchat", "chat"],
        compression=None,
    ) as websocket:
        request, response = websocket.request, websocket.response
        print(request.path, request.headers["X-Token"], request.headers["user-agent"])
        print(request.headers["Origin"], "Sec-WebSocket-Extensions" in request.headers)
        print(response.status_code, response.headers["Upgrade"].lower(), websocket.subprotocol)
        print(websocket.protocol.extensions, type(websocket.id).__name__)
        host, port = websocket.remote_address[:2]
        print(host, str(port) in request.headers["Host"], websocket.local_address[0])


asyncio.run(main())
# /?q=1 abc Smith/1
# http://localhost False
# 101 websocket superchat
# [] UUID
# 127.0.0.1 True 127.0.0.1
