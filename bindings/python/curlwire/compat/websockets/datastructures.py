# SPDX-License-Identifier: MIT
"""HTTP headers."""

import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import TypeAlias

__all__ = ["Headers", "HeadersLike", "MultipleValuesError"]

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # no value may contain them
_SECRET = ("authorization", "cookie", "proxy-authorization", "set-cookie")


class MultipleValuesError(LookupError):
    """headers[name] was read, but there are several headers of that name."""

    def __str__(self) -> str:
        return repr(self.args[0]) if len(self.args) == 1 else super().__str__()


class Headers(MutableMapping[str, str]):
    """HTTP headers: a mapping whose names ignore case, and in which a name may occur several times.

    headers[name] = value adds a header. headers[name] raises KeyError if there is none, and
    MultipleValuesError if there are several. del headers[name] removes all of that name.
    """

    __slots__ = ("_pairs",)

    def __init__(self, headers: "HeadersLike" = (), /, **more: str) -> None:
        self._pairs: list[tuple[str, str]] = []
        self.update(headers, **more)

    def __str__(self) -> str:
        return "".join(f"{name}: {value}\r\n" for name, value in self._pairs) + "\r\n"

    def __repr__(self) -> str:
        shown = [(name, "***" if name.lower() in _SECRET else value) for name, value in self._pairs]
        return f"{type(self).__name__}({shown!r})"

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self.get_all(name))

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name.lower() for name, _ in self._pairs))

    def __len__(self) -> int:
        return len({name.lower() for name, _ in self._pairs})

    def __getitem__(self, name: str) -> str:
        values = self.get_all(name)
        if not values:
            raise KeyError(name)
        if len(values) > 1:
            raise MultipleValuesError(name)
        return values[0]

    def __setitem__(self, name: str, value: str) -> None:
        self._pairs.append((name, value))

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        self._pairs = [pair for pair in self._pairs if pair[0].lower() != name.lower()]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return NotImplemented
        mine, others = ([(name.lower(), value) for name, value in one._pairs] for one in (self, other))
        return mine == others

    __hash__ = None  # type: ignore[assignment]

    def check_values(self) -> None:
        """Raises InvalidHeaderValue for a value that could end its line, such as one with a line break."""
        from curlwire.compat.websockets.exceptions import InvalidHeaderValue  # which imports this module

        for name, value in self._pairs:
            if isinstance(value, str) and _CONTROL.search(value):
                raise InvalidHeaderValue(name, "***" if name.lower() in _SECRET else value)

    def copy(self) -> "Headers":
        """Returns a copy."""
        return Headers(self)

    def clear(self) -> None:
        """Removes all headers."""
        self._pairs = []

    def update(self, headers: "HeadersLike" = (), /, **more: str) -> None:  # type: ignore[override]
        """Adds headers, and keeps those of the same names."""
        if isinstance(headers, Headers):
            self._pairs += headers._pairs
        elif isinstance(headers, Mapping):
            self._pairs += headers.items()
        else:
            self._pairs += [(name, value) for name, value in headers]
        self._pairs += more.items()

    def get_all(self, name: str) -> list[str]:
        """Returns the values of all headers of that name, in order."""
        wanted = name.lower()
        return [value for key, value in self._pairs if key.lower() == wanted]

    def raw_items(self) -> Iterator[tuple[str, str]]:
        """Iterates over all (name, value), in order."""
        return iter(self._pairs)


HeadersLike: TypeAlias = Headers | Mapping[str, str] | Iterable[tuple[str, str]]
"""What can be given as headers."""
