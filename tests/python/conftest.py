# SPDX-License-Identifier: MIT
"""A test that hangs is ended with the stack of every thread. None leaves an open socket to the next."""

import faulthandler
from collections.abc import Iterator

import pytest

import curlwire
from curlwire import dispatcher
from peers import HAS_COMPRESSION

LIMIT_SECONDS = 60

# Compression works with a libcurl that gives it the bytes, and is refused with another: one of these is run.
collect_ignore = ["test_compression_refused.py" if HAS_COMPRESSION else "test_compression.py"]


@pytest.fixture(autouse=True)
def time_limit() -> Iterator[None]:
    faulthandler.dump_traceback_later(LIMIT_SECONDS, exit=True)
    yield
    for socket in dispatcher._sockets():
        socket.abort()
    curlwire.run_forever()
    faulthandler.cancel_dump_traceback_later()
