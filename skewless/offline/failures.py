"""Spark's failures in our words: what a user can cause gets a message, not a stack of two languages."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.errors import PySparkException
from pyspark.logger import PySparkLogger

from skewless.errors import DataError, SetupError, SkewlessError, first_line

_OURS = re.compile(r"skewless\.errors\.(?:Data|Usage)Error: (?P<message>[^\n]*)")
_UNREADABLE = re.compile(
    r"(?:FAILED_READ_FILE|CANNOT_READ_FILE_FOOTER|is not a Parquet file|DELTA_FILE_NOT_FOUND|FileNotFoundException)"
)
_GONE = re.compile(r"\[PATH_NOT_FOUND\] Path does not exist: (?P<path>.+?)\. SQLSTATE")
_ARITHMETIC = re.compile(r"\[(?:CAST_OVERFLOW|ARITHMETIC_OVERFLOW|CAST_INVALID_INPUT|DIVIDE_BY_ZERO)[^\n]*")
_FILE = re.compile(r"(?:file:|s3a?://|abfss?://|gs://)[^\s'\",)]+[^\s'\",).]")
_IN_PYTHON = re.compile(r"^\s*((?:\w+\.)*\w+(?:Error|Exception): [^\n]+)", re.MULTILINE)
_AWAY = re.compile(r"UNAVAILABLE|failed to connect|Connection refused|INVALID_HANDLE\.SESSION")


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Turn Spark's exceptions into errors of ours that say what was being done, e.g. `building v at T`.

    DataError where data or a definition is at fault, SetupError where no server answers; else Spark's own goes on.
    """
    silence_query_logs()
    try:
        yield
    except SkewlessError:
        raise
    except PySparkException as error:
        raise _translated(doing, str(error)) from error


def silence_query_logs() -> None:
    """PySpark prints every refused query with the server's stack, besides raising it; the exception is enough."""
    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        PySparkLogger.getLogger(name).setLevel(logging.CRITICAL + 1)


def _translated(doing: str, text: str) -> SkewlessError:
    if ours := _OURS.search(text):
        return DataError(f"{doing}: {ours['message']}")
    if _UNREADABLE.search(text):
        file = _FILE.search(text)
        return DataError(
            f"{doing}: a data file cannot be read{f' ({file[0]})' if file else ''}; restore it, or rewrite the table"
        )
    if gone := _GONE.search(text):
        return DataError(f"{doing}: there is no table at {gone['path']}; restore it, or build it again")
    if arithmetic := _ARITHMETIC.search(text):
        return DataError(f"{doing}: a value does not fit: {arithmetic[0]}")
    if _AWAY.search(text):
        return SetupError(
            f"{doing}: no Spark server answers; start it with `skewless up`, or correct the setting `spark`"
        )
    causes = _IN_PYTHON.findall(text.partition("JVM stacktrace")[0]) if "Python worker" in text else []
    return DataError(f"{doing}: Spark failed: {causes[-1] if causes else first_line(Exception(text))}")
