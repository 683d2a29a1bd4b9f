# SPDX-License-Identifier: MIT
"""What scripts do to the command: odd bytes, files of options, files that fail, no HOME, closed descriptors."""

import os
import select
import socket
import subprocess
from pathlib import Path

import pytest

from curlwire.command import parser
from curlwire.command.codes import Failure
from curlwire.command.connecting import controls_of
from helpers import COMMAND, WAIT, Ended, echo, environment, run, script, serving_peers, start, text, url

NOT_UTF8 = os.fsdecode(b"\xff")
LOCALES = pytest.mark.parametrize("locale", ["C", "C.UTF-8"])


# -- bytes that are no text


@LOCALES
@pytest.mark.parametrize(
    ("code", "words"),
    [
        (3, ["ws://localhost/" + NOT_UTF8]),
        (3, [NOT_UTF8]),
        (2, ["--" + NOT_UTF8, "ws://localhost/"]),
        (2, ["-" + NOT_UTF8, "ws://localhost/"]),
        (2, ["--count", NOT_UTF8, "ws://localhost/"]),
        (2, ["-A", NOT_UTF8, "ws://localhost/"]),
        (2, ["-H", f"X-A: {NOT_UTF8}", "ws://localhost/"]),
        (2, ["-u", f"{NOT_UTF8}:{NOT_UTF8}", "ws://localhost/"]),
        (2, ["--subprotocol", NOT_UTF8, "ws://localhost/"]),
        (2, ["--close", f"1000:{NOT_UTF8}", "ws://localhost/"]),
        (2, ["--expect", f"({NOT_UTF8}", "ws://localhost/"]),
        (26, ["-d", NOT_UTF8, "ECHO"]),
        (26, ["-d", f"@/nonexistent/{NOT_UTF8}", "ws://localhost/"]),
        (23, ["-o", f"/nonexistent/{NOT_UTF8}", "ws://localhost/"]),
        (2, ["--unix-socket", f"/nonexistent/{NOT_UTF8}", "ws://localhost/"]),
    ],
)
def test_words_that_are_not_utf8(code: int, words: list[str], locale: str) -> None:
    ended = run("--no-stdin", *(echo() if word == "ECHO" else word for word in words), LC_ALL=locale)
    assert ended.code == code, ended
    assert ended.err.startswith(f"curlwire: ({code}) ") and ended.err.count("\n") == 1


@LOCALES
def test_bytes_of_words_pass_unchanged(tmp_path: Path, locale: str) -> None:
    path = tmp_path / NOT_UTF8
    words = ("-d", NOT_UTF8 + "ä", "--binary", "--count", "1", "--no-stdin", "--output-format", "raw")
    process = start(*words, "-o", str(path), "-w", NOT_UTF8, echo(), env=environment(LC_ALL=locale))
    assert process.communicate(timeout=WAIT) == (b"\xff", b"")
    assert path.read_bytes() == b"\xff" + "ä".encode()
    process = start(*words[:-2], "--print", NOT_UTF8 + "%{data}", echo(), env=environment(LC_ALL=locale))
    assert process.communicate(timeout=WAIT) == (b"\xff\xff" + "ä".encode(), b"")


def test_binary_stdin_and_huge_lines() -> None:
    data = bytes(range(256)) * 4096
    process = start("--input-format", "raw", "--output-format", "raw", "--linger", "inf", echo())
    process.stdin.write(data)  # type: ignore[union-attr]
    process.stdin.flush()  # type: ignore[union-attr]
    got = b""
    while len(got) < len(data):
        got += os.read(process.stdout.fileno(), 1 << 16)  # type: ignore[union-attr]
    assert got == data
    process.kill()
    line = b"x" * (3 << 20)
    ended = run("--count", "1", echo(), stdin=line)
    assert ended.out == line.decode() + "\n"
    assert run("--max-size", "1M", echo(), stdin=line).code == 26


def test_json_that_is_too_deep() -> None:
    assert run("--input-format", "jsonl", echo(), stdin=b"[" * 100_000).code == 26
    assert run("--input-format", "jsonl", echo(), stdin=b'{"data":"\\ud800"}').code == 26


