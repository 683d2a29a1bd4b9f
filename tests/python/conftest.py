# SPDX-License-Identifier: MIT
"""Ends a test that hangs and prints the stack of every thread. Closes all sockets between two tests."""

import faulthandler
import os
from collections.abc import Iterator

import pytest

import curlwire
from curlwire import dispatcher
from peers import HAS_COMPRESSION
from sites import Serve, serving

LIMIT_SECONDS = 60

# Compression needs libcurl 8.21.0 or later, and is refused with an older one. One of these two files applies.
collect_ignore = ["test_compression_refused.py" if HAS_COMPRESSION else "test_compression.py"]


descriptors: list[int] = []  # the real stderr


def pytest_configure() -> None:
    """Keeps the real stderr. During a test, stderr is a file of pytest, which is lost if the process exits."""
    descriptors.append(os.dup(2))


def limit_time(seconds: float) -> None:
    faulthandler.dump_traceback_later(seconds, exit=True, file=descriptors[0])


@pytest.fixture(autouse=True)
def time_limit() -> Iterator[None]:
    limit_time(LIMIT_SECONDS)
    yield
    for socket in dispatcher._sockets():
        socket.abort()
    curlwire.run_forever()
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers that end with the test."""
    with serving() as start:
        yield start
