# SPDX-License-Identifier: MIT
"""Builds the wheels into dist/. `make wheel` calls it.

    python3 packaging/build_wheels.py [--list] [TARGET | ABI ...]

TARGET is manylinux_2_17 or musllinux_1_2, with _x86_64 or _aarch64; ABI is abi3 or cp313t. Without an argument
it builds them all, one after another. One machine builds for all targets, because the compiler is `zig cc`,
which has the headers of each system (packaging/requirements.txt pins it).

Each wheel holds one shared object, which contains libcurl, OpenSSL and zlib and exports only PyInit__core.
Their sources are those of sources.txt. scripts/build_libcurl.sh builds libcurl, as it does for the default
build. The flags of our own sources are those of setup.py. What is built stays in build/wheel, so that a second
run compiles only what has changed.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import venv
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import sbom
import sources

ROOT = sources.ROOT
HERE = ROOT / "packaging"
WORK = ROOT / "build" / "wheel"
DIST = ROOT / "dist"
REQUIREMENTS = HERE / "requirements.txt"
JOBS = int(os.environ.get("JOBS") or os.cpu_count() or 1)
# --gc-sections removes the functions that nothing calls, so each function gets a section.
FLAGS = shlex.split("""
    -O2 -g0 -DNDEBUG -fPIC -fvisibility=hidden -ffunction-sections -fdata-sections -fstack-protector-strong
    -fno-sanitize=all
""")
# For our own sources: the linker optimizes the core and the binding as a whole. In Python, to receive a message
# of 32 bytes then takes 14 % fewer instructions, to send it 11 %, and a round trip 12 %. The module grows by
# 24 KiB.
OUR_FLAGS = ["-flto"]
FIRST_EPOCH = "315532800"  # 1980, the first year of a zip
# -rtlib=none: no function of zig's own library. packaging/trunctfdf2.c says why.
LINK_FLAGS = shlex.split("-shared -s -rtlib=none -Wl,--gc-sections -Wl,-z,relro -Wl,-z,now")
# no-module: without it, OpenSSL would load the legacy provider from a folder. no-autoload-config and no-atexit:
# a library inside a module must not read the system's settings for another version, nor run code at the end of
# the process, when its service thread may still run. The last three rows leave out what no wss connection uses.
OPENSSL_OPTIONS = shlex.split("""
    no-shared no-module no-engine no-apps no-tests no-docs no-atexit no-autoload-config no-makedepend
    --openssldir=/etc/ssl --prefix=/usr --libdir=lib
    no-cmp no-ct no-dtls no-quic no-srp no-srtp no-ssl-trace no-ts no-rfc3779 no-comp
    no-legacy no-aria no-bf no-camellia no-cast no-cms no-ec2m no-idea no-mdc2 no-ocb no-rmd160 no-seed
    no-siphash no-siv no-slh-dsa no-sm2 no-sm4 no-whirlpool
""")
# Debian's settings of OpenSSL, for example, may name providers that this OpenSSL lacks.
CURL_OPTIONS = ("--disable-openssl-auto-load-config",)
CURL_SCRIPT = ROOT / "scripts" / "build_libcurl.sh"


class Failed(Exception):
    """The build has failed; the text says where and why."""


@dataclass(frozen=True)
class Target:
    tag: str  # of the wheel
    zig: str
    openssl: str
    host: str  # for configure, and in the names of extensions

    @property
    def folder(self) -> Path:
        return WORK / self.tag

    @property
    def musl(self) -> str:
        """The name of musl's libc on the systems of this target; nothing for glibc."""
        return f"libc.musl-{self.host.partition('-')[0]}.so.1" if "musl" in self.tag else ""

    @property
    def tags(self) -> tuple[str, ...]:
        """The tag and its older name, which old versions of pip know."""
        old = self.tag.replace("manylinux_2_17", "manylinux2014")
        return (self.tag,) if old == self.tag else (self.tag, old)


@dataclass(frozen=True)
class Abi:
    python: str
    abi: str
    macros: tuple[str, ...]
    suffix: str


