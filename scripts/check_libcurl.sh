#!/bin/sh
# SPDX-License-Identifier: MIT
# Finds libcurl for the compiler. Refuses an unsuitable one, in one line that says how to fix it.
#
#     sh scripts/check_libcurl.sh [cflags | libs | version]
#
# Prints the flags, or the version; without an argument it only checks. libs includes zlib, which the core needs too.
# LIBCURL=private, the default, takes the libcurl that scripts/build_libcurl.sh has built. LIBCURL=system takes the libcurl
# that pkg-config finds, else that of the curl-config in PATH. CURL_CONFIG=/path/to/curl-config then takes that libcurl
# instead. Makefile and setup.py call this script.
set -eu

refuse() {
    echo "curlwire: $1" >&2
    exit 1
}

# Refuses the system's libcurl.
refuse_system() {
    refuse "$1. LIBCURL=system needs libcurl 8.14.1 or later with ws and wss. Install its development files or set CURL_CONFIG \
to its curl-config. Without LIBCURL=system, the build makes its own libcurl"
}

by=curl-config
case ${LIBCURL:-private} in
private)
    [ -z "${CURL_CONFIG:-}" ] || refuse "CURL_CONFIG is $CURL_CONFIG, but only LIBCURL=system uses it. Set that too, or unset CURL_CONFIG"
    CURL_CONFIG=$(cd "$(dirname "$0")/.." && pwd)/build/libcurl/bin/curl-config
    [ -x "$CURL_CONFIG" ] || refuse "libcurl is not built. Run: make libcurl"
    ;;
system)
    if [ -n "${CURL_CONFIG:-}" ]; then
        command -v "$CURL_CONFIG" >/dev/null 2>&1 || refuse_system "CURL_CONFIG is $CURL_CONFIG, which is not a command"
    elif command -v pkg-config >/dev/null 2>&1 && pkg-config --exists libcurl; then
        by=pkg-config
    elif command -v curl-config >/dev/null 2>&1; then
        CURL_CONFIG=curl-config
    else
        refuse_system "no development files of libcurl were found"
    fi
    ;;
*) refuse "LIBCURL is $LIBCURL. Set it to private or system" ;;
esac

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
'' | *[!0-9]*) refuse_system "libcurl reports the version $version, which has no numbers" ;;
esac
if [ $((major * 10000 + minor * 100 + patch)) -lt 81401 ]; then
    refuse_system "libcurl $version is too old"
fi
protocols=$(echo "$protocols" | tr '[:lower:]\n' '[:upper:] ')
for protocol in WS WSS; do
    case " $protocols " in
    *" $protocol "*) ;;
    *) refuse_system "libcurl $version was built without $protocol" ;;
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
