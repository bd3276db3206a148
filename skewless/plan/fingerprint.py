"""Fingerprints: what decides the values of a view, or the rows of a training set, and nothing else."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from skewless.model import DeltaSource, FeatureView, Field, TrainingSet
from skewless.timeline import MICROSECOND, to_micros
from skewless.types import FLOATS, DType

if TYPE_CHECKING:
    from skewless.plan.repo import Selection

# Raise it when the engine gives another value for an unchanged definition and source.
ENGINE_SEMANTICS = 1


def fingerprint(view: FeatureView) -> str:
    """SHA-256, as 64 hexadecimal digits, of canonical JSON of what decides the view's values."""
    return definition_fingerprint(view_definition(view))


def training_definition(training_set: TrainingSet, selections: Sequence[Selection]) -> dict[str, Any]:
    """What decides a training set's rows, as JSON has it; `selections` are the features of its service, resolved."""
    spine = _source(training_set.spine)
    return {
        "semantics": ENGINE_SEMANTICS,
        "spine": {
            name: value for name, value in spine.items() if name != "data_delay"
        },  # label_delay decides
        "label_delay": _micros(training_set.label_delay),
        "schedule": str(training_set.schedule),
        "features": [f"{chosen.prefix}:{name}" for chosen in selections for name in chosen.fields],
        "views": {chosen.prefix: _as_seen(chosen.view) | _renamed(chosen) for chosen in selections},
    }


def definition_fingerprint(definition: dict[str, Any]) -> str:
    """SHA-256, as 64 hexadecimal digits, of a definition as JSON has it."""
    return hashlib.sha256(canonical(definition).encode()).hexdigest()


def _as_seen(view: FeatureView) -> dict[str, Any]:
    """What decides a view's values, and which of its snapshots is seen when."""
    return {
        "fingerprint": fingerprint(view),
        "schedule": str(view.schedule),
        "publish_delay": _micros(view.publish_delay),
        "max_staleness": _micros(view.max_staleness),
    }


def _renamed(chosen: Selection) -> dict[str, Any]:
    """The spine's key columns, where they are not the view's own."""
    return {} if chosen.keys == chosen.view.join_keys else {"keys": list(chosen.keys)}


def canonical(value: Any) -> str:
    """JSON in one form: equal values, and only those, give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def short(fingerprint: str) -> str:
    """The first 12 digits: enough for a table's name."""
    return fingerprint[:12]


def view_definition(view: FeatureView) -> dict[str, Any]:
    """What decides the view's values, as JSON has it."""
    return {
        "semantics": ENGINE_SEMANTICS,
        "keys": list(view.join_keys),
        "fields": [_field(item) for item in sorted(view.schema, key=lambda item: item.name)],
        "source": _source(view.source),
        "ttl": _micros(view.ttl),
        **_given(
            "transform", view.transform_code and hashlib.sha256(view.transform_code.encode()).hexdigest()
        ),
    }


def _source(source: DeltaSource) -> dict[str, Any]:
    return {
        "path": source.path,
        "table": source.table,
        "timestamp_field": source.timestamp_field,
        "created_timestamp_column": source.created_timestamp_column,
        "event_id": sorted(source.event_id),
        "data_delay": _micros(source.data_delay),
        **_given("deleted_column", source.deleted_column),
    }


def _given(name: str, value: Any) -> dict[str, Any]:
    """What older definitions could not say: there only where it is said, so that their fingerprints stay."""
    return {} if value is None else {name: value}


def _field(item: Field) -> dict[str, Any]:
    aggregate = item.aggregate
    return {
        "name": item.name,
        "dtype": item.dtype.name,
        "expression": item.expression,
        "default": None if item.default is None else _value(item.dtype, item.default),
        "aggregate": aggregate
        and {
            "function": aggregate.function,
            "window": _micros(aggregate.window),
            "nulls": aggregate.nulls,
            "where": aggregate.where,
            **({} if aggregate.n is None else {"n": aggregate.n}),
            **({} if aggregate.q is None else {"q": str(aggregate.exact_q)}),
        },
    }


def _micros(span: timedelta | None) -> int | None:
    return None if span is None else span // MICROSECOND


def _value(dtype: DType, value: Any) -> Any:
    """A value of the dtype as JSON that tells every two values apart: floats by their bits, bytes in hex."""
    if dtype.element is not None:
        return [_value(dtype.element, item) for item in value]
    if dtype in FLOATS:
        return struct.pack(">d", value).hex()
    if dtype.name == "bytes":
        return value.hex()
    return to_micros(value) if dtype.name == "timestamp" else value
