# SPDX-License-Identifier: MIT
"""A Kerberos realm of our own, with a user's ticket, and an Apache that asks for it before another peer."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import login_settings
import run

REALM = "CW.TEST"
MODULES = (
    "mpm_event", "authn_core", "authz_core", "authz_user", "auth_gssapi", "proxy", "proxy_wstunnel",
)  # fmt: skip
CLIENT = """
[libdefaults]
 default_realm = {realm}
 dns_lookup_kdc = false
 dns_lookup_realm = false
 rdns = false
 dns_canonicalize_hostname = false
[realms]
 {realm} = {{
  kdc = 127.0.0.1:{kdc}
 }}
[domain_realm]
 localhost = {realm}
"""
SERVER = """
[kdcdefaults]
 kdc_ports = {kdc}
 kdc_tcp_ports = {kdc}
[realms]
 {realm} = {{
  database_name = {folder}/principal
  key_stash_file = {folder}/stash
  acl_file = {folder}/acl
 }}
"""
LOCATION = """
<Location />
    AuthType GSSAPI
    AuthName "the tests"
    GssapiCredStore keytab:{folder}/http.keytab
    Require valid-user
    ProxyPass ws://127.0.0.1:{upstream}/
</Location>
"""


def program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise run.CannotStart(f"kerberos: no command {name}; run sh scripts/install.sh test")
    return found


def write(folder: Path, upstream: int, kdc: int, port: int) -> dict[str, str]:
    """Writes the settings, the database and the ticket. Returns the variables for the programs of Kerberos."""
    (folder / "krb5.conf").write_text(CLIENT.format(realm=REALM, kdc=kdc))
    (folder / "kdc.conf").write_text(SERVER.format(realm=REALM, kdc=kdc, folder=folder))
    folder.chmod(0o777)
    location = LOCATION.format(folder=folder, upstream=upstream)
    (folder / "apache.conf").write_text(login_settings.head(folder, port, MODULES) + location)
    variables = {
        "KRB5_CONFIG": str(folder / "krb5.conf"),
        "KRB5_KDC_PROFILE": str(folder / "kdc.conf"),
        "KRB5CCNAME": str(folder / "cache"),
    }
    admin = [program("kadmin.local"), "-r", REALM, "-q"]
    for words in (
        [program("kdb5_util"), "create", "-s", "-P", "master", "-r", REALM],
        [*admin, "addprinc -pw word user"],
        [*admin, "addprinc -randkey HTTP/localhost"],
        [*admin, f"ktadd -k {folder}/http.keytab HTTP/localhost"],
    ):
        subprocess.run(words, env={**os.environ, **variables}, check=True, capture_output=True)
    (folder / "http.keytab").chmod(0o644)
    return variables


@contextlib.contextmanager
def realm(folder: Path, upstream: int) -> Iterator[tuple[str, dict[str, str]]]:
    """Yields the URI of Apache, and the variables with which a program has the user's ticket."""
    kdc, port = run.free_ports(2)
    variables = write(folder, upstream, kdc, port)
    environment = {**os.environ, **variables}
    commands = (
        [program("krb5kdc"), "-n", "-r", REALM],
        [program("apache2"), "-f", str(folder / "apache.conf"), "-D", "FOREGROUND"],
    )
    with contextlib.ExitStack() as undo:
        for command, number in zip(commands, (kdc, port), strict=True):
            null = subprocess.DEVNULL
            server = subprocess.Popen(command, env=environment, text=True, stdout=null, stderr=null)
            process = undo.enter_context(server)
            undo.callback(process.terminate)
            if not run.Peers.accepts(process, number):
                raise run.CannotStart(f"kerberos: {command[0]} does not accept connections")
        kinit = [program("kinit"), "user"]
        subprocess.run(kinit, input="word\n", text=True, env=environment, check=True, capture_output=True)
        yield f"ws://localhost:{port}/", variables
