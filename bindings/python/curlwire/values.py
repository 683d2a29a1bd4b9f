# SPDX-License-Identifier: MIT
"""Converts GUIDs, dates and time spans for DataReader and DataWriter, which are in C."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from curlwire.errors import ArgumentError

if TYPE_CHECKING:
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


_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TICKS_PER_MICROSECOND = 10


def guid(data: bytes) -> UUID:
    """Returns the UUID of 16 bytes."""
    return UUID(bytes=data)


def bytes_of_guid(value: object) -> bytes:
    """Returns the 16 bytes of a UUID."""
    if not isinstance(value, UUID):
        raise TypeError(
            f"write_guid() takes a uuid.UUID, not {type(value)!r}; make one, as with uuid.UUID(text)"
        )
    return value.bytes


def date_time(ticks: int) -> datetime:
    """Returns the datetime that many ticks of 100 ns after the start of 1601."""
    return _EPOCH + time_span(ticks)


def ticks_of_date_time(value: object) -> int:
    """Returns the ticks of 100 ns from the start of 1601 to a datetime."""
    if not isinstance(value, datetime):
        raise TypeError(f"write_date_time() takes a datetime, not {type(value)!r}")
    if value.utcoffset() is None:
        raise ArgumentError(
            f"write_date_time() cannot write {value}: it has no timezone; add one, as with "
            "value.replace(tzinfo=datetime.timezone.utc)"
        )
    return ticks_of_time_span(value - _EPOCH)


def time_span(ticks: int) -> timedelta:
    """Returns the timedelta of ticks of 100 ns, rounded down to microseconds."""
    return timedelta(microseconds=ticks // _TICKS_PER_MICROSECOND)


def ticks_of_time_span(value: object) -> int:
    """Returns the ticks of 100 ns of a timedelta."""
    if not isinstance(value, timedelta):
        raise TypeError(f"write_time_span() takes a timedelta, not {type(value)!r}")
    return value // _MICROSECOND * _TICKS_PER_MICROSECOND
