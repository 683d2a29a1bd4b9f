#!/bin/sh
# SPDX-License-Identifier: MIT
# Prints the path of an archive with the source of each named library, and fetches what this machine lacks.
#
#     sh scripts/fetch_source.sh NAME LEAST [NAME LEAST ...]
#
# NAME is a row of packaging/sources.txt, LEAST the oldest version that is good enough. The archive is the first of:
#
#   1. the one that a variable names: CURL_TARBALL, LIBPSL_TARBALL
#   2. one in packaging/sources, where our own source archives have it
#   3. the newest one in the cache, if its version is that of sources.txt or a newer one
#   4. the newest release that Debian's archive has as a source package. apt checks its signature
#   5. the release of sources.txt from its own place. Its SHA-256 is checked
#   6. an older one in the cache
#
# So a second build needs no network. What was fetched stays in the cache: CURLWIRE_CACHE, else
# $XDG_CACHE_HOME/curlwire, else ~/.cache/curlwire, or build/curlwire where that cannot be written. The machine's own list of
# sources of packages stays as it is. What apt and the downloader say goes to stderr; the last line says what to do.
set -eu
cd "$(dirname "$0")/.."

LIST=packaging/sources.txt
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

say() {
    echo "fetch_source.sh: $*" >&2
}

fail() {
    say "$@"
    exit 1
}

has() {
    command -v "$1" >/dev/null 2>&1
}

# ---- versions and archives

# Prints a version as a number that can be compared: 8.21.0 is 800210000.
number_of() {
    echo "$1" | awk -F. '{ printf "%d%04d%04d\n", $1, $2, $3 }'
}

is_older() {
    [ "$(number_of "$1")" -lt "$(number_of "$2")" ]
}

# Prints the version in the name of an archive: curl-8.22.0.tar.gz is 8.22.0.
version_of() {
    version=${1##*/"$name"-}
    echo "${version%.tar.*}"
}

has_sum() {
    if has sha256sum; then
        echo "$2  $1" | sha256sum -c >/dev/null 2>&1
    else
        echo "$2  $1" | shasum -a 256 -c >/dev/null 2>&1
    fi
}

# Prints the newest archive of a folder, if it is not older than a version.
newest_in() {
    best=
    for found in "$1/$name"-[0-9]*.tar.*; do
        [ -e "$found" ] || continue
        if ! is_older "$(version_of "$found")" "${best:+$(version_of "$best")}"; then best=$found; fi
    done
    [ -n "$best" ] && ! is_older "$(version_of "$best")" "$2" && echo "$best"
}

# Moves an archive into the cache in one step, so that another build never reads a part of it, and prints its path.
keep() {
    mv "$1" "$cache/.part.$$"
    mv "$cache/.part.$$" "$cache/$2"
    echo "$cache/$2"
}

# ---- Debian's archive

# Prints the archive from which this machine installs its packages, so that this script needs no host name.
debian_archive() {
    # shellcheck disable=SC1091 # a file of the system
    codename=$(. /etc/os-release 2>/dev/null && [ "${ID:-}" = debian ] && echo "${VERSION_CODENAME:-sid}") || return 0
    apt-get update --print-uris -o Debug::NoLocking=1 |
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

# Reads the lists of Debian's archive, once. If that fails, $reason says why.
read_debian() {
    [ -z "$is_read" ] || return "$is_read"
    is_read=1
    has apt-get || {
        reason="this system has no apt"
        return 1
    }
    archive=$(debian_archive)
    [ -n "$archive" ] || {
        reason="apt does not use an archive of Debian"
        return 1
    }
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
    signed=
    [ ! -e $KEYRING ] || signed="[signed-by=$KEYRING] "
    for suite in sid testing stable-backports; do
        echo "deb-src ${signed}$archive $suite main"
    done >"$work/sources.list"
    private_apt apt-get update >&2 || true # if a suite does not exist, the others still work
    is_read=0
}

# Prints the versions of a source package, the newest first, without release candidates.
debian_versions() {
    private_apt apt-cache showsrc --only-source "$name" | sed -n 's/^Version: //p' | grep -v '~rc\|~beta' | sort -Vru
}

from_debian() {
    read_debian || return 1
    for version in $(debian_versions); do
        release=${version#*:}
        release=${release%-*}
        ! is_older "$release" "$least" || break
        if (cd "$work" && private_apt apt-get source --download-only --only-source "$name=$version") >&2; then
            found=$(find "$work" -maxdepth 1 -name "${name}_$release.orig.tar.?z*" ! -name '*.asc')
            say "source: Debian's package $name $version"
            keep "$found" "$name-$release.tar.${found##*.tar.}"
            return
        fi
        say "Debian's archive lists $name $version, but cannot deliver it"
    done
    reason="apt gets no source of $name $least or later from Debian's archive ($archive)"
    return 1
}

# ---- the project's own place

download() {
    if has curl; then
        curl -fsSL --connect-timeout 30 --retry 2 -o "$2" "$1"
    elif has wget; then
        wget -q -T 30 -O "$2" "$1"
    elif has python3; then
        python3 -c 'import shutil, sys, urllib.request
with urllib.request.urlopen(sys.argv[1], timeout=30) as reply, open(sys.argv[2], "wb") as target:
    shutil.copyfileobj(reply, target)' "$1" "$2"
    else
        say "none of curl, wget and python3 is installed, one of which is necessary to download"
        return 1
    fi
}

from_place() {
    download "$place" "$work/$file" >&2 || return 1
    has_sum "$work/$file" "$sum" ||
        fail "$place does not have the SHA-256 $sum of $LIST. Do not use it. Set $variable to an archive that you trust"
    say "source: $place"
    keep "$work/$file" "$file"
}

one() {
    variable=$(echo "$name" | tr '[:lower:]' '[:upper:]')_TARBALL
    row=$(sed -n "s/^$name //p" $LIST)
    [ -n "$row" ] || fail "$LIST has no row $name"
    # shellcheck disable=SC2086 # the words of a row
    set -- $row
    pinned=$1 sum=$2 file=$3 place=$4
    eval "named=\${$variable:-}"
    if [ -n "$named" ]; then
        [ -r "$named" ] || fail "$variable is $named, which cannot be read. Set it to the archive of a release"
        echo "$named"
        return
    fi
    reason=
    newest_in packaging/sources "$least" && return
    newest_in "$cache" "$pinned" && return
    from_debian && return
    from_place && return
    newest_in "$cache" "$least" && return
    fail "no source of $name: $reason, and $place cannot be fetched. Set $variable to the archive of a release"
}

base=${XDG_CACHE_HOME:-${HOME:+$HOME/.cache}}
cache=${CURLWIRE_CACHE:-${base:-$PWD/build}/curlwire}
if ! mkdir -p "$cache" 2>/dev/null || [ ! -w "$cache" ]; then
    cache=$PWD/build/curlwire
    mkdir -p "$cache"
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/curlwire-source.XXXXXX")
trap 'rm -rf "$work" "$cache/.part.$$"' EXIT
trap 'exit 1' HUP INT TERM
is_read=
while [ $# -ge 2 ]; do
    name=$1
    least=$2
    shift 2
    one
done
