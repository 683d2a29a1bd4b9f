# SPDX-License-Identifier: MIT
"""Builds curlwire._core: the C core and the binding in one extension, for every Python from 3.11 on (abi3)."""

import re
import shlex
import subprocess
import sys
import sysconfig
from glob import glob
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

HEADER = Path(__file__).parent / "core" / "include" / "curlwire.h"

# A free-threaded build of Python has no limited API: it gets an extension of its own.
IS_LIMITED = not sysconfig.get_config_var("Py_GIL_DISABLED")


def version() -> str:
    """The one place that knows the version is the header."""
    found = re.search(r'^#define CW_VERSION "(.+)"$', HEADER.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise SystemExit(f"{HEADER} has no CW_VERSION")
    return found.group(1)


def libcurl(what: str) -> list[str]:
    """The flags that libcurl needs; ends with one line and the mend if it will not do."""
    command = ["sh", "scripts/check_libcurl.sh", what]
    result = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise SystemExit(result.stderr.strip())
    return shlex.split(result.stdout)


def link_arguments() -> list[str]:
    """Only the entry point is visible, and the code stays mapped: the service thread may outlive the module."""
    if sys.platform == "darwin":
        return ["-Wl,-exported_symbol,_PyInit__core"]
    return ["-Wl,-z,nodelete", "-Wl,--version-script=bindings/python/core.map"]


class BuildExt(build_ext):
    """Asks for libcurl when something is really compiled, not for an sdist."""

    def run(self) -> None:
        """Adds libcurl's flags, then builds."""
        cflags, libs = libcurl("cflags"), libcurl("libs")
        # What was built with another libcurl is built anew, and so it is when a static one was.
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
    cmdclass={"build_ext": BuildExt},
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if IS_LIMITED else {},
)