# -- files of options


def given(path: Path, content: bytes) -> parser.Given:
    path.write_bytes(content)
    return parser.parse(["-K", str(path)])[0]


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"user-agent = me\r\n", "me"),
        (b"\t user-agent\tme \t# a comment", "me"),
        (b'user-agent="a b" # a comment', "a b"),
        (b'user-agent: "a\\"b\\\\c\\x"', 'a"b\\cx'),
        (b'user-agent = "\\t\\n\\r\\v"', "\t\n\r\v"),
        (b'user-agent = "a\xe2\x80\xa8b\xc2\x85c\x0cd\x0be\rf"\n', "a\u2028b\x85c\x0cd\x0be\rf"),
        (b"user-agent = #1", "#1"),
        (b'user-agent = ""', ""),
        (b"-A me", "me"),
        (b"-Ame", "me"),
        (b"--user-agent me", "me"),
        (b"user-agent = a'b", "a'b"),
    ],
)
def test_values_in_a_file_of_options(tmp_path: Path, content: bytes, value: str) -> None:
    assert given(tmp_path / "file", content) == {"user-agent": value}


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"\n\nheader = X-A: s3cret", "line 3 of .*a value with blanks needs double quotes"),
        (b"no-stdin = s3cret", "the option no-stdin takes no value"),
        (b"-s s3cret", "the option -s takes no value"),
        (b"user-agent", "needs a value"),
        (b"user-agent = s3c\0ret", "NUL"),
        (b"= s3cret", "unknown"),
        (b"\xff = s3cret", "unknown"),
        (b"url =", "needs a value"),
    ],
)
def test_faults_in_a_file_of_options(tmp_path: Path, content: bytes, fault: str) -> None:
    with pytest.raises(Failure, match=fault) as caught:
        given(tmp_path / "file", content)
    assert caught.value.code == 2
    assert "s3c" not in str(caught.value)


def test_a_flag_with_a_comment(tmp_path: Path) -> None:
    assert given(tmp_path / "file", b"no-stdin # a comment\nsilent\n") == {"no-stdin": True, "silent": True}


def test_a_file_of_headers(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"X-A: a\xe2\x80\xa8b\r\n\r\nX-B:\tc\n")
    _, headers = controls_of(parser.parse(["-H", f"@{tmp_path}/file"])[0])
    assert headers == [("X-A", "a\u2028b"), ("X-B", "c")]


def test_many_files_of_messages(tmp_path: Path) -> None:
    words = []
    for number in range(300):
        (tmp_path / str(number)).write_text(f"{number}\nx")
        words += ["-d", f"@{tmp_path}/{number}"]
    ended = run("--no-stdin", *words, "--count", "300", "--output-format", "null", echo())
    assert ended == Ended(0, "".join(f"{number}\nx\0" for number in range(300)), "")


# -- files that fail


def test_a_failed_connect_leaves_the_output_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("old and long")
    assert run("--no-stdin", "-o", str(path), url("CW_REFUSED_WS")).code == 7
    assert path.read_text() == "old and long"
    assert run("--no-stdin", "-o", str(path), script(text("new"), "close:1000")).code == 0
    assert path.read_text() == "new\n"


def test_a_full_disk_behind_stderr(tmp_path: Path) -> None:
    """What cannot be told does not change the exit code."""
    (tmp_path / "file").write_bytes(b"x" * 10)
    for words in (
        ["put", str(tmp_path / "file"), echo()],
        ["-v", "-d", "a", "--count", "1", "--no-stdin", echo()],
    ):
        with open("/dev/full", "wb") as full:
            process = start(*words, stderr=full)
            process.communicate(timeout=WAIT)
        assert process.returncode == 0
    with open("/dev/full", "wb") as full:
        process = start("--no-stdin", url("CW_REFUSED_WS"), stderr=full)
        process.communicate(timeout=WAIT)
    assert process.returncode == 7


