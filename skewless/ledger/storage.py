"""What Delta tables cost, and whether they were only ever appended to: from their logs, without any engine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow.compute as pc

from skewless.ledger.delta import files_of, open_table
from skewless.timeline import from_micros

_REWRITING = ("UPDATE", "DELETE", "MERGE", "TRUNCATE", "RESTORE", "REPLACE TABLE", "CREATE OR REPLACE TABLE")
_LOOKED_AT = 1000  # commits of a source's history


@dataclass(frozen=True, slots=True)
class Stored:
    """What the data files of a table's newest version hold: bytes and rows."""

    size: int = 0
    rows: int = 0


def stored(uri: str) -> Stored:
    """What a table holds, by its log; nothing where there is no table."""
    table = open_table(uri)
    if table is None:
        return Stored()
    files = files_of(table)
    return Stored(*(int(pc.sum(files[name]).as_py() or 0) for name in ("size_bytes", "num_records")))


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A commit that changed rows, or took some away."""

    version: int
    at: datetime
    operation: str


def rewrites(uri: str) -> tuple[Rewrite, ...] | None:
    """The commits that did more than append, newest first; None where there is no table."""
    table = open_table(uri)
    if table is None:
        return None
    return tuple(
        Rewrite(commit["version"], from_micros(commit["timestamp"] * 1000), operation)
        for commit in table.history(_LOOKED_AT)
        if (operation := rewriting(commit)) is not None
    )


def rewriting(commit: dict[str, Any]) -> str | None:
    """What a commit of a Delta table's history did where that is more than to append; the first made the table.

    >>> rewriting({"version": 3, "operation": "WRITE", "operationParameters": {"mode": "Overwrite"}})
    'OVERWRITE'
    >>> rewriting({"version": 3, "operation": "OPTIMIZE", "operationParameters": {}})
    """
    if commit["version"] == 0:
        return None
    operation = str(commit["operation"]).upper()
    mode = str((commit.get("operationParameters") or {}).get("mode", "")).strip('"').upper()
    return mode if mode == "OVERWRITE" else operation if operation.startswith(_REWRITING) else None
