#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs code in a Jupyter kernel, and prints its output as JSON texts: jupyter.sh ws://HOST:PORT/api/kernels/ID/channels CODE
# The variable JUPYTER_TOKEN is the server's token. `POST /api/kernels` starts a kernel and returns its ID. A message of the
# subprotocol has numbers of 8 bytes, little-endian: how many offsets follow, and the offsets of its parts.
set -euo pipefail
export LC_ALL=C # lengths are bytes

if [ $# -ne 2 ] || [ -z "${JUPYTER_TOKEN:-}" ]; then
    echo "usage: JUPYTER_TOKEN=TOKEN jupyter.sh ws://HOST:PORT/api/kernels/ID/channels CODE" >&2
    exit 2
fi

# A number below 65536, in 8 bytes.
number() {
    printf '%02x%02x000000000000' $(($1 % 256)) $(($1 / 256))
}

# The message whose parts are the arguments, as hexadecimal digits.
message() {
    offset=$((8 * ($# + 2)))
    number $(($# + 1))
    number $offset
    for part in "$@"; do
        offset=$((offset + ${#part}))
        number $offset
    done
    for part in "$@"; do
        printf %s "$part"
    done | od -An -v -tx1 | tr -d ' \n'
}

# JSON wants \ and " with a \ before them, and \n for a newline
code=$(printf %s "$2" | sed 's/[\\"]/\\&/g' | sed ':a; N; $!ba; s/\n/\\n/g')
id=curlwire-$$
message shell \
    "{\"msg_id\":\"$id\",\"msg_type\":\"execute_request\",\"session\":\"$id\",\"username\":\"\",\"version\":\"5.3\"}" \
    '{}' '{}' "{\"code\":\"$code\",\"silent\":false}" |
    CURLWIRE_OAUTH2_BEARER=$JUPYTER_TOKEN curlwire --subprotocol v1.kernel.websocket.jupyter.org --input-format hex \
        --print '%{data}\n' --linger inf --until "(?s)$id.*\"execution_state\": *\"idle\"" "$1" |
    sed -n 's/.*{"name": *"stdout", *"text": *\(".*"\)}.*/\1/p'
