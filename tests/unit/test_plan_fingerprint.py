"""A fingerprint moves with what decides values, and with nothing else."""

import dataclasses
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from skewless import DeltaSource, Entity, Expectation, FeatureView, Field, agg
from skewless.plan.fingerprint import fingerprint, short
from skewless.types import Array, Bytes, DType, Float32, Float64, Int32, Int64, String, Timestamp

DAY = timedelta(days=1)
SOURCE = DeltaSource(
    name="logins",
    path="sources/logins",
    timestamp_field="at",
    created_timestamp_column="known_at",
    event_id=["id", "part"],
    data_delay=timedelta(minutes=5),
)
AVERAGE = Field(
    name="average", dtype=Float32, value=agg.avg("amount", window=DAY, where="amount > 0"), default=0.5
)
LAST = Field(name="device", dtype=String)
VIEW = FeatureView(
    name="logins",
    entities=[Entity(name="account", join_keys=["account_id", "region"])],
    source=SOURCE,
    ttl=timedelta(hours=1),
    schema=[AVERAGE, LAST],
)


def replace(value: Any, /, **changes: Any) -> Any:
    return dataclasses.replace(value, **changes)


def with_field(**changes: Any) -> FeatureView:
    return replace(VIEW, schema=[replace(AVERAGE, **changes), LAST])


def with_source(**changes: Any) -> FeatureView:
    return replace(VIEW, source=replace(SOURCE, **changes))


def with_default(dtype: DType, default: Any) -> str:
    return fingerprint(replace(VIEW, schema=[Field(name="a", dtype=dtype, default=default)]))


OTHER_VALUES = {
    "field name": with_field(name="mean"),
    "dtype": with_field(dtype=Float64),
    "function": with_field(value=agg.sum("amount", window=DAY, where="amount > 0")),
    "column": with_field(value=agg.avg("price", window=DAY, where="amount > 0")),
    "window": with_field(value=agg.avg("amount", window=DAY + timedelta.resolution, where="amount > 0")),
    "nulls": with_field(value=agg.avg("amount", window=DAY, where="amount > 0", nulls="zero")),
    "where": with_field(value=agg.avg("amount", window=DAY, where="amount >= 0")),
    "no where": with_field(value=agg.avg("amount", window=DAY)),
    "last n": with_field(value=agg.last_n("amount", 3, window=DAY), dtype=Array(Float32), default=None),
    "n": with_field(value=agg.last_n("amount", 4, window=DAY), dtype=Array(Float32), default=None),
    "quantile": with_field(value=agg.quantile("amount", 0.5, window=DAY)),
    "q": with_field(value=agg.quantile("amount", 0.25, window=DAY)),
    "an expression": with_field(value="amount"),
    "default": with_field(default=0.25),
    "no default": with_field(default=None),
    "a field more": replace(VIEW, schema=[AVERAGE, LAST, Field(name="more", dtype=String)]),
    "keys": replace(VIEW, entities=[Entity(name="account", join_keys=["account_id"])]),
    "order of keys": replace(VIEW, entities=[Entity(name="account", join_keys=["region", "account_id"])]),
    "path": with_source(path="sources/logins2"),
    "table": with_source(path=None, table="sources/logins"),
    "timestamp field": with_source(timestamp_field="at2"),
    "created column": with_source(created_timestamp_column=None),
    "event id": with_source(event_id=["id"]),
    "data delay": with_source(data_delay=timedelta(minutes=4)),
    "ttl": replace(VIEW, ttl=None),
}
SAME_VALUES = {
    "view's name": replace(VIEW, name="other"),
    "description": replace(VIEW, description="what it is", owner="us", tags=["a"]),
    "schedule": replace(VIEW, schedule="@daily"),
    "publish delay": replace(VIEW, publish_delay=timedelta(hours=1)),
    "max staleness": replace(VIEW, max_staleness=DAY),
    "min rows": replace(VIEW, min_rows=0.1),
    "expectations": replace(VIEW, expectations=[Expectation("expect_table_row_count_to_equal", value=1)]),
    "start": replace(VIEW, start=datetime(2013, 1, 1, tzinfo=UTC)),
    "online": replace(VIEW, online=False),
    "field's description": with_field(description="mean amount"),
    "order of fields": replace(VIEW, schema=[LAST, AVERAGE]),
    "source's name": with_source(name="other", description="facts", max_silence=DAY),
    "order of the event id": with_source(event_id=["part", "id"]),
    "entity's name": replace(VIEW, entities=[Entity(name="other", join_keys=["account_id", "region"])]),
}


@pytest.mark.parametrize("change", OTHER_VALUES)
def test_what_decides_values_is_in_the_fingerprint(change: str):
    assert fingerprint(OTHER_VALUES[change]) != fingerprint(VIEW)


def test_each_of_these_changes_has_a_fingerprint_of_its_own():
    assert len({fingerprint(view) for view in OTHER_VALUES.values()}) == len(OTHER_VALUES)


@pytest.mark.parametrize("change", SAME_VALUES)
def test_what_decides_no_value_is_not_in_the_fingerprint(change: str):
    assert fingerprint(SAME_VALUES[change]) == fingerprint(VIEW)


def test_the_fingerprint_of_a_definition_never_changes():
    assert fingerprint(VIEW) == "1207fde9f116e3bf993451bcd679f14aa733647f4f0aed9d950487381381a2f6"
    assert short(fingerprint(VIEW)) == "1207fde9f116"


@pytest.mark.parametrize(
    ("dtype", "one", "other"),
    [
        (Float32, 0.0, -0.0),
        (Float64, 0.1, 0.1 + 2**-56),
        (Float64, math.nan, math.inf),
        (Bytes, b"a", b"b"),
        (Int32, 1, 2),
        (String, "1", "2"),
        (Timestamp, datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 1, 1, 0, 0, 0, 1, tzinfo=UTC)),
        (Array(Int64), [], [0]),
    ],
)
def test_defaults_are_told_apart_by_their_bits(dtype: DType, one: Any, other: Any):
    assert with_default(dtype, one) != with_default(dtype, other)
    assert with_default(dtype, one) == with_default(dtype, one)


def test_a_default_counts_as_its_dtype_holds_it():
    assert with_default(Float32, 0.1) == with_default(Float32, 0.10000000149011612)
    assert with_default(Float64, 1) == with_default(Float64, 1.0)


def test_a_quantile_counts_as_its_number():
    one, other = (with_field(value=agg.quantile("amount", q, window=DAY)) for q in (1, 1.0))
    assert fingerprint(one) == fingerprint(other)
