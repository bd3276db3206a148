"""Whether a publish can write just what changed, and what that is."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from skewless.errors import DataError
from skewless.ledger.events import Event
from skewless.online.buckets import Revision
from skewless.online.connection import Session
from skewless.online.contents import Changes
from skewless.online.difference import Difference, differences
from skewless.online.keys import ViewKeys
from skewless.online.publication import Publication, Rows
from skewless.online.reconcile import Agreement, flips_of
from skewless.online.records import Meta, Pointer
from skewless.online.rows import Shape


@dataclass
class Source:
    """The rows of the revision to publish; they are opened once, and again only where they must be read twice."""

    publication: Publication
    rows: Rows
    shape: Shape
    schema: pa.Schema
    _opened: pa.RecordBatchReader | None

    @classmethod
    def of(cls, publication: Publication, rows: Rows) -> Source:
        """Open the revision; DataError where it cannot be read, or has other columns than the view."""
        opened = rows(publication.revision)
        shape = Shape.of(publication.view, opened.schema)
        return cls(publication, rows, shape, opened.schema, opened)

    @property
    def meta(self) -> bytes:
        """How its rows are read."""
        return Meta.of(self.publication.view, self.publication.fingerprint, self.shape.kinds).encode()

    def batches(self) -> pa.RecordBatchReader:
        """Its rows from the beginning."""
        opened, self._opened = self._opened, None
        return opened or self.rows(self.publication.revision)


def what_changed(
    session: Session, keys: ViewKeys, seen: Agreement, source: Source, report: Callable[[str], None]
) -> Changes | None:
    """What differs from what is live; None where all must be written, or the tables do not tell, which is reported.

    Whatever cannot be read is known when this returns, unless the revisions are compared bucket by bucket.
    """
    pointer = seen.state.pointer
    if seen.lost or seen.state.dirty or pointer is None:
        return None
    if session.call("GET", keys.meta(pointer.epoch)) != source.meta:
        return None
    try:
        new = Revision(source.batches(), source.publication.rows)
        old, earlier = _revision(source, seen.live), _left_before(source, seen, pointer)
        found = differences(source.shape, new, old, earlier)
        return Changes(pointer.generation, _resumed([next(found)], found))
    except (DataError, OSError, pa.ArrowException) as error:
        report(f"publishing every row of {keys.view}: what changed cannot be told ({error})")
        return None


def _resumed(first: list[Difference], others: Generator[Difference]) -> Generator[Difference]:
    yield first.pop()  # nothing holds on to it
    yield from others


def _left_before(source: Source, seen: Agreement, pointer: Pointer) -> Revision:
    """The keys of the revision whose entities may still have tombstones in the live epoch."""
    previous = seen.state.previous
    if previous is None or previous.epoch != pointer.epoch:
        return Revision(source.schema.empty_table().to_reader(), 0)
    flips = flips_of(seen.events, previous.generation)
    told = flips[0] if len({event.revision for event in flips}) == 1 else None
    return _revision(source, told, [name for name, _ in source.shape.keys])


def _revision(source: Source, event: Event | None, columns: Sequence[str] | None = None) -> Revision:
    """The revision that an event tells of; DataError where the ledger does not say."""
    if event is None or event.revision is None or event.rows is None:
        view = source.publication.view.name
        raise DataError(f"the ledger of {view!r} does not say which revisions are in its epoch")
    return Revision(source.rows(event.revision, columns), event.rows)
