#!/bin/bash
# SPDX-License-Identifier: MIT
# Publishes a text by NATS and receives it: nats.sh ws://HOST:PORT/ SUBJECT TEXT
# NATS is lines in a stream of bytes. The server sends its first line at once, and compresses if its configuration has
# `compression: true`.
set -euo pipefail
export LC_ALL=C # lengths are bytes

if [ $# -ne 3 ]; then
    echo "usage: nats.sh ws://HOST:PORT/ SUBJECT TEXT" >&2
    exit 2
fi
text=$(printf %s "$3" | sed 's/[][\\.*^$+?(){}|]/\\&/g') # as a regular expression
printf 'CONNECT {"verbose": false}\r\nSUB %s 1\r\nPUB %s %d\r\n%s\r\n' "$2" "$2" ${#3} "$3" |
    curlwire --compress --input-format raw --output-format raw --linger 30 --until "(?s)MSG .*\n$text" "$1" |
    tr -d '\r' | sed -n 's/^INFO .*"version":"\([^"]*\)".*/NATS \1/p; /^MSG / { N; s/^MSG \([^ ]*\).*\n/\1: /p; }'
