# SPDX-License-Identifier: MIT
"""The table of options, from which the parser, the help, the man page and the completions are made."""

from typing import NamedTuple

Kind = str
FLAG, TEXT, LIST, COUNT, SECONDS, SIZE = "flag", "text", "list", "count", "seconds", "size"


class Option(NamedTuple):
    """A row of the table.

    short: one letter, or "". long: the name without dashes. value: the name of its value in the help, "" for a
    flag. kind: what the value is. text: what it does, for people. control: the control that it sets, if the
    value needs no more work. environment: the variable that stands for it. is_secret: its value is never shown.
    words: the values that it may have; () = any.
    """

    short: str
    long: str
    value: str
    kind: Kind
    text: str
    control: str = ""
    environment: str = ""
    is_secret: bool = False
    words: tuple[str, ...] = ()


VERBS: dict[str, str] = {
    "get": "Receive a stream of bytes into a file: curlwire get URI FILE",
    "put": "Send a file as a stream of bytes: curlwire put FILE URI",
    "bench": "Measure a server that echoes, for --duration: curlwire bench URI",
    "tap": "Show the messages, pings and close frames of clients and a server: curlwire tap LISTEN URI",
    "doctor": "Check this build, and each step to a server: curlwire doctor [URI]",
    "man": "Write the man page, in the language of man",
    "completion": "Write the completion for a shell: curlwire completion bash, zsh or fish",
}
INPUT_FORMATS = ("lines", "null", "raw", "jsonl", "hex")
OUTPUT_FORMATS = ("lines", "null", "raw", "jsonl", "hex")

