# SPDX-License-Identifier: MIT
"""The fuzzing server of autobahntestsuite, for ws:// on 127.0.0.1 only. It runs in PyPy for Python 2.7.

    pypy server.py -m fuzzingserver -s SETTINGS -u 0

run.py starts it, and waits for the line "listening".
"""

import gc
import sys
import types

import twisted.internet

# The suite imports Twisted's TLS, which needs pyOpenSSL and cryptography. They have no builds for PyPy.
twisted.internet.ssl = sys.modules["twisted.internet.ssl"] = types.ModuleType("twisted.internet.ssl")

# wstest installs a reactor, so it must come first.
from autobahntestsuite import fuzzing, wstest  # noqa: E402
from twisted.internet import reactor  # noqa: E402

GARBAGE_S = 1.0

listen = reactor.listenTCP
connection_lost = fuzzing.FuzzingServerProtocol.connectionLost


def listen_on_loopback(port, factory, backlog=50, interface=""):
    """Replaces listenTCP, with which the suite listens on every address."""
    listening = listen(port, factory, backlog, "127.0.0.1")
    print("listening")
    return listening


def connection_lost_and_collected(self, reason):
    """Frees zlib's memory after a long case. PyPy does not count that memory, and would keep gigabytes."""
    connection_lost(self, reason)
    if self.caseEnd - self.caseStart > GARBAGE_S:
        gc.collect()


reactor.listenTCP = listen_on_loopback
fuzzing.FuzzingServerProtocol.connectionLost = connection_lost_and_collected

wstest.run()
