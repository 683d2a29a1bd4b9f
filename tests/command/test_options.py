# SPDX-License-Identifier: MIT
"""The options: curl's names and meanings, files of options, secrets, help, retries, traces."""

import os
import pty
import select
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from curlwire.command import parser
from curlwire.command.codes import Failure
from curlwire.command.connecting import controls_of
from curlwire.command.options import OPTIONS
from curlwire.command.output import shown, unescape
from helpers import WAIT, echo, environment, log_of, new_token, reply, run, script, serving, start, text, url

# curl's short options that we have, with their long names
CURL = {
    "d": "data", "o": "output", "m": "max-time", "H": "header", "A": "user-agent", "e": "referer",
    "b": "cookie", "c": "cookie-jar", "L": "location", "u": "user", "n": "netrc", "x": "proxy",
    "U": "proxy-user", "k": "insecure", "E": "cert", "K": "config", "s": "silent", "S": "show-error",
    "v": "verbose", "w": "write-out", "h": "help", "V": "version",
}  # fmt: skip
SECRET = "s3cr3t"


def request(*words: str) -> str:
    """The request that the server gets."""
    token = new_token()
    ended = run("--no-stdin", *words, script("close:1000") + f"?id={token}")
    assert ended.code == 0, ended
    head: str = log_of(token)["request"]
    return head


def test_no_short_option_means_something_else_than_in_curl() -> None:
    assert {option.short: option.long for option in OPTIONS if option.short} == CURL


def test_headers(tmp_path: Path) -> None:
    (tmp_path / "headers").write_text("X-One: 1\n\nX-Two: 2\n")
    words = (
        "-H",
        f"@{tmp_path}/headers",
        "-HX-Three: 3",
        "-A",
        "me",
        "-e",
        "http://a/",
        "-b",
        "a=b",
        "-b",
        "c=d",
    )
    head = request(*words, "-u", f"user:{SECRET}")
    for line in (
        "X-One: 1",
        "X-Two: 2",
        "X-Three: 3",
        "User-Agent: me",
        "Referer: http://a/",
        "Cookie: a=b; c=d",
    ):
        assert f"\r\n{line}\r\n" in head
    assert "\r\nAuthorization: Basic dXNlcjpzM2NyM3Q=\r\n" in head
    assert "\r\nAuthorization: Bearer t\r\n" in request("--oauth2-bearer", "t")


def test_files_of_cookies(tmp_path: Path) -> None:
    (tmp_path / "cookies").write_text("127.0.0.1\tFALSE\t/\tFALSE\t0\ta\tb\n")
    assert "\r\nCookie: a=b\r\n" in request("-b", str(tmp_path / "cookies"), "-c", os.devnull)
    for words in (["-b", os.devnull], ["-c", os.devnull], ["-b", ""], ["-b", "", "-c", str(tmp_path / "jar")]):
        assert "Cookie" not in request(*words)


def test_a_jar_that_does_not_exist_yet(tmp_path: Path) -> None:
    jar = str(tmp_path / "jar")
    assert "Cookie" not in request("-b", jar, "-c", jar)
    Path(jar).write_text("127.0.0.1\tFALSE\t/\tFALSE\t0\ta\tb\n")
    assert "\r\nCookie: a=b\r\n" in request("-b", jar, "-c", jar)


def test_a_file_of_options(tmp_path: Path) -> None:
    inner, outer = tmp_path / "inner", tmp_path / "outer"
    inner.write_text('header = "X-Quoted: a\\tb \\"c\\""\n')
    outer.write_text(
        f"# a comment\n\nuser-agent: me\n--header=X-Two:2\nno-stdin\n-e http://a/\nconfig = {inner}\n"
    )
    head = request("-K", str(outer))
    for line in ('X-Quoted: a\tb "c"', "User-Agent: me", "X-Two: 2", "Referer: http://a/"):
        assert f"\r\n{line}\r\n" in head
    outer.write_text("nonsense = 1\n")
    assert "line 1 of" in run("-K", str(outer)).err
    outer.write_text(f"config = {outer}\n")
    assert "includes itself" in run("-K", str(outer)).err
    assert run("-K", "-", stdin=f'url = "{echo()}"\nno-stdin\nmax-time = 0.1\n'.encode()).code == 28


