"""Reads the body of a refusal."""

from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

REFUSAL = "HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\nno way"

try:
    connect(uri("CW_SCRIPT_WS", "/s/hs:" + REFUSAL.encode().hex()))
except InvalidStatus as exc:
    print(exc.response.status_code, exc.response.body.decode())
# 403 no way
