# SPDX-License-Identifier: MIT
"""What send_json() and recv_json() need in Python: the functions of the module json, and the error.

Importing json takes a tenth of the time of importing curlwire, so the first call imports it.
"""

from typing import NoReturn

from curlwire.errors import MessageError


def dumps(value: object) -> str:
    """Returns a value as JSON (RFC 8259). Raises ValueError for nan and inf, which JSON does not have."""
    import json

    return json.dumps(value, allow_nan=False)


def loads(data: "str | bytes") -> object:
    """Returns the value of a JSON text."""
    import json

    return json.loads(data)


def refuse(data: "str | bytes", error: Exception) -> NoReturn:
    """Raises MessageError, because loads has failed with this error.

    The text shows the error of the module json, which contains a position and no content. It shows only the
    class of any other error, because its text may contain a part of the message.
    """
    from json import JSONDecodeError

    what = str(error) if type(error) is JSONDecodeError else type(error).__name__
    raise MessageError(
        f"cannot read the message as JSON: {what}. The attribute data of this error is the message", data=data
    ) from error
