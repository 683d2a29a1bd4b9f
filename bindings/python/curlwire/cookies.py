# SPDX-License-Identifier: MIT
"""Cookies, as a CookieJar shows them."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Cookie:
    """A cookie of a CookieJar. Its repr does not show the value.

    name, value: str. domain: a host name or an IP address, a str. path: a str.
    expires: seconds since 1970, an int; None = a session cookie, which no time ends.
    secure: a bool, True if it goes out over wss only, and to this machine.
    http_only: a bool, True if the scripts of a web page must not see it, which means nothing here.
    include_subdomains: a bool, True if the subdomains of domain get it too.
    """

    name: str
    value: str = field(repr=False)
    domain: str
    path: str
    expires: int | None
    secure: bool
    http_only: bool
    include_subdomains: bool
