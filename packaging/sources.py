# SPDX-License-Identifier: MIT
"""The sources of the libraries that our builds contain: packaging/sources.txt pins them, this file gets them.

    python3 packaging/sources.py get NAME ...    prints the path of each archive, and fetches what is missing
    python3 packaging/sources.py newer           lists newer releases; the exit code is 1 if there is one
    python3 packaging/sources.py update          writes the newest releases into sources.txt

An archive is used only if its SHA-256 is the one in sources.txt. It is searched in build/sources, then in the
source packages of Debian's archive, then at its place upstream. With build/sources, no network is necessary.

`newer` and `update` ask Debian's archive, whose index apt verifies by signature, and the tags of the upstream
repository. Either is enough. An archive from upstream is only as trustworthy as its first download, so compare
its signature with the project's keys, as docs/releasing.md says.
"""

from __future__ import annotations

import functools
import hashlib
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import astuple, dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIST = ROOT / "packaging" / "sources.txt"
CACHE = ROOT / "build" / "sources"
APT_HELPER = "/usr/lib/apt/apt-helper"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
LIST_AGE_S = 6 * 3600  # apt's lists are read again after this time
TIMEOUT_S = 30


class NoSource(Exception):
    """A source cannot be found, or is not the one that sources.txt names. The message says what to do."""


@dataclass(frozen=True)
class Source:
    """A row of sources.txt."""

    name: str
    version: str
    sha256: str
    file: str
    place: str


@dataclass(frozen=True)
class Upstream:
    """Where a project names its releases. The groups of `tag` are the numbers of a version.

    Without a place, the archive is Debian's own, which differs from the project's.
    """

    repository: str
    tag: str
    place: str
    package: str  # of Debian
    series: str = ""  # the versions to follow begin with this


# OpenSSL 3.5 is the newest series with long-term support. Change it here when the next one is released.
UPSTREAM = {
    "curl": Upstream(
        "https://github.com/curl/curl",
        r"curl-(\d+)_(\d+)_(\d+)",
        "https://curl.se/download/curl-{version}.tar.gz",
        "curl",
    ),
    "libpsl": Upstream(
        "https://github.com/rockdaboot/libpsl",
        r"(?:libpsl-)?(\d+)\.(\d+)\.(\d+)",
        "https://github.com/rockdaboot/libpsl/releases/download/{version}/libpsl-{version}.tar.gz",
        "",
    ),
    # Debian's archive of libpsl lacks the list of public suffixes, which has a package of its own
    "libpsl-debian": Upstream("", "", "", "libpsl"),
    "publicsuffix": Upstream("", "", "", "publicsuffix"),
    "openssl": Upstream(
        "https://github.com/openssl/openssl",
        r"openssl-(\d+)\.(\d+)\.(\d+)",
        "https://github.com/openssl/openssl/releases/download/openssl-{version}/openssl-{version}.tar.gz",
        "openssl",
        "3.5.",
    ),
    "zlib": Upstream(
        "https://github.com/madler/zlib",
        r"v(\d+)\.(\d+)(?:\.(\d+))?",
        "https://zlib.net/fossils/zlib-{version}.tar.gz",
        "zlib",
    ),
    # its headers, and the free-threaded Python of the tests; the series is the ABI of the free-threaded wheels
    "python": Upstream(
        "https://github.com/python/cpython",
        r"v(\d+)\.(\d+)\.(\d+)",
        "https://www.python.org/ftp/python/{version}/Python-{version}.tar.xz",
        "python3.13",
        "3.13.",
    ),
    # their headers, for the binary rocks; the name is Debian's too
    **{
        f"lua{series}": Upstream(
            "https://github.com/lua/lua",
            r"v(\d+)\.(\d+)\.(\d+)",
            "https://www.lua.org/ftp/lua-{version}.tar.gz",
            f"lua{series}",
            f"{series}.",
        )
        for series in ("5.1", "5.3", "5.4")
    },
}


# ---- sources.txt


def read() -> dict[str, Source]:
    rows: dict[str, Source] = {}
    for number, line in enumerate(LIST.read_text().splitlines(), 1):
        words = line.split()
        if not words or line.startswith("#"):
            continue
        if len(words) != 5 or not re.fullmatch(r"[0-9a-f]{64}", words[2]):
            raise NoSource(f"{LIST}:{number} is not 'name version SHA-256 file place': correct the line")
        rows[words[0]] = Source(*words)
    return rows


def write(rows: dict[str, Source]) -> None:
    """Writes the rows, and keeps the comments above them."""
    comments = [line for line in LIST.read_text().splitlines() if line.startswith("#")]
    LIST.write_text("\n".join([*comments, *(" ".join(astuple(row)) for row in rows.values()), ""]))


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


# ---- Debian's archive, with lists of our own, so that the machine's lists stay as they are


