"""What `skewless plan` says of a view, against a golden file that a person reviews."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from skewless import DeltaSource, Entity, FeatureView, Field, agg
from skewless.jobs.plan import Change, Findings, Retention, to_backfill
from skewless.ledger.gaps import Gaps
from skewless.types import Float32

GOLDEN = Path(__file__).parents[1] / "golden" / "plan" / "findings.txt"
HOUR = timedelta(hours=1)
TEN = datetime(2026, 7, 1, 10, tzinfo=UTC)
VIEW = FeatureView(
    name="order_stats",
    entities=[Entity(name="user", join_keys=["user_id"])],
    source=DeltaSource(name="orders", path="sources/orders", timestamp_field="at"),
    schema=[Field(name="average", dtype=Float32, value=agg.avg("amount", window=HOUR))],
)
NOTHING = Retention(total=0, others=0, idle=0, a_snapshot=None, a_day=None)
CASES = [
    Findings(Change("new"), to_backfill(VIEW, Gaps((), ())), NOTHING, ()),
    Findings(
        Change("unchanged"),
        to_backfill(VIEW, Gaps((TEN,), (TEN + HOUR, TEN + 2 * HOUR))),
        Retention(total=123_456_789, others=0, idle=34_567, a_snapshot=12_345, a_day=296_280),
        (),
    ),
    Findings(
        Change("changed", "0123456789abcdef", ("field average: aggregate.window was 2:00:00, is 1:00:00",)),
        to_backfill(VIEW, Gaps(tuple(TEN + n * HOUR for n in range(1234)), ())),
        Retention(total=5_000_000, others=5_000_000, idle=0, a_snapshot=None, a_day=None),
        ("source 'orders' is not append-only: ...", "append corrections instead"),
    ),
    Findings(Change("changed", "0123456789abcdef", None), to_backfill(VIEW, Gaps((), (TEN,))), NOTHING, ()),
]


def test_findings_are_as_a_person_approved_them():
    assert "\n\n".join(map(str, CASES)) + "\n" == GOLDEN.read_text()
