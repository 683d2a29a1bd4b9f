# SPDX-License-Identifier: MIT
"""The client for asyncio, on curlwire.aio."""
