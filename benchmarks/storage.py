"""Data sets on disk: made once, into Delta tables, and kept until what describes them changes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

ROOT = Path(__file__).parents[1]
HOME = ROOT / ".skewless" / "bench"
FILE_ROWS = 1_250_000  # about 50 MB, as a table that is looked after has them


def once(folder: Path, part: str, description: Mapping[str, Any], make: Callable[[], None]) -> None:
    """Make a part of a data set unless it is there already with this description."""
    stamp = folder / f"{part}.json"
    wanted = json.dumps(description, sort_keys=True)
    if stamp.is_file() and stamp.read_text("utf-8") == wanted:
        return
    stamp.unlink(missing_ok=True)
    make()
    stamp.write_text(wanted, "utf-8")


def write_table(path: Path, tables: Iterable[pa.Table], **options: Any) -> None:
    """Write a Delta table anew, in files of about FILE_ROWS rows."""
    shutil.rmtree(path, ignore_errors=True)
    gathered: list[pa.Table] = []
    for table in tables:
        gathered.append(table)
        if sum(map(len, gathered)) >= FILE_ROWS:
            write_deltalake(str(path), pa.concat_tables(gathered), mode="append", **options)
            gathered = []
    if gathered:
        write_deltalake(str(path), pa.concat_tables(gathered), mode="append", **options)


def linked_copy(table: Path, copy: Path) -> None:
    """A copy of Delta tables that shares their data files, which nobody changes; their logs are its own."""

    def link(source: str, target: str) -> None:
        if "_delta_log" in source:
            shutil.copy2(source, target)
        else:
            Path(target).hardlink_to(source)

    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(table, copy, copy_function=link)
