"""The small world with labels: a daily training set over its payments, whose labels are known two hours late."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from skewless import jobs
from skewless.jobs.receipts import Trained
from skewless.ledger.events import Event
from skewless.plan.uris import under
from skewless.store import FeatureStore
from skewless.timeline import FixedClock
from tests.e2e.world import HOUR, PAYMENTS, World

TRAINING = (
    PAYMENTS.replace("Expectation, FeatureView", "Expectation, FeatureService, FeatureView").replace(
        "Field, agg", "Field, TrainingSet, agg"
    )
    + """

fraud = FeatureService(name="fraud", features=[recent, "daily:amount"])
rows = TrainingSet(
    name="rows",
    service=fraud,
    schedule="0 0 * * *",
    label_delay=timedelta(hours=2),
    spine=DeltaSource(
        name="labels",
        path="sources/labels",
        timestamp_field="event_timestamp",
        created_timestamp_column="created_timestamp",
        event_id=["label_id"],
    ),
    expectations=[Expectation("expect_column_values_to_be_in_set", column="fraud", value_set=[0, 1])],
)
"""
)
END = HOUR.replace(hour=0) - timedelta(days=1)
START, KNOWN = END - timedelta(days=1), END + timedelta(hours=2)  # the labels are known from then on
NOON = START + timedelta(hours=12)

_INSTANT = pa.timestamp("us", tz="UTC")
_LABELS = pa.schema(
    [
        ("label_id", pa.string()),
        ("user_id", pa.int64()),
        ("fraud", pa.int64()),
        ("event_timestamp", _INSTANT),
        ("created_timestamp", _INSTANT),
    ]
)


def label(
    id: str, user: int, event: datetime | None, *, fraud: int | None = 0, known: datetime | None = None
) -> dict[str, Any]:
    """A row of the spine, known an hour after its event unless told otherwise."""
    created = known or (event + timedelta(hours=1) if event else END)
    return {
        "label_id": id,
        "user_id": user,
        "fraud": fraud,
        "event_timestamp": event,
        "created_timestamp": created,
    }


class LabelsWorld(World):
    """The deployment; its clock stands when the labels of the last day but one are known."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.clock = FixedClock(KNOWN)
        self.define(self.definitions)

    def label(self, *labels: dict[str, Any], mode: Any = "append") -> None:
        """Append rows to the spine."""
        table = pa.Table.from_pylist(list(labels), schema=_LABELS)
        write_deltalake(under(self.settings.warehouse, "sources/labels"), table, mode=mode)

    def widen_labels(self, *labels: dict[str, Any]) -> None:
        """Append rows that have a column more."""
        schema = _LABELS.append(pa.field("amount_lost", pa.float64()))
        table = pa.Table.from_pylist(list(labels), schema=schema)
        write_deltalake(
            under(self.settings.warehouse, "sources/labels"), table, mode="append", schema_mode="merge"
        )

    def train_set(self, **how: Any) -> Trained:
        """Build the interval that ends at END."""
        return jobs.train(self.workspace, "rows", END, **how)

    def rows(self, version: int | None = None) -> list[dict[str, Any]]:
        """What the store gives of the training set."""
        found = FeatureStore.of(self.workspace).training_set("rows", version).toArrow().to_pylist()
        return sorted(found, key=lambda row: (row["label_id"], row["user_id"]))

    def entered(self) -> tuple[Event, ...]:
        """What the training set's ledger tells."""
        return self.workspace.training_ledger(self.workspace.repo.training_set("rows")).read()

    def manifest(self, revision: str) -> dict[str, Any]:
        """The manifest of a revision, as it was written."""
        uri = under(self.settings.warehouse, "training/rows/manifests")
        (text,) = [
            row["manifest"]
            for row in DeltaTable(uri).to_pyarrow_table().to_pylist()
            if row["revision"] == revision
        ]
        return dict(json.loads(text))

    def training_files(self) -> set[Path]:
        """Every file under training/: to say that nothing was written."""
        return {path for path in (Path(self.settings.warehouse) / "training").rglob("*") if path.is_file()}
