# SPDX-License-Identifier: MIT
"""Tests of tests/compat/run.py: how it fetches, and how it compares with the list of the page."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "compat" / "run.py"
GOOD, FAILED = {"connects": 1, "text": ""}, {"connects": 1, "text": "AssertionError"}


@pytest.fixture
def runner() -> ModuleType:
    spec = importlib.util.spec_from_file_location("compat_run", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def verdict(runner: ModuleType, results: dict[str, dict[str, Any]], *excepted: str) -> tuple[bool, str]:
    ((is_good, line, _),) = runner.verdicts(results, set(excepted))
    return is_good, line


def test_the_list_is_compared_in_both_directions(runner: ModuleType) -> None:
    assert verdict(runner, {"a": GOOD}) == (True, "a")
    assert verdict(runner, {"a": {"connects": 0, "text": ""}}) == (True, "a (needs no connection)")
    assert verdict(runner, {"a": FAILED}) == (False, "a")
    assert verdict(runner, {"a": FAILED}, "a")[0]
    assert verdict(runner, {"a": GOOD}, "a") == (False, "a passes, but compat-websockets.md lists it")
    assert not verdict(runner, {}, "a")[0]


def test_the_page_has_a_reason_for_each_test(runner: ModuleType) -> None:
    names = runner.listed()
    assert 0 < len(names) <= runner.COUNT - runner.LEAST
    text = runner.PAGE.read_text()
    assert f"These {len(names)} do not pass" in text and f"Of {runner.COUNT} tests" in text


def test_another_archive_is_refused(
    runner: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.tar.gz"
    other.write_bytes(b"other")
    monkeypatch.setenv("WEBSOCKETS_TARBALL", str(other))
    with pytest.raises(runner.Stop, match="is not that file"):
        runner.archive()


def test_a_fetch_that_fails_says_what_to_do(
    runner: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WEBSOCKETS_TARBALL", raising=False)
    monkeypatch.setenv("CURLWIRE_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(runner.Stop, match=r"cannot be fetched: (.|\n)*Set WEBSOCKETS_TARBALL"):
        runner.archive()
    assert list(tmp_path.iterdir()) == []
