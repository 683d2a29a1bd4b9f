#!/bin/sh
# SPDX-License-Identifier: MIT
# Finds libcurl for the compiler and refuses one that will not do, in one line with the mend.
#
#     sh scripts/check_libcurl.sh [cflags | libs | version]
#
# Prints the flags asked for, or nothing; libs has zlib too, which is what the core links besides. CURL_CONFIG=/path/to/curl-config takes that libcurl in place of the one
# that pkg-config (else the curl-config of PATH) knows; LIBCURL=private takes the one that scripts/build_libcurl.sh
# has built. Makefile and setup.py call it.
set -eu

NEEDED="8.14.1 or later with ws and wss is needed"
MEND="on Debian run: sh scripts/install.sh; elsewhere install the development files of such a libcurl, \
or set CURL_CONFIG to its curl-config"

refuse() {
    echo "curlwire: $1; $NEEDED: $MEND" >&2
    exit 1
}

case ${LIBCURL:-system} in
system) ;;
private)
    CURL_CONFIG=$(cd "$(dirname "$0")/.." && pwd)/build/libcurl/bin/curl-config
    [ -x "$CURL_CONFIG" ] || refuse "the private libcurl is not built (make libcurl builds it)"
    ;;
*) refuse "LIBCURL is $LIBCURL, neither system nor private" ;;
esac

if [ -n "${CURL_CONFIG:-}" ]; then
    command -v "$CURL_CONFIG" >/dev/null 2>&1 || refuse "CURL_CONFIG names $CURL_CONFIG, which is no command"
    by=curl-config
elif command -v pkg-config >/dev/null 2>&1 && pkg-config --exists libcurl; then
    by=pkg-config
elif command -v curl-config >/dev/null 2>&1; then
    by=curl-config
    CURL_CONFIG=curl-config
else
    refuse "no development files of libcurl are to be found"
fi

if [ "$by" = pkg-config ]; then
    version=$(pkg-config --modversion libcurl)
    protocols=$(pkg-config --variable=supported_protocols libcurl)
else
    version=$("$CURL_CONFIG" --version | sed 's/^libcurl //')
    protocols=$("$CURL_CONFIG" --protocols)
fi

# 8.14.1, 8.22.0-DEV: the numbers decide
major=${version%%.*}
minor=${version#*.}
patch=${minor#*.}
minor=${minor%%.*}
patch=${patch%%[!0-9]*}
case $major$minor$patch in
'' | *[!0-9]*) refuse "libcurl calls itself $version, which is no version" ;;
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
