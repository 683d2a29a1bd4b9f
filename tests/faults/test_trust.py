# SPDX-License-Identifier: MIT
"""Tests which certificates a connection trusts: the places of systems, each in its own mount namespace, and
variables of the environment, and certifi. What libcurl was built with must never count.

Each case connects to a real server in Python and in Lua, with the system's libcurl and with the libcurl inside.
The script prints what it trusted, or the error.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

import driver
import network

SERVER = str(driver.HERE / "server.py")
VARIABLES = ("CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")

PYTHON = """
import sys, curlwire
uri, *rest = sys.argv[1:]
try:
    control = {name: value != "no" and value for name, value in (word.split("=") for word in rest)}
    with curlwire.connect(uri, **control) as ws:
        print(ws.information.authorities)
except curlwire.ConnectError as error:
    print("ERROR", error.status.name, error)
print("certifi" in sys.modules)
"""
LUA = """
local curlwire = require "curlwire"
local control = {}
for i = 2, #arg do
    local name, value = arg[i]:match("(.-)=(.*)")
    if value == "no" then value = false end
    control[name] = value
end
local ws, message, err = curlwire.connect(arg[1], control)
print(ws and (ws.information.authorities or "None") or "ERROR " .. err.status_name .. " " .. message)
if ws then ws:close() end
"""


@dataclass(frozen=True)
class Client:
    """A language with one of the two builds of libcurl."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]

    def run(self, prefix: Sequence[str], *words: str, **environment: str) -> list[str]:
        """Connects, and returns the lines that the script printed."""
        whole = {name: value for name, value in os.environ.items() if name not in VARIABLES}
        done = subprocess.run(
            [*prefix, *self.command, *words], env={**whole, **self.environment, **environment},
            capture_output=True, text=True, timeout=driver.LIMIT_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()


def clients(folder: Path, python_code: str = PYTHON, lua_code: str = LUA) -> list[Client]:
    script = folder / "client.lua"
    script.write_text(lua_code)
    made = []
    for name, build in (("system", driver.BUILD / "system"), ("inside", driver.BUILD)):
        modules = build / "lua" / "5.4"
        paths = {"LUA_PATH": f"{modules}/?.lua;{modules}/?/init.lua;;", "LUA_CPATH": f"{modules}/?.so;;"}
        lua = (shutil.which("lua5.4") or "lua5.4", str(script))
        made.append(
            Client(f"python-{name}", (sys.executable, "-c", python_code), {"PYTHONPATH": str(build / "python")})
        )
        made.append(Client(f"lua-{name}", lua, paths))
    return made


# Folders of the machine that a case replaces, and files of /etc that programs need.
PLACES = ("etc", "var/lib", "usr/local/etc", "usr/local/share")
KEPT = ("hosts", "nsswitch.conf", "host.conf", "resolv.conf", "passwd", "group", "ld.so.cache", "ld.so.conf")


class Machine:
    """A mount namespace with a TLS server, in which cases lay out the places of a system."""

    def __init__(self, made: network.Namespace, folder: Path, certificates: Path, port: int) -> None:
        self.made = made
        self.folder = folder
        self.certificates = certificates
        self.uri = f"wss://localhost:{port}/"
        self.clients = clients(folder)
        self.count = 0

    @contextlib.contextmanager
    def layout(self, files: dict[str, str]) -> Iterator[None]:
        """Replaces the PLACES. files maps a path to a file or folder of the test certificates."""
        self.count += 1
        root = self.folder / str(self.count)
        for place in PLACES:
            (root / place).mkdir(parents=True)
        for name in KEPT:
            with contextlib.suppress(FileNotFoundError):
                shutil.copy(f"/etc/{name}", root / "etc" / name)
        for path, source in files.items():
            target = root / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            if not source:
                target.mkdir()
            elif (self.certificates / source).is_dir():
                shutil.copytree(self.certificates / source, target, symlinks=True)
            else:
                shutil.copy(self.certificates / source, target)
        for place in PLACES:
            self.made.run("mount", "--bind", str(root / place), f"/{place}")
        try:
            yield
        finally:
            for place in PLACES:
                self.made.run("umount", f"/{place}")

    def outcomes(self, *words: str, **environment: str) -> set[str]:
        """Returns the first lines that all clients printed; one text, if they agree."""
        return {client.run(self.made.prefix, self.uri, *words, **environment)[0] for client in self.clients}


@pytest.fixture(scope="module")
def machine(certificates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("machine")
    pair = [str(certificates / "server.pem"), str(certificates / "server.key")]
    with (
        network.namespace(None, *network.mount_kinds(folder)) as made,
        driver.started(SERVER, "127.0.0.1", *pair, prefix=made.prefix) as (port, _),
    ):
        yield Machine(made, folder, certificates, port)


EMPTY = ""
TLS_BUNDLE = "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"
LAYOUTS = {
    "debian": (
        {"/etc/ssl/certs/ca-certificates.crt": "ca.pem", "/etc/ssl/certs/x": "other-folder"},
        "/etc/ssl/certs/ca-certificates.crt",
    ),
    "alpine": (
        {"/etc/ssl/certs/ca-certificates.crt": "ca.pem", "/etc/ssl/cert.pem": "other-ca.pem"},
        "/etc/ssl/certs/ca-certificates.crt",
    ),
    "fedora-now": ({TLS_BUNDLE: "ca.pem", "/etc/pki/tls/certs": EMPTY}, TLS_BUNDLE),
    "fedora-folder": (
        {"/etc/pki/ca-trust/extracted/pem/directory-hash": "ca-folder", "/etc/pki/tls/certs": EMPTY},
        "/etc/pki/ca-trust/extracted/pem/directory-hash",
    ),
    "rhel-7": ({TLS_BUNDLE: "ca.pem", "/etc/pki/tls/certs/ca-bundle.crt": "ca.pem"}, TLS_BUNDLE),
    "rhel-6": ({"/etc/pki/tls/certs/ca-bundle.crt": "ca.pem"}, "/etc/pki/tls/certs/ca-bundle.crt"),
    "rhel-folder": ({"/etc/pki/tls/certs": "ca-folder", "/etc/ssl/certs": EMPTY}, "/etc/pki/tls/certs"),
    "suse": ({"/etc/ssl/ca-bundle.pem": "ca.pem", "/etc/ssl/certs": "other-folder"}, "/etc/ssl/ca-bundle.pem"),
    "suse-generated": (
        {"/var/lib/ca-certificates/ca-bundle.pem": "ca.pem"}, "/var/lib/ca-certificates/ca-bundle.pem",
    ),
    "suse-folder": ({"/etc/ssl/certs": "ca-folder"}, "/etc/ssl/certs"),
    "macos": ({"/etc/ssl/cert.pem": "ca.pem", "/etc/ssl/certs": EMPTY}, "/etc/ssl/cert.pem"),
    "freebsd": ({"/usr/local/etc/ssl/cert.pem": "ca.pem"}, "/usr/local/etc/ssl/cert.pem"),
    "freebsd-port": (
        {"/usr/local/share/certs/ca-root-nss.crt": "ca.pem"}, "/usr/local/share/certs/ca-root-nss.crt",
    ),
    "freebsd-base": ({"/etc/ssl/certs": "ca-folder"}, "/etc/ssl/certs"),
    "openwrt-bundle": ({"/etc/ssl/certs/ca-certificates.crt": "ca.pem"}, "/etc/ssl/certs/ca-certificates.crt"),
    "openwrt-folder": ({"/etc/ssl/certs": "ca-folder"}, "/etc/ssl/certs"),
    "netbsd": (
        {"/etc/openssl/certs/ca-certificates.crt": "ca.pem"}, "/etc/openssl/certs/ca-certificates.crt",
    ),
    "netbsd-folder": ({"/etc/openssl/certs": "ca-folder"}, "/etc/openssl/certs"),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
def test_system(machine: Machine, name: str) -> None:
    files, used = LAYOUTS[name]
    with machine.layout(files):
        assert machine.outcomes() == {f"system: {used}"}


def test_an_empty_file_is_skipped(machine: Machine) -> None:
    with machine.layout({"/etc/ssl/certs/ca-certificates.crt": "ca.pem", "/etc/ssl/cert.pem": "ca.pem"}):
        machine.made.run("sh", "-c", ": > /etc/ssl/certs/ca-certificates.crt")
        assert machine.outcomes() == {"system: /etc/ssl/cert.pem"}


SYSTEM = {"/etc/ssl/certs/ca-certificates.crt": "ca.pem"}
OTHER_SYSTEM = {"/etc/ssl/certs/ca-certificates.crt": "other-ca.pem", "/etc/ssl/certs/f": "other-folder"}


def test_what_is_named_replaces_the_system(machine: Machine) -> None:
    ours = str(machine.certificates / "ca.pem")
    other = str(machine.certificates / "other-ca.pem")
    folder = str(machine.certificates / "ca-folder")
    other_folder = str(machine.certificates / "other-folder")
    with machine.layout(OTHER_SYSTEM):
        assert machine.outcomes(f"ca_file={ours}", CURL_CA_BUNDLE=other) == {f"ca_file: {ours}"}
        assert machine.outcomes(f"ca_path={folder}", SSL_CERT_FILE=other) == {f"ca_path: {folder}"}
        assert machine.outcomes(CURL_CA_BUNDLE=ours, SSL_CERT_FILE=other) == {f"CURL_CA_BUNDLE: {ours}"}
        assert machine.outcomes(SSL_CERT_FILE=ours) == {f"SSL_CERT_FILE: {ours}"}
        assert machine.outcomes(SSL_CERT_DIR=folder) == {f"SSL_CERT_DIR: {folder}"}
        both = machine.outcomes(SSL_CERT_FILE=other, SSL_CERT_DIR=folder)
        assert both == {f"SSL_CERT_FILE: {other}, SSL_CERT_DIR: {folder}"}
    with machine.layout(SYSTEM):
        for words, environment in (
            ([f"ca_file={other}"], {}),
            ([f"ca_path={other_folder}"], {}),
            ([], {"CURL_CA_BUNDLE": other}),
            ([], {"SSL_CERT_FILE": other}),
            ([], {"SSL_CERT_DIR": other_folder}),  # libcurl's own file is not trusted beside a folder
        ):
            for line in machine.outcomes(*words, **environment):
                assert line.upper().replace("_", "").startswith("ERROR CERTIFICATEISINVALID"), line


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_variable_that_names_nothing_is_an_error(machine: Machine, variable: str) -> None:
    with machine.layout(SYSTEM):
        for line in machine.outcomes(**{variable: "/nothing/here"}):
            assert f"{variable} '/nothing/here' cannot be used (No such file or directory): name a" in line


def test_a_file_without_certificates_is_an_error(machine: Machine) -> None:
    key = str(machine.certificates / "crl.pem.txt")
    Path(key).write_text("no certificate")
    with machine.layout(SYSTEM):
        for line in machine.outcomes(SSL_CERT_FILE=key):
            assert f"SSL_CERT_FILE '{key}' cannot be used: it must be a PEM file of certificates" in line


def certifi(folder: Path, name: str, body: str) -> str:
    """Returns a PYTHONPATH with a package certifi of the test."""
    place = folder / name
    place.mkdir()
    (place / "certifi.py").write_text(body)
    return str(place)


def run_python(machine: Machine, certifi_place: str) -> list[tuple[str, str]]:
    lines = []
    for client in machine.clients:
        if client.name.startswith("python"):
            path = f"{certifi_place}:{client.environment['PYTHONPATH']}"
            out, is_imported = client.run(machine.made.prefix, machine.uri, PYTHONPATH=path)
            lines.append((out, is_imported))
    return lines


def test_certifi_comes_last(machine: Machine, tmp_path: Path) -> None:
    ours = str(machine.certificates / "ca.pem")
    there = certifi(tmp_path, "there", f"def where(): return {ours!r}")
    absent = certifi(tmp_path, "absent", "raise ImportError")
    broken = certifi(tmp_path, "broken", "def where(): return '/nothing/here.pem'")
    with machine.layout({}):
        assert run_python(machine, there) == 2 * [(f"certifi: {ours}", "True")]
        for line, _ in run_python(machine, absent):
            assert ", /etc/openssl/certs, certifi (not installed)): install" in line
        for line, _ in run_python(machine, broken):
            assert ", /etc/openssl/certs, /nothing/here.pem): install" in line
    with machine.layout(SYSTEM):  # it is imported only if nothing else was found
        assert run_python(machine, there) == 2 * [("system: /etc/ssl/certs/ca-certificates.crt", "False")]


def test_the_error_lists_what_was_tried(machine: Machine, tmp_path: Path) -> None:
    absent = certifi(tmp_path, "absent", "raise ImportError")
    with machine.layout({"/etc/ssl/certs": EMPTY}):
        for client in machine.clients:
            path = f"{absent}:{client.environment.get('PYTHONPATH', '')}"
            line = client.run(machine.made.prefix, machine.uri, PYTHONPATH=path)[0]
            assert line.upper().replace("_", "").startswith("ERROR UNEXPECTEDCLIENTERROR NO CERTIFICATES OF")
            assert (
                "(tried ca_file, ca_path, CURL_CA_BUNDLE, SSL_CERT_FILE and SSL_CERT_DIR, which are not" in line
            )
            assert f"/etc/ssl/certs/ca-certificates.crt, {TLS_BUNDLE}, /etc/pki/tls" in line
            assert "/etc/ssl/certs (empty or not readable), /etc/pki/ca-trust" in line
        # none is needed if no certificate is checked
        assert machine.outcomes("verify=no") == {"None"}


def test_setuid(machine: Machine, tmp_path: Path) -> None:
    """A program with more rights than its user does not let the user choose whom it trusts."""
    lua = tmp_path / "lua"
    shutil.copy(shutil.which("lua5.4") or "lua5.4", lua)
    os.chown(lua, -1, 65534)
    lua.chmod(0o2755)
    ours = str(machine.certificates / "ca.pem")
    with machine.layout(SYSTEM):
        for client in machine.clients:
            if not client.name.startswith("lua"):
                continue
            strong = Client(client.name, (str(lua), *client.command[1:]), client.environment)
            line = strong.run(machine.made.prefix, machine.uri, SSL_CERT_FILE=ours)[0]
            assert "SSL_CERT_FILE is set, but this program runs with rights that its user does not have" in line
            line = strong.run(machine.made.prefix, machine.uri)[0]
            assert line == "system: /etc/ssl/certs/ca-certificates.crt"
