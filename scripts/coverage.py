# SPDX-License-Identifier: MIT
"""Measures which lines and branches of the core the C tests reach: `make coverage`, and the suite coverage.

    python3 tests/servers/run.py -- python3 scripts/coverage.py

Runs tests/core, built as the variant cov. Prints the lines and branches of each file, and every line that no
test reached. Fails below 95 % of the lines or 85 % of the branches. The pollers of other systems are not
compiled, so they do not count. It counts the branches that gcc makes of our code. It leaves out exceptions and
code that gcc knows to be unreachable. A line that no test can reach has a comment LCOV_EXCL_LINE with the
reason.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "build" / "cov"
FRAMES = ("test_codec_curl", "test_inbound", "test_outbound", "test_closing")
LEAST_LINES = 95.0
LEAST_BRANCHES = 85.0
AT_ONCE = 2
LIMIT_S = 300


def run_test(path: Path, framing: str = "auto") -> tuple[bool, str]:
    done = subprocess.run(
        [str(path)],
        cwd=ROOT,
        env={**os.environ, "CURLWIRE_FRAMING": framing},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    return done.returncode == 0, done.stdout + done.stderr


def run_tests() -> bool:
    for old in OUT.rglob("*.gcda"):
        old.unlink()
    tests = [OUT / "tests" / source.stem for source in sorted((ROOT / "tests" / "core").glob("test_*.c"))]
    jobs = [(path, "auto") for path in tests]
    jobs += [(path, "curl") for path in tests if path.name in FRAMES]  # again with libcurl's codec
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = pool.map(run_test, *zip(*jobs, strict=True))
        failed = [job for job, result in zip(jobs, results, strict=True) if not result[0]]
    is_good = True
    for (
        path,
        framing,
    ) in failed:  # run alone: side by side, and slower than in the suite core, a case may time out
        is_ok, text = run_test(path, framing)
        print(f"# {path.name} {'passed' if is_ok else 'failed'} when it ran again, alone")
        if not is_ok:
            is_good = False
            print("".join(f"# {line}\n" for line in text.splitlines()), end="")
    return is_good


def measure() -> dict[str, Any]:
    report = OUT / "coverage.json"
    command = [sys.executable, "-m", "gcovr", "--root", str(ROOT), "--filter", "core/src/",
               "--exclude-throw-branches", "--exclude-unreachable-branches", "--json", str(report),
               str(OUT / "core")]  # fmt: skip
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    result: dict[str, Any] = json.loads(report.read_text())
    return result


def part(reached: int, count: int) -> float:
    return 100.0 * reached / count if count else 100.0


def show(report: dict[str, Any]) -> tuple[float, float]:
    """Prints the table and the lines that were not reached; returns the totals in percent."""
    lines_reached = lines = branches_reached = branches = 0
    missing: list[str] = []
    print(f"# {'file':30} {'lines':>12} {'branches':>19}")
    for file in report["files"]:
        source = (ROOT / file["file"]).read_text().splitlines()
        own = [
            line for line in file["lines"] if not line.get("gcovr/excluded") and not line.get("gcovr/noncode")
        ]
        own_branches = [
            branch for line in own for branch in line["branches"] if not branch.get("gcovr/excluded")
        ]
        hit, taken = sum(line["count"] > 0 for line in own), sum(branch["count"] > 0 for branch in own_branches)
        print(f"# {file['file']:30} {hit:5} {len(own):5} {part(hit, len(own)):5.1f} "
              f"{taken:6} {len(own_branches):5} {part(taken, len(own_branches)):5.1f}")  # fmt: skip
        lines_reached, lines = lines_reached + hit, lines + len(own)
        branches_reached, branches = branches_reached + taken, branches + len(own_branches)
        missing += [f"{file['file']}:{line['line_number']}: {source[line['line_number'] - 1].strip()}"
                    for line in own if line["count"] == 0]  # fmt: skip
    print("# not reached:")
    print("".join(f"#   {line}\n" for line in missing), end="")
    return part(lines_reached, lines), part(branches_reached, branches)


def main() -> int:
    results = [("the tests pass", run_tests())]
    by_lines, by_branches = show(measure())
    results.append((f"{by_lines:.1f} % of lines, {LEAST_LINES} wanted", by_lines >= LEAST_LINES))
    results.append((f"{by_branches:.1f} % of branches, {LEAST_BRANCHES} wanted", by_branches >= LEAST_BRANCHES))
    print(f"1..{len(results)}")
    for number, (title, is_ok) in enumerate(results, 1):
        print(f"{'ok' if is_ok else 'not ok'} {number} - {title}", flush=True)
    return 0 if all(is_ok for _, is_ok in results) else 1


if __name__ == "__main__":
    os.environ.setdefault("SKIPS_AS_FAILS", "1")
    sys.exit(main())
