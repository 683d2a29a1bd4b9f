#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds everything into build/. Run scripts/install.sh before.
#
#     sh scripts/build.sh [demo | test]
#
#   demo   libcurl, the library, the Python module, the Lua module for 5.4 (default)
#   test   libcurl, the library, the Python module, the Lua modules for 5.1, 5.2, 5.3, 5.4 and LuaJIT, the C tests, also
#          under the sanitizers; and with the system's libcurl the same (Lua: 5.4 and LuaJIT) without sanitizers.
#          Warnings are errors
set -eu
cd "$(dirname "$0")/.."

jobs=$(nproc 2>/dev/null || echo 1)
case ${1:-demo} in
demo)
    make -j"$jobs" --no-print-directory core python lua LUA_VERSIONS=5.4
    ;;
test)
    # This takes one process half a minute, and it mostly waits. So it runs beside the rest, and shows its output later.
    mkdir -p build
    sh scripts/build_libcurl.sh >build/libcurl.log 2>&1 &
    libcurl=$!
    make -j"$jobs" --no-print-directory core python lua LIBCURL=system LUA_VERSIONS="5.1 5.2 5.3 5.4 jit" WERROR=1
    make -j"$jobs" --no-print-directory core-tests LIBCURL=system VARIANT=test WERROR=1
    echo "build.sh: waiting for libcurl (its output is in build/libcurl.log)"
    wait "$libcurl" || {
        cat build/libcurl.log >&2
        exit 1
    }
    cat build/libcurl.log
    make -j"$jobs" --no-print-directory core python lua LUA_VERSIONS="5.1 5.2 5.3 5.4 jit" WERROR=1
    make -j"$jobs" --no-print-directory core-tests VARIANT=test WERROR=1
    for variant in asan tsan; do
        make -j"$jobs" --no-print-directory core-tests lua VARIANT=$variant LUA_VERSIONS=5.4 WERROR=1
    done
    ;;
*)
    echo "usage: build.sh [demo | test]" >&2
    exit 2
    ;;
esac