def test_the_environment_has_secrets() -> None:
    given, _ = parser.parse(["ws://x"])
    assert "user" not in given
    ended = run("--no-stdin", "-w", "%{http_code}", script("close:1000"), CURLWIRE_USER=f"a:{SECRET}")
    assert ended.out == "101"


def test_the_variable_of_a_password_counts_beside_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, option in (("CURLWIRE_PASS", "pass"), ("CURLWIRE_PROXY_PASS", "proxy-pass")):
        monkeypatch.setenv(name, SECRET)
        key = option.replace("pass", "key")
        assert option not in parser.parse(["wss://x"])[0]
        assert parser.parse([f"--{key}", "k.pem", "wss://x"])[0][option] == SECRET


def test_a_short_option_of_a_file_of_options(tmp_path: Path) -> None:
    file = tmp_path / "options"
    file.write_text("-una:me:secret\n-b a=b\n-H X:y\n-Au:a\n")
    given, _ = parser.parse(["-K", str(file)])
    assert given["user"] == "na:me:secret"
    assert (given["cookie"], given["header"], given["user-agent"]) == (["a=b"], ["X:y"], "u:a")


def test_a_file_of_headers_names_no_other_file(tmp_path: Path) -> None:
    file = tmp_path / "headers"
    file.write_text(f"X-A: b\n@{file}\n")
    ended = run("--no-stdin", "-H", f"@{file}", echo())
    assert (ended.code, "no colon" in ended.err) == (2, True), ended


@pytest.mark.parametrize(
    "words",
    [
        ["-u", f"user:{SECRET}", "--no-stdin"],
        ["--no-stdin", "--oauth2-bearer", SECRET],
        ["--no-stdin", "-H", f"Authorization: {SECRET}"],
        ["--no-stdin", "-H", f"X-Bad\n: {SECRET}"],
        ["--no-stdin", "-H", SECRET],
        ["--no-stdin", "-x", f"http://u:{SECRET}@127.0.0.1:1"],
        ["--no-stdin", "-x", f"nonsense://u:{SECRET}@127.0.0.1:1"],
        ["--no-stdin", "-U", f"u:{SECRET}", "-x", "127.0.0.1:1"],
        ["--no-stdin", "-b", f"session={SECRET}"],
        ["--no-stdin", "--cert", f"/nonexistent:{SECRET}"],
        ["--no-stdin", "--nonsense", SECRET],
        ["--no-stdin", f"--nonsense={SECRET}"],
        ["--no-stdin", "--unix-socket", "/nonexistent"],
        [f"u:{SECRET}@host"],
    ],
)
def test_secrets_are_never_shown(words: list[str]) -> None:
    ended = run(*words, "-v", "-w", "%{errormsg} %{url_effective}", f"ws://u:{SECRET}@localhost:1/?t={SECRET}")
    assert ended.code not in (0, 1)
    assert SECRET not in ended.out + ended.err


def test_a_misspelt_option() -> None:
    assert "did you mean --header?" in run("--haeder", "x", echo()).err
    assert "takes no value" in run("--text=1", echo()).err
    assert "needs a value" in run(echo(), "-d").err


def test_the_help_fits_a_screen() -> None:
    ended = run("--help")
    assert ended.code == 0
    lines = ended.out.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 110
    whole = run("-h", "all").out
    assert all(f"--{option.long}" in whole for option in OPTIONS)
    assert run("-V").out.startswith("curlwire ")


def test_controls() -> None:
    words = (
        "-k",
        "-L",
        "--compress",
        "--subprotocol",
        "a,b",
        "--local-port",
        "9000-9001",
        "--connect-timeout",
        "inf",
    )
    given, rest = parser.parse([*words, "--no-insecure", "--cert", "f:pw", "--", "-x"])
    controls, _ = controls_of(given)
    assert rest == ["-x"]
    assert "verify" not in controls
    assert controls["follow_location"] == "all"
    assert controls["supported_protocols"] == ["a", "b"]
    assert (controls["local_port"], controls["local_port_range"]) == (9000, 2)
    assert controls["connect_timeout"] is None
    assert (controls["client_certificate"], controls["client_key_password"]) == ("f", "pw")
    with pytest.raises(Failure, match="bytes, such as 64M"):
        parser.parse(["--max-size", "x"])
    assert parser.parse(["--max-size", "2K"])[0]["max-size"] == 2048


