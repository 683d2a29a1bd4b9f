# SPDX-License-Identifier: MIT
"""Bad values of every control: the error comes when the value is set, or at the connect, and names the control.

The tables are by type of control, and by control for files. A new type, or a control for a new file, fails
until it has rows here.
"""

import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import curlwire
from curlwire import ArgumentError, MessageWebSocket, WebErrorStatus
from peers import echo, nobody
from test_control import DEFAULTS, NO_PATHS, TABLE, controls
from test_tls import address, folder

Row = tuple[Any, type[Exception]]


def numbers(row: controls.Control) -> list[Row]:
    rows: list[Row] = [("1", TypeError), ([1], TypeError), (1.5, TypeError), (row.least - 1, ArgumentError)]
    rows += [(row.most + 1, ArgumentError), (-(2**70), ArgumentError), (2**70, ArgumentError)]
    return rows if row.none else [*rows, (None, TypeError if row.type == "BITS" else ArgumentError)]


# Headers of a proxy that curlwire makes. The message names the header.
OWN = ("Proxy-Authorization", "proxy-connection", "HOST", "Upgrade", "Sec-WebSocket-Key", "a b", "")


def bad_values(row: controls.Control) -> list[Row]:
    """Returns the bad values of a control, with the exception for each."""
    rows: dict[str, list[Row]] = {
        "BOOL": [(1, TypeError), (None, TypeError), ("yes", TypeError)],
        "ENUM": [("another", ArgumentError), ("", ArgumentError), (1.0, TypeError), (None, TypeError)],
        "TEXT": [(7, TypeError), (["a"], TypeError), *((text, ArgumentError) for text in ("a\0", "a\n", "\r"))],
        "LIST": [
            *((value, TypeError) for value in ("chat", b"chat", [1], [None], 7)),
            *((value, ArgumentError) for value in ([""], ["a b"], ["a,b"], ["a", "a"], ["\x7f"], ["é"])),
        ],
        "TEXTS": [
            *((value, TypeError) for value in ("a:1:::1", b"a:1:::1", [1], [None], 7)),
            *(
                (value, ArgumentError)
                for value in ([""], ["a"], ["a:1:b c:2"], ["a:1:::1\n"], ["\x7f"], ["é:1:::1"])
            ),
        ],
        "PAIRS": [
            *((value, TypeError) for value in ("A=1", [("A", 1)], 7, {1: 1}, {"TCP_FASTOPEN": "1"})),
            *(
                (value, ArgumentError)
                for value in ({"": 1}, {"VERBOSE": 1}, {"TCP_FASTOPEN": 2**31}, {"a\0": "b"})
            ),
        ],
        "BYTES": [
            *((value, TypeError) for value in ("text", 7, [1])),
            *([(bytes(row.most + 1), ArgumentError)] if controls.is_limited(row) else []),
        ],
        "PROXY": [
            *((value, TypeError) for value in (7, b"s3cret@h.test", ["s3cret@h.test"])),
            *([] if row.words else [(False, TypeError), (True, TypeError), ("direct", ArgumentError)]),
            *(
                (value, ArgumentError)
                for value in ("socks5://u:s3cret@h.test:0", "u:s3cret@", "s3cret\0", "s3cret\n")
            ),
        ],
        "HEADERS": [
            *(
                (value, TypeError)
                for value in (7, "X: s3cret", ["ab"], [("X",)], {"X": 7}, {"X": ["s3cret", None]})
            ),
            *(({name: "s3cret"}, ArgumentError) for name in OWN),
            *(({"header": value}, ArgumentError) for value in ("s3cret\r\nX: y", "s3cret\0", "s3cret\udc80")),
        ],
        "SECRET": [
            *((value, TypeError) for value in (7, b"s3cret", ("s3cret",))),
            *((value, ArgumentError) for value in ("s3cret\0", "s3cret\n", "s3cret\udc80")),
        ],
        "SECRET_BYTES": [
            *((value, TypeError) for value in ("s3cret", 7, [b"s3cret"])),
            *([(b"s3cret" * row.most, ArgumentError)] if controls.is_limited(row) else []),
        ],
        "CREDENTIAL": [
            *((value, TypeError) for value in ("user", 7, ["user", "s3cret"], ("user",), ("user", 7))),
            *((value, ArgumentError) for value in (("", "s3cret"), ("a:b", "s3cret"), ("user", "s3cret\n"))),
            *([(("user", "s3cret" * row.most), ArgumentError)] if row.type == "CREDENTIAL" else []),
        ],
        "MS": [
            *((value, TypeError) for value in ("1", [1], 1j)),
            *((value, ArgumentError) for value in (-1, -math.inf, math.nan, -(10**400))),
            *([] if row.none else [(None, ArgumentError)]),
        ],
        "COUNT": numbers(row),
        "NUMBER": numbers(row),
        "BITS": numbers(row),
    }
    return rows[row.type]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.key)
