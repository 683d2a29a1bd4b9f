# SPDX-License-Identifier: MIT
"""The checks of .clang-tidy find a parameter that a header and its source name differently."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
HEADER = """
#define CW_API __attribute__((visibility("default")))
CW_API int cw_first(int option);
int cw__second(int option);
"""
SOURCE = """
#include "lib.h"
int cw_first(int option) { return option; }
int cw__second(int option) { return option; }
"""


def findings(root: Path, source: str) -> str:
    folder = root / "core" / "src"
    folder.mkdir(parents=True)
    (folder / "lib.h").write_text(HEADER)
    (folder / "lib.c").write_text(source)
    command = ["clang-tidy", "--quiet", f"--config-file={ROOT}/.clang-tidy", "lib.c", "--", "-std=c11"]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (ended.returncode != 0) is ("error:" in ended.stdout), ended.stdout + ended.stderr
    return ended.stdout


def test_equal_names_are_no_finding(tmp_path: Path) -> None:
    assert findings(tmp_path, SOURCE) == ""


@pytest.mark.parametrize("function", ["cw_first", "cw__second"])
def test_different_names_are_found_in_a_header(tmp_path: Path, function: str) -> None:
    """Also behind CW_API, and if one name begins as the other does."""
    found = findings(
        tmp_path, SOURCE.replace(f"{function}(int option) {{ return option", f"{function}(int o) {{ return o")
    )
    assert f"function '{function}' has a definition with different parameter names" in found
