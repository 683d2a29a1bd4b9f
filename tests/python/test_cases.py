# SPDX-License-Identifier: MIT
"""Checks that every case of tests/cases.md has a test with its name in this folder."""

import re
from pathlib import Path

HERE = Path(__file__).parent


def test_every_case_has_its_test() -> None:
    cases = re.findall(r"^- (\w+): ", (HERE.parent / "cases.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(cases) > 100
    assert len(set(cases)) == len(cases)
    source = "".join(path.read_text(encoding="utf-8") for path in HERE.glob("test_*.py"))
    tests = re.findall(r"^def test_(\w+)\(", source, re.MULTILINE)
    assert {case: tests.count(case) for case in cases if tests.count(case) != 1} == {}
