# SPDX-License-Identifier: MIT
"""The parts of curlwire.aio and curlwire.trio that do not depend on the library of the event loop."""
