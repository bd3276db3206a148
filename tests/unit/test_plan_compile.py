"""Plans as text, against a golden file that a person reviews."""

from pathlib import Path

from skewless.plan import load_repo
from skewless.plan.compile import compile_repo, compile_training_set, compile_view

ROOT = Path(__file__).parents[2]
FOLDER = """
from datetime import timedelta

from skewless import DeltaSource, Entity, Expectation, FeatureService, FeatureView, Field, TrainingSet, agg
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
learned = TrainingSet(
    name="learned",
    service=FeatureService(name="model", features=[order_stats]),
    spine=DeltaSource(name="labels", path="sources/labels", timestamp_field="at"),
    label_delay=timedelta(days=1),
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


def test_a_training_set_waits_for_its_labels_and_then_for_the_snapshots_they_see(tmp_path: Path):
    (tmp_path / "orders.py").write_text(FOLDER)
    learned = load_repo(tmp_path).training_set("learned")
    plan = compile_training_set(learned)
    waits = {step.task: step.after for step in plan.steps if step.after is not None}
    assert waits == {
        "wait_labels": learned.label_delay,
        "wait_settled": learned.label_delay + learned.settle_timeout,
    }
    assert plan.dag_id == "training.learned"


def test_a_plan_knows_the_command_of_each_job(tmp_path: Path):
    (tmp_path / "orders.py").write_text(FOLDER)
    repo, t = load_repo(tmp_path), "2026-07-01T00:00:00Z"
    built = compile_view(repo.view("order_stats")).command("build", t)
    trained = compile_training_set(repo.training_set("learned")).command("train", t)
    assert " ".join(built) == f"build order_stats --snapshot-time {t}"
    assert " ".join(trained) == f"train learned --interval-end {t}"
