#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs README.md's installs and the whole test suite in fresh minimal systems, made by debootstrap. `make test-all`
# calls it. It must run as root, and takes an hour for each release, or more on a busy machine.
#
#     sh scripts/minimal.sh [--install] [RELEASE ...]
#
# RELEASE is bookworm (Debian 12) or trixie (13); without one it takes both. --install leaves the test suite out. The
# packages come from MIRROR, else from the archive that this machine uses, with its configuration of apt and pip.
# The systems stay in ROOTS (build/roots), so that a failure can be examined. The next run makes them anew.
set -eu
cd "$(dirname "$0")/.."

ROOTS=${ROOTS:-$PWD/build/roots}
is_install_only=
if [ "${1:-}" = --install ]; then
    is_install_only=1
    shift
fi

fail() {
    echo "minimal.sh: $*" >&2
    exit 1
}

[ "$(id -u)" -eq 0 ] || fail "only root can make a new system. Run it as root or with sudo"
command -v debootstrap >/dev/null || fail "debootstrap is not installed. On Debian run: apt-get install debootstrap"

# Prints the archive from which this machine installs its packages, so that this script needs no host name.
mirror() {
    apt-get update --print-uris -o Debug::NoLocking=1 2>/dev/null |
        sed -nE "s#^'([^']*/debian)/dists/[a-z]+/(In)?Release'.*#\1#p" | head -n 1
}

MIRROR=${MIRROR:-$(mirror)}
[ -n "$MIRROR" ] || fail "apt does not use an archive of Debian. Set MIRROR to the address of an archive of Debian"

unmount() {
    for folder in proc sys dev; do
        if mountpoint -q "$1/$folder"; then umount -R "$1/$folder"; fi
    done
    if mountpoint -q "$1"; then umount "$1"; fi
}

# Copies the settings with which apt and pip reach their archives: proxies, trusted certificates, names.
copy_network() {
    for file in /etc/resolv.conf /etc/hosts /etc/pip.conf; do
        [ ! -e "$file" ] || cp -L "$file" "$1$file"
    done
    [ ! -e "$HOME/.npmrc" ] || cp -L "$HOME/.npmrc" "$1/root/.npmrc"
    for file in /etc/apt/apt.conf.d/*; do
        case $file in
        *proxy* | *registry* | *mirror*) cp "$file" "$1$file" ;;
        esac
    done
    mkdir -p "$1/etc/ssl/certs"
    cp -L /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/ca-certificates.crt"
}

# Removes a system, but not the contents of what is mounted in it.
remove() {
    unmount "$1"
    rm -rf --one-file-system "$1"
}

# Makes the system that the others of a release are copies of.
make_base() {
    echo "-- $release: debootstrap"
    remove "$root.base"
    debootstrap --variant=minbase --include=ca-certificates "$release" "$root.base" "$MIRROR" >"$root.log" 2>&1 || {
        tail -n 20 "$root.log" >&2
        fail "debootstrap cannot make $release. The end of its output is above, and all of it in $root.log"
    }
    copy_network "$root.base"
}

# Makes a new system in $root, with a repository in /src that has the files that git would hand out.
make_root() {
    remove "$root"
    cp -a "$root.base" "$root"
    mount --bind "$root" "$root" # as a mount it can be private, so that mounts in namespaces inside do not appear here
    mount --make-private "$root"
    for folder in proc sys dev; do
        mount --rbind "/$folder" "$root/$folder"
        mount --make-rslave "$root/$folder"
    done
    mkdir "$root/src"
    git ls-files -z --cached --others --exclude-standard | tar -cf - --null -T - | tar -xf - -C "$root/src"
    git -C "$root/src" init -q
    git -C "$root/src" add -A
    git -C "$root/src" -c user.name=test -c user.email=test@localhost commit -qm "A clone has a commit"
}

# Runs a command in the system. Of this environment it gets only proxies and trusted certificates.
inside() {
    env -i HOME=/root LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
        SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt PIP_CERT=/etc/ssl/certs/ca-certificates.crt \
        NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt chroot "$root" "$@"
}

passed=0
failed=0
count() {
    name=$1
    shift
    echo "-- $name: begins"
    if "$@"; then
        passed=$((passed + 1))
        echo "ok - $name"
    else
        failed=$((failed + 1))
        echo "not ok - $name"
    fi
}

install_block() {
    if sh scripts/readme_block.sh "$1" >"$root/commands.sh" &&
        inside sh -c 'cd /src && exec sh -eu /commands.sh' >"$root.log" 2>&1; then
        return 0
    fi
    tail -n 40 "$root.log"
    return 1
}

[ $# -gt 0 ] || set -- bookworm trixie
trap 'for release in "$@"; do unmount "$ROOTS/$release" 2>/dev/null || true; done' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$ROOTS"
for release in "$@"; do
    root=$ROOTS/$release
    make_base
    for number in 1 2 3; do
        make_root # a fresh system for each block, because the packages of one block must not help the next
        count "$release: README.md, Install, block $number" install_block "$number"
    done
    [ -z "$is_install_only" ] || continue
    make_root
    # with SIGINT ignored, as `nohup ... &` does
    count "$release: sh scripts/test.sh" inside sh -c 'trap "" INT; cd /src && exec sh scripts/test.sh'
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
