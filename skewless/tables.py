"""Results as tables for a terminal."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from skewless.timeline import format_instant

if TYPE_CHECKING:
    from skewless.jobs import ViewStatus
    from skewless.online.answer import Answer


def status_table(found: Iterable[ViewStatus]) -> str:
    """One line a view: verdict, generation, snapshot, age, rows; then where ledger and online store differ."""
    found = tuple(found)
    rows = [
        {
            "view": item.view,
            "state": f"{item.state}, held" if item.held else item.state,
            "verdict": item.verdict,
            "generation": item.generation,
            "snapshot": item.snapshot_time,
            "age": item.age,
            "rows": item.rows,
            "newest built": _newest(item),
        }
        for item in found
    ]
    lines = [f"{item.view}: {told}" for item in found for told in item.disagreements]
    return "\n".join([rows_table(rows), *lines])


def _newest(item: ViewStatus) -> str | None:
    if item.newest_built is None or item.newest_built == item.snapshot_time:
        return None
    return f"{format_instant(item.newest_built)} {item.newest_verdict}"


def answer_table(answer: Answer) -> str:
    """The rows of a lookup, and what each view was answered from."""
    views = [
        f"{name}: generation {served.generation}, snapshot {format_instant(served.snapshot_time)}, "
        f"{_text(served.age)} old, {served.state}"
        for name, served in answer.views.items()
    ]
    return "\n".join([rows_table(answer.rows), *views])


def rows_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as a table; those with many columns stand upright, a block each."""
    if not rows:
        return "no rows"
    names = list(rows[0])
    texts = [[_text(row[name]) for name in names] for row in rows]
    if sum(max(len(text) for text in column) + 3 for column in zip(names, *texts, strict=True)) > 200:
        return _upright(names, texts)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in names:
        table.add_column(name, no_wrap=True)
    for text in texts:
        table.add_row(*text)
    return _rendered(table)


def _upright(names: Sequence[str], texts: Sequence[Sequence[str]]) -> str:
    """Columns downwards, rows to the right."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for _ in range(len(texts) + 1):
        table.add_column(no_wrap=True)
    for position, name in enumerate(names):
        table.add_row(name, *(text[position] for text in texts))
    return _rendered(table)


def _rendered(table: Table) -> str:
    out = io.StringIO()
    Console(file=out, width=400, no_color=True, highlight=False).print(table)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return format_instant(value)
    if isinstance(value, timedelta):
        return str(timedelta(seconds=int(value.total_seconds())))
    return f"{value:.6g}" if isinstance(value, float) else str(value)
