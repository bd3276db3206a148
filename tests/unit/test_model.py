"""Definitions: frozen values that are checked when they are made."""

import dataclasses
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from skewless import DeltaSource, Entity, Expectation, FeatureService, FeatureView, Field, TrainingSet, agg
from skewless.errors import DefinitionError
from skewless.timeline import Schedule
from skewless.types import Array, Float32, Int64, String, Timestamp

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ACCOUNT = Entity(name="account", join_keys=["account_id"])
LOGINS = DeltaSource(
    name="logins", path="sources/logins", timestamp_field="at", data_delay=timedelta(minutes=5)
)
COUNT = Field(name="logins_1d", dtype=Int64, value=agg.count(window=DAY))
DEVICE = Field(name="device", dtype=String)


def view(**changes: Any) -> FeatureView:
    return FeatureView(
        **{"name": "v", "entities": [ACCOUNT], "source": LOGINS, "schema": [COUNT, DEVICE], **changes}
    )


def source(**changes: Any) -> DeltaSource:
    return DeltaSource(**{"name": "s", "path": "sources/s", "timestamp_field": "at", **changes})


def field(value: Any = None, dtype: Any = Float32, **changes: Any) -> FeatureView:
    return view(schema=[Field(name="f", dtype=dtype, value=value, **changes)])


def training_set(**changes: Any) -> TrainingSet:
    service = FeatureService(name="m", features=["v:device"])
    return TrainingSet(**{"name": "t", "service": service, "spine": LOGINS, **changes})


def expectation(type: Any, **arguments: Any) -> FeatureView:
    return view(expectations=[Expectation(type, **arguments)])


