# SPDX-License-Identifier: MIT
"""Reads the words of the command line, and the files of -K, by curl's rules.

argparse would cost two thirds of the time of `python3 -c pass`, and cannot read curl's files.
"""

import os
import select
from typing import Any

from curlwire.command import codes
from curlwire.command.codes import Failure
from curlwire.command.options import COUNT, FLAG, LIST, OPTIONS, SECONDS, SIZE, Option

Given = dict[str, Any]

_LONG: dict[str, Option] = {option.long: option for option in OPTIONS}
_SHORT: dict[str, Option] = {option.short: option for option in OPTIONS if option.short}
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "v": "\v"}
_FILES = 16  # of -K, one inside the other
_MAY_BE_EMPTY = (
    "data", "until", "expect", "print", "write-out", "cookie", "user-agent", "referer", "origin", "proxy",
    "noproxy", "preproxy", "pass", "proxy-pass", "url",
)  # fmt: skip
_ENDLESS = ("max-time", "connect-timeout", "retry-max-time")  # as in curl, 0 means no limit
# The variables of these options count only beside a key, so that a script may export them for every connect.
_OF_KEYS = {"pass": {"cert", "key"}, "proxy-pass": {"proxy-cert", "proxy-key"}}
_STDIN = 0
_READ_BYTES = 1 << 18


def usage(text: str) -> Failure:
    """Returns the Failure for a wrong command line."""
    return Failure(codes.USAGE, f"{text}. Try: curlwire --help")


def _unknown(word: str) -> Failure:
    import difflib

    names = [f"--{name}" for name in _LONG]
    near = difflib.get_close_matches(word, names, 1)
    return usage(f"the option {word[:40]} is unknown" + (f"; did you mean {near[0]}?" if near else ""))


def _number(option: Option, text: str) -> float | int:
    try:
        if option.kind == COUNT:
            if not text.isdecimal():
                raise ValueError
            return int(text)
        if option.kind == SIZE and text[-1:].upper() in _UNITS:
            return int(text[:-1]) * _UNITS[text[-1].upper()]
        number = float(text)
        if not number >= 0:
            raise ValueError
        if number == 0 and option.long in _ENDLESS:
            return float("inf")
    except ValueError:
        what = {COUNT: "a whole number", SECONDS: "seconds, such as 2.5", SIZE: "bytes, such as 64M"}[
            option.kind
        ]
        raise usage(f"--{option.long} needs {what}, not {text[:40]!r}") from None
    return number


def _store(given: Given, option: Option, text: str, is_on: bool = True) -> None:
    if option.kind != FLAG:
        _check_empty(option, text)
    if option.kind == FLAG:
        given[option.long] = is_on
    elif option.kind == LIST:
        given.setdefault(option.long, []).append(text)
    elif option.kind in (COUNT, SECONDS, SIZE):
        given[option.long] = _number(option, text)
    else:
        given[option.long] = _word(option, text)


def _check_empty(option: Option, text: str) -> None:
    """Refuses an empty value, with which a control is unset. A variable of a script may be empty by mistake."""
    if not text and option.long not in _MAY_BE_EMPTY:
        raise usage(f"--{option.long} has an empty value. Give one, or leave the option out")


def _word(option: Option, text: str) -> str:
    if not option.words or text in option.words:
        return text
    for word in option.words:
        if word.lower() == text.lower():
            return word
    raise usage(f"--{option.long} is one of {', '.join(option.words)}, not {text[:40]!r}")


class _Words:
    """The words that are still to be read."""

    def __init__(self, words: list[str]) -> None:
        self.words = words
        self.at = 0

    def next(self, option: Option, name: str) -> str:
        if self.at >= len(self.words):
            raise usage(f"the option {name} needs a value, {option.value}")
        self.at += 1
        return self.words[self.at - 1]


def _long(given: Given, word: str, words: _Words) -> None:
    name, equals, text = word[2:].partition("=")
    option, is_on = _LONG.get(name), True
    if option is None and name.startswith("no-"):
        option, is_on = _LONG.get(name[3:]), False
        if option is not None and option.kind != FLAG:
            option = None
    if option is None:
        raise _unknown(word.partition("=")[0])
    if option.kind == FLAG:
        if equals:
            raise usage(f"the option --{name} takes no value")
    elif not equals:
        text = words.next(option, f"--{name}")
    _store(given, option, text, is_on)


