# SPDX-License-Identifier: MIT
"""Runs the client tests of the websockets library against curlwire.compat.websockets.

    python3 tests/compat/run.py [ID ...]

An ID is such as "sync ClientTests.test_connection"; without one it runs all. The tests are those of Debian 13's
source package, tests/asyncio/test_client.py and tests/sync/test_client.py. child.py replaces their imports.

A test counts if it passes and curlwire's core has made its connection; at least LEAST must. A test that does
not pass must be in the table of docs/compat-websockets.md, and a test in that table must not pass.

The first run fetches the source (0.5 MB) into the cache: CURLWIRE_CACHE, else $XDG_CACHE_HOME/curlwire, else
~/.cache/curlwire. WEBSOCKETS_TARBALL names an archive that was fetched otherwise. Its SHA-256 is checked.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PAGE = ROOT / "docs" / "compat-websockets.md"
SUITE = "trixie"  # Debian 13
PACKAGE, VERSION = "python-websockets", "15.0.1-1"
FILE = "python-websockets_15.0.1.orig.tar.gz"
SHA256 = "8451495265af3e368f794c4dc15c99ce90c771d95560f542bff8c64b5455af3b"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
LEAST = 90
COUNT = 134  # of the tests, so that none is left out
LIMIT_S = 600.0  # of one run of the tests
# The tests measure with the clock, so those that fail run again, with more time for each of their waits.
FACTORS = ("100", "300", "1000")


class Stop(Exception):
    """Says what went wrong, and what to do."""


# ---- the source


def is_right(file: Path) -> bool:
    return file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == SHA256


def cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("CURLWIRE_CACHE") or Path(base) / "curlwire")


def call(*command: str, cwd: Path = ROOT) -> str:
    ended = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    if ended.returncode != 0:
        raise Stop(f"{' '.join(command)} failed:\n{ended.stdout}{ended.stderr}")
    return ended.stdout


def mirror() -> str:
    """The archive of Debian that apt uses."""
    lines = call("apt-get", "indextargets", "--format", "$(LABEL)|$(COMPONENT)|$(REPO_URI)").splitlines()
    found = [line.removeprefix("Debian|main|") for line in lines if line.startswith("Debian|main|")]
    if not found:
        raise Stop("apt uses no archive of Debian")
    return found[0]


def fetch_into(folder: Path) -> None:
    """Fetches the source. apt uses lists of its own, and checks the archive's signature."""
    if not shutil.which("apt-get"):
        raise Stop("this system has no apt-get")
    for part in ("lists/partial", "cache/archives/partial"):
        (folder / part).mkdir(parents=True)
    signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
    (folder / "sources.list").write_text(f"deb-src {signed}{mirror()} {SUITE} main\n")
    words = (
        f"Dir::Etc::SourceList={folder}/sources.list", "Dir::Etc::SourceParts=/dev/null",
        f"Dir::State::Lists={folder}/lists", f"Dir::Cache={folder}/cache", "APT::Sandbox::User=root",
        "Acquire::Retries=3", "Acquire::http::Timeout=30", "Acquire::Languages=none",
    )  # fmt: skip
    options = [option for word in words for option in ("-o", word)]
    call("apt-get", "-q", *options, "update")
    what = ("source", "--download-only", "--tar-only", f"{PACKAGE}={VERSION}")
    call("apt-get", "-q", *options, *what, cwd=folder)


def archive() -> Path:
    """Returns the path of the source, and fetches it if it is not in the cache."""
    named = os.environ.get("WEBSOCKETS_TARBALL")
    kept = Path(named) if named else cache() / FILE
    if is_right(kept):
        return kept
    help_ = f"Set WEBSOCKETS_TARBALL to the file {FILE} of Debian 13, with the SHA-256 {SHA256}"
    if named:
        raise Stop(f"WEBSOCKETS_TARBALL is {named}, which is not that file. {help_}")
    print(f"fetching {FILE}", flush=True)
    with tempfile.TemporaryDirectory(prefix="curlwire-compat-") as folder:
        try:
            fetch_into(Path(folder))
        except Stop as stop:
            raise Stop(f"the source of the tests cannot be fetched: {stop}\n{help_}") from None
        fetched = Path(folder) / FILE
        if not is_right(fetched):
            raise Stop(f"the fetched {FILE} does not have the SHA-256 {SHA256}. {help_}")
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(f".part.{os.getpid()}")
        shutil.copyfile(fetched, part)
        part.rename(kept)
    return kept


# ---- the tests


def run_child(source: Path, ids: list[str], factor: str) -> dict[str, dict[str, Any]]:
    """Runs the tests with these ids, or all, on a new copy of the source. Returns what they did."""
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment["WEBSOCKETS_TESTS_TIMEOUT_FACTOR"] = factor
    with tempfile.TemporaryDirectory(prefix="curlwire-compat-") as folder:
        call("tar", "-xzf", str(source), "-C", folder)
        (unpacked,) = Path(folder).iterdir()
        command = [sys.executable, str(HERE / "child.py"), str(unpacked), *ids]
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LIMIT_S)
    found = [json.loads(line) for line in ended.stdout.splitlines() if line.startswith('{"id": ')]
    if ended.returncode != 0:
        raise Stop(f"child.py ended with exit code {ended.returncode}:\n{ended.stderr}")
    return {one["id"]: one for one in found}


def listed() -> set[str]:
    """The tests in the table of the page."""
    return set(re.findall(r"^\| `((?:asyncio|sync) \w+\.test_\w+)` \|", PAGE.read_text(), re.MULTILINE))


def verdicts(results: dict[str, dict[str, Any]], excepted: set[str]) -> list[tuple[bool, str, str]]:
    """Returns for each test whether it did what it must, a line, and its error."""
    lines = []
    for name, result in sorted(results.items()):
        text = result["text"]
        if name in excepted:
            what = f"does not pass, as {PAGE.name} says" if text else f"passes, but {PAGE.name} lists it"
            lines.append((bool(text), f"{name} {what}", ""))
        else:
            kind = "" if result["connects"] or text else " (needs no connection)"
            lines.append((not text, f"{name}{kind}", text))
    unknown = sorted(excepted - set(results))
    return lines + [(False, f"{PAGE.name} lists {name}, but there is no such test", "") for name in unknown]


def main() -> int:
    ids = sys.argv[1:]
    source = archive()
    excepted = listed()
    results = run_child(source, ids, FACTORS[0])
    for factor in FACTORS[1:]:
        again = [name for name, one in results.items() if one["text"] and name not in excepted]
        if not again:
            break
        print(f"# once more, slower: {', '.join(again)}", flush=True)
        results.update(run_child(source, again, factor))
    lines = verdicts(results, excepted & set(ids) if ids else excepted)
    counted = [name for name, one in results.items() if one["connects"] and not one["text"]]
    if not ids:
        lines.append((len(results) == COUNT, f"{len(results)} tests ran, of {COUNT}", ""))
        what = f"{len(counted)} tests pass with a connection of curlwire's core, and {LEAST} must"
        lines.append((len(counted) >= LEAST, what, ""))
    for is_good, line, text in lines:
        print(f"{'ok' if is_good else 'not ok'} - {line}")
        for part in text.splitlines():
            print(f"#   {part}")
    return 0 if all(is_good for is_good, _, _ in lines) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Stop as stop:
        sys.exit(f"run.py: {stop}")
