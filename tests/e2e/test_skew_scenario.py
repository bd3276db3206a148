"""Two teams, one feature, two ideas of a null: the difference that nobody noticed, and how it cannot arise here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from skewless.settings import Settings
from tests.e2e.world import World, hours_ago, minutes, payment

pytestmark = pytest.mark.usefixtures("spark")  # which ends the session that the jobs take

DEFINITIONS = """
from datetime import timedelta

from skewless import DeltaSource, Entity, Expectation, FeatureService, FeatureView, Field, agg
from skewless.types import Float32

HOUR = timedelta(hours=1)
payments = DeltaSource(
    name="payments",
    path="sources/payments",
    timestamp_field="event_timestamp",
    created_timestamp_column="created_timestamp",
)
averages = FeatureView(
    name="averages",
    entities=[Entity(name="user", join_keys=["user_id"])],
    source=payments,
    publish_delay=timedelta(minutes=15),
    schema=[
        Field(name="skip", dtype=Float32, value=agg.avg("amount", window=HOUR)),
        Field(name="zero", dtype=Float32, value=agg.avg("amount", window=HOUR, nulls="zero")),
        Field(name="forward_fill", dtype=Float32, value=agg.avg("amount", window=HOUR, nulls="forward_fill")),
    ],
    expectations=[Expectation("expect_column_values_to_be_between", column="skip", min_value=0)],
)
model = FeatureService(name="model", features=[averages])
"""

T = hours_ago(2)
DUE = T + minutes(15)
AMOUNTS = [10.0, None, 30.0]
TRUTH = {"skip": 40 / 2, "zero": 40 / 3, "forward_fill": 50 / 3}
RULES = ("skip", "zero", "forward_fill")


def trained_by_the_python_team(amounts: Sequence[float | None]) -> float:
    return float(pd.Series(amounts, dtype="float64").ffill().mean())


def served_by_the_java_team(amounts: Sequence[float | None]) -> float:
    total = 0.0
    for amount in amounts:
        total += amount or 0.0  # a primitive double begins as zero
    return total / len(amounts)


def test_two_naive_implementations_of_one_average_differ():
    assert trained_by_the_python_team(AMOUNTS) == pytest.approx(16.67, abs=0.01)
    assert served_by_the_java_team(AMOUNTS) == pytest.approx(13.33, abs=0.01)


class Answers(NamedTuple):
    """What each way gave for the user with the amounts above, and for one with nothing but nulls."""

    computed: list[dict[str, Any]]
    stored: list[dict[str, Any]]
    served: list[dict[str, Any]]
    printed: list[dict[str, Any]]


@pytest.fixture(scope="module")
def answers(services: Settings, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """Training before the snapshot was built; build, check and publish by command; then training and serving."""
    world = World(services, tmp_path_factory.mktemp("skew"), DEFINITIONS).at(DUE)
    places = [T - minutes(50), T - minutes(30), T - minutes(10)]
    world.load(*(payment(1, amount, t) for amount, t in zip(AMOUNTS, places, strict=True)))
    world.load(*(payment(2, None, t) for t in places))
    spine = [(1, DUE), (2, DUE)]
    computed = world.train("model", spine)
    for step in ("build", "check"):
        assert world.cli(step, "averages", "--snapshot-time", T.isoformat()).code == 0
    assert world.command("publish", "averages").code == 0
    printed = world.command("get", "model", "-e", "user_id=1", "-e", "user_id=2", "--json")
    return Answers(
        computed, world.train("model", spine), world.lookup("model", 1, 2), json.loads(printed.out)["rows"]
    )


@pytest.mark.parametrize("rule", RULES)
def test_training_and_serving_give_the_same_average_under_each_null_rule(answers: Answers, rule: str):
    truth = float(np.float32(TRUTH[rule]))
    assert {name: rows[0][f"averages__{rule}"] for name, rows in answers._asdict().items()} == {
        "computed": truth,
        "stored": truth,
        "served": truth,
        "printed": truth,
    }


def test_training_and_serving_agree_on_an_hour_of_nulls(answers: Answers):
    for rows in answers:
        assert [rows[1][f"averages__{rule}"] for rule in RULES] == [None, 0.0, None]


def test_the_training_rows_came_from_both_ways(answers: Answers):
    assert [row["averages__how"] for row in answers.computed] == ["computed"] * 2
    assert [row["averages__how"] for row in answers.stored] == ["stored"] * 2
