# SPDX-License-Identifier: MIT
"""Close codes and close frames."""

import enum
from dataclasses import dataclass

__all__ = ["Close", "CloseCode", "Opcode"]


class Opcode(enum.IntEnum):
    """The opcodes of RFC 6455."""

    CONT, TEXT, BINARY = 0x0, 0x1, 0x2
    CLOSE, PING, PONG = 0x8, 0x9, 0xA


class CloseCode(enum.IntEnum):
    """The close codes of RFC 6455 and of its registry."""

    NORMAL_CLOSURE = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    NO_STATUS_RCVD = 1005
    ABNORMAL_CLOSURE = 1006
    INVALID_DATA = 1007
    POLICY_VIOLATION = 1008
    MESSAGE_TOO_BIG = 1009
    MANDATORY_EXTENSION = 1010
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    BAD_GATEWAY = 1014
    TLS_HANDSHAKE = 1015


_MEANINGS = {
    CloseCode.NORMAL_CLOSURE: "OK",
    CloseCode.INVALID_DATA: "invalid frame payload data",
    CloseCode.TLS_HANDSHAKE: "TLS handshake failure [internal]",
    CloseCode.NO_STATUS_RCVD: "no status received [internal]",
    CloseCode.ABNORMAL_CLOSURE: "abnormal closure [internal]",
}
OK_CODES = (CloseCode.NORMAL_CLOSURE, CloseCode.GOING_AWAY, CloseCode.NO_STATUS_RCVD)


def _meaning(code: int) -> str:
    if 3000 <= code < 4000:
        return "registered"
    if 4000 <= code < 5000:
        return "private use"
    try:
        known = CloseCode(code)
    except ValueError:
        return "unknown"
    return _MEANINGS.get(known) or known.name.lower().replace("_", " ")


@dataclass
class Close:
    """The content of a close frame.

    code: an int; 1005 stands for a frame without a code. reason: a str.
    """

    code: int
    reason: str

    def __str__(self) -> str:
        text = f"{int(self.code)} ({_meaning(self.code)})"
        return f"{text} {self.reason}" if self.reason else text
