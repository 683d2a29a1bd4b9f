# SPDX-License-Identifier: MIT
"""Sends a text message and prints the reply: message.py ws://HOST/PATH [TEXT]."""

import sys

import curlwire

if len(sys.argv) < 2:
    sys.exit("usage: message.py ws://HOST/PATH [TEXT]")
with curlwire.connect(sys.argv[1]) as ws:
    ws.send(sys.argv[2] if len(sys.argv) > 2 else "Hello, World!")
    print(ws.recv())
