# SPDX-License-Identifier: MIT
"""Writes docs/statuses.md, the table that maps failures to WebErrorStatus, from the sources: `make errors`.

    python3 scripts/statuses.py [--check]

It reads the functions and tables of the core that choose a status: by libcurl's code, errno, the TLS library's
verdict, a proxy's answer, and the HTTP status. lint calls --check, which changes nothing and fails if the page
differs.
"""

from __future__ import annotations

import argparse
import re
import sys

import errors_lua
from errors import HEADER, ROOT, Source, Token

PAGE = ROOT / "docs" / "statuses.md"
FAILURE = ROOT / "core" / "src" / "transport" / "failure.c"
STATUS = ROOT / "core" / "src" / "base" / "status.c"
PLACEHOLDERS = "[$&~^#|!*%]"
HTTP_FIRST = 300


def web_statuses() -> dict[str, int]:
    """The statuses of the header: name and number."""
    table = HEADER.read_text(encoding="utf-8").split("#define CW_WEB_STATUS_LIST(X)")[1].split("\n\n")[0]
    return {name: int(number) for name, number in re.findall(r"X\((\w+), (\d+)\)", table)}


def body(source: Source, function: str) -> list[Token]:
    for begin, end, name in source.functions:
        if name == function:
            return source.tokens[begin + 1 : end]
    raise SystemExit(f"statuses.py: {source.path.name} has no function {function}")


def chosen(tokens: list[Token]) -> list[str]:
    """The statuses that an expression may give; "errno" stands for the status of the errno."""
    names = [token.text.removeprefix("CW_WEB_") for token in tokens if token.text.startswith("CW_WEB_")]
    if any(token.text == "cw__web_status_of_errno" for token in tokens) and len(names) == 1:
        names.insert(0, "errno")
    return list(dict.fromkeys(names))


def cases(source: Source, function: str) -> list[tuple[str, list[str]]]:
    """The cases of a function that is one switch: the case, and what it returns. The last is "default"."""
    found: list[tuple[str, list[str]]] = []
    labels: list[str] = []
    tokens = body(source, function)
    for at, token in enumerate(tokens):
        if token.text == "case":
            labels.append(tokens[at + 1].text)
        elif token.text == "default":
            labels.append("default")
        elif token.text == "return" and labels:
            end = next(i for i in range(at, len(tokens)) if tokens[i].text == ";")
            found += [(label, chosen(tokens[at:end])) for label in labels]
            labels = []
    return found


def rows(source: Source, name: str, after: str = "") -> list[list[Token]]:
    """The rows of a table: an array of structs. after is the function that has it, if there are several."""
    tokens = body(source, after) if after else source.tokens
    words = [token.text for token in tokens]
    start = next(
        i for i in range(len(words)) if words[i] == name and words[i + 1 : i + 5] == ["[", "]", "=", "{"]
    )
    found: list[list[Token]] = []
    depth = 0
    for token in tokens[start + 4 :]:
        if token.kind == "mark" and token.text == "}":
            depth -= 1
            if depth == 0:
                break
        if depth >= 2:
            found[-1].append(token)
        if token.kind == "mark" and token.text == "{":
            depth += 1
            if depth == 2:
                found.append([])
    return found


def texts(row: list[Token]) -> list[str]:
    """The texts of a row, with a gap for each placeholder."""
    return [re.sub(PLACEHOLDERS, errors_lua.GAP, token.text).strip() for token in row if token.kind == "text"]


def shown(names: list[str]) -> str:
    return " or ".join("the status of the errno" if name == "errno" else f"`{name}`" for name in names)


def code(name: str) -> str:
    return f"`{name}`"


def table(head: str, lines: list[str]) -> list[str]:
    return [head, "| --- " * head.count(" | ") + "| --- |", *lines, ""]


def of_curl(source: Source) -> list[str]:
    """The rows of libcurl's codes. The table of texts may set a status of its own."""
    own = {row[0].text: chosen(row) for row in rows(source, "list", "meaning_of_code") if chosen(row)}
    mapped = [(name, own.get(name, names)) for name, names in cases(source, "cw__web_status_of_curl")]
    known = {name for name, _ in mapped}
    mapped[-1:-1] = [(name, names) for name, names in own.items() if name not in known]
    return [
        f"| {'every other code' if name == 'default' else code(name)} | {shown(names)} |"
        for name, names in mapped
    ]


