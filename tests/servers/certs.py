# SPDX-License-Identifier: MIT
"""Makes a certificate authority and server certificates, by the openssl command, into a folder.

python3 tests/servers/certs.py FOLDER

ca.pem                        the authority; what a client trusts
server.pem, server.key        localhost, 127.0.0.1, ::1
badhost.pem, badhost.key      a name that is not ours
expired.pem, expired.key      localhost, over since 2020
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CONFIG = """
[req]
distinguished_name = name
prompt = no
[name]
CN = localhost
[ca]
default_ca = authority
[authority]
database = {folder}/index.txt
new_certs_dir = {folder}
certificate = {folder}/ca.pem
private_key = {folder}/ca.key
rand_serial = yes
default_md = sha256
default_days = 30
policy = policy
unique_subject = no
[policy]
commonName = supplied
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = ${{ENV::CW_SAN}}
"""

OURS = "DNS:localhost, IP:127.0.0.1, IP:::1"
PAST = ("-startdate", "20200101000000Z", "-enddate", "20200102000000Z")
LEAVES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("server", OURS, ()),
    ("badhost", "DNS:elsewhere.invalid", ()),
    ("expired", OURS, PAST),
)


def openssl(*arguments: str, names: str = OURS) -> None:
    """Runs openssl; its words are shown only if it fails."""
    try:
        done = subprocess.run(
            ("openssl", *arguments), env={"PATH": "/usr/bin:/bin:/usr/local/bin", "CW_SAN": names},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
    except FileNotFoundError:
        raise SystemExit("certs.py: the openssl command is missing; install the package openssl") from None
    if done.returncode != 0:
        raise SystemExit(f"certs.py: openssl {' '.join(arguments)} failed:\n{done.stderr}")


def make(folder: Path) -> None:
    """Fills the folder, which is made if it is not there."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    config = folder / "openssl.cnf"
    config.write_text(CONFIG.format(folder=folder))
    (folder / "index.txt").write_text("")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-config", str(config))
    openssl(
        "req", "-x509", *key, "-subj", "/CN=curlwire test authority", "-extensions", "root", "-days", "30",
        "-keyout", str(folder / "ca.key"), "-out", str(folder / "ca.pem"),
    )  # fmt: skip
    for name, names, dates in LEAVES:
        request = folder / f"{name}.csr"
        openssl("req", "-new", *key, "-keyout", str(folder / f"{name}.key"), "-out", str(request))
        openssl(
            "ca", "-batch", "-notext", "-config", str(config), "-extensions", "leaf", *dates,
            "-in", str(request), "-out", str(folder / f"{name}.pem"), names=names,
        )  # fmt: skip


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: certs.py FOLDER")
    make(Path(sys.argv[1]))
