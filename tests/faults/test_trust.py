# SPDX-License-Identifier: MIT
"""ca_file replaces the authorities of the system, also the authorities in a folder that libcurl was built with.
The folder is a test's own, mounted over the system's in a namespace."""

from __future__ import annotations

import subprocess
from pathlib import Path

import driver
import network
from curlwire import WebErrorStatus

SERVER = str(driver.HERE / "server.py")
FOLDER = "/etc/ssl/certs"  # Debian's libcurl is built with it


def test_ca_file_stands_in_place_of_the_folder(certificates: Path, tmp_path: Path) -> None:
    trusted = tmp_path / "trusted"
    trusted.mkdir()
    (trusted / "ca.pem").write_bytes((certificates / "ca.pem").read_bytes())
    subprocess.run(["openssl", "rehash", str(trusted)], check=True)
    # libcurl reads a bundle there, whatever is in it
    (trusted / "ca-certificates.crt").write_bytes((certificates / "other-ca.pem").read_bytes())
    pair = [str(certificates / "server.pem"), str(certificates / "server.key")]
    with network.namespace(None, *network.mount_kinds(tmp_path)) as made:
        made.run("mount", "--bind", str(trusted), FOLDER)
        with driver.started(SERVER, "127.0.0.1", *pair, prefix=made.prefix) as (port, _):
            line = driver.session("message", "blocking", f"wss://localhost:{port}/", "", "connect")
            for client in driver.CLIENTS:
                by_folder, by_other, by_file = (
                    driver.run(client, [line], made.prefix, environment)[0].last
                    for environment in (
                        {},
                        {"CW_FAULTS_CA_FILE": str(certificates / "other-ca.pem")},
                        {"CW_FAULTS_CA_FILE": str(certificates / "ca.pem")},
                    )
                )
                assert by_folder.kind == "ok", "libcurl does not look into the folder: nothing is shown here"
                assert by_other.status == WebErrorStatus.CERTIFICATE_IS_INVALID
                assert by_file.kind == "ok"