def test_bad_values(row: controls.Control) -> None:
    for value, kind in bad_values(row):
        ws = MessageWebSocket()
        keywords: dict[str, Any] = {row.key: value}
        for attempt in (
            lambda ws=ws, value=value: setattr(ws.control, row.key, value),
            lambda keywords=keywords: MessageWebSocket(**keywords),
            lambda keywords=keywords: curlwire.connect(echo(), **keywords),
        ):
            with pytest.raises((TypeError, ArgumentError)) as caught:
                attempt()
            assert isinstance(caught.value, kind), (value, caught.value)
            assert row.key in str(caught.value) or (row.type == "HEADERS" and "header" in str(caught.value)), (
                value
            )
            assert "s3cret" not in str(caught.value)
        assert getattr(ws.control, row.key) == DEFAULTS[row.key]


# Controls for files: what else is set so that the file is read.
FILES: dict[str, dict[str, str]] = {
    "ca_file": {},
    "ca_path": {},
    "crl_file": {"ca_file": "ca.pem"},
    "proxy_ca_file": {"ca_file": "ca.pem"},
    "client_certificate": {"ca_file": "ca.pem"},
    "proxy_client_certificate": {"ca_file": "ca.pem"},
    "proxy_client_key": {"ca_file": "ca.pem", "proxy_client_certificate": "purpose.pem"},
    "client_key": {"ca_file": "ca.pem", "client_certificate": "purpose.pem"},
    "pinned_public_key": {"ca_file": "ca.pem"},
    "netrc_file": {"ca_file": "ca.pem"},
}
NOT_FILES = {"user_agent", "origin"}  # texts
COOKIES = {"cookie_file", "cookie_jar"}  # test_cookies.py has their rows: an empty file is a cookie file
CONTENTS = {
    "empty": "",
    "text": "hello\n",
    "cut": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
}


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder that each user can read, with bad files and the good files that FILES names."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o755)
        for file in ("ca.pem", "purpose.pem"):
            shutil.copy(folder() / file, place)
            (place / file).chmod(0o644)
        for file, text in CONTENTS.items():
            (place / file).write_text(text)
        (place / "folder").mkdir()
        for file in ("unreadable", "unreadable folder"):
            shutil.copytree(folder() / "ca-folder", place / file) if "folder" in file else shutil.copy(
                folder() / "ca.pem", place / file
            )
            (place / file).chmod(0)
        yield place


# Texts that name no file; test_reaching.py has their bad values.
NO_FILES = {"unix_socket_path", "abstract_unix_socket", "interface", "doh_url"}


def test_every_file_has_rows() -> None:
    texts = {row.key for row in TABLE if row.type == "TEXT"}
    written = {"trace_file"}  # it is written, not read: test_tracing.py
    assert set(FILES) | NOT_FILES | NO_FILES | COOKIES | written == texts - set(NO_PATHS)


@pytest.mark.parametrize(
    "bad", ["nowhere", "folder", *CONTENTS, "empty/below", "unreadable", "unreadable folder"]
)
@pytest.mark.parametrize("key", FILES)
def test_bad_files(key: str, bad: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if key.startswith("proxy_"):
        monkeypatch.setenv("all_proxy", address("good", path="").replace("wss:", "https:"))
    keywords: dict[str, Any] = {name: place / file for name, file in FILES[key].items()} | {key: place / bad}
    ws = MessageWebSocket(**keywords)
    with nobody(), pytest.raises(curlwire.ConnectError) as caught:
        ws.connect(address("good"))
    assert f"{key} '{place / bad}' cannot be used" in str(caught.value)
    assert caught.value.status is WebErrorStatus.UNEXPECTED_CLIENT_ERROR
    assert ws.state == "new"


@pytest.mark.parametrize("key", FILES)
def test_a_pipe_is_no_file(key: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading it would stop the service thread, and with it every socket."""
    os.mkfifo(place / key)
    test_bad_files(key, key, place, monkeypatch)
