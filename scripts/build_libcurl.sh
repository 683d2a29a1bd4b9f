#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds the libcurl of the default build into build/libcurl: a static library with HTTP/1, ws and wss, OpenSSL, zlib and
# libpsl's list of public suffixes. Its symbols are hidden, so that a module that contains it can share a process with
# the system's libcurl.
#
#     sh scripts/build_libcurl.sh
#     sh scripts/build_libcurl.sh --pack FOLDER    puts the sources into FOLDER, from which a build needs no network
#
# scripts/fetch_source.sh finds the sources, or takes the archives that CURL_TARBALL and LIBPSL_TARBALL name. libcurl
# must be 8.21.0 or later. If build/libcurl is up to date, the script does nothing; to get a newer libcurl, remove that
# folder. CC is the compiler. Makefile and setup.py call this script, and packaging/build_wheels.py with LIBCURL_PLACE,
# LIBCURL_OPTIONS and LIBCURL_FLAGS: another folder, more options of configure and more flags of the compiler.
set -eu
cd "$(dirname "$0")/.."

PLACE=${LIBCURL_PLACE:-$PWD/build/libcurl}
CURL_LEAST=8.21.0   # the first version whose curl_easy_recv returns frames that come with the 101
LIBPSL_LEAST=0.21.0
SUFFIXES=/usr/share/publicsuffix/public_suffix_list.dat

# --enable-unity compiles all as one C file, in half the time, if Perl is installed. libcurl's symbol hiding is off, because
# it would export libcurl's own API. -fvisibility=hidden hides everything. --without-ca-path is needed because of libcurl's
# cache (8.22: lib/vtls/openssl.c). With a folder of certificates beside the bundle, libcurl reads and keeps the bundle anew
# for each connection.
OPTIONS="--disable-shared --enable-static --with-pic --enable-unity --disable-symbol-hiding
    --disable-dependency-tracking --disable-docs --disable-manual --disable-libcurl-option
    --enable-websockets --with-openssl --with-zlib --without-ca-path
    --without-brotli --without-zstd --without-libidn2 --without-nghttp2 --without-libssh2
    --without-librtmp --without-gssapi --disable-ares --disable-ntlm --disable-aws
    --disable-alt-svc --disable-hsts
    --disable-ldap --disable-ldaps --disable-ftp --disable-file --disable-ipfs --disable-rtsp --disable-dict
    --disable-telnet --disable-tftp --disable-pop3 --disable-imap --disable-smb --disable-smtp --disable-gopher
    --disable-mqtt ${LIBCURL_OPTIONS:-}"
FLAGS="-O2 -fPIC -fvisibility=hidden ${LIBCURL_FLAGS:-}"
CC=${CC:-cc}