TARGETS = tuple(
    Target(f"{family}_{cpu}", f"{cpu}-linux-{libc}", f"linux-{cpu}", f"{cpu}-linux-{libc.partition('.')[0]}")
    for family, libc in (("manylinux_2_17", "gnu.2.17"), ("musllinux_1_2", "musl"))
    for cpu in ("x86_64", "aarch64")
)
# A free-threaded Python has no limited API before 3.15, so it needs a module built for its own series, which is
# that of the Python in sources.txt.
FREE = "".join(sources.read()["python"].version.split(".")[:2])
ABIS = (
    Abi("cp311", "abi3", ("Py_LIMITED_API=0x030b0000",), "abi3"),
    Abi(f"cp{FREE}", f"cp{FREE}t", ("Py_GIL_DISABLED=1",), f"cpython-{FREE}t-{{host}}"),
)


def say(text: str) -> None:
    print(f"{Path(sys.argv[0]).name}: {text}", flush=True)


def run(log: Path, *command: str | Path, cwd: Path = ROOT, environment: dict[str, str] | None = None) -> None:
    """Runs a command, with its output in a log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as file:
        print("$", shlex.join(str(word) for word in command), file=file, flush=True)
        ended = subprocess.run(
            command, cwd=cwd, stdout=file, stderr=subprocess.STDOUT, check=False,
            env={**clean_environment(), **(environment or {})},
        )  # fmt: skip
    if ended.returncode != 0:
        lines = [
            line[:500] for line in log.read_text(errors="replace").splitlines() if not line.startswith("$ ")
        ]
        last = "\n".join(lines[-20:])
        raise Failed(
            f"{last}\n{Path(command[0]).name} failed. Its last lines are above, and all of them in {log}"
        )


@functools.cache
def clean_environment() -> dict[str, str]:
    """This environment without the variables that mean something else to the builds inside."""
    removed = {"CC", "CFLAGS", "CPPFLAGS", "LDFLAGS", "AR", "MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS", "MAKELEVEL",
               "BUILD", "VARIANT", "PREFIX", "LIBDIR", "INCLUDEDIR", "LIBCURL", "PYTHONPATH"}  # fmt: skip
    kept = {name: value for name, value in os.environ.items() if name not in removed}
    return {**kept, "SOURCE_DATE_EPOCH": epoch(), "ZIG_GLOBAL_CACHE_DIR": str(WORK / "zig-cache")}


@functools.cache
def epoch() -> str:
    """The time of all files in a wheel: that of the last commit, so that two builds give the same bytes."""
    told = os.environ.get("SOURCE_DATE_EPOCH") or sources.output_of(
        "git", "-C", str(ROOT), "log", "-1", "--format=%ct"
    )
    return told.strip() or FIRST_EPOCH


# ---- the tools


def check_tools() -> None:
    missing = [name for name in ("make", "perl", "pkg-config", "xz") if not shutil.which(name)]
    if missing:
        how = "On Debian run: apt-get install make perl pkg-config python3-venv xz-utils"
        raise Failed(f"not installed: {', '.join(missing)}. {how}")


def pin(name: str) -> str:
    """Returns the pin of a tool in requirements.txt."""
    found: list[str] = re.findall(rf"^{name}\S*==\S+", REQUIREMENTS.read_text(), re.MULTILINE)
    return found[0]


@functools.cache
def tools() -> Path:
    """Installs the tools and returns the folder of their commands."""
    folder = WORK / "venv"
    done = folder / "done"
    if not done.exists() or done.read_text() != REQUIREMENTS.read_text():
        say(f"installing the tools into {folder.relative_to(ROOT)}")
        venv.create(folder, clear=True, with_pip=True)
        pip = (folder / "bin" / "python", "-m", "pip", "install", "--disable-pip-version-check")
        run(WORK / "tools.log", *pip, "-r", REQUIREMENTS)
        done.write_text(REQUIREMENTS.read_text())
    return folder / "bin"


@functools.cache
def zig() -> Path:
    return next((tools().parent / "lib").glob("python3*/site-packages/ziglang/zig"))


def compiler(target: Target, name: str = "cc") -> Path:
    """Returns a command that is the C compiler for a target, or another of zig's tools: ar, ranlib."""
    path = target.folder / "bin" / name
    # the second option keeps the paths of this machine out of what is built
    words = f"{name} -target {target.zig} -ffile-prefix-map={ROOT}=." if name == "cc" else name
    text = f'#!/bin/sh\nexec {zig()} {words} "$@"\n'
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    return path


