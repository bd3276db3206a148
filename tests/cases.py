"""A case of the corpus: what is asked, what the truth is, what it exercises, and how to report it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from tests import oracle
from tests.oracle import Agg, Entry, Expr, Field, Key, Row, Values, View


@dataclass(frozen=True)
class CaseView:
    """A view with what a definition needs beyond the oracle's truth."""

    name: str
    schedule: str
    has_created: bool
    integers: tuple[int, ...]  # the values that column n takes
    truth: View


@dataclass(frozen=True)
class Case:
    """A small source, the rows stored for each revision, and the questions asked: (keys, time)."""

    number: int
    view: CaseView
    source: tuple[Row, ...]
    stored: dict[str, dict[Key, Values]]
    spine: tuple[tuple[Key, datetime], ...]


def expected(case: Case, as_of: str = "scheduled") -> list[Values]:
    """The values of each spine row, in order."""
    return [
        oracle.answer(case.view.truth, case.source, key, t, as_of=as_of, stored=case.stored)
        for key, t in case.spine
    ]


def explained(case: Case) -> list[oracle.Seen]:
    """Which snapshot each spine row sees as scheduled, in order."""
    return [oracle.seen_at(case.view.truth, t) for _, t in case.spine]


# -- what a case exercises --------------------------------------------------------------------------------

FEATURES = (
    "ties",
    "boundaries",
    "late rows",
    "corrections",
    "nulls",
    "expiry",
    "blocked snapshots",
    "unknown entities",
)


def features_of(case: Case) -> set[str]:
    """Which of FEATURES the answers of this case depend on, or touch."""
    truth, tags = case.view.truth, set()
    entities = {tuple(row[name] for name in truth.keys) for row in case.source}
    for (key, t), seen in zip(case.spine, explained(case), strict=True):
        tags |= {"unknown entities"} if key not in entities or None in key else set()
        tags |= {"expiry"} if seen.expired else set()
        tags |= {"blocked snapshots"} if seen.how == "skipped" else set()
        for snapshot_time, cutoff in asked_for(truth, t, seen):
            tags |= features_of_rows(truth, case.source, key, snapshot_time, cutoff)
    return tags


def asked_for(truth: View, t: datetime, seen: oracle.Seen) -> list[tuple[datetime, datetime]]:
    """The snapshots, with cutoffs, that one question needs from the source, in both modes."""
    computed = [(seen.snapshot_time, seen.snapshot_time + truth.data_delay)]
    return [(t, t)] + (computed if seen.revision is None and not seen.expired else [])


def features_of_rows(
    truth: View, source: tuple[Row, ...], key: Key, snapshot_time: datetime, cutoff: datetime
) -> set[str]:
    """What an entity's rows exercise in one snapshot."""

    def of_entity(rows: Any) -> list[Row]:
        return [row for row in rows if tuple(row[name] for name in truth.keys) == key]

    tags = set()
    known = oracle.known_rows(source, cutoff)
    standing = oracle.current_versions(truth, known)
    seen = of_entity(oracle.visible(truth, source, snapshot_time, cutoff))
    happened = [
        row for row in of_entity(source) if row["event_timestamp"] and row["event_timestamp"] < snapshot_time
    ]
    read = oracle.columns_read(truth)
    spans = [field.value.window if isinstance(field.value, Agg) else truth.ttl for field in truth.fields]
    edges = {snapshot_time, *(snapshot_time - span for span in spans if span)}
    if any(row not in known for row in happened):
        tags.add("late rows")
    if of_entity(row for row in known if not any(row is other for other in standing)):
        tags.add("corrections")
    if any(row[name] is None for row in seen for name in read):
        tags.add("nulls")
    if edges & {row["event_timestamp"] for row in of_entity(source)} or cutoff in map(
        oracle.known_time, happened
    ):
        tags.add("boundaries")
    for one, two in itertools.combinations(seen, 2):
        same = [oracle.newest_order(truth, row)[:2] for row in (one, two)]
        if same[0] == same[1] and oracle.newest_order(truth, one) != oracle.newest_order(truth, two):
            tags.add("ties")
    return tags


# -- a failing case, small and readable -------------------------------------------------------------------


