# SPDX-License-Identifier: MIT
"""Tests of tests/autobahn/run.py: how it reads the reports of the Autobahn suite."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "autobahn" / "run.py"


@pytest.fixture(scope="module")
def runner() -> ModuleType:
    spec = importlib.util.spec_from_file_location("autobahn_run", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def read(runner: ModuleType, folder: Path, cases: dict[str, tuple[str, str]], count: int) -> Any:
    (folder / "case.json").write_text(json.dumps({"result": "why", "resultClose": "and how"}))
    index = {
        name: {"behavior": behavior, "behaviorClose": close, "reportfile": "case.json"}
        for name, (behavior, close) in cases.items()
    }
    (folder / "index.json").write_text(json.dumps({"python": index}))
    return runner.read_results(folder, count)


def test_good(runner: ModuleType, tmp_path: Path) -> None:
    cases = {
        "1.1": ("OK", "OK"),
        "1.10": ("OK", "OK"),
        "3.2": ("NON-STRICT", "OK"),
        "7.1.6": ("INFORMATIONAL", "INFORMATIONAL"),
    }
    words, faults = read(runner, tmp_path, cases, 4)
    assert words == {"OK": 2, "NON-STRICT": 1, "INFORMATIONAL": 1}
    assert faults == []


@pytest.mark.parametrize(
    ("behavior", "close"),
    [("FAILED", "OK"), ("OK", "FAILED"), ("OK", "WRONG CODE"), ("OK", "UNCLEAN"), ("UNIMPLEMENTED", "OK")],
)
def test_a_failed_case(runner: ModuleType, tmp_path: Path, behavior: str, close: str) -> None:
    _, faults = read(runner, tmp_path, {"1.1": ("OK", "OK"), "5.10": (behavior, close)}, 2)
    (fault,) = faults
    assert f"case 5.10: {behavior}, close {close}: why and how" in fault


def test_a_case_that_did_not_run(runner: ModuleType, tmp_path: Path) -> None:
    _, faults = read(runner, tmp_path, {"1.1": ("OK", "OK")}, 2)
    (fault,) = faults
    assert "1 cases ran, not 2" in fault


def test_the_sets_are_the_suite(runner: ModuleType) -> None:
    assert sum(cases.count for cases in runner.SETS.values()) == 517


def test_the_page_has_the_counts(runner: ModuleType) -> None:
    page = (SCRIPT.parents[2] / "docs" / "conformance.md").read_text(encoding="utf-8")
    for client in runner.CLIENTS:
        for name in ("rules", "limits", "compression"):
            assert f"| {client} | {name} | {runner.SETS[name].count} | " in page
    assert runner.requirements()[1][-1].replace("==", " ") in page
