"""Results as JSON: medians, ratios beside their targets, and the machine that they are of."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.cases import Case, Limit, Scale, Target
from benchmarks.online.cases import OnlineCase
from benchmarks.online.figures import gathered, key_of
from benchmarks.online.running import Found
from benchmarks.running import Measured
from benchmarks.storage import ROOT

PACKAGES = (
    "pyspark",
    "delta-spark",
    "feast",
    "duckdb",
    "polars",
    "deltalake",
    "pyarrow",
    "numpy",
    "pandas",
    "redis",
    "hiredis",
)


def record(file: Path, case: Case, scale: Scale, measured: Mapping[str, Measured]) -> None:
    """Put a case's results into the file, beside those of other cases."""
    before = _read(file).get("cases", {}).get(case.name, {})
    entries = before["entries"] if before.get("scale") == scale else {}  # of a run of some contenders only
    entries |= {name: item.as_json() for name, item in measured.items()}
    told = {
        "rows": {name: data.rows for name, data in case.data(scale).items()},
        "heap": case.heap,
        "entries": entries,
        "targets": [_judged(target, entries) for target in case.targets],
    }
    _write(file, case, scale, told)


def record_online(file: Path, case: OnlineCase, scale: Scale, found: Found) -> None:
    """The same of a case on a server."""
    before = _read(file).get("cases", {}).get(case.name, {})
    figures = gathered(found.figures)
    new = {key_of(item) for item in figures}
    if before.get("scale") == scale:  # of a run of some programs only
        figures = [item for item in before["figures"] if key_of(item) not in new] + figures
    told = {
        "server": found.server,
        "rows": {"": case.rows(scale)},
        "figures": figures,
        "failures": found.failures,
        "targets": [target.judged(figures) for target in case.targets],
    }
    _write(file, case, scale, told)


def _read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    return found


def _write(file: Path, case: Case | OnlineCase, scale: Scale, told: Mapping[str, Any]) -> None:
    found = _read(file)
    found["machine"] = machine()
    measured = {"measured": datetime.now(UTC).strftime("%Y-%m-%d"), "commit": _commit()}
    found.setdefault("cases", {})[case.name] = {"title": case.title, "scale": scale, **measured, **told}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


def middle(entries: Mapping[str, Any], name: str, state: str, measure: str) -> float | None:
    """The median of a contender's runs; None where it has none."""
    runs = entries[name][state] if name in entries else []
    return median(run[measure] for run in runs) if runs else None


def _judged(target: Target | Limit, entries: Mapping[str, Any]) -> dict[str, Any]:
    ours = middle(entries, *target.ours, target.measure)
    theirs = middle(entries, *target.theirs, target.measure) if isinstance(target, Target) else 1.0
    reached = None if ours is None or not theirs else ours / theirs
    met = None if reached is None else reached <= target.at_most
    unit = "ratio" if isinstance(target, Target) else "bytes"
    return {"words": target.words, "unit": unit, "at_most": target.at_most, "reached": reached, "met": met}


def machine() -> dict[str, Any]:
    """What it was measured on."""
    cpu = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    java = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr
    return {
        "cores": os.cpu_count(),
        "cpu": cpu[0].partition(":")[2].strip() if cpu else platform.machine(),
        "memory_gb": round(memory),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        "java": java.splitlines()[0] if java else "",
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _version(package: str) -> str:
    if package == "delta-spark":  # a jar, not a package
        jars = (ROOT / ".skewless" / "jars").glob("delta-spark_*.jar")
        return next((jar.stem.rpartition("-")[2] for jar in jars), "")
    return version(package)


def _commit() -> str:
    asked = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return asked.stdout.strip()
