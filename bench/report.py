# SPDX-License-Identifier: MIT
"""Shows the results of run.py on the terminal, and writes a page (benchmarks.md) and a chart (benchmarks.svg).

report.py <results.json> <folder>       writes the page and the chart; needs pygal (build/bench-venv)
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from scenarios import PICOWS, PYTHON, Target, least_over_wss, targets

Result = dict[str, Any]
MEASURES = (
    "count",
    "seconds",
    "processor_seconds",
    "p50_us",
    "p99_us",
    "p999_us",
    "rss_kib_each",
    "rss_kib_each_after_message",
)
# The groups of the chart: title, key of the scenario.
CHART = (
    ("receive 32 B", "ws-receive-32-1"),
    ("receive 1 KiB", "ws-receive-1024-1"),
    ("receive 1 MiB", "ws-receive-1048576-1"),
    ("send 32 B", "ws-send-32-1"),
    ("send 1 MiB", "ws-send-1048576-1"),
    ("round trip 32 B", "ws-roundtrip-32-1"),
    ("wss: receive 1 MiB", "wss-receive-1048576-1"),
    ("wss: send 1 MiB", "wss-send-1048576-1"),
)
TARGETS = (
    "The ratio is curlwire's figure divided by the other client's, round by round: minimum / median / "
    "maximum. The median decides. If a row names several clients, the best of them counts. Rates should be "
    "high; round trips (a time), processor time and memory should be low. In the rows about all other clients, "
    "which name the nearest one, the ratios of times and memory are inverted: above 1 is always better."
)
PARTS = (
    "The run has two parts. In the pinned part, the server runs on one processor, and each client with "
    "all its threads on another. In the unpinned part, the system chooses the processors, as for most "
    "programs. That part has only the scenarios and clients of the targets. Memory is measured once, "
    "because it does not depend on the processors. The rows of the system's libcurl are only in the "
    "scenarios where libcurl's age matters. Each part has a limit of time, so a scenario may have fewer "
    "rounds than another."
)
LIMITS = Path(__file__).resolve().parent / "limits.md"
# The bars of a group: title, rows of which the fastest counts.
BARS = (
    ("curlwire", (PYTHON,)),
    ("picows", PICOWS),
    ("aiohttp", ("aiohttp, asyncio", "aiohttp, uvloop")),
    ("websockets", ("websockets, sync", "websockets, asyncio", "websockets, uvloop")),
    ("websocket-client", ("websocket-client",)),
    ("curl_cffi", ("curl_cffi, sync", "curl_cffi, asyncio")),
)


# ---- Figures -----------------------------------------------------------------------------------------------


def rate(run: Result) -> float:
    return float(run["count"] / max(run["seconds"], 1e-9))


def figure(work: str) -> Callable[[Result], float]:
    """Returns the function that computes the figure of a run. Runs of this work are compared by this figure."""
    if work.endswith("roundtrip"):
        return lambda run: 1e6 / rate(run)
    if work == "idle":
        return lambda run: float(run["rss_kib_each"])
    if work == "latency":
        return lambda run: float(run["p99_us"])
    return rate


def is_smaller_better(work: str) -> bool:
    return work.endswith("roundtrip") or work in ("idle", "latency")


def figures(scenario: Result, label: str) -> list[float]:
    row = scenario["rows"].get(label)
    return [figure(scenario["work"])(run) for run in row["runs"]] if row else []


def middle(values: Sequence[float]) -> float:
    return statistics.median(values)


def show_rate(per_second: float, size: int) -> str:
    if size >= 64 * 1024:
        return f"{per_second * size / 1e9:.2f} GB/s"
    return f"{per_second / 1e6:.2f} M/s" if per_second >= 1e6 else f"{per_second / 1e3:.1f} k/s"


def show_figure(scenario: Result, row: Result) -> str:
    """Returns the median as text; "cannot" or "failed" if there is none."""
    if not row["runs"]:
        return "cannot" if "unsupported" in row else "failed"
    work = scenario["work"]
    if work == "latency":
        parts = [middle([run[key] for run in row["runs"]]) for key in ("p50_us", "p99_us", "p999_us")]
        return " / ".join(f"{part:.0f}" if part < 10_000 else f"{part / 1000:.0f}k" for part in parts) + " us"
    if work == "idle":
        after = middle([run["rss_kib_each_after_message"] for run in row["runs"]])
        return f"{middle([run['rss_kib_each'] for run in row['runs']]):.1f} KiB ({after:.1f})"
    value = middle([figure(work)(run) for run in row["runs"]])
    return f"{value:.1f} us" if work.endswith("roundtrip") else show_rate(value, scenario["size_bytes"])


def processor_us(row: Result) -> float | None:
    """Returns the microseconds of processor time for a message, of all threads together."""
    if not row["runs"]:
        return None
    return middle([run["processor_seconds"] / run["count"] * 1e6 for run in row["runs"]])


def ratios(ours: Sequence[float], others: Sequence[Sequence[float]], smaller: bool) -> list[float]:
    """Returns our figure divided by the best of the others, round by round."""
    found = []
    for number, value in enumerate(ours):
        best = [other[number] for other in others if number < len(other)]
        if best:
            found.append(value / max((min if smaller else max)(best), 1e-9))
    return found


def spread(values: Sequence[float]) -> str:
    return f"{min(values):.2f} / {middle(values):.2f} / {max(values):.2f}"


# ---- Targets -----------------------------------------------------------------------------------------------


def by_key(part: Result) -> dict[str, Result]:
    return {scenario["key"]: scenario for scenario in part["scenarios"]}


# The first cells of a row of targets: scenario, client, other clients, target.
Head = tuple[str, str, str, str]


def verdict(found: Sequence[float], is_reached: bool, more: str = "") -> str:
    return f"{spread(found)}: {'reached' if is_reached else 'not reached'}{more}"


def compared(scenario: Result, target: Target) -> list[float]:
    """Returns the ratios of a target, round by round; or the figures, if it compares with no client."""

    def measured(label: str) -> list[float]:
        if not target.is_processor:
            return figures(scenario, label)
        row = scenario["rows"].get(label)
        return [run["processor_seconds"] / run["count"] for run in row["runs"]] if row else []

    own = measured(target.client)
    return ratios(own, [measured(label) for label in target.against], target.smaller) if target.against else own


def head_of(scenario: Result, target: Target) -> Head:
    title = scenario["title"] + (", processor time" if target.is_processor else "")
    wanted = (
        f"{'at most' if target.smaller else 'at least'} {target.wanted:g} {'x' if target.against else 'KiB'}"
    )
    if scenario["work"] == "idle" and target.wanted == 1.0:
        wanted = "less"
    return title, target.client, target.name, wanted


def judge(scenario: Result, target: Target) -> str:
    found = compared(scenario, target)
    if not found:
        row = scenario["rows"].get(target.client, {})
        why = row.get("unsupported") or row.get("failed")
        return f"not measured: {why}" if why else "not measured"
    value = middle(found)
    return verdict(found, value <= target.wanted if target.smaller else value >= target.wanted)


def nearest_peer(scenario: Result, ours: str, language: str) -> tuple[str, list[float]] | None:
    """Returns the other client of the language that is nearest to ours or ahead of it, and the ratios to it."""
    smaller = is_smaller_better(scenario["work"])
    own = figures(scenario, ours)
    nearest: tuple[str, list[float]] | None = None
    for label, row in scenario["rows"].items():
        if row["kind"] != "peer" or row["language"] != language or not row["runs"]:
            continue
        found = ratios(own, [figures(scenario, label)], smaller)
        if smaller:
            found = [1 / max(ratio, 1e-9) for ratio in found]
        if found and (nearest is None or middle(found) < middle(nearest[1])):
            nearest = (label, found)
    return nearest


def rows_over_wss(scenario: Result) -> list[tuple[Head, str]]:
    """Returns curlwire's ratio to the nearest other client of the same language."""
    least = least_over_wss(scenario["work"])
    rows = []
    for language, ours in (("Python", PYTHON), ("Lua", "curlwire LuaJIT")):
        nearest = nearest_peer(scenario, ours, language)
        if nearest:
            label, found = nearest
            is_reached = middle(found) > 1 if least == 1.0 else middle(found) >= least
            wanted = "ahead" if least == 1.0 else f"at least {least:g} x"
            head = (scenario["title"], ours, "all other clients", wanted)
            rows.append((head, verdict(found, is_reached, f"; {label}")))
    return rows


