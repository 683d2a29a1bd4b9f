# SPDX-License-Identifier: MIT
"""Builds curlwire._core: one extension with the C core and the binding, for Python 3.11 and later (abi3)."""

import os
import re
import shlex
import subprocess
import sys
import sysconfig
from glob import glob
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.sdist import sdist

ROOT = Path(__file__).resolve().parent
HEADER = ROOT / "core" / "include" / "curlwire.h"

# A free-threaded Python has no limited API, so it needs an extension built for its own version.
IS_LIMITED = not sysconfig.get_config_var("Py_GIL_DISABLED")

if sys.implementation.name != "cpython" or sys.platform == "win32":
    raise SystemExit(
        f"setup.py: curlwire cannot be built for {sys.implementation.name} on {sys.platform}. It needs CPython "
        f"3.11 or later on Linux, macOS or FreeBSD. On Windows, use the Windows Subsystem for Linux"
    )


def version() -> str:
    """Returns the version, which only the header curlwire.h contains."""
    found = re.search(r'^#define CW_VERSION "(.+)"$', HEADER.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise SystemExit(f"setup.py: {HEADER} has no line '#define CW_VERSION \"...\"'; restore it")
    return found.group(1)


def build_libcurl(*arguments: str) -> None:
    """Builds the libcurl that the extension contains, or packs its source. The script says why it fails."""
    if subprocess.run(["sh", "scripts/build_libcurl.sh", *arguments], cwd=ROOT, check=False).returncode != 0:
        raise SystemExit(1)


def libcurl(what: str) -> list[str]:
    """Returns the flags for libcurl. If libcurl cannot be used, exits with the reason and a fix."""
    command = ["sh", "scripts/check_libcurl.sh", what]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise SystemExit(result.stderr.strip())
    return shlex.split(result.stdout)


def link_arguments() -> list[str]:
    """Returns linker flags that export only PyInit__core and keep the code mapped.

    The code must stay mapped, because the service thread may outlive the module.
    """
    if sys.platform == "darwin":
        return ["-Wl,-exported_symbol,_PyInit__core"]
    return ["-Wl,-z,nodelete", "-Wl,--version-script=bindings/python/core.map"]


class BuildExt(build_ext):
    """Builds or finds libcurl only when it compiles, so that other commands work without it."""

    def run(self) -> None:
        """Adds libcurl's flags, then builds."""
        if (os.environ.get("LIBCURL") or "private") == "private":
            build_libcurl()
        cflags, libs = libcurl("cflags"), libcurl("libs")
        # The extension depends on this file, so that a change of libcurl or of its flags builds it again.
        stamp = Path(self.build_temp) / "libcurl"
        words = shlex.join([*libcurl("version"), *cflags, *libs])
        if not stamp.exists() or stamp.read_text(encoding="utf-8") != words:
            stamp.parent.mkdir(parents=True, exist_ok=True)
            stamp.write_text(words, encoding="utf-8")
        for extension in self.extensions:
            extension.extra_compile_args += cflags
            extension.extra_link_args += libs
            extension.depends += [str(stamp), *(word for word in libs if word.endswith(".a"))]
        super().run()


class Sdist(sdist):
    """Makes a source archive that also contains the source of libcurl, so that it builds without a network."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        """Copies the files, then adds the sources."""
        super().make_release_tree(base_dir, files)
        build_libcurl("--pack", str(Path(base_dir).resolve() / "packaging" / "sources"))


core = Extension(
    "curlwire._core",
    sources=sorted(glob("bindings/python/src/*.c") + glob("core/src/*/*.c")),
    depends=glob("bindings/python/src/*.h") + glob("core/src/*/*.h") + glob("core/include/*.h"),
    include_dirs=["core/include"],
    define_macros=[("_GNU_SOURCE", None)] + ([("Py_LIMITED_API", "0x030b0000")] if IS_LIMITED else []),
    extra_compile_args=["-std=c11", "-fvisibility=hidden", "-pthread"],
    extra_link_args=["-pthread", *link_arguments()],
    py_limited_api=IS_LIMITED,
)

setup(
    version=version(),
    license="MIT",
    ext_modules=[core],
    cmdclass={"build_ext": BuildExt, "sdist": Sdist},
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if IS_LIMITED else {},
)
