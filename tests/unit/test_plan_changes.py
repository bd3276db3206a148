"""What changed between two definitions, in words."""

from __future__ import annotations

from datetime import timedelta

from skewless import DeltaSource, Entity, FeatureView, Field, agg
from skewless.plan.changes import changes
from skewless.plan.fingerprint import view_definition
from skewless.types import Float64, Int64, String

HOUR = timedelta(hours=1)
USER = Entity(name="user", join_keys=["user_id"])


def source(**more) -> DeltaSource:
    told = {"name": "orders", "path": "sources/orders", "timestamp_field": "at"}
    return DeltaSource(**told | more)


TOTAL = Field(name="total", dtype=Float64, value=agg.sum("amount", window=HOUR))
SHOP = Field(name="shop", dtype=String)


def view(*fields: Field, **more) -> FeatureView:
    told = {"name": "spending", "entities": [USER], "source": source(), "schema": fields or (TOTAL, SHOP)}
    return FeatureView(**told | more)


def told(now: FeatureView, before: FeatureView | None = None) -> tuple[str, ...]:
    return changes(view_definition(before or view()), view_definition(now))


def test_nothing_that_leaves_the_values_alone_is_a_change():
    assert told(view(SHOP, TOTAL, owner="shop-team", publish_delay=HOUR, min_rows=0.1)) == ()


def test_fields_are_told_by_name_wherever_they_stand():
    count = Field(name="a_count", dtype=Int64, value=agg.count(window=HOUR))
    assert told(view(count, TOTAL)) == ("field a_count is new", "field shop is gone")


def test_durations_and_values_are_as_a_definition_says_them():
    longer = Field(
        name="total", dtype=Float64, value=agg.sum("amount", window=timedelta(days=2)), default=-1.5
    )
    doubled = Field(name="shop", dtype=String, value="upper(shop)")
    assert told(
        view(longer, doubled, ttl=HOUR, source=source(data_delay=2 * HOUR, event_id=["order_id"]))
    ) == (
        "field shop: expression was '`shop`', is 'upper(shop)'",
        "field total: aggregate.window was 1:00:00, is 2 days, 0:00:00",
        "field total: default was nothing, is -1.5",
        "source: data_delay was 0:00:00, is 2:00:00",
        "source: event_id was [], is ['order_id']",
        "ttl was nothing, is 1:00:00",
    )


def test_an_expression_that_becomes_an_aggregate_is_told_as_such():
    last = Field(name="shop", dtype=String, value=agg.last("shop", window=HOUR))
    (became, *_) = told(view(TOTAL, last))
    assert became.startswith("field shop: aggregate was nothing, is function 'last'")
    assert "window 1:00:00" in became
