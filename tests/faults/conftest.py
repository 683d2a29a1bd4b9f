# SPDX-License-Identifier: MIT
"""The real server, with and without TLS, and the clients that the tests of faults are run for."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import driver

sys.path.insert(0, str(driver.ROOT / "tests" / "servers"))

import certs

SERVER = str(driver.HERE / "server.py")


@pytest.fixture(scope="session")
def server() -> Iterator[int]:
    """The port of the real server."""
    with driver.started(SERVER) as (port, _):
        yield port


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    certs.make(folder)
    return folder


@pytest.fixture(scope="session")
def tls_server(certificates: Path) -> Iterator[int]:
    """Its port for wss://localhost."""
    pair = (str(certificates / "server.pem"), str(certificates / "server.key"))
    with driver.started(SERVER, "127.0.0.1", *pair) as (port, _):
        yield port


@pytest.fixture(scope="session")
def tls_environment(certificates: Path) -> dict[str, str]:
    """The environment in which a client trusts it."""
    return {"CW_FAULTS_CA_FILE": str(certificates / "ca.pem")}


@pytest.fixture(params=driver.CLIENTS, ids=str)
def client(request: pytest.FixtureRequest) -> driver.Client:
    chosen: driver.Client = request.param
    return chosen
