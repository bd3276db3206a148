"""The real flights in warehouses of their own, with snapshots that were built, checked and blocked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from examples.load import Shift
from skewless import Expectation, FeatureView, jobs
from skewless.errors import BlockedError
from skewless.plan.fingerprint import fingerprint
from skewless.plan.repo import load_repo
from skewless.settings import Settings
from skewless.store import FeatureStore
from skewless.timeline import FixedClock
from skewless.workspace import Workspace
from tests.oracle import bits

IMPOSSIBLE = Expectation("expect_table_row_count_to_be_between", max_value=0)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

# A busy Friday morning of 2013, before the data were moved.
MORNING = datetime(2013, 9, 13, 9, tzinfo=UTC)
DAYBREAK = datetime(2013, 9, 13, 1, tzinfo=UTC)  # from here on the daily snapshot of that day is due


@dataclass
class Snapshots:
    """What became of the snapshots that were built, by view."""

    stored: dict[str, list[datetime]]
    blocked: dict[str, list[datetime]]

    def how(self, view: FeatureView, t: datetime) -> str:
        """How a row at `t` comes by its snapshot, said without the product's ledger."""
        newest = (t - view.publish_delay - datetime.min.replace(tzinfo=UTC)) // interval(view)
        tick = datetime.min.replace(tzinfo=UTC) + newest * interval(view)
        if tick in self.blocked[view.name]:
            return "skipped"
        return "stored" if tick in self.stored[view.name] else "computed"


def interval(view: FeatureView) -> timedelta:
    """The length of a view's data intervals, which here are all alike."""
    return view.timetable.longest_interval


def workspace(settings: Settings, warehouse: Path, now: datetime) -> Workspace:
    """The repository's definitions over a warehouse, at a fixed instant."""
    return Workspace(
        settings.model_copy(update={"warehouse": str(warehouse)}),
        load_repo(settings.features),
        FixedClock(now),
    )


def beside(warehouse: Path, name: str) -> Path:
    """Another warehouse with the same sources and nothing else."""
    folder = warehouse.parent / name
    folder.mkdir()
    (folder / "sources").symlink_to(warehouse / "sources", target_is_directory=True)
    return folder


def source(warehouse: Path, name: str) -> pd.DataFrame:
    """All rows of a source, read without Spark."""
    return DeltaTable(str(warehouse / "sources" / name)).to_pandas()


# -- the year ---------------------------------------------------------------------------------------------


def morning_snapshots(place: Workspace, views: Sequence[FeatureView], shift: Shift) -> Snapshots:
    """Build and check two snapshots of each view that follow each other: one passes, the other is blocked.

    With every second view the first is blocked: it is skipped for one that nobody built; else for a stored one.
    """
    made = Snapshots({}, {})
    for view, blocked_first in zip(views, cycle((False, True)), strict=False):
        first = view.timetable.newest_at(MORNING + shift.duration)
        ticks = (first, first + interval(view))
        passing, blocked = reversed(ticks) if blocked_first else ticks
        jobs.build(place, view.name, passing)
        assert jobs.check(place, view.name, passing).verdict == "passed"
        block(place, view, blocked)
        made.stored[view.name], made.blocked[view.name] = [passing], [blocked]
    return made


def block(place: Workspace, view: FeatureView, tick: datetime) -> None:
    """Build a snapshot and have a check block it, as an author's changed expectation does."""
    strict = replace(view, expectations=(*view.expectations, IMPOSSIBLE))
    assert fingerprint(strict) == fingerprint(view)
    blocking = replace(place, repo=replace(place.repo, views={view.name: strict}))
    jobs.build(blocking, view.name, tick)
    with pytest.raises(BlockedError, match="was not published: 1 of its"):
        jobs.check(blocking, view.name, tick)


def thousand_flights(spine: pd.DataFrame, shift: Shift) -> pd.DataFrame:
    """1,000 flights: all of the morning, many of its day and the next, and the rest evenly from the whole year.

    In the order of their ids.
    """
    spine = spine.sort_values(["event_timestamp", "flight_id"], ignore_index=True)
    at = spine.event_timestamp - shift.duration
    morning = spine[at.between(MORNING + HOUR / 3, MORNING + HOUR * 5 / 2, inclusive="left")]
    day = spine[at.between(DAYBREAK, DAYBREAK + DAY, inclusive="left")].drop(index=morning.index)
    next_day = spine[at.between(DAYBREAK + DAY, DAYBREAK + 2 * DAY, inclusive="left")]
    near = pd.concat([morning, evenly(day, 150), evenly(next_day, 250)])
    rest = spine.drop(index=near.index)
    chosen = pd.concat([near, evenly(rest, 1000 - len(near))])
    return chosen.sort_values("flight_id", ignore_index=True)


def evenly(rows: pd.DataFrame, count: int) -> pd.DataFrame:
    """That many rows, spread evenly, the first and the last among them."""
    return rows.iloc[np.linspace(0, len(rows) - 1, count).astype(int)]


# -- values -----------------------------------------------------------------------------------------------


def differences(
    view: FeatureView,
    entities: Iterable[Any],
    values: Iterable[Sequence[Any]],
    wanted: Iterable[Sequence[Any]],
) -> list[str]:
    """In words, where two lists of a view's rows differ by a bit, or by a null, once both have the view's dtypes."""
    pairs = zip(entities, _typed(view, values), _typed(view, wanted), strict=True)
    return [
        f"{entity}: {field} is {value!r}, wanted {other!r}"
        for entity, row, others in pairs
        for field, value, other in zip(view.fields, row, others, strict=True)
        if bits(value) != bits(other)
    ]


def _typed(view: FeatureView, values: Iterable[Sequence[Any]]) -> list[tuple[Any, ...]]:
    columns = zip(zip(*values, strict=True), view.schema, strict=True)
    arrays = [pa.array(column, type=item.dtype.arrow()) for column, item in columns]
    return list(zip(*(array.to_pylist() for array in arrays), strict=True))


def trained(
    store: FeatureStore, view: FeatureView, entities: list[dict[str, Any]], t: datetime
) -> list[dict[str, Any]]:
    """Training rows of these entities, all asked at `t`, in their order."""
    rows = [{"place": place, **entity, "event_timestamp": t} for place, entity in enumerate(entities)]
    kinds = {str: pa.string(), int: pa.int64()}
    keys = [(key, kinds[type(entities[0][key])]) for key in view.join_keys]
    schema = pa.schema([("place", pa.int64()), *keys, ("event_timestamp", pa.timestamp("us", tz="UTC"))])
    spine = store.spark.createDataFrame(pa.Table.from_pylist(rows, schema=schema))
    joined = store.get_historical_features(spine, [view], explain=True).toArrow().to_pylist()
    assert len(joined) == len(entities)
    return sorted(joined, key=lambda row: row["place"])


def known_entities(warehouse: Path, view: FeatureView) -> list[dict[str, Any]]:
    """Every entity that the view's source names, whether the live snapshot sees it or not."""
    rows = source(warehouse, view.source.name)[list(view.join_keys)].dropna().drop_duplicates()
    return [
        dict(zip(view.join_keys, row, strict=True))
        for row in rows.sort_values(list(view.join_keys)).values.tolist()
    ]


def unknown_entities(view: FeatureView, like: dict[str, Any]) -> list[dict[str, Any]]:
    """Entities that no source names: strange keys, and null ones."""
    strange = [{key: "??|%" if isinstance(value, str) else -7 for key, value in like.items()}]
    return strange + [like | {key: None} for key in view.join_keys]
