#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds a private static libcurl into build/libcurl, with HTTP/1, ws, wss, OpenSSL and zlib and nothing else. Its
# symbols are hidden, so that a module that contains it can share a process with the system's libcurl.
#
#     sh scripts/build_libcurl.sh
#
# The source must be 8.21.0 or later. The script takes the first source that it can get:
# - the archive that CURL_TARBALL names
# - the newest release that Debian's archive has as a source package. apt checks its signature. The machine's list of
#   sources stays as it is
# - a release from the project's site, identified by its checksum
# If build/libcurl exists, the script does nothing; to get a newer libcurl, remove that folder. CC is the compiler.
# `make libcurl` and `make ... LIBCURL=private` call the script.
set -eu
cd "$(dirname "$0")/.."

PLACE=$PWD/build/libcurl
LEAST=81500 # 8.21.0, the first version whose curl_easy_recv returns frames that come with the 101
SITE_TARBALL=https://curl.se/download/curl-8.22.0.tar.gz
SITE_SHA256=d54dd598bf05927a726deb38df31c6a255ba83ff1de57c5d1464dac3ed8f44a1

# --enable-unity compiles all as one C file, in half the time. libcurl's symbol hiding is off, because it would export
# libcurl's own API. -fvisibility=hidden hides everything. --without-ca-path is needed because of libcurl's cache (8.22:
# lib/vtls/openssl.c). With a folder of certificates beside the bundle, libcurl reads and keeps the bundle anew for each
# connection.
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

# Prints what the build depends on, as comments, because the Makefile includes the stamp.
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

# Whether build/libcurl is up to date. Without CURL_TARBALL, any source is accepted.
is_there() {
    [ -e "$PLACE/stamp.mk" ] || return 1
    if [ -n "${CURL_TARBALL:-}" ]; then
        wanted | cmp -s - "$PLACE/stamp.mk"
    else
        [ "$(wanted)" = "$(grep -v '^# tarball' "$PLACE/stamp.mk")" ]
    fi
}

# ---- the source: from_debian and from_site unpack it into $work/source, or return 1. $reason says why

unpack() {
    mkdir "$work/source"
    tar -xf "$1" -C "$work/source" --strip-components=1 ||
        fail "tar cannot unpack $1. Set CURL_TARBALL to the archive of a release"
}

# Prints the archive from which this machine installs its packages, so that this script needs no host name.
debian_archive() {
    # shellcheck disable=SC1091 # a file of the system
    codename=$(. /etc/os-release 2>/dev/null && [ "${ID:-}" = debian ] && echo "${VERSION_CODENAME:-sid}") || return 0
    apt-get update --print-uris -o Debug::NoLocking=1 2>>"$work/log" |
        sed -nE "s#^'([^']*)/dists/($codename|oldstable|stable|testing|unstable|sid)/(In)?Release'.*#\1#p" | head -n 1
}

# Runs apt with separate lists, sources and packages. Downloads run as root if this script does, because apt's own user
# for them may not be allowed to write into this folder. Signatures are still checked.
private_apt() {
    command=$1
    shift
    "$command" -qq -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root \
        -o Acquire::Retries=3 -o Acquire::http::Timeout=30 -o Acquire::Languages=none "$@"
}

# Prints the versions that private_apt lists, the newest first, without release candidates.
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
        reason="apt does not use an archive of Debian"
        return 1
    }
    has dpkg-source || fail "dpkg-source is not installed. On Debian run: apt-get install dpkg-dev"
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    signed=
    [ ! -e $keyring ] || signed="[signed-by=$keyring] "
    for suite in sid testing stable-backports; do
        echo "deb-src ${signed}$archive $suite main"
    done >"$work/sources.list"
    private_apt apt-get update >>"$work/log" 2>&1 || true # if a suite does not exist, the others still work
    for version in $(debian_versions); do
        dpkg --compare-versions "$version" ge 8.21.0 || break
        if (cd "$work" && private_apt apt-get source --download-only --only-source "curl=$version") \
            >>"$work/log" 2>&1; then
            # apt has checked the signature; dpkg-source knows fewer keys
            dpkg-source --no-check -x "$work"/curl_*.dsc "$work/source" >>"$work/log" 2>&1 || return 1
            say "source: Debian's package curl $version"
            return 0
        fi
        say "Debian's archive lists curl $version, but cannot deliver it"
    done
    reason="apt gets no source of curl 8.21.0 or later from Debian's archive ($archive)"
    return 1
}

from_site() {
    python3 - "$SITE_TARBALL" "$work/site.tar.gz" >>"$work/log" 2>&1 <<'END' || return 1
import shutil, sys, urllib.request
with urllib.request.urlopen(sys.argv[1], timeout=30) as reply, open(sys.argv[2], "wb") as target:
    shutil.copyfileobj(reply, target)
END
    echo "$SITE_SHA256  $work/site.tar.gz" | sha256sum --check --status ||
        fail "$SITE_TARBALL does not have the expected SHA-256 $SITE_SHA256. Set CURL_TARBALL to the archive of a release"
    unpack "$work/site.tar.gz"
    say "source: $SITE_TARBALL"
}

# Prints why apt and Python failed, each line once, and keeps the whole log.
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
(the whole log is build/libcurl-source.log). Fix that, or set CURL_TARBALL to the archive of a release"
    }
}

# ---- building

check_tools() {
    for command in make "${CC:-cc}" pkg-config; do
        has "$command" || fail "$command is not installed. On Debian run: sh scripts/install.sh"
    done
    pkg-config --exists openssl zlib ||
        fail "the headers of OpenSSL and zlib are not installed. On Debian run: apt-get install libssl-dev zlib1g-dev"
}

number_of() {
    sed -n 's/^#define LIBCURL_VERSION_NUM *0x\([0-9a-f]*\).*/\1/p' "$1"
}

compile() {
    if [ ! -x "$work/source/configure" ]; then
        fail "the source has no configure script. Set CURL_TARBALL to the archive of a release, not of a checkout"
    fi
    number=$(number_of "$work/source/include/curl/curlver.h")
    if [ $((0x${number:-0})) -lt $((0x$LEAST)) ]; then
        fail "the source is older than libcurl 8.21.0. Set CURL_TARBALL to the archive of a newer release"
    fi
    mkdir "$work/build"
    # shellcheck disable=SC2086 # options
    (
        cd "$work/build"
        # the Makefile of the source must not inherit these variables, which have other meanings there
        unset MAKEFLAGS MAKEOVERRIDES MFLAGS MAKELEVEL BUILD VARIANT PREFIX LIBDIR INCLUDEDIR
        ../source/configure -q --prefix="$PLACE" $OPTIONS ${CC:+CC="$CC"} CFLAGS="$FLAGS" CPPFLAGS= LDFLAGS=
        make -s -C lib libcurl.la
    ) >>"$work/log" 2>&1 || {
        tail -n 20 "$work/log" >&2
        fail "libcurl does not compile. The last lines of its output are above"
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
    fail "CURL_TARBALL is $CURL_TARBALL, which cannot be read. Set it to the archive of a release"
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
