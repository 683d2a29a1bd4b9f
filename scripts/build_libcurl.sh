#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds a private libcurl into build/libcurl: static, HTTP/1 with ws and wss, by OpenSSL and zlib and nothing else.
# All of it is hidden, so that a module with it inside lives beside the system's libcurl in one process.
#
#     sh scripts/build_libcurl.sh
#
# The source, at or above 8.21.0: the tarball that CURL_TARBALL names; else the newest release that Debian's archive
# has as a source package (apt checks its signature; the machine's own sources stay as they are); else a release
# from the project's site, by its checksum. Quick, and without the network, when it is there already; to have a
# newer one, remove build/libcurl. CC says which compiler. `make libcurl` and `make ... LIBCURL=private` call it.
set -eu
cd "$(dirname "$0")/.."

PLACE=$PWD/build/libcurl
LEAST=81500 # 8.21.0, the first whose curl_easy_recv has the frames that come with the 101
SITE_TARBALL=https://curl.se/download/curl-8.22.0.tar.gz
SITE_SHA256=d54dd598bf05927a726deb38df31c6a255ba83ff1de57c5d1464dac3ed8f44a1

# Unity: one C file of all, which takes half the time. Symbol hiding is off, since it would show libcurl's own API.
# No folder of authorities beside the bundle: with one, libcurl (8.22: lib/vtls/openssl.c) reads the bundle anew, and
# keeps what it read, for each connection.
OPTIONS="--disable-shared --enable-static --with-pic --enable-unity --disable-symbol-hiding
    --disable-dependency-tracking --disable-docs --disable-manual --disable-libcurl-option
    --enable-websockets --with-openssl --with-zlib --without-ca-path
    --without-brotli --without-zstd --without-libpsl --without-libidn2 --without-nghttp2 --without-libssh2
    --without-librtmp --without-gssapi --disable-ares --disable-ntlm --disable-aws --disable-doh
    --disable-alt-svc --disable-hsts --disable-cookies --disable-netrc --disable-unix-sockets
    --disable-ldap --disable-ldaps --disable-ftp --disable-file --disable-ipfs --disable-rtsp --disable-dict
    --disable-telnet --disable-tftp --disable-pop3 --disable-imap --disable-smb --disable-smtp --disable-gopher
    --disable-mqtt"
FLAGS="-O2 -fPIC -fvisibility=hidden"

say() {
    echo "build_libcurl.sh: $*"
}

fail() {
    echo "build_libcurl.sh: $*" >&2
    exit 1
}

has() {
    command -v "$1" >/dev/null 2>&1
}

# What decides whether the one that is there will do; comments, since the Makefile includes it.
wanted() {
    echo "# compiler: ${CC:-cc} $FLAGS"
    for option in $OPTIONS; do
        echo "# $option"
    done
    if [ -n "${CURL_TARBALL:-}" ]; then
        echo "# tarball: $(cksum <"$CURL_TARBALL")"
    fi
    echo "# curl-config: $(cksum <scripts/curl_config.in)"
}

# Whatever it was made of will do where no tarball is named.
is_there() {
    [ -e "$PLACE/stamp.mk" ] || return 1
    if [ -n "${CURL_TARBALL:-}" ]; then
        wanted | cmp -s - "$PLACE/stamp.mk"
    else
        [ "$(wanted)" = "$(grep -v '^# tarball' "$PLACE/stamp.mk")" ]
    fi
}

# ---- the source: each leaves its tree in $work/source, or returns 1 with a reason in $reason

unpack() {
    mkdir "$work/source"
    tar -xf "$1" -C "$work/source" --strip-components=1 ||
        fail "$1 is no archive that tar can read"
}

# The archive that the machine takes its packages from, so that no host is written here.
debian_archive() {
    # shellcheck disable=SC1091 # it is the machine's
    codename=$(. /etc/os-release 2>/dev/null && [ "${ID:-}" = debian ] && echo "${VERSION_CODENAME:-sid}") || return 0
    apt-get update --print-uris -o Debug::NoLocking=1 2>>"$work/log" |
        sed -nE "s#^'([^']*)/dists/($codename|oldstable|stable|testing|unstable|sid)/(In)?Release'.*#\1#p" | head -n 1
}

# apt with lists, sources and packages of its own. It may use root's rights where it has them: its own user for
# downloads may not write below this folder; signatures are checked all the same.
private_apt() {
    command=$1
    shift
    "$command" -qq -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root \
        -o Acquire::Retries=3 -o Acquire::http::Timeout=30 -o Acquire::Languages=none "$@"
}

# The versions that it lists, the newest first; release candidates are none.
debian_versions() {
    private_apt apt-cache showsrc --only-source curl 2>>"$work/log" | sed -n 's/^Version: //p' | grep -v '~rc\|~beta' | sort -Vru
}