# Our changes to libcurl, so that it passes on the body of a reply that refuses, which often says why. docs/libcurl.md says why
# no option does it. Each row is a file, a line of it, and the line with which we replace it.
# 1. In a ws transfer, libcurl ends at the headers of a reply that is no 101, and drops the body. With this line, it does so only
#    with CURLOPT_FAILONERROR, as it does in other transfers. It still answers no challenge within the transfer: authproblem
#    is its own mark for that.
# 2. libcurl ends at the headers of a reply with which a proxy refuses CONNECT. With this line, it reads the body, as it does
#    before it answers a challenge (KEEPON_IGNORE), until the proxy ends the connection if the reply has no length.
# 3. libcurl drops the bytes that it reads so. With this line, the debug function gets them, without the frames of chunks.
CHANGES='lib/http.c
if(data->req.upgr101 == UPGR101_WS) {
if(data->req.upgr101 == UPGR101_WS && !data->set.http_fail_on_error) data->state.authproblem = TRUE; else if(data->req.upgr101 == UPGR101_WS) {
lib/cf-h1-proxy.c
if((407 == k->httpcode) && !data->state.authproblem) {
if(k->httpcode >= 300 && (407 != k->httpcode || data->state.authproblem) && !data->set.http_fail_on_error) { ts->keepon = KEEPON_IGNORE; if(!ts->cl && !ts->chunked_encoding) ts->cl = CURL_OFF_T_MAX; } else if((407 == k->httpcode) && !data->state.authproblem) {
lib/cf-h1-proxy.c
if(ts->keepon == KEEPON_IGNORE) {
if(ts->keepon == KEEPON_IGNORE) { if(!ts->chunked_encoding || ts->ch.state == CHUNK_DATA) Curl_debug(data, CURLINFO_DATA_IN, &byte, 1);'

say() {
    echo "build_libcurl.sh: $*"
}

fail() {
    echo "build_libcurl.sh: $*" >&2
    exit 1
}

# Shows the last lines of the log that match, keeps the whole log, and fails. The log is not in this folder, because pip
# removes the folder in which it builds.
fail_with_log() {
    is_log_kept=1
    grep -E "$1" "$log" | awk '!seen[$0]++' | tail -n 20 >&2
    fail "$2. The whole log is $log"
}

has() {
    command -v "$1" >/dev/null 2>&1
}

# Prints how to install what the build needs, by the packages of this system.
how_to_install() {
    if has apt-get; then
        echo "Run: apt-get install gcc libc6-dev make pkg-config python3 xz-utils publicsuffix libssl-dev zlib1g-dev"
    elif has dnf; then
        echo "Run: dnf install gcc make pkgconf python3 xz openssl-devel zlib-devel"
    elif has apk; then
        echo "Run: apk add gcc musl-dev make pkgconf python3 xz openssl-dev zlib-dev"
    else
        echo "Install a C compiler, make, pkg-config, Python 3, and the headers of OpenSSL and zlib"
    fi
}

# Prints what the build depends on.
wanted() {
    echo "$FLAGS"
    for option in $OPTIONS; do
        echo "$option"
    done
    cksum <scripts/curl_config.in
    echo "$CHANGES"
    # a newer row must lead to a newer library
    grep -E '^(curl|libpsl) ' packaging/sources.txt
    for tarball in "${CURL_TARBALL:-}" "${LIBPSL_TARBALL:-}"; do
        [ ! -r "$tarball" ] || echo "tarball $(cksum <"$tarball")"
    done
}

# Whether build/libcurl is up to date. Without the variables that name archives, any source is accepted.
is_there() {
    [ -e "$PLACE/stamp" ] || return 1
    if [ -n "${CURL_TARBALL:-}${LIBPSL_TARBALL:-}" ]; then
        wanted | cmp -s - "$PLACE/stamp"
    else
        [ "$(wanted)" = "$(grep -v '^tarball' "$PLACE/stamp")" ]
    fi
}

# ---- the sources

# Unpacks the sources. Sets $curl and $libpsl to their archives.
get_sources() {
    say "looking for the source of libcurl"
    sh scripts/fetch_source.sh curl $CURL_LEAST libpsl $LIBPSL_LEAST >"$work/paths" 2>>"$log" ||
        fail_with_log '^(E|W|Err):|^ |[Ee]rror|^curl:|^wget:' "$(sed -n 's/^fetch_source.sh: //p' "$log" | tail -n 1)"
    { read -r curl && read -r libpsl; } <"$work/paths"
    unpack "$curl" curl
    unpack "$libpsl" libpsl
    if [ ! -x "$work/curl/configure" ]; then
        fail "${curl##*/} has no configure script. Set CURL_TARBALL to the archive of a release, not of a checkout"
    fi
    number=$(sed -n 's/^#define LIBCURL_VERSION_NUM *0x\([0-9a-f]*\).*/\1/p' "$work/curl/include/curl/curlver.h")
    if [ $((0x${number:-0})) -lt $((0x81500)) ]; then
        fail "${curl##*/} is older than libcurl $CURL_LEAST. Set CURL_TARBALL to the archive of a newer release"
    fi
}

unpack() {
    mkdir "$work/$2"
    case $1 in *.xz) has xz || fail "xz, which unpacks ${1##*/}, is not installed. $(how_to_install)" ;; esac
    tar -xf "$1" -C "$work/$2" --strip-components=1 ||
        fail "tar cannot unpack $1. Set $(echo "$2" | tr '[:lower:]' '[:upper:]')_TARBALL to the archive of a release"
    say "source: ${1##*/}"
}

# libpsl's script turns the list of public suffixes into C: that of the release, else the system's, because Debian removes it
# from the release. Our source archives contain the result, and the builds from them need neither Python nor a list.
prepare_libpsl() {
    [ ! -e "$work/libpsl/src/suffixes_dafsa.h" ] || return 0
    has python3 || fail "python3 is not installed. $(how_to_install)"
    list=$work/libpsl/list/public_suffix_list.dat
    mkdir -p "$work/libpsl/list"
    [ -e "$list" ] || cp $SUFFIXES "$list" 2>/dev/null || fail "the list of public suffixes, $SUFFIXES, is not installed. $(how_to_install)"
    python3 "$work/libpsl/src/psl-make-dafsa" --output-format=cxx+ "$list" "$work/libpsl/src/suffixes_dafsa.h" \
        >>"$log" 2>&1 || fail_with_log . "the list of public suffixes cannot be compiled, as the lines above say"
}

# Puts libcurl's archive into a folder as it is, and of libpsl the files that prepare_libpsl and compile_libpsl use.
pack() {
    get_sources
    prepare_libpsl
    mkdir -p "$1"
    rm -f "$1"/curl-*.tar.* "$1"/libpsl-*.tar.*
    cp "$curl" "$1/"
    name=${libpsl##*/}
    name=${name%.tar.*}
    mv "$work/libpsl" "$work/$name"
    (cd "$work" && tar -cf - "$name/LICENSE" "$name/NEWS" "$name/include/libpsl.h.in" \
        "$name/list/public_suffix_list.dat" "$name/src/LICENSE.chromium" "$name/src/lookup_string_in_fixed_set.c" \
        "$name/src/psl.c" "$name/src/psl-make-dafsa" "$name/src/suffixes_dafsa.h") | gzip -9n >"$1/$name.tar.gz"
    say "the sources are in $1"
}

# ---- building

check_tools() {
    for command in make "$CC" pkg-config; do
        has "${command%% *}" || fail "$command is not installed. $(how_to_install)"
    done
    has_headers || fail "the headers of the C library, OpenSSL or zlib are not installed. $(how_to_install)"
}

has_headers() {
    flags=$(pkg-config --cflags openssl zlib 2>/dev/null) || return 1
    # shellcheck disable=SC2086 # words
    printf '#include <stdio.h>\n#include <openssl/ssl.h>\n#include <zlib.h>\n' | $CC $flags -E -x c - >/dev/null 2>&1
}

# Compiles libpsl with only its built-in list, as it needs no other library then. Its own configure asks for more.
compile_libpsl() {
    prepare_libpsl
    version=$(sed -n 's/.* Release V\([0-9.]*\).*/\1/p' "$work/libpsl/NEWS" | head -n 1)
    mkdir -p "$work/psl/include" "$work/psl/lib"
    number=$(echo "$version" | awk -F. '{ printf "0x%02x%02x%02x\n", $1, $2, $3 }')
    sed -e "s/@LIBPSL_VERSION@/$version/" -e "s/@LIBPSL_VERSION_NUMBER@/$number/" -e "s/@LIBPSL_VERSION_[A-Z]*@/0/" \
        "$work/libpsl/include/libpsl.h.in" >"$work/psl/include/libpsl.h"
    for file in psl lookup_string_in_fixed_set; do
        # shellcheck disable=SC2086 # words
        $CC $FLAGS -DENABLE_BUILTIN "-DPACKAGE_VERSION=\"$version\"" -I"$work/psl/include" -c \
            -o "$work/psl/$file.o" "$work/libpsl/src/$file.c" >>"$log" 2>&1 || fail_with_log . "libpsl does not compile, as the lines above say"
    done
    ${AR:-ar} rc "$work/psl/lib/libpsl.a" "$work/psl"/*.o
}

# Changes some lines of libcurl. Sets $changed to the compiler flag that tells curlwire so. A later libcurl may lack a line; then
# nothing is changed, the body of a refusal stays empty, and the tests show it.
change_libcurl() {
    changed=
    while read -r file && read -r before && read -r _; do
        if [ "$(grep -cF "$before" "$work/curl/$file")" != 1 ]; then
            say "$file has changed, so libcurl will drop the body of a refusal. See CHANGES in this script"
            return
        fi
    done <<EOF
$CHANGES
EOF
    while read -r file && read -r before && read -r after; do
        BEFORE=$before AFTER=$after awk '{
            at = index($0, ENVIRON["BEFORE"])
            if (at) $0 = substr($0, 1, at - 1) ENVIRON["AFTER"] substr($0, at + length(ENVIRON["BEFORE"]))
            print
        }' "$work/curl/$file" >"$work/changed.c"
        mv "$work/changed.c" "$work/curl/$file"
    done <<EOF
$CHANGES
EOF
    changed=" -DCW_LIBCURL_KEEPS_BODY"
}

compile_libcurl() {
    change_libcurl
    mkdir "$work/build"
    # shellcheck disable=SC2086 # options
    (
        cd "$work/build"
        # the Makefile of the source must not inherit these variables, which have other meanings there
        unset MAKEFLAGS MAKEOVERRIDES MFLAGS MAKELEVEL BUILD VARIANT PREFIX LIBDIR INCLUDEDIR
        ../curl/configure -q --prefix="$PLACE" --with-libpsl="$work/psl" $OPTIONS CC="$CC" CFLAGS="$FLAGS" CPPFLAGS= LDFLAGS=
        make -s -j2 -C lib libcurl.la
    ) >>"$log" 2>&1 || fail_with_log '[Ee]rror' "libcurl does not compile, as the lines above say"
}

lay_out() {
    version=$(sed -n 's/^#define LIBCURL_VERSION "\(.*\)"/\1/p' "$work/curl/include/curl/curlver.h")
    libs=$(sh "$work/build/curl-config" --libs | tr ' ' '\n' |
        grep -vFx -e "-L$PLACE/lib" -e "-L$work/psl/lib" -e -lcurl -e -lpsl | paste -sd ' ' -)
    protocols=$(sh "$work/build/curl-config" --protocols | paste -sd ' ' -)
    mkdir -p "$work/out/bin" "$work/out/lib" "$work/out/include/curl" "$work/out/licenses"
    cp "$work/curl"/include/curl/*.h "$work/out/include/curl/"
    cp "$work/build/lib/.libs/libcurl.a" "$work/out/lib/"
    ${AR:-ar} rs "$work/out/lib/libcurl.a" "$work/psl"/*.o 2>/dev/null
    cp "$work/curl/COPYING" "$work/out/licenses/curl.txt"
    cat "$work/libpsl/LICENSE" "$work/libpsl/src/LICENSE.chromium" >"$work/out/licenses/libpsl.txt"
    sed -e "s|@VERSION@|$version|" -e "s|@LIBS@|$libs|" -e "s|@PROTOCOLS@|$protocols|" -e "s|@CHANGED@|$changed|" scripts/curl_config.in \
        >"$work/out/bin/curl-config"
    chmod 755 "$work/out/bin/curl-config"
    wanted >"$work/out/stamp"
    rm -rf "$PLACE"
    mv "$work/out" "$PLACE"
    say "libcurl $version is in build/libcurl"
}

if [ "${1:-}" != --pack ] && is_there; then
    exit 0
fi
log=$(mktemp "${TMPDIR:-/tmp}/curlwire-libcurl.XXXXXX")
is_log_kept=
mkdir -p build
work=$(mktemp -d "$PWD/build/libcurl-work.XXXXXX")
trap 'rm -rf "$work"; [ -n "$is_log_kept" ] || rm -f "$log"' EXIT
trap 'exit 1' HUP INT TERM
if [ "${1:-}" = --pack ]; then
    pack "$2"
    exit 0
fi
check_tools
get_sources
compile_libpsl
compile_libcurl
lay_out
