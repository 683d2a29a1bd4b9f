# SPDX-License-Identifier: MIT
"""The options that the constructors and connect() take as keywords, for type checkers.

scripts/controls.py generates this file from the table of controls in curlwire.h.
"""

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal, TypedDict

from curlwire._core import CookieJar, MessageWebSocketReceiveMode, SocketMessageType

_Headers = Mapping[str, str | Sequence[str]] | Iterable[tuple[str, str]]


class Options(TypedDict, total=False):
    """The options of every socket; curlwire.StreamWebSocketControl describes them."""

    supported_protocols: Sequence[str] | None
    no_delay: bool
    connect_timeout: float | None
    send_timeout: float | None
    receive_timeout: float | None
    close_timeout: float
    ping_interval: float | None
    ping_timeout: float | None
    ca_file: str | os.PathLike[str] | None
    crl_file: str | os.PathLike[str] | None
    verify: bool
    proxy_ca_file: str | os.PathLike[str] | None
    proxy_verify: bool
    outbound_buffer_size: int
    inbound_buffer_size: int
    framing: Literal["auto", "curl", "native"]
    compression: Literal["none", "deflate"]
    server_max_window_bits: int
    client_max_window_bits: int
    server_no_context_takeover: bool
    client_no_context_takeover: bool
    compression_threshold: int
    frame_size: int | None
    ca_path: str | os.PathLike[str] | None
    desired_unsolicited_pong_interval: float | None
    ping_payload: bytes | bytearray | memoryview | None
    server_credential: tuple[str, str] | None
    proxy_credential: tuple[str, str] | None
    client_certificate: str | os.PathLike[str] | None
    client_key: str | os.PathLike[str] | None
    client_key_password: str | None
    client_certificate_type: Literal["pem", "p12"]
    ignorable_server_certificate_errors: Collection[str] | None
    follow_location: Literal["none", "all", "safe"]
    max_redirs: int
    http_auth: Literal["basic", "digest", "negotiate", "any", "ntlm"]
    xoauth2_bearer: str | None
    netrc_file: str | os.PathLike[str] | None
    user_agent: str | os.PathLike[str] | None
    origin: str | os.PathLike[str] | None
    proxy: str | bool | None
    pre_proxy: str | None
    proxy_headers: _Headers | None
    proxy_auth: Collection[str] | None
    ca_data: bytes | bytearray | memoryview | None
    pinned_public_key: str | os.PathLike[str] | None
    tls_min_version: Literal["1.2", "1.3"]
    tls_max_version: Literal["1.2", "1.3"]
    tls_ciphers: str | os.PathLike[str] | None
    tls13_ciphers: str | os.PathLike[str] | None
    tls_groups: str | os.PathLike[str] | None
    client_certificate_data: bytes | bytearray | memoryview | None
    client_key_data: bytes | bytearray | memoryview | None
    tls_server_name: str | os.PathLike[str] | None
    ocsp_stapling: bool
    tls_session_resumption: bool
    unix_socket_path: str | os.PathLike[str] | None
    abstract_unix_socket: str | os.PathLike[str] | None
    interface: str | os.PathLike[str] | None
    local_port: int
    local_port_range: int
    resolve: Sequence[str] | None
    connect_to: Sequence[str] | None
    happy_eyeballs_timeout: float
    tcp_keepalive: bool
    tcp_keepidle: float
    tcp_keepintvl: float
    tcp_keepcnt: int
    tcp_user_timeout: float
    dscp: int
    doh_url: str | os.PathLike[str] | None
    curl_options: dict[str, int | str] | dict[str, int] | dict[str, str] | None
    trace_file: str | os.PathLike[str] | None
    trace_payload: int
    trace_secret_headers: Sequence[str] | None
    cookie_file: str | os.PathLike[str] | None
    cookie_jar: CookieJar | str | os.PathLike[str] | None
    proxy_client_certificate: str | os.PathLike[str] | None
    proxy_client_key: str | os.PathLike[str] | None
    proxy_client_key_password: str | None
    keepalive: Literal["idle", "ping", "pong", "off"]
    send_high_water_mark: int
    send_low_water_mark: int
    proxy_client_certificate_type: Literal["pem", "p12"]
    proxy_client_certificate_data: bytes | bytearray | memoryview | None
    proxy_client_key_data: bytes | bytearray | memoryview | None


class MessageOptions(Options, total=False):
    """The options of a MessageWebSocket; curlwire.MessageWebSocketControl describes them."""

    message_type: SocketMessageType | Literal["binary", "utf8"]
    receive_mode: MessageWebSocketReceiveMode | Literal["full", "partial"]
    max_message_size: int | None
    max_fragments: int | None
