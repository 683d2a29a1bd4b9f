# SPDX-License-Identifier: MIT
"""scripts/check_rooms.py finds each difference between core/symbols.txt and the library's exported names."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SPEC = importlib.util.spec_from_file_location("check_rooms", ROOT / "scripts" / "check_rooms.py")
assert SPEC is not None
assert SPEC.loader is not None
check_rooms = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(check_rooms)


def test_each_difference_is_found() -> None:
    assert check_rooms.compare_symbols(["cw_a", "cw_b"], {"cw_a", "cw_b"}) == []
    (lost,) = check_rooms.compare_symbols(["cw_a", "cw_b"], {"cw_a"})
    assert "no longer exports cw_b" in lost
    (new,) = check_rooms.compare_symbols(["cw_a"], {"cw_a", "cw_b"})
    assert "lacks cw_b" in new
    (order,) = check_rooms.compare_symbols(["cw_b", "cw_a"], {"cw_a", "cw_b"})
    assert "not in order" in order


def test_a_begin_without_an_end_is_found() -> None:
    assert check_rooms.unpaired({"cw_a_begin", "cw_a_end", "cw_b_start", "cw_append"}) == []
    assert check_rooms.unpaired({"cw_a_begin", "cw_b_end"}) == ["cw_a_begin", "cw_b_end"]


def test_a_text_without_its_length_is_found() -> None:
    good = """
CW_API void cw_a(cw_socket *s, const char *uri, size_t uri_len_bytes, int timeout_ms);
CW_API bool cw_b(const void *data, size_t len_bytes, const void *owner);
CW_API const char *cw_c(void);
"""
    assert check_rooms.unmeasured(good) == []
    bad = (
        "CW_API void cw_a(cw_socket *s, const char *uri,\n                 int timeout_ms, const char *path);\n"
    )
    assert check_rooms.unmeasured(good + bad) == [("cw_a", "uri"), ("cw_a", "path")]
    swapped = "CW_API void cw_a(const char *uri, size_t path_len_bytes);\n"
    assert check_rooms.unmeasured(swapped) == [("cw_a", "uri")]


def test_the_list_has_every_call_of_the_header() -> None:
    assert set(check_rooms.public_functions()) == set((ROOT / "core" / "symbols.txt").read_text().split())
