"""Reconnects when the server has closed, until it refuses."""

import asyncio

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

REFUSAL = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"


def delays():
    while True:
        yield 0.01


async def main():
    count = 0
    async for websocket in connect(uri("CW_ECHO_WS", "/close?code=1012")):
        count += 1
        try:
            await websocket.recv()
        except ConnectionClosed as exc:
            print("closed", exc.rcvd.code)
            if count == 3:
                break
            continue
    failures = []

    def process_exception(exc):
        failures.append(type(exc).__name__)
        return exc if len(failures) == 3 else None

    refusing = uri("CW_SCRIPT_WS", "/s/hs:" + REFUSAL.encode().hex())
    try:
        async for _ in connect(refusing, process_exception=process_exception, reconnect_delays=delays):
            print("connected")
    except InvalidStatus as exc:
        print(exc.response.status_code, failures)


asyncio.run(main())
# closed 1012
# closed 1012
# closed 1012
# 503 ['InvalidStatus', 'InvalidStatus', 'InvalidStatus']
