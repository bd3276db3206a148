"""A preview shows what a snapshot would hold, of a few entities, and leaves nothing behind."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from deltalake import DeltaTable

from skewless import Field, agg
from skewless.errors import DataError, DefinitionError, UsageError
from skewless.settings import Settings
from skewless.store import FeatureStore
from skewless.timeline import format_instant
from skewless.types import Float64
from tests.e2e.shop import AT, DEFINITIONS, Shop, purchase

EVENTS = """
corrected = view("corrected", source("corrected", event_id=["shop"]),
                 Field(name="n", dtype=Int64, value=agg.count(window=DAY)))
"""
ROWS = [
    purchase(1, 2),
    purchase(1, 3, amount=2.0),
    purchase(2, 1, shop="mall"),
    purchase(3, 2, shop="mall"),
    purchase(4, 30),  # out of every window, and the newest row of its entity still
    purchase(5, -0.5),  # after the snapshot
    purchase(7, 26, amount=9.0),
]


@pytest.fixture(scope="module")
def shop(services: Settings, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    shop = Shop(services, tmp_path_factory.mktemp("shop"), DEFINITIONS + EVENTS)
    shop.supply("purchases", *ROWS)
    shop.supply("corrected", purchase(1, 3, shop="e"), purchase(2, 2, shop="e"), purchase(1, 4, shop="f"))
    shop.supply("empty")
    return shop


@pytest.fixture(scope="module")
def store(shop: Shop) -> FeatureStore:
    return FeatureStore.of(shop.workspace)


def shown(store: FeatureStore, view: Any, rows: int = 10, **how: Any) -> list[tuple[Any, ...]]:
    table = store.preview(view, rows, snapshot_time=AT, **how).toArrow()
    return [tuple(row.values()) for row in table.to_pylist()]


def test_it_shows_the_entities_with_the_newest_rows_as_their_snapshot_has_them(
    shop: Shop, store: FeatureStore
) -> None:
    before = shop.state()
    found = store.preview("spending", snapshot_time=AT)
    assert found.columns == ["user_id", "amount_1d", "purchases_1d", "shop"]
    rows = shown(store, "spending")
    assert [row[0] for row in rows] == [2, 1, 3, 7, 4]
    assert shown(store, "spending", 2) == rows[:2] == [(2, 1.5, 1, "mall"), (1, 3.5, 2, "corner")]
    assert shop.state() == before
    shop.build("spending", AT)
    view = shop.workspace.repo.view("spending")
    table = DeltaTable(shop.workspace.feature_table(view).uri).to_pyarrow_table(columns=list(view.columns))
    assert sorted(rows) == sorted(tuple(row.values()) for row in table.to_pylist())


def test_a_condition_chooses_entities_and_changes_no_value(store: FeatureStore) -> None:
    assert shown(store, "spending", where="amount > 1.9") == [(1, 3.5, 2, "corner"), (7, None, 0, "corner")]
    assert shown(store, "spending:shop", where="shop = 'mall' AND user_id > 2") == [(3, "mall")]
    assert shown(store, "spending", where="user_id > 99") == []
    assert shown(store, "empty") == []


def test_a_view_that_was_just_made_is_previewed_as_it_stands(store: FeatureStore) -> None:
    spending = store.workspace.repo.view("spending")
    most = Field(name="most", dtype=Float64, value=agg.max("amount", window=timedelta(days=2)))
    assert shown(store, replace(spending, name="brand_new", schema=[most]), 4)[-1] == (7, 9.0)
    assert shown(store, spending.aliased("other", keys={"user_id": "x"}), 1) == [(2, 1.5, 1, "mall")]
    wrong = replace(spending, schema=[Field(name="a", dtype=Float64, value="rand()")])
    with pytest.raises(DefinitionError, match=r"test_preview\.py:.*calls rand"):
        shown(store, wrong)


def test_an_event_that_moved_to_another_entity_is_counted_there_alone(store: FeatureStore) -> None:
    assert shown(store, "corrected") == [(2, 1), (1, 1)]
    assert shown(store, "corrected", where="user_id = 1 AND shop = 'e'") == [(1, 1)]


@pytest.mark.parametrize(
    ("view", "how", "error", "message"),
    [
        ("spendin", {}, UsageError, r"'spendin' \(did you mean 'spending'\?\)"),
        (["spending:shop", "offline:shop"], {}, UsageError, "a preview is of one view"),
        ("spending", {"where": "amont > 1"}, UsageError, "the condition 'amont > 1' on the source: .*amont"),
        ("spending", {"rows": 0}, UsageError, "rows=0; a preview shows at least one entity"),
        ("spending", {"snapshot_time": AT + timedelta(days=99)}, UsageError, "can be previewed from "),
        ("typo", {}, DataError, r"has no column 'amont' \(did you mean 'amount'\?\)"),
        ("lost", {}, DataError, "there is no Delta table at "),
    ],
)  # fmt: skip
def test_what_cannot_be_shown(
    store: FeatureStore, view: Any, how: dict[str, Any], error: Any, message: str
) -> None:
    with pytest.raises(error, match=message):
        store.preview(view, **how)


def test_the_command_prints_a_table_or_json(shop: Shop) -> None:
    when = format_instant(AT)
    ran = shop.cli("preview", "spending", "--rows", "2", "-t", when)
    assert (ran.code, ran.err) == (0, f"previewing spending at {when}\n")
    lines = [line.split() for line in ran.out.splitlines()]
    assert lines == [
        ["user_id", "amount_1d", "purchases_1d", "shop"],
        ["2", "1.5", "1", "mall"],
        ["1", "3.5", "2", "corner"],
    ]
    told = json.loads(shop.cli("preview", "spending:shop", "-n", "1", "-t", when, "--json").out)
    assert told == {"view": "spending", "snapshot_time": when, "rows": [{"user_id": 2, "shop": "mall"}]}
    ran = shop.cli("preview", "overflowing", "-t", when)
    assert (ran.code, "does not fit int64" in ran.err) == (1, True)
