# SPDX-License-Identifier: MIT
"""The state of a connection."""

import enum

__all__ = ["CLIENT", "CLOSED", "CLOSING", "CONNECTING", "OPEN", "SERVER", "Side", "State"]


class Side(enum.IntEnum):
    """The side of a connection."""

    SERVER, CLIENT = range(2)


class State(enum.IntEnum):
    """The states of RFC 6455."""

    CONNECTING, OPEN, CLOSING, CLOSED = range(4)


SERVER = Side.SERVER
CLIENT = Side.CLIENT
CONNECTING = State.CONNECTING
OPEN = State.OPEN
CLOSING = State.CLOSING
CLOSED = State.CLOSED
