# SPDX-License-Identifier: MIT
"""Makes authorities, server certificates and revocation lists in a folder, with the openssl command.

python3 tests/servers/certs.py FOLDER

ca.pem                 the authority that clients trust
other-ca.pem           an authority that nobody trusts
ca-folder              a folder with ca.pem under its hash
other-folder           a folder with other-ca.pem under its hash
crl.pem                the revocation list of ca.pem, which revokes revoked.pem
crl-old.pem            the same list, out of date
crl-other.pem          the revocation list of other-ca.pem
client-locked.key      purpose.key, with the password s3cret
client.p12             purpose.pem and purpose.key as PKCS#12, with the password s3cret
client-both.pem        purpose.pem and purpose.key
server.pub, server.der the public key of server.pem, as PEM and as DER
NAME.pin               the hash of a public key in libcurl's form; NAME is server or badhost
both.pin               the hashes of badhost and of server
NAME.pem, NAME.key     a certificate and its key, with these names:

server      localhost, 127.0.0.1, ::1          nameonly    localhost, no address
badhost     a name that is not this host's     iponly      127.0.0.1, no name
expired     expired in 2020                    wildcard    *.cw.localhost
future      not valid before 2090              purpose     a client certificate
revoked     revoked by crl.pem                 weak        an RSA key of 1024 bits
unknown     signed by other-ca                 broken      its signature is wrong
chain       unknown, followed by other-ca      selfsigned  signed by itself
reaching    localhost, api.example, 127.0.0.1

NAMEchain   the certificate NAME of CHAINS, followed by ca
"""

from __future__ import annotations

import base64
import hashlib
import ssl
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
default_crl_days = 30
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
[client]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
subjectAltName = ${{ENV::CW_SAN}}
"""

OURS = "DNS:localhost, IP:127.0.0.1, IP:::1"
PAST = ("-startdate", "20200101000000Z", "-enddate", "20200102000000Z")
FUTURE = ("-startdate", "20900101000000Z", "-enddate", "20900102000000Z")
OLD_LIST = ("-crl_lastupdate", "20200101000000Z", "-crl_nextupdate", "20200102000000Z")
CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
# The name of the file, the names in the certificate, the extensions, and the arguments of openssl ca.
LEAVES: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("server", OURS, "leaf", ()),
    ("badhost", "DNS:elsewhere.invalid", "leaf", ()),
    ("expired", OURS, "leaf", PAST),
    ("future", OURS, "leaf", FUTURE),
    ("revoked", OURS, "leaf", ()),
    ("unknown", OURS, "leaf", ("-cert", "{folder}/other-ca.pem", "-keyfile", "{folder}/other-ca.key")),
    ("nameonly", "DNS:localhost", "leaf", ()),
    ("iponly", "IP:127.0.0.1", "leaf", ()),
    ("wildcard", "DNS:*.cw.localhost", "leaf", ()),
    ("purpose", OURS, "client", ()),
    ("weak", OURS, "leaf", ()),
    ("broken", OURS, "leaf", ()),
    ("reaching", "DNS:localhost, DNS:api.example, IP:127.0.0.1", "leaf", ()),
)

# The certificates that are also sent together with their authority.
CHAINS = ("server", "badhost", "expired", "revoked", "purpose", "broken")


def openssl(*arguments: str, names: str = OURS) -> None:
    """Runs openssl, and shows its output only if it fails."""
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
    """Makes all files in the folder. Creates the folder if it does not exist."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    config = folder / "openssl.cnf"
    config.write_text(CONFIG.format(folder=folder))
    (folder / "index.txt").write_text("")
    for name, extensions in (("ca", "root"), ("other-ca", "root"), ("selfsigned", "leaf")):
        openssl(
            "req", "-x509", *CURVE, "-nodes", "-config", str(config), "-subj", f"/CN=curlwire test {name}",
            "-extensions", extensions, "-days", "30",
            "-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem"),
        )  # fmt: skip
    for name, certificate in (("ca-folder", "ca.pem"), ("other-folder", "other-ca.pem")):
        hashed = folder / name
        hashed.mkdir(exist_ok=True)
        (hashed / certificate).write_bytes((folder / certificate).read_bytes())
        openssl("rehash", str(hashed))
    for name, names, extensions, options in LEAVES:
        request = folder / f"{name}.csr"
        key = ("-newkey", "rsa:1024") if name == "weak" else CURVE
        openssl(
            "req", "-new", *key, "-nodes", "-config", str(config),
            "-keyout", str(folder / f"{name}.key"), "-out", str(request),
        )  # fmt: skip
        openssl(
            "ca", "-batch", "-notext", "-config", str(config), "-extensions", extensions,
            *(option.format(folder=folder) for option in options),
            "-in", str(request), "-out", str(folder / f"{name}.pem"), names=names,
        )  # fmt: skip
    spoil(folder / "broken.pem")
    chain = (folder / "unknown.pem").read_text() + (folder / "other-ca.pem").read_text()
    (folder / "chain.pem").write_text(chain)
    (folder / "chain.key").write_text((folder / "unknown.key").read_text())
    for name in CHAINS:
        chain = (folder / f"{name}.pem").read_text() + (folder / "ca.pem").read_text()
        (folder / f"{name}chain.pem").write_text(chain)
        (folder / f"{name}chain.key").write_text((folder / f"{name}.key").read_text())
    make_lists(folder, ("ca", "-config", str(config)))
    make_client(folder)
    make_pins(folder)


def make_pins(folder: Path) -> None:
    pins = []
    for name in ("badhost", "server"):
        key, der = str(folder / f"{name}.key"), folder / f"{name}.der"
        openssl("pkey", "-in", key, "-pubout", "-out", str(folder / f"{name}.pub"))
        openssl("pkey", "-in", key, "-pubout", "-outform", "DER", "-out", str(der))
        digest = base64.b64encode(hashlib.sha256(der.read_bytes()).digest()).decode()
        pins.append(f"sha256//{digest}")
        (folder / f"{name}.pin").write_text(pins[-1])
    (folder / "both.pin").write_text(";".join(pins))


def spoil(certificate: Path) -> None:
    """Changes the last byte of a certificate, which belongs to its signature."""
    der = ssl.PEM_cert_to_DER_cert(certificate.read_text())
    certificate.write_text(ssl.DER_cert_to_PEM_cert(der[:-1] + bytes([der[-1] ^ 1])))


def make_client(folder: Path) -> None:
    """Makes other forms of purpose.pem, which is a client certificate."""
    certificate, key = folder / "purpose.pem", folder / "purpose.key"
    password = ("-passout", "pass:s3cret")
    openssl("pkcs8", "-topk8", "-in", str(key), *password, "-out", str(folder / "client-locked.key"))
    openssl(
        "pkcs12", "-export", "-in", str(certificate), "-inkey", str(key), *password,
        "-out", str(folder / "client.p12"),
    )  # fmt: skip
    (folder / "client-both.pem").write_text(certificate.read_text() + key.read_text())


def make_lists(folder: Path, command: tuple[str, ...]) -> None:
    openssl(*command, "-revoke", str(folder / "revoked.pem"))
    openssl(*command, "-gencrl", "-out", str(folder / "crl.pem"))
    openssl(*command, "-gencrl", *OLD_LIST, "-out", str(folder / "crl-old.pem"))
    other = ("-cert", str(folder / "other-ca.pem"), "-keyfile", str(folder / "other-ca.key"))
    openssl(*command, "-gencrl", *other, "-out", str(folder / "crl-other.pem"))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: certs.py FOLDER")
    make(Path(sys.argv[1]))
