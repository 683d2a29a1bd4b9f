"""Trusts an authority of its own, over TLS."""

import asyncio
import os
import ssl

from websockets.asyncio.client import connect
from websockets.sync.client import connect as connect_sync

context = ssl.create_default_context(cafile=os.environ["CW_CA_FILE"])
context.minimum_version = ssl.TLSVersion.TLSv1_3


async def main():
    async with connect(uri("CW_ECHO_WSS"), ssl=context) as websocket:
        tls = websocket.transport.get_extra_info("ssl_object")
        print(tls.version(), tls.server_hostname)
        await websocket.send("secret")
        print(await websocket.recv())
    try:
        await connect(uri("CW_BADHOST_WSS"), ssl=context)
    except ssl.SSLCertVerificationError as exc:
        print("verify failed" in str(exc))
    unchecked = ssl.create_default_context()
    unchecked.check_hostname = False
    unchecked.verify_mode = ssl.CERT_NONE
    async with connect(uri("CW_BADHOST_WSS"), ssl=unchecked) as websocket:
        print(websocket.state.name)


asyncio.run(main())
try:
    connect_sync(uri("CW_EXPIRED_WSS"), ssl=context)
except ssl.SSLCertVerificationError as exc:
    print(exc.verify_message)
# TLSv1.3 localhost
# secret
# True
# OPEN
# certificate has expired
