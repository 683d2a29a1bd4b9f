"""Says how the server has refused."""

import asyncio

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, InvalidHeader, InvalidMessage, InvalidStatus, InvalidURI
from websockets.sync.client import connect as connect_sync

REFUSAL = "HTTP/1.1 403 Forbidden\r\nX-Why: because\r\nContent-Length: 6\r\n\r\nno way"
BAD_KEY = (
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: wrong\r\n\r\n"
)


async def main():
    try:
        await connect(uri("CW_SCRIPT_WS", "/s/hs:" + REFUSAL.encode().hex()))
    except InvalidStatus as exc:
        response = exc.response
        print(response.status_code, response.reason_phrase, response.headers["x-why"])
        print(exc)
    try:
        await connect(uri("CW_SCRIPT_WS", "/s/hs:" + BAD_KEY.encode().hex()))
    except InvalidHeader as exc:
        print(exc.name, exc.value)
    try:
        await connect(uri("CW_REFUSED_WS"))
    except ConnectionRefusedError:
        print("refused")
    try:
        await connect("http://localhost/")
    except InvalidURI as exc:
        print(exc)


asyncio.run(main())
try:
    connect_sync(uri("CW_SCRIPT_WS", "/s/hs:" + REFUSAL.encode().hex()))
except InvalidHandshake as exc:
    print(exc, isinstance(exc, InvalidMessage))
# 403 Forbidden because
# server rejected WebSocket connection: HTTP 403
# Sec-WebSocket-Accept wrong
# refused
# http://localhost/ isn't a valid URI: scheme isn't ws or wss
# server rejected WebSocket connection: HTTP 403 False
