# SPDX-License-Identifier: MIT
"""The verbs: get, put, doctor, man and completion."""

import hashlib
import os
import re
import subprocess
from pathlib import Path

import pytest

from curlwire.command import manual
from curlwire.command.options import OPTIONS
from helpers import COMMAND, echo, environment, run, script, text, tls, url

ROOT = Path(__file__).resolve().parent.parent.parent
SIZE = 8_000_000  # more than what waits between the command and a server that echoes


def test_put_and_get_say_rate_and_checksum(tmp_path: Path) -> None:
    data = bytes(range(256)) * (SIZE // 256)
    (tmp_path / "file").write_bytes(data)
    ended = run("put", str(tmp_path / "file"), echo())
    assert ended.code == 0
    assert re.fullmatch(rf"7\.6 MiB, .*/s, sha256 {hashlib.sha256(data).hexdigest()}\n", ended.err)
    ended = run("get", script("x:820161", "x:820162", "close:1000"), str(tmp_path / "got"))
    assert ended.code == 0
    assert (tmp_path / "got").read_bytes() == b"ab"
    assert hashlib.sha256(b"ab").hexdigest() in ended.err


def test_put_from_stdin_and_get_to_stdout() -> None:
    assert run("put", "-", echo(), stdin=b"abc").code == 0
    ended = run("get", "-s", script("x:820161", "close:1000"), "-")
    assert (ended.out, ended.err) == ("a", "")


@pytest.mark.parametrize(("last", "code"), [("rst", 56), ("end", 56), ("close:1011", 110), ("close:1001", 18)])
def test_a_truncated_file_does_not_look_whole(tmp_path: Path, last: str, code: int) -> None:
    ended = run("get", script("x:820161", last), str(tmp_path / "got"))
    assert ended.code == code
    assert not (tmp_path / "got").exists()
    assert (tmp_path / "got.part").read_bytes() == b"a"


def test_a_device_or_a_pipe_is_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with open(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK), "rb") as reading:
        assert run("get", script("x:820161", "x:820162", "close:1000"), str(pipe)).code == 0
        assert reading.read() == b"ab"
    assert pipe.is_fifo()
    assert not (tmp_path / "pipe.part").exists()
    assert run("get", script("close:1000"), str(tmp_path)).code == 23


def test_files_that_fail(tmp_path: Path) -> None:
    assert run("put", "/nonexistent", echo()).code == 26
    assert run("get", echo(), "/nonexistent/file").code == 23
    assert run("get", script(text("a"), "close:1000"), "/dev/full.d/x").code == 23
    assert run("put", "x").code == 2
    (tmp_path / "file").write_bytes(b"x" * 100)
    assert run("put", str(tmp_path / "file"), script("frame:1", "rst")).code in (55, 56)


def test_doctor() -> None:
    ended = run("doctor", echo())
    assert ended.code == 0
    for word in ("libcurl", "authorities", "tcp", "upgrade", "ping", "all is well"):
        assert re.search(rf"^{word}|{word}$", ended.out, re.MULTILINE), word
    assert run("doctor").code == 0
    shown = run("doctor", https_proxy="http://user:hidden@proxy.example:3128").out
    assert "https_proxy=proxy.example:3128" in shown
    assert "hidden" not in shown


def test_doctor_says_what_is_wrong() -> None:
    ended = run("doctor", url("CW_REFUSED_WS"))
    assert ended.code == 7
    assert "wrong" in ended.out and "refused" in ended.out
    ended = run("doctor", tls("expired"))
    assert ended.code == 60
    assert re.search(r"^tcp .* connected", ended.out, re.MULTILINE)
    assert not re.search(r"^upgrade", ended.out, re.MULTILINE)


def test_man() -> None:
    page = run("man").out
    assert page == manual.man_page(page.split('"curlwire ')[1].split('"')[0])
    for option in OPTIONS:
        assert f"\\-\\-{option.long.replace('-', chr(92) + '-')}" in page
    done = subprocess.run(
        ["man", "--warnings", "-l", "-"], input=page.encode(), capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def completed(*words: str) -> list[str]:
    """What bash completes the last word to."""
    line = " ".join(f"'{word}'" for word in words)
    program = f"{run('completion', 'bash').out}\nCOMP_WORDS=({line}); COMP_CWORD={len(words) - 1}\n"
    program += '_curlwire\nprintf "%s\\n" "${COMPREPLY[@]}"'
    return subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True).stdout.split()


def test_completion_of_bash() -> None:
    assert completed("curlwire", "--output-") == ["--output-format"]
    assert completed("curlwire", "--output-format", "j") == ["jsonl"]
    assert completed("curlwire", "do") == ["doctor"]
    assert completed("curlwire", "completion", "z") == ["zsh"]


def test_completion_of_other_shells() -> None:
    fish = run("completion", "fish").out
    assert "complete -c curlwire -s m -l max-time -r -d 'Fail (28) if all of it takes longer'\n" in fish
    zsh = run("completion", "zsh").out
    assert zsh.startswith("#compdef curlwire\n")
    assert "'*--max-time[Fail (28) if all of it takes longer]:SECONDS:'" in zsh
    assert run("completion", "nonsense").code == 2


def test_the_page_has_the_tables() -> None:
    """docs/command.md has the tables of options, exit codes and variables, as manual.tables() returns them."""
    assert manual.tables() in (ROOT / "docs" / "command.md").read_text()


def test_the_examples_of_the_page(tmp_path: Path) -> None:
    """Each block of shell prints the text behind it. Without a text, only its syntax is checked."""
    page = (ROOT / "docs" / "command.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", page, re.MULTILINE | re.DOTALL)
    assert len(blocks) > 5
    for code, printed in blocks:
        program = code.replace("ws://localhost:8765/", echo()).replace("--timeout 5 ", "--timeout 50 ")
        start = f'curlwire() {{ {" ".join(COMMAND)} "$@"; }}\n'
        words = ["bash", "-c" if printed else "-nc", start + program]
        done = subprocess.run(
            words,
            cwd=tmp_path,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.stdout, done.stderr) == (printed, ""), code
