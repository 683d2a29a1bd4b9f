# SPDX-License-Identifier: MIT
"""The synchronous client, on curlwire.MessageWebSocket."""
