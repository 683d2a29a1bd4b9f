# SPDX-License-Identifier: MIT
"""Converts the error of a failed connect to a WebErrorStatus: uwp_status.py [URI], by default a dead one."""

import sys

import curlwire
from curlwire import WebErrorStatus

URI = sys.argv[1] if len(sys.argv) > 1 else "ws://localhost:1/"

try:
    with curlwire.MessageWebSocket() as ws:
        ws.connect(URI)
        print("connected")
except curlwire.WebSocketError as error:
    status = curlwire.get_status(error)
    print("status:", int(status))
    if status == WebErrorStatus.CANNOT_CONNECT:
        print("no server listens there")
    elif status == WebErrorStatus.NOT_FOUND:
        print("the server does not have this path")
    else:
        print(error)
