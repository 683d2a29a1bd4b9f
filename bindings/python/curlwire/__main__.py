# SPDX-License-Identifier: MIT
"""Lets `python -m curlwire` run the command."""

import sys

from curlwire.command import main

if __name__ == "__main__":
    sys.exit(main())
