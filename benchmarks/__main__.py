"""The command: measure some cases, and write the page."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from benchmarks.cases import CASES
from benchmarks.online.cases import ONLINE
from benchmarks.processes import adopt_orphans
from benchmarks.storage import HOME, ROOT

RESULTS = ROOT / "benchmarks" / "results.json"


def main() -> None:
    """Measure, record, and, at full size, write docs/benchmarks.md."""
    asked = _arguments()
    file = asked.json or (RESULTS if asked.scale == "full" else HOME / f"{asked.scale}.json")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the contender that runs is ended too
    adopt_orphans()
    for name in [] if asked.page else asked.case or [*CASES, *ONLINE]:
        _measure(name, file, asked)
    if asked.page or file == RESULTS:
        from benchmarks.page import write_page

        write_page(file, ROOT / "docs")


def _measure(name: str, file: Path, asked: argparse.Namespace) -> None:
    from benchmarks import results, running
    from benchmarks.online import running as online

    only = asked.only or [""]
    if name in ONLINE:
        found = online.measure(ONLINE[name], asked.scale, asked.runs, only)
        results.record_online(file, ONLINE[name], asked.scale, found)
    else:
        measured = running.measure(CASES[name], asked.scale, asked.runs, only)
        results.record(file, CASES[name], asked.scale, measured)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--case", action="append", choices=[*CASES, *ONLINE], help="only this one; may be repeated"
    )
    parser.add_argument("--scale", choices=("small", "medium", "full"), default="full")
    parser.add_argument("--runs", type=int, default=3, help="processes per contender (default: 3)")
    parser.add_argument(
        "--only", action="append", help="only contenders whose name holds this text; may be repeated"
    )
    parser.add_argument(
        "--json", type=Path, help="results file (default: benchmarks/results.json at full size)"
    )
    parser.add_argument("--page", action="store_true", help="measure nothing; write the page of the results")
    return parser.parse_args()


if __name__ == "__main__":
    main()
