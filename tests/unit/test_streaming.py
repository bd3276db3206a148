"""Rows of one revision as the files of a Delta table have them, whatever else lies beside them."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from pyarrow.dataset import Dataset

from skewless.offline.streaming import stream

REVISIONS = ("a", "b", "c")


def table(revision: str, rows: range) -> pa.Table:
    """Rows that tell which revision they are of; some values are null."""
    columns: dict[str, Any] = {
        "user": list(rows),
        "text": [None if number % 5 == 0 else f"{revision}{number}" for number in rows],
        "list": [[number, None] for number in rows],
        "at": pa.array([number * 1_000_003 for number in rows], pa.timestamp("us", tz="UTC")),
        "_revision": [revision] * len(rows),
    }
    return pa.table(columns)


def read(dataset: Dataset, revision: str) -> pa.Table:
    schema = pa.schema([dataset.schema.field(name) for name in ALL])
    return pa.Table.from_batches(stream(dataset, ALL, ("_revision", revision)), schema)


def delta(uri: Path) -> Dataset:
    return DeltaTable(str(uri)).to_pyarrow_dataset()


ALL = ("list", "at", "text", "user")


@pytest.mark.parametrize("partition_by", [None, ["_revision"]])
def test_every_revision_is_read_as_it_was_written(tmp_path: Path, partition_by: list[str] | None) -> None:
    for revision, rows in itertools.product(REVISIONS, (range(300), range(300, 50_000))):
        write_deltalake(str(tmp_path), table(revision, rows), mode="append", partition_by=partition_by)
    for revision in REVISIONS:
        found = read(delta(tmp_path), revision).sort_by("user")
        assert found.to_pylist() == table(revision, range(50_000)).select(ALL).to_pylist()
    assert read(delta(tmp_path), "d").num_rows == 0


def test_revisions_that_share_files_and_groups_of_rows_are_told_apart(tmp_path: Path) -> None:
    both = pa.concat_tables([table(revision, range(100)) for revision in REVISIONS])
    mixed = both.take(pa.array([number * 7 % 300 for number in range(300)]))
    write_deltalake(str(tmp_path), mixed)
    for revision in REVISIONS:
        assert read(delta(tmp_path), revision).sort_by("user").to_pylist() == (
            table(revision, range(100)).select(ALL).to_pylist()
        )


@pytest.mark.parametrize("old_times", [False, True])
def test_a_file_of_other_types_is_read_in_the_tables(tmp_path: Path, old_times: bool) -> None:
    """Writers differ: texts may be large or in dictionaries, times the old INT96."""
    rows = table("a", range(10))
    large = rows["text"].cast(pa.large_string())
    for text in (rows["text"], large, large.dictionary_encode()):
        written = rows.set_column(1, "text", text)
        pq.write_table(written, tmp_path / "file.parquet", use_deprecated_int96_timestamps=old_times)
        assert read(ds.dataset(tmp_path, schema=rows.schema), "a") == rows.select(ALL)


def test_a_group_of_rows_is_never_whole_in_memory(tmp_path: Path) -> None:
    rows = 100_000
    file = tmp_path / "file.parquet"
    pq.write_table(table("a", range(rows)).set_column(1, "text", [["text" * 500] * rows]), file)
    assert pq.ParquetFile(file).num_row_groups == 1
    before, most = pa.total_allocated_bytes(), 0
    for batch in stream(ds.dataset(file), ALL, ("_revision", "a")):
        assert len(batch) <= 20_000
        most = max(most, pa.total_allocated_bytes() - before)
    assert 20_000 * 2000 < most < rows * 2000


def test_batches_have_few_rows_where_one_may_be_large(tmp_path: Path) -> None:
    count = 60_000
    texts = {"a.b": ["text"] * count, "n": [*range(count)]}
    wide = {f"f{number}": np.zeros(count) for number in range(200)}
    for columns, most in ((texts, 20_000), (wide, 48_000_000 // (200 * 8))):
        pq.write_table(pa.table({**columns, "_revision": ["a"] * count}), tmp_path / "file.parquet")
        sizes = [
            len(batch)
            for batch in stream(ds.dataset(tmp_path / "file.parquet"), [*columns], ("_revision", "a"))
        ]
        assert (sum(sizes), max(sizes)) == (count, most)


def test_groups_of_rows_of_other_revisions_are_not_read(tmp_path: Path) -> None:
    file = tmp_path / "file.parquet"
    both = pa.concat_tables([table("a", range(1000)), table("b", range(1000))])
    pq.write_table(both, file, row_group_size=1000)
    second = pq.ParquetFile(file).metadata.row_group(1)
    places = [second.column(number) for number in range(second.num_columns)]
    content = bytearray(file.read_bytes())
    for place in places:
        start = place.dictionary_page_offset or place.data_page_offset
        content[start : start + place.total_compressed_size] = b"\xff" * place.total_compressed_size
    file.write_bytes(content)
    assert read(ds.dataset(file), "a").num_rows == 1000
    with pytest.raises(OSError, match="Deserializing page header failed"):
        read(ds.dataset(file), "b")
