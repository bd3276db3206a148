"""Publishing a revision: every entity of a view changes in one instant, or none does.

open -> rows -> sample -> flip -> ledger -> drop what nobody reads any more. A *full* publish drops garbage and
writes every row under a new epoch, with its meta; an *incremental* one writes into the live epoch what changed,
beside the live rows. No write is ever sent twice: a publish that fails is over, and what it left is never built on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

from skewless.errors import DataError
from skewless.ledger.events import Event, Kind
from skewless.online.comparison import constant_row, demand_same
from skewless.online.connection import Session, demand_safe
from skewless.online.contents import Changes, Part, Whole
from skewless.online.difference import Difference, Revision, differences
from skewless.online.keys import entity_key
from skewless.online.publication import Progress, Publication, Receipt, Rows, Step
from skewless.online.reader import OnlineReader
from skewless.online.reconcile import Agreement, OnlineView, flips_of, reconcile_over
from skewless.online.records import Meta, Pointer
from skewless.online.rows import Shape, pieces
from skewless.online.scripts import refusal, run
from skewless.online.sweep import sweep
from skewless.online.telling import at_flip, encode_events, withdrawals
from skewless.online.writer import Writer
from skewless.timeline import after, due, format_instant, to_micros


def publish(
    place: OnlineView,
    publication: Publication,
    rows: Rows,
    *,
    full: bool = False,
    actor: str | None = None,
    reason: str | None = None,
    rollback: bool = False,
    progress: Progress = lambda step, rows: None,
    report: Callable[[str], None] = lambda line: None,
) -> Receipt:
    """Make a revision live, whole. With `rollback` it may be an older one, and the view is held afterwards.

    full    write every row, even where what changed would do
    report  takes a line that says why every row is written, where that is not as usual
    A revision that is live already is not published again (unless it was expired by hand, or with `full`).

    Raises PublishRefused (code held, moved, superseded, not_due, older), StoreUnavailable, DataError when the
    rows are not what the definition and the ledger say, OnlineError when readers would get other rows.
    Before the flip readers keep what they have, whatever it raises; after it, the next operation tells the
    ledger what this one could not.
    """
    schema = rows(publication.revision).schema
    shape = Shape.of(publication.view, schema)
    reader = OnlineReader(place.redis_url, place.namespace)
    try:
        reader.connect()  # as every connection, before anything is opened
        with Session(place.redis_url, place.keys.pointer) as session:
            demand_safe(session)
            seen = reconcile_over(session, place)
            if seen.shows(publication.revision, publication.expires_at) and not (rollback or full):
                return _already_live(publication, seen)
            _demand_in_order(seen, publication, rollback)
            return _Attempt(
                place=place,
                publication=publication,
                rows=rows,
                schema=schema,
                shape=shape,
                session=session,
                reader=reader,
                seen=seen,
                full=full or rollback,
                rollback=rollback,
                actor=actor,
                reason=reason,
                progress=progress,
                report=report,
            ).run()
    finally:
        reader.close()


@dataclass
class _Attempt:
    """One publish on its way; nothing of it is ever tried again."""

    place: OnlineView
    publication: Publication
    rows: Rows
    schema: pa.Schema
    shape: Shape
    session: Session
    reader: OnlineReader
    seen: Agreement
    full: bool
    rollback: bool
    actor: str | None
    reason: str | None
    progress: Progress
    report: Callable[[str], None]
    generation: int = 0
    epoch: int = 0
    garbage: frozenset[int] = frozenset()

    def run(self) -> Receipt:
        with ExitStack() as laid_out:
            changes = self.changes(laid_out)
            self.open(full=changes is None)
            if changes is None or self.is_full:
                laid_out.close()
                contents: Whole | Changes = self.whole()
            else:
                contents = changes
            self.write(contents)
        self.compare(contents)
        events = self.events()
        flip = self.flip(events)
        self.place.ledger.append(*at_flip(events, flip))
        self.progress(Step.TOLD, contents.rows)
        self.sweep_behind()
        return self.receipt(flip, events)

    @cached_property
    def meta(self) -> bytes:
        return Meta.of(self.publication.view, self.publication.fingerprint, self.shape.kinds).encode()

    @property
    def is_full(self) -> bool:
        return self.epoch == self.generation

    def changes(self, laid_out: ExitStack) -> Changes | None:
        """What differs from what is live; None where all must be written, or the tables do not tell."""
        state, pointer = self.seen.state, self.seen.state.pointer
        if self.full or self.seen.lost or state.dirty or pointer is None:
            return None
        if self.session.call("GET", self.place.keys.meta(pointer.epoch)) != self.meta:
            return None
        try:
            new = Revision(self.rows(self.publication.revision), self.publication.rows)
            old, earlier = self.revision(self.seen.live), self.left_before(pointer)
            found = differences(self.shape, new, old, earlier)
            laid_out.callback(found.close)
            first = [next(found)]  # what cannot be read is known now, before anything is opened
        except (DataError, OSError, pa.ArrowException) as error:
            self.report(f"publishing every row of {self.place.view}: what changed cannot be told ({error})")
            return None
        return Changes(pointer.generation, _resumed(first, found))

    def left_before(self, pointer: Pointer) -> Revision:
        """The keys of the revision whose entities may still have tombstones in the live epoch."""
        previous = self.seen.state.previous
        if previous is None or previous.epoch != pointer.epoch:
            return Revision(self.schema.empty_table().to_reader(), 0)
        flips = flips_of(self.seen.events, previous.generation)
        told = flips[0] if len({event.revision for event in flips}) == 1 else None
        return self.revision(told, [name for name, _ in self.shape.keys])

    def revision(self, event: Event | None, columns: Sequence[str] | None = None) -> Revision:
        """The revision that an event tells of; DataError where the ledger does not say."""
        if event is None or event.revision is None or event.rows is None:
            raise DataError(
                f"the ledger of {self.place.view!r} does not say which revisions are in its epoch"
            )
        return Revision(self.rows(event.revision, columns), event.rows)

    def open(self, *, full: bool) -> None:
        seen = self.seen
        answer = run(
            self.session, "open", self.place.keys, seen.state.flip, seen.generation, full, self.rollback
        )
        self.generation, self.epoch = int(answer[0]), int(answer[1])
        self.garbage = frozenset(map(int, answer[2].split()))
        self.progress(Step.OPENED, 0)

    def whole(self) -> Whole:
        """Make room, and describe the new epoch."""
        if self.garbage or self.seen.lost:
            sweep(self.session, self.place.keys, below=self.generation, kept=self.readable())
        self.progress(Step.CLEANED, 0)
        key = self.place.keys.meta(self.epoch).encode()
        one = Part("MSETNX", *(pa.array([item], pa.large_binary()) for item in (key, self.meta)))
        writer = self.writer()
        writer.send(one)
        writer.settle()
        self.progress(Step.DESCRIBED, 0)
        return Whole(pieces(self.shape, self.rows(self.publication.revision)))

    def write(self, contents: Whole | Changes) -> None:
        writer = self.writer()
        for part in contents.parts(self.generation, self.place.keys.entity(self.epoch, "")):
            self.settle(writer)  # the server was at work while this part was made
            writer.send(part)
        self.settle(writer)
        if contents.rows != self.publication.rows:
            raise DataError(
                f"revision {self.publication.revision} of {self.place.view!r} has {contents.rows} rows, but "
                f"the ledger says {self.publication.rows}; build it again. Nothing was published"
            )

    def settle(self, writer: Writer) -> None:
        before = writer.written
        writer.settle()
        if writer.written > before:
            self.progress(Step.WRITTEN, writer.written)

    def writer(self) -> Writer:
        return Writer(self.session, self.place.keys, self.generation)

    def compare(self, contents: Whole | Changes) -> None:
        view = self.publication.view
        for expected in contents.expected(self.generation, constant_row(view, view.absent_row)):
            names = [entity_key(key, self.shape.kinds) or "" for key in expected.rows]
            meta, read = self.reader.read_generation(view.name, self.epoch, expected.generation, names)
            self.writer().demand_ours()  # whoever ended this publish may have dropped its rows by now
            demand_same(view, meta, names, list(expected.rows.values()), read)
        self.progress(Step.COMPARED, contents.rows)

    def events(self) -> tuple[Event, ...]:
        it = self.publication
        published = Event(
            kind=Kind.PUBLISHED,
            snapshot_time=it.snapshot_time,
            revision=it.revision,
            fingerprint=it.fingerprint,
            rows=it.rows,
            generation=self.generation,
            epoch=self.epoch,
            expires_at=it.expires_at,
            actor=self.actor,
            reason=self.reason,
        )
        if not self.rollback:
            return (published,)
        taken_back = withdrawals(self.seen.events, published, published, self.seen.state.flip)
        return (published, *taken_back, Event(kind=Kind.HOLD, actor=self.actor, reason=self.reason))

    def flip(self, events: tuple[Event, ...]) -> int:
        it, expires_at = self.publication, self.publication.expires_at
        (flip,) = run(
            self.session,
            "flip",
            self.place.keys,
            self.generation,
            self.epoch,
            to_micros(it.snapshot_time),
            to_micros(it.due_at),
            "never" if expires_at is None else to_micros(expires_at),
            self.rollback,
            revision_order(self.seen.events, it.revision),
            self.seen.flip,
            encode_events(events),
            due=format_instant(it.due_at),
        )
        self.progress(Step.FLIPPED, it.rows)
        return int(flip)

    def sweep_behind(self) -> None:
        live = self.seen.state.pointer
        kept = {self.epoch} | ({live.epoch} if live and not self.rollback else set())
        listed = (self.garbage | self.readable()) - kept
        if self.is_full or listed:
            listed |= sweep(self.session, self.place.keys, below=self.generation, kept=kept) - kept
            run(self.session, "swept", self.place.keys, *sorted(listed))
        self.progress(Step.SWEPT, self.publication.rows)

    def readable(self) -> set[int]:
        """The epochs that readers, or a rollback, may want while this publish is on its way."""
        places = (self.seen.state.pointer, self.seen.state.previous)
        return {place.epoch for place in places if place is not None}

    def receipt(self, flip: int, events: tuple[Event, ...]) -> Receipt:
        it = self.publication
        return Receipt(
            view=it.view.name,
            generation=self.generation,
            epoch=self.epoch,
            flip=flip,
            snapshot_time=it.snapshot_time,
            revision=it.revision,
            rows=it.rows,
            expires_at=it.expires_at,
            withdrawn=tuple(event.revision or "" for event in events if event.kind is Kind.WITHDRAWN),
        )


def _resumed(first: list[Difference], others: Iterator[Difference]) -> Iterator[Difference]:
    yield first.pop()  # nothing holds on to it
    yield from others


def revision_order(events: tuple[Event, ...], revision: str) -> int:
    """Where a revision stands among those of its snapshot: when the ledger last recorded that it was built."""
    built = (event for event in reversed(events) if event.kind is Kind.BUILT and event.revision == revision)
    return next((to_micros(event.recorded_at) for event in built), 0)


def _demand_in_order(seen: Agreement, publication: Publication, rollback: bool) -> None:
    """Refuse early what the flip would refuse after all the writing."""
    view, pointer = publication.view.name, seen.state.pointer
    if not due(publication.due_at, seen.state.now):
        raise refusal("not_due", "publish", view, due=format_instant(publication.due_at))
    if pointer is None or rollback:
        return
    same = pointer.snapshot_time == publication.snapshot_time
    older = same and revision_order(seen.events, publication.revision) < seen.state.order
    if older or after(pointer.snapshot_time, publication.snapshot_time):
        raise refusal("older", "publish", view)


def _already_live(publication: Publication, seen: Agreement) -> Receipt:
    pointer = seen.state.pointer
    assert pointer is not None, "what is live has a pointer"
    return Receipt(
        view=publication.view.name,
        generation=pointer.generation,
        epoch=pointer.epoch,
        flip=pointer.flip,
        snapshot_time=pointer.snapshot_time,
        revision=publication.revision,
        rows=publication.rows,
        expires_at=publication.expires_at,
        already_live=True,
    )
