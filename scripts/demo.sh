#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what is missing, builds, starts an echo server with TLS, and runs a short demo in Python and in Lua.
# The exit code is 0 only if everything worked.
#
#     sh scripts/demo.sh
set -eu
cd "$(dirname "$0")/.."

sh scripts/install.sh demo
sh scripts/build.sh demo

if [ -z "${PYTHON:-}" ]; then
    PYTHON=python3
    [ ! -x /usr/bin/python3 ] || PYTHON=/usr/bin/python3
fi
modules=build/lua/5.4
export PYTHON
export PYTHONPATH="build/python${PYTHONPATH:+:$PYTHONPATH}"
export LUA_PATH="$modules/?.lua;$modules/?/init.lua;;"
export LUA_CPATH="$modules/?.so;;"

# shellcheck disable=SC2016 # the inner shell expands the variables
"$PYTHON" tests/servers/run.py --only echo -- sh -eu -c '
    "$PYTHON" examples/demo.py
    echo
    lua5.4 examples/demo.lua
'
echo
echo "demo: everything worked"
