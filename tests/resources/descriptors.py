# SPDX-License-Identifier: MIT
"""Runs one session while only COUNT descriptors are free, and a second one when there are enough again.

descriptors.py URL COUNT does the same as descriptors.lua.
"""

import contextlib
import errno
import os
import sys

import curlwire

URL, COUNT = sys.argv[1], int(sys.argv[2])


def session() -> None:
    heard: list[object] = []
    ws = curlwire.MessageWebSocket()

    def on_message(ws: curlwire.MessageWebSocket, args: curlwire.MessageReceivedEventArgs) -> None:
        heard.append(args.data)
        ws.close()

    ws.on_message_received = on_message
    ws.on_closed = lambda _, args: heard.append(args.code)
    ws.connect(URL + "/echo")
    ws.send("text")
    ws.run_forever()
    assert heard == ["text", 1000]
    with curlwire.connect(URL + "/echo") as other, contextlib.suppress(curlwire.WebSocketTimeout):
        other.recv(timeout=0.05)


def main() -> None:
    descriptors: list[int] = []
    with contextlib.suppress(OSError):
        while True:
            descriptors.append(os.open("/dev/null", os.O_RDONLY))
    for _ in range(COUNT):
        os.close(descriptors.pop())
    try:
        session()
    except curlwire.WebSocketError as error:
        assert "ulimit" in str(error) and error.os_errno == errno.EMFILE, repr(error)
        outcome = "refused"
    else:
        outcome = "through"
    for descriptor in descriptors:
        os.close(descriptor)
    print(outcome)
    session()
    print("done")


main()
