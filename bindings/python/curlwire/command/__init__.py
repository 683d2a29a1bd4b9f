# SPDX-License-Identifier: MIT
"""The command curlwire: curl for WebSockets."""

import atexit
import contextlib
import os
import sys
from typing import NoReturn

OUTPUT = 23


def main(arguments: list[str] | None = None) -> int:
    """Runs the command and returns its exit code.

    arguments: without the name of the program. None: those of the process, which then ends here. It does not
    end as Python does, which would wait for a thread that waits for stdin or stdout, and take 4 ms.
    """
    code = _run(sys.argv[1:] if arguments is None else arguments)
    if arguments is None:
        _end(code)
    return code


def _run(words: list[str]) -> int:
    try:
        from curlwire.command import running

        return running.run(words)
    except KeyboardInterrupt:
        return 130
    except SystemExit as error:  # of the handler of SIGTERM
        return int(error.code or 0)


def _end(code: int) -> NoReturn:
    atexit._run_exitfuncs()
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        code = code or OUTPUT
    with contextlib.suppress(OSError):
        if sys.stderr is not None:
            sys.stderr.flush()
    os._exit(code)