from_debian() {
    has apt-get || {
        reason="this system has no apt"
        return 1
    }
    archive=$(debian_archive)
    [ -n "$archive" ] || {
        reason="apt takes its packages from no archive of Debian's"
        return 1
    }
    has dpkg-source || fail "dpkg-source is missing; on Debian run: apt-get install dpkg-dev"
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    signed=
    [ ! -e $keyring ] || signed="[signed-by=$keyring] "
    for suite in sid testing stable-backports; do
        echo "deb-src ${signed}$archive $suite main"
    done >"$work/sources.list"
    private_apt apt-get update >>"$work/log" 2>&1 || true # a suite that is not there leaves the others
    for version in $(debian_versions); do
        dpkg --compare-versions "$version" ge 8.21.0 || break
        if (cd "$work" && private_apt apt-get source --download-only --only-source "curl=$version") \
            >>"$work/log" 2>&1; then
            # apt has checked it; dpkg-source knows fewer keys
            dpkg-source --no-check -x "$work"/curl_*.dsc "$work/source" >>"$work/log" 2>&1 || return 1
            say "source: Debian's package curl $version"
            return 0
        fi
        say "Debian's archive lists curl $version and does not hand it out"
    done
    reason="apt gets no source of curl at or above 8.21.0 from Debian's archive ($archive)"
    return 1
}

from_site() {
    python3 - "$SITE_TARBALL" "$work/site.tar.gz" >>"$work/log" 2>&1 <<'END' || return 1
import shutil, sys, urllib.request
with urllib.request.urlopen(sys.argv[1], timeout=30) as reply, open(sys.argv[2], "wb") as target:
    shutil.copyfileobj(reply, target)
END
    echo "$SITE_SHA256  $work/site.tar.gz" | sha256sum --check --status ||
        fail "$SITE_TARBALL is not what it was: its checksum is another; name a tarball by CURL_TARBALL"
    unpack "$work/site.tar.gz"
    say "source: $SITE_TARBALL"
}

# Shows why apt and Python failed, each line once, and keeps the whole log.
show_reasons() {
    cp "$work/log" build/libcurl-source.log
    grep -E '^(E|W|Err):|^ |[Ee]rror' "$work/log" | awk '!seen[$0]++' | tail -n 20 >&2
}

get_source() {
    if [ -n "${CURL_TARBALL:-}" ]; then
        unpack "$CURL_TARBALL"
        say "source: $CURL_TARBALL"
        return
    fi
    reason="dpkg-source cannot unpack Debian's source package of curl"
    from_debian || from_site || {
        show_reasons
        fail "no source of libcurl: $reason, and $SITE_TARBALL cannot be fetched. The lines above say why \
(all of them: build/libcurl-source.log). Fix that, or set CURL_TARBALL to the tarball of a release"
    }
}

# ---- building

check_tools() {
    for command in make "${CC:-cc}" pkg-config; do
        has "$command" || fail "$command is missing; on Debian run: sh scripts/install.sh"
    done
    pkg-config --exists openssl zlib ||
        fail "the headers of OpenSSL and zlib are missing; on Debian run: apt-get install libssl-dev zlib1g-dev"
}

number_of() {
    sed -n 's/^#define LIBCURL_VERSION_NUM *0x\([0-9a-f]*\).*/\1/p' "$1"
}

compile() {
    if [ ! -x "$work/source/configure" ]; then
        fail "the source has no configure; take a release, not a checkout"
    fi
    number=$(number_of "$work/source/include/curl/curlver.h")
    if [ $((0x${number:-0})) -lt $((0x$LEAST)) ]; then
        fail "the source is older than libcurl 8.21.0"
    fi
    mkdir "$work/build"
    # shellcheck disable=SC2086 # options
    (
        cd "$work/build"
        # not this make's variables: the source has a Makefile with names of its own
        unset MAKEFLAGS MAKEOVERRIDES MFLAGS MAKELEVEL BUILD VARIANT PREFIX LIBDIR INCLUDEDIR
        ../source/configure -q --prefix="$PLACE" $OPTIONS ${CC:+CC="$CC"} CFLAGS="$FLAGS" CPPFLAGS= LDFLAGS=
        make -s -C lib libcurl.la
    ) >>"$work/log" 2>&1 || {
        tail -n 20 "$work/log" >&2
        fail "libcurl does not compile; its words are above"
    }
}

lay_out() {
    version=$(sed -n 's/^#define LIBCURL_VERSION "\(.*\)"/\1/p' "$work/source/include/curl/curlver.h")
    libs=$(sh "$work/build/curl-config" --libs | tr ' ' '\n' | grep -vFx -e "-L$PLACE/lib" -e -lcurl |
        awk '!seen[$0]++' | paste -sd ' ')
    protocols=$(sh "$work/build/curl-config" --protocols | paste -sd ' ')
    mkdir -p "$work/out/bin" "$work/out/lib" "$work/out/include/curl"
    cp "$work/source"/include/curl/*.h "$work/out/include/curl/"
    cp "$work/build/lib/.libs/libcurl.a" "$work/out/lib/"
    cp "$work/source/COPYING" "$work/out/"
    sed -e "s|@VERSION@|$version|" -e "s|@LIBS@|$libs|" -e "s|@PROTOCOLS@|$protocols|" scripts/curl_config.in \
        >"$work/out/bin/curl-config"
    chmod 755 "$work/out/bin/curl-config"
    wanted >"$work/out/stamp.mk"
    rm -rf "$PLACE"
    mv "$work/out" "$PLACE"
    say "libcurl $version is in build/libcurl"
}

if [ -n "${CURL_TARBALL:-}" ] && [ ! -r "$CURL_TARBALL" ]; then
    fail "CURL_TARBALL names $CURL_TARBALL, which cannot be read"
fi
if is_there; then
    exit 0
fi
check_tools
mkdir -p build
work=$(mktemp -d "$PWD/build/libcurl-work.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
get_source
compile
lay_out
