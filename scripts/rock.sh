#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes a rockspec and a source rock of the committed state in dist/. `make rock` calls it.
#
#     sh scripts/rock.sh
#
# The rockspec has the version of curlwire. The source rock contains libcurl's source, so it installs without a network.
# Needs luarocks. ROCK_URL is the address of the source archive that the rockspec in dist/ names.
# packaging/build_rocks.py makes the binary rocks.
set -eu
cd "$(dirname "$0")/.."

fail() {
    echo "rock.sh: $*" >&2
    exit 1
}

command -v luarocks >/dev/null || fail "luarocks is not installed. On Debian run: apt-get install luarocks"
VERSION=$(sed -nE 's/^#define CW_VERSION "(.+)"$/\1/p' core/include/curlwire.h)
ROCK=curlwire-$VERSION-1
ARCHIVE=curlwire-$VERSION.tar.gz

# Prints the rockspec with a version, for a source archive at an address.
rockspec() {
    sed -E -e "s|^version = .*|version = \"$VERSION-1\"|" -e "s|^    url = .*|    url = \"$1\",\\
    dir = \"curlwire-$VERSION\",|" curlwire-scm-1.rockspec
}

make -s dist
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rockspec "file://$PWD/dist/$ARCHIVE" >"$work/$ROCK.rockspec"
(cd "$work" && luarocks pack "$ROCK.rockspec")
mv "$work/$ROCK.src.rock" dist/
rockspec "${ROCK_URL:-$ARCHIVE}" >"dist/$ROCK.rockspec"
