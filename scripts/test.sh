#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what is missing, builds, runs every test. The last line says "N passed, N failed".
#
#     sh scripts/test.sh [SUITE ...]
#
# SUITE selects some of the suites, which scripts/run_tests.py --list prints.
set -eu
cd "$(dirname "$0")/.."

sh scripts/install.sh test
sh scripts/build.sh test
exec build/venv/bin/python tests/servers/run.py -- build/venv/bin/python scripts/run_tests.py "$@"
