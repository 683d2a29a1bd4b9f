# SPDX-License-Identifier: MIT
"""The default of the argument timeout."""

import math
from enum import Enum


class Default(float, Enum):
    """The type of DEFAULT, for annotations."""

    # A float, because inspect.signature() reads defaults of functions in C only if they have a basic type.
    # No control and no message takes this one, so DEFAULT in the wrong place is an error.
    DEFAULT = -math.inf

    def __repr__(self) -> str:
        return "curlwire.DEFAULT"


DEFAULT = Default.DEFAULT
"""As a timeout: the control for this call decides, such as receive_timeout for recv()."""
