# SPDX-License-Identifier: MIT
"""Evaluates an expression in a Node program: node_inspector.py ws://127.0.0.1:PORT/ID EXPRESSION.

`node --inspect=127.0.0.1:0 program.js` writes the URI to stderr. Node drops a client that sends a ping, or a
message in more than one frame.
"""

import sys

import curlwire

if len(sys.argv) != 3:
    sys.exit("usage: node_inspector.py ws://127.0.0.1:PORT/ID EXPRESSION")
with curlwire.connect(sys.argv[1], keepalive="off", frame_size=None) as ws:
    params = {"expression": sys.argv[2], "returnByValue": True}
    ws.send_json({"id": 1, "method": "Runtime.evaluate", "params": params})
    while True:
        reply = ws.recv_json()
        if reply.get("id") == 1:  # messages without an id are events
            break
if "error" in reply:
    sys.exit(f"node_inspector.py: {reply['error']['message']}")
if "exceptionDetails" in reply["result"]:
    sys.exit(f"node_inspector.py: {reply['result']['result']['description']}")
print(reply["result"]["result"].get("value"))
