"""Several views of one snapshot are built by one command: what it leaves, what it says, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from skewless.ledger.events import Kind
from skewless.settings import Settings
from skewless.timeline import format_instant
from tests.e2e.shop import Shop
from tests.e2e.world import PAYMENTS, hours_ago, minutes, payment

T = hours_ago(3)
WHEN = format_instant(T)

DEFINITIONS = (
    PAYMENTS
    + """
receipt = Entity(name="receipt", join_keys=["payment_id"])
by_payment = FeatureView(name="by_payment", entities=[receipt], source=payments, publish_delay=timedelta(hours=2),
                         schema=[Field(name="amount", dtype=Float64)])



def more_than_five(rows):
    return rows.where("amount > 5")


large = view("large", timedelta(days=1), transform=more_than_five)
narrow = FeatureView(name="narrow", entities=[receipt], source=payments,
                     schema=[Field(name="cents", dtype=Int32, value="CAST(amount * 1e9 AS BIGINT)")])
refunds = DeltaSource(name="refunds", path="sources/refunds", timestamp_field="event_timestamp")
refunded = FeatureView(name="refunded", entities=[receipt], source=refunds,
                       schema=[Field(name="amount", dtype=Float64)])
seldom = view("seldom", timedelta(days=2), schedule="@daily")
"""
).replace("import Float64, Int64", "import Float64, Int32, Int64")
TOGETHER = ("recent", "by_payment", "large", "daily", "unserved")


@pytest.fixture
def shop(services: Settings, tmp_path: Path) -> Shop:
    """Payments of which two tell of one event at once, and one comes late; the clock stands well after them."""
    shop = Shop(services, tmp_path, DEFINITIONS)
    shop.load(
        payment(1, 10.0, T - minutes(90), id="a"),
        payment(2, 3.0, T - minutes(90), id="a"),
        payment(1, None, T - minutes(70), id="b"),
        payment(2, 7.5, T - minutes(600), id="c"),
        payment(3, 4.0, T - minutes(5), known=T + minutes(30), id="late"),
    )
    shop.at(T + minutes(150))
    return shop


def receipts(shop: Shop, *arguments: str) -> Any:
    """What a build printed, in JSON."""
    ran = shop.cli("build", *arguments, "--json")
    assert ran.code == 0, ran.err
    (line,) = ran.out.splitlines()
    return json.loads(line)


def test_views_built_together_are_those_built_one_by_one(shop: Shop) -> None:
    alone = [receipts(shop, name, "-t", WHEN) for name in TOGETHER]
    assert [built["rows"] for built in alone] == [1, 3, 2, 2, 0]
    before = {name: shop.told(name, *Kind) for name in TOGETHER}
    together = receipts(shop, *TOGETHER, "-t", WHEN)
    assert together == [built | {"is_new": False} for built in alone]
    assert {name: shop.told(name, *Kind) for name in TOGETHER} == before


def test_what_a_killed_build_had_entered_stands_and_the_rest_is_built(shop: Shop) -> None:
    """Without a time, it is the newest that is due for all; `by_payment` has two hours to be."""
    shop.build("daily", T)
    asked = ["large", "daily", "by_payment"]
    ran = shop.cli("build", *asked)
    assert [line.split(",")[0] for line in ran.out.splitlines()] == [
        f"large at {WHEN}: built",
        f"daily at {WHEN}: unchanged",
        f"by_payment at {WHEN}: built",
    ]
    assert "large has a transform: it reads the source by itself" in ran.err
    assert [len(shop.told(name, Kind.BUILT)) for name in asked] == [1, 1, 1]


def test_late_knowledge_is_for_all(shop: Shop) -> None:
    known_until = T + minutes(60)
    asked = ["recent", "by_payment", "-t", WHEN]
    ordinary = receipts(shop, *asked)
    late = receipts(shop, *asked, "--known-until", format_instant(known_until))
    assert [built["rows"] for built in late] == [built["rows"] + 1 for built in ordinary]
    assert {built["usable_from"] for built in late} == {format_instant(known_until)}
    assert late[0]["content_hash"] == shop.build("recent", T, known_until=known_until).content_hash


def test_one_view_that_cannot_be_computed_leaves_nothing_of_any(shop: Shop) -> None:
    before = shop.state()
    ran = shop.cli("build", "recent", "narrow", "large", "-t", WHEN)
    assert (ran.code, ran.out) == (1, "")
    assert f"building recent, narrow, large at {WHEN}: a value does not fit" in ran.err
    assert shop.state() == before


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["recent", "daily", "recent"], "'recent' is named twice; name each view once"),
        (
            ["recent", "daily", "refunded"],
            "'daily' and 'refunded' cannot be built together, since they differ in their sources ('payments' and "
            "'refunds': name, path, created_timestamp_column, event_id, data_delay, max_silence); build them one "
            "by one: skewless build recent; skewless build daily; skewless build refunded",
        ),
        (
            ["recent", "seldom"],
            "'recent' and 'seldom' cannot be built together, since they differ in their schedules ('@hourly' and "
            "'@daily'); build them one by one",
        ),
        (["recent", "daly"], "did you mean 'daily'?"),
        (["recent", "daily", "-t", format_instant(T + minutes(1))], "ends no interval of '@hourly'"),
        (["recent", "daily", "-t", WHEN, "--known-until", WHEN], "lies before the cutoff"),
        (["recent", "daily", "-t", format_instant(hours_ago(-1))], "can be built from"),
    ],
)
def test_what_makes_no_sense_together_is_refused_before_anything_is_done(
    shop: Shop, asked: list[str], said: str
) -> None:
    before = shop.state()
    ran = shop.cli("build", *asked)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert shop.state() == before


def test_at_least_one_view_is_named(shop: Shop) -> None:
    ran = shop.cli("build")
    assert (ran.code, ran.out) == (2, "")
    assert "Missing argument" in ran.err