SECTIONS: dict[str, tuple[Option, ...]] = {
    "Messages": (
        Option(
            "d", "data", "MSG|@FILE", LIST, "Send MSG, or the content of FILE (- is stdin), before all else"
        ),
        Option("", "no-stdin", "", FLAG, "Do not read stdin; receive until the server closes"),
        Option(
            "",
            "input-format",
            "FORMAT",
            TEXT,
            "How stdin is cut into messages; default lines",
            words=INPUT_FORMATS,
        ),
        Option(
            "", "output-format", "FORMAT", TEXT, "How messages are written; default lines", words=OUTPUT_FORMATS
        ),
        Option(
            "", "print", "FORMAT", TEXT, "Write each message so: %{data} %{type} %{size} %{time} %{number} \\n"
        ),
        Option(
            "", "jsonrpc", "", FLAG, "Send each line as a JSON-RPC request; write the replies in that order"
        ),
        Option(
            "", "jsonrpc-omit-jsonrpc", "", FLAG, 'The same, without the member "jsonrpc", as Chromium wants it'
        ),
        Option("", "text", "", FLAG, "Send text messages (the default of lines and null)"),
        Option("", "binary", "", FLAG, "Send binary messages (the default of raw and hex)"),
        Option("o", "output", "FILE", TEXT, "Write messages to FILE, not to stdout"),
    ),
    "The end": (
        Option(
            "",
            "linger",
            "SECONDS",
            SECONDS,
            "After the end of stdin, receive so long; default 2; inf: no limit",
        ),
        Option("", "count", "N", COUNT, "End after N messages"),
        Option("", "until", "REGEX", TEXT, "End after the first message that matches"),
        Option("", "expect", "REGEX", TEXT, "Fail (112) unless a message matches"),
        Option("", "timeout", "SECONDS", SECONDS, "Fail (28) if no message comes for so long"),
        Option("m", "max-time", "SECONDS", SECONDS, "Fail (28) if all of it takes longer"),
        Option("", "close", "CODE[:REASON]", TEXT, "Close with this code; default 1000"),
    ),
    "The connection": (
        Option(
            "", "connect-timeout", "SECONDS", SECONDS, "Limit for connecting; default 60", "connect_timeout"
        ),
        Option("", "retry", "N", COUNT, "Try to connect again up to N times after a passing failure"),
        Option(
            "", "retry-delay", "SECONDS", SECONDS, "Wait so long between tries; default 1, doubled each time"
        ),
        Option("", "retry-max-time", "SECONDS", SECONDS, "Begin no further try after so long"),
        Option("", "retry-connrefused", "", FLAG, "Count a refused connection as a passing failure"),
        Option("", "retry-all-errors", "", FLAG, "Count every failure to connect as a passing one"),
        Option("", "reconnect", "", FLAG, "Connect again when the connection is lost; send -d again"),
        Option("", "subprotocol", "NAME", LIST, "Offer this subprotocol; repeat it for more"),
        Option("", "compress", "", FLAG, "Offer compression"),
        Option(
            "", "ping-interval", "SECONDS", SECONDS, "Send a keepalive ping so often; 0: never", "ping_interval"
        ),
        Option("", "max-size", "BYTES", SIZE, "The largest message; default 64M; inf: no limit"),
        Option("", "resolve", "HOST:PORT:ADDR", LIST, "Use this address for a host", "resolve"),
        Option("", "connect-to", "H1:P1:H2:P2", LIST, "Connect to H2:P2 in place of H1:P1", "connect_to"),
        Option("", "unix-socket", "PATH", TEXT, "Connect to this Unix socket", "unix_socket_path"),
        Option("", "abstract-unix-socket", "NAME", TEXT, "The same, abstract", "abstract_unix_socket"),
        Option("", "interface", "NAME", TEXT, "Leave by this interface or address", "interface"),
        Option("", "local-port", "N[-M]", TEXT, "Use this local port, or one of this range"),
        Option("", "doh-url", "URL", TEXT, "Look names up by DNS over HTTPS", "doh_url"),
    ),
    "The request": (
        Option("H", "header", "HEADER|@FILE", LIST, "Send this header, or those in FILE", is_secret=True),
        Option("A", "user-agent", "NAME", TEXT, "Header User-Agent", "user_agent"),
        Option("e", "referer", "URL", TEXT, "Header Referer"),
        Option("", "origin", "URL", TEXT, "Header Origin", "origin"),
        Option("b", "cookie", "DATA|FILE", LIST, "Send these cookies (a=b), or those in FILE", is_secret=True),
        Option("c", "cookie-jar", "FILE", TEXT, "Read cookies from FILE, and write them to it", "cookie_jar"),
        Option("L", "location", "", FLAG, "Follow redirects"),
        Option("", "max-redirs", "N", COUNT, "Follow at most N; default 10", "max_redirs"),
    ),
    "Login": (
        Option("u", "user", "USER:PASSWORD", TEXT, "User name and password", "", "CURLWIRE_USER", True),
        Option(
            "", "oauth2-bearer", "TOKEN", TEXT, "Access token", "xoauth2_bearer", "CURLWIRE_OAUTH2_BEARER", True
        ),
        Option("", "basic", "", FLAG, "Log in by Basic (the default)"),
        Option("", "digest", "", FLAG, "Log in by Digest"),
        Option("", "negotiate", "", FLAG, "Log in by Negotiate (Kerberos)"),
        Option("", "anyauth", "", FLAG, "Log in as the server wants it"),
        Option("n", "netrc", "", FLAG, "Take user name and password from ~/.netrc"),
        Option("", "netrc-file", "FILE", TEXT, "Take them from FILE", "netrc_file"),
    ),
    "Proxy": (
        Option("x", "proxy", "URI", TEXT, "Connect through this proxy", "", "CURLWIRE_PROXY", True),
        Option("U", "proxy-user", "USER:PASSWORD", TEXT, "For the proxy", "", "CURLWIRE_PROXY_USER", True),
        Option("", "noproxy", "HOSTS", TEXT, "Connect to these hosts without a proxy; * is all"),
        Option("", "preproxy", "URI", TEXT, "SOCKS proxy in front of the proxy", "pre_proxy", "", True),
        Option("", "proxy-header", "HEADER|@FILE", LIST, "Send this header to the proxy", is_secret=True),
        Option("", "proxy-basic", "", FLAG, "Log in to the proxy by Basic (the default)"),
        Option("", "proxy-digest", "", FLAG, "Log in to the proxy by Digest"),
        Option("", "proxy-negotiate", "", FLAG, "The same by Negotiate, if the system's libcurl has it"),
        Option("", "proxy-ntlm", "", FLAG, "The same by NTLM, if the system's libcurl has it"),
        Option("", "proxy-anyauth", "", FLAG, "Log in to the proxy as it wants it"),
        Option("", "proxy-insecure", "", FLAG, "Do not check the certificate of the proxy"),
        Option("", "proxy-cacert", "FILE", TEXT, "Trusted certificates for the proxy", "proxy_ca_file"),
        Option("", "proxy-cert", "FILE[:PASSWORD]", TEXT, "Client certificate for the proxy", is_secret=True),
        Option("", "proxy-cert-type", "TYPE", TEXT, "Its form", words=("PEM", "P12")),
        Option("", "proxy-key", "FILE", TEXT, "Its key", "proxy_client_key"),
        Option(
            "",
            "proxy-pass",
            "PASSWORD",
            TEXT,
            "Of the key",
            "proxy_client_key_password",
            "CURLWIRE_PROXY_PASS",
            True,
        ),
    ),
    "TLS": (
        Option("k", "insecure", "", FLAG, "Do not check the server's certificate"),
        Option("", "cacert", "FILE", TEXT, "Trusted certificates", "ca_file"),
        Option("", "capath", "FOLDER", TEXT, "Folder of trusted certificates", "ca_path"),
        Option("", "crlfile", "FILE", TEXT, "Revoked certificates", "crl_file"),
        Option("E", "cert", "FILE[:PASSWORD]", TEXT, "Client certificate", is_secret=True),
        Option("", "cert-type", "TYPE", TEXT, "Its form", words=("PEM", "P12")),
        Option("", "key", "FILE", TEXT, "Its key", "client_key"),
        Option("", "pass", "PASSWORD", TEXT, "Of the key", "client_key_password", "CURLWIRE_PASS", True),
        Option("", "pinnedpubkey", "HASHES", TEXT, "The server's public key", "pinned_public_key"),
        Option("", "tlsv1.2", "", FLAG, "At least TLS 1.2 (the default)"),
        Option("", "tlsv1.3", "", FLAG, "At least TLS 1.3"),
        Option("", "tls-max", "VERSION", TEXT, "At most this TLS", "tls_max_version", words=("1.2", "1.3")),
        Option("", "ciphers", "LIST", TEXT, "Ciphers for TLS 1.2", "tls_ciphers"),
        Option("", "tls13-ciphers", "LIST", TEXT, "Ciphers for TLS 1.3", "tls13_ciphers"),
        Option("", "curves", "LIST", TEXT, "Groups for the key exchange", "tls_groups"),
        Option("", "cert-status", "", FLAG, "The server must show that its certificate is not revoked"),
    ),
    "The verb bench": (
        Option("", "duration", "SECONDS", SECONDS, "How long to measure; default 3, at most 60"),
        Option("", "size", "BYTES", SIZE, "The size of a message; default 32, at most 1M"),
    ),
    "The verb tap": (
        Option("", "record", "FILE", TEXT, "Write each message, ping and close frame to FILE, as JSON"),
        Option(
            "", "replay", "FILE", TEXT, "Answer clients as the server did that FILE has recorded, without a URI"
        ),
        Option("", "allow-remote", "", FLAG, "LISTEN may be an address that other machines can reach"),
    ),
    "The command": (
        Option("K", "config", "FILE", LIST, "Read options from FILE (- is stdin)"),
        Option("", "url", "URI", TEXT, "The URI, for such a file"),
        Option("s", "silent", "", FLAG, "Do not write errors"),
        Option("S", "show-error", "", FLAG, "Write errors even with -s"),
        Option("v", "verbose", "", FLAG, "Write each header and frame to stderr"),
        Option("", "trace", "FILE", TEXT, "Write them to FILE"),
        Option("w", "write-out", "FORMAT|@FILE", TEXT, "At the end, write %{http_code} and other facts"),
        Option("h", "help", "", FLAG, "Write the options; with the word all, all of them"),
        Option("V", "version", "", FLAG, "Write the versions"),
    ),
}

OPTIONS: tuple[Option, ...] = tuple(option for options in SECTIONS.values() for option in options)