def tools_of(target: Target) -> dict[str, str]:
    return {name.upper(): str(compiler(target, name)) for name in ("cc", "ar", "ranlib")}


# ---- the libraries


def build_zlib(target: Target, work: Path, out: Path, log: Path, _: dict[str, Path]) -> None:
    source = unpack(sources.get("zlib"), work)
    environment = {**tools_of(target), "CFLAGS": " ".join(FLAGS), "CHOST": target.host}
    run(log, "./configure", "--static", cwd=source, environment=environment)
    run(log, "make", f"-j{JOBS}", "libz.a", cwd=source, environment=environment)
    keep(out, "zlib", [source / "libz.a"], [source / "zlib.h", source / "zconf.h"], source / "LICENSE")


def build_openssl(target: Target, work: Path, out: Path, log: Path, _: dict[str, Path]) -> None:
    source = unpack(sources.get("openssl"), work)
    # OpenSSL keeps the name of the compiler and the time of its build, so these are the same everywhere
    path = f"{compiler(target).parent}{os.pathsep}{os.environ['PATH']}"
    same = {"CC": "cc", "PATH": path, "SOURCE_DATE_EPOCH": FIRST_EPOCH}
    environment = {**tools_of(target), "CFLAGS": " ".join(FLAGS), **same}
    run(log, "./Configure", target.openssl, *OPENSSL_OPTIONS, cwd=source, environment=environment)
    run(log, "make", f"-j{JOBS}", "build_libs", cwd=source, environment=environment)
    headers = list((source / "include" / "openssl").glob("*.h"))
    keep(out, "openssl", [source / "libssl.a", source / "libcrypto.a"], headers, source / "LICENSE.txt")


def build_curl(target: Target, work: Path, out: Path, log: Path, built: dict[str, Path]) -> None:
    """Calls the script that builds the libcurl of every build, here with our OpenSSL and zlib."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    versions = sources.read()
    for name, words in {"openssl": "-lssl -lcrypto -pthread -ldl", "zlib": "-lz"}.items():
        place = built[name]
        (work / f"{name}.pc").write_text(
            f"Name: {name}\nDescription: {name}\nVersion: {versions[name].version}\n"
            f"Cflags: -I{place}/include\nLibs: -L{place}/lib {words}\n"
        )
    environment = {
        **tools_of(target), "LIBCURL_PLACE": str(out), "LIBCURL_FLAGS": " ".join(FLAGS),
        "LIBCURL_OPTIONS": " ".join([*CURL_OPTIONS, f"--host={target.host}"]),
        "PKG_CONFIG_LIBDIR": str(work), "PKG_CONFIG_PATH": "",
        "CURL_TARBALL": str(sources.get("curl")), "LIBPSL_TARBALL": str(libpsl_with_list(work)),
    }  # fmt: skip
    run(log, "sh", "scripts/build_libcurl.sh", environment=environment)
    (licence,) = (work / "publicsuffix").glob("*/LICENSE")
    shutil.copy(licence, out / "licenses" / "publicsuffix.txt")


def libpsl_with_list(work: Path) -> Path:
    """Returns an archive of libpsl with the list of public suffixes, which Debian keeps in another archive."""
    source = unpack(sources.get("libpsl-debian"), work / "libpsl")
    (source / "list").mkdir(exist_ok=True)
    shutil.copy(
        unpack(sources.get("publicsuffix"), work / "publicsuffix") / "public_suffix_list.dat", source / "list"
    )
    archive = work / f"{source.name}.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(source, source.name)
    return archive


def keep(out: Path, name: str, archives: list[Path], headers: list[Path], licence: Path) -> None:
    """Puts the results of a build into a folder."""
    include = "include/openssl" if name == "openssl" else "include"
    for folder, files in {"lib": archives, include: headers}.items():
        (out / folder).mkdir(parents=True)
        for file in files:
            shutil.copy2(file, out / folder)
    (out / "licenses").mkdir()
    shutil.copy2(licence, out / "licenses" / f"{name}.txt")


Recipe = Callable[[Target, Path, Path, Path, dict[str, Path]], None]
# in the order in which they are built; libcurl needs the others
LIBRARIES: dict[str, Recipe] = {"zlib": build_zlib, "openssl": build_openssl, "curl": build_curl}
INSIDE = ("curl", "libpsl-debian", "publicsuffix", "openssl", "zlib")  # rows of sources.txt


def unpack(archive: Path, folder: Path) -> Path:
    """Unpacks an archive without its top folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # Debian 12's tarfile has no filters, without which newer versions warn.
    subprocess.run(("tar", "-xf", archive, "-C", folder), check=True)
    inner = list(folder.iterdir())
    return inner[0] if len(inner) == 1 else folder