MISTAKES = {
    # names
    lambda: view(name="1st"): "feature view name '1st' is not a name; use a letter",
    lambda: view(name="a__b"): "feature view name 'a__b' has '__'",
    lambda: view(name="späti"): "is not a name",
    lambda: view(name="a\n"): "is not a name",
    lambda: view(name=7): "feature view name 7 is not a name",
    lambda: Entity(name="a-b"): "entity name 'a-b' is not a name",
    lambda: source(name=""): "source name '' is not a name",
    lambda: FeatureService(name="a b", features=["v:f"]): "feature service name 'a b' is not a name",
    lambda: training_set(name="_t"): "training set name '_t' is not a name",
    # entities
    lambda: Entity(name="a", join_keys=["_id"]): "join key '_id' is not a column name",
    lambda: Entity(name="a", join_keys=[7]): "join key 7 is not a column name",
    lambda: Entity(name="a", join_keys=["id", "ID"]): "join keys ['id', 'ID'] repeat a column",
    # sources
    lambda: source(path=None): "give exactly one of path=",
    lambda: source(table="a.b"): "give exactly one of path=",
    lambda: source(timestamp_field=""): "timestamp_field is ''; name the column of event times",
    lambda: source(created_timestamp_column=7): "created_timestamp_column is 7; name a column, or drop it",
    lambda: source(event_id=[None]): "event_id is [None]; name the columns",
    lambda: source(data_delay=-HOUR): "data_delay is -1 day, 23:00:00; it must be zero or longer",
    lambda: source(data_delay=5): "data_delay is 5; give a timedelta",
    lambda: source(max_silence=timedelta(0)): "max_silence is 0:00:00; it must be longer than zero",
    # views
    lambda: view(entities=[]): "feature view 'v' has no entity; give it at least one, e.g. entities=[user]",
    lambda: view(entities=["account"]): "entities=['account'] holds something that is no Entity",
    lambda: view(source="logins"): "source='logins' is no DeltaSource",
    lambda: view(schema=[]): "the schema has no field; give it at least one",
    lambda: view(schema=["device"]): "schema=['device'] holds something that is no Field",
    lambda: view(expectations=["e"]): "expectations=['e'] holds something that is no Expectation",
    lambda: view(schema=[DEVICE, Field(name="Device", dtype=String)]): "'Device' and 'device' collide",
    lambda: view(schema=[Field(name="account_id", dtype=String)]): "'account_id' and 'account_id' collide",
    lambda: view(entities=[ACCOUNT, Entity(name="account_id")]): "'account_id' and 'account_id' collide",
    lambda: view(ttl=timedelta(0)): "ttl is 0:00:00; it must be longer than zero",
    lambda: view(ttl=3600): "ttl is 3600; give a timedelta, e.g. timedelta(minutes=15)",
    lambda: view(
        ttl=HOUR, schema=[COUNT]
    ): "ttl limits nothing: every field is an aggregate with its own window",
    lambda: view(
        publish_delay=timedelta(minutes=4)
    ): "publish_delay 0:04:00 is shorter than the source's data_delay",
    lambda: view(publish_delay="15m"): "publish_delay is '15m'; give a timedelta",
    lambda: view(
        max_staleness=timedelta(minutes=74)
    ): "max_staleness 1:14:00 is shorter than the longest interval",
    lambda: view(schedule="hourly"): "schedule 'hourly' does not parse",
    lambda: view(schedule=60): "schedule 60 does not parse",
    lambda: view(min_rows=1.5): "min_rows is 1.5; give a share",
    lambda: view(min_rows=True): "min_rows is True; give a share",
    lambda: view(min_rows=math.nan): "min_rows is nan; give a share",
    lambda: view(start="2013-01-01"): "start is '2013-01-01'; give a datetime",
    # fields
    lambda: field(dtype="float32"): "field 'f' has dtype 'float32', which the online store cannot carry",
    lambda: field(default="0"): "field 'f': default '0' is no float32",
    lambda: field(default=1e300): "field 'f': default 1e+300 is no float32",
    lambda: field(value=7): "field 'f': value=7 is neither SQL nor an aggregate from agg",
    lambda: field(value=" "): "field 'f': value=' ' is neither SQL nor an aggregate from agg",
    lambda: field(agg.sum("a", window=timedelta(0))): "field 'f': window=0:00:00 of sum is empty",
    lambda: field(agg.avg("a", window=DAY), dtype=String): "field 'f': avg gives a number, not a string",
    lambda: field(
        agg.last("a", window=DAY, nulls="zero"), dtype=String
    ): "nulls='zero' is for numbers, not for a string",
    lambda: field(agg.quantile("a", 0.5, window=DAY), dtype=String): "quantile gives a number, not a string",
    lambda: field(
        agg.count_distinct("a", window=DAY), dtype=String
    ): "count_distinct gives a number, not a string",
    lambda: field(
        agg.last_n("a", 3, window=DAY)
    ): "field 'f': last_n gives an array, not a float32; use dtype=Array(Float32)",
    lambda: field(
        agg.last_n("a", 3, window=DAY, nulls="zero"), dtype=Array(String)
    ): "nulls='zero' is for numbers, not for a string",
    # expectations
    lambda: expectation(
        "not_null"
    ): "expectation 'not_null' is no name like 'expect_column_values_to_not_be_null'",
    lambda: expectation(
        "expect_x", severity="error"
    ): "severity 'error' is unknown; use 'critical' or 'warning'",
    lambda: expectation("expect_x", column="devise"): "there is no column 'devise' (did you mean 'device'?)",
    lambda: expectation("expect_x", column_list=["device", "x"]): "there is no column 'x'",
    # services and training sets
    lambda: FeatureService(name="m", features=[]): "the service has no features",
    lambda: FeatureService(
        name="m", features=["device"]
    ): "'device' is neither a feature view nor a 'view:feature' name",
    lambda: FeatureService(name="m", features=["v:a", "v:a"]): "the service lists v:a twice",
    lambda: FeatureService(name="m", features=[view(), "v:device"]): "the service lists v:device twice",
    lambda: training_set(service="m"): "service='m' is no FeatureService",
    lambda: training_set(spine="labels"): "spine='labels' is no DeltaSource",
    lambda: training_set(schedule="daily"): "schedule 'daily' does not parse",
    lambda: training_set(label_delay=-DAY): "label_delay is -1 day, 0:00:00; it must be zero or longer",
    lambda: training_set(settle_timeout=6): "settle_timeout is 6; give a timedelta",
    lambda: training_set(start=2013): "start is 2013; give a datetime",
    lambda: training_set(
        expectations=[Expectation("expect_column_max_to_be_between", column="v__devic")]
    ): "there is no column 'v__devic' (did you mean 'v__device'?)",
    lambda: training_set(expectations=[1]): "expectations=[1] holds something that is no Expectation",
}


@pytest.mark.parametrize(("make", "message"), MISTAKES.items(), ids=MISTAKES.values())
def test_a_mistake_is_raised_at_once_and_alone(make: Any, message: str):
    with pytest.raises(DefinitionError) as caught:
        make()
    (problem,) = caught.value.problems
    assert message in problem.message


def test_a_notebook_gets_every_mistake_of_a_definition_with_the_line_of_the_call():
    cell = 'from skewless import *\nuser = Entity(\n    name="a__b",\n    join_keys=["_x"],\n)\n'
    with pytest.raises(DefinitionError) as caught:
        exec(compile(cell.replace("*", "Entity"), "<cell 1>", "exec"), {})
    assert [(each.file, each.line, each.name) for each in caught.value.problems] == [
        ("<cell 1>", 2, "a__b")
    ] * 2


def test_a_definition_knows_where_it_was_written_also_as_a_changed_copy():
    here = ACCOUNT.origin
    assert Path(here.file) == Path(__file__)
    assert "Entity(name=" in Path(__file__).read_text().splitlines()[here.line - 1]
    assert Path(dataclasses.replace(ACCOUNT, description="x").origin.file) == Path(__file__)


