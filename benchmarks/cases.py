"""What is measured: each case's data at every scale, its contenders, and the ratios to reach."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow.dataset as ds

from benchmarks.answers import check
from benchmarks.feature_log import FeatureLog
from benchmarks.increments import Increments
from benchmarks.payments import Payments
from benchmarks.snapshots import Snapshots

Scale = Literal["small", "medium", "full"]
Data = Snapshots | FeatureLog | Payments | Increments
State = Literal["cold", "warm"]
Measure = Literal["wall", "cpu", "memory", "python_worker"]


def checked(data: Data, output: Path, *, exact: bool = True, answers: bool = True) -> str:
    """Compare what a run wrote with the right answer; WrongAnswer, or in words how they compare.

    exact    in every bit; else float sums may be nearly right
    answers  False: only its labels are looked at
    """
    if isinstance(data, Increments):
        return check(data.written(output), "user_id", data.users, data.expected())
    rows = data.rows.get("labels") or data.rows["points"]
    answer = ds.dataset(output, format="parquet")
    if not answers:
        check(answer, "label_id", rows, iter(()))
        return "none; every label is there"
    return check(answer, "label_id", rows, data.expected(), exact=exact)


@dataclass(frozen=True)
class Entry:
    """One contender of a case.

    contender  module:function in `benchmarks.contenders`
    data       which of the case's data sets
    warm       runs in the same process after the first, which is the cold one
    limit      seconds after which a run counts as not finished
    exact      its answer must be right in every bit; else float sums may be nearly right
    answers    it gives an answer; the floor gives none
    base       for writes: the table that is written into
    """

    contender: str
    data: str = ""
    warm: int = 2
    limit: int = 900
    exact: bool = True
    answers: bool = True
    base: str = ""

    @property
    def reads_our_tables(self) -> bool:
        """It needs our own feature tables, which Spark must write first."""
        return self.contender in {"ours:scheduled", "spark_sql:floor"}


@dataclass(frozen=True)
class Target:
    """A ratio of two medians, and what it may be at most."""

    words: str
    ours: tuple[str, State]
    theirs: tuple[str, State]
    measure: Measure
    at_most: float


@dataclass(frozen=True)
class Limit:
    """A median, in bytes, and what it may be at most."""

    words: str
    ours: tuple[str, State]
    measure: Measure
    at_most: float


@dataclass(frozen=True)
class Case:
    """A case; `data` gives its data sets, by name, at a scale."""

    name: str
    title: str
    data: Callable[[Scale], Mapping[str, Data]]
    entries: Mapping[str, Entry]
    targets: tuple[Target | Limit, ...]
    heap: str = "4g"


def _sized(small: Data, medium: Data, full: Data) -> Callable[[Scale], Mapping[str, Data]]:
    return lambda scale: {"": {"small": small, "medium": medium, "full": full}[scale]}


OURS, FLOOR, POLARS, DUCKDB = "skewless", "Spark floor", "Polars join_asof", "DuckDB ASOF"
FEAST_SPARK, FEAST_TTL, FEAST_DUCKDB = "Feast Spark", "Feast Spark, ttl 2 h", "Feast DuckDB"
RANGE, UNION, EVENT = "Spark range join", "Spark union + window", 'skewless, as_of="event"'

_JOINS = {
    OURS: Entry("ours:scheduled"),
    FLOOR: Entry("spark_sql:floor", answers=False),
    POLARS: Entry("local:polars_join"),
    DUCKDB: Entry("local:duckdb_asof"),
}
_MORE_JOINS = _JOINS | {
    EVENT: Entry("ours:event"),
    FEAST_SPARK: Entry("feast_stores:spark", warm=0),
    FEAST_TTL: Entry("feast_stores:spark_with_ttl", warm=0),
    FEAST_DUCKDB: Entry("feast_stores:duckdb", warm=1),
    UNION: Entry("spark_sql:union_window", warm=1),
    RANGE: Entry("spark_sql:range_join", warm=0, limit=300),
}

_JOIN_10M = Case(
    "join_10m_1m",
    "10M feature rows x 1M labels",
    _sized(Snapshots(4, 2500, 1000), Snapshots(20, 50_000, 100_000), Snapshots(100, 100_000, 1_000_000)),
    _MORE_JOINS,
    (
        Target("CPU, warm, beside the floor", (OURS, "warm"), (FLOOR, "warm"), "cpu", 1.3),
        Target("wall time, cold, beside Feast Spark", (OURS, "cold"), (FEAST_SPARK, "cold"), "wall", 1 / 15),
        Target("wall time, warm, beside Polars", (OURS, "warm"), (POLARS, "warm"), "wall", 1.0),
    ),
)

_JOIN_3_VIEWS = Case(
    "join_10m_5m_3views",
    "10M feature rows in each of 3 views x 5M labels",
    _sized(
        Snapshots(4, 2500, 5000, views=3),
        Snapshots(20, 50_000, 500_000, views=3),
        Snapshots(100, 100_000, 5_000_000, views=3),
    ),
    _JOINS,
    (Target("CPU, warm, beside the floor", (OURS, "warm"), (FLOOR, "warm"), "cpu", 1.5),),
)

_JOIN_1M = Case(
    "join_1m_1m_cold",
    "1M feature rows x 1M labels",
    _sized(Snapshots(4, 250, 1000), Snapshots(20, 5_000, 100_000), Snapshots(100, 10_000, 1_000_000)),
    _MORE_JOINS,
    (
        Target("wall time, cold, beside Feast Spark", (OURS, "cold"), (FEAST_SPARK, "cold"), "wall", 1 / 6),
        Target("wall time, warm, beside Feast DuckDB", (OURS, "warm"), (FEAST_DUCKDB, "warm"), "wall", 1.0),
    ),
)

NUMPY = "numpy prefix sums (floats)"
_WINDOWS = Case(
    "windows_10m",
    "10M events, sum and count over 1 h, 1 d, 7 d, 30 d at 1.68M hourly points",
    _sized(Payments(10_000, 50, 24), Payments(1_000_000, 1000, 168), Payments(10_000_000, 10_000, 168)),
    {
        OURS: Entry("ours:scheduled"),
        NUMPY: Entry("local:numpy_windows", exact=False),
        "Polars prefix sums (floats)": Entry("local:polars_windows", exact=False),
    },
    (Target("CPU, warm, beside numpy on one core", (OURS, "warm"), (NUMPY, "warm"), "cpu", 3.0),),
)


def _hot_or_not(scale: Scale) -> Mapping[str, Data]:
    features, users, labels = {
        "small": (10_000, 100, 1000),
        "medium": (1_000_000, 10_000, 100_000),
        "full": (10_000_000, 100_000, 1_000_000),
    }[scale]
    return {
        "hot": FeatureLog(features, users, labels, hot=0.3),
        "uniform": FeatureLog(features, users, labels),
    }


HOT, UNIFORM = "skewless, 30% in one key", "skewless, uniform keys"
_HOT_KEY = Case(
    "hot_key",
    "10M feature rows x 1M labels by event time, 30% of both in one key, heap of 2 GB",
    _hot_or_not,
    {
        HOT: Entry("ours:event", "hot"),
        UNIFORM: Entry("ours:event", "uniform"),
        UNION: Entry("spark_sql:union_window", "hot", warm=1),
        RANGE: Entry("spark_sql:range_join", "hot", warm=0, limit=150),
        POLARS: Entry("local:polars_join", "hot"),
        DUCKDB: Entry("local:duckdb_asof", "hot"),
    },
    (
        Target("wall time, warm, beside uniform keys", (HOT, "warm"), (UNIFORM, "warm"), "wall", 2.0),
        Limit("peak of one Python worker", (HOT, "warm"), "python_worker", 1e9),
    ),
    heap="2g",
)

PLAIN = "plain partitioned append"
_LAYOUT = Case(
    "layout_write",
    "append of one snapshot of 10M feature rows to an empty table",
    _sized(Increments(0, 10_000), Increments(0, 1_000_000), Increments(0, 10_000_000)),
    {
        OURS: Entry("writes:ours", base="features"),
        PLAIN: Entry("writes:plain_append", base="base/plain"),
    },
    (Target("CPU, warm, beside the plain append", (OURS, "warm"), (PLAIN, "warm"), "cpu", 2.0),),
)

OVERWRITE = "partition overwrite"
_INCREMENT = Case(
    "increment",
    "167k feature rows into a table of 10M",
    _sized(Increments(4, 2500), Increments(20, 50_000), Increments(60, 167_000)),
    {
        OURS: Entry("writes:ours", base="features"),
        PLAIN: Entry("writes:plain_append", base="base/plain"),
        OVERWRITE: Entry("writes:overwrite", base="base/rerun"),
        "MERGE into the partition": Entry("writes:merge", base="base/rerun"),
    },
    (Target("CPU, warm, beside the partition overwrite", (OURS, "warm"), (OVERWRITE, "warm"), "cpu", 1.5),),
)

CASES = {
    case.name: case for case in (_JOIN_10M, _JOIN_3_VIEWS, _JOIN_1M, _WINDOWS, _HOT_KEY, _LAYOUT, _INCREMENT)
}
