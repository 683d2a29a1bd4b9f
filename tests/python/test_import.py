# SPDX-License-Identifier: MIT
"""What importing curlwire imports."""

import subprocess
import sys

import pytest

import curlwire

LATE = ("dataclasses", "datetime", "inspect", "logging", "socket", "uuid")


def test_slow_modules_are_imported_when_they_are_used() -> None:
    program = f"import curlwire, sys; print([name for name in {LATE} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_every_name_is_there() -> None:
    assert set(curlwire.__all__) <= set(dir(curlwire))
    for name in curlwire.__all__:
        assert getattr(curlwire, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        curlwire.nonsense  # noqa: B018
