# SPDX-License-Identifier: MIT
"""The default of the argument timeout."""

from enum import StrEnum


class Default(StrEnum):
    """The type of DEFAULT, for annotations."""

    # a str, because inspect.signature() reads defaults of functions in C only if they have a basic type
    DEFAULT = "DEFAULT"

    def __repr__(self) -> str:
        return "curlwire.DEFAULT"


DEFAULT = Default.DEFAULT
"""As a timeout: the control for this call decides, such as receive_timeout for recv()."""
