"""A run's note in Airflow: one line that says what became of the interval. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

FAILURE = "failure"  # the XCom in which a failed task leaves its message and exit code
LONGEST = 1000  # what Airflow keeps of a note


def note_of(
    tasks: Sequence[str], receipts: Mapping[str, Mapping[str, Any]], failures: Mapping[str, Mapping[str, Any]]
) -> str | None:
    r"""What a run came to; None where it did nothing that could be told.

    tasks     in their order
    receipts  of the tasks that succeeded, by task
    failures  error and exit code of the tasks that did not

    >>> built, checked = {"snapshot_time": "2026-11-24T10:00:00Z", "rows": 5786}, {"verdict": "passed", "warnings": []}
    >>> published = {"outcome": "published", "generation": 12}
    >>> steps = ["build", "check", "publish"]
    >>> note_of(steps, {"build": built, "check": checked, "publish": published}, {})
    '2026-11-24T10:00:00Z: 5,786 rows, passed, generation 12'
    >>> note_of(steps, {"build": built}, {"check": {"error": "2 of 3 checks failed\n  ...", "exit_code": 3}})
    '2026-11-24T10:00:00Z: 5,786 rows, blocked: 2 of 3 checks failed'
    """
    parts: list[str] = []
    for task in tasks:
        if task in failures:
            parts.append(_failed(task, failures[task]))
            break
        parts += _told(task, receipts.get(task, {}))
    if not parts:
        return None
    when = next(
        (str(receipt[name]) for receipt in receipts.values() for name in _TIMES if receipt.get(name)), ""
    )
    return f"{when}: {', '.join(parts)}"[:LONGEST] if when else ", ".join(parts)[:LONGEST]


_TIMES = ("snapshot_time", "interval_end")


def _told(task: str, receipt: Mapping[str, Any]) -> list[str]:
    """What one receipt adds."""
    told = []
    if task in ("build", "train") and receipt.get("rows") is not None:
        told.append(f"{receipt['rows']:,} rows")
    if task in ("check", "train") and receipt.get("verdict"):
        count = len(receipt.get("warnings") or ())
        warned = f" with {count} warning{'' if count == 1 else 's'}" if count else ""
        told.append(f"{receipt['verdict']}{warned}")
    if task == "publish" and receipt.get("outcome"):
        told.append(_published(receipt))
    if task == "train" and receipt.get("version"):
        told.append(f"version {receipt['version']}")
    return told


def _published(receipt: Mapping[str, Any]) -> str:
    outcome, generation = str(receipt["outcome"]).replace("_", " "), receipt.get("generation")
    if outcome == "published":
        return f"generation {generation}"
    return f"{outcome}, generation {generation}" if generation else outcome


def _failed(task: str, failure: Mapping[str, Any]) -> str:
    said = str(failure.get("error", "")).strip().partition("\n")[0]
    return f"blocked: {said}" if failure.get("exit_code") == 3 else f"{task} failed: {said}"
