"""Sources: rows of facts, and when they became known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from skewless.model.origin import Origin, freeze, name_problems, settle


@dataclass(frozen=True, kw_only=True)
class DeltaSource:
    """Rows of facts in a Delta table, or in anything that Spark reads as a table.

    path         under the warehouse, or any URI; or `table="catalog.schema.name"`, one of the two
    event_id     rows that share it are versions of one event; the one known last stands for it
    data_delay   by when an interval's rows have normally arrived: a snapshot's cutoff
    max_silence  a source without an event newer than this before the snapshot blocks the publish
    """

    name: str
    timestamp_field: str
    path: str | None = None
    table: str | None = None
    created_timestamp_column: str | None = None
    event_id: Sequence[str] = ()
    data_delay: timedelta = timedelta(0)
    max_silence: timedelta | None = None
    description: str = ""
    origin: Origin = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Freeze and check."""
        event_id = (self.event_id,) if isinstance(self.event_id, str) else tuple(self.event_id)
        freeze(self, origin=Origin.of_caller(), event_id=event_id)
        settle(self, self._problems())

    @property
    def arrival_is_assumed(self) -> bool:
        """Without a created timestamp a row counts as known at its event time."""
        return self.created_timestamp_column is None

    @property
    def location(self) -> str:
        """The path or table name, as written."""
        return self.path or self.table or ""

    def _problems(self) -> Iterator[str]:
        yield from name_problems("source", self.name)
        if (self.path is None) == (self.table is None):
            yield "a source needs exactly one of path= (a Delta table under the warehouse, or a URI) and table="
        if not isinstance(self.timestamp_field, str) or not self.timestamp_field:
            yield f"timestamp_field is {self.timestamp_field!r}; name the column that says when an event happened"
        if self.data_delay < timedelta(0):
            yield f"data_delay is {self.data_delay}; rows cannot be expected before their interval ends: use 0 or more"
        if self.max_silence is not None and self.max_silence <= timedelta(0):
            yield f"max_silence is {self.max_silence}; it must be longer than zero"
