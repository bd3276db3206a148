"""A deletion is the last version of an event: it is known from then on, and the event is gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from skewless import DeltaSource, Entity, FeatureView, Field, agg
from skewless.errors import DataError, DefinitionError
from skewless.offline.source import read_source
from skewless.offline.training import labels
from skewless.plan.fingerprint import fingerprint
from skewless.plan.repo import Repo
from skewless.settings import Settings
from skewless.store import FeatureStore
from skewless.timeline import FixedClock, Interval
from skewless.types import Int64
from skewless.workspace import Workspace

INSTANT = pa.timestamp("us", tz="UTC")
SOURCE = DeltaSource(
    name="bookings",
    path="bookings",
    timestamp_field="at",
    created_timestamp_column="created",
    event_id=["id"],
    deleted_column="gone",
)
VIEW = FeatureView(
    name="booked",
    entities=[Entity(name="k")],
    source=SOURCE,
    publish_delay=timedelta(0),
    schema=[
        Field(name="n", dtype=Int64, value=agg.count(window=timedelta(days=1))),
        Field(name="v", dtype=Int64),
    ],
)


def at(hour: float) -> datetime:
    return datetime(2024, 3, 10, tzinfo=UTC) + timedelta(hours=hour)


def told(
    key: int, id: str | None, known: float, v: int, gone: bool | None, event: float = 1
) -> dict[str, Any]:
    """A version of an event of one o'clock."""
    return {"k": key, "id": id, "at": at(event), "created": at(known), "v": v, "gone": gone}


ROWS = [
    # 1: told, deleted at four, told again at six
    told(1, "a", 2, 10, None), told(1, "a", 4, 0, True), told(1, "a", 6, 11, False),
    # 2: deleted before it was ever told; another event stays
    told(2, "b", 2, 0, True), told(2, "c", 2, 20, None),
    # 3: a deletion by another key, and one that lies in the future of its event
    told(3, "d", 2, 30, False), told(99, "d", 3, 0, True, event=23),
    # 4: told and deleted at one instant: the deletion is the last
    told(4, "e", 2, 99, False), told(4, "e", 2, 0, True),
    # 5: without an id it stands alone, and deletes nothing but itself
    told(5, None, 2, 50, None), told(5, None, 3, 51, True),
    # 6: an old version that arrives late does not undo the deletion that is known later
    told(6, "f", 5, 0, True), told(6, "f", 3, 60, False),
]  # fmt: skip
SCHEMA = pa.schema(
    [
        ("k", pa.int64()),
        ("id", pa.string()),
        ("at", INSTANT),
        ("created", INSTANT),
        ("v", pa.int64()),
        ("gone", pa.bool_()),
    ]
)
# By entity, what is seen at three, at five and at seven o'clock: how many bookings, and the newest one's value.
TRUTH = {
    1: [(1, 10), (0, None), (1, 11)],
    2: [(1, 20), (1, 20), (1, 20)],
    3: [(1, 30), (0, None), (0, None)],
    4: [(0, None), (0, None), (0, None)],
    5: [(1, 50), (1, 50), (1, 50)],
    6: [(0, None), (1, 60), (0, None)],
    99: [(0, None), (0, None), (0, None)],
}


@pytest.fixture(scope="module")
def store(services: Settings, tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    warehouse = tmp_path_factory.mktemp("deleted")
    write_deltalake(warehouse / "bookings", pa.Table.from_pylist(ROWS, schema=SCHEMA))
    settings = services.model_copy(update={"warehouse": str(warehouse)})
    repo = Repo({VIEW.name: VIEW}, {}, {}, {}, {})
    return FeatureStore.of(Workspace(settings, repo, FixedClock(at(24))))


def asked(store: FeatureStore, view: FeatureView, as_of: Any) -> dict[int, list[tuple[int, int | None]]]:
    spine = pa.table(
        {
            "k": [key for key in TRUTH for _ in range(3)],
            "event_timestamp": pa.array([at(hour) for _ in TRUTH for hour in (3, 5, 7)], INSTANT),
        }
    )
    found = store.get_historical_features(spine, [view], as_of=as_of).toArrow().to_pylist()
    found.sort(key=lambda row: row["event_timestamp"])
    return {key: [(row["booked__n"], row["booked__v"]) for row in found if row["k"] == key] for key in TRUTH}


@pytest.mark.parametrize("as_of", ["scheduled", "event"])
def test_a_deleted_event_is_gone_from_when_that_was_known(store: FeatureStore, as_of: str) -> None:
    assert asked(store, VIEW, as_of) == TRUTH


def test_labels_that_were_deleted_are_no_labels(store: FeatureStore) -> None:
    spine = read_source(store.spark, SOURCE, store.settings.warehouse)
    rows = labels(spine, Interval(at(0), at(2)), known_before=at(5)).toArrow()
    assert sorted(rows.column("v").to_pylist()) == [20, 50, 60]
    assert rows.column_names == SCHEMA.names


def test_what_is_no_deleted_column(store: FeatureStore) -> None:
    with pytest.raises(
        DefinitionError, match="deleted_column needs event_id: a deletion is the last version"
    ):
        replace(SOURCE, event_id=[])
    for column, words in {
        "v": "deleted_column 'v' is bigint, not a boolean; cast it",
        "gon": r"\(did you mean 'gone'",
    }.items():
        view = replace(VIEW, source=replace(SOURCE, deleted_column=column))
        with pytest.raises(DataError, match=words):
            asked(store, view, "event")


def test_it_is_a_part_of_the_fingerprint_where_it_is_given() -> None:
    without = replace(VIEW, source=replace(SOURCE, deleted_column=None))
    other = replace(VIEW, source=replace(SOURCE, deleted_column="v"))
    assert len({fingerprint(view) for view in (VIEW, without, other)}) == 3
