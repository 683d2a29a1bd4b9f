# SPDX-License-Identifier: MIT
"""Finds the file of certifi, for machines that have no certificates of authorities of their own."""

import importlib


def find() -> str | None:
    """Returns the path of certifi's PEM file, or None if certifi cannot be imported.

    connect() calls this only if the core has found no authorities in any other place.
    """
    try:
        certifi = importlib.import_module("certifi")
    except ImportError:
        return None
    return str(certifi.where())
