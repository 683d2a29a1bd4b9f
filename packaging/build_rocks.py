# SPDX-License-Identifier: MIT
"""Builds the binary rocks into dist/lua-VERSION/. `make rocks` calls it after scripts/rock.sh.

    python3 packaging/build_rocks.py [--list] [PROCESSOR | LUA ...]

PROCESSOR is x86_64 or aarch64; LUA is 5.1, 5.3 or 5.4. Without an argument it builds them all. The names of the
files do not tell the version of Lua, because LuaRocks allows only the version of curlwire and the system there.
So each version has a folder.

A rock has the files that `luarocks pack` packs: the rockspec, a manifest, the module, the Lua files, and the
licences. Its module contains the libraries of the wheels for manylinux_2_17 (build_wheels.py), and exports only
luaopen_curlwire_core. A rock for Lua 5.1 is for LuaJIT too.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
import time
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import build_wheels
import sources
from build_wheels import DIST, ROOT, WORK, Failed, Target, epoch, say

LUAS = ("5.1", "5.3", "5.4")
TARGETS = {
    target.tag.removeprefix("manylinux_2_17_"): target
    for target in build_wheels.TARGETS
    if target.tag.startswith("manylinux")
}
LUA_SIDE = ROOT / "bindings" / "lua"
# As in the Makefile, but zig has no --exclude-libs.
LINK_FLAGS = ("-Wl,-z,nodelete", "-Wl,--version-script=bindings/lua/core.map")
# A binary rock is for one version of Lua. This line of its rockspec says so, and LuaRocks refuses any other.
DEPENDENCY = re.compile(r'^    "lua >= 5\.1, .*$', re.MULTILINE)


def rockspec() -> Path:
    """Returns the rockspec that scripts/rock.sh has made."""
    header = (ROOT / "core" / "include" / "curlwire.h").read_text()
    version = re.findall(r'^#define CW_VERSION "(.+)"$', header, re.MULTILINE)[0]
    path = DIST / f"curlwire-{version}-1.rockspec"
    if not path.exists():
        raise Failed(f"there is no dist/{path.name}. Run: make rock")
    return path


def lua_headers(lua: str) -> Path:
    """Returns the folder with the headers of a version of Lua. They are the same for every processor."""
    row = sources.read()[f"lua{lua}"]
    out = WORK / f"lua-{row.version}"
    if not out.exists():
        work = WORK / f"lua-{lua}-source"
        (build_wheels.unpack(sources.get(row.name), work) / "src").rename(out)
        shutil.rmtree(work)
    return out


def build_module(target: Target, lua: str, built: dict[str, Path]) -> Path:
    """Compiles and links the module. Returns the shared object."""
    parts = build_wheels.extension()
    core = [name for name in parts["sources"] if name.startswith("core/")]
    includes: list[str | Path] = [*parts["include_dirs"], *(path / "include" for path in built.values())]
    ours = sorted(str(path.relative_to(ROOT)) for path in (LUA_SIDE / "src").glob("*.c"))
    macros = [*parts["define_macros"], *build_wheels.macros_of(built)]
    objects = build_wheels.compile_sources(target, "rock-core", core, includes, macros)
    objects += build_wheels.compile_sources(
        target, f"rock-{lua}", ours, [*parts["include_dirs"], lua_headers(lua)], parts["define_macros"]
    )
    module = target.folder / f"rock-{lua}" / "core.so"
    return build_wheels.link_module(target, module, objects, built, *LINK_FLAGS)


def files_of(lua: str, module: Path, built: dict[str, Path]) -> dict[str, bytes]:
    """Returns the files of a rock by their names."""
    spec = rockspec()
    text, count = DEPENDENCY.subn(f'    "lua ~> {lua}",', spec.read_text())
    if count != 1:
        raise Failed(f"dist/{spec.name} does not have the line that names the versions of Lua. Run: make rock")
    licences = [
        *ROOT.glob("LICENSE*"),
        *(file for folder in built.values() for file in (folder / "licenses").iterdir()),
    ]
    return {
        spec.name: text.encode(),
        "lib/curlwire/core.so": module.read_bytes(),
        **{f"lua/curlwire/{path.name}": path.read_bytes() for path in (LUA_SIDE / "curlwire").glob("*.lua")},
        **{f"doc/{path.name}": path.read_bytes() for path in licences},
    }


def manifest(files: dict[str, bytes]) -> str:
    """Returns the rock_manifest: a table for each folder, with the MD5 of each file, which LuaRocks wants."""
    folders: dict[str, dict[str, str]] = {}
    for name, content in files.items():
        folder, _, base = name.rpartition("/")
        folders.setdefault(folder, {})[base] = hashlib.md5(content, usedforsecurity=False).hexdigest()
    lines: list[str] = []
    for folder, sums in sorted(folders.items()):
        opening = "".join(f'["{part}"] = {{' for part in folder.split("/") if part)
        rows = ", ".join(f'["{name}"] = "{md5}"' for name, md5 in sorted(sums.items()))
        lines.append(f"    {opening}{rows}{'}' * opening.count('{')},")
    return "\n".join(["rock_manifest = {", *lines, "}", ""])


def pack(path: Path, files: dict[str, bytes]) -> None:
    """Packs a rock, with the time of the last commit, so that two builds give the same bytes."""
    when = time.gmtime(int(epoch()))[:6]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as rock:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, when)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o100755 if name.endswith(".so") else 0o100644) << 16
            rock.writestr(entry, content)


def build_rock(processor: str, lua: str, built: dict[str, Path]) -> Path:
    module = build_module(TARGETS[processor], lua, built)
    files = files_of(lua, module, built)
    files["rock_manifest"] = manifest(files).encode()
    path = DIST / f"lua-{lua}" / f"{rockspec().stem}.linux-{processor}.rock"
    pack(path, files)
    sizes = [f"{file.stat().st_size / 2**20:.2f} MiB" for file in (path, module)]
    say(f"dist/lua-{lua}/{path.name}: {sizes[0]}, its module {sizes[1]}")
    return path


def main(arguments: list[str]) -> int:
    known = [*TARGETS, *LUAS]
    if arguments == ["--list"]:
        print("\n".join(known))
        return 0
    for word in arguments:
        if word not in known:
            print(f"build_rocks.py: there is no {word}. Choose from: {', '.join(known)}", file=sys.stderr)
            return 2
    try:
        rockspec()
        build_wheels.check_tools()
        for processor in [name for name in TARGETS if name in arguments] or TARGETS:
            built = build_wheels.libraries(TARGETS[processor])
            for lua in [name for name in LUAS if name in arguments] or LUAS:
                build_rock(processor, lua, built)
    except (Failed, sources.NoSource) as error:
        print(f"build_rocks.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
