"""The same view by other keys gives what the view gives when the columns are renamed: in training and online."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from skewless import jobs
from skewless.errors import NotPublishedError, UsageError
from skewless.ledger.events import Kind
from skewless.settings import Settings
from skewless.store import FeatureStore
from tests.e2e.labels_world import NOON, TRAINING, LabelsWorld, label
from tests.e2e.world import PAYMENTS, World, hours_ago, minutes, payment, service_record

ALIASED = (
    PAYMENTS.replace("Entity, Expectation", "Entity, Expectation, FeatureService")
    + """

of_payee = recent.aliased("of_payee", keys={"user_id": "payee"})
both = FeatureService(name="both", features=["recent:amount", of_payee])
"""
)
STORED, COMPUTED = hours_ago(3), hours_ago(2)
FIELDS = ("amount", "payments", "snapshot_time", "how")
INSTANT = pa.timestamp("us", tz="UTC")


@pytest.fixture(scope="module")
def world(services: Settings, tmp_path_factory: pytest.TempPathFactory) -> World:
    """One snapshot is stored and published, with values that no source gives; the next has to be computed."""
    world = World(services, tmp_path_factory.mktemp("aliased"), ALIASED)
    world.load(payment(1, 5.0, hours_ago(5)), payment(2, 7.0, hours_ago(5)), payment(2, 1.0, hours_ago(4)))
    world.stored("recent", STORED, (1, 100.0, 1), (2, 200.0, 2))
    world.at(hours_ago(0))
    assert world.publish("recent", STORED).outcome == "published"
    return world


def spine(*people: tuple[int | None, int | None]) -> pa.Table:
    """Two rows for each pair of a user and a payee: one that sees the stored snapshot, one the computed."""
    rows = [
        {"user_id": user, "payee": payee, "event_timestamp": seen + minutes(20)}
        for seen in (STORED, COMPUTED)
        for user, payee in people
    ]
    schema = pa.schema([("user_id", pa.int64()), ("payee", pa.int64()), ("event_timestamp", INSTANT)])
    return pa.Table.from_pylist(rows, schema=schema)


def trained(store: FeatureStore, rows: pa.Table, features: Any) -> list[dict[str, Any]]:
    found = store.get_historical_features(rows, features, explain=True).toArrow().to_pylist()
    return sorted(found, key=lambda row: [str(row[name]) for name in rows.column_names])


def test_training_gives_what_the_view_gives_when_the_column_is_renamed(world: World) -> None:
    store = FeatureStore.of(world.workspace)
    rows = spine((1, 2), (2, 1), (1, None), (3, 1), (2, 2))
    renamed = rows.rename_columns(["payer", "user_id", "event_timestamp"])
    plain = trained(store, renamed, "recent")
    aliased = trained(store, rows, [world.workspace.repo.aliases["of_payee"]])
    assert [[row[f"of_payee__{name}"] for name in FIELDS] for row in aliased] == [
        [row[f"recent__{name}"] for name in FIELDS] for row in plain
    ]
    assert {row["of_payee__how"] for row in aliased} == {"stored", "computed"}
    assert {row["of_payee__amount"] for row in aliased} >= {100.0, 200.0, 5.0, 8.0}
    both = trained(store, rows, "both")
    assert [row["of_payee__amount"] for row in both] == [row["of_payee__amount"] for row in aliased]
    assert [row["recent__amount"] for row in both if row["user_id"] == 3] == [None, None]


def test_a_spine_without_the_aliass_column_is_told_which(world: World) -> None:
    rows = spine((1, 2)).drop_columns(["payee"])
    message = "no column 'payee', a join key of alias 'of_payee' of feature view 'recent'; it has user_id"
    with pytest.raises(UsageError, match=message):
        FeatureStore.of(world.workspace).get_historical_features(rows, "of_payee:amount")


def test_a_lookup_gives_what_the_view_gives_when_the_key_is_renamed(world: World) -> None:
    store = FeatureStore.of(world.workspace)
    people = [{"user_id": 1, "payee": 2}, {"user_id": 2, "payee": 9}, {"user_id": 9, "payee": None}]
    answer = store.get_online_features(["of_payee:amount", "recent:amount", "of_payee:payments"], people)
    assert answer.rows == [
        people[0] | {"of_payee__amount": 200.0, "of_payee__payments": 2, "recent__amount": 100.0},
        people[1] | {"of_payee__amount": None, "of_payee__payments": 0, "recent__amount": 200.0},
        people[2] | {"of_payee__amount": None, "of_payee__payments": 0, "recent__amount": None},
    ]
    assert answer.views["of_payee"].flip == answer.views["recent"].flip
    assert store.get_online_features("both", people[:1]).rows[0]["of_payee__amount"] == 200.0
    unnamed = world.workspace.repo.view("recent").aliased("mine", keys={"user_id": "payee"})
    assert store.get_online_features([unnamed], people[:1]).rows[0]["mine__payments"] == 2
    with pytest.raises(UsageError, match="'of_payee' is looked up by payee, and an entity lacks one"):
        store.get_online_features(["of_payee:amount"], [{"user_id": 1}])
    with pytest.raises(NotPublishedError, match="'daily' is not published"):
        store.get_online_features(["daily:amount", "of_payee:amount"], people)
    store.close()


def test_the_command_line_and_other_languages_know_the_alias(world: World) -> None:
    ran = world.cli("get", "of_payee:amount", "-e", "payee=2", "--json")
    assert (ran.code, '"of_payee__amount": 200.0' in ran.out) == (0, True), ran.err
    assert "is no integer" in world.cli("get", "both", "-e", "payee=two,user_id=1").err
    assert service_record(world.settings.redis_url, world.namespace, "both") == [
        "recent:amount",
        ["of_payee:amount", "recent:amount", "user_id", "payee"],
        ["of_payee:payments", "recent:payments", "user_id", "payee"],
    ]


def test_a_training_set_with_an_alias_is_built_and_replayed(services: Settings, tmp_path: Path) -> None:
    """The label's own column `fraud` stands for a user here."""
    aliased = 'recent, daily.aliased("other", keys={"user_id": "fraud"}), "daily:amount"'
    world = LabelsWorld(services, tmp_path, TRAINING.replace('recent, "daily:amount"', aliased))
    world.load(payment(1, 5.0, NOON - minutes(200)), payment(2, 7.0, NOON - minutes(100)))
    world.label(label("a", 2, NOON, fraud=1), label("b", 1, NOON, fraud=0))
    built = world.train_set()
    assert [(row["other__amount"], row["daily__amount"]) for row in world.rows()] == [(5.0, 7.0), (-1.0, 5.0)]
    views = world.manifest(built.revision)["views"]
    assert views["other"] == views["daily"]
    assert jobs.replay(world.workspace, "rows", built.revision).revision == built.revision
    assert [event.kind for event in world.entered()] == [Kind.BUILT, Kind.PASSED]
