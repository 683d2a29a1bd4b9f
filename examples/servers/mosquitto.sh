#!/bin/bash
# SPDX-License-Identifier: MIT
# Publishes a text by MQTT 3.1.1 and receives it: mosquitto.sh ws://HOST:PORT/ TOPIC TEXT
# TOPIC and TEXT may have 100 bytes together. Without the subprotocol `mqtt`, Mosquitto accepts the connection and never
# answers.
set -euo pipefail
export LC_ALL=C # lengths are bytes

if [ $# -ne 3 ] || [ $((${#2} + ${#3})) -gt 100 ]; then
    echo "usage: mosquitto.sh ws://HOST:PORT/ TOPIC TEXT" >&2
    exit 2
fi

hex() {
    printf %s "$1" | od -An -v -tx1 | tr -d ' \n'
}

# A text as MQTT has it: its length, and its bytes.
text() {
    printf '%04x%s' ${#1} "$(hex "$1")"
}

# A packet of a kind, as a line of hexadecimal digits.
packet() {
    printf '%s%02x%s\n' "$1" $((${#2} / 2)) "$2"
}

# The regular expression of a text.
regex() {
    printf %s "$1" | sed 's/[][\\.*^$+?(){}|]/\\&/g'
}

{
    packet 10 "$(text MQTT)0402003c$(text curlwire)" # CONNECT: version 4, clean session, keepalive 60 s
    packet 82 "0001$(text "$2")00"                   # SUBSCRIBE
    packet 30 "$(text "$2")$(hex "$3")"              # PUBLISH
} | curlwire --subprotocol mqtt --input-format hex --output-format raw --linger 30 \
    --until "(?s)$(regex "$2$3")" "$1" |
    { # CONNACK has 4 bytes, SUBACK 5, and PUBLISH 4 before its topic
        printf '%s: ' "$2"
        tail -c +$((4 + 5 + 4 + ${#2} + 1))
        echo
    }
