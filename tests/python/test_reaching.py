# SPDX-License-Identifier: MIT
"""How a connection reaches its server: Unix sockets, local ends, addresses without a look-up, connections of
the program, DNS over HTTPS, other options of libcurl. What needs a network of its own is in tests/faults."""

import errno
import os
import socket
import ssl
import threading
import urllib.request
from typing import Any

import pytest

import curlwire
from curlwire import MessageWebSocket, WebErrorStatus
from peers import WAIT, ca_file, echo, opened, round_trip, url, wait_until

PORT = int(url("CW_ECHO_WS", "").rpartition(":")[2])
REACHING_PORT = int(url("CW_REACHING_WSS", "").rpartition(":")[2])
NOWHERE = "ws://nowhere.invalid/"
API = f"wss://api.example:{REACHING_PORT}/"
UNIX_PATH, ABSTRACT_NAME = url("CW_UNIX_PATH", ""), url("CW_ABSTRACT_NAME", "")


def reach(uri: str, **control: Any) -> tuple[str, str]:
    """Connects, checks that the connection works, and returns both addresses."""
    with curlwire.connect(uri, **control) as ws:
        round_trip(ws)
        local, remote = ws.information.local_address, ws.information.remote_address
        assert local is not None and remote is not None
        return local, remote


def refused(uri: str, **control: Any) -> curlwire.WebSocketError:
    with pytest.raises(curlwire.WebSocketError) as caught:
        curlwire.connect(uri, **control)
    return caught.value


# -- Unix sockets


@pytest.mark.parametrize("framing", ["auto", "curl"])
def test_unix_socket(framing: str) -> None:
    assert reach(NOWHERE, unix_socket_path=UNIX_PATH, framing=framing) == ("unix:", f"unix:{UNIX_PATH}")
    addresses = reach(NOWHERE, abstract_unix_socket=ABSTRACT_NAME, framing=framing)
    assert addresses == ("unix:", f"unix:@{ABSTRACT_NAME}")


def test_unix_socket_carries_much() -> None:
    with curlwire.connect(NOWHERE, unix_socket_path=UNIX_PATH) as ws:
        data = os.urandom(3 << 20)
        ws.send(data)
        assert ws.recv() == data
        assert ws.ping() > 0
    assert ws.close_code == 1000


def test_unix_socket_uses_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ws_proxy", "http://127.0.0.1:1")
    reach(NOWHERE, unix_socket_path=UNIX_PATH)


def test_unix_socket_errors() -> None:
    error = refused(NOWHERE, unix_socket_path=f"{UNIX_PATH}-none")
    assert str(error) == (
        f"cannot connect to unix_socket_path '{UNIX_PATH}-none': No such file or directory; check the path and "
        "its permissions, and that the server runs"
    )
    assert (error.status, error.os_errno) == (WebErrorStatus.CANNOT_CONNECT, errno.ENOENT)
    error = refused(NOWHERE, abstract_unix_socket="curlwire-none")
    assert str(error).startswith("cannot connect to abstract_unix_socket 'curlwire-none': Connection refused; ")
    for name in ("unix_socket_path", "abstract_unix_socket"):
        error = refused(NOWHERE, **{name: "n" * 108})
        assert "is longer than the 107 bytes that the system allows" in str(error), error
        error = refused(NOWHERE, **{name: "x", "local_port": 5000})
        assert f"local_port has no effect on a Unix socket: unset it, or unset {name}" in str(error)
    error = refused(NOWHERE, unix_socket_path="a", abstract_unix_socket="b")
    assert "are both set: unset one of them" in str(error)
    assert error.status == WebErrorStatus.UNEXPECTED_CLIENT_ERROR


# -- the local end


@pytest.mark.parametrize("form", ["{}", "host!{}", "ifhost!lo!{}"])
def test_interface_address(form: str) -> None:
    local, _ = reach(echo(), interface=form.format("127.0.0.77"))
    assert local.startswith("127.0.0.77:")


@pytest.mark.parametrize("name", ["lo", "if!lo"])
def test_interface_name(name: str) -> None:
    local, _ = reach(echo(), interface=name)
    assert local.startswith("127.0.0.1:")


def test_interface_errors() -> None:
    for name in ("nope0", "if!nope0", "ifhost!nope0!127.0.0.1", "localhost"):
        assert str(refused(echo(), interface=name)).startswith(
            f"interface '{name}' cannot be used: this machine has no such network interface"
        )
    for name in ("host!localhost", "host!", "ifhost!lo!localhost"):  # libcurl would look the name up, and block
        assert "after host! comes an IP address" in str(refused(echo(), interface=name))
    error = refused(echo(), interface="192.0.2.1")
    assert "interface '192.0.2.1' cannot be used: Cannot assign requested address" in str(error)
    assert error.os_errno == errno.EADDRNOTAVAIL


