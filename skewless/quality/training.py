"""Checking an interval of a training set: the author's expectations, and what is always checked besides."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from skewless.model import TrainingSet
from skewless.quality.gx import gx_results
from skewless.quality.verdict import CheckResult, Verdict
from skewless.timeline import format_instant

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SPINE_ROWS = "skewless_exactly_the_spines_rows"
HAS_LABELS = "skewless_has_labels"
LABELS_HAVE_TIMES = "skewless_labels_have_times"
SNAPSHOTS_SETTLED = "skewless_snapshots_settled"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingFacts:
    """What the job counted.

    labels       how many rows of the spine belong to the interval
    rows         how many came out
    unchanged    the spine's columns came out as they went in, bit by bit
    timeless     how many rows of the spine have no event time, and so belong to no interval
    unsettled    the snapshots whose runs had not come to an end, each as "view at T"
    computed     how many of them were computed from the source instead of read
    """

    labels: int
    rows: int
    unchanged: bool
    timeless: int
    unsettled: tuple[str, ...]
    computed: int


class TrainingVerdict(Verdict):
    """All results of one check of one interval of a training set."""

    def _way_out(self) -> list[str]:
        where = f"{self.view} --interval-end {format_instant(self.snapshot_time)}"
        return [
            "The training set keeps what it had of this interval. Repair the labels or the features' sources and",
            f"  train again (in Airflow: clear the run):  skewless train {where}",
            "  or correct the expectation in its definition, and train again,",
            f'  or accept it as it is:  skewless train {where} --accept --reason "..."',
        ]

    @property
    def _outcome(self) -> str:
        return "was not added"


def check_training(
    df: DataFrame, training_set: TrainingSet, *, interval_end: datetime, revision: str, facts: TrainingFacts
) -> TrainingVerdict:
    """Judge a revision; `df` has its rows: the spine's columns, then the features.

    Raises DefinitionError when an expectation is unknown or its arguments are wrong.
    """
    results = [*builtin_results(facts), *gx_results(df, training_set)]
    return TrainingVerdict(
        view=training_set.name, snapshot_time=interval_end, revision=revision, results=tuple(results)
    )


def builtin_results(facts: TrainingFacts) -> list[CheckResult]:
    """An interval without labels is no mistake of the join, so it warns; whoever knows better expects a row count."""
    return [
        CheckResult(
            expectation=SPINE_ROWS,
            sentence=f"exactly the spine's rows: {facts.labels:,} in, {facts.rows:,} out"
            + ("" if facts.unchanged else ", and they are not the same"),
            success=facts.unchanged and facts.rows == facts.labels,
            observed=str(facts.rows),
            total=facts.labels,
        ),
        CheckResult(
            expectation=HAS_LABELS,
            sentence=f"has labels: {f'{facts.labels:,}' if facts.labels else 'the spine has none in this interval'}",
            success=facts.labels > 0,
            severity="warning",
            observed=str(facts.labels),
        ),
        CheckResult(
            expectation=LABELS_HAVE_TIMES,
            sentence=f"every label has a time: {f'{facts.timeless:,} have none' if facts.timeless else 'all'}",
            success=facts.timeless == 0,
            severity="warning",
            unexpected_count=facts.timeless,
        ),
        CheckResult(
            expectation=SNAPSHOTS_SETTLED,
            sentence=f"every snapshot that the labels see is settled: {_unsettled(facts)}",
            success=not facts.unsettled,
            severity="warning",
            observed=", ".join(facts.unsettled) or None,
            unexpected_count=len(facts.unsettled),
        ),
    ]


def _unsettled(facts: TrainingFacts) -> str:
    if not facts.unsettled:
        return "all"
    named, more = ", ".join(facts.unsettled[:5]), len(facts.unsettled) - 5
    rest = f" and {more:,} more" if more > 0 else ""
    return f"not {named}{rest}; {facts.computed:,} of them were computed from the source"
