"""Uses the names of the package itself."""

import asyncio

import websockets


async def main():
    websocket = await websockets.connect(uri("CW_ECHO_WS"))
    await websocket.send("one")
    print(await websocket.recv(), websocket.state is websockets.State.OPEN)
    await websocket.close()
    try:
        await websocket.recv()
    except websockets.ConnectionClosed as exc:
        print(type(exc).__name__, exc.rcvd.code == websockets.CloseCode.NORMAL_CLOSURE)


asyncio.run(main())
# one True
# ConnectionClosedOK True
