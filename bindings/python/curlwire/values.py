# SPDX-License-Identifier: MIT
"""Converts GUIDs, dates and time spans for DataReader and DataWriter, which are in C."""

from typing import TYPE_CHECKING, Protocol

from curlwire.errors import ArgumentError

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from uuid import UUID

    from _typeshed import ReadableBuffer


class Readable(Protocol):
    """A binary file object that a DataReader can load from."""

    def read(self, size: int, /) -> "ReadableBuffer | None":
        """Returns at most size bytes; none at the end."""
        ...


class Writable(Protocol):
    """A binary file object that a DataWriter can store into."""

    def write(self, data: bytes, /) -> object:
        """Returns the number of bytes that it has taken; None for all of them."""
        ...


_TICKS_PER_MICROSECOND = 10

# The functions import uuid and datetime, which take a tenth of the time of importing curlwire.


def guid(data: bytes) -> "UUID":
    """Returns the UUID of 16 bytes."""
    from uuid import UUID

    return UUID(bytes=data)


def bytes_of_guid(value: object) -> bytes:
    """Returns the 16 bytes of a UUID."""
    from uuid import UUID

    if not isinstance(value, UUID):
        raise TypeError(
            f"write_guid() takes a uuid.UUID, not {type(value)!r}; make one, as with uuid.UUID(text)"
        )
    return value.bytes


def _epoch() -> "datetime":
    from datetime import UTC, datetime

    return datetime(1601, 1, 1, tzinfo=UTC)


def date_time(ticks: int) -> "datetime":
    """Returns the datetime that many ticks of 100 ns after the start of 1601."""
    return _epoch() + time_span(ticks)


def ticks_of_date_time(value: object) -> int:
    """Returns the ticks of 100 ns from the start of 1601 to a datetime."""
    from datetime import datetime

    if not isinstance(value, datetime):
        raise TypeError(f"write_date_time() takes a datetime, not {type(value)!r}")
    if value.utcoffset() is None:
        raise ArgumentError(
            f"write_date_time() cannot write {value}: it has no timezone; add one, as with "
            "value.replace(tzinfo=datetime.timezone.utc)"
        )
    return ticks_of_time_span(value - _epoch())


def time_span(ticks: int) -> "timedelta":
    """Returns the timedelta of ticks of 100 ns, rounded down to microseconds."""
    from datetime import timedelta

    return timedelta(microseconds=ticks // _TICKS_PER_MICROSECOND)


def ticks_of_time_span(value: object) -> int:
    """Returns the ticks of 100 ns of a timedelta."""
    from datetime import timedelta

    if not isinstance(value, timedelta):
        raise TypeError(f"write_time_span() takes a timedelta, not {type(value)!r}")
    return value // timedelta(microseconds=1) * _TICKS_PER_MICROSECOND
