"""Real flights: training rows are what plain pandas computes, and online lookups are what training rows say."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from examples.load import SHIFT_FILE, Shift, load
from features.flights import departure_delay_v1
from skewless import FeatureView, jobs
from skewless.settings import Settings
from skewless.store import FeatureStore
from skewless.workspace import Workspace
from tests.e2e.flights_world import (
    DAY,
    Snapshots,
    beside,
    differences,
    known_entities,
    morning_snapshots,
    source,
    thousand_flights,
    trained,
    unknown_entities,
    workspace,
)
from tests.independent import flight_features

VIEWS = departure_delay_v1.features
ONLINE = [*(view.name for view in VIEWS), "transaction_stats"]
KINDS = ("stored", "computed", "skipped")


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example data, moved so that now is in their middle."""
    folder = tmp_path_factory.mktemp("flights") / "live"
    load(folder, now=datetime.now(UTC))
    return folder


@pytest.fixture(scope="module")
def shift(warehouse: Path) -> Shift:
    return Shift.read(warehouse / "sources" / SHIFT_FILE)


# -- a year of training rows ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Year:
    """1,000 flights with what the product and what pandas say of them, in the same order."""

    flights: pd.DataFrame
    snapshots: Snapshots
    trained: pd.DataFrame
    expected: pd.DataFrame


@pytest.fixture(scope="module")
def year(warehouse: Path, shift: Shift, services: Settings, spark: SparkSession) -> Year:
    """The whole year has passed, so flights of all of it can be asked about."""
    place = workspace(services, beside(warehouse, "year"), shift.end + DAY)
    snapshots = morning_snapshots(place, VIEWS, shift)
    flights = thousand_flights(source(warehouse, "flights_spine"), shift)
    spine = place.spark.createDataFrame(pa.Table.from_pandas(flights, preserve_index=False))
    store = FeatureStore.of(place)
    joined = store.get_historical_features(spine, departure_delay_v1.name, explain=True).toArrow()
    rows = pd.DataFrame(
        {name: pd.Series(joined[name].to_pylist(), dtype=object) for name in joined.column_names}
    )
    rows = rows.sort_values("flight_id", ignore_index=True)
    sources = {name: source(warehouse, name) for name in ("departures", "arrivals", "weather")}
    return Year(flights, snapshots, rows, flight_features(sources, flights, snapshots.blocked))


def test_a_thousand_flights_of_the_year_keep_their_rows(year: Year):
    assert len(year.trained) == year.flights.flight_id.nunique() == 1000
    assert year.flights.event_timestamp.dt.date.nunique() > 300
    kept = pa.Table.from_pandas(year.flights, preserve_index=False).to_pylist()
    assert year.trained[list(year.flights.columns)].to_dict("records") == kept


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_training_rows_are_what_pandas_computes(view: FeatureView, year: Year):
    columns = [f"{view.name}__{name}" for name in view.fields]
    ours, theirs = (table[columns].values.tolist() for table in (year.trained, year.expected))
    assert differences(view, year.flights.flight_id, ours, theirs) == []
    assert any(None in row for row in theirs)


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_training_rows_see_the_snapshot_that_was_due(view: FeatureView, year: Year):
    seen, wanted = year.trained[f"{view.name}__snapshot_time"], year.expected[f"{view.name}__snapshot_time"]
    assert seen.tolist() == wanted.tolist()
    how = year.trained[f"{view.name}__how"].tolist()
    assert how == [year.snapshots.how(view, t.to_pydatetime()) for t in year.flights.event_timestamp]


def test_a_tenth_of_the_rows_each_saw_stored_computed_and_skipped_snapshots(year: Year):
    """A tenth even of all pairs of row and view; and each view had all three."""
    how = year.trained[[f"{view.name}__how" for view in VIEWS]]
    pairs = Counter(how.to_numpy().ravel())
    assert all(pairs[kind] >= 500 for kind in KINDS), pairs
    assert all((how == kind).any(axis=1).sum() >= 100 for kind in KINDS)
    assert all(set(how[column]) == set(KINDS) for column in how)


# -- live ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Live:
    """Published views; the same definitions over a warehouse that knows of no revision."""

    place: Workspace
    hidden: FeatureStore
    published: dict[str, jobs.receipts.Published]


@pytest.fixture(scope="module")
def live(warehouse: Path, services: Settings, spark: SparkSession) -> Live:
    """Build, check and publish what is due now: the server flips by its own clock."""
    settings = services.model_copy(update={"namespace": f"n-{uuid.uuid4().hex[:12]}"})
    now = datetime.now(UTC)
    place = workspace(settings, warehouse, now)
    for name in ONLINE:
        jobs.build(place, name)
        jobs.check(place, name)
    published = {name: jobs.publish(place, name) for name in ONLINE}
    return Live(place, FeatureStore.of(workspace(settings, beside(warehouse, "hidden"), now)), published)


@pytest.mark.parametrize("name", ONLINE)
def test_online_values_are_training_values_also_without_the_stored_revision(
    name: str, live: Live, warehouse: Path
):
    view, store = live.place.repo.view(name), FeatureStore.of(live.place)
    at = live.published[name].snapshot_time
    known = known_entities(warehouse, view)
    entities = known + unknown_entities(view, known[0])
    answer = store.get_online_features([name], entities)
    store.close()
    assert (answer.views[name].snapshot_time, answer.views[name].state) == (at, "live")
    online = values(view, answer.rows)
    for asked, how in ((store, "stored"), (live.hidden, "computed")):
        rows = trained(asked, view, entities, at + view.publish_delay)
        assert {(row[f"{name}__snapshot_time"], row[f"{name}__how"]) for row in rows} == {(at, how)}
        assert differences(view, entities, values(view, rows), online) == []
    strangers = entities[len(known) :]
    assert differences(view, strangers, online[len(known) :], [view.absent_row] * len(strangers)) == []
    present = [row for row in online if differences(view, [0], [row], [view.absent_row])]
    assert 0 < len(present) <= (live.published[name].rows or 0)


def values(view: FeatureView, rows: list[dict[str, Any]]) -> list[list[Any]]:
    """The view's values in rows, in the order of its schema."""
    return [[row[f"{view.name}__{field}"] for field in view.fields] for row in rows]
