# SPDX-License-Identifier: MIT
"""Compares the library that is built with a build of the last tag, because others bind it: the suite abi.

    python3 scripts/abi.py

`scripts/build.sh test` has built the library, with the system's libcurl. This script builds the last tag that
git describes (v*) in a temporary folder, also with the system's libcurl. libabigail's abidiff then compares the
exported functions, and the types of curlwire.h. Prints TAP.

A program that was built with the last tag must work with the library that is built. So new functions,
enumerators and controls are allowed. Every other change is a failure, unless the soname has changed: the system
then keeps the old library for the old programs (docs/releasing.md, "What may change between versions").
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = Path("system/release/libcurlwire.so")
# These enumerators count the others, so each new control changes one. No call takes or returns them.
SUPPRESSED = """
[suppress_type]
  type_kind = enum
  changed_enumerators = CW_OPTION_COUNT, CW_BUILD_COUNT, CW_CERTIFICATE_FACT_COUNT
"""


class Failed(Exception):
    """The comparison cannot be made; the text says why."""


def output_of(*command: str | Path, cwd: Path) -> str:
    try:
        ended = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise Failed(f"{command[0]} is not installed. Run: sh scripts/install.sh test") from None
    if ended.returncode != 0:
        words = " ".join(str(word) for word in command)
        raise Failed(f"{words} failed ({ended.returncode}):\n{ended.stdout}{ended.stderr}")
    return ended.stdout


def last_tag(root: Path) -> str | None:
    """The last tag before this commit, or at it; None if no tag is there."""
    if not (root / ".git").exists():
        return None
    if output_of("git", "rev-parse", "--is-shallow-repository", cwd=root).strip() == "true":
        raise Failed("this clone is shallow, so it may lack the last tag. Run: git fetch --unshallow --tags")
    if not output_of("git", "tag", "--list", "v*", "--merged", "HEAD", cwd=root):
        return None
    return output_of("git", "describe", "--tags", "--abbrev=0", "--match", "v*", cwd=root).strip()


def build(root: Path, tag: str, folder: Path) -> Path:
    """Builds the library of a tag, and returns the folder that has its sources."""
    archive = folder / "tag.tar"
    output_of("git", "archive", "--output", archive, tag, cwd=root)
    tree = folder / "tree"
    tree.mkdir()
    output_of("tar", "-xf", archive, cwd=tree)
    output_of("make", "-s", "core", "LIBCURL=system", f"BUILD={tree}/build/system", cwd=tree)
    return tree


def soname_of(library: Path) -> str:
    found = re.search(r"\(SONAME\).*\[(.+)\]", output_of("readelf", "--dynamic", library, cwd=library.parent))
    return found[1] if found else ""


def differences(old: Path, new: Path, folder: Path) -> str:
    """What abidiff says of the library and the header in two trees; empty if the old programs still work."""
    suppressions = folder / "suppressions.ini"
    suppressions.write_text(SUPPRESSED)
    command: list[str | Path] = [
        "abidiff", "--no-added-syms", "--suppressions", suppressions,
        "--headers-dir1", old / "core/include", "--headers-dir2", new / "core/include", "--drop-private-types",
        old / "build" / LIBRARY, new / "build" / LIBRARY,
    ]  # fmt: skip
    try:
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise Failed("abidiff is not installed. Run: sh scripts/install.sh test") from None
    if ended.returncode & 3:  # an error, or wrong arguments
        raise Failed(f"abidiff failed ({ended.returncode}):\n{ended.stdout}{ended.stderr}")
    return ended.stdout if ended.returncode else ""


def check(root: Path) -> tuple[str, str]:
    """Returns what was compared, and the differences that break old programs. Raises Failed."""
    library = root / "build" / LIBRARY
    if not library.exists():
        raise Failed(f"{library} is not built. Run: sh scripts/build.sh test")
    tag = last_tag(root)
    if tag is None:
        return "no tag v* exists yet, so there is nothing to compare with", ""
    with tempfile.TemporaryDirectory(prefix="curlwire-abi-") as name:
        folder = Path(name)
        old = build(root, tag, folder)
        found = differences(old, root, folder)
        sonames = soname_of(old / "build" / LIBRARY), soname_of(library)
    if sonames[0] != sonames[1]:
        return f"the soname is {sonames[1]}, and was {sonames[0]} in {tag}, so the interface may differ", ""
    return f"programs that were built with {tag} work with this library", found


def main(arguments: list[str]) -> int:
    root = Path(arguments[0]).resolve() if arguments else ROOT
    print("1..1")
    try:
        title, found = check(root)
    except Failed as error:
        title, found = "the comparison with the last tag", str(error)
    else:
        if found:
            found += "\nUndo these changes, or change SONAME in the Makefile (docs/releasing.md)"
    print(f"{'not ok' if found else 'ok'} 1 - {title}")
    for line in found.splitlines():
        print(f"# {line}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
