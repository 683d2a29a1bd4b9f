#!/bin/bash
# SPDX-License-Identifier: MIT
# Takes a picture of a page with Chromium: chromium.sh ws://127.0.0.1:9222/devtools/page/ID ADDRESS FILE
# `chromium --headless --remote-debugging-port=9222` starts the browser (as root also with --no-sandbox), and
# http://127.0.0.1:9222/json/list shows the URI. Chromium refuses an Origin that --remote-allow-origins does not name.
# curlwire sends none.
set -euo pipefail

if [ $# -ne 3 ]; then
    echo "usage: chromium.sh ws://127.0.0.1:9222/devtools/page/ID ADDRESS FILE" >&2
    exit 2
fi
uri=$1

# Sends the messages of the other arguments, and prints what comes, until a message matches the first argument.
ask() {
    until=$1
    shift
    for message in "$@"; do
        set -- "$@" -d "$message"
        shift
    done
    curlwire --no-stdin --timeout 30 "$@" --until "$until" "$uri"
}

loader=$(ask '"id":1,' "{\"id\":1,\"method\":\"Page.navigate\",\"params\":{\"url\":\"$2\"}}" |
    sed -n 's/.*"loaderId":"\([^"]*\)".*/\1/p')
# Chromium repeats the events of the page for each client that asks for them
ask "\"loaderId\":\"$loader\",\"name\":\"load\"" '{"id":2,"method":"Page.enable"}' \
    '{"id":3,"method":"Page.setLifecycleEventsEnabled","params":{"enabled":true}}' >/dev/null
ask '"id":4,' '{"id":4,"method":"Page.captureScreenshot","params":{"format":"png"}}' |
    sed -n 's/.*"data":"\([^"]*\)".*/\1/p' | base64 -d >"$3"
echo "$3: $(($(wc -c <"$3"))) bytes"
