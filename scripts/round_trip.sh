#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds curlwire and echoes a message in Python and in Lua. The workflow runs this on macOS and FreeBSD, whose packages
# scripts/install.sh does not know. It needs GNU make, pkg-config, OpenSSL, zlib, Python 3.11 and Lua 5.4.
#
#     [PYTHON=python3] [LUA=lua] sh scripts/round_trip.sh [VARIABLE=VALUE ...]
#
# The variables are the same as for make. The script makes a Python environment for setup.py and the echo server in
# build/round_trip.
set -eu
cd "$(dirname "$0")/.."

"${PYTHON:-python3}" -m venv build/round_trip
python=build/round_trip/bin/python
"$python" -m pip install --quiet --disable-pip-version-check --upgrade setuptools websockets
make=$(command -v gmake || echo make)
"$make" core python lua PYTHON="$python" LUA_VERSIONS=5.4 WERROR=1 "$@"

"$python" tests/servers/echo.py >build/round_trip/port &
server=$!
trap 'kill "$server"' EXIT
until [ -s build/round_trip/port ]; do
    kill -0 "$server"
    sleep 0.1
done
uri=ws://127.0.0.1:$(sed 's/listening //' build/round_trip/port)/
modules=build/lua/5.4
PYTHONPATH=build/python "$python" examples/message.py "$uri" "Python: echoed"
LUA_PATH="$modules/?.lua;$modules/?/init.lua;;" LUA_CPATH="$modules/?.so;;" \
    "${LUA:-lua}" examples/message.lua "$uri" "Lua: echoed"
