"""Comparing every key of the live generation with its revision in the feature table, byte by byte.

It only reads, by commands between which the server answers others, and runs beside all else: where the flip moves
meanwhile, it begins again. In memory are some thousand rows, and eight bytes of each entity.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import pyarrow as pa

from skewless.errors import DataError, NotPublishedError, OnlineError
from skewless.ledger.events import Event
from skewless.model import FeatureView
from skewless.online.comparison import constant_row, identity
from skewless.online.connection import Session
from skewless.online.disagreements import what_readers_have, with_kept
from skewless.online.examination import Examination, Moved
from skewless.online.publication import Rows
from skewless.online.reconcile import OnlineView, live_event
from skewless.online.records import Meta, Pointer, Row
from skewless.online.rows import Shape, pieces
from skewless.online.state import OnlineState, read_state
from skewless.online.verification import Entities, Verification

ATTEMPTS = 3

_Pairs = Sequence[tuple[str, object]]
Told = Callable[[int, int], None]  # how many rows were compared, of how many


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A view as it is defined now: what it says of a generation, if that is of the same fingerprint."""

    view: FeatureView
    fingerprint: str


def verify(
    place: OnlineView,
    definition: Definition,
    rows: Callable[[str], Rows],
    *,
    told: Told = lambda rows, of: None,
    report: Callable[[str], None] = lambda line: None,
) -> Verification:
    """Compare the live generation with the revision that the ledger names.

    rows    gives what reads the revisions of a fingerprint
    report  takes a line when it begins again

    Raises NotPublishedError where nothing is live; OnlineError where what is live changes faster than it can be
    compared; DataError where the revision cannot be read; StoreUnavailable, LedgerError. Nothing is changed.
    """
    with Session(place.redis_url, place.keys.pointer) as session:
        for _ in range(ATTEMPTS):
            try:
                return _once(session, place, definition, rows, told)
            except Moved:
                report(f"what is live of {place.view} has changed meanwhile: comparing from the beginning")
    raise OnlineError(
        f"what is live of {place.view!r} changed {ATTEMPTS} times while it was compared; run it when fewer publishes "
        f"are on their way, or `skewless hold {place.view}` first"
    )


def _once(
    session: Session, place: OnlineView, definition: Definition, rows: Callable[[str], Rows], told: Told
) -> Verification:
    events = place.ledger.read()  # before the state, as always: else the server seems to be behind
    state = read_state(session, place.keys)
    readers = what_readers_have(place.view, events, state)
    if state.pointer is None:
        raise NotPublishedError(readers[0] if readers else _never(place))
    live = live_event(with_kept(events, state), state.pointer)
    raw_meta, pointer = session.call("MGET", place.keys.meta(state.pointer.epoch), place.keys.pointer)
    if pointer is None or Pointer.decode(pointer) != state.pointer:
        raise Moved
    found = _Found(place.view, state, state.pointer, live, readers)
    meta = found.read_meta(raw_meta)
    if meta is None or live is None or live.revision is None or live.fingerprint is None:
        return found.verification()
    batches = rows(live.fingerprint)(live.revision, [name for name, _ in (*meta.keys, *meta.fields)])
    if found.is_as_defined(meta, definition, batches.schema):
        keys = Examination(session, place.keys, state, state.pointer, meta, partial(_tell, told, live.rows))
        keys.compare(pieces(Shape(place.view, meta.keys, meta.fields), batches))
        _demand_count(live, keys.rows, place.view)
        keys.look_for_more()
        found.keys = keys
    return found.verification()


@dataclass
class _Found:
    """What was found so far."""

    view: str
    state: OnlineState
    pointer: Pointer
    live: Event | None
    readers: tuple[str, ...]
    meta: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    keys: Examination | None = None

    def read_meta(self, raw: bytes | None) -> Meta | None:
        """The description of the rows; None where it cannot be read."""
        try:
            if raw is not None:
                return Meta.decode(raw)
            self.meta.append(
                f"the description of the rows of epoch {self.pointer.epoch} is gone: nobody can read any"
            )
        except OnlineError as error:
            self.meta.append(str(error))
        return None

    def is_as_defined(self, meta: Meta, definition: Definition, schema: pa.Schema) -> bool:
        """Whether rows can be compared: they cannot where keys or fields are not those that are defined."""
        assert self.live is not None, "it has a revision"
        if meta.fingerprint != self.live.fingerprint:
            self.meta.append(
                f"the rows are described as of fingerprint {meta.fingerprint}, and are of {self.live.fingerprint}"
            )
        if definition.fingerprint != self.live.fingerprint:
            self.notes.append(
                "the definition has changed since: what describes the rows, and the constant rows, were not compared"
            )
            return True
        view = definition.view
        self._constant("absent", meta, meta.absent, view, view.absent_row)
        self._constant("expired", meta, meta.expired, view, view.expired_row)
        fields = {name: item.dtype for name, item in view.fields.items()}
        if dict(meta.fields) != fields:
            self._described_otherwise(meta.fields, tuple(fields.items()))
            return False
        keys = Shape.of(view, schema).keys
        if meta.keys != keys:
            self._described_otherwise(meta.keys, keys)
        return meta.keys == keys

    def _described_otherwise(self, found: _Pairs, defined: _Pairs) -> None:
        self.meta.append(f"rows are described as {_named(found)}, and defined as {_named(defined)}")

    def _constant(self, name: str, meta: Meta, found: Row, view: FeatureView, defined: Row) -> None:
        """Compare a constant row; the definition may have its fields in another order by now."""
        wanted = dict(zip(view.fields, constant_row(view, defined), strict=True))
        there = {field: value for (field, _), value in zip(meta.fields, found, strict=True)}
        if identity(sorted(wanted.items())) != identity(sorted(there.items())):
            self.meta.append(f"the {name} row is {there}, and is defined as {wanted}")

    def verification(self) -> Verification:
        """All of it."""
        keys = self.keys
        nothing = Entities()
        missing, different, stray = (
            (keys.missing.entities, keys.different.entities, keys.stray.entities) if keys else (nothing,) * 3
        )
        same = not (missing.count or different.count or stray.count or self.meta or self.readers)
        return Verification(
            view=self.view,
            generation=self.pointer.generation,
            epoch=self.pointer.epoch,
            snapshot_time=self.pointer.snapshot_time,
            revision=self.live.revision if self.live else None,
            same=same,
            held=self.state.held,
            rows=keys.rows if keys else 0,
            missing=missing,
            different=different,
            stray=stray,
            meta=tuple(self.meta),
            readers=self.readers,
            notes=tuple(self.notes),
            left_over=keys.left_over.entities if keys else nothing,
            left_epochs=tuple(sorted(keys.left_epochs)) if keys else (),
        )


def _tell(told: Told, of: int | None, rows: int) -> None:
    told(rows, of or rows)


def _named(pairs: _Pairs) -> str:
    return ", ".join(f"{name} {what}" for name, what in pairs)


def _never(place: OnlineView) -> str:
    return f"{place.view!r} is not published in namespace {place.namespace!r}: skewless publish {place.view}"


def _demand_count(live: Event, rows: int, view: str) -> None:
    if rows != live.rows:
        raise DataError(
            f"the feature table has {rows} rows of revision {live.revision} of {view!r}, and the ledger says "
            f"{live.rows}; restore the table, or build the snapshot again and publish it"
        )
