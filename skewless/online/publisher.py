"""Publishing a revision: every entity of a view changes in one instant, or none does.

open -> drop garbage -> meta -> rows -> sample -> flip -> ledger -> drop the epoch before the previous. No
write is ever sent twice: a publish that fails is over, and the next one begins a new epoch.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from skewless.errors import DataError
from skewless.ledger.events import Event, Kind
from skewless.online.comparison import demand_same
from skewless.online.connection import Session, demand_safe
from skewless.online.keys import KeyKind, entity_key
from skewless.online.publication import Progress, Publication, Receipt, Step
from skewless.online.reader import OnlineReader
from skewless.online.reconcile import Agreement, OnlineView, reconcile_over
from skewless.online.records import Meta
from skewless.online.rows import Sample, encoded, key_kinds, parts
from skewless.online.scripts import refusal, run
from skewless.online.sweep import sweep
from skewless.online.telling import at_flip, encode_events, withdrawals
from skewless.timeline import after, due, format_instant, to_micros


def publish(
    place: OnlineView,
    publication: Publication,
    rows: pa.RecordBatchReader,
    *,
    actor: str | None = None,
    reason: str | None = None,
    rollback: bool = False,
    progress: Progress = lambda step, rows: None,
) -> Receipt:
    """Make a revision live, whole. With `rollback` it may be an older one, and the view is held afterwards.

    rows  the revision: join keys and fields, any batches, each entity once
    A revision that is live already is not published again (unless it was expired by hand).

    Raises PublishRefused (code held, moved, superseded, not_due, older), StoreUnavailable, DataError when the
    rows are not what the definition and the ledger say, OnlineError when readers would get other rows.
    Before the flip readers keep what they have, whatever it raises; after it, the next operation tells the
    ledger what this one could not.
    """
    kinds = key_kinds(rows.schema, publication.view)
    reader = OnlineReader(place.redis_url, place.namespace)
    try:
        reader.connect()  # as every connection, before anything is opened
        with Session(place.redis_url) as session:
            demand_safe(session)
            seen = reconcile_over(session, place)
            if seen.shows(publication.revision, publication.expires_at) and not rollback:
                return _already_live(publication, seen)
            _demand_in_order(seen, publication, rollback)
            attempt = _Attempt(place, publication, session, reader, seen, rollback, actor, reason, progress)
            return attempt.run(rows, kinds)
    finally:
        reader.close()


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

    def run(self, rows: pa.RecordBatchReader, kinds: tuple[KeyKind, ...]) -> Receipt:
        garbage = self.open()
        self.clean(garbage)
        self.describe(Meta.of(self.publication.view, self.publication.fingerprint, kinds))
        sample = self.write(rows, kinds)
        self.compare(sample, kinds)
        events = self.events()
        flip = self.flip(events)
        self.place.ledger.append(*at_flip(events, flip))
        self.progress(Step.TOLD, sample.seen)
        self.sweep_behind()
        return self.receipt(flip, events)

    def open(self) -> list[str]:
        seen = self.seen
        answer = run(
            self.session, "open", self.place.keys, seen.state.flip, seen.generation, True, self.rollback
        )
        self.generation = int(answer[0])
        self.progress(Step.OPENED, 0)
        return answer[2].split()

    def clean(self, garbage: list[str]) -> None:
        if garbage or self.seen.lost:
            sweep(self.session, self.place.keys, below=self.generation, kept=self.readable())
        self.progress(Step.CLEANED, 0)

    def describe(self, meta: Meta) -> None:
        self.write_new([(self.place.keys.meta(self.generation), meta.encode())])
        self.progress(Step.DESCRIBED, 0)

    def write(self, rows: pa.RecordBatchReader, kinds: tuple[KeyKind, ...]) -> Sample:
        keys, sample = self.place.keys, Sample()
        pairs = encoded(iter(rows), self.publication.view, kinds, self.generation, sample)
        for part in parts((keys.entity(self.generation, key), value) for key, value in pairs):
            self.write_new(part)
            self.progress(Step.WRITTEN, sample.seen)
        if sample.seen != self.publication.rows:
            raise DataError(
                f"revision {self.publication.revision} of {self.place.view!r} has {sample.seen} rows, but "
                f"the ledger says {self.publication.rows}; build it again. Nothing was published"
            )
        return sample

    def write_new(self, pairs: list[tuple[str, bytes]]) -> None:
        """Write keys that nobody has written; each acknowledgement counts; the publish must still be ours."""
        commands = [("SET", key, value, "NX") for key, value in pairs]
        *acknowledged, writing = self.session.pipeline(
            [*commands, ("HGET", self.place.keys.state, "writing")]
        )
        self.demand_ours(writing)
        for (key, _), reply in zip(pairs, acknowledged, strict=True):
            if reply != b"OK":
                raise DataError(
                    f"{key} was written twice: two rows of one entity? Build again. Nothing was published"
                )

    def demand_ours(self, writing: bytes | None) -> None:
        if writing != str(self.generation).encode():
            raise refusal("superseded", "publish", self.place.view)

    def compare(self, sample: Sample, kinds: tuple[KeyKind, ...]) -> None:
        names = [entity_key(key, kinds) or "" for key, _ in sample.kept]
        meta, read = self.reader.read_generation(self.place.view, self.generation, self.generation, names)
        # Whoever ended this publish may have dropped its rows by now.
        self.demand_ours(self.session.call("HGET", self.place.keys.state, "writing"))
        demand_same(self.publication.view, meta, names, [row for _, row in sample.kept], read)
        self.progress(Step.COMPARED, sample.seen)

    def events(self) -> tuple[Event, ...]:
        it = self.publication
        published = Event(
            kind=Kind.PUBLISHED,
            snapshot_time=it.snapshot_time,
            revision=it.revision,
            fingerprint=it.fingerprint,
            rows=it.rows,
            generation=self.generation,
            epoch=self.generation,
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
            self.generation,
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
        kept = {self.generation} | ({live.epoch} if live and not self.rollback else set())
        gone = sweep(self.session, self.place.keys, below=self.generation, kept=kept)
        listed = {*gone, *self.seen.state.garbage, *self.readable()} - kept
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
            epoch=self.generation,
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
