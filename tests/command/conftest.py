# SPDX-License-Identifier: MIT
"""Ends a test that hangs, and kills what it has started."""

import faulthandler
from collections.abc import Iterator

import pytest

import helpers

LIMIT_SECONDS = 100


@pytest.fixture(autouse=True)
def time_limit() -> Iterator[None]:
    faulthandler.dump_traceback_later(LIMIT_SECONDS, exit=True)
    yield
    for process in helpers.started:
        process.kill()
        with process:  # closes its pipes
            pass
    helpers.started.clear()
    faulthandler.cancel_dump_traceback_later()
