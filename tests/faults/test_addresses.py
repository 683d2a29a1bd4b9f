# SPDX-License-Identifier: MIT
"""A host with dead addresses before the live one, in a network where packets to them get lost: each costs 200
ms, not a share of connect_timeout. In which order they are tried is in tests/core/test_addresses.c."""

from __future__ import annotations

from pathlib import Path

import pytest

import driver
import network
from conftest import SERVER
from phases import Phase, run_all, variants

TIMEOUT_S = 60
# far less than a share of the timeout (30 s), far more than 200 ms for each dead address
BOUND_MS = 15000
LIVE = {4: "10.99.0.130", 6: "fd99::8000:2"}
DEAD = {4: "10.99.0.{}", 6: "fd99::{}"}  # nearer to the client's own, so that they are sorted to the front


@pytest.mark.parametrize(("dead", "family"), [(1, 4), (6, 4), (3, 6)])
def test_dead_addresses_before_the_live_one(dead: int, family: int, tmp_path: Path) -> None:
    with network.pair(*network.mount_kinds(tmp_path)) as (client, server):
        server.ip("address", "add", f"{LIVE[4]}/24", "dev", "cable")
        for side, address in ((client, "fd99::1"), (server, LIVE[6])):
            side.ip("address", "add", f"{address}/64", "dev", "cable", "nodad")
        addresses = [*(DEAD[family].format(3 + number) for number in range(dead)), LIVE[family]]
        (tmp_path / "hosts").write_text("".join(f"{address} many.test\n" for address in addresses))
        (tmp_path / "nsswitch.conf").write_text("hosts: files\n")
        for name in ("hosts", "nsswitch.conf"):
            client.run("mount", "--bind", str(tmp_path / name), f"/etc/{name}")
        with driver.started(SERVER, LIVE[family], prefix=server.prefix) as (port, _):
            ops = f"connect {driver.text('hello')} recv:5 {driver.close(1000)} wait"
            phase = Phase(f"ws://many.test:{port}/", f"connect_timeout={TIMEOUT_S}", ops, client.prefix)
            for result in run_all(phase, variants(("message", "blocking"))):
                assert result.flow == b"hello", result
                assert result.closed == [(1000, True, "")], result
                assert result.op("connect").ms < BOUND_MS, result
