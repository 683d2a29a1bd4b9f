#!/bin/sh
# SPDX-License-Identifier: MIT
# Finds libcurl for the compiler. Refuses an unsuitable one, in one line that says how to fix it.
#
#     sh scripts/check_libcurl.sh [cflags | libs | version]
#
# Prints the flags, or the version; without an argument it only checks. libs includes zlib, which the core needs too.
# It takes the libcurl that pkg-config finds, else the libcurl of the curl-config in PATH.
# CURL_CONFIG=/path/to/curl-config takes the libcurl of that curl-config, and LIBCURL=private the libcurl that
# scripts/build_libcurl.sh has built. Makefile and setup.py call this script.
set -eu

NEEDED="curlwire needs libcurl 8.14.1 or later with ws and wss"
MEND="On Debian run: sh scripts/install.sh. Elsewhere install the development files of such a libcurl, \
or set CURL_CONFIG to its curl-config"

refuse() {
    echo "curlwire: $1. $NEEDED. $MEND" >&2
    exit 1
}

case ${LIBCURL:-system} in
system) ;;
private)
    CURL_CONFIG=$(cd "$(dirname "$0")/.." && pwd)/build/libcurl/bin/curl-config
    [ -x "$CURL_CONFIG" ] || refuse "the private libcurl is not built (build it with: make libcurl)"
    ;;
*) refuse "LIBCURL is $LIBCURL, neither system nor private" ;;
esac

if [ -n "${CURL_CONFIG:-}" ]; then
    command -v "$CURL_CONFIG" >/dev/null 2>&1 || refuse "CURL_CONFIG is $CURL_CONFIG, which is not a command"
    by=curl-config
elif command -v pkg-config >/dev/null 2>&1 && pkg-config --exists libcurl; then
    by=pkg-config
elif command -v curl-config >/dev/null 2>&1; then
    by=curl-config
    CURL_CONFIG=curl-config
else
    refuse "no development files of libcurl were found"
fi

if [ "$by" = pkg-config ]; then
    version=$(pkg-config --modversion libcurl)
    protocols=$(pkg-config --variable=supported_protocols libcurl)
else
    version=$("$CURL_CONFIG" --version | sed 's/^libcurl //')
    protocols=$("$CURL_CONFIG" --protocols)
fi

# Compare only the numbers, even of a version such as 8.22.0-DEV.
major=${version%%.*}
minor=${version#*.}
patch=${minor#*.}
minor=${minor%%.*}
patch=${patch%%[!0-9]*}
case $major$minor$patch in
'' | *[!0-9]*) refuse "libcurl reports the version $version, which has no numbers" ;;
esac
if [ $((major * 10000 + minor * 100 + patch)) -lt 81401 ]; then
    refuse "libcurl $version is too old"
fi
protocols=$(echo "$protocols" | tr '[:lower:]\n' '[:upper:] ')
for protocol in WS WSS; do
    case " $protocols " in
    *" $protocol "*) ;;
    *) refuse "libcurl $version was built without $protocol" ;;
    esac
done

case ${1:-} in
'') ;;
version) echo "$version" ;;
cflags | libs)
    if [ "$by" = pkg-config ]; then flags=$(pkg-config "--$1" libcurl); else flags=$("$CURL_CONFIG" "--$1"); fi
    if [ "$1" = libs ]; then flags="$flags -lz"; fi
    echo "$flags"
    ;;
*)
    echo "usage: check_libcurl.sh [cflags | libs | version]" >&2
    exit 2
    ;;
esac
