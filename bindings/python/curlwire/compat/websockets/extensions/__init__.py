# SPDX-License-Identifier: MIT
"""The one extension that curlwire has: permessage-deflate."""
