"""What is always checked besides the author's expectations: decided here from numbers alone.

An empty revision passes every check of its columns, and a source that fell silent makes plausible zeros:
these are the checks that keep a failed nightly load from becoming a generation.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from skewless.model.view import FeatureView
from skewless.quality.verdict import CheckResult
from skewless.timeline import format_instant, within

KEYS_ARE_UNIQUE = "skewless_keys_are_unique"
NOT_EMPTY = "skewless_not_empty"
MIN_ROWS = "skewless_min_rows"
SOURCE_NOT_SILENT = "skewless_source_not_silent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the job counted.

    rows           of the revision: one per entity
    distinct_keys  how many different keys they have
    previous_rows  of the nearest earlier snapshot that has a revision in force; None: there is none
    newest_event   the newest event time that the snapshot sees in its source; None: it sees none
    """

    rows: int
    distinct_keys: int
    previous_rows: int | None
    newest_event: datetime | None


def builtin_results(view: FeatureView, snapshot_time: datetime, facts: Facts) -> list[CheckResult]:
    """The built-in checks of a revision; the one about silence only where the source has a `max_silence`."""
    results = [_keys_are_unique(view, facts), _not_empty(facts), _min_rows(view, facts)]
    if view.source.max_silence is not None:
        results.append(_source_not_silent(view, snapshot_time, facts))
    return results


def _keys_are_unique(view: FeatureView, facts: Facts) -> CheckResult:
    repeated = facts.rows - facts.distinct_keys
    found = f"{repeated:,} of {facts.rows:,} rows repeat a key" if repeated else f"all {facts.rows:,} rows"
    return CheckResult(
        expectation=KEYS_ARE_UNIQUE,
        sentence=f"{', '.join(view.join_keys)} unique: {found}",
        success=repeated == 0,
        observed=str(facts.distinct_keys),
        unexpected_count=repeated,
        total=facts.rows,
    )


def _not_empty(facts: Facts) -> CheckResult:
    found = f"{facts.rows:,} rows" if facts.rows else "the revision has no rows"
    return CheckResult(
        expectation=NOT_EMPTY,
        sentence=f"not empty: {found}",
        success=facts.rows > 0,
        observed=str(facts.rows),
    )


def _min_rows(view: FeatureView, facts: Facts) -> CheckResult:
    claim = f"at least {view.min_rows:.12g} of the previous snapshot's entities"
    if facts.previous_rows is None:
        found, success = "no earlier snapshot to compare with", True
    else:
        # Exact, as it was written: in floats 0.55 of 100 is more than 55.
        success = facts.rows >= Fraction(str(view.min_rows)) * facts.previous_rows
        found = f"{facts.rows:,} rows, {facts.previous_rows:,} before"
    return CheckResult(
        expectation=MIN_ROWS,
        sentence=f"{claim}: {found}",
        success=success,
        observed=str(facts.rows),
        total=facts.previous_rows,
    )


def _source_not_silent(view: FeatureView, snapshot_time: datetime, facts: Facts) -> CheckResult:
    silence, newest = view.source.max_silence, facts.newest_event
    success = newest is not None and bool(within(newest, snapshot_time, silence))
    found = (
        "no visible event" if newest is None else f"its newest visible event is of {format_instant(newest)}"
    )
    return CheckResult(
        expectation=SOURCE_NOT_SILENT,
        sentence=f"source {view.source.name!r} not silent for more than {silence}: {found}",
        success=success,
        observed=None if newest is None else format_instant(newest),
    )
