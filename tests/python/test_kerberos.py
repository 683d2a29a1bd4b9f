# SPDX-License-Identifier: MIT
"""http_auth "negotiate" with a real Kerberos server and Apache, as far as the libcurl in use has GSSAPI."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import curlwire
from peers import WAIT, echo

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "servers"))

import kerberos

PROGRAM = """
import sys, curlwire
try:
    with curlwire.connect(sys.argv[1], http_auth=sys.argv[2]) as ws:
        ws.send("hello")
        print(ws.recv())
except curlwire.WebSocketError as error:
    print(error)
"""
HAS_GSSAPI = (
    curlwire.build_info()["libcurl_linked"] == "system"
)  # Debian's libcurl has it, the one inside has not
REFUSED = 'http_auth cannot be "negotiate": the loaded libcurl'
UNKNOWN = "it wants Kerberos (Negotiate), or does not accept this ticket"
Realm = tuple[str, dict[str, str]]


@pytest.fixture(scope="module")
def realm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Realm]:
    folder = tmp_path_factory.mktemp("kerberos")
    for parent in (folder, *folder.parents[:2]):
        parent.chmod(0o711 if parent != folder else 0o777)  # Apache's user reads its keys here
    upstream = int(echo("").rpartition(":")[2])
    with kerberos.realm(folder, upstream) as made:
        yield made


def run(uri: str, kind: str, variables: dict[str, str]) -> str:
    """Connects in a program of its own, because Kerberos reads its variables once."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, uri, kind], env={**os.environ, **variables}, capture_output=True,
        text=True, timeout=WAIT, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def test_a_ticket(realm: Realm) -> None:
    uri, variables = realm
    answers = {kind: run(uri, kind, variables) for kind in ("negotiate", "any")}
    if HAS_GSSAPI:
        assert answers == {"negotiate": "hello", "any": "hello"}
    else:
        assert answers["negotiate"].startswith(REFUSED)
        assert UNKNOWN in answers["any"]


def test_no_ticket(realm: Realm, tmp_path: Path) -> None:
    uri, variables = realm
    without = {**variables, "KRB5CCNAME": str(tmp_path / "none")}
    for kind in ("negotiate", "any", "basic"):
        wanted = REFUSED if kind == "negotiate" and not HAS_GSSAPI else UNKNOWN
        assert wanted in run(uri, kind, without)


def test_a_server_without_a_principal(realm: Realm) -> None:
    """No token is made for another host, as the server of a redirect could be."""
    uri, variables = realm
    answer = run(uri.replace("localhost", "127.0.0.1"), "negotiate", variables)
    assert (UNKNOWN if HAS_GSSAPI else REFUSED) in answer
