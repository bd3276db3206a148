"""Plans as text, against a golden file that a person reviews."""

from pathlib import Path

from skewless.plan import load_repo
from skewless.plan.compile import compile_repo, compile_view

ROOT = Path(__file__).parents[2]
FOLDER = """
from datetime import timedelta

from skewless import DeltaSource, Entity, Expectation, FeatureView, Field, agg
from skewless.types import Float32

user = Entity(name="user", join_keys=["user_id"])
orders = DeltaSource(
    name="orders", path="sources/orders", timestamp_field="at", data_delay=timedelta(hours=2)
)
average = Field(name="average", dtype=Float32, value=agg.avg("amount", window=timedelta(days=7)))

order_stats = FeatureView(
    name="order_stats",
    entities=[user],
    source=orders,
    schedule="@daily",
    schema=[average],
    expectations=[Expectation("expect_column_values_to_be_between", column="average", min_value=0)],
)
offline_only = FeatureView(
    name="offline_only", entities=[user], source=orders, schema=[average], online=False, schedule="30 6 * * *"
)
"""


def test_plans_are_as_a_person_approved_them(tmp_path: Path):
    (tmp_path / "orders.py").write_text(FOLDER)
    plans = compile_repo(load_repo(tmp_path))
    assert "\n".join(map(str, plans)) + "\n" == (ROOT / "tests/golden/plan/steps.txt").read_text()


def test_steps_carry_what_their_waits_need(tmp_path: Path):
    (tmp_path / "orders.py").write_text(FOLDER)
    view = load_repo(tmp_path).view("order_stats")
    plan = compile_view(view)
    waits = {step.task: step.after for step in plan.steps if step.after is not None}
    assert waits == {"wait_data": view.source.data_delay, "wait_publish": view.publish_delay}
    assert plan.dag_id == "features.order_stats"
