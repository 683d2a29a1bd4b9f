# SPDX-License-Identifier: MIT
"""JSON-RPC for --jsonrpc: numbers the requests, and writes the replies in the order of the requests.

A reply is known by its id alone. So replies may lack the member "jsonrpc", as those of JSON-RPC 1.0, of
Chromium's DevTools and of Node's inspector do.
"""

import _thread
import json
from typing import Any

from curlwire.command import codes
from curlwire.command.codes import Failure

_WAITING = 100_000  # requests without a reply: replies that come early are kept


def _params(text: str) -> str:
    """Returns params as JSON: an object, an array, or the items of an array. Raises ValueError."""
    try:
        if isinstance(json.loads(text), (dict, list)):
            return text
    except ValueError:
        pass
    items = f"[{text}]"
    json.loads(items)
    return items


class JsonRpc:
    """The requests that wait for their replies, in order. The sending and the receiving thread use it.

    has_version: whether a request that is made here has the member "jsonrpc".
    """

    def __init__(self, has_version: bool = True) -> None:
        self.head: str = '"jsonrpc": "2.0", ' if has_version else ""
        self.lock: _thread.LockType = _thread.allocate_lock()  # for replies
        self.replies: dict[str, bytes | None] = {}  # by the JSON of the id; None until the reply has come
        self.number: int = 0
        self.is_complete: bool = False  # the sender has no more requests
        self.errors: int = 0

    def request(self, line: bytes) -> str:
        """Returns the request of a line: JSON, or a method and, behind a blank, its params as JSON."""
        try:
            text = line.decode().strip()
            if not text.startswith(("{", "[")):
                return self._made(text)
            value: Any = json.loads(text)
        except (ValueError, RecursionError):
            raise Failure(
                codes.INPUT, "stdin has a line that is neither JSON nor 'method [params as JSON]' for --jsonrpc"
            ) from None
        with self.lock:
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, dict) and one.get("id") is not None:  # JSON-RPC 1.0: null gets no reply
                    self._expect(json.dumps(one["id"]))
        return text

    def _made(self, text: str) -> str:
        """Returns the request for a method and its params. Raises ValueError."""
        method, _, params = text.partition(" ")
        params = f', "params": {_params(params.strip())}' if params.strip() else ""
        with self.lock:
            self.number += 1
            while str(self.number) in self.replies:  # the id of a whole request
                self.number += 1
            self._expect(str(self.number))
        method = json.dumps(method, ensure_ascii=False)
        return f'{{{self.head}"method": {method}{params}, "id": {self.number}}}'

    def _expect(self, key: str) -> None:
        """Waits for a reply from now on. The caller holds the lock. Raises Failure."""
        if key in self.replies:
            raise Failure(
                codes.INPUT, f"two requests of --jsonrpc have the id {key[:40]}. Give each an id of its own"
            )
        if len(self.replies) >= _WAITING:
            raise Failure(
                codes.INPUT, f"more than {_WAITING} requests of --jsonrpc wait for replies. Send fewer"
            )
        self.replies[key] = None

    def _answered(self, one: Any) -> str:
        """Returns the JSON of the id that a reply answers, or "" if it is no reply.

        A server that could not read a request sends an error with the id null or without an id. Its request is
        taken to be the oldest without a reply. It would wait for ever otherwise.
        """
        if not isinstance(one, dict) or "method" in one:
            return ""
        if one.get("id") is None and one.get("error") is not None:
            return next((key for key, reply in self.replies.items() if reply is None), "")
        return json.dumps(one.get("id"))

    def take(self, message: str | bytes) -> list[str | bytes]:
        """Returns what is to be written now that a message has come."""
        data = message.encode() if isinstance(message, str) else message
        try:
            value: Any = json.loads(data)
        except (ValueError, RecursionError):
            return [data]
        with self.lock:
            return self._take(data, value)

    def _take(self, data: bytes, value: Any) -> list[str | bytes]:
        several = value if isinstance(value, list) else [value]
        found = {self._answered(one): one for one in several}
        if len(found) < len(several) or not found or any(self.replies.get(key, data) for key in found):
            return [data]  # no replies, or not only replies that are waited for
        for key, one in found.items():
            self.errors += one.get("error") is not None  # in JSON-RPC 1.0, each reply has the member
            self.replies[key] = data if one is value else json.dumps(one).encode()
        ready: list[str | bytes] = []
        for key, reply in list(self.replies.items()):
            if reply is None:
                break
            ready.append(reply)
            del self.replies[key]
        return ready

    def is_answered(self) -> bool:
        """Whether every request has its reply, and there will be no more requests."""
        return self.is_complete and not self.replies

    def check(self) -> None:
        """Raises Failure if a reply is missing, or is an error."""
        if self.replies:
            raise Failure(codes.PARTIAL, f"{len(self.replies)} requests of --jsonrpc have no reply")
        if self.errors:
            raise Failure(codes.REPLY, f"{self.errors} replies of --jsonrpc are errors")
