"""Closes with a code and a reason, several times."""

import asyncio

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, ProtocolError


async def main():
    websocket = await connect(uri("CW_ECHO_WS"))
    print(websocket.close_code, websocket.close_reason)
    try:
        await websocket.close(999)
    except ProtocolError:
        print("ProtocolError", websocket.state.name)
    await websocket.close(4000, "enough")
    await websocket.close()
    await websocket.wait_closed()
    print(websocket.close_code, websocket.close_reason)
    for call in (websocket.recv, lambda: websocket.send("late"), websocket.ping):
        try:
            await call()
        except ConnectionClosed as exc:
            print(type(exc).__name__, exc.sent.code, exc.sent.reason, exc.rcvd.code, exc.rcvd_then_sent)


asyncio.run(main())
# None None
# ProtocolError OPEN
# 4000 enough
# ConnectionClosedError 4000 enough 4000 False
# ConnectionClosedError 4000 enough 4000 False
# ConnectionClosedError 4000 enough 4000 False
