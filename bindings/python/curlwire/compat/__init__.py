# SPDX-License-Identifier: MIT
"""Packages with the names of other clients, so that a program moves to curlwire by changing its imports."""
