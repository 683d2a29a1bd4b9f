# SPDX-License-Identifier: MIT
"""Tests what builds the wheels, without building one: the pinned sources, newer releases, what is refused."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import build_rocks
import build_wheels
import pytest
import sbom
import sources
from sources import NoSource, Packaged, Source

ARCHIVE = b"an archive"
SUM = hashlib.sha256(ARCHIVE).hexdigest()


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A list and a cache of our own, and a Debian and an upstream that have nothing."""
    (tmp_path / "upstream.tar.gz").write_bytes(ARCHIVE)
    row = Source("curl", "8.22.0", SUM, "curl-8.22.0.tar.gz", f"file://{tmp_path}/upstream.tar.gz")
    listed = tmp_path / "sources.txt"
    listed.write_text("# a comment\n")
    monkeypatch.setattr(sources, "LIST", listed)
    monkeypatch.setattr(sources, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(sources, "packaged", lambda package: [])
    monkeypatch.setattr(sources, "upstream_versions", lambda upstream: [])
    sources.write({"curl": row})
    return tmp_path


def test_an_archive_is_fetched_once(place: Path) -> None:
    archive = sources.get("curl")
    assert archive.read_bytes() == ARCHIVE
    (place / "upstream.tar.gz").unlink()  # no network
    assert sources.get("curl") == archive


def test_another_archive_is_refused(place: Path) -> None:
    (place / "upstream.tar.gz").write_bytes(b"another archive")
    with pytest.raises(NoSource, match=f"not {SUM}"):
        sources.get("curl")
    assert not (place / "cache" / "curl-8.22.0.tar.gz").exists()


def test_a_damaged_archive_is_fetched_again(place: Path) -> None:
    sources.get("curl").write_bytes(b"damaged")
    assert sources.get("curl").read_bytes() == ARCHIVE


def test_no_source_says_what_to_do(place: Path) -> None:
    (place / "upstream.tar.gz").unlink()
    with pytest.raises(NoSource, match=r"Put this archive at .*/curl-8\.22\.0\.tar\.gz"):
        sources.get("curl")


def test_a_malformed_row_is_refused(place: Path) -> None:
    sources.LIST.write_text("curl 8.22.0 abc curl.tar.gz place\n")
    with pytest.raises(NoSource, match=r"sources\.txt:1 is not"):
        sources.read()


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("8.22.0-1", "8.22.0"),
        ("1:1.3.dfsg+really1.3.1-1", "1.3.1"),
        ("1:1.3.1.dfsg-2", "1.3.1"),
        ("3.5.5-1~deb13u2", "3.5.5"),
        ("0.21.2-1.1+b1", "0.21.2"),
        ("8.20.0+ds1-1", "8.20.0"),
    ],
)
def test_versions_of_debian(version: str, expected: str) -> None:
    assert sources.upstream_version(version) == expected


def test_debian_tells_a_newer_release(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    newer = Packaged("8.23.0", "1" * 64, "curl_8.23.0.orig.tar.gz", "curl=8.23.0-1")
    monkeypatch.setattr(sources, "packaged", lambda package: [newer])
    monkeypatch.setattr(sources, "fetch", lambda source: None)
    assert sources.main(["newer"]) == 1
    assert "curl 8.22.0 -> 8.23.0" in capsys.readouterr().out
    assert sources.main(["update"]) == 0
    row = sources.read()["curl"]
    assert (row.version, row.sha256) == ("8.23.0", "1" * 64)
    assert row.place == "https://curl.se/download/curl-8.23.0.tar.gz"
    assert sources.LIST.read_text().startswith("# a comment\n")
    assert sources.main(["newer"]) == 0


def test_a_release_that_cannot_be_fetched_is_not_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sources, "upstream_versions", lambda upstream: ["8.23.0"])
    changed = replace(sources.UPSTREAM["curl"], place="file:///none/curl-{version}.tar.gz")
    monkeypatch.setitem(sources.UPSTREAM, "curl", changed)
    assert sources.main(["update"]) == 1
    assert "curl stays at 8.22.0" in capsys.readouterr().out
    assert sources.read()["curl"].version == "8.22.0"


def test_a_repacked_archive_is_in_debians_history() -> None:
    one = Packaged("1.3.2", SUM, "zlib_1.3.dfsg+really1.3.2.orig.tar.gz", "", "pool/main/z/zlib")
    place = one.place(sources.UPSTREAM["zlib"])
    assert place.startswith("https://snapshot.debian.org/archive/debian/")
    assert place.endswith("/pool/main/z/zlib/zlib_1.3.dfsg+really1.3.2.orig.tar.gz")


def test_upstream_tells_a_newer_release(
    monkeypatch: pytest.MonkeyPatch, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sources, "upstream_versions", lambda upstream: ["8.9.1", "8.23.0", "8.22.0"])
    (place / "curl-8.23.0.tar.gz").write_bytes(b"a newer archive")
    changed = replace(sources.UPSTREAM["curl"], place=f"file://{place}/curl-{{version}}.tar.gz")
    monkeypatch.setitem(sources.UPSTREAM, "curl", changed)
    assert sources.main(["update"]) == 0
    assert sources.read()["curl"].sha256 == hashlib.sha256(b"a newer archive").hexdigest()
    assert "compare its signature" in capsys.readouterr().out


