# SPDX-License-Identifier: MIT
"""Minimal Debian systems, and programs for another processor, for test_wheels.py and test_rocks.py. Only root
can make them.

A system's base is made once by debootstrap, with python3, python3-venv and the certificates that pip needs, and
stays in build/wheel/roots. Each use mounts it in a mount namespace, below a folder that takes what the commands
write. The mounts end with the command.
"""

from __future__ import annotations

import functools
import os
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

import sources
from build_wheels import ROOT, WORK, say
from checks import Failed, call

FOLDER = WORK / "roots"
PACKAGES = "ca-certificates,python3,python3-venv"
# The arguments: the base, the folder of a system, the folders that are the same inside, --, the command.
INSIDE = r"""
set -eu
base=$1 place=$2
shift 2
mkdir -p "$place/upper" "$place/work" "$place/root"
mount -t overlay overlay -o "lowerdir=$base,upperdir=$place/upper,workdir=$place/work" "$place/root"
for folder in /proc /sys /dev; do mount --rbind "$folder" "$place/root$folder"; done
while [ "$1" != -- ]; do
    mkdir -p "$place/root$1"
    mount --bind "$1" "$place/root$1"
    shift
done
shift
exec chroot "$place/root" "$@"
"""
# The settings with which this machine's apt and pip reach their archives.
NETWORK = ("/etc/resolv.conf", "/etc/hosts", "/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt")
# The certificates by which pip reaches the registry; update-ca-certificates writes the system's own file anew.
PIP_CERTIFICATES = "/etc/pip-certificates.crt"
KEPT = ("http_proxy", "https_proxy", "no_proxy", "PIP_INDEX_URL")


class Root:
    """A system in which commands run."""

    def __init__(self, release: str, name: str = "system") -> None:
        self.base = base(release)
        self.place = FOLDER / f"{release}.{name}"
        shutil.rmtree(self.place, ignore_errors=True)

    def call(self, *command: str | Path, cwd: Path | str = "/") -> str:
        """Runs a command inside, with the variables of the test servers, and returns its output."""
        peers = {name: value for name, value in os.environ.items() if name.startswith("CW_")}
        environment = {
            "HOME": "/root", "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1",
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "PIP_CERT": PIP_CERTIFICATES, "PIP_CACHE_DIR": str(WORK / "pip-cache"),
            **{name: os.environ[name] for name in KEPT if name in os.environ}, **peers,
        }  # fmt: skip
        (WORK / "pip-cache").mkdir(exist_ok=True)
        shared = [ROOT, *([Path(peers["CW_CA_FILE"]).parent] if "CW_CA_FILE" in peers else [])]
        words = ["env", "-i", *(f"{name}={value}" for name, value in environment.items())]
        words += ["sh", "-euc", 'cd "$0" && exec "$@"', str(cwd), *map(str, command)]
        return call(
            "unshare", "--mount", "sh", "-c", INSIDE, "sh", self.base, self.place, *shared, "--", *words
        )

    def write(self, path: str, text: str) -> None:
        target = Path(f"{self.place}/upper{path}")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


@functools.cache
def base(release: str) -> Path:
    """Makes the system that the others of a release begin with."""
    if os.geteuid() != 0:
        raise Failed("only root can make a minimal system. Run the suite wheels as root")
    folder = FOLDER / f"{release}.base"
    if folder.exists():
        return folder
    if not shutil.which("debootstrap"):
        raise Failed("debootstrap is not installed. On Debian run: apt-get install debootstrap")
    mirror = sources.main_archive()
    if not mirror:
        raise Failed("apt does not use an archive of Debian, from which a minimal system could be made")
    say(f"debootstrap makes a minimal {release}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    call("debootstrap", "--variant=minbase", f"--include={PACKAGES}", release, part, mirror)
    for name in NETWORK:
        if Path(name).exists():
            inside = PIP_CERTIFICATES if name.endswith("ca-certificates.crt") else name
            shutil.copy(name, f"{part}{inside}")
    part.rename(folder)
    return folder


# ---- another processor


@functools.cache
def extracted(architecture: str, release: str, *names: str) -> Path:
    """Downloads Debian's packages, with what they depend on, and extracts them. Nothing is installed."""
    folder = FOLDER / f"{release}-{architecture}-{'-'.join(names)}"
    if folder.exists():
        return folder
    if not sources.has_lists("deb", architecture):
        raise Failed(f"apt has no packages for {architecture}")
    command = sources.private_apt(
        "apt-get", "install", "--download-only", "--yes", "--no-install-recommends",
        f"-oAPT::Default-Release={release}", "-oDebug::NoLocking=1", *names, architecture=architecture,
    )  # fmt: skip
    call(*command)
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for package in sorted((sources.apt_folder(architecture) / "cache" / "archives").glob("*.deb")):
        call("dpkg-deb", "--extract", package, part)
        package.unlink()
    for name in ("bin", "lib"):  # these links are in no package
        if not (part / name).exists():
            (part / name).symlink_to(f"usr/{name}")
    part.rename(folder)
    return folder


@functools.cache
def qemu(architecture: str, package: str = "python3") -> tuple[tuple[str, ...], str]:
    """Returns a command that runs programs of another processor, and the program of a package for it."""
    cpu = {"arm64": "aarch64"}[architecture]
    system = extracted(architecture, "stable", package)
    emulator = shutil.which(f"qemu-{cpu}-static")
    if emulator is None:
        found = list(extracted("amd64", "stable", "qemu-user").glob(f"usr/bin/qemu-{cpu}"))
        if not found:
            raise Failed(f"there is no qemu-{cpu}-static. On Debian run: apt-get install qemu-user-static")
        emulator = str(found[0])
    return (emulator, "-L", str(system)), str(system / "usr" / "bin" / package)
