# SPDX-License-Identifier: MIT
"""The texts of --help and --version."""

from curlwire.command.codes import EXIT_CODES
from curlwire.command.options import SECTIONS, Option

_USUAL = (
    "data", "no-stdin", "input-format", "output-format", "binary", "linger", "count", "until", "expect",
    "timeout", "max-time", "reconnect", "header", "user", "insecure", "subprotocol", "config", "verbose",
    "write-out", "help",
)  # fmt: skip
_WIDTH = 34


def name_of(option: Option) -> str:
    """Returns how an option is written, such as "-m, --max-time SECONDS"."""
    short = f"-{option.short}, " if option.short else "    "
    return f"{short}--{option.long}{' ' if option.value else ''}{option.value}"


def _row(option: Option) -> str:
    name = name_of(option)
    environment = f" (or ${option.environment})" if option.environment else ""
    gap = "" if len(name) < _WIDTH else "\n" + " " * (_WIDTH + 2)
    return f"  {name:{_WIDTH if not gap else 0}}{gap}{option.text}{environment}\n"


def help_text(is_whole: bool) -> str:
    """Returns the text of --help, which fits a screen, or that of --help all."""
    head = (
        "curlwire [OPTION...] URI      each line of stdin is sent, each message is a line of stdout\n"
        "curlwire get URI FILE | put FILE URI | bench URI | tap LISTEN URI | doctor [URI] | man | "
        "completion SHELL\n"
    )
    if not is_whole:
        rows = "".join(_row(o) for options in SECTIONS.values() for o in options if o.long in _USUAL)
        return head + rows + "All options and the exit codes: curlwire --help all\n"
    parts = [head]
    for section, options in SECTIONS.items():
        parts.append(f"\n{section}:\n" + "".join(_row(option) for option in options))
    parts.append("\nExit codes:\n" + "".join(f"  {code:3}  {text}\n" for code, text in EXIT_CODES.items()))
    return "".join(parts)


def versions() -> str:
    """Returns the text of --version."""
    from curlwire import build_info

    facts = build_info()
    features = " ".join(facts["features"])
    return (
        f"curlwire {facts['curlwire']} libcurl/{facts['libcurl']} ({facts['libcurl_linked']}) "
        f"{facts['tls'] or ''} zlib/{facts['zlib']}\nFeatures: {features}"
    )
