# SPDX-License-Identifier: MIT
"""The types of arguments and results."""

import http
import logging
import os
from typing import Any, NewType, TypeAlias

__all__ = [
    "Data",
    "ExtensionName",
    "ExtensionParameter",
    "LoggerLike",
    "Origin",
    "StatusLike",
    "Subprotocol",
]

Data: TypeAlias = str | bytes
"""A message: str for text, bytes for binary."""

BytesLike: TypeAlias = bytes | bytearray | memoryview
"""What is sent as a binary message."""

DataLike: TypeAlias = str | bytes | bytearray | memoryview
"""What can be sent as a message."""

LoggerLike: TypeAlias = logging.Logger | logging.LoggerAdapter[Any]
"""A logger."""

PathLike: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]
"""A path."""

StatusLike: TypeAlias = http.HTTPStatus | int
"""An HTTP status."""

Origin = NewType("Origin", str)
"""The value of a header Origin."""

Subprotocol = NewType("Subprotocol", str)
"""The name of a subprotocol."""

ExtensionName = NewType("ExtensionName", str)
"""The name of an extension."""

ExtensionParameter: TypeAlias = tuple[str, str | None]
"""A parameter of an extension."""
