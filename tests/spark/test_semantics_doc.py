"""Every worked example of docs/semantics.md, asked of the engine and compared bit by bit.

All examples are in one warehouse, and those of a view in one job. Each has days and keys of its own: its times are
moved by whole days, and its keys begin with its number.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pyspark.sql import SparkSession

from skewless import FeatureView
from skewless.ledger.events import Event, Kind
from skewless.offline.failures import explained
from skewless.plan.fingerprint import fingerprint
from skewless.plan.repo import Repo
from skewless.plan.uris import feature_table, under
from skewless.settings import Settings
from skewless.store import FeatureStore
from skewless.timeline import FixedClock, utc
from skewless.workspace import Workspace
from tests.documents import SEMANTICS, Example, Row, read_examples, run_python
from tests.oracle import bits

PAGE = read_examples(SEMANTICS)
ERRORS = [place for place, example in enumerate(PAGE.examples) if "error" in example.asked[0].cells]
ASKED = sorted({(e.view, e.as_of) for place, e in enumerate(PAGE.examples) if place not in ERRORS})
TODAY, APART = datetime(2013, 7, 2, tzinfo=UTC), timedelta(days=3)
NOW = TODAY + APART * (len(PAGE.examples) + 1)
INSTANT = pa.timestamp("us", tz="UTC")
ARROW = {"string": pa.string(), "double": pa.float64(), "bigint": pa.int64(), "timestamp": INSTANT}


# -- cells ------------------------------------------------------------------------------------------------


def instant(cell: str, place: int) -> datetime | None:
    """`09:30`, `1 Jul 09:30:00.5`, moved to the example's days; `2100-01-01 00:00` as it stands; `null`."""
    if cell == "null":
        return None
    if re.match(r"\d{4}-", cell):
        return utc(datetime.fromisoformat(cell))
    day, time = re.fullmatch(r"(?:(\d+) Jul )?([\d:.]+)", cell).groups()
    moved = datetime.fromisoformat(f"2013-07-{int(day or TODAY.day):02}T{time}+00:00")
    return moved + APART * place


def value(cell: str, kind: pa.DataType, place: int) -> Any:
    """A cell as a value; a string that an example may share with another gets the example's number."""
    if cell == "null":
        return None
    if kind == INSTANT:
        return instant(cell, place)
    if pa.types.is_list(kind):
        return [value(item, kind.value_type, place) for item in re.findall(r"[^\[\], ]+", cell)]
    return float(cell) if pa.types.is_floating(kind) else int(cell) if pa.types.is_integer(kind) else cell


def own(cell: str, place: int) -> str | None:
    return None if cell == "null" else f"{place}:{cell}"


def source_value(column: str, row: Row, place: int) -> Any:
    cell = row.cells.get(column, "null")
    mine = column in ("customer", "sale")
    return own(cell, place) if mine else value(cell, ARROW[PAGE.columns[column]], place)


# -- the warehouse ----------------------------------------------------------------------------------------