def output_of(*command: str) -> str:
    """Returns what a command prints, or nothing if it fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (subprocess.CalledProcessError, FileNotFoundError):
        return ""


def apt_folder(architecture: str = "") -> Path:
    return CACHE / f"apt{architecture and '-'}{architecture}"


def private_apt(command: str, *arguments: str, architecture: str = "") -> tuple[str, ...]:
    """Returns a command of apt with separate lists. It downloads as the user who runs this program."""
    folder = apt_folder(architecture)
    (folder / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (folder / "cache" / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    settings = {
        "Dir::Etc::SourceList": folder / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": folder / "lists",
        "Dir::State::Status": "/dev/null",
        "Dir::Cache": folder / "cache",
        "APT::Sandbox::User": "root",
        "Acquire::Retries": 3,
        "Acquire::http::Timeout": TIMEOUT_S,
        "Acquire::Languages": "none",
        **({"APT::Architecture": architecture, "APT::Architectures": architecture} if architecture else {}),
    }
    options = [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]
    return (command, "-qq", *options, *arguments)


def archives() -> list[str]:
    """Returns the archives of Debian from which this machine installs its packages, as lines of apt's sources.

    So this file needs the name of no host.
    """
    signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
    printed = output_of("apt-get", "update", "--print-uris", "-o", "Debug::NoLocking=1")
    found = dict.fromkeys(
        re.findall(r"^'([^']*)/dists/([^/']+)(?:/updates)?/(?:In)?Release'", printed, re.MULTILINE)
    )
    lines = []
    for base, suite in found:
        if suite.endswith("-security"):
            lines.append(f"{signed}{base} stable-security main")
        elif "-" not in suite:
            lines += [
                f"{signed}{base} {name} main" for name in ("sid", "testing", "stable", "stable-backports")
            ]
    return list(dict.fromkeys(lines))


def main_archive() -> str:
    """Returns the address of Debian's archive, or nothing."""
    return next((line.split()[-3] for line in archives() if line.endswith(" sid main")), "")


@functools.cache
def has_lists(kind: str = "deb-src", architecture: str = "") -> bool:
    """Makes our own lists of packages (`deb`) or of sources (`deb-src`). Returns whether there are any."""
    folder = apt_folder(architecture)
    done = folder / "done"
    if done.exists() and time.time() - done.stat().st_mtime < LIST_AGE_S:
        return True
    lines = archives()
    if not lines:
        return False
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sources.list").write_text("".join(f"{kind} {line}\n" for line in lines))
    # a suite may be missing in an archive; the others still work
    subprocess.run(
        private_apt("apt-get", "update", architecture=architecture), capture_output=True, check=False
    )
    if not any((folder / "lists").glob("*_InRelease")):
        return False
    done.touch()
    return True


def upstream_version(version: str) -> str:
    """Returns the upstream version in a version of Debian: 1:1.3.dfsg+really1.3.1-1 is 1.3.1."""
    version = version.split(":")[-1].rpartition("-")[0] or version
    return re.sub(r"[.+~](dfsg|ds|repack).*", "", version.split("+really")[-1])


@dataclass(frozen=True)
class Packaged:
    """An upstream archive in a source package of Debian."""

    version: str  # upstream's
    sha256: str
    file: str
    package: str  # name=version, for apt-get source
    directory: str = ""

    def place(self, upstream: Upstream) -> str:
        """Returns where the same archive is without apt. Debian repacks some: they are in its history."""
        if not upstream.place or re.search(r"[.+](dfsg|ds|repack)", self.file):
            today = time.strftime("%Y%m%dT000000Z", time.gmtime())
            return f"https://snapshot.debian.org/archive/debian/{today}/{self.directory}/{self.file}"
        return upstream.place.format(version=self.version)


@functools.cache
def packaged(package: str) -> list[Packaged]:
    """Returns the upstream archives of a source package, the newest first, without release candidates."""
    if not package or not has_lists():
        return []
    found = []
    printed = output_of(*private_apt("apt-cache", "showsrc", "--only-source", package))
    for paragraph in printed.split("\n\n"):
        version = re.search(r"^Version: (.*)", paragraph, re.MULTILINE)
        sums = re.search(r"^Checksums-Sha256:\n((?: .*\n?)+)", paragraph, re.MULTILINE)
        archive = re.search(r"([0-9a-f]{64}) \d+ (\S+\.orig\.tar\.\w+)$", sums[1] if sums else "", re.MULTILINE)
        directory = re.search(r"^Directory: (.*)", paragraph, re.MULTILINE)
        if version and archive and directory and not re.search(r"~(rc|alpha|beta|git)", version[1]):
            one = (upstream_version(version[1]), archive[1], archive[2], f"{package}={version[1]}")
            found.append(Packaged(*one, directory[1]))
    return sorted(found, key=lambda one: numbers(one.version), reverse=True)