def of_certificates(source: Source) -> list[str]:
    lines = []
    for row in rows(source, "verdicts"):
        opening = next(i for i, token in enumerate(row) if token.text == "{")
        results = [token.text for token in row[opening:] if token.kind == "word" and token.text != "0"]
        lines.append(
            f"| {', '.join(results) or 'every other result'} | {texts(row)[0]} | {shown(chosen(row))} |"
        )
    return lines


def of_tls(source: Source) -> list[str]:
    return [
        f"| {texts(row)[0]} | {texts(row)[1].split(':')[0].split(';')[0]} | {shown(chosen(row))} |"
        for row in rows(source, "reasons", "reason_of")
    ]


def of_socks(source: Source) -> list[str]:
    return [f"| `{row[0].text}` | {shown(chosen(row))} |" for row in rows(source, "list", "meaning_of_socks")]


def of_http(source: Source) -> list[str]:
    """The status with the same number, and the ranges of the function."""
    own = [(name, number) for name, number in web_statuses().items() if number >= HTTP_FIRST]
    lines = [f"| {number} | `{name}` |" for name, number in own]
    words = [token.text for token in body(source, "cw__web_status_of_http")]
    for at, word in enumerate(words):
        if word != "return" or not words[at + 1].startswith("CW_WEB_"):
            continue
        bounds = [int(number) for number in words[max(0, at - 12) : at] if number.isdecimal()]
        which = f"every other {bounds[-2]} to {bounds[-1] - 1}" if words[at - 1] == ")" else "every other"
        lines.append(f"| {which} | `{words[at + 1].removeprefix('CW_WEB_')}` |")
    return lines


def of_calls(source: Source) -> list[str]:
    return [
        f"| {'every other status' if name == 'default' else code(name)} | {shown(names)} |"
        for name, names in cases(source, "web_status_of")
    ]


def never(text: str) -> list[str]:
    """The statuses that no code of the core gives, from 0 to the first HTTP status."""
    used = set(re.findall(r"CW_WEB_(\w+)", text))
    return [f"`{name}`" for name, number in web_statuses().items() if number < HTTP_FIRST and name not in used]


def page() -> str:
    failure, status = Source(FAILURE, {}), Source(STATUS, {})
    everything = "".join(path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("core/src/*/*.c")))
    lines = [
        "# WebErrorStatus",
        "",
        "Use this page to look up which `WebErrorStatus` a failure has. `make errors` writes it from the",
        "sources. Names and numbers are those of UWP. [Errors](errors.md) has the texts.",
        "",
        "`curlwire.get_status(error)` returns the status, in Python and in Lua. Python spells the names",
        "`WebErrorStatus.CANNOT_CONNECT`, Lua `curlwire.WebErrorStatus.CannotConnect`.",
        "",
        "curlwire looks for a cause in this order: the certificate, other failures of TLS, a SOCKS proxy, and",
        "libcurl's code. The error has all facts: `curl_code`, `http_status`, `os_errno`.",
        "",
        "## Certificates",
        "",
        "By OpenSSL's verify result (`X509_V_ERR_*`), which libcurl passes on.",
        "",
        *table("| verify result | meaning | status |", of_certificates(failure)),
        "## Other failures of TLS",
        "",
        "By words of the TLS library's text.",
        "",
        *table("| words | meaning | status |", of_tls(failure)),
        "## SOCKS proxies",
        "",
        *table("| libcurl's proxy code | status |", of_socks(failure)),
        "## libcurl's codes",
        "",
        *table("| code | status |", of_curl(failure)),
        "## errno",
        "",
        "For `CURLE_SEND_ERROR`, `CURLE_RECV_ERROR` and failures of the connection's own descriptor.",
        "",
        *table(
            "| errno | status |",
            [
                f"| {'every other errno' if name == 'default' else code(name)} | {shown(names)} |"
                for name, names in cases(status, "cw__web_status_of_errno")
            ],
        ),
        "## HTTP statuses",
        "",
        "For a server or a proxy that answers with another status than 101. A reply that is not valid has",
        "`ErrorHttpInvalidServerResponse`.",
        "",
        *table("| HTTP status | WebErrorStatus |", of_http(status)),
        "## Other errors",
        "",
        "For errors without a cause from outside, by the core's status.",
        "",
        *table("| status | WebErrorStatus |", of_calls(status)),
        "## Statuses that no error has",
        "",
        f"{', '.join(never(everything))}.",
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description="Writes docs/statuses.md from the sources.")
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    text = page()
    if not check:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
        print("docs/statuses.md is not what the sources make; run: make errors")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