@pytest.mark.parametrize(
    "words", ["get {} -", "get {} /dev/null", "put /dev/null {}", "bench {}", "tap 0 {}", "man"]
)
def test_closed_stdout_of_a_verb(words: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f"exec {' '.join(COMMAND)} {words.format(repr(echo()))} >&-"],
        capture_output=True, env=environment(), check=False, timeout=WAIT,
    )  # fmt: skip
    assert done.returncode == 23
    assert done.stderr == b"curlwire: (23) stdout is closed. Redirect it, as with > /dev/null\n"


@pytest.mark.parametrize("verb", ["-d @-", "put -"])
def test_stdin_that_does_not_block(verb: str) -> None:
    """A reader that takes "nothing yet" for the end would send a part."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    words = ["--count", "1", "-o", "/dev/null"] if verb == "-d @-" else []
    process = start(*verb.split(), *words, "-w", "%{size_upload}", echo(), stdin=reading)
    assert process.stdout is not None
    os.close(reading)
    os.write(writing, b"one,")
    assert not select.select([process.stdout], [], [], 0.5)[0]  # it waits for the end
    os.write(writing, b"two")
    os.close(writing)
    assert process.communicate(timeout=WAIT)[0] == b"7"
    assert process.returncode == 0


def test_a_reason_with_line_breaks_is_one_line() -> None:
    reason = b"\x03\xf3a\ncurlwire: (0) b\r\tc"
    ended = run("--no-stdin", "-w", "%{close_reason}", script(f"x:88{len(reason):02x}{reason.hex()}"))
    assert ended.code == 110
    assert ended.out == r"a\ncurlwire: (0) b\r" + "\tc"
    assert ended.err.count("\n") == 1


# -- the environment


def test_without_home() -> None:
    kept = {
        name: value for name, value in environment().items() if name not in ("HOME", "LANG", "USER", "LOGNAME")
    }
    process = start("-d", "a", "--count", "1", "--no-stdin", echo(), env=kept)
    assert process.communicate(timeout=WAIT) == (b"a\n", b"")
    process = start(
        "-d", "a", "--count", "1", "--no-stdin", echo(), env={"PATH": kept["PATH"], **pythons(kept)}
    )
    assert process.communicate(timeout=WAIT) == (b"a\n", b"")


def pythons(variables: dict[str, str]) -> dict[str, str]:
    """The variables that the test build of the package needs."""
    return {name: value for name, value in variables.items() if name.startswith(("PYTHON", "LD_"))}


def test_warnings_as_errors() -> None:
    ended = run("-d", "a", "--count", "1", "--no-stdin", echo(), PYTHONWARNINGS="error", PYTHONOPTIMIZE="2")
    assert ended == Ended(0, "a\n", "")


@pytest.mark.parametrize(
    "words",
    [
        ["--timeout", "1e300"],
        ["-m", "1e300"],
        ["--linger", "1e300"],
        ["--retry", "9", "--retry-delay", "1e300", "--retry-max-time", "1e300"],
        ["--max-size", "8000000000G"],
        ["--count", "9" * 30],
    ],
)
def test_numbers_that_are_very_large(words: list[str]) -> None:
    ended = run(*words, "-d", "a", "--until", "a", "--no-stdin", echo())
    assert ended.code in (0, 2, 18) and "Traceback" not in ended.err, ended


def test_a_very_long_delay_of_retries() -> None:
    process = start("--retry", "9", "--retry-delay", "1e300", "--retry-connrefused", url("CW_REFUSED_WS"))
    assert process.stderr is not None
    assert b"Trying again in" in process.stderr.readline()
    process.terminate()
    assert process.wait(WAIT) == 143
    assert process.stderr.read() == b""


def test_the_peer_of_stdout_is_a_socket() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = start("--no-stdin", "-d", "a", "--linger", "inf", echo(), stdout=theirs)
        theirs.close()
        assert ours.recv(10) == b"a\n"
    assert process.wait(WAIT) == 23


def test_the_server_goes_at_once() -> None:
    with serving_peers(lambda peer: None) as uri:
        assert run("-d", "a", "--no-stdin", uri).code == 52
