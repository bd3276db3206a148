"""A view whose query computes for minutes: who kills its task must not leave it behind."""

from datetime import timedelta

from features._shop import HOURLY, source_of, user

from skewless import FeatureView, Field, agg
from skewless.types import Int64

LONG_WORK = "aggregate(sequence(1, 100000), 0L, (total, n) -> total + n * user_id)"

heavy = FeatureView(
    name="heavy",
    entities=[user],
    source=source_of("heavy"),
    schedule=HOURLY,
    schema=[Field(name="work", dtype=Int64, value=agg.max(LONG_WORK, window=timedelta(days=1)))],
)
