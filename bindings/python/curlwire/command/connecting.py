# SPDX-License-Identifier: MIT
"""Makes the controls and headers of a socket from the options, and connects it, again with --retry."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Protocol

from curlwire._core import MessageWebSocket, StreamWebSocket, WebErrorStatus, WebSocket
from curlwire.command import codes
from curlwire.command.codes import Failure
from curlwire.command.options import OPTIONS
from curlwire.command.parser import Given, lines_of, read_file, usage
from curlwire.errors import ArgumentError, ConnectTimeout, WebSocketError

_PASSING = (408, 429, 500, 502, 503, 504, 522, 524)  # HTTP status; curl's list
_LOGINS = {"digest": "digest", "negotiate": "negotiate", "anyauth": "any"}
_PROXY_LOGINS = ("basic", "digest", "negotiate", "ntlm")
_FIRST_DELAY_S, _LONGEST_DELAY_S = 1.0, 600.0
_LONGEST_SLEEP_S = 1e6  # time.sleep refuses very long ones
# Flags that set a control to a word or a number.
_FLAGS: dict[str, tuple[str, Any]] = {
    "insecure": ("verify", False),
    "proxy-insecure": ("proxy_verify", False),
    "location": ("follow_location", "all"),
    "compress": ("compression", "deflate"),
    "tlsv1.3": ("tls_min_version", "1.3"),
    "cert-status": ("ocsp_stapling", True),
}


def seconds(value: float) -> float | None:
    """Returns a time as controls take it: None for inf."""
    return None if value == float("inf") else value


def _password(text: str, option: str, whose: str) -> tuple[str, str]:
    user, colon, password = text.partition(":")
    if colon:
        return user, password
    if not sys.stdin or not sys.stdin.isatty():
        raise usage(f"--{option} has no password: write USER:PASSWORD into a file for --config")
    import getpass

    return user, getpass.getpass(f"Password of {user!r} for {whose}: ")


def _header_lines(texts: list[str], option: str) -> Iterator[str]:
    for text in texts:
        if text.startswith("@"):
            yield from (line for line in lines_of(read_file(text[1:], f"--{option}")) if line.strip())
        else:
            yield text


def _headers(texts: list[str], option: str) -> list[tuple[str, str | None]]:
    """Returns names and values; None for a header that is to be left out."""
    headers: list[tuple[str, str | None]] = []
    for line in _header_lines(texts, option):
        name, colon, value = line.partition(":")
        if colon:
            headers.append((name.strip(), value.strip() or None))
        elif line.rstrip().endswith(";"):
            headers.append((line.rstrip()[:-1], ""))
        else:
            raise usage(f"--{option} needs 'Name: value', and the text has no colon")
    return headers


def _cookies(given: Given, controls: dict[str, Any], headers: list[tuple[str, str]]) -> None:
    data = [text for text in given.get("cookie", ()) if "=" in text]
    files = [text for text in given.get("cookie", ()) if "=" not in text]
    if data:
        headers.append(("Cookie", "; ".join(data)))
    if len(files) > 1:
        raise usage("--cookie reads one file")
    # the jar reads its file itself, and that need not exist: scripts give -b FILE -c FILE in their first run
    if files and files[0] != given.get("cookie-jar"):
        controls["cookie_file"] = files[0] or os.devnull  # curl: with "" it keeps the cookies of this run


def _proxy(given: Given, controls: dict[str, Any]) -> None:
    if "proxy" in given:
        proxy = given["proxy"]
        if proxy and "://" not in proxy:
            proxy = f"http://{proxy}"
        if proxy and "noproxy" in given:  # only a proxy of the environment has exceptions
            os.environ.update(ws_proxy=proxy, wss_proxy=proxy)
        else:
            controls["proxy"] = proxy or False
    if "noproxy" in given:
        os.environ["no_proxy"] = given["noproxy"] or ","
    if "proxy-user" in given:
        controls["proxy_credential"] = _password(given["proxy-user"], "proxy-user", "the proxy")
    if "proxy-header" in given:
        found = _headers(given["proxy-header"], "proxy-header")
        controls["proxy_headers"] = [(name, value or "") for name, value in found]
    logins = [name for name in _PROXY_LOGINS if given.get(f"proxy-{name}") or given.get("proxy-anyauth")]
    if logins:
        controls["proxy_auth"] = logins


def _login(given: Given, controls: dict[str, Any]) -> None:
    if "user" in given:
        controls["server_credential"] = _password(given["user"], "user", "the server")
    for option, word in _LOGINS.items():
        if given.get(option):
            controls["http_auth"] = word
    if given.get("netrc") and "netrc-file" not in given:
        controls["netrc_file"] = os.path.expanduser("~/.netrc")


def _split_certificate(text: str) -> tuple[str, str | None]:
    r"""Returns the file and the password of FILE[:PASSWORD]. As in curl, \: is a colon of FILE, and \\ a \."""
    file = ""
    rest = text
    while rest and rest[0] != ":":
        step = 2 if rest[:2] in ("\\:", "\\\\") else 1
        file, rest = file + rest[step - 1], rest[step:]
    return file, rest[1:] if rest else None


def _certificate(given: Given, controls: dict[str, Any]) -> None:
    for whose, control in (("", "client"), ("proxy-", "proxy_client")):
        if f"{whose}cert" in given:
            path, password = _split_certificate(given[f"{whose}cert"])
            controls[f"{control}_certificate"] = path
            if password is not None and f"{whose}pass" not in given:
                controls[f"{control}_key_password"] = password
        if f"{whose}cert-type" in given:
            controls[f"{control}_certificate_type"] = given[f"{whose}cert-type"].lower()


def _port(given: Given, controls: dict[str, Any]) -> None:
    if "local-port" not in given:
        return
    first, _, last = given["local-port"].partition("-")
    try:
        controls["local_port"] = int(first)
        controls["local_port_range"] = int(last or first) - int(first) + 1
        if controls["local_port_range"] < 1:
            raise ValueError
    except ValueError:
        raise usage("--local-port needs a port or two, such as 9000-9010") from None


def controls_of(given: Given) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Returns the controls of a socket, and the headers of its request. Raises Failure."""
    controls: dict[str, Any] = {"receive_timeout": None, "send_timeout": None}
    headers: list[tuple[str, str]] = []
    for option in OPTIONS:
        if option.control and option.long in given:
            value = given[option.long]
            controls[option.control] = seconds(value) if option.kind == "seconds" else value
    for name, (control, value) in _FLAGS.items():
        if given.get(name):
            controls[control] = value
    if "subprotocol" in given:
        words = ",".join(given["subprotocol"]).split(",")
        controls["supported_protocols"] = [word.strip() for word in words if word.strip()]
    for part in (_proxy, _login, _certificate, _port):
        part(given, controls)
    _cookies(given, controls, headers)
    if "referer" in given:
        headers.append(("Referer", given["referer"]))
    for name, text in _headers(given.get("header", []), "header"):
        if text is not None:
            headers.append((name, text))
        elif name.lower() == "user-agent":
            controls["user_agent"] = ""
    return controls, headers


