# SPDX-License-Identifier: MIT
"""Ten thousand connects, failed connects, dropped objects and closes in every state leave nothing behind.

The environment variable CW_TEST_MANY sets another number.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import PACKAGES, compiled
from programs import HERE, ROOT, assert_done, lua_environment, python

COUNT = os.environ.get("CW_TEST_MANY", "10000")
REFUSED = os.environ["CW_REFUSED_WS"]


def test_core(fast: str) -> None:
    curl = subprocess.run(
        ["sh", "scripts/check_libcurl.sh", "libs"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    library = ROOT / "build" / "test" / "libcurlwire.a"
    folders = [f"-I{ROOT}/core/{name}" for name in ("include", "src")]
    program = compiled("many", HERE / "many.c", library, *folders, "-DCW_TEST_ALLOC", *curl.stdout.split())
    assert_done(program, fast, REFUSED, COUNT)


def test_python(fast: str) -> None:
    python("many.py", fast, REFUSED, COUNT)


@pytest.mark.parametrize("version", PACKAGES)
def test_lua(fast: str, version: str) -> None:
    program = shutil.which(PACKAGES[version])
    assert program is not None
    assert_done(Path(program), HERE / "many.lua", fast, REFUSED, COUNT, **lua_environment(version))