def test_local_port() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.79", 0))
        port = taken.getsockname()[1]
        where: dict[str, Any] = {"interface": "127.0.0.79", "local_port": port}
        error = refused(echo(), **where)
        assert f"no local port from {port} to {port} can be used: Address already in use; raise" in str(error)
        assert error.os_errno == errno.EADDRINUSE
        local, _ = reach(echo(), **where, local_port_range=50)
        assert port < int(local.rpartition(":")[2]) < port + 50


def test_local_port_errors() -> None:
    assert "go beyond port 65535" in str(refused(echo(), local_port=65000, local_port_range=1000))
    assert "is set without local_port" in str(refused(echo(), local_port_range=2))


# -- addresses without a look-up


def test_resolve() -> None:
    assert reach(API, ca_file=ca_file(), resolve=[f"api.example:{REACHING_PORT}:127.0.0.1"])[1] == (
        f"127.0.0.1:{REACHING_PORT}"
    )
    # the first address refuses
    assert (
        reach(f"ws://Any.Example:{PORT}/", resolve=[f"*:{PORT}:127.0.0.99,127.0.0.1"])[1] == f"127.0.0.1:{PORT}"
    )


def test_resolve_does_not_concern_other_sockets() -> None:
    # sockets share what libcurl knows about addresses unless they are kept apart
    with opened(resolve=[f"other.invalid:{PORT}:127.0.0.1"]), opened():
        assert refused(f"ws://other.invalid:{PORT}/").status == WebErrorStatus.HOST_NAME_NOT_RESOLVED


def test_connect_to() -> None:
    for item in (f"api.example:443:localhost:{REACHING_PORT}", f"::127.0.0.1:{REACHING_PORT}"):
        assert reach("wss://api.example/", ca_file=ca_file(), connect_to=[item])[1].endswith(
            f":{REACHING_PORT}"
        )


def test_the_certificate_must_name_the_uris_host() -> None:
    for control in ({"resolve": [f"evil.example:{REACHING_PORT}:127.0.0.1"]}, {"connect_to": ["::127.0.0.1:"]}):
        with pytest.raises(curlwire.CertificateError):
            curlwire.connect(f"wss://evil.example:{REACHING_PORT}/", ca_file=ca_file(), **control)


RESOLVES = [
    "a",
    "a:1",
    "a:1:",
    "a:1:b",
    "a:0:1.1.1.1",
    "a:65536:1.1.1.1",
    "a:x:1.1.1.1",
    "a:1:1.1.1.1,",
    ":1:1.1.1.1",
]
RESOLVES += [
    "a:1:[1.1.1.1]",
    "a:1:[::1",
    "b\u00fccher:1:1.1.1.1",
    "-a:1",
    "+a:1:b",
    "a b:1:1.1.1.1",
    "",
    "a:1:1.1.1.1, ::1",
]
TARGETS = [
    "a",
    "a:1",
    "a:1:b",
    "a:1:b:2:3",
    "a:x:b:2",
    "a:1:b:99999",
    "[1:1:b:2",
    "[a]:1:b:2",
    "b\u00fccher:1:b:2",
]


@pytest.mark.parametrize(
    ("name", "item"), [*(("resolve", i) for i in RESOLVES), *(("connect_to", i) for i in TARGETS)]
)
def test_bad_items(name: str, item: str) -> None:
    good = {"resolve": "a:1:::1,[::1],127.0.0.1", "connect_to": "[::1]:1::"}[name]
    ws = MessageWebSocket(**{name: [good]})
    for items in ([item], [good, item]):
        with pytest.raises(curlwire.ArgumentError, match=f"^{name} cannot have the item '"):
            setattr(ws.control, name, items)
    assert getattr(ws.control, name) == (good,)
    with pytest.raises(curlwire.ArgumentError, match="control character"):
        setattr(ws.control, name, [f"{good}\n{good}"])


# -- a connection of the program


def connected(port: int = PORT) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port))


@pytest.mark.parametrize("framing", ["auto", "curl"])
def test_sock(framing: str) -> None:
    sock = connected()
    name = "{}:{}".format(*sock.getsockname())
    assert reach(NOWHERE, sock=sock, framing=framing) == (name, f"127.0.0.1:{PORT}")
    assert sock.fileno() == -1  # curlwire has closed it
    sock = connected()
    assert reach(NOWHERE, sock=sock.fileno()) == ("{}:{}".format(*sock.getsockname()), f"127.0.0.1:{PORT}")
    sock.close()


