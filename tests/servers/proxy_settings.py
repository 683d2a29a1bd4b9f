# SPDX-License-Identifier: MIT
"""Real proxies for the tests: squid (HTTP and HTTPS), microsocks (SOCKS 5) and OpenSSH (SOCKS 4, 4a and 5). For
run.py. Debian 13 has no Dante.

    open    squid without login                    socks        microsocks without login
    basic   squid, which wants a Basic login       socks_login  microsocks, which wants a login
    digest  squid, which wants a Digest login      ssh          ssh -D, to a server of its own
    either  squid, which offers Digest and Basic
    tls     squid over TLS without login
    mutual  squid over TLS, which wants a client certificate of ca.pem

The user is j0hnny, and the password s3c:ret/@. Each squid refuses the host denied.test, and knows server.test
as this machine.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

USER, PASSWORD = "j0hnny", "s3c:ret/@"
PATHS = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"
HELPERS = "/usr/lib/squid"
BASIC = "auth_param basic program {helpers}/basic_ncsa_auth {folder}/basic\nauth_param basic realm curlwire\n"
DIGEST = (
    "auth_param digest program {helpers}/digest_file_auth -c {folder}/digest\n"
    "auth_param digest realm curlwire\n"
)
SQUID = """
pid_filename none
visible_hostname squid.test
cache deny all
cache_mem 0
memory_cache_shared off
access_log none
cache_log {folder}/logs/{name}
netdb_filename none
pinger_enable off
coredump_dir {folder}
hosts_file {folder}/hosts
shutdown_lifetime 0 seconds
connect_timeout 5 seconds
{auth}
acl denied dstdomain denied.test
acl users proxy_auth REQUIRED
{open}
http_access deny denied
http_access allow users
http_access deny all
{ports}
"""
SSHD = """
ListenAddress 127.0.0.1
HostKey {folder}/ssh_host
AuthorizedKeysFile {folder}/ssh_user.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
"""
# For each squid: its authentication, and its ports with what follows the address.
SQUIDS = {
    "plain": (BASIC, {"open": "", "basic": "", "tls": "tls", "mutual": "mutual"}),
    "digest": (DIGEST, {"digest": ""}),
    "either": (DIGEST + BASIC, {"either": ""}),
}
OPEN = ("open", "tls", "mutual")


def program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=PATHS)


def write_users(folder: Path) -> None:
    """Writes the files of users, which squid's helpers read as another user than root."""
    folder.chmod(0o755)
    (folder / "logs").mkdir()
    (folder / "logs").chmod(0o777)
    digest = hashlib.md5(PASSWORD.encode()).hexdigest()  # basic_ncsa_auth calls this form MD5
    (folder / "basic").write_text(f"{USER}:{digest}\n")
    answer = hashlib.md5(f"{USER}:curlwire:{PASSWORD}".encode()).hexdigest()
    (folder / "digest").write_text(f"{USER}:curlwire:{answer}\n")
    (folder / "hosts").write_text("127.0.0.1 server.test localhost\n")


def port_line(name: str, kind: str, port: int, certs: Path) -> str:
    if not kind:
        return f"http_port 127.0.0.1:{port} name={name}"
    asks = f" clientca={certs}/ca.pem" if kind == "mutual" else ""
    certificate = f"tls-cert={certs}/server.pem tls-key={certs}/server.key"
    return f"https_port 127.0.0.1:{port} name={name} {certificate}{asks}"


def squid(folder: Path, certs: Path, name: str, ports: dict[str, int]) -> list[str]:
    """Writes the settings of a squid into a folder. Returns the arguments with which squid uses them."""
    auth, kinds = SQUIDS[name]
    names = " ".join(port for port in kinds if port in OPEN)
    is_open = f"acl open myportname {names}\nhttp_access deny denied\nhttp_access allow open" if names else ""
    text = SQUID.format(
        folder=folder,
        name=name,
        auth=auth.format(helpers=HELPERS, folder=folder),
        open=is_open,
        ports="\n".join(port_line(port, kind, ports[port], certs) for port, kind in kinds.items()),
    )
    path = folder / f"{name}.conf"
    path.write_text(text)
    return ["-N", "-f", str(path), "-n", f"cw{ports[next(iter(kinds))]}"]


def microsocks(ports: dict[str, int]) -> list[str]:
    ((name, port),) = ports.items()
    login = ["-u", USER, "-P", PASSWORD] if name == "socks_login" else []
    return ["-i", "127.0.0.1", "-p", str(port), *login]


def sshd(folder: Path, ports: dict[str, int]) -> list[str]:
    """Makes the keys of a server and of its only user. Returns the arguments of the server."""
    for name in ("ssh_host", "ssh_user"):
        if not (folder / name).exists():
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    (folder / "sshd.conf").write_text(SSHD.format(folder=folder))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # Debian's server wants it, and its service makes it
    return [
        "-D",
        "-E",
        str(folder / "logs" / "sshd"),
        "-f",
        str(folder / "sshd.conf"),
        "-p",
        str(ports["sshd"]),
    ]


def ssh(folder: Path, server: int, ports: dict[str, int]) -> list[str]:
    options = ["-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    options += ["-o", "ExitOnForwardFailure=yes", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR"]
    user = ["-i", str(folder / "ssh_user"), "-p", str(server), f"{getpass.getuser()}@127.0.0.1"]
    return [*options, "-N", "-D", f"127.0.0.1:{ports['ssh']}", *user]
