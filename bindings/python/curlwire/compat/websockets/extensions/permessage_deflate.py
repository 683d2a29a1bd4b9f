# SPDX-License-Identifier: MIT
"""Compression of messages (RFC 7692)."""

from typing import Any

__all__ = ["ClientPerMessageDeflateFactory", "PerMessageDeflate"]


class ClientPerMessageDeflateFactory:
    """Which compression the client offers, for the argument extensions of connect().

    compress_settings: kept, but without effect: curlwire compresses with zlib's default level.
    """

    name: str = "permessage-deflate"

    def __init__(
        self,
        server_no_context_takeover: bool = False,
        client_no_context_takeover: bool = False,
        server_max_window_bits: int | None = None,
        client_max_window_bits: int | bool | None = True,
        compress_settings: dict[str, Any] | None = None,
    ) -> None:
        for name, bits in (
            ("server_max_window_bits", server_max_window_bits),
            ("client_max_window_bits", client_max_window_bits),
        ):
            if bits is not None and bits is not True and not 8 <= bits <= 15:
                raise ValueError(f"{name} must be between 8 and 15")
        self.server_no_context_takeover: bool = server_no_context_takeover
        self.client_no_context_takeover: bool = client_no_context_takeover
        self.server_max_window_bits: int | None = server_max_window_bits
        self.client_max_window_bits: int | bool | None = client_max_window_bits
        self.compress_settings: dict[str, Any] | None = compress_settings


class PerMessageDeflate:
    """The compression of a connection, as the server has accepted it. parameters: its parameters, a str."""

    name: str = "permessage-deflate"

    def __init__(self, parameters: str) -> None:
        self.parameters: str = parameters

    def __repr__(self) -> str:
        return f"PerMessageDeflate({self.parameters!r})"


def enable_client_permessage_deflate(extensions: "list[Any]") -> "list[Any]":
    """Returns the extensions with compression among them."""
    if any(getattr(one, "name", None) == PerMessageDeflate.name for one in extensions):
        return extensions
    return [*extensions, ClientPerMessageDeflateFactory()]


def controls_of(factory: Any) -> dict[str, Any]:
    """Returns the controls that offer this compression."""
    controls = {
        "compression": "deflate",
        "server_no_context_takeover": bool(factory.server_no_context_takeover),
        "client_no_context_takeover": bool(factory.client_no_context_takeover),
    }
    for name in ("server_max_window_bits", "client_max_window_bits"):
        bits = getattr(factory, name)
        if bits is not None and bits is not True:
            controls[name] = int(bits)
    return controls
