#!/bin/bash
# SPDX-License-Identifier: MIT
# Prints the size and the name of a VNC server's screen: vnc.sh ws://HOST:PORT/
# `websockify PORT HOST:5900` carries the bytes of VNC's protocol, RFB (RFC 6143), in binary messages. It closes with 1003
# if a client sends text. The numbers of RFB are big-endian.
set -euo pipefail

if [ $# -ne 1 ]; then
    echo "usage: vnc.sh ws://HOST:PORT/" >&2
    exit 2
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkfifo "$folder/to" "$folder/from"
curlwire --input-format raw --output-format raw "$1" <"$folder/to" >"$folder/from" &
exec 3>"$folder/to" 4<"$folder/from"

# Reads so many bytes, and not one more.
bytes() {
    dd bs=1 count="$1" <&4 2>/dev/null
}

# Reads a number of so many bytes.
number() {
    value=0
    for byte in $(bytes "$1" | od -An -v -tu1); do
        value=$((value * 256 + byte))
    done
    echo $value
}

fail() {
    echo "vnc.sh: $*" >&2
    exit 1
}

version=$(bytes 12)
[ -n "$version" ] || wait $! # the command has said why, and its exit code becomes ours
printf 'RFB 003.008\n' >&3
count=$(number 1)
[ "$count" -gt 0 ] || fail "the server refuses: $(bytes "$(number 4)")"
case " $(bytes "$count" | od -An -v -tu1) " in
*" 1 "*) ;;
*) fail "the server wants a password" ;;
esac
printf '\001' >&3 # no password
[ "$(number 4)" -eq 0 ] || fail "the login failed: $(bytes "$(number 4)")"
printf '\001' >&3 # other clients may stay
width=$(number 2)
height=$(number 2)
bytes 16 >/dev/null # the form of a pixel
echo "$version, $width x $height, $(bytes "$(number 4)")"
exec 3>&-
kill $!
wait
