"""Publishing a revision: every entity of a view changes in one instant, or none does.

open -> rows -> sample -> flip -> ledger -> drop what nobody reads any more. A *full* publish drops garbage and
writes every row under a new epoch, with its meta; an *incremental* one writes into the live epoch what changed,
beside the live rows. No write is ever sent twice: a publish that fails is over, and what it left is never built on.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass

import pyarrow as pa

from skewless.errors import DataError, OnlineError
from skewless.ledger.events import Event, Kind
from skewless.online.comparison import constant_row, demand_same
from skewless.online.connection import Session, demand_safe
from skewless.online.contents import Changes, Part, Whole
from skewless.online.incremental import Source, what_changed
from skewless.online.keys import entity_key
from skewless.online.publication import Progress, Publication, Receipt, Rows, Step
from skewless.online.reader import OnlineReader
from skewless.online.reconcile import Agreement, OnlineView, reconcile_over
from skewless.online.rows import pieces
from skewless.online.scripts import refusal, run
from skewless.online.sweep import sweep
from skewless.online.telling import at_flip, encode_events, withdrawals
from skewless.online.writer import Writer
from skewless.timeline import after, due, format_instant, to_micros

__all__ = ["Rows", "publish", "revision_order"]


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
    report  takes a line that says why every row is written, or what is left to the next publish, where that is not as
            usual
    A revision that is live already is not published again (unless it was expired by hand, or with `full`).

    Raises PublishRefused (code held, moved, superseded, not_due, older), StoreUnavailable, DataError when the
    rows are not what the definition and the ledger say, OnlineError when readers would get other rows.
    Before the flip readers keep what they have, whatever it raises; after it, the next operation tells the
    ledger what this one could not.
    """
    source = Source.of(publication, rows)
    with ExitStack() as opened:
        reader = opened.enter_context(closing(OnlineReader(place.redis_url, place.namespace)))
        reader.connect()  # now: one that fails later would end a publish that is open already
        session = opened.enter_context(Session(place.redis_url, place.keys.pointer))
        demand_safe(session)
        seen = reconcile_over(session, place)
        if seen.shows(publication.revision, publication.expires_at) and not (rollback or full):
            return _already_live(publication, seen)
        _demand_in_order(seen, publication, rollback)
        changes = None if full or rollback else what_changed(session, place.keys, seen, source, report)
        attempt = _Attempt(place, publication, session, reader, seen, rollback, actor, reason, progress)
        receipt = attempt.run(source, changes)
        attempt.sweep_if_it_can(report)
        return receipt


@dataclass
class _Attempt:
    """One publish on its way; nothing of it is ever tried again."""

    place: OnlineView
    publication: Publication
    session: Session
    reader: OnlineReader
    seen: Agreement
    rollback: bool
    actor: str | None
    reason: str | None
    progress: Progress
    generation: int = 0
    epoch: int = 0
    garbage: frozenset[int] = frozenset()

    def run(self, source: Source, changes: Changes | None) -> Receipt:
        self.open(full=changes is None)
        writer = Writer(self.session, self.place.keys, self.generation)
        if changes is not None and not self.is_full:
            self.write(writer, changes)
            self.compare(writer, source, changes)
        else:
            if changes is not None:
                changes.close()  # somebody made the epoch dirty since
            self.begin_epoch(writer, source.meta)
            every = Whole(pieces(source.shape, source.batches()))
            self.write(writer, every)
            self.compare(writer, source, every)
        events = self.events()
        flip = self.flip(events)
        self.place.ledger.append(*at_flip(events, flip))
        self.progress(Step.TOLD, self.publication.rows)
        return self.receipt(flip, events)

    @property
    def is_full(self) -> bool:
        return self.epoch == self.generation

    def open(self, *, full: bool) -> None:
        seen = self.seen
        answer = run(
            self.session, "open", self.place.keys, seen.state.flip, seen.generation, full, self.rollback
        )
        self.generation, self.epoch = int(answer[0]), int(answer[1])
        self.garbage = frozenset(map(int, answer[2].split()))
        self.progress(Step.OPENED, 0)

    def begin_epoch(self, writer: Writer, meta: bytes) -> None:
        """Make room, and describe the new epoch."""
        if self.garbage or self.seen.lost:
            sweep(self.session, self.place.keys, below=self.generation, kept=self.readable())
        self.progress(Step.CLEANED, 0)
        key = self.place.keys.meta(self.epoch).encode()
        writer.send(Part("MSETNX", *(pa.array([item], pa.large_binary()) for item in (key, meta))))
        writer.settle()
        self.progress(Step.DESCRIBED, 0)

    def write(self, writer: Writer, contents: Whole | Changes) -> None:
        for part in contents.parts(self.generation, self.place.keys.entity(self.epoch, "")):
            self.settle(writer)  # the server was at work while this part was made
            writer.send(part)
        self.settle(writer)
        rows = writer.rows + contents.unwritten
        if rows != self.publication.rows:
            raise DataError(
                f"revision {self.publication.revision} of {self.place.view!r} has {rows} rows, but "
                f"the ledger says {self.publication.rows}; build it again. Nothing was published"
            )

    def settle(self, writer: Writer) -> None:
        if writer.settle():
            self.progress(Step.WRITTEN, writer.rows)

    def compare(self, writer: Writer, source: Source, contents: Whole | Changes) -> None:
        view, kinds = self.publication.view, source.shape.kinds
        for expected in contents.expected(self.generation, constant_row(view, view.absent_row)):
            names = [entity_key(key, kinds) or "" for key in expected.rows]
            meta, read = self.reader.read_generation(view.name, self.epoch, expected.generation, names)
            writer.demand_ours()  # whoever ended this publish may have dropped its rows by now
            demand_same(view, meta, names, list(expected.rows.values()), read)
        self.progress(Step.COMPARED, self.publication.rows)

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

    def sweep_if_it_can(self, report: Callable[[str], None]) -> None:
        try:
            self.sweep_behind()
        except OnlineError as error:  # it is live, and that is what was asked for
            left = "what nobody reads any more stays until its next publish"
            report(f"{self.place.view!r} is live; {left}: {error}")

    def sweep_behind(self) -> None:
        live = self.seen.state.pointer
        kept = {self.epoch} | ({live.epoch} if live and not self.rollback else set())
        listed = (self.garbage | self.readable()) - kept
        if listed or (self.is_full and self.seen.state.top):  # else nobody ever wrote before
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