def describe(case: Case) -> str:
    """The case for a person: definition, history, source, questions and the truth."""
    view, truth = case.view, case.view.truth
    lines = [
        f"case {case.number} of {view.name}: keys {truth.keys}, event id {truth.event_id}",
        f"  schedule {view.schedule}, data_delay {truth.data_delay}, publish_delay {truth.publish_delay}, "
        f"max_staleness {truth.max_staleness}, ttl {truth.ttl}",
        *(f"  field  {_field(field)}" for field in truth.fields),
        *(f"  ledger {_instant(e.snapshot_time)} {e.kind:9} {_entry(e)}" for e in truth.history),
        *(
            f"  stored {name} {key}: {values}"
            for name, rows in case.stored.items()
            for key, values in rows.items()
        ),
        *(f"  source {_row(row)}" for row in case.source),
    ]
    for (key, t), seen, scheduled, event in zip(
        case.spine, explained(case), expected(case), expected(case, "event"), strict=True
    ):
        gone = ", expired" if seen.expired else ""
        lines.append(f"  ask    {key} at {_instant(t)}")
        lines.append(f"         scheduled {scheduled}  ({seen.how} {_instant(seen.snapshot_time)}{gone})")
        lines.append(f"         event     {event}")
    return "\n".join(lines)


def _instant(t: datetime | None) -> str:
    return (
        "null" if t is None else t.strftime("%d %H:%M:%S") + (f".{t.microsecond:06}" if t.microsecond else "")
    )


def _row(row: Row) -> str:
    return " ".join(
        f"{name}={_instant(v) if name.endswith('_timestamp') else repr(v)}" for name, v in row.items()
    )


def _entry(entry: Entry) -> str:
    usable = f", usable from {_instant(entry.usable_from)}" if entry.usable_from else ""
    return f"{entry.revision}{usable}{' (another fingerprint)' if entry.fingerprint != 'asked' else ''}"


def _field(field: Field) -> str:
    value = field.value
    if isinstance(value, Agg):
        where = f", where {value.where.sql}" if value.where else ""
        of_what = value.column.sql if value.column else "rows"
        how = ", ".join(map(str, filter(None, (of_what, value.n, value.q))))
        said = f"{value.function}({how}) over {value.window}, nulls {value.nulls}{where}"
    else:
        said = value.sql
    return f"{field.name}: {field.dtype} = {said}, default {field.default!r}"


def shrink(case: Case, fails: Callable[[Case], bool]) -> Case:
    """The smallest case to which greedy dropping leads while it still fails."""
    for smaller in smaller_cases(case):
        if fails(smaller):
            return shrink(smaller, fails)
    return case


def smaller_cases(case: Case) -> Iterator[Case]:
    """The case without one question, source row, stored row, revision, or field."""
    for place in range(len(case.spine)) if len(case.spine) > 1 else ():
        yield replace(case, spine=_without(case.spine, place))
    for place in range(len(case.source)):
        yield replace(case, source=_without(case.source, place))
    truth = case.view.truth
    for revision in dict.fromkeys(entry.revision for entry in truth.history):
        history = tuple(entry for entry in truth.history if entry.revision != revision)
        stored = {name: rows for name, rows in case.stored.items() if name != revision}
        yield _with_truth(replace(case, stored=stored), replace(truth, history=history))
    for revision, rows in case.stored.items():
        for key in rows:
            left = {other: values for other, values in rows.items() if other != key}
            yield replace(case, stored={**case.stored, revision: left})
    for place in range(len(truth.fields)) if len(truth.fields) > 1 else ():
        yield _without_field(case, place)


def _without_field(case: Case, place: int) -> Case:
    truth = case.view.truth
    fields = _without(truth.fields, place)
    ttl = truth.ttl if any(isinstance(field.value, Expr) for field in fields) else None
    stored = {
        name: {key: _without(values, place) for key, values in rows.items()}
        for name, rows in case.stored.items()
    }
    return _with_truth(replace(case, stored=stored), replace(truth, fields=fields, ttl=ttl))


def _with_truth(case: Case, truth: View) -> Case:
    return replace(case, view=replace(case.view, truth=truth))


def _without(items: tuple[Any, ...], place: int) -> tuple[Any, ...]:
    return items[:place] + items[place + 1 :]
