"""Load the example sources into a warehouse: `python -m examples.load --help`.

All tables of one warehouse share one shift in time, chosen at the first load and kept in
`sources/_shift.json`. Each table is one Delta commit: either complete, or not there. So a load may be
killed at any point and run again, and finds what is complete.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from time import monotonic

import pandas as pd
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError

from examples import flights, transactions, weather
from skewless.errors import DataError, SkewlessError, UsageError, did_you_mean, first_line
from skewless.settings import load_settings
from skewless.timeline import after, format_instant, parse_instant, utc

MIDDLE_OF_DATA = datetime(2013, 7, 2, 17, tzinfo=UTC)
END_OF_DATA = datetime(2014, 1, 1, 5, tzinfo=UTC)
WEEK = timedelta(weeks=1)
SHIFT_FILE = "_shift.json"


@dataclass(frozen=True, slots=True)
class Shift:
    """How far the year 2013 was moved, in whole weeks, and the hour around which it was done."""

    weeks: int
    anchor: datetime

    @classmethod
    def around(cls, now: datetime) -> Shift:
        """The shift that brings the middle of the year's data nearest to now."""
        anchor = utc(now).replace(minute=0, second=0, microsecond=0)
        return cls(round((anchor - MIDDLE_OF_DATA) / WEEK), anchor)

    @property
    def duration(self) -> timedelta:
        """What is added to every instant of 2013."""
        return self.weeks * WEEK

    @property
    def end(self) -> datetime:
        """When the moved year's flights end."""
        return END_OF_DATA + self.duration

    def to_json(self) -> str:
        """The text of the shift file."""
        return json.dumps({"weeks": self.weeks, "anchor": format_instant(self.anchor)}) + "\n"

    @classmethod
    def read(cls, path: Path) -> Shift:
        """Read the shift file; DataError where it is not one."""
        try:
            kept = json.loads(path.read_text("utf-8"))
            return cls(int(kept["weeks"]), parse_instant(kept["anchor"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path} does not say how the example data were moved ({error}); "
                f"remove the example tables in {path.parent} and load again"
            ) from error


@dataclass(frozen=True, slots=True)
class Loaded:
    """One table after a load; `written` is false where it was there already."""

    name: str
    path: str
    rows: int
    written: bool


Progress = Callable[[str], None]
Make = Callable[[Shift], pd.DataFrame]


def load(
    warehouse: str | Path, *, now: datetime, names: Sequence[str] = (), progress: Progress = lambda _: None
) -> tuple[Loaded, ...]:
    """Write the example sources that the warehouse lacks, and say what is there.

    warehouse  a local folder
    now        decides the shift at the first load; later ones keep what was chosen
    names      the tables to load; none means all
    progress   is told, line by line, what happens

    Raises UsageError for a warehouse that is no folder here or a table that is none of these, DataError where
    a table or the shift file is not what this loader writes; tables that are there stay as they are.
    """
    folder = _folder(warehouse) / "sources"
    if unknown := [name for name in names if name not in TABLES]:
        hint = did_you_mean(unknown[0], TABLES)
        raise UsageError(f"there is no example table {unknown[0]!r}{hint}; there are {', '.join(TABLES)}")
    folder.mkdir(parents=True, exist_ok=True)
    shift = kept_shift(folder, now)
    progress(f"example data: 2013 moved by {shift.weeks} weeks, kept in {folder / SHIFT_FILE}")
    if after(now, shift.end):
        progress(f"  note: the flights end at {format_instant(shift.end)}; remove {folder} to move them anew")
    return tuple(_ensure(folder, name, shift, progress) for name in names or TABLES)


TABLES: dict[str, tuple[Make, pa.Schema]] = {
    "departures": (lambda shift: flights.departures(shift.duration), flights.DEPARTURES),
    "arrivals": (lambda shift: flights.arrivals(shift.duration), flights.ARRIVALS),
    "weather": (lambda shift: weather.weather(shift.duration), weather.WEATHER),
    "flights_spine": (lambda shift: flights.flights_spine(shift.duration), flights.SPINE),
    "transactions": (lambda shift: transactions.transactions(shift.anchor), transactions.TRANSACTIONS),
    "labels": (lambda shift: transactions.labels(shift.anchor), transactions.LABELS),
}


def kept_shift(folder: Path, now: datetime) -> Shift:
    """Read the folder's shift; at the first load choose and keep it, before any table is written."""
    path = folder / SHIFT_FILE
    if not path.exists():
        draft = path.with_name(f"{SHIFT_FILE}.{os.getpid()}")
        draft.write_text(Shift.around(now).to_json(), "utf-8")
        draft.replace(path)
    return Shift.read(path)


def _ensure(folder: Path, name: str, shift: Shift, progress: Progress) -> Loaded:
    path, mark = str(folder / name), f"skewless example {name}: {shift.to_json().strip()}"
    if DeltaTable.is_deltatable(path):
        rows = _rows_of(path, mark)
        progress(f"  {name}: {rows:,} rows, there already")
        return Loaded(name, path, rows, written=False)
    started = monotonic()
    make, schema = TABLES[name]
    table = pa.Table.from_pandas(make(shift), schema=schema, preserve_index=False)
    write_deltalake(path, table, mode="error", description=mark)
    progress(f"  {name}: {table.num_rows:,} rows written in {monotonic() - started:.1f} s")
    return Loaded(name, path, table.num_rows, written=True)


def _rows_of(path: str, mark: str) -> int:
    try:
        table = DeltaTable(path)
        found = table.metadata().description
        rows = int(table.count())
    except DeltaError as error:
        raise DataError(
            f"the Delta table {path} cannot be read ({first_line(error)}); remove it and load again"
        ) from error
    if found != mark:
        raise DataError(
            f"the table {path} is not the one that this loader writes for its {SHIFT_FILE} "
            f"(its description is {found!r}); remove it, or load into another warehouse"
        )
    return rows


def _folder(warehouse: str | Path) -> Path:
    if "://" in str(warehouse):
        raise UsageError(
            f"the example data are written to a local folder, not to {warehouse}; give --warehouse FOLDER"
        )
    folder = Path(warehouse)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"the warehouse {folder} is not a folder; give --warehouse FOLDER")
    return folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, print; exit codes as everywhere: 1 failure, 2 misuse."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.load",
        description="Write the example sources (flights, weather, transactions) that a warehouse lacks.",
        epilog="example: python -m examples.load --warehouse .skewless/warehouse",
    )
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=f"default: all of {', '.join(TABLES)}")
    parser.add_argument("--warehouse", help="a local folder (default: the setting `warehouse`)")
    parser.add_argument(
        "--now", help="the instant to move the data around, e.g. 2030-01-01T00:00Z (default: now)"
    )
    parser.add_argument("--json", action="store_true", help="print what is there as JSON")
    asked = parser.parse_args(arguments)
    say: Progress = partial(print, file=sys.stderr, flush=True)
    try:
        settings = load_settings()
        now = _instant(asked.now) if asked.now else settings.now or datetime.now(UTC)
        loaded = load(asked.warehouse or settings.warehouse, now=now, names=asked.tables, progress=say)
    except SkewlessError as error:
        say(str(error))
        return error.exit_code
    if asked.json:
        print(json.dumps([asdict(table) for table in loaded], indent=2))
    return 0


def _instant(text: str) -> datetime:
    try:
        return parse_instant(text)
    except ValueError as error:
        raise UsageError(f"--now: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