def test_only_the_series_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    sources.write({"openssl": Source("openssl", "3.5.1", SUM, "openssl-3.5.1.tar.gz", "place")})
    monkeypatch.setattr(sources, "upstream_versions", lambda upstream: ["3.5.10", "3.5.9", "4.0.2"])
    assert sources.newest("openssl").version == "3.5.10"


def test_no_answer_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert sources.main(["newer"]) == 2
    assert "can be asked for curl" in capsys.readouterr().err


def test_tags_are_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    names = ("curl-8_22_0", "curl-8_22_0^{}", "rc-8_23_0-1", "curl-7_1")
    printed = "".join(f"1234\trefs/tags/{name}\n" for name in names)
    monkeypatch.setattr(sources, "output_of", lambda *command: printed)
    assert sources.upstream_versions(sources.UPSTREAM["curl"]) == ["8.22.0"]


def test_every_row_can_be_updated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert set(sources.read()) == set(sources.UPSTREAM)
    assert set(build_wheels.INSIDE) < set(sources.UPSTREAM)
    assert set(build_wheels.INSIDE) == set(sbom.FACTS)


def test_the_bill_of_materials_has_unicode_data() -> None:
    bom = sbom.make("curlwire", "1.2.3", "manylinux_2_17_x86_64", 0, [sources.read()["curl"]])
    unicode = bom["components"][-1]
    assert unicode["name"] == "unicode"
    assert f"What Unicode {unicode['version']} says" in sbom.TABLE.read_text()
    assert unicode["licenses"][0]["license"]["id"] in sbom.expression().split(" AND ")
    assert [one["ref"] for one in bom["dependencies"]] == ["pkg:pypi/curlwire@1.2.3", "curl@8.22.0"]
    assert bom["dependencies"][1]["dependsOn"] == []
    changed = bom["components"][0]["pedigree"]["patches"][0]["diff"]["text"]["content"]
    assert "\n+  if(data->req.upgr101 == UPGR101_WS && !data->set.http_fail_on_error) data->state" in changed
    assert changed.count("+++ b/lib/") == 3 and "\n-  if(ts->keepon == KEEPON_IGNORE) {\n" in changed


def test_no_format_needs_py_ssize_t_clean() -> None:
    """With the headers of Python 3.13, a module with such a format fails in Python 3.11 and 3.12."""
    for path in (build_wheels.ROOT / "bindings/python/src").glob("*.c"):
        assert re.findall(r'"[^"\n]*[szyu]#[^"\n]*"', path.read_text()) == [], path


def test_an_unknown_target_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert build_wheels.main(["manylinux_2_28_riscv64"]) == 2
    assert "Choose from: abi3" in capsys.readouterr().err
    assert build_rocks.main(["5.2"]) == 2
    assert "Choose from: x86_64, aarch64, 5.1, 5.3, 5.4" in capsys.readouterr().err


def test_binary_rocks_need_a_rockspec(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build_rocks, "DIST", place)
    assert build_rocks.main([]) == 1
    assert "Run: make rock\n" in capsys.readouterr().err


def test_a_binary_rock_is_for_one_lua(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_rocks, "DIST", place)
    version = re.findall(r'CW_VERSION "(.+)"', (build_wheels.ROOT / "core/include/curlwire.h").read_text())[0]
    spec = place / f"curlwire-{version}-1.rockspec"
    spec.write_text((build_wheels.ROOT / "curlwire-scm-1.rockspec").read_text())
    (place / "licenses").mkdir()
    (place / "licenses" / "curl.txt").write_text("a licence")
    (place / "core.so").write_bytes(b"a module")
    files = build_rocks.files_of("5.3", place / "core.so", {"curl": place})
    assert '\n    "lua ~> 5.3",\n' in files[spec.name].decode()
    assert {"lib/curlwire/core.so", "lua/curlwire/init.lua", "doc/LICENSE", "doc/curl.txt"} < set(files)
    spec.write_text('dependencies = { "lua >= 5.2" }')
    with pytest.raises(build_wheels.Failed, match="Run: make rock"):
        build_rocks.files_of("5.3", place / "core.so", {"curl": place})


def test_the_manifest_of_a_rock() -> None:
    text = build_rocks.manifest({"a.rockspec": b"", "lib/curlwire/core.so": b"x"})
    assert text == (
        "rock_manifest = {\n"
        '    ["a.rockspec"] = "d41d8cd98f00b204e9800998ecf8427e",\n'
        '    ["lib"] = {["curlwire"] = {["core.so"] = "9dd4e461268c8034f5c8564e155c67a6"}},\n'
        "}\n"
    )


@pytest.mark.parametrize(("name", "platform"), [("pypy", "linux"), ("cpython", "win32")])
def test_setup_refuses(name: str, platform: str) -> None:
    code = (
        "import runpy, sys, sysconfig\n"
        "from unittest.mock import MagicMock\n"
        "sysconfig.get_config_vars()\n"  # Python 3.13 would look for those of the platform
        "for name in '', '.command', '.command.build_ext', '.command.sdist':\n"
        "    sys.modules['setuptools' + name] = MagicMock()\n"
        f"sys.implementation.name, sys.platform = {name!r}, {platform!r}\n"
        "runpy.run_path('setup.py')\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=build_wheels.ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert f"cannot be built for {name} on {platform}" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
