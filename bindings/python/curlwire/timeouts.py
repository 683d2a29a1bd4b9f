# SPDX-License-Identifier: MIT
"""The rule for the argument timeout, as curlwire._core has it, for the classes that are written in Python."""

import math
from typing import SupportsFloat, SupportsIndex

from curlwire.defaults import Default
from curlwire.errors import ArgumentError

_LONGEST = 0x7FFFFFFF / 1000  # seconds; the core waits without a limit from here on, too
_SHOWN = 100  # characters of a bad value


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:
        if not isinstance(value, int):
            raise
        return "an int of thousands of digits"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def checked_timeout(timeout: object, default: float | None) -> float | None:
    """Returns the argument timeout of a call in seconds; None = no limit. default: the value for DEFAULT.

    Raises TypeError and ArgumentError, with the texts of the core.
    """
    if isinstance(timeout, Default):
        return default
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, (SupportsFloat, SupportsIndex)):
        raise TypeError(f"timeout must be a number of seconds, or None for no limit, not {type(timeout)!r}")
    try:
        seconds = float(timeout)
    except OverflowError:
        if not isinstance(timeout, int):
            raise
        seconds = math.inf if timeout > 0 else -math.inf
    if not seconds >= 0:
        raise ArgumentError(
            f"timeout cannot be {_shown(timeout)}: it takes 0 or more seconds, or None for no limit"
        )
    return None if seconds >= _LONGEST else seconds
