"""Published views of the corpus, and what the oracle says of every entity, as cases for every reader."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from skewless import FeatureView
from skewless.timeline import to_micros
from skewless.types import DType
from tests import oracle
from tests.clients.golden import float_bits
from tests.corpus import Case, CaseView, corpus
from tests.oracle import Key, Values
from tests.redis.stage import Stage, ago
from tests.spark.corpus_store import ARROW, KEY_KINDS, definition

Rows = dict[Key, Values]


@dataclass(frozen=True)
class Published:
    """A namespace with every view of the corpus, and a file of cases."""

    namespace: str
    cases: list[dict[str, Any]]
    file: Path


def publish_corpus(redis_url: str, folder: Path) -> Published:
    """Publish two snapshots of each view, the second over the first: slots, tombstones and new entities in one."""
    namespace = f"n-{uuid.uuid4().hex[:12]}"
    made = corpus()
    cases: list[dict[str, Any]] = []
    for case_view in made.views:
        of_view = made.cases[case_view.name]
        earlier, later = (snapshot(of_view, tick) for tick in case_view.truth.ticks[-3:-1])
        publish_twice(redis_url, folder, namespace, case_view, earlier, later)
        cases += asked(case_view, earlier, later)
    file = folder / "cases.json"
    file.write_text(json.dumps({"cases": cases}), "utf-8")
    return Published(namespace, cases, file)


def snapshot(cases: tuple[Case, ...], tick: datetime) -> Rows:
    """What the oracle says of the entities of all cases of a view."""
    cutoff = tick + cases[0].view.truth.data_delay
    return {
        (case.number, *key): values
        for case in cases
        for key, values in oracle.snapshot(case.view.truth, case.source, tick, cutoff).items()
    }


def publish_twice(
    redis_url: str, folder: Path, namespace: str, case_view: CaseView, earlier: Rows, later: Rows
) -> None:
    view = replace(definition(case_view), max_staleness=None)
    keys = (ARROW["int"], *(ARROW[KEY_KINDS[name]] for name in case_view.truth.keys))
    place = folder / case_view.name
    place.mkdir()
    stage = Stage(redis_url, place, view, keys, namespace, keeps=True)
    for days, rows in ((3, earlier), (2, later)):
        stage.publish_rows([(*key, *values) for key, values in rows.items()], ago(days=days))
    stage.close()


def asked(case_view: CaseView, earlier: Rows, later: Rows) -> Iterator[dict[str, Any]]:
    """Everybody who is or was there, and somebody who never was."""
    view = definition(case_view)
    absent = oracle.absent_row(case_view.truth)
    everybody = [*{**earlier, **later}]
    strangers = [(-1, *key[1:]) for key in everybody[:1]]
    entities = [*everybody, *strangers]
    yield {
        "name": f"{view.name}, {len(everybody)} entities, {len(earlier.keys() - later.keys())} gone",
        "features": [f"{view.name}:{field}" for field in view.fields],
        "entities": [dict(zip(view.join_keys, key, strict=True)) for key in entities],
        "rows": [tagged_row(view, later.get(key, absent)) for key in entities],
    }


def tagged_row(view: FeatureView, values: Values) -> dict[str, Any]:
    named = zip(view.schema, values, strict=True)
    return {f"{view.name}__{field.name}": tagged(field.dtype, value) for field, value in named}


def tagged(dtype: DType, value: Any) -> Any:
    """A value as a case has it."""
    if value is None:
        return None
    if dtype.element is not None:
        return [tagged(dtype.element, item) for item in value]
    if dtype.name in ("float32", "float64"):
        return dict([float_bits(dtype.name, value)])
    return {"timestamp": to_micros(value)} if dtype.name == "timestamp" else value