def test_empty_values() -> None:
    """Most would unset a control: a script whose variable is empty would get no pin and another CA."""
    allowed = set()
    for option in OPTIONS:
        if option.kind == "flag":
            continue
        try:
            parser.parse([f"--{option.long}", ""])
            allowed.add(option.long)
        except Failure as error:
            assert error.code == 2
    assert allowed == {
        "data", "until", "expect", "print", "write-out", "cookie", "user-agent", "referer", "origin", "proxy",
        "noproxy", "preproxy", "pass", "proxy-pass", "url",
    }  # fmt: skip


def test_zero_is_no_limit_as_in_curl() -> None:
    words = (
        "-m",
        "0",
        "--connect-timeout",
        "0",
        "--retry",
        "1",
        "--retry-max-time",
        "0",
        "--retry-delay",
        "0.01",
    )
    assert run(*words, "-d", "a", "--count", "1", "--no-stdin", echo()).out == "a\n"
    assert "Trying again" in run(*words, "--retry-connrefused", "--no-stdin", url("CW_REFUSED_WS")).err


def test_escapes() -> None:
    assert unescape(r"a\n\t\\n\x") == "a\n\t\\n\\x"
    assert shown("a\x1b[31m\u202eb") == r"a\x1b[31m\u202eb"


# -- retries


def refusing_at_first(count: int) -> "Iterator[bytes]":
    for _ in range(count):
        yield b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
    while True:
        yield b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


def test_retry() -> None:
    answers = refusing_at_first(2)

    def answer(connection: socket.socket) -> None:
        connection.recv(1 << 16)
        connection.sendall(next(answers))

    with serving(answer) as port:
        ended = run("--no-stdin", "--retry", "5", "--retry-delay", "0.01", f"ws://127.0.0.1:{port}/")
    assert ended.code == 22
    assert ended.err.count("Trying again") == 2
    assert "404" in ended.err.splitlines()[-1]


def test_retry_is_only_for_passing_failures() -> None:
    words = ("--no-stdin", "--retry", "1", "--retry-delay", "0.01")
    assert "Trying" not in run(*words, url("CW_REFUSED_WS")).err
    assert "Trying" in run(*words, "--retry-connrefused", url("CW_REFUSED_WS")).err
    assert "Trying" not in run(*words, script(reply("404 x"))).err
    assert "Trying" in run(*words, "--retry-all-errors", script(reply("404 x"))).err


# -- traces and terminals


def test_traces(tmp_path: Path) -> None:
    uri = script(text("a"), "close:1000")
    told = run("-v", "--no-stdin", "-u", f"u:{SECRET}", uri)
    assert told.out == "a\n"
    assert '< frame text fin=1 len=1 "a"' in told.err
    assert run("--trace", str(tmp_path / "trace"), "--no-stdin", uri).code == 0
    assert "HTTP/1.1 101" in (tmp_path / "trace").read_text()


def on_terminal(*words: str) -> tuple[int, bytes]:
    """Runs the command with a terminal as its three files, and returns its exit code and output."""
    mine, its = pty.openpty()
    process = start(*words, stdin=its, stdout=its, stderr=its, env=environment(), start_new_session=True)
    os.close(its)
    parts = []
    try:
        while select.select([mine], [], [], WAIT)[0]:
            parts.append(os.read(mine, 4096))
    except OSError:  # the other side is closed
        pass
    os.close(mine)
    return process.wait(WAIT), b"".join(parts)


def test_control_characters() -> None:
    """They are escaped on a terminal, and passed on in a pipe."""
    uri = script(text("a\x1b]0;title\x07"), "x:82020001", "close:1000")
    assert on_terminal("--no-stdin", uri) == (0, rb"a\x1b]0;title\x07" + b"\r\n0x0001\r\n")
    assert run("--no-stdin", uri).out == "a\x1b]0;title\x07\n\0\1\n"
    reason = b"\x03\xf3bad\x1b[2J"
    code, told = on_terminal("--no-stdin", script(f"x:88{len(reason):02x}{reason.hex()}"))
    assert code == 110
    assert rb"bad\x1b[2J" in told
