"""Handles messages until the server has closed with 1000."""

from websockets.sync.client import connect

with connect(uri("CW_ECHO_WS", "/flood?count=500&size=100&kind=text")) as websocket:
    messages = list(websocket)
print(len(messages), set(messages) == {"x" * 100})
# 500 True