def test_definitions_are_frozen_hashable_and_equal_by_value():
    assert view() == view() != view(ttl=HOUR)
    assert len({view(), view(), field(dtype=Array(Float32), default=[1.0])}) == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        view().name = "other"  # type: ignore[misc]


def test_the_plain_form_that_feast_users_know_works_as_it_stands():
    plain = FeatureView(
        name="stats",
        entities=[ACCOUNT],
        ttl=HOUR,
        schema=[Field(name="a", dtype=Float32)],
        online=True,
        source=LOGINS,
    )
    assert plain.schedule == Schedule("@hourly")
    assert plain.fields["a"].expression == "`a`"
    assert (plain.reach, plain.absent_row, plain.expired_row) == (HOUR, (None,), (None,))


def test_a_view_of_the_plain_form_is_online_never_stale_and_due_ten_minutes_after_its_rows():
    assert view().publish_delay == timedelta(minutes=15)  # data_delay and ten minutes
    assert view().max_staleness is None
    assert view().online
    assert view().min_rows == 0.5
    assert Entity(name="user").join_keys == ("user",)


def test_one_item_may_stand_without_a_list():
    assert view(entities=ACCOUNT, schema=DEVICE) == view(entities=[ACCOUNT], schema=[DEVICE])
    assert Entity(name="a", join_keys="id").join_keys == ("id",)
    assert source(event_id="id").event_id == ("id",)
    assert FeatureService(name="m", features="v:device").references == ("v:device",)


def test_the_reach_is_the_longest_window_or_ttl_and_unbounded_without_one():
    assert view().reach is None
    assert view(ttl=HOUR).reach == DAY
    assert view(ttl=2 * DAY).reach == 2 * DAY
    assert view(schema=[COUNT]).reach == DAY


def test_an_expired_view_knows_nothing_and_an_absent_entity_counts_zero():
    fields = [
        COUNT,
        Field(name="c", dtype=Int64, value=agg.count(window=DAY), default=7),
        Field(name="s", dtype=Float32, value=agg.sum("x", window=DAY), default=0.1),
        DEVICE,
    ]
    tenth = Float32.canonical(0.1)
    assert view(schema=fields).absent_row == (0, 0, tenth, None)
    assert view(schema=fields).expired_row == (None, 7, tenth, None)
    as_float = view(schema=[Field(name="n", dtype=Float32, value=agg.count(window=DAY))]).absent_row
    assert isinstance(as_float[0], float)


def test_a_default_is_held_as_its_dtype_holds_it():
    noon = Field(name="t", dtype=Timestamp, default=datetime(2013, 7, 1, 12))  # noqa: DTZ001
    assert noon.default == datetime(2013, 7, 1, 12, tzinfo=UTC)
    assert Field(name="a", dtype=Array(Float32), default=[1, 2]).default == (1.0, 2.0)


def test_a_view_expires_max_staleness_after_its_snapshot():
    noon = datetime(2013, 7, 1, 12, tzinfo=UTC)
    assert view(max_staleness=timedelta(hours=6)).expires_at(noon) == noon + timedelta(hours=6)
    assert view().expires_at(noon) is None
    assert view(max_staleness=timedelta(minutes=75)).max_staleness == timedelta(
        minutes=75
    )  # the shortest allowed


def test_a_start_without_zone_is_utc():
    start = datetime(2013, 7, 1)  # noqa: DTZ001
    assert view(start=start).start == training_set(start=start).start == start.replace(tzinfo=UTC)


def test_the_references_of_a_service_are_all_its_features_in_order():
    service = FeatureService(name="m", features=["w:x", view()])
    assert service.references == ("w:x", "v:logins_1d", "v:device")


def test_an_expectation_gives_its_arguments_back():
    made = Expectation("expect_column_values_to_be_in_set", column="device", value_set=["a", "b"], mostly=0.9)
    assert made.kwargs == {"column": "device", "value_set": ["a", "b"], "mostly": 0.9}
    assert (made.columns, made.severity) == (("device",), "critical")


def test_an_aggregate_says_what_it_reads():
    average = Field(name="a", dtype=Float32, value=agg.avg("amount / 100", window=DAY, where="ok"))
    assert (average.expression, average.where) == ("amount / 100", "ok")
    assert (COUNT.expression, COUNT.where) == (None, None)


def test_composite_keys_keep_the_order_of_the_entities():
    two = view(entities=[Entity(name="route", join_keys=["origin", "dest"]), ACCOUNT])
    assert two.join_keys == ("origin", "dest", "account_id")
    assert two.columns == ("origin", "dest", "account_id", "logins_1d", "device")