def rows_of_part(part: Result) -> dict[Head, str]:
    known = by_key(part)
    rows = {}
    for target in targets():
        if target.scenario in known:
            scenario = known[target.scenario]
            rows[head_of(scenario, target)] = judge(scenario, target)
    for scenario in part["scenarios"]:
        if scenario["scheme"] == "wss":
            rows.update(rows_over_wss(scenario))
    return rows


def target_rows(whole: Result) -> list[list[str]]:
    parts = [rows_of_part(part) for part in whole["parts"]]
    heads = dict.fromkeys(head for rows in parts for head in rows)
    return [[*head, *(rows.get(head, "-") for rows in parts)] for head in heads]


# ---- Terminal ----------------------------------------------------------------------------------------------


def show(scenario: Result) -> None:
    """Prints one scenario: figures, and their ratios to the bare loop, or else to curlwire in Python."""
    print(f"\n{scenario['title']}")
    base = "bare socket" if "bare socket" in scenario["rows"] else PYTHON
    reference = figures(scenario, base)
    for label, row in scenario["rows"].items():
        if not row["runs"]:
            print(f"  {label:36} {row.get('failed') or row.get('unsupported')}")
            continue
        found = ratios(figures(scenario, label), [reference], False)
        cpu = processor_us(row)
        text = spread(found) if found else ""
        print(f"  {label:36} {show_figure(scenario, row):>22}   {text:22} {cpu:10.2f} us processor", flush=True)


