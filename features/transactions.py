"""Card transactions by user, and what a fraud model asks of them. Data: examples/transactions.py."""

from datetime import timedelta

from skewless import DeltaSource, Entity, Expectation, FeatureService, FeatureView, Field, TrainingSet, agg
from skewless.types import Float32, Int64, String

user = Entity(name="user", join_keys=["user_id"])

transactions = DeltaSource(
    name="transactions",
    path="sources/transactions",
    timestamp_field="event_timestamp",
    created_timestamp_column="created_timestamp",
    event_id=["transaction_id"],
    data_delay=timedelta(minutes=5),
    max_silence=timedelta(hours=3),
)

transaction_stats = FeatureView(
    name="transaction_stats",
    entities=[user],
    source=transactions,
    schedule="@hourly",
    publish_delay=timedelta(minutes=15),
    max_staleness=timedelta(hours=6),
    schema=[
        Field(
            name="avg_transactions_1h",
            dtype=Float32,
            value=agg.avg("amount", window=timedelta(hours=1), nulls="forward_fill"),
        ),
        Field(name="transactions_1d", dtype=Int64, value=agg.count(window=timedelta(days=1))),
        Field(name="last_merchant", dtype=String, value=agg.last("merchant", window=timedelta(days=30))),
    ],
    online=True,
    expectations=[
        Expectation(
            "expect_column_values_to_be_between", column="avg_transactions_1h", min_value=0, mostly=0.999
        ),
        Expectation(
            "expect_column_values_to_not_be_null", column="last_merchant", mostly=0.9, severity="warning"
        ),
    ],
)

fraud_v1 = FeatureService(name="fraud_v1", features=[transaction_stats])
fraud_training = TrainingSet(
    name="fraud_training",
    service=fraud_v1,
    schedule="@daily",
    label_delay=timedelta(days=0),
    spine=DeltaSource(name="labels", path="sources/labels", timestamp_field="event_timestamp"),
    expectations=[Expectation("expect_column_values_to_not_be_null", column="fraud")],
)
