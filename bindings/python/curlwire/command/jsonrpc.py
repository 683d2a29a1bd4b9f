# SPDX-License-Identifier: MIT
"""JSON-RPC 2.0 for --jsonrpc: numbers the requests, and writes the replies in the order of the requests."""

import json
from typing import Any

from curlwire.command import codes
from curlwire.command.codes import Failure

_WAITING = 100_000  # requests without a reply: replies that come early are kept


class JsonRpc:
    """The requests that wait for their replies, in order. The sending and the receiving thread use it."""

    def __init__(self) -> None:
        self.replies: dict[str, bytes | None] = {}  # by the JSON of the id; None until the reply has come
        self.number: int = 0
        self.is_complete: bool = False  # the sender has no more requests
        self.errors: int = 0

    def request(self, line: bytes) -> str:
        """Returns the request of a line: JSON, or a method and, behind a blank, its params as JSON."""
        try:
            text = line.decode().strip()
            if text.startswith(("{", "[")):
                value: Any = json.loads(text)
            else:
                method, _, params = text.partition(" ")
                value = {"jsonrpc": "2.0", "method": method}
                if params.strip():
                    value["params"] = json.loads(params)
                self.number += 1
                value["id"] = self.number
        except ValueError:
            raise Failure(
                codes.INPUT, "stdin has a line that is neither JSON nor 'method [params as JSON]' for --jsonrpc"
            ) from None
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict) and "id" in one:
                self.replies[json.dumps(one["id"])] = None
        if len(self.replies) > _WAITING:
            raise Failure(
                codes.INPUT, f"more than {_WAITING} requests of --jsonrpc wait for replies. Send fewer"
            )
        return json.dumps(value, ensure_ascii=False)

    def _answered(self, one: Any) -> str:
        """Returns the JSON of the id that a reply answers, or "" if it is no reply.

        A server that could not read a request sends an error with the id null or without an id. Its request is
        taken to be the oldest without a reply. It would wait for ever otherwise.
        """
        if not isinstance(one, dict) or "method" in one:
            return ""
        if one.get("id") is None and "error" in one and "null" not in self.replies:
            return next((key for key, reply in self.replies.items() if reply is None), "")
        return json.dumps(one.get("id"))

    def take(self, message: str | bytes) -> list[str | bytes]:
        """Returns what is to be written now that a message has come."""
        data = message.encode() if isinstance(message, str) else message
        try:
            value: Any = json.loads(data)
        except ValueError:
            return [data]
        for one in value if isinstance(value, list) else [value]:
            key = self._answered(one)
            if key not in self.replies:
                return [data]
            self.errors += "error" in one
            self.replies[key] = data if one is value else json.dumps(one, ensure_ascii=False).encode()
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