def from_debian(source: Source, target: Path) -> bool:
    for one in packaged(UPSTREAM[source.name].package) if source.name in UPSTREAM else []:
        if one.sha256 != source.sha256:
            continue
        printed = output_of(
            *private_apt("apt-get", "source", "--print-uris", "--download-only", "--only-source", one.package)
        )
        for address in re.findall(rf"^'([^']*)' {re.escape(one.file)} ", printed, re.MULTILINE):
            command = private_apt(APT_HELPER, "download-file", address, str(target), f"SHA256:{source.sha256}")
            if subprocess.run(command, capture_output=True, check=False).returncode == 0:
                return True
    return False


# ---- upstream


def from_place(place: str, target: Path) -> str:
    """Downloads an archive. Returns why that failed, or nothing."""
    try:
        with urllib.request.urlopen(place, timeout=TIMEOUT_S) as reply, target.open("wb") as file:
            shutil.copyfileobj(reply, file)
    except (OSError, urllib.error.URLError) as error:
        return str(error)
    return ""


def upstream_versions(upstream: Upstream) -> list[str]:
    """Returns the versions that the tags of a repository name."""
    if not upstream.repository:
        return []
    command = ("timeout", str(TIMEOUT_S), "git", "ls-remote", "--tags", upstream.repository)
    tags = re.findall(r"refs/tags/(\S+)$", output_of(*command), re.MULTILINE)
    found = (re.fullmatch(upstream.tag, tag) for tag in tags)
    return [".".join(number for number in one.groups() if number) for one in found if one]


# ---- the commands


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def get(name: str) -> Path:
    """Returns the archive of a source, which has the SHA-256 that sources.txt pins."""
    rows = read()
    if name not in rows:
        raise NoSource(f"{LIST} has no row {name}. It has: {', '.join(rows)}")
    return fetch(rows[name])


def fetch(source: Source) -> Path:
    target = CACHE / source.file
    if target.exists() and sha256_of(target) == source.sha256:
        return target
    CACHE.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    if not from_debian(source, part):
        reason = from_place(source.place, part)
        if reason:
            raise NoSource(
                f"no source of {source.name} {source.version}: Debian's archive lacks it, and {source.place} "
                f"cannot be fetched ({reason}). Put this archive at {target}"
            )
    if sha256_of(part) != source.sha256:
        raise NoSource(
            f"{source.place} has the SHA-256 {sha256_of(part)}, not {source.sha256}, which {LIST} pins. "
            f"Find out which is right before you use either"
        )
    part.rename(target)
    return target


def newest(name: str) -> Source:
    """Returns the newest release of a source. Raises NoSource if nobody could be asked."""
    current, upstream = read()[name], UPSTREAM[name]
    in_debian = [one for one in packaged(upstream.package) if one.version.startswith(upstream.series)]
    tagged = [version for version in upstream_versions(upstream) if version.startswith(upstream.series)]
    if not in_debian and not tagged:
        raise NoSource(
            f"neither Debian's archive nor {upstream.repository or 'another'} can be asked for {name}"
        )
    version = max([*(one.version for one in in_debian), *tagged, current.version], key=numbers)
    if numbers(version) == numbers(current.version):
        return current
    place = upstream.place.format(version=version)
    found = replace(current, version=version, place=place, file=place.rpartition("/")[2], sha256="")
    for one in in_debian:
        if one.version == version:
            place = one.place(upstream)
            return replace(found, sha256=one.sha256, file=place.rpartition("/")[2], place=place)
    return found


def fetched(source: Source) -> Source:
    """Fetches the archive of a newer release, and fills in a SHA-256 that only its project could tell."""
    if source.sha256:
        fetch(source)
        return source
    CACHE.mkdir(parents=True, exist_ok=True)
    target = CACHE / source.file
    reason = from_place(source.place, target)
    if reason:
        raise NoSource(f"{source.place} cannot be fetched ({reason})")
    print(
        f"{source.name} {source.version} is from {source.place}: compare its signature with the project's keys"
    )
    return replace(source, sha256=sha256_of(target))


def update(is_writing: bool) -> int:
    """Tells newer releases, and writes those that can be fetched. Returns 1 if it leaves an older one."""
    rows, is_old = read(), False
    for name in [name for name in rows if name in UPSTREAM]:
        found = newest(name)
        if found == rows[name]:
            print(f"{name} {found.version} is the newest")
            continue
        print(f"{name} {rows[name].version} -> {found.version} ({found.place})")
        try:
            rows[name] = fetched(found) if is_writing else found
        except NoSource as error:
            print(f"{name} stays at {rows[name].version}: {error}")
            is_old = True
    if is_writing:
        write(rows)
    return 1 if is_old or (not is_writing and rows != read()) else 0


def main(arguments: list[str]) -> int:
    try:
        match arguments:
            case ["get", *names] if names:
                for name in names:
                    print(get(name))
                return 0
            case ["newer"]:
                return update(is_writing=False)
            case ["update"]:
                return update(is_writing=True)
    except NoSource as error:
        print(f"sources.py: {error}", file=sys.stderr)
        return 2
    print("usage: sources.py [get NAME ... | newer | update]", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
