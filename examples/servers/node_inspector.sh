#!/bin/bash
# SPDX-License-Identifier: MIT
# Evaluates an expression in a Node program, and prints the reply as JSON: node_inspector.sh ws://127.0.0.1:PORT/ID EXPRESSION
# `node --inspect=127.0.0.1:0 program.js` writes the URI to stderr. Node drops a client that sends a ping, and refuses
# requests with the member "jsonrpc".
set -euo pipefail

if [ $# -ne 2 ]; then
    echo "usage: node_inspector.sh ws://127.0.0.1:PORT/ID EXPRESSION" >&2
    exit 2
fi
# JSON wants \ and " with a \ before them
expression=$(printf %s "$2" | sed 's/[\\"]/\\&/g')
printf '%s\n' "Runtime.evaluate {\"expression\":\"$expression\",\"returnByValue\":true}" |
    curlwire --jsonrpc --jsonrpc-omit-jsonrpc --timeout 30 --ping-interval 0 "$1"
