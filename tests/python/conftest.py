# SPDX-License-Identifier: MIT
"""A test that hangs is ended with the stack of every thread."""

import faulthandler
from collections.abc import Iterator

import pytest

LIMIT_SECONDS = 60


@pytest.fixture(autouse=True)
def time_limit() -> Iterator[None]:
    faulthandler.dump_traceback_later(LIMIT_SECONDS, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()
