# SPDX-License-Identifier: MIT
"""scripts/check_folders.py finds each kind of fault in a small core, and reports nothing else."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# A core without faults. It has one file in each folder, which calls the file in the folder below.
SOUND = {
    "base/base.h": "int base(void);",
    "base/ground.c": '#include "base.h"\nint base(void) { return 1; }',
    "engine/engine.h": '#include "../base/base.h"\nint engine(void);\nint second(int n);',
    "engine/first.c": '#include "engine.h"\nint engine(void) { return base(); }',
    "engine/second.c": '#include "engine.h"\nint second(int n) { return engine() + n; }',
    "transport/codec.h": "int codec(void);",
    "transport/transport.h": '#include "codec.h"\n#include "../engine/engine.h"',
    "transport/codec.c": '#include "transport.h"\nint codec(void) { return engine(); }',
    "socket/socket.h": '#include "../transport/codec.h"',
    "socket/top.c": '#include "socket.h"\nint top(void) { return codec(); }',
}
ENGINE_CALLS_BACK = '#include "engine.h"\nint engine(void) { return second(base()); }'


def check(root: Path, changes: dict[str, str], circles: str = "") -> list[str]:
    """Returns the output of the script for the core above with these files added."""
    objects = root / "build" / "release" / "core"
    sources = {root / "core" / "src" / name: text for name, text in {**SOUND, **changes}.items()}
    for path, text in sources.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    for path in sources:
        if path.suffix == ".c":
            built = objects / path.parent.name / f"{path.stem}.o"
            built.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["cc", "-fPIC", "-O2", "-w", "-c", "-o", str(built), str(path)], check=True)
    (root / "docs").mkdir()
    (root / "docs" / "architecture.md").write_text(f"# Architecture\n\n## Circles\n\n{circles}\n")
    return said(root)


def said(root: Path) -> list[str]:
    command = [sys.executable, str(ROOT / "scripts" / "check_folders.py"), str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    assert done.returncode == (0 if lines == ["the folders are in order"] else 1), done
    return [line.removeprefix(f"{root}/core/src/") for line in lines]


def test_a_sound_core(tmp_path: Path) -> None:
    assert check(tmp_path, {}) == ["the folders are in order"]


def test_an_include_that_goes_up(tmp_path: Path) -> None:
    planted = {
        "base/ground.c": '#include "base.h"\n#include "../engine/engine.h"\nint base(void) { return 1; }'
    }
    assert check(tmp_path, planted) == [
        "base/ground.c:2: base includes ../engine/engine.h, which is not below it"
    ]


def test_an_include_of_a_folder_beside(tmp_path: Path) -> None:
    planted = {"protocol/protocol.h": '#include "../engine/engine.h"'}
    assert check(tmp_path, planted) == [
        "protocol/protocol.h:1: protocol includes ../engine/engine.h, which is not below it"
    ]


def test_the_header_with_libcurl_in_it(tmp_path: Path) -> None:
    planted = {"socket/top.c": '#include "../transport/transport.h"\nint top(void) { return codec(); }'}
    assert len(check(tmp_path, planted)) == 1


def test_a_folder_that_is_not_one(tmp_path: Path) -> None:
    (line,) = check(tmp_path, {"extra/extra.h": ""})
    assert line.startswith("extra/extra.h:1: there is no folder extra")


def test_a_call_that_goes_up_without_an_include(tmp_path: Path) -> None:
    planted = {
        "base/ground.c": "int top(void);\nint base(void) { return sizeof top; }\nint x(void) { return top(); }"
    }
    lines = check(tmp_path, planted)
    assert lines[0] == "base/ground.c calls top of socket/top.c, which is not below it"
    assert any("in a circle of 4" in line for line in lines[1:])


def test_the_address_of_a_function_above(tmp_path: Path) -> None:
    planted = {"base/ground.c": "int top(void);\nint base(void) { return 1; }\nint (*later)(void) = top;"}
    assert check(tmp_path, planted)[0] == "base/ground.c calls top of socket/top.c, which is not below it"


def test_a_call_of_libcurl(tmp_path: Path) -> None:
    planted = {
        "engine/first.c": '#include "engine.h"\nint curl_it(void);\nint engine(void) { return curl_it(); }'
    }
    assert check(tmp_path, planted) == ["engine/first.c calls curl_it: only transport may call libcurl"]


def test_a_new_circle(tmp_path: Path) -> None:
    (line,) = check(tmp_path, {"engine/first.c": ENGINE_CALLS_BACK})
    assert line == "engine/first.c, engine/second.c call each other, and architecture.md does not say why"


def test_a_circle_that_has_its_reason(tmp_path: Path) -> None:
    row = "| `engine/second`, `engine/first` | a reason |"
    assert check(tmp_path, {"engine/first.c": ENGINE_CALLS_BACK}, row) == ["the folders are in order"]


def test_a_circle_without_a_reason(tmp_path: Path) -> None:
    row = "| `engine/second`, `engine/first` |  |"
    assert len(check(tmp_path, {"engine/first.c": ENGINE_CALLS_BACK}, row)) == 1


def test_a_circle_of_three_has_no_reason(tmp_path: Path) -> None:
    planted = {
        "engine/first.c": "int third(void);\nint engine(void) { return third(); }",
        "engine/third.c": "int second(int n);\nint third(void) { return second(1); }",
    }
    row = "| `engine/first`, `engine/second`, `engine/third` | a reason |"
    assert check(tmp_path, planted, row) == [
        "engine/first.c, engine/second.c, engine/third.c call each other in a circle of 3"
    ]


def test_a_circle_that_is_gone(tmp_path: Path) -> None:
    assert check(tmp_path, {}, "| `engine/first`, `engine/second` | a reason |") == [
        "architecture.md names a circle that does not exist: engine/first, engine/second"
    ]


def test_a_circle_of_a_binding(tmp_path: Path) -> None:
    source, objects = tmp_path / "bindings" / "lua" / "src", tmp_path / "build/release/lua-objects/5.4"
    source.mkdir(parents=True)
    objects.mkdir(parents=True)
    for name, other in (("lone", "ltwo"), ("ltwo", "lone")):
        path = source / f"{name}.c"
        path.write_text(f"int {other}(void);\nint {name}(void) {{ return {other}(); }}\n")
        subprocess.run(["cc", "-O2", "-w", "-c", "-o", str(objects / f"{name}.o"), str(path)], check=True)
    assert check(tmp_path, {}) == ["lone.c, ltwo.c of the lua binding call each other"]


def test_an_object_that_is_old_or_missing(tmp_path: Path) -> None:
    check(tmp_path, {})
    objects = tmp_path / "build" / "release" / "core"
    os.utime(objects / "base" / "ground.o", (0, 0))
    (objects / "socket" / "top.o").unlink()
    assert [line.partition(":")[0] for line in said(tmp_path)] == ["base/ground.c", "socket/top.c"]
