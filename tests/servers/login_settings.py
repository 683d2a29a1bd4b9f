# SPDX-License-Identifier: MIT
"""Settings of Apache and nginx that ask for a login in front of another peer, for run.py.

The user is USER, and the password PASSWORD. Paths: /basic/ asks for Basic, /digest/ (Apache only) for Digest.
What follows is the path at the other peer.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
from pathlib import Path

USER = "user"
PASSWORD = "s3cret: /@?#%ä"
REALM = "the tests"

MODULES = (
    "mpm_event", "authn_core", "authn_file", "authz_core", "authz_user", "auth_basic", "auth_digest", "proxy",
    "proxy_wstunnel",
)  # fmt: skip
APACHE = """
ServerRoot {folder}
ServerName localhost
DefaultRuntimeDir {folder}
PidFile {folder}/apache.pid
Mutex file:{folder}
ErrorLog {folder}/apache.log
User nobody
Group nogroup
Listen 127.0.0.1:{port}
KeepAlive On
StartServers 1
ServerLimit 1
ThreadsPerChild 25
MaxRequestWorkers 25
{modules}
"""
LOCATIONS = """
<Location /basic/>
    AuthType Basic
    AuthName "{realm}"
    Require valid-user
    AuthUserFile {folder}/basic
    ProxyPass ws://127.0.0.1:{upstream}/
</Location>
<Location /digest/>
    AuthType Digest
    AuthName "{realm}"
    Require valid-user
    AuthUserFile {folder}/digest
    AuthDigestQop auth
    ProxyPass ws://127.0.0.1:{upstream}/
</Location>
"""
NGINX = """
    server {{
        listen 127.0.0.1:{port};
        location /basic/ {{
            auth_basic "{realm}";
            auth_basic_user_file {folder}/basic;
            proxy_pass http://127.0.0.1:{upstream}/;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
            proxy_set_header Host $host;
            proxy_read_timeout 600s;
        }}
    }}
"""


def apache_program() -> str | None:
    return shutil.which("apache2") or shutil.which("apache2", path="/usr/sbin:/usr/local/sbin")


def write_users(folder: Path) -> None:
    """Writes the files of passwords. Apache's own user reads them."""
    folder.chmod(0o777)  # Apache makes its locks here, as a user without rights
    digest = base64.b64encode(hashlib.sha1(PASSWORD.encode()).digest()).decode()
    (folder / "basic").write_text(f"{USER}:{{SHA}}{digest}\n")
    secret = hashlib.md5(f"{USER}:{REALM}:{PASSWORD}".encode()).hexdigest()
    (folder / "digest").write_text(f"{USER}:{REALM}:{secret}\n")


def head(folder: Path, port: int, modules: tuple[str, ...]) -> str:
    """Returns Apache's settings without its locations. All its files are in the folder."""
    lines = "\n".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in modules)
    return APACHE.format(folder=folder, port=port, modules=lines)


def apache(folder: Path, port: int, upstream: int) -> list[str]:
    """Writes the settings into a folder. Returns the arguments with which Apache uses them."""
    locations = LOCATIONS.format(folder=folder, upstream=upstream, realm=REALM)
    (folder / "apache.conf").write_text(head(folder, port, MODULES) + locations)
    return ["-f", str(folder / "apache.conf"), "-D", "FOREGROUND"]


def nginx(folder: Path, port: int, upstream: int) -> str:
    """Returns settings for nginx's `http`."""
    return NGINX.format(folder=folder, port=port, upstream=upstream, realm=REALM)
