"""The corpus as real definitions, Delta tables and ledgers, so that hundreds of cases make one Spark job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

from skewless import DeltaSource, Entity, FeatureView, Field, types
from skewless.agg import Aggregate
from skewless.ledger.events import Event, Kind
from skewless.plan.fingerprint import fingerprint
from skewless.plan.repo import Repo
from skewless.plan.uris import feature_table, under
from skewless.settings import Settings
from skewless.store import FeatureStore
from skewless.timeline import FixedClock
from skewless.workspace import Workspace
from tests.corpus import EVENT_ID_KINDS, KEY_KINDS, KINDS, Case, CaseView
from tests.oracle import Agg, Values, bits

ARROW = {
    "int": pa.int64(),
    "float": pa.float64(),
    "string": pa.string(),
    "bool": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}


@dataclass(frozen=True)
class CorpusStore:
    """The cases of one view in a warehouse of their own."""

    view: FeatureView
    cases: Sequence[Case]
    store: FeatureStore

    @classmethod
    def make(cls, cases: Sequence[Case], settings: Settings, folder: Path) -> CorpusStore:
        """Write sources, stored revisions and ledger."""
        case_view = cases[0].view
        warehouse = str(folder / case_view.name)
        view = definition(case_view)
        clock = FixedClock(case_view.truth.ticks[-1] + timedelta(days=30))
        workspace = Workspace(
            settings.model_copy(update={"warehouse": warehouse}),
            Repo({view.name: view}, {}, {}, {}, {}),
            clock,
        )
        _write(under(warehouse, "sources/cases"), _source_rows(cases), _source_schema(case_view))
        _write_stored(cases, view, warehouse)
        workspace.ledger(view).append(*events(case_view, view))
        return cls(view, cases, FeatureStore.of(workspace))

    def answers(self, as_of: str) -> dict[tuple[int, int], tuple[Values, Any]]:
        """What the engine says: per case and place in its spine, the values, and how they were had."""
        store, keys = self.store, self.view.join_keys
        rows = [
            {"place": place, "event_timestamp": t, **dict(zip(keys, (case.number, *key), strict=True))}
            for case in self.cases
            for place, (key, t) in enumerate(case.spine)
        ]
        schema = pa.schema(
            [("place", pa.int64()), ("event_timestamp", ARROW["timestamp"]), *_key_schema(self.cases[0].view)]
        )
        spine = store.spark.createDataFrame(pa.Table.from_pylist(rows, schema=schema))
        joined = store.get_historical_features(spine, [self.view], as_of=as_of, explain=True).toArrow()
        fields = [f"{self.view.name}__{name}" for name in self.view.fields]
        return {
            (row["case"], row["place"]): (tuple(row[name] for name in fields), row[f"{self.view.name}__how"])
            for row in joined.to_pylist()
        }


def definition(case_view: CaseView) -> FeatureView:
    """The real definition of a view of the corpus, with the case's number as its first join key."""
    truth = case_view.truth
    source = DeltaSource(
        name="cases",
        path="sources/cases",
        timestamp_field="event_timestamp",
        created_timestamp_column="created_timestamp" if case_view.has_created else None,
        event_id=truth.event_id,
        data_delay=truth.data_delay,
    )
    return FeatureView(
        name=case_view.name,
        entities=[Entity(name="case_entity", join_keys=["case", *truth.keys])],
        source=source,
        schedule=case_view.schedule,
        publish_delay=truth.publish_delay,
        max_staleness=truth.max_staleness,
        ttl=truth.ttl,
        schema=[
            Field(name=f.name, dtype=types.parse(f.dtype), value=_value(f), default=f.default)
            for f in truth.fields
        ],
    )


def _value(field: Any) -> Any:
    value = field.value
    if isinstance(value, Agg):
        column, where = value.column and value.column.sql, value.where and value.where.sql
        q = None if value.q is None else float(value.q)
        return Aggregate(value.function, column, value.window, value.nulls, where, value.n, q)
    return None if value.sql == field.name else value.sql


def events(case_view: CaseView, view: FeatureView) -> list[Event]:
    """The ledger's events of a history."""
    asked = fingerprint(view)
    return [
        Event(
            kind=Kind(entry.kind),
            snapshot_time=entry.snapshot_time,
            revision=entry.revision,
            usable_from=entry.usable_from,
            fingerprint=asked if entry.fingerprint == "asked" else "0" * 64,
        )
        for entry in case_view.truth.history
    ]


def differences(made: CorpusStore, as_of: str, expected: Any, explained: Any) -> list[str]:
    """Every question on which the engine and the truth disagree, in bits; and those not answered."""
    got = made.answers(as_of)
    found = []
    for case in made.cases:
        for place, (values, seen) in enumerate(zip(expected(case, as_of), explained(case), strict=True)):
            answer, how = got.get((case.number, place), (None, None))
            same = answer is not None and [bits(v) for v in answer] == [bits(v) for v in values]
            if not same or (as_of == "scheduled" and how != seen.how):
                found.append(
                    f"case {case.number}, question {place}: {answer} ({how}), truth {values} ({seen.how})"
                )
    return found


def _source_rows(cases: Sequence[Case]) -> list[dict[str, Any]]:
    return [{"case": case.number, **row} for case in cases for row in case.source]


def _key_schema(case_view: CaseView) -> list[tuple[str, pa.DataType]]:
    return [("case", pa.int64()), *((key, ARROW[KEY_KINDS[key]]) for key in case_view.truth.keys)]


def _source_schema(case_view: CaseView) -> pa.Schema:
    times = ["event_timestamp", *(["created_timestamp"] if case_view.has_created else [])]
    ids = [(name, ARROW[EVENT_ID_KINDS[name]]) for name in case_view.truth.event_id]
    values = [(name, ARROW[kind]) for name, kind in KINDS.items()]
    return pa.schema(
        [*_key_schema(case_view), *((name, ARROW["timestamp"]) for name in times), *ids, *values]
    )


def _write_stored(cases: Sequence[Case], view: FeatureView, warehouse: str) -> None:
    rows = [
        {
            **dict(zip(view.join_keys, (case.number, *key), strict=True)),
            "_snapshot_time": next(
                e.snapshot_time for e in case.view.truth.history if e.revision == revision
            ),
            "_revision": revision,
            **dict(zip(view.fields, values, strict=True)),
        }
        for case in cases
        for revision, table in case.stored.items()
        for key, values in table.items()
    ]
    fields = [(item.name, item.dtype.arrow()) for item in view.schema]
    stamps = [("_snapshot_time", ARROW["timestamp"]), ("_revision", pa.string())]
    schema = pa.schema([*_key_schema(cases[0].view), *stamps, *fields])
    _write(feature_table(warehouse, view.name, fingerprint(view)), rows, schema, partition_by=["_revision"])


def _write(uri: str, rows: list[dict[str, Any]], schema: pa.Schema, **options: Any) -> None:
    write_deltalake(uri, pa.Table.from_pylist(rows, schema=schema), **options)
