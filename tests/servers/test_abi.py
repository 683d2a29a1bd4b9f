# SPDX-License-Identifier: MIT
"""scripts/abi.py finds each change of the library's interface that breaks programs built with the last tag."""

import importlib.util
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SPEC = importlib.util.spec_from_file_location("abi", ROOT / "scripts" / "abi.py")
assert SPEC is not None
assert SPEC.loader is not None
abi = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(abi)

# A small library that is built as ours is.
MAKEFILE = """
.PHONY: core
SONAME := libcurlwire.so.0
core:
	@mkdir -p $(BUILD)/release
	@cc -g -fPIC -shared -Icore/include -Wl,-soname,$(SONAME) -o $(BUILD)/release/libcurlwire.so core/src/lib.c
"""
HEADER = """
typedef struct cw_socket cw_socket;
typedef struct cw_message { const void *data; unsigned long len_bytes; } cw_message;
typedef enum cw_option { CW_OPT_A, CW_OPT_B, CW_OPTION_COUNT } cw_option;
int cw_send(cw_socket *s, const cw_message *message, cw_option option);
"""
SOURCE = """
#include "curlwire.h"
struct cw_socket { int number; };
int cw_send(cw_socket *s, const cw_message *message, cw_option option)
{
    return s->number + (message->len_bytes > 0) + (int)option;
}
"""


def run(*command: str, cwd: Path) -> None:
    subprocess.run(command, cwd=cwd, check=True, capture_output=True)


def commit(root: Path) -> None:
    run("git", "add", "-A", cwd=root)
    run("git", "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-q", "--no-gpg-sign", "-m", "x",
        cwd=root)  # fmt: skip


def build(root: Path) -> None:
    run("make", "-s", "core", f"BUILD={root}/build/system", cwd=root)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a library, of which the last commit has the tag v0.1.0."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    for name, text in (("Makefile", MAKEFILE), ("core/include/curlwire.h", HEADER), ("core/src/lib.c", SOURCE)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / ".gitignore").write_text("build/\n")
    run("git", "init", "-q", cwd=tmp_path)
    commit(tmp_path)
    run("git", "tag", "v0.1.0", cwd=tmp_path)
    return tmp_path


def change(root: Path, *pairs: tuple[str, str]) -> str:
    """Changes the sources of the library, builds it, and returns the differences that break old programs."""
    for name in ("Makefile", "core/include/curlwire.h", "core/src/lib.c"):
        text = (root / name).read_text()
        for old, new in pairs:
            text = text.replace(old, new)
        (root / name).write_text(text)
    commit(root)
    build(root)
    title, found = abi.check(root)
    assert "v0.1.0" in title
    return str(found)


COMPATIBLE = {
    "a new function": ('curlwire.h"\n', 'curlwire.h"\nint cw_new(void) { return 1; }\n'),
    "a new enumerator": ("CW_OPT_B,", "CW_OPT_B, CW_OPT_C,"),
    "another name of a parameter": ("cw_socket *s", "cw_socket *socket"),
    "another member of an opaque struct": ("{ int number; }", "{ int more; int number; }"),
}
INCOMPATIBLE = {
    "a removed function": ("cw_send", "cw_send_message"),
    "another type of a parameter": ("cw_option option)", "long option)"),
    "one more parameter": ("cw_option option)", "cw_option option, int timeout_ms)"),
    "a new member of a struct of the caller": ("len_bytes; }", "len_bytes; int message_type; }"),
    "an enumerator in the middle": ("CW_OPT_A,", "CW_OPT_A, CW_OPT_C,"),
}


@pytest.mark.parametrize("name", COMPATIBLE)
def test_a_change_that_old_programs_survive_is_allowed(root: Path, name: str) -> None:
    assert change(root, COMPATIBLE[name], ("s->number", "1")) == ""


@pytest.mark.parametrize("name", INCOMPATIBLE)
def test_a_change_that_breaks_old_programs_is_found(root: Path, name: str) -> None:
    assert "cw_" in change(root, INCOMPATIBLE[name])


def test_a_new_soname_allows_every_change(root: Path) -> None:
    assert change(root, ("cw_send", "cw_send_message"), ("libcurlwire.so.0", "libcurlwire.so.1")) == ""


def test_without_a_tag_there_is_nothing_to_compare(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("git", "tag", "-d", "v0.1.0", cwd=root)
    build(root)
    assert abi.main([str(root)]) == 0
    (line,) = capsys.readouterr().out.splitlines()[1:]
    assert line.startswith("ok 1 - no tag")


def test_the_last_tag_counts(root: Path) -> None:
    assert change(root, ("cw_send", "cw_send_message"))
    run("git", "tag", "v0.2.0", cwd=root)
    assert abi.check(root) == ("programs that were built with v0.2.0 work with this library", "")


def test_a_failure_is_a_failed_test(
    root: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    assert abi.main([str(root)]) == 1
    assert "is not built. Run:" in capsys.readouterr().out
    change(root, ("cw_send", "cw_send_message"))
    assert abi.main([str(root)]) == 1
    assert "not ok 1" in capsys.readouterr().out
    shallow = tmp_path_factory.mktemp("shallow")
    run("git", "clone", "-q", "--depth", "1", f"file://{root}", str(shallow), cwd=shallow)
    build(shallow)
    assert abi.main([str(shallow)]) == 1
    assert "is shallow" in capsys.readouterr().out
