"""Sources: rows of facts, and when they became known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from skewless.model.checks import as_tuple, duration_problems, name_problems
from skewless.model.origin import Origin, freeze, settle


@dataclass(frozen=True, kw_only=True)
class DeltaSource:
    """Rows of facts in a Delta table, or in anything that Spark reads as a table.

    path            under the warehouse, or any URI; or `table="catalog.schema.name"`, one of the two
    event_id        rows that share it are versions of one event; the one known last stands for it
    deleted_column  true in a version that deletes its event; needs event_id
    data_delay      by when an interval's rows have normally arrived: a snapshot's cutoff
    max_silence     a source without an event newer than this before the snapshot blocks the publish
    """

    name: str
    timestamp_field: str
    path: str | None = None
    table: str | None = None
    created_timestamp_column: str | None = None
    event_id: Sequence[str] = ()
    deleted_column: str | None = None
    data_delay: timedelta = timedelta(0)
    max_silence: timedelta | None = None
    description: str = ""
    origin: Origin = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Freeze and check."""
        freeze(self, origin=Origin.of_caller(), event_id=as_tuple(self.event_id))
        settle(self)

    @property
    def arrival_is_assumed(self) -> bool:
        """Without a created timestamp a row counts as known at its event time."""
        return self.created_timestamp_column is None

    @property
    def location(self) -> str:
        """The path or table name, as written."""
        return self.path or self.table or ""

    def problems(self) -> Iterator[str]:
        """Every mistake that can be seen without the table."""
        yield from name_problems("source", self.name)
        if (self.path is None) == (self.table is None):
            yield "give exactly one of path= (a Delta table under the warehouse, or a URI) and table="
        if not _is_name(self.timestamp_field):
            yield f"timestamp_field is {self.timestamp_field!r}; name the column of event times"
        if self.created_timestamp_column is not None and not _is_name(self.created_timestamp_column):
            yield f"created_timestamp_column is {self.created_timestamp_column!r}; name a column, or drop it"
        if not all(map(_is_name, self.event_id)):
            yield f"event_id is {list(self.event_id)!r}; name the columns that identify an event"
        if self.deleted_column is not None and not _is_name(self.deleted_column):
            yield f"deleted_column is {self.deleted_column!r}; name a column, or drop it"
        elif self.deleted_column is not None and not self.event_id:
            yield (
                "deleted_column needs event_id: a deletion is the last version of an event; name the columns that "
                "identify one, or filter the rows with where="
            )
        yield from duration_problems(self, "data_delay", least=timedelta(0))
        yield from duration_problems(self, "max_silence")


def _is_name(column: object) -> bool:
    return isinstance(column, str) and bool(column.strip())
