"""The Python readers answer the golden cases: as rows, as columns, as arrays, with threads and with asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import numpy as np
import pytest

from skewless import types
from skewless.errors import NotPublishedError, OnlineError, UsageError
from skewless.online.answer import Answer
from skewless.online.reader import AsyncOnlineReader, OnlineReader
from skewless.timeline import to_micros
from skewless.types import DType
from tests.clients.golden import CASES, NAMESPACE, entities_of, float_bits, load_store, rows_of
from tests.golden_store import ALL

ERRORS = {"usage": UsageError, "not_published": NotPublishedError, "unreadable": OnlineError}
RIGHT = [case for case in CASES if "rows" in case]
WRONG = [case for case in CASES if "error" in case]
DTYPES = {name: types.parse(dtype) for name, dtype in ALL.items()} | {
    "place": types.Int64,
    "price": types.Float64,
    "seats": types.Int32,
    "score": types.Float32,
}


@pytest.fixture(scope="module")
def reader(redis_url: str) -> Iterator[OnlineReader]:
    load_store(redis_url)
    made = OnlineReader(redis_url, NAMESPACE)
    yield made
    made.close()


def told(name: str, value: Any) -> Any:
    """A Python value as a case has it."""
    return _told(DTYPES[name.partition("__")[2]], value)


def _told(dtype: DType, value: Any) -> Any:
    if value is None:
        return None
    if dtype.element is not None:
        return [_told(dtype.element, item) for item in value]
    if dtype.name in ("float32", "float64"):
        assert isinstance(value, float)
        return float_bits(dtype.name, value)
    if dtype.name == "timestamp":
        assert isinstance(value, datetime)
        return "timestamp", to_micros(value)
    return ("bytes", value.hex()) if dtype.name == "bytes" else value


def told_rows(case: dict[str, Any], answer: Answer) -> list[dict[str, Any]]:
    names = [name for part in answer.parts for name in part.names]
    assert not case["rows"] or list(case["rows"][0]) == names
    return [{name: told(name, row[name]) for name in names} for row in answer.rows]


@pytest.mark.parametrize("case", RIGHT, ids=lambda case: case["name"])
def test_rows_and_columns_are_as_told(case: dict[str, Any], reader: OnlineReader) -> None:
    expected = rows_of(case)
    assert told_rows(case, reader.read(case["features"], entities_of(case))) == expected
    answer = reader.read(case["features"], entities_of(case))  # which is known by now
    assert told_rows(case, answer) == expected
    for name, column in answer.columns.items():
        assert [told(name, value) for value in column] == [row[name] for row in expected]
    for view, served in case.get("views", {}).items():
        found = answer.views[view]
        assert (found.generation, to_micros(found.snapshot_time), found.state) == (*served.values(),)


@pytest.mark.parametrize("case", RIGHT, ids=lambda case: case["name"])
def test_arrays_are_as_told(case: dict[str, Any], reader: OnlineReader) -> None:
    answer = reader.read(case["features"], entities_of(case))
    for name, array in answer.numpy().items():
        assert list(map(packed, array)) == [as_array_has(name, row[name]) for row in rows_of(case)]
        assert array.dtype == numpy_dtype(DTYPES[name.partition("__")[2]])


def packed(value: Any) -> Any:
    """What a numpy array gives, so that it can be compared exactly."""
    if value is np.ma.masked:
        return None
    if isinstance(value, np.floating):
        return float_bits(value.dtype.name, float(value))
    if isinstance(value, np.datetime64):
        return "timestamp", value.astype("i8").item()
    if isinstance(value, np.generic):
        return value.item()
    return value if not isinstance(value, list) else "a list"


NULLS = {
    "float32": ("float32", "7fc00000"),
    "float64": ("float64", "7ff8000000000000"),
    "timestamp": ("timestamp", np.datetime64("NaT").astype("i8").item()),
}


def as_array_has(name: str, value: Any) -> Any:
    if value is None:
        return NULLS.get(DTYPES[name.partition("__")[2]].name)
    if isinstance(value, list):
        return "a list"
    return bytes.fromhex(value[1]) if isinstance(value, tuple) and value[0] == "bytes" else value


def numpy_dtype(dtype: DType) -> np.dtype[Any]:
    named = {
        "bool": "?",
        "timestamp": "M8[us]",
        "int32": "i4",
        "int64": "i8",
        "float32": "f4",
        "float64": "f8",
    }
    return np.dtype(named.get(dtype.name, object))


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case["name"])
def test_what_is_wrong_is_told(case: dict[str, Any], reader: OnlineReader) -> None:
    for _ in range(2):
        with pytest.raises(ERRORS[case["error"]]) as told:
            _ = reader.read(case["features"], entities_of(case)).rows
    assert told.type is ERRORS[case["error"]]
    assert all(text in str(told.value) for text in case["mentions"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_asyncio_answers_the_same(case: dict[str, Any], reader: OnlineReader, redis_url: str) -> None:
    async def ask() -> Answer:
        other = AsyncOnlineReader(redis_url, NAMESPACE)
        try:
            return await other.read(case["features"], entities_of(case))
        finally:
            await other.close()

    if "rows" in case:
        assert told_rows(case, asyncio.run(ask())) == rows_of(case)
    else:
        with pytest.raises(ERRORS[case["error"]]):
            _ = asyncio.run(ask()).rows
