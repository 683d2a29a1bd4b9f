# SPDX-License-Identifier: MIT
"""Runs the benchmark: curlwire, its peers and bare C loops work with the same server, in turn, in one run.

bench/README.md explains what is measured and how to read the results. The benchmark reports speed and does not
assert it: the exit status is 0 unless something broke.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import report
from clients import ROOT, Broken, Client, Result, Server, Worker, build, find_clients, make_certificate, pin
from scenarios import SCENARIOS, VARIANTS, Scenario, has_target

QUICK_SECONDS = 180.0
# A whole run takes 40 minutes on 2 processors. When the time of a part is over, the part ends.
PART_SECONDS = {"pinned": 27 * 60.0, "unpinned": 13 * 60.0}
FIXED_LENGTH = (
    "connect",
    "idle",
    "latency",
)  # their length is fixed, because a longer run would measure something else
CROWD = 1000  # opening so many takes longer than the work, so the length is fixed
LONG_ROUNDS = 2  # of echoes at a fixed rate, and on CROWD connections
VERSIONS = (
    "curlwire", "libcurl", "python", "lua", "uvloop", "picows", "websockets", "websocket-client", "aiohttp",
    "curl_cffi", "lua-http",
)  # fmt: skip


@dataclass
class Plan:
    """A scenario that runs."""

    scenario: Scenario
    processor: int | None
    entries: list[tuple[str, Client, str]]
    counts: dict[str, int] = field(default_factory=dict)
    rows: dict[str, Result] = field(default_factory=dict)

    def result(self) -> Result:
        scenario = self.scenario
        return {
            "key": scenario.key,
            "title": scenario.title,
            "work": scenario.work,
            "size_bytes": scenario.size,
            "connections": scenario.connections,
            "scheme": scenario.scheme,
            "rows": self.rows,
        }


@dataclass(frozen=True)
class Part:
    """A part of a run: the processors of server and clients."""

    name: str  # pinned or unpinned
    server_at: int | None
    client_at: int | None

    def includes(self, scenario: Scenario, options: argparse.Namespace) -> bool:
        if scenario.together and self.server_at is None:
            return False
        # idle memory does not depend on the processors
        if (
            self.name == "unpinned"
            and options.pin == "both"
            and (not has_target(scenario) or scenario.work == "idle")
        ):
            return False
        if options.only:
            return options.only in scenario.key
        return scenario.in_quick or not options.quick

    def has_client(self, client: Client, options: argparse.Namespace) -> bool:
        return client.in_unpinned or self.name == "pinned" or options.pin != "both"


class Run:
    """The state of one part of a run: workers, results, the remaining time."""

    def __init__(
        self, server: Server, clients: Sequence[Client], part: Part, options: argparse.Namespace
    ) -> None:
        self.urls = server.urls
        self.clients = clients
        self.rounds: int = options.rounds or (3 if options.quick else 5)
        self.run_seconds = 0.06 if options.quick else 0.3
        self.is_quick: bool = options.quick
        seconds = QUICK_SECONDS - 20 if options.quick else PART_SECONDS[part.name]
        self.deadline = time.monotonic() + seconds
        self.workers: dict[tuple[str, int | None], Worker] = {}
        self.versions: set[str] = set()

    def worker(self, client: Client, processor: int | None) -> Worker:
        key = (client.name, processor)
        if key not in self.workers:
            self.workers[key] = Worker(client, processor)
        return self.workers[key]

    def end(self) -> None:
        for worker in self.workers.values():
            worker.end()

    def note_versions(self, result: Result) -> None:
        for key in VERSIONS:
            if result.get(key, "?") != "?":
                self.versions.add(f"{result[key]}" if key == "lua" else f"{key} {result[key]}")

    def job(self, worker: Worker, scenario: Scenario, work: str, count: int) -> Result:
        url = self.urls[scenario.scheme]
        words: list[object] = [work, url, count, scenario.size]
        if worker.client.language != "C" or work == "many":
            words.append(scenario.connections)
        if scenario.work == "idle":
            worker.end()  # start a new process: memory that earlier jobs left would count for the connections
        result = worker.do(*words)
        for _ in range(2):  # lua-http times out at random when its buffer runs empty
            if "failed" not in result or result["failed"].startswith("not done"):
                break
            print(f"{worker.client.name} {work}: {result['failed']}; once more", flush=True)
            result = worker.do(*words)
        self.note_versions(result)
        return result

    def calibrate(self, worker: Worker, scenario: Scenario, work: str) -> tuple[int, Result]:
        """The number of messages for a run of the wanted length; the result, if the client cannot do it."""
        count = scenario.start
        if scenario.work in FIXED_LENGTH or scenario.connections >= CROWD:
            seconds = 1 if self.is_quick else 3  # of echoes; "size" is the rate
            return count if scenario.work != "latency" else scenario.size * seconds, {}
        result: Result = {}
        for _ in range(4):
            result = self.job(worker, scenario, work, count)
            if "seconds" not in result:
                break
            seconds = max(result["seconds"], 1e-6)
            if seconds > self.run_seconds / 2:
                break
            count = int(count * min(30.0, self.run_seconds / seconds))
        return count, result

    def entries(self, scenario: Scenario) -> list[tuple[str, Client, str]]:
        found = []
        for client in self.clients:
            if not {client.language, client.kind} & set(scenario.languages):
                continue
            if scenario.work == "idle" and client.language == "C":
                continue
            if scenario.work in client.leaves_out or (client.keys and scenario.key not in client.keys):
                continue
            found.append((client.name, client, scenario.work))
            for work, name in VARIANTS.get((scenario.work, client.name), {}).items():
                if not scenario.together or work == "eager":
                    found.append((f"{client.name}, {name}", client, work))
        return found

    def begin(self, scenario: Scenario, processor: int | None) -> Plan:
        """Finds the length of the runs, and the clients that cannot do them."""
        plan = Plan(scenario, processor, self.entries(scenario))
        for label, client, work in plan.entries:
            count, result = self.calibrate(self.worker(client, processor), scenario, work)
            plan.counts[label] = count
            plan.rows[label] = {"kind": client.kind, "language": client.language, "runs": []}
            plan.rows[label].update({key: result[key] for key in ("unsupported", "failed") if key in result})
        return plan

    def round(self, plan: Plan) -> None:
        """Runs each client once, in turn."""
        for label, client, work in plan.entries:
            row = plan.rows[label]
            if "unsupported" in row or "failed" in row:
                continue
            worker = self.worker(client, plan.processor)
            result = self.job(worker, plan.scenario, work, plan.counts[label])
            if "seconds" in result:
                row["runs"].append({key: result[key] for key in report.MEASURES if key in result})
            else:
                row.update(result)

    def rounds_of(self, scenario: Scenario) -> int:
        if self.is_quick and scenario.work in FIXED_LENGTH:
            return 1
        if scenario.work == "idle":
            return 1  # memory hardly varies
        is_long = scenario.work == "latency" or scenario.connections >= CROWD
        return min(self.rounds, LONG_ROUNDS) if is_long else self.rounds

    def measure(self, wanted: Sequence[tuple[Scenario, int | None]]) -> list[Plan]:
        """Runs all scenarios in each round, so that a slow moment of the machine does not hit only one. A round
        that does not fit into the time ends early; the first one is never cut, except in a quick run."""
        plans: list[Plan] = []
        for number in range(self.rounds):
            for place, (scenario, processor) in enumerate(wanted):
                is_over = time.monotonic() > self.deadline
                if number == 0 and not (is_over and self.is_quick):
                    print(f"round 1 of {self.rounds}: {scenario.title}", flush=True)
                    plans.append(self.begin(scenario, processor))
                elif is_over or number >= self.rounds_of(scenario):
                    continue
                self.round(plans[place])
            if time.monotonic() > self.deadline:
                print(f"the time is over in round {number + 1}", flush=True)
                break
            print(f"round {number + 1} of {self.rounds} is done", flush=True)
        return plans


def measure_idle(program: Path, url: str, seconds: int, processor: int | None) -> Result:
    """Measures what idle connections cost in C, with processor time and descriptors."""
    done = subprocess.run(
        pin([str(program), url, "1000", str(seconds)], processor), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise Broken(f"idle ended with exit code {done.returncode}: {done.stderr.strip()}")
    result: Result = json.loads(done.stdout)
    print(
        f"\n{result['connections']} idle connections, curlwire C: {result['rss_kib_each']:.1f} KiB each, "
        f"{result['rss_kib_each_after_message']:.1f} after a message; {result['descriptors_each']:.2f} "
        f"descriptors each; {result['threads']} threads; {result['idle_processor_seconds'] * 1000:.1f} ms "
        f"of processor time in {result['idle_seconds']:.0f} idle seconds",
        flush=True,
    )
    return result


def processor_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()


def describe(pinned: Part | None) -> Result:
    compiler = os.environ.get("CC", "cc").split()
    version = subprocess.run([*compiler, "--version"], capture_output=True, text=True, check=False)
    return {
        "processor": processor_model(),
        "processors": len(os.sched_getaffinity(0)),
        "pinned": f"server on {pinned.server_at}, clients on {pinned.client_at}" if pinned else "no",
        "kernel": platform.release(),
        "compiler": version.stdout.partition("\n")[0],
        "load": round(os.getloadavg()[0], 2),
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="run.py", description="Compares curlwire, its peers and bare C loops."
    )
    parser.add_argument(
        "--quick", action="store_true", help="run the scenarios that have a target, in 3 minutes"
    )
    parser.add_argument("--rounds", type=int, help="the number of rounds (5; 3 with --quick)")
    parser.add_argument(
        "--only", help="run only scenarios whose key contains this (ws-receive, wss, latency ...)"
    )
    parser.add_argument("--publish", action="store_true", help="also write docs/benchmarks.md and its chart")
    parser.add_argument("--build", type=Path, default=ROOT / "build", help="the folder of the build (build)")
    parser.add_argument(
        "--pin",
        choices=("both", "yes", "no"),
        help="yes: pin server and clients to two processors; no: the system chooses them; both: measure both "
        "(yes with --quick, else both)",
    )
    options = parser.parse_args()
    options.pin = options.pin or ("yes" if options.quick else "both")
    return options


def allow_descriptors() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < 10_000:
        print(f"note: {hard} descriptors at most (ulimit -Hn): 2,000 connections will not fit every client")


def parts_of(options: argparse.Namespace) -> list[Part]:
    processors = sorted(os.sched_getaffinity(0))
    if len(processors) < 2 or shutil.which("taskset") is None:
        options.pin = "no"
    unpinned = Part("unpinned", None, None)
    if options.pin == "no":
        return [unpinned]
    pinned = Part("pinned", *processors[:2])
    return [pinned, unpinned] if options.pin == "both" else [pinned]


def measure_part(
    part: Part, programs: dict[str, Path], place: Path, clients: Sequence[Client], options: argparse.Namespace
) -> Result:
    print(f"\n{part.name}:", flush=True)
    some = [client for client in clients if part.has_client(client, options)]
    idle = None
    with Server(programs["server"], place / "certificate.pem", place / "key.pem", part.server_at) as server:
        run = Run(server, some, part, options)
        wanted = [
            (scenario, part.server_at if scenario.together else part.client_at)
            for scenario in SCENARIOS
            if part.includes(scenario, options)
        ]
        try:
            plans = run.measure(wanted)
        finally:
            run.end()
        if part.name == "pinned" or options.pin == "no":
            seconds = 2 if options.quick else 10
            idle = measure_idle(programs["idle"], server.urls["ws"], seconds, part.client_at)
    results = [plan.result() for plan in plans]
    for found in results:
        report.show(found)
    for scenario, _ in wanted[len(plans) :]:
        print(f"\n{scenario.title}: left out, the three minutes are over")
    return {"name": part.name, "scenarios": results, "idle": idle, "versions": sorted(run.versions)}


def write(whole: Result, place: Path, products: Path, options: argparse.Namespace) -> None:
    target = place / ("results-quick.json" if options.quick else "results.json")
    target.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    print("\nversions: " + ", ".join(whole["versions"]))
    print(f"{whole['seconds']} s; written: {target}")
    # the peers' environment has the library that draws the chart
    folder = ROOT / "docs" if options.publish else place
    command = [str(products / "bench-venv/bin/python"), str(ROOT / "bench/report.py"), str(target), str(folder)]
    subprocess.run(command, check=True)


def main() -> int:
    options = arguments()
    products: Path = options.build.resolve()
    place = products / "bench"
    allow_descriptors()
    programs = build(place)
    certificate, _ = make_certificate(place)
    os.environ["BENCH_CA"] = str(certificate)
    clients, missing = find_clients(programs, products, options.quick)
    parts = parts_of(options)
    machine = describe(parts[0] if parts[0].name == "pinned" else None)
    print("  ".join(f"{name}: {value}" for name, value in machine.items() if name != "load"))
    if machine["load"] > 0.5:
        print(f"note: other work is running (load {machine['load']:.1f}); ratios will scatter")
    for line in missing:
        print(line)
    begin = time.monotonic()
    measured = [measure_part(part, programs, place, clients, options) for part in parts]
    whole = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "command": " ".join(["python3 bench/run.py", *sys.argv[1:]]),
        "seconds": round(time.monotonic() - begin),
        "machine": machine,
        "versions": sorted({version for part in measured for version in part["versions"]}),
        "missing": missing,
        "parts": measured,
        "idle": measured[0]["idle"],
    }
    report.show_targets(whole)
    write(whole, place, products, options)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Broken as problem:
        sys.exit(f"bench: {problem}")
    except KeyboardInterrupt:
        sys.exit(130)
