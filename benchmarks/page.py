"""docs/benchmarks.md and its plots, from the results."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.cases import CASES
from benchmarks.online import tables
from benchmarks.online.cases import ONLINE
from benchmarks.plots import draw
from benchmarks.results import middle

STATES, NAMES = ("cold", "warm"), [*CASES, *ONLINE]


def write_page(file: Path, docs: Path) -> None:
    """Write the page and one plot per case."""
    results = json.loads(file.read_text("utf-8"))
    text = Path(__file__).with_name("page.md").read_text("utf-8")
    cases = results["cases"]
    for name, case in cases.items():
        picture = docs / "images" / f"benchmarks-{name}.png"
        if name in ONLINE:
            tables.draw(name, case, picture)
        else:
            draw(case, picture)
    parts = {
        "MACHINE": "\n".join(_machine(results["machine"])),
        "TARGETS": "\n".join(_targets(cases)),
        "CASES": "\n".join(line for name in NAMES if name in cases for line in _case(name, cases[name])),
    }
    for name, part in parts.items():
        text = text.replace(f"{{{name}}}", part)
    (docs / "benchmarks.md").write_text(text, "utf-8")


def _machine(machine: Mapping[str, Any]) -> Iterator[str]:
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items() if version)
    yield f"{machine['cores']} cores ({machine['cpu']}), {machine['memory_gb']} GB, {machine['system']},"
    yield f"Python {machine['python']}, {machine['java']}, {packages}."


def _targets(cases: Mapping[str, Any]) -> Iterator[str]:
    yield "| case | ratio or amount | at most | measured | result |"
    yield "|---|---|---|---|---|"
    for name in NAMES:
        if name not in cases:
            yield f"| {name} | | | | not measured |"
            continue
        for target in cases[name]["targets"]:
            shown = [_amount(target[part], target["unit"]) for part in ("at_most", "reached")]
            met = {True: "reached", False: "**missed**", None: "not measured"}[target["met"]]
            yield f"| [{name}](#{name}) | {target['words']} | {' | '.join(shown)} | {met} |"


def _amount(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    if unit == "ratio":
        return f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"
    return f"{value / 1e9:.2f} GB" if unit == "bytes" else f"{value:,.0f} {unit}".rstrip()


def _case(name: str, case: Mapping[str, Any]) -> Iterator[str]:
    yield f"### {name}\n"
    yield from tables.table(name, case) if name in ONLINE else _table(case)
    of = ONLINE[name].plotted.header if name in ONLINE else "wall and CPU seconds"
    yield f"\n![{of} of {name}](images/benchmarks-{name}.png)\n"


def _table(case: Mapping[str, Any]) -> Iterator[str]:
    sizes = {
        ", ".join(f"{count:,} {what}" for what, count in rows.items() if count)
        for rows in case["rows"].values()
    }
    yield f"{case['title']}: {'; '.join(sorted(sizes))}. Heap of each JVM {case['heap']}; commit {case['commit']},"
    yield f"{case['measured']}.\n"
    yield "| contender | cold wall, s | cold CPU, s | warm wall, s | warm CPU, s | peak memory, GB | answer |"
    yield "|---|---|---|---|---|---|---|"
    for contender in case["entries"]:
        yield _row(contender, case["entries"])


def _row(contender: str, entries: Mapping[str, Any]) -> str:
    entry = entries[contender]
    times = [middle(entries, contender, state, measure) for state in STATES for measure in ("wall", "cpu")]
    shown = ["" if seconds is None else f"{seconds:.1f}" for seconds in times]
    peaks = [run["memory"] for state in STATES for run in entry[state]]
    told = entry["failure"].partition(" (see")[0] or entry["answer"]
    return f"| {contender} | {' | '.join(shown)} | {max(peaks, default=0) / 1e9:.1f} | {told} |"
