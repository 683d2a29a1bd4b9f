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

# Sends each line of stdin as a request, and prints the replies.
call() {
    curlwire --jsonrpc --jsonrpc-omit-jsonrpc --timeout 30 "$uri"
}

loader=$(echo "Page.navigate {\"url\":\"$2\"}" | call | sed -n 's/.*"loaderId":"\([^"]*\)".*/\1/p')
# Chromium repeats the events of the page for each client that asks for them
curlwire --no-stdin --timeout 30 -d '{"id":1,"method":"Page.enable"}' \
    -d '{"id":2,"method":"Page.setLifecycleEventsEnabled","params":{"enabled":true}}' \
    --until "\"loaderId\":\"$loader\",\"name\":\"load\"" "$uri" >/dev/null
echo 'Page.captureScreenshot {"format":"png"}' | call | sed -n 's/.*"data":"\([^"]*\)".*/\1/p' | base64 -d >"$3"
echo "$3: $(($(wc -c <"$3"))) bytes"