def library(name: str, target: Target, built: dict[str, Path]) -> Path:
    """Builds a library, unless it is there. Returns its folder."""
    rows = sources.read()
    row = rows[name]
    depends = {
        "source": [
            rows[one].sha256 for one in (name, *(("libpsl-debian", "publicsuffix") if name == "curl" else ()))
        ],
        "compiler": [target.zig, pin("ziglang"), *FLAGS],
        "options": {"openssl": OPENSSL_OPTIONS, "curl": [*CURL_OPTIONS, CURL_SCRIPT.read_text()]}.get(name, []),
        "libraries": [path.name for path in built.values()],
    }
    key = hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()[:12]
    out = target.folder / f"{name}-{row.version}-{key}"
    if not out.exists():
        say(f"{target.tag}: building {name} {row.version}")
        log = target.folder / f"{name}.log"
        log.unlink(missing_ok=True)
        work = target.folder / f"{name}-work"
        part = out.with_name(out.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        shutil.rmtree(out, ignore_errors=True)
        LIBRARIES[name](target, work, part, log, built)
        for old in target.folder.glob(f"{name}-*-*"):
            if old.is_dir() and old != part:
                shutil.rmtree(old)
        shutil.rmtree(work)
        part.rename(out)
    return out


def libraries(target: Target) -> dict[str, Path]:
    built: dict[str, Path] = {}
    for name in LIBRARIES:
        built[name] = library(name, target, built)
    return built


# ---- Python's headers


def python_headers(target: Target) -> list[Path]:
    """Returns the folders with the headers of the Python in sources.txt.

    Modules of the limited API use them too: Py_LIMITED_API=0x030b0000 hides what is newer than 3.11. Only
    pyconfig.h depends on the machine. Ours has what the headers use, and holds for every target.
    """
    row = sources.read()["python"]
    out = WORK / f"python-{row.version}"
    if not out.exists():
        source = unpack(sources.get("python"), WORK / "python-source")
        (source / "Include").rename(out)
        shutil.rmtree(WORK / "python-source")
    return [HERE / "include", out]


# ---- our extension and the wheels

EXTENSION = """
import json, sys
from distutils.core import run_setup
one = run_setup("setup.py", stop_after="init").ext_modules[0]
names = ("sources", "include_dirs", "define_macros", "extra_compile_args", "extra_link_args")
json.dump({name: getattr(one, name) for name in names}, sys.stdout)
"""


@functools.cache
def extension() -> dict[str, list[str]]:
    """The sources and flags of the extension, which setup.py lists."""
    command = [str(tools() / "python"), "-c", f"import setuptools\n{EXTENSION}"]
    ended = subprocess.run(
        command, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, check=False
    )
    if ended.returncode != 0:
        raise Failed(ended.stderr)
    found = json.loads(ended.stdout)
    # the macro of the limited API is for the Python that runs setup.py
    macros = [macro for macro in found["define_macros"] if macro[0] != "Py_LIMITED_API"]
    found["define_macros"] = [name if value is None else f"{name}={value}" for name, value in macros]
    return {name: [str(word) for word in words] for name, words in found.items()}


OURS = ("core", "bindings", "packaging/include")  # the folders of our sources


def sum_of(words: list[str | Path]) -> str:
    """Returns a sum of words and of the contents of those that are files."""
    total = hashlib.sha256()
    for word in words:
        total.update(f"{word}\0".encode())
        if isinstance(word, Path) and word.is_relative_to(ROOT) and word.is_file():
            total.update(word.read_bytes())
    return total.hexdigest()


def compile_sources(
    target: Target, name: str, names: list[str], includes: list[str | Path], macros: list[str]
) -> list[Path]:
    """Compiles some of our sources, unless no source, header or flag has changed. Returns the objects."""
    command: list[str | Path] = [
        compiler(target), "-c", *FLAGS, *OUR_FLAGS, *extension()["extra_compile_args"], "-Werror",
        *(f"-I{folder}" for folder in includes), *(f"-D{macro}" for macro in macros),
    ]  # fmt: skip
    folder = target.folder / name
    objects = [folder / f"{source.replace('/', '-')}.o" for source in names]
    log = target.folder / f"{name}.log"
    log.unlink(missing_ok=True)
    key = sum_of([*command, *(path for place in OURS for path in sorted((ROOT / place).rglob("*.[ch]")))])
    done = folder / "key"
    if not done.exists() or done.read_text() != key:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        with ThreadPoolExecutor(JOBS) as lanes:
            pairs = zip(names, objects, strict=True)
            list(lanes.map(lambda pair: run(log, *command, pair[0], "-o", pair[1]), pairs))
        done.write_text(key)
    return objects


def macros_of(built: dict[str, Path]) -> list[str]:
    """Returns the macros that the core needs with this libcurl, as its curl-config names them."""
    command = (built["curl"] / "bin" / "curl-config", "--cflags")
    words = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return [word.removeprefix("-D") for word in words if word.startswith("-D")]


def link_module(target: Target, module: Path, objects: list[Path], built: dict[str, Path], *flags: str) -> Path:
    """Links a shared object that contains the libraries. Returns it."""
    archives = [
        built["curl"] / "lib/libcurl.a",
        *(built["openssl"] / f"lib/lib{name}.a" for name in ("ssl", "crypto")),
        built["zlib"] / "lib/libz.a",
    ]
    log = target.folder / f"{module.parent.name}.log"
    if "aarch64" in target.tag:
        conversion = module.parent / "trunctfdf2.o"
        run(log, compiler(target), "-c", *FLAGS, HERE / "trunctfdf2.c", "-o", conversion)
        objects = [*objects, conversion]
    flags = ("-O2", *OUR_FLAGS, *LINK_FLAGS, *flags)
    run(log, compiler(target), *flags, *objects, *archives, "-pthread", "-ldl", "-o", module)
    if target.musl:
        # zig's musl is called libc.so. musllinux wants the name with the processor, as on Alpine. musl's loader
        # accepts both names.
        run(log, tools() / "patchelf", "--replace-needed", "libc.so", target.musl, module)
    return module


def build_module(target: Target, abi: Abi, built: dict[str, Path]) -> Path:
    """Compiles and links the extension. Returns the shared object."""
    parts = extension()
    name = f"module-{abi.abi}"
    of_libraries = [path / "include" for path in built.values()]
    includes: list[str | Path] = [*parts["include_dirs"], *python_headers(target), *of_libraries]
    macros = [*parts["define_macros"], *abi.macros, *macros_of(built)]
    objects = compile_sources(target, name, parts["sources"], includes, macros)
    module = target.folder / name / f"_core.{abi.suffix.format(host=target.host)}.so"
    return link_module(target, module, objects, built, *parts["extra_link_args"])


@functools.cache
def package() -> tuple[Path, Path]:
    """Returns the folder of the files of the package, and that of its metadata, as setuptools makes them."""
    folder = WORK / "package"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    setup = (tools() / "python", "-W", "ignore", "setup.py", "-q")
    log = WORK / "package.log"
    run(log, *setup, "egg_info", "--egg-base", folder, "build_py", "--build-lib", folder / "files")
    run(log, *setup, "dist_info", "--output-dir", folder)
    return folder / "files", next(folder.glob("*.dist-info"))


PACK = """
import sys
from wheel.wheelfile import WheelFile
with WheelFile(sys.argv[1], "w") as wheel:
    wheel.write_files(sys.argv[2])
"""


def build_wheel(target: Target, abi: Abi, built: dict[str, Path]) -> Path:
    module = build_module(target, abi, built)
    files, metadata = package()
    tree = target.folder / f"tree-{abi.abi}"
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(files, tree)
    shutil.copy2(module, tree / "curlwire")
    info = tree / metadata.name
    shutil.copytree(metadata, info)
    add_licences(info, built)
    (info / "sboms").mkdir()
    name, version = metadata.name.removesuffix(".dist-info").split("-")
    rows = sources.read()
    bom = sbom.make(name, version, target.tag, int(epoch()), [rows[one] for one in INSIDE])
    (info / "sboms" / "curlwire.cdx.json").write_text(json.dumps(bom, indent=2) + "\n")
    tags = "".join(f"Tag: {abi.python}-{abi.abi}-{tag}\n" for tag in target.tags)
    (info / "WHEEL").write_text(f"Wheel-Version: 1.0\nGenerator: curlwire\nRoot-Is-Purelib: false\n{tags}\n")
    DIST.mkdir(exist_ok=True)
    path = DIST / f"{name}-{version}-{abi.python}-{abi.abi}-{'.'.join(target.tags)}.whl"
    path.unlink(missing_ok=True)
    run(target.folder / "pack.log", tools() / "python", "-c", PACK, path, tree)
    sizes = [f"{file.stat().st_size / 2**20:.2f} MiB" for file in (path, module)]
    say(f"dist/{path.name}: {sizes[0]}, its module {sizes[1]}")
    return path


def add_licences(info: Path, built: dict[str, Path]) -> None:
    """Adds the licences of the libraries to ours, and names them in METADATA."""
    files = [file for folder in built.values() for file in sorted((folder / "licenses").iterdir())]
    for file in files:
        shutil.copy2(file, info / "licenses")
    metadata = info / "METADATA"
    head, body = metadata.read_text().split("\n\n", 1)
    head = head.replace("\nLicense: MIT", f"\nLicense-Expression: {sbom.expression()}").replace(
        "\nDynamic: license\n", "\n"
    )
    named = "".join(f"License-File: {file.name}\n" for file in files)
    metadata.write_text(f"{head}\n{named}\n{body}")


def main(arguments: list[str]) -> int:
    if arguments == ["--list"]:
        print("\n".join([*(target.tag for target in TARGETS), *(abi.abi for abi in ABIS)]))
        return 0
    known = {target.tag for target in TARGETS} | {abi.abi for abi in ABIS}
    for word in arguments:
        if word not in known:
            print(
                f"build_wheels.py: there is no target {word}. Choose from: {', '.join(sorted(known))}",
                file=sys.stderr,
            )
            return 2
    targets = [target for target in TARGETS if target.tag in arguments] or TARGETS
    abis = [abi for abi in ABIS if abi.abi in arguments] or ABIS
    try:
        check_tools()
        for target in targets:
            built = libraries(target)
            for abi in abis:
                build_wheel(target, abi, built)
    except (Failed, sources.NoSource) as error:
        print(f"build_wheels.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
