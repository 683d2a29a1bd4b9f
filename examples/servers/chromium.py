# SPDX-License-Identifier: MIT
"""Takes a picture of a page with Chromium: chromium.py ws://127.0.0.1:9222/devtools/page/ID ADDRESS FILE.

`chromium --headless --remote-debugging-port=9222` starts the browser (as root also with --no-sandbox), and
http://127.0.0.1:9222/json/list shows the URI. Chromium refuses an Origin that --remote-allow-origins does not
name. curlwire sends none.
"""

import base64
import itertools
import sys
from pathlib import Path
from typing import Any

import curlwire


class Page:
    """A page of the browser. It keeps the events that come while it waits for a reply."""

    def __init__(self, ws: curlwire.MessageWebSocket) -> None:
        self.ws = ws
        self.numbers = itertools.count(1)
        self.events: list[Any] = []

    def call(self, method: str, **params: object) -> Any:
        """Sends a command and returns its result."""
        number = next(self.numbers)
        self.ws.send_json({"id": number, "method": method, "params": params})
        while True:
            message = self.ws.recv_json()
            if message.get("id") != number:
                self.events.append(message)
            elif "error" in message:
                sys.exit(f"chromium.py: {method}: {message['error']['message']}")
            else:
                return message["result"]

    def wait_until_loaded(self, loader: str) -> None:
        while True:
            event = self.events.pop(0) if self.events else self.ws.recv_json()
            params = event.get("params", {})
            if params.get("loaderId") == loader and params.get("name") == "load":
                return


if len(sys.argv) != 4:
    sys.exit("usage: chromium.py ws://127.0.0.1:9222/devtools/page/ID ADDRESS FILE")
uri, address, name = sys.argv[1:]
with curlwire.connect(uri) as ws:
    page = Page(ws)
    page.call("Page.enable")
    page.call("Page.setLifecycleEventsEnabled", enabled=True)
    page.wait_until_loaded(page.call("Page.navigate", url=address)["loaderId"])
    picture = base64.b64decode(page.call("Page.captureScreenshot", format="png")["data"])
Path(name).write_bytes(picture)
print(f"{name}: {len(picture)} bytes")