def show_targets(whole: Result) -> None:
    print("\nTargets: minimum / median / maximum of the ratio")
    print(f"  {', '.join(part['name'] for part in whole['parts'])}")
    for title, client, against, wanted, *cells in target_rows(whole):
        print(f"  {title:26} {client:28} {wanted:14} {against:20} {' | '.join(cells)}")


# ---- Page --------------------------------------------------------------------------------------------------


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows), ""]


def grid(scenarios: Sequence[Result], cell: Callable[[Result, Result], str]) -> list[str]:
    """Returns a table with a row for each client and a column for each scenario."""
    labels = list(dict.fromkeys(label for scenario in scenarios for label in scenario["rows"]))
    rows = []
    for label in labels:
        cells = [
            cell(scenario, scenario["rows"][label]) if label in scenario["rows"] else "-"
            for scenario in scenarios
        ]
        if any(text not in ("-", "cannot") for text in cells):
            rows.append([label, *cells])
    if not rows:
        return []
    has_both = len({scenario["scheme"] for scenario in scenarios}) > 1
    titles = (
        scenario["title"] if has_both else scenario["title"].removesuffix(", " + scenario["scheme"])
        for scenario in scenarios
    )
    return table(["", *titles], rows)


def cpu_cell(scenario: Result, row: Result) -> str:
    value = processor_us(row)
    return "-" if value is None else f"{value:.2f}" if value < 100 else f"{value:.0f}"


def reasons(whole: Result) -> list[str]:
    """Returns a line for each failure and each missing feature of a client, with the scenarios."""
    found: dict[str, list[str]] = {}
    for scenario in (scenario for part in whole["parts"] for scenario in part["scenarios"]):
        for label, row in scenario["rows"].items():
            text = row.get("failed") or row.get("unsupported")
            if text:
                found.setdefault(f"{label}: {text}", []).append(scenario["title"])
    return [f"- {text} ({'; '.join(dict.fromkeys(titles))})" for text, titles in found.items()]


def rounds_of(part: Result) -> str:
    """Returns how many rounds the scenarios of a part had."""
    counts = {
        len(row["runs"]) for scenario in part["scenarios"] for row in scenario["rows"].values() if row["runs"]
    }
    numbers = f"{min(counts)} to {max(counts)}" if len(counts) > 1 else f"{max(counts, default=0)}"
    return f"{part['name']} {numbers}"


ROWS = [
    '"bare socket" is a loop in C without a client library. Its other rows do more work:',
    "",
    '- "reading before polling" reads first, and polls only if nothing has arrived. curlwire does the same.',
    '- "reading frame headers only" finds each frame header and counts the frames, as every client must.',
    '- "into a buffer" copies each payload to its place in a message.',
    '- "masking" copies and masks each message, as every client must.',
    "",
    "The rows `recv_into`, `copy=False`, `send_many` and `ws.batch()` use these calls of curlwire.",
    "",
]


