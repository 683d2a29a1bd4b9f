# SPDX-License-Identifier: MIT
"""Builds and runs the benchmark: curlwire against bare C loops on the same server, in turn, in one run.

What is measured and how to read it is in bench/README.md. Speed is reported, not asserted: the exit status is
0 unless something broke.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / "bench"
LUAS = {"5.1": "lua5.1", "5.3": "lua5.3", "5.4": "lua5.4", "jit": "luajit"}
RUN_SECONDS = 120
VERSIONS = ("curlwire", "libcurl", "python", "lua")  # as the programs name what they were run with
Result = dict[str, Any]


class Broken(Exception):
    """Something that should work did not; the text says what."""


# ---- Building ----------------------------------------------------------------------------------------------


def curl_flags() -> list[str]:
    flags = []
    for which in ("cflags", "libs"):
        command = ["sh", str(ROOT / "scripts/check_libcurl.sh"), which]
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        if found.returncode != 0:
            raise Broken(found.stderr.strip())
        flags += found.stdout.split()
    return flags


def compile_program(program: Path, sources: Sequence[Path], libraries: Sequence[str]) -> Path:
    """Compiles one program unless it is newer than everything it could be made of."""
    headers = [*BENCH.glob("*.h"), *ROOT.glob("core/include/*.h"), *ROOT.glob("core/src/*.h")]
    newest = max(path.stat().st_mtime for path in [*sources, *headers])
    if program.exists() and program.stat().st_mtime > newest:
        return program
    compiler = os.environ.get("CC", "cc").split()
    command = [
        *compiler,
        "-std=c11",
        "-D_GNU_SOURCE",
        "-O2",
        "-pthread",
        f"-I{ROOT / 'core/include'}",
        f"-I{ROOT / 'core/src'}",
        *os.environ.get("CFLAGS", "").split(),
        "-o",
        str(program),
        *map(str, sources),
        *libraries,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Broken(f"{program.name} does not compile:\n{done.stderr.strip()}")
    return program


def build(place: Path) -> dict[str, Path]:
    place.mkdir(parents=True, exist_ok=True)
    core = sorted(ROOT.glob("core/src/*.c"))
    few = [ROOT / "core/src/sha1.c", ROOT / "core/src/frame.c"]
    curl = curl_flags()
    return {
        "server": compile_program(place / "server", [BENCH / "server.c", *few], []),
        "bare": compile_program(place / "bare", [BENCH / "bare.c"], []),
        "core": compile_program(place / "core", [BENCH / "core.c", *core], curl),
        "idle": compile_program(place / "idle", [BENCH / "idle.c", *core], curl),
    }


# ---- Running -----------------------------------------------------------------------------------------------


@dataclass
class Program:
    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)


def find_clients(core: Path, products: Path) -> tuple[list[Program], list[str]]:
    """What there is to measure, and a line for each binding that is not built."""
    clients = [Program("C", [str(core)])]
    missing = []
    package = products / "python"
    if (package / "curlwire").is_dir():
        command = [sys.executable, str(BENCH / "python_bench.py")]
        clients.append(Program("Python", command, {"PYTHONPATH": str(package)}))
    else:
        missing.append(f"Python: not measured, {package} is not built (make python)")
    for version, interpreter in LUAS.items():
        modules = products / "lua" / version
        name = "LuaJIT" if version == "jit" else f"Lua {version}"
        if not modules.is_dir():
            missing.append(f"{name}: not measured, {modules} is not built (make lua)")
        elif shutil.which(interpreter) is None:
            missing.append(f"{name}: not measured, {interpreter} is not installed")
        else:
            environment = {
                "LUA_PATH": f"{modules}/?.lua;{modules}/?/init.lua;;",
                "LUA_CPATH": f"{modules}/?.so;;",
            }
            clients.append(Program(name, [interpreter, str(BENCH / "lua_bench.lua")], environment))
    return clients, missing


def pin(command: list[str], processor: int | None) -> list[str]:
    if processor is None:
        return command
    return ["taskset", "-c", str(processor), *command]


def run(program: Program, arguments: Sequence[str], processor: int | None) -> Result:
    command = pin([*program.command, *arguments], processor)
    environment = {**os.environ, **program.environment}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment, timeout=RUN_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise Broken(f"{program.name} {' '.join(arguments)} was not done after {RUN_SECONDS} s") from None
    if done.returncode != 0:
        text = (done.stderr or done.stdout).strip()
        raise Broken(f"{program.name} {' '.join(arguments)} ended with {done.returncode}: {text}")
    result: Result = json.loads(done.stdout)
    return result


class Server:
    """The server, for as long as the with block runs."""

    def __init__(self, program: Path, processor: int | None) -> None:
        self.process = subprocess.Popen(
            pin([str(program)], processor), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        port = self.process.stdout.readline().strip()
        if not port:
            raise Broken("the server did not start")
        self.url = f"ws://127.0.0.1:{port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()


# ---- Scenarios ---------------------------------------------------------------------------------------------


@dataclass
class Scenario:
    title: str
    work: str
    bare_work: str
    size: int
    count: int
    bare_count: int
    wanted: dict[str, str] = field(default_factory=dict)  # by client, "" = every other
    in_quick: bool = False
    together: bool = False  # client and server on one processor


SCENARIOS = [
    Scenario(
        "round trip of 32 bytes: time, of the bare loop's",
        "roundtrip",
        "roundtrip",
        32,
        10_000,
        10_000,
        {"C": "<= 1.15", "": "<= 1.40"},
        True,
    ),
    Scenario(
        "the same on one processor, of a bare loop that reads before it polls, as curlwire does",
        "roundtrip",
        "eager",
        32,
        20_000,
        20_000,
        together=True,
    ),
    Scenario(
        "receive 32 bytes: rate, of the bare loop's that only counts bytes",
        "receive",
        "receive",
        32,
        2_000_000,
        50_000_000,
        {"C": "", "": ">= 1.5 M/s where bare is 50 M/s"},
        True,
    ),
    Scenario(
        "receive 32 bytes: rate, of the bare loop's that walks the headers",
        "receive",
        "walk",
        32,
        2_000_000,
        50_000_000,
    ),
    Scenario("receive 1 KiB: rate, of walking", "receive", "walk", 1024, 1_000_000, 1_000_000),
    Scenario("receive 1 MiB: rate, of walking", "receive", "walk", 1 << 20, 1000, 1000),
    Scenario("send 32 bytes: rate, of the bare loop's", "send", "send", 32, 100_000, 100_000),
    Scenario("send 1 MiB: rate, of the bare loop's", "send", "send", 1 << 20, 500, 500),
]


def spread(values: Sequence[float], form: str = "{:.3f}") -> str:
    return "  ".join(form.format(value) for value in (min(values), statistics.median(values), max(values)))


def rate(result: Result) -> float:
    return float(result["count"]) / float(result["seconds"])


def show_rate(value: float, size: int) -> str:
    if size >= 65536:
        return f"{value * size / 1e9:.2f} GB/s"
    return f"{value / 1e6:.3f} M/s" if value >= 1e5 else f"{value / 1e3:.2f} k/s"


def show_cost(scenario: Scenario, rates: Sequence[float]) -> str:
    middle = statistics.median(rates)
    return f"{1e6 / middle:.1f} us" if scenario.work == "roundtrip" else show_rate(middle, scenario.size)


def measure(
    scenario: Scenario, clients: Sequence[Program], bare: Program, url: str, rounds: int, processor: int | None
) -> Result:
    """Runs the bare loop and each client in turn. A ratio is that of two runs next to each other."""
    size = str(scenario.size)
    print(f"\n{scenario.title}")
    print(f"  {'':10} {'min':>7}{'median':>8}{'max':>7}   {'client':>12} {'bare':>12}   wanted", flush=True)
    rows: dict[str, Result] = {
        client.name: {"ratios": [], "client": [], "bare": [], "processor_seconds": []} for client in clients
    }
    for _ in range(rounds):
        for client in clients:
            beside = run(bare, [scenario.bare_work, url, str(scenario.bare_count), size], processor)
            result = run(client, [scenario.work, url, str(scenario.count), size], processor)
            row = rows[client.name]
            row["client"].append(rate(result))
            row["bare"].append(rate(beside))
            row["processor_seconds"].append(result["processor_seconds"])
            row["versions"] = {key: result[key] for key in VERSIONS if key in result}
            ratio = rate(result) / rate(beside)
            row["ratios"].append(1 / ratio if scenario.work == "roundtrip" else ratio)
    for name, row in rows.items():
        wanted = scenario.wanted.get(name, scenario.wanted.get("", ""))
        print(
            f"  {name:10} {spread(row['ratios'])}   {show_cost(scenario, row['client']):>12} "
            f"{show_cost(scenario, row['bare']):>12}   {wanted}",
            flush=True,
        )
    return {"scenario": scenario.title, "work": scenario.work, "size_bytes": scenario.size, "clients": rows}


def measure_idle(program: Path, url: str, seconds: int, processor: int | None) -> Result:
    result = run(Program("idle", [str(program)]), [url, "1000", str(seconds)], processor)
    print(f"\n{result['connections']} idle connections, C{'':30}wanted")
    processor_ms = result["idle_processor_seconds"] * 1000
    lines = [
        (f"memory each (RSS): {result['rss_kib_each']:.1f} KiB", "<= 32 KiB"),
        (f"the same after a message each: {result['rss_kib_each_after_message']:.1f} KiB", "<= 32 KiB"),
        (f"processor, {result['idle_seconds']:.0f} idle seconds: {processor_ms:.1f} ms", "none to be measured"),
        (f"threads: {result['threads']}", "2: main and service"),
        (f"descriptors each: {result['descriptors_each']:.2f}", ""),
        (f"opened one after another in {result['open_seconds']:.2f} s", ""),
    ]
    for text, wanted in lines:
        print(f"  {text:50} {wanted}")
    return result


# ---- The whole ---------------------------------------------------------------------------------------------


def processor_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()


def describe(pinned: Sequence[int]) -> Result:
    compiler = os.environ.get("CC", "cc").split()
    version = subprocess.run([*compiler, "--version"], capture_output=True, text=True, check=False)
    return {
        "processor": processor_model(),
        "processors": len(os.sched_getaffinity(0)),
        "pinned": f"server on {pinned[0]}, client on {pinned[1]}" if pinned else "no",
        "kernel": platform.release(),
        "compiler": version.stdout.partition("\n")[0],
        "load": os.getloadavg()[0],
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="run.py", description="curlwire against bare C loops, in turn.")
    parser.add_argument("--quick", action="store_true", help="3 rounds, and only what has a wanted figure")
    parser.add_argument("--rounds", type=int, help="rounds of each comparison (5; 3 with --quick)")
    parser.add_argument("--json", action="store_true", help="write bench/results.json in the build folder too")
    parser.add_argument("--build", type=Path, default=ROOT / "build", help="the build folder (build)")
    parser.add_argument("--no-pin", action="store_true", help="leave the choice of processor to the system")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    rounds = options.rounds or (3 if options.quick else 5)
    products: Path = options.build.resolve()
    programs = build(products / "bench")
    clients, missing = find_clients(programs["core"], products)
    processors = sorted(os.sched_getaffinity(0))
    can_pin = len(processors) >= 2 and shutil.which("taskset") is not None and not options.no_pin
    pinned = processors[:2] if can_pin else []
    server_at, client_at = (pinned[0], pinned[1]) if pinned else (None, None)
    machine = describe(pinned)
    print("  ".join(f"{key}: {value}" for key, value in machine.items() if key != "load"))
    if machine["load"] > 0.5:
        print(f"note: other work is running (load {machine['load']:.1f}); ratios will scatter")
    for line in missing:
        print(line)
    results: list[Result] = []
    bare = Program("bare", [str(programs["bare"])])
    with Server(programs["server"], server_at) as server:
        for scenario in SCENARIOS:
            if scenario.together and not pinned:
                continue
            if scenario.in_quick or not options.quick:
                processor = server_at if scenario.together else client_at
                results.append(measure(scenario, clients, bare, server.url, rounds, processor))
        idle = measure_idle(programs["idle"], server.url, 10, client_at)
    rows = results[0]["clients"].values()
    versions = {f"{key} {value}" for row in rows for key, value in row["versions"].items()}
    print("\nversions: " + ", ".join(sorted(versions)))
    if options.json:
        target = products / "bench" / "results.json"
        whole = {"machine": machine, "rounds": rounds, "missing": missing, "scenarios": results, "idle": idle}
        target.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
        print(f"\nwritten: {target}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Broken as problem:
        sys.exit(f"bench: {problem}")
    except KeyboardInterrupt:
        sys.exit(130)