def _short(given: Given, word: str, words: _Words) -> None:
    for i in range(1, len(word)):
        option = _SHORT.get(word[i])
        if option is None:
            raise usage(f"the option -{word[i]} is unknown")
        if option.kind == FLAG:
            _store(given, option, "")
            continue
        _store(given, option, word[i + 1 :] or words.next(option, f"-{word[i]}"))
        return


def parse(arguments: list[str], verb: str = "") -> tuple[Given, list[str]]:
    """Returns what the options say, by their long names, and the other words.

    verb: the first word of the command line, for -h. Raises Failure.
    """
    given: Given = {}
    rest: list[str] = []
    words = _Words(arguments)
    while words.at < len(words.words):
        word = words.words[words.at]
        words.at += 1
        if word == "--":
            rest += words.words[words.at :]
            break
        if word.startswith("--"):
            _long(given, word, words)
        elif word.startswith("-") and word != "-":
            _short(given, word, words)
        else:
            rest.append(word)
        for path in given.pop("config", ()):
            _read_config(given, path, 1)
    if "url" in given:
        rest.append(given.pop("url"))
    if given.get("jsonrpc-omit-jsonrpc"):
        given["jsonrpc"] = True
    for option in OPTIONS:
        if option.environment and option.long not in given and os.environ.get(option.environment):
            if option.long in _OF_KEYS and not given.keys() & _OF_KEYS[option.long]:
                continue
            _store(given, option, os.environ[option.environment])
    return given, rest


def read_stdin() -> bytes:
    """Returns the next bytes of stdin, b"" at its end. Blocks, also if stdin does not block. Raises OSError."""
    while True:
        try:
            return os.read(_STDIN, _READ_BYTES)
        except BlockingIOError:
            poller = select.poll()
            poller.register(_STDIN, select.POLLIN)
            poller.poll()


def read_file(path: str, what: str) -> bytes:
    """Returns the content of a file of an option; "-" is stdin. Raises Failure."""
    try:
        if path == "-":
            return b"".join(iter(read_stdin, b""))
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        where = "stdin" if path == "-" else repr(path)
        reason = error.strerror
    raise Failure(
        codes.INPUT, f"{where} of {what} cannot be read: {reason}. Check the path and its permissions"
    )


def lines_of(data: bytes) -> list[str]:
    """Returns the lines of a file of options or headers. Only a newline ends a line, also behind a CR."""
    return [line.removesuffix("\r") for line in data.decode("utf-8", "surrogateescape").split("\n")]


def _value(text: str) -> str:
    """The value of a line: in quotes with escapes, or a word, behind which only a comment may stand."""
    if not text.startswith('"'):
        word, _, rest = text.replace("\t", " ").partition(" ")
        if rest.strip() and not rest.lstrip().startswith("#") and not word.startswith("#"):
            raise usage("a value with blanks needs double quotes around it")
        return word
    parts: list[str] = []
    i = 1
    while i < len(text) and text[i] != '"':
        if text[i] == "\\" and i + 1 < len(text):
            i += 1
            parts.append(_ESCAPES.get(text[i], text[i]))
        else:
            parts.append(text[i])
        i += 1
    return "".join(parts)


def _read_config(given: Given, path: str, depth: int) -> None:
    if depth > _FILES:
        raise usage(f"the file {path!r} of --config includes itself")
    for number, raw in enumerate(lines_of(read_file(path, "--config")), 1):
        line = raw.strip(" \t\r\v\f")
        if not line or line.startswith("#"):
            continue
        # behind a short option, as in -uUSER:PASSWORD, these signs belong to the value
        ends = " \t" if line[0] == "-" and line[:2] != "--" else " \t=:"
        end = next((i for i, letter in enumerate(line) if letter in ends), len(line))
        name, value = line[:end], line[end:].lstrip(ends)
        try:
            if "\0" in line:
                raise usage("a text with NUL cannot be used")
            words = _Words([_value(value)] if value else [])
            if name.startswith("-") and not name.startswith("--"):
                _short(given, name, words)
            else:
                _long(given, name if name.startswith("--") else f"--{name}", words)
            if words.at < len(words.words) and not value.startswith("#"):
                raise usage(f"the option {name[:40]} takes no value")
        except Failure as error:
            raise Failure(error.code, f"line {number} of {path!r}: {error}") from None
        for inner in given.pop("config", ()):
            _read_config(given, inner, depth + 1)