class Warehouse:
    """The examples in Delta tables: one source, and per view its revisions and its ledger."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.views: dict[str, FeatureView] = {
            name: view for name, view in run_python(SEMANTICS).items() if isinstance(view, FeatureView)
        }
        self.views = {example.view: self.views[example.view] for example in PAGE.examples}
        self.clock = FixedClock(TODAY)
        repo = Repo(self.views, {}, {}, {}, {})
        self.workspace = Workspace(settings.model_copy(update={"warehouse": str(folder)}), repo, self.clock)
        self.store = FeatureStore.of(self.workspace)
        schema = pa.schema([(name, ARROW[kind]) for name, kind in PAGE.columns.items()])
        rows = [
            {name: source_value(name, row, place) for name in PAGE.columns}
            for place, example in enumerate(PAGE.examples)
            for row in example.source
        ]
        write_deltalake(under(str(folder), "sources/sales"), pa.Table.from_pylist(rows, schema=schema))
        for place, example in enumerate(PAGE.examples):
            self.tell(example, place)
        for view in self.views.values():
            self.write_stored(view)
        self.clock.at = NOW

    def tell(self, example: Example, place: int) -> None:
        """Enter the example's events, each when the page says that it was recorded."""
        view = self.views[example.view]
        for row in example.ledger:
            self.clock.at = instant(row.cells["recorded"], place)
            event = Event(
                kind=Kind(row.cells["kind"]),
                snapshot_time=instant(row.cells["snapshot"], place),
                revision=own(row.cells["revision"], place),
                usable_from=instant(row.cells.get("usable_from", "null"), place),
                fingerprint="0" * 64 if row.cells.get("fingerprint") == "another" else fingerprint(view),
            )
            self.workspace.ledger(view).append(event)

    def write_stored(self, view: FeatureView) -> None:
        """Write what the view's revisions hold."""
        keys = [(key, pa.string()) for key in view.join_keys]
        fields = [(item.name, item.dtype.arrow()) for item in view.schema]
        schema = pa.schema([*keys, ("_snapshot_time", INSTANT), ("_revision", pa.string()), *fields])
        rows = [
            {
                "customer": own(row.cells["customer"], place),
                "_snapshot_time": instant(snapshot_of(example, row.cells["revision"]), place),
                "_revision": own(row.cells["revision"], place),
                **{name: value(row.cells[name], kind, place) for name, kind in fields},
            }
            for place, example in enumerate(PAGE.examples)
            if example.view == view.name
            for row in example.stored
        ]
        if rows:
            uri = feature_table(self.workspace.settings.warehouse, view.name, fingerprint(view))
            write_deltalake(uri, pa.Table.from_pylist(rows, schema=schema), partition_by=["_revision"])

    def ask(self, examples: dict[int, Example], as_of: str, view: str) -> pa.Table:
        """Ask for all fields of the view at every row of the examples; other columns of theirs come along."""
        extra = sorted({name for e in examples.values() for name in e.asked[0].cells if "__" in name})
        rows = [
            {
                "line": row.line,
                "asked": instant(row.cells["asked"], place),
                "customer": own(row.cells["customer"], place),
                "shop": value(row.cells.get("shop", "null"), pa.string(), place),
                **{name: row.cells[name] for name in extra},
            }
            for place, example in examples.items()
            for row in example.asked
        ]
        strings = [(name, pa.string()) for name in ("customer", "shop", *extra)]
        schema = pa.schema([("line", pa.int64()), ("asked", INSTANT), *strings])
        spine = self.store.spark.createDataFrame(pa.Table.from_pylist(rows, schema=schema))
        joined = self.store.get_historical_features(
            spine, [self.views[view]], as_of=as_of, explain=True, timestamp_field="asked"
        )
        assert joined.columns[: len(schema)] == schema.names
        with explained("asking"):
            return joined.toArrow()


def snapshot_of(example: Example, revision: str) -> str:
    """The snapshot that the ledger says a revision is of."""
    built = (row.cells for row in example.ledger if row.cells["kind"] == "built")
    return next((cells["snapshot"] for cells in built if cells["revision"] == revision), "null")


@pytest.fixture(scope="module")
def warehouse(services: Settings, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    return Warehouse(services, tmp_path_factory.mktemp("semantics"))


# -- the examples -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("view", "as_of"), ASKED, ids=[f"{view}-{as_of}" for view, as_of in ASKED])
def test_every_answer_of_the_page_is_the_engines(view: str, as_of: str, warehouse: Warehouse) -> None:
    examples = {
        place: example
        for place, example in enumerate(PAGE.examples)
        if (example.view, example.as_of) == (view, as_of) and place not in ERRORS
    }
    answers = warehouse.ask(examples, as_of, view).to_pylist()
    asked = {row.line for example in examples.values() for row in example.asked}
    assert sorted(answer["line"] for answer in answers) == sorted(asked)
    by_line = {answer["line"]: answer for answer in answers}
    wrong = [
        line
        for place, example in examples.items()
        for row in example.asked
        for line in differences(row, by_line[row.line], warehouse.views[view], place)
    ]
    assert not wrong, "\n".join(wrong)


def differences(row: Row, answer: dict[str, Any], view: FeatureView, place: int) -> list[str]:
    """What the page says of one row, and the engine does not."""
    wrong = []
    for name, cell in row.cells.items():
        if name in ("asked", *view.join_keys):
            continue
        if name == "snapshot":
            said, found = instant(cell, 0), utc(answer[f"{view.name}__snapshot_time"]) - APART * place
        elif name == "how":
            said, found = cell, answer[f"{view.name}__how"]
        else:
            said = value(cell, view.fields[name].dtype.arrow(), place)
            found = answer[f"{view.name}__{name}"]
        if bits(said) != bits(found):
            wrong.append(f"{SEMANTICS.name}:{row.line}: {name} is {cell} on the page, {found} in the engine")
    return wrong


@pytest.mark.parametrize("place", ERRORS, ids=[PAGE.examples[place].title for place in ERRORS])
def test_every_error_of_the_page_is_raised(place: int, warehouse: Warehouse) -> None:
    example = PAGE.examples[place]
    (row,) = example.asked
    with pytest.raises(Exception, match=re.escape(row.cells["error"])):
        warehouse.ask({place: example}, example.as_of, example.view)


def test_the_page_has_examples_for_every_part() -> None:
    assert len(PAGE.examples) >= 40
    assert sum(len(example.asked) for example in PAGE.examples) >= 120
    assert {"scheduled", "event", "published"} == {example.as_of for example in PAGE.examples}
