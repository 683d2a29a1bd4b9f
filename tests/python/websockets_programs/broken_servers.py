"""The server breaks a rule, or sends too much."""

import asyncio

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError


async def main():
    for steps, max_size in (("x:8103ffffff", None), ("x:83010a", None), ("x:820568656c6c6f", 4)):
        async with connect(uri("CW_SCRIPT_WS", f"/s/{steps}/frame:1/end"), max_size=max_size) as websocket:
            try:
                await websocket.recv()
            except ConnectionClosedError as exc:
                print(exc.rcvd, exc.sent.code, exc.rcvd_then_sent)
            print(websocket.close_code)


asyncio.run(main())
# None 1007 None
# 1006
# None 1002 None
# 1006
# None 1009 None
# 1006
