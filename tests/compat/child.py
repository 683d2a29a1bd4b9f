# SPDX-License-Identifier: MIT
"""Runs client tests of the websockets library against curlwire.compat.websockets. run.py starts it.

    python3 tests/compat/child.py SOURCE [ID ...]

SOURCE is the unpacked source of the library, in a copy that this program changes. An ID is such as
"sync ClientTests.test_connection"; without one it runs all. It prints a line of JSON for each test: its id,
whether it passed, how many connects curlwire's core has made, and the error.

The tests import the names of the client from curlwire, and the server from the library itself. Ports that they
expect to be free, or a proxy at, are those of this run.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import re
import sys
import types
import unittest
from pathlib import Path
from typing import Any

import curlwire

HERE = Path(__file__).resolve().parent
LIMIT_S = 60  # of one test
OURS = "curlwire.compat.websockets"
# The modules of the library whose names the tests take from curlwire.
MODULES = ("asyncio.client", "sync.client", "client", "exceptions", "extensions.permessage_deflate")
CONTEXT = "ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)"


def connects() -> int:
    """How many connects the core has made or tried."""
    total = curlwire.statistics()
    return total.connects + total.failed_connects


def replaced(text: str, ports: dict[str, str]) -> str:
    for module in MODULES:
        text = re.sub(rf"\bfrom websockets\.{re.escape(module)} import", f"from {OURS}.{module} import", text)
    text = text.replace("from websockets.asyncio import client", f"from {OURS}.asyncio import client")
    for old, new in ports.items():
        text = text.replace(old, new)
    return text


def prepare(source: Path) -> None:
    """Changes the copy of the tests, so that they test curlwire."""
    sys.path[:0] = [str(source / "src"), str(source), str(HERE.parent / "python")]
    utils = source / "tests" / "utils.py"
    text = utils.read_text()
    if CONTEXT not in text:
        raise SystemExit(f"child.py: {utils} has no {CONTEXT}")
    utils.write_text(f"import {OURS}\n" + text.replace(CONTEXT, f"{OURS}.SSLContext()"))
    servers = (
        source / "tests" / "sync" / "server.py"
    )  # the router needs a package, and no test of a client uses it
    servers.write_text(servers.read_text().replace("from websockets.sync.router import *\n", ""))
    (source / "tests" / "proxy.py").write_text((HERE / "proxy.py").read_text())
    sys.modules["mitmproxy"] = types.ModuleType("mitmproxy")  # the tests of proxies ask whether it is there
    proxy: Any = importlib.import_module("tests.proxy")
    for one in (proxy.socks, proxy.http):
        one.__enter__()
    # nobody listens on the ports 1 to 3
    ports = {"51080": proxy.socks.port, "58080": proxy.http.port, "48080": 1, "61080": 2, "54321": 3}
    for kind in ("asyncio", "sync"):
        file = source / "tests" / kind / "test_client.py"
        file.write_text(replaced(file.read_text(), {old: str(new) for old, new in ports.items()}))


def each(suite: Any) -> list[unittest.TestCase]:
    if isinstance(suite, unittest.TestCase):
        return [suite]
    return [test for part in suite for test in each(part)]


def id_of(test: unittest.TestCase) -> str:
    _, kind, _, name = test.id().split(".", 3)
    return f"{kind} {name}"


class Result(unittest.TestResult):
    """Prints a line for each test."""

    def __init__(self) -> None:
        super().__init__()
        self.before = 0
        self.text = ""

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        faulthandler.dump_traceback_later(LIMIT_S, exit=True)
        self.before = connects()
        self.text = ""

    def addFailure(self, test: Any, err: Any) -> None:
        super().addFailure(test, err)
        self.text += self.failures[-1][1]

    def addError(self, test: Any, err: Any) -> None:
        super().addError(test, err)
        self.text += self.errors[-1][1]

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        super().addSkip(test, reason)
        self.text += f"skipped: {reason}"

    def stopTest(self, test: unittest.TestCase) -> None:
        super().stopTest(test)
        faulthandler.cancel_dump_traceback_later()
        done = {"id": id_of(test), "connects": connects() - self.before, "text": self.text}
        print(json.dumps(done), flush=True)


def main() -> None:
    prepare(Path(sys.argv[1]).resolve())
    wanted = sys.argv[2:]
    names = ["tests.asyncio.test_client", "tests.sync.test_client"]
    suite = unittest.defaultTestLoader.loadTestsFromNames(names)
    chosen = [test for test in each(suite) if not wanted or id_of(test) in wanted]
    unittest.TestSuite(chosen).run(Result())


if __name__ == "__main__":
    main()