def test_sock_of_another_kind() -> None:
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(UNIX_PATH)
    assert reach(NOWHERE, sock=sock)[1] == f"unix:{UNIX_PATH}"


def test_sock_with_tls() -> None:
    sock = connected(REACHING_PORT)
    assert reach(API, ca_file=ca_file(), sock=sock)[1] == f"127.0.0.1:{REACHING_PORT}"
    with pytest.raises(curlwire.CertificateError):
        curlwire.connect("wss://evil.example/", ca_file=ca_file(), sock=connected(REACHING_PORT))


def test_sock_uses_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ws_proxy", "http://127.0.0.1:1")
    reach(NOWHERE, sock=connected())


def test_sock_is_closed_at_the_end() -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        MessageWebSocket().set_connected_socket(connected())  # never connected
        ws = MessageWebSocket()
        ws.set_connected_socket(connected())
        ws.set_connected_socket(None)
        ws.connect(echo())
        ws.abort()
        ws.wait_closed()
    # The service thread closes descriptors later. It has three of its own.
    wait_until(lambda: len(os.listdir("/proc/self/fd")) <= before + 3)


def test_sock_serves_one_connect() -> None:
    ws = MessageWebSocket(connect_timeout=10)
    ws.set_connected_socket(connected())
    with pytest.raises(curlwire.ConnectError):
        ws.connect("wss://nowhere.invalid/")  # the server speaks no TLS
    with pytest.raises(curlwire.StateError, match="the last connect has used the connection"):
        ws.connect(echo())  # it must not connect elsewhere
    ws.set_connected_socket(connected())
    ws.connect(NOWHERE)
    round_trip(ws)
    with connected() as late, pytest.raises(curlwire.StateError, match="once a connect has begun"):
        ws.set_connected_socket(late)
    ws.close()


def test_sock_with_a_question_about_the_certificate() -> None:
    ws = MessageWebSocket(ignorable_server_certificate_errors=["Untrusted"])
    ws.set_connected_socket(connected(REACHING_PORT))
    with pytest.raises(curlwire.ConnectError, match="a second time"):
        ws.connect(API)


def test_an_error_names_its_control() -> None:
    """error.option is the control, in C cw_error_option. Most errors have none."""
    for option, control in {
        "unix_socket_path": {"unix_socket_path": "/nowhere/s"},
        "interface": {"interface": "nope0"},
        "local_port_range": {"local_port_range": 2},
        "local_port": {"local_port": 65535, "local_port_range": 2},
        "doh_url": {"doh_url": "https:"},
    }.items():
        assert refused(NOWHERE, **control).option == option
    assert refused(NOWHERE, sock=connected(), interface="lo").option == "interface"
    assert refused("ws://127.0.0.1:1/").option is None
    for key, value in (("resolve", ["a:1:b"]), ("connect_to", ["a"]), ("curl_options", {"URL": "x"})):
        with pytest.raises(curlwire.ArgumentError) as caught:
            MessageWebSocket(**{key: value})  # type: ignore[arg-type]
        assert caught.value.option == key
    with curlwire.connect(echo(), receive_timeout=0.01) as ws:
        with pytest.raises(curlwire.WebSocketTimeout) as waited:
            ws.recv()
        assert waited.value.option == "receive_timeout"


def test_sock_errors() -> None:
    with socket.socket() as new, socket.socket(type=socket.SOCK_DGRAM) as datagram:
        assert "is not connected" in str(refused(NOWHERE, sock=new))
        assert "is not a stream socket" in str(refused(NOWHERE, sock=datagram))
        assert new.fileno() != -1  # it was not taken
    assert "is closed, or no descriptor" in str(refused(NOWHERE, sock=new))
    assert "is closed, or no descriptor" in str(refused(NOWHERE, sock=-1))
    assert "is not a stream socket" in str(refused(NOWHERE, sock=9999))
    plain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    plain.check_hostname = False
    with (
        plain.wrap_socket(connected(), do_handshake_on_connect=False) as wrapped,
        pytest.raises(TypeError, match=r"ssl\.SSLSocket"),
    ):
        curlwire.connect(NOWHERE, sock=wrapped)
    for wrong in ("7", True, 1.5, object()):
        with pytest.raises(TypeError, match="sock must be"):
            MessageWebSocket().set_connected_socket(wrong)  # type: ignore[arg-type]
    for control in ({"interface": "lo"}, {"unix_socket_path": "x"}, {"resolve": ["a:1:::1"]}):
        error = refused(NOWHERE, sock=connected(), **control)
        assert f"{next(iter(control))} has no effect on a connection that the program has made" in str(error)


