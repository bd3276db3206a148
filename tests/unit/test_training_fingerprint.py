"""The fingerprint of a training set moves with what decides its rows, and with nothing else."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from skewless import DeltaSource, Entity, Expectation, FeatureService, FeatureView, Field, TrainingSet
from skewless.plan.fingerprint import definition_fingerprint, training_definition
from skewless.plan.repo import Repo
from skewless.types import Float32

HOUR = timedelta(hours=1)
FACTS = DeltaSource(name="facts", path="sources/facts", timestamp_field="at")
SPINE = DeltaSource(name="labels", path="sources/labels", timestamp_field="asked", event_id=["id"])
VIEW = FeatureView(
    name="stats",
    entities=[Entity(name="user")],
    source=FACTS,
    max_staleness=6 * HOUR,
    schema=[Field(name="amount", dtype=Float32), Field(name="price", dtype=Float32)],
)
SET = TrainingSet(name="rows", service=FeatureService(name="model", features=[VIEW]), spine=SPINE)


def of(training_set: TrainingSet) -> str:
    return definition_fingerprint(
        training_definition(training_set, Repo({"stats": VIEW}, {}, {}, {}, {}).resolve(training_set.service))
    )


def with_view(**changes: Any) -> TrainingSet:
    return replace(SET, service=replace(SET.service, features=[replace(VIEW, **changes)]))


OTHER_ROWS = {
    "features": replace(SET, service=replace(SET.service, features=["stats:amount"])),
    "order of the features": replace(
        SET, service=replace(SET.service, features=["stats:price", "stats:amount"])
    ),
    "a view's values": with_view(ttl=HOUR),
    "a view's schedule": with_view(schedule="30 * * * *"),
    "a view's publish delay": with_view(publish_delay=HOUR),
    "a view's max staleness": with_view(max_staleness=None),
    "spine's path": replace(SET, spine=replace(SPINE, path="sources/other")),
    "spine's time": replace(SET, spine=replace(SPINE, timestamp_field="at")),
    "spine's created column": replace(SET, spine=replace(SPINE, created_timestamp_column="known")),
    "spine's event id": replace(SET, spine=replace(SPINE, event_id=[])),
    "label delay": replace(SET, label_delay=HOUR),
    "schedule": replace(SET, schedule="@hourly"),
}
SAME_ROWS = {
    "name": replace(SET, name="other"),
    "service's name": replace(SET, service=replace(SET.service, name="other", description="words")),
    "features by name": replace(SET, service=replace(SET.service, features=["stats:amount", "stats:price"])),
    "expectations": replace(SET, expectations=[Expectation("expect_table_row_count_to_equal", value=1)]),
    "settle timeout": replace(SET, settle_timeout=HOUR),
    "spine's data delay, which decides nothing": replace(SET, spine=replace(SPINE, data_delay=HOUR)),
    "start, owner, tags": replace(SET, start=datetime(2013, 1, 1, tzinfo=UTC), owner="us", tags=["a"]),
    "a view's checks": with_view(min_rows=0.1, description="words"),
}


@pytest.mark.parametrize("change", OTHER_ROWS)
def test_what_decides_rows_is_in_the_fingerprint(change: str):
    assert of(OTHER_ROWS[change]) != of(SET)


def test_each_of_these_changes_has_a_fingerprint_of_its_own():
    assert len({of(item) for item in OTHER_ROWS.values()}) == len(OTHER_ROWS)


@pytest.mark.parametrize("change", SAME_ROWS)
def test_what_decides_no_row_is_not_in_the_fingerprint(change: str):
    assert of(SAME_ROWS[change]) == of(SET)


def test_the_fingerprint_of_a_definition_never_changes():
    assert of(SET) == "74be7226c4c939dac1a388b8f38e194ea44d32ddb864a16fd1a32b1f564a9b17"