def check_uri(rest: list[str]) -> str:
    """Returns the URI, the only word that is no option. Raises Failure."""
    if not rest:
        raise usage("the URI is missing, such as wss://example.com/path")
    if len(rest) > 1:
        raise usage(f"there are {len(rest)} URIs, and the command takes one")
    uri = rest[0]
    if "://" not in uri:
        shown = uri.rpartition("@")[2] if "@" in uri else uri
        host = shown.partition("/")[0].partition(":")[0].strip("[]")
        scheme = "ws" if host in ("localhost", "127.0.0.1", "") or host.startswith("192.168.") else "wss"
        raise Failure(codes.URI, f"the URI has no scheme. Type: curlwire {scheme}://{shown}")
    return uri


def settings(given: Given) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Returns the controls of a socket for messages, and the headers of its request. Raises Failure."""
    controls, headers = controls_of(given)
    size = given.get("max-size")
    if size is not None:
        controls["max_message_size"] = None if size in (0, float("inf")) else int(size)
    return controls, headers


def as_failure(error: WebSocketError) -> Failure:
    """Returns the Failure for a socket that cannot be made."""
    is_usage = isinstance(error, ArgumentError) or not error.os_errno
    return Failure(codes.USAGE if is_usage else codes.INPUT, explain(error))


def make(given: Given, is_stream: bool = False) -> WebSocket:
    """Returns a socket that is not connected. Raises Failure."""
    controls, headers = controls_of(given) if is_stream else settings(given)
    try:
        ws: WebSocket = StreamWebSocket(**controls) if is_stream else MessageWebSocket(**controls)
        for name, value in headers:
            ws.add_request_header(name, value)
    except WebSocketError as error:
        raise as_failure(error) from None
    return ws


def explain(error: BaseException) -> str:
    """Returns the text of an error, with the names of options in place of those of controls."""
    text = "; ".join((str(error), *getattr(error, "__notes__", ())))
    for name in ("proxy_client_certificate", "client_certificate"):
        text = text.replace(f", or {name}_data", "")  # no option
    # several options are this control, so no name of one fits
    text = text.replace("proxy_auth cannot be used", "this login at the proxy cannot be used")
    text = text.replace("digest or basic to proxy_auth", "--proxy-digest or --proxy-basic")
    names = {option.control: f"--{option.long}" for option in OPTIONS if "_" in option.control}
    names |= {"max_message_size": "--max-size", "follow_location": "--location", "server_credential": "--user"}
    names |= {"proxy_credential": "--proxy-user", "proxy_auth": "--proxy-anyauth", "http_auth": "--anyauth"}
    names |= {"client_certificate": "--cert", "client_certificate_type": "--cert-type"}
    names |= {"proxy_client_certificate": "--proxy-cert", "proxy_client_certificate_type": "--proxy-cert-type"}
    names |= {"local_port": "--local-port", "local_port_range": "--local-port", "tls_min_version": "--tlsv1.3"}
    names |= {"max_attempts": "--retry", "max_elapsed": "--retry-max-time", "trace_file": "--trace"}
    names |= {"pinned_public_key": "--pinnedpubkey", "cookie_file": "--cookie"}
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name, names[name])
    return text.replace("set it to None for", "give it inf for")


def _is_passing(given: Given, error: WebSocketError) -> bool:
    if isinstance(error, ArgumentError):
        return False
    if given.get("retry-all-errors") or isinstance(error, ConnectTimeout) or error.http_status in _PASSING:
        return True
    if error.status is WebErrorStatus.HOST_NAME_NOT_RESOLVED:
        return False
    return bool(given.get("retry-connrefused")) and error.curl_code == 7


class _Connects(Protocol):
    def connect(self, uri: str, timeout: float | None) -> None: ...


def warn(given: Given, text: str) -> None:
    """Writes a text that is no error to stderr, unless --silent. It never raises."""
    if given.get("silent") or not sys.stderr:
        return
    from curlwire.command.output import line_of

    with suppress(OSError):
        # one write, also with PYTHONUNBUFFERED, because other threads write lines of a trace
        sys.stderr.write(f"curlwire: {line_of(text)}\n")
        sys.stderr.flush()


def connect(given: Given, ws: _Connects, uri: str, end_at: float) -> None:
    """Connects a socket, and tries again as --retry says. Raises WebSocketError.

    end_at: the end of --max-time, as time.monotonic() counts; inf = no limit.
    """
    began_at = time.monotonic()
    delay_s = given.get("retry-delay") or _FIRST_DELAY_S
    for tries_left in range(given.get("retry", 0), -1, -1):
        left_s = end_at - time.monotonic()
        limit_s = given.get("connect-timeout", 60.0)
        try:
            ws.connect(uri, timeout=seconds(max(0.001, min(limit_s, left_s))))
            return
        except WebSocketError as error:
            waits_s = max(delay_s, error.retry_after or 0.0)
            until = time.monotonic() + waits_s
            is_late = until - began_at > given.get("retry-max-time", float("inf")) or until >= end_at
            if not tries_left or is_late or not _is_passing(given, error):
                raise
            told = f"{explain(error)}. Trying again in {waits_s:g} s, {tries_left} left"
        warn(given, told)
        time.sleep(min(waits_s, _LONGEST_SLEEP_S))
        if not given.get("retry-delay"):
            delay_s = min(2 * delay_s, _LONGEST_DELAY_S)