# -- DNS over HTTPS

DOH = f"https://localhost:{REACHING_PORT}"


def questions() -> list[str]:
    context = ssl.create_default_context(cafile=ca_file())
    with urllib.request.urlopen(f"{DOH}/log", context=context) as reply:
        text: str = reply.read().decode()
    return text.splitlines()


def test_doh_url() -> None:
    before = len(questions())
    assert reach(API, ca_file=ca_file(), doh_url=f"{DOH}/dns-query")[1] == f"127.0.0.1:{REACHING_PORT}"
    assert "api.example. A" in questions()[before:]
    # without TLS to the server, the certificate of the DNS server is checked as well
    assert (
        reach(f"ws://api.example:{PORT}/", ca_file=ca_file(), doh_url=f"{DOH}/dns-query")[1]
        == f"127.0.0.1:{PORT}"
    )


def test_doh_learns_nothing_for_other_sockets() -> None:
    with curlwire.connect(f"ws://api.example:{PORT}/", ca_file=ca_file(), doh_url=f"{DOH}/dns-query"):
        assert refused(f"ws://api.example:{PORT}/").status == WebErrorStatus.HOST_NAME_NOT_RESOLVED


@pytest.mark.parametrize("verify", [True, False])
def test_doh_errors(verify: bool) -> None:
    trusted: dict[str, Any] = {"ca_file": ca_file(), "verify": verify}
    for control in (
        {"doh_url": f"{DOH}/broken?key=s3cret", **trusted},
        {"doh_url": "https://user:s3cret@localhost:1/s3cret?key=s3cret", **trusted},
        {"doh_url": f"https://127.0.0.2:{REACHING_PORT}/dns-query?key=s3cret", **trusted},
        # verify concerns the server alone
        {"doh_url": f"{DOH}/dns-query?key=s3cret", "verify": verify},
    ):
        error = refused(f"ws://api.example:{PORT}/", **control)
        assert error.status == WebErrorStatus.HOST_NAME_NOT_RESOLVED, error
        assert "the host api.example cannot be resolved by doh_url https://" in str(error)
        assert "s3cret" not in str(error)
    error = refused(f"ws://nowhere.example:{PORT}/", doh_url=f"{DOH}/dns-query", **trusted)
    assert f"the host nowhere.example cannot be resolved by doh_url {DOH.rpartition(':')[0]}: check" in str(
        error
    )


def test_doh_with_errors_to_ignore() -> None:
    error = refused(API, doh_url=f"{DOH}/dns-query", ignorable_server_certificate_errors=["Untrusted"])
    assert "doh_url and ignorable_server_certificate_errors are both set" in str(error)


@pytest.mark.parametrize("bad", ["http://dns.example/s3cret", "dns.example/s3cret", "https://", "s3cret"])
def test_doh_url_must_be_https(bad: str) -> None:
    error = refused(echo(), doh_url=bad)
    assert str(error).startswith("doh_url cannot be used: write the whole URL")
    assert "s3cret" not in str(error)


def test_doh_url_is_not_shown() -> None:
    ws = MessageWebSocket(doh_url="https://dns.example/s3cret")
    assert "s3cret" not in repr(ws.control) + repr(ws)
    assert "doh_url=(set)" in repr(ws.control)


# -- other options of libcurl


def test_curl_options() -> None:
    options: dict[str, int | str] = {"TCP_FASTOPEN": 1, "IPRESOLVE": 1, "SSL_ENABLE_ALPN": 0}
    ws = MessageWebSocket(curl_options=options)
    assert ws.control.curl_options == options
    ws.connect(echo())
    round_trip(ws)
    ws.close()
    ws = MessageWebSocket(curl_options={"HAPROXY_CLIENT_IP": "192.0.2.7"})
    assert ws.control.curl_options == {"HAPROXY_CLIENT_IP": "192.0.2.7"}
    ws.control.curl_options = None
    assert ws.control.curl_options == {}


def test_curl_option_reaches_libcurl() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        got: list[bytes] = []

        def answer() -> None:
            peer, _ = server.accept()
            with peer:
                got.append(peer.recv(100))

        thread = threading.Thread(target=answer)
        thread.start()
        ws = MessageWebSocket(curl_options={"HAPROXYPROTOCOL": 1, "HAPROXY_CLIENT_IP": "192.0.2.7"})
        with pytest.raises(curlwire.WebSocketError):
            ws.connect(f"ws://127.0.0.1:{server.getsockname()[1]}/")
        thread.join(WAIT)
    assert got[0].startswith(b"PROXY TCP4 192.0.2.7 ")