def page(whole: Result) -> str:
    first, *others = whole["parts"]
    scenarios = first["scenarios"]
    machine = whole["machine"]

    def some(scheme: str, *works: str, of: Sequence[Result] = scenarios) -> list[Result]:
        return [
            scenario
            for scenario in of
            if scenario["scheme"] == scheme
            and scenario["work"] in works
            and "processor" not in scenario["title"]
        ]

    lines = [
        "# Benchmarks",
        "",
        "Use this page to look up how fast curlwire is beside other clients. "
        "[bench/README.md](../bench/README.md) explains what is measured, and how to run it. It also has two "
        "measurements of their own: [the command beside websocat](../bench/README.md#the-command), and "
        "[what clients lose while their loop is blocked](../bench/README.md#a-blocked-loop).",
        "",
        f"- Run: `{whole['command']}`, {whole['date']}, {whole['seconds'] / 60:.0f} minutes; rounds: "
        f"{', '.join(rounds_of(part) for part in whole['parts'])}",
        f"- Machine: {machine['processor']}, {machine['processors']} processors, Linux {machine['kernel']}; "
        f"pinned: {machine['pinned']}; load at the start {machine['load']}",
        f"- Compiler: {machine['compiler']}",
        f"- Versions: {', '.join(whole['versions'])}",
        *(f"- {line}" for line in whole["missing"]),
        "",
        "![Rates of Python clients; curlwire is 1](benchmarks.svg)",
        "",
        *([PARTS, ""] if others else []),
        "## Targets",
        "",
        TARGETS,
        "",
        *table(
            ["scenario", "client", "compared with", "target", *(part["name"] for part in whole["parts"])],
            target_rows(whole),
        ),
        LIMITS.read_text(encoding="utf-8"),
    ]
    for scheme, name in (("ws", "ws"), ("wss", "wss (TLS 1.3)")):
        one = some(scheme, "roundtrip", "receive", "send")
        rows = ROWS if scheme == "ws" else ["[One connection, ws](#one-connection-ws) explains the rows.", ""]
        lines += [f"## One connection, {name}", "", *rows, *grid(one, show_figure)]
        if one:
            title = "Processor time for each message in microseconds, of all threads of the client:"
            lines += [title, "", *grid(one, cpu_cell)]
        lines += grid(some(scheme, "many", "connect"), show_figure)
    lines += [
        "## Compressed messages",
        "",
        "The messages are records that compress to a quarter, with permessage-deflate without context "
        "takeover. The table leaves out clients without compression.",
        "",
        *grid(some("ws", "deflated-roundtrip", "deflated-receive"), show_figure),
        "## Latency under load",
        "",
        "The server sends at a fixed rate and does not wait for echoes. The time begins when a message is due, "
        "and ends when its echo arrives. The figures are p50 / p99 / p99.9 in microseconds.",
        "",
        *grid(some("ws", "latency") + some("wss", "latency"), show_figure),
        "## Memory of an idle connection",
        "",
        "The table shows by how much the process's memory (RSS) grows for each of 1,000 connections. The "
        "number in parentheses is measured after one echoed message on each connection.",
        "",
        *grid(some("ws", "idle") + some("wss", "idle"), show_figure),
        f"curlwire C, ws: {whole['idle']['rss_kib_each']:.1f} KiB "
        f"({whole['idle']['rss_kib_each_after_message']:.1f}), "
        f"{whole['idle']['descriptors_each']:.2f} descriptors each, "
        f"{whole['idle']['idle_processor_seconds'] * 1000:.1f} ms of processor time in "
        f"{whole['idle']['idle_seconds']:.0f} idle seconds.",
        "",
    ]
    together = [scenario for scenario in scenarios if "one processor" in scenario["title"]]
    if together:
        lines += ["## Client and server on one processor", "", *grid(together, show_figure)]
    for part in others:
        lines += [f"## One connection and many, {part['name']}", ""]
        for scheme in ("ws", "wss"):
            works = ("roundtrip", "receive", "send", "many", "connect", "latency")
            lines += [f"{scheme}:", "", *grid(some(scheme, *works, of=part["scenarios"]), show_figure)]
    why = reasons(whole)
    if why:
        lines += ["## Not measured", "", *why, ""]
    return "\n".join(lines).rstrip() + "\n"


# ---- Chart -------------------------------------------------------------------------------------------------


def draw(whole: Result, target: Path) -> None:
    import pygal  # only build/bench-venv has it
    from pygal.style import CleanStyle

    known = by_key(whole["parts"][0])
    shown = [(title, known[key]) for title, key in CHART if key in known and figures(known[key], PYTHON)]
    chart = pygal.Bar(
        style=CleanStyle(font_family="sans-serif", label_font_size=12, legend_font_size=13, title_font_size=15),
        title="Python clients: rate, curlwire is 1 (median; longer is faster)",
        width=1000,
        height=420,
        js=(),
        legend_at_bottom=True,
        legend_at_bottom_columns=len(BARS),
        x_label_rotation=20,
        min_scale=4,
        disable_xml_declaration=True,
    )
    chart.config.css.clear()  # pygal's own style sheets are for its scripts and tooltips
    chart.config.css.extend(["file://style.css", "file://graph.css"])
    chart.x_labels = [title for title, _ in shown]
    for title, labels in BARS:
        values: list[float | None] = []
        for _, scenario in shown:
            smaller = is_smaller_better(scenario["work"])
            own = middle(figures(scenario, PYTHON))
            best = [middle(found) for label in labels if (found := figures(scenario, label))]
            ratio = ((own / min(best)) if smaller else (max(best) / own)) if best else None
            values.append(None if ratio is None else round(ratio, 3))
        chart.add(title, values)
    target.write_text(chart.render(is_unicode=True) + "\n", encoding="utf-8")


def main(arguments: Sequence[str]) -> None:
    if len(arguments) != 2:
        sys.exit(__doc__)
    whole = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    folder = Path(arguments[1])
    (folder / "benchmarks.md").write_text(page(whole), encoding="utf-8")
    draw(whole, folder / "benchmarks.svg")
    print(f"written: {folder / 'benchmarks.md'}, {folder / 'benchmarks.svg'}")


if __name__ == "__main__":
    main(sys.argv[1:])
