"""Says how the server has closed."""

import asyncio

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed


async def main():
    for query in ("code=1000", "code=1001&reason=gone", "code=1011&reason=broken", "code=4321"):
        async with connect(uri("CW_ECHO_WS", f"/close?{query}")) as websocket:
            try:
                await websocket.recv()
            except ConnectionClosed as exc:
                rcvd, sent = exc.rcvd, exc.sent
                print(type(exc).__name__, rcvd.code, repr(rcvd.reason), sent.code, exc.rcvd_then_sent)
                print(exc.__cause__)
        print(websocket.close_code, repr(websocket.close_reason))


asyncio.run(main())
# ConnectionClosedOK 1000 '' 1000 True
# None
# 1000 ''
# ConnectionClosedOK 1001 'gone' 1001 True
# None
# 1001 'gone'
# ConnectionClosedError 1011 'broken' 1011 True
# None
# 1011 'broken'
# ConnectionClosedError 4321 '' 4321 True
# None
# 4321 ''
