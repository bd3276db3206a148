"""What is computed since nobody built it: counted from what the rows can see."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from skewless import DeltaSource, Entity, FeatureView, Field
from skewless.ledger.scheduled import Seen, Stretch
from skewless.offline.binding import BoundView
from skewless.offline.retrieval import Ask
from skewless.offline.source import SourceRows
from skewless.offline.tables import FeatureTable
from skewless.offline.unbuilt import unbuilt
from skewless.types import Float32

HOUR = timedelta(hours=1)
NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
NO_ROWS: Any = None  # nothing here reads any


def ask(view: str, *seen: tuple[int, str | None], prefix: str | None = None) -> Ask:
    """A view that sees snapshots so many hours after noon, each with its revision or none."""
    source = DeltaSource(name="facts", path="facts", timestamp_field="at")
    of = FeatureView(
        name=view, entities=[Entity(name="k")], source=source, schema=[Field(name="v", dtype=Float32)]
    )
    stretches = tuple(
        Stretch(NOON + number * HOUR, Seen(NOON + hours * HOUR, revision, skipped=False))
        for number, (hours, revision) in enumerate(seen)
    )
    bound = BoundView(of, SourceRows(source, NO_ROWS, 0))
    return Ask(prefix or view, bound, ("v",), FeatureTable.of(of, "f" * 64, "wh"), ("k",), stretches)


def test_only_snapshots_without_a_revision_count_and_each_once() -> None:
    asks = [
        ask("one", (0, "r"), (1, None), (1, None), (3, None), (2, "s")),
        ask("stored", (0, "r"), (1, "s")),
        ask("empty"),
        ask("one", (0, "r"), (1, None), (3, None), (2, "s"), prefix="again"),
    ]
    (found,) = unbuilt(asks)
    assert (found.view.name, found.computed, found.seen) == ("one", 2, 4)
    assert (found.first, found.last) == (NOON + HOUR, NOON + 3 * HOUR)


def test_the_command_builds_exactly_what_was_counted() -> None:
    """`--from` is an instant before the first: the snapshot before it is not built."""
    (found,) = unbuilt([ask("one", (1, None), (2, None))])
    command = "skewless backfill one --from 2024-03-01T12:00:00Z --to 2024-03-01T14:00:00Z"
    assert found.told(deployed=True).endswith(command)
    assert "backfill" not in found.told(deployed=False)