REASONS = {
    "VERBOSE": "it could show or send a secret",
    "NETRC": "it could show or send a secret",
    "RESOLV": "not in the list of options",
    "SSL_VERIFYPEER": "use curlwire's verify instead",
    "DOH_SSL_VERIFYPEER": "it could weaken the check of a certificate",
    "SSL_CIPHER_LIST": "it could weaken the check of a certificate",
    "PROXY_TLS13_CIPHERS": "it could weaken the check of a certificate",
    "CONNECT_ONLY": "curlwire sets it itself",
    "USERPWD": "use curlwire's server_credential instead",
    "PROXY_SSLCERT": "use curlwire's proxy_client_certificate instead",
    "WRITEFUNCTION": "its value is a pointer",
    "WRITEDATA": "its value is a pointer",
    "CAINFO_BLOB": "its value is a pointer",
    "POSTFIELDS": "it has no effect on a WebSocket",
    "CURLOPT_TCP_FASTOPEN": "have no CURLOPT_ in front",
    "tcp_fastopen": "not in the list of options that are known to be safe",
    "NONSENSE": "not in the list of options that are known to be safe",
    "": "not in the list of options that are known to be safe",
}


@pytest.mark.parametrize("name", REASONS)
def test_curl_options_refused(name: str) -> None:
    for value in (1, "x"):
        with pytest.raises(curlwire.ArgumentError) as caught:
            MessageWebSocket(curl_options={"TCP_FASTOPEN": 1, name: value})
        assert str(caught.value).startswith(f"curl_options cannot have {name}")
        assert REASONS[name] in str(caught.value)


def test_curl_options_that_are_controls() -> None:
    names = {
        "UNIX_SOCKET_PATH": "unix_socket_path",
        "LOCALPORT": "local_port",
        "tcp_keepalive": "tcp_keepalive",
    }
    names |= {"RESOLVE": "resolve", "VERIFY": "verify", "CRLFILE": "crl_file", "_D_S_C_P_": "dscp"}
    for name, control in names.items():
        with pytest.raises(curlwire.ArgumentError) as caught:
            MessageWebSocket(curl_options={name: 1})
        assert str(caught.value) == (
            f"curl_options has libcurl's option of the control {control}: use the control instead"
        )


def test_curl_options_wrong_values() -> None:
    for name, value in (
        ("TCP_FASTOPEN", "1"),
        ("DNS_SERVERS", 1),
        ("TCP_FASTOPEN", True),
        ("TCP_FASTOPEN", None),
    ):
        with pytest.raises(TypeError, match=f"{name} in curl_options|values in curl_options"):
            MessageWebSocket(curl_options={name: value})  # type: ignore[dict-item]
    with pytest.raises(TypeError, match="names in curl_options"):
        MessageWebSocket(curl_options={1: 1})  # type: ignore[dict-item]
    for value in (2**31, -(2**31) - 1, 10**30):
        with pytest.raises(curlwire.ArgumentError, match="TCP_FASTOPEN in curl_options takes a whole number"):
            MessageWebSocket(curl_options={"TCP_FASTOPEN": value})
    with pytest.raises(curlwire.ArgumentError, match="HAPROXY_CLIENT_IP in curl_options has no value"):
        MessageWebSocket(curl_options={"HAPROXY_CLIENT_IP": ""})
    with pytest.raises(curlwire.ArgumentError, match="control character"):
        MessageWebSocket(curl_options={"HAPROXY_CLIENT_IP": "1\nTCP_FASTOPEN=1"})
    error = refused(echo(), curl_options={"IPRESOLVE": 9})
    assert "refuses IPRESOLVE=9: CURLE_BAD_FUNCTION_ARGUMENT (43)" in str(error)


# -- options of the TCP connection; tests/faults tests what they do


def test_tcp_options_work_together() -> None:
    options: dict[str, Any] = {"tcp_keepalive": True, "tcp_keepidle": 5, "tcp_keepintvl": 1.5, "tcp_keepcnt": 3}
    reach(echo(), **options, tcp_user_timeout=10, dscp=46, happy_eyeballs_timeout=0.05)
    # a Unix socket has none of them
    reach(NOWHERE, unix_socket_path=UNIX_PATH, **options, tcp_user_timeout=10, dscp=46)


def test_tcp_options_of_the_given_socket() -> None:
    sock = connected()
    copy = sock.dup()
    with curlwire.connect(NOWHERE, sock=sock, tcp_keepalive=True, tcp_keepidle=7, tcp_user_timeout=4, dscp=46):
        assert copy.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 7
        assert copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 4000
        assert copy.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) == 46 << 2
    copy.close()
