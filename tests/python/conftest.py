# SPDX-License-Identifier: MIT
"""A test that hangs is ended with the stack of every thread. None leaves an open socket to the next."""

import faulthandler
from collections.abc import Iterator

import pytest

import curlwire
from curlwire import dispatcher

LIMIT_SECONDS = 60


@pytest.fixture(autouse=True)
def time_limit() -> Iterator[None]:
    faulthandler.dump_traceback_later(LIMIT_SECONDS, exit=True)
    yield
    for socket in dispatcher._sockets():
        socket.abort()
    curlwire.run_forever()
    faulthandler.cancel_dump_traceback_later()
