"""Spark's analyzed plans as text: what a function of DataFrames does, before anything is computed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pyspark.sql import DataFrame

from skewless.plan import functions

# The text is the same over Connect and in process; it must not leave out the ends of long lists.
_WIDTH = "spark.sql.debug.maxToStringFields"
_ANALYZED = re.compile(r"== Analyzed Logical Plan ==\n.*?\n(?P<plan>.*?)\n\n?== Optimized", re.DOTALL)
_NODE = re.compile(r"(?P<tree>[ :]*(?:[:+]- )?)'?(?P<name>\w+)")
_CALL = re.compile(r"\b([a-z_][a-z0-9_]*)\(")
_AS_TIME = re.compile(r"cast\(([^()]*) as (?:date|timestamp\w*)\)")

_ALLOWED = ("Project", "Filter", "Generate", "SubqueryAlias")
_ADVICE = {
    "Window": "a window function, which reads other rows; use an aggregate from agg with its window=",
    "Aggregate": "an aggregate, which reads many rows; use one from agg with its window=",
    "Distinct": "DISTINCT, which reads many rows; use event_id= of the source for rows told twice",
    "Deduplicate": "distinct() or dropDuplicates(), which reads many rows; use event_id= for rows told twice",
    "Join": "a join or a subquery; a view has one source: join where its table is written",
    "Union": "a union; a view has one source: bring the rows together where its table is written",
    "Sort": "a sort, which has no meaning here; drop it",
    "GlobalLimit": "a limit, which looks at many rows; filter by the row's own columns",
    "Sample": "a sample, which differs each time; filter e.g. by xxhash64 of the row's columns",
}


class Refused(Exception):
    """A plan that does more than look at one row; the message says what, and what to do instead."""


def analyzed(frame: DataFrame) -> list[str]:
    """The lines of a frame's analyzed plan: the last step first, one line a step."""
    with _wide(frame.sparkSession):
        text = _explained(frame)
    found = _ANALYZED.search(text)
    if found is None:
        raise Refused(f"has a plan that cannot be read: {text[:200]}")
    return found["plan"].splitlines()


def _explained(frame: Any) -> str:
    if hasattr(frame, "_explain_string"):
        return str(frame._explain_string(extended=True))
    return str(frame._sc._jvm.PythonSQLUtils.explainString(frame._jdf.queryExecution(), "extended"))


@contextmanager
def _wide(spark: Any) -> Iterator[None]:
    before = spark.conf.get(_WIDTH)
    spark.conf.set(_WIDTH, str(2**31 - 1))
    try:
        yield
    finally:
        spark.conf.set(_WIDTH, before)


def demand_rowwise(frame: DataFrame, lines: Sequence[str], marker: str) -> list[str]:
    """Give the lines above the one that filters by the marker; Refused where one looks at more than a row.

    marker  a text of a filter that always holds, by which the rows that a function was given are told
    """
    above: list[str] = []
    for line in lines:
        if line.strip(" :+-") == f"Filter ({marker} = {marker})":
            break
        _demand_allowed(line)
        above.append(line)
    else:
        raise Refused("does not read the rows that it is given")
    if not _deterministic(frame, len(above)):
        raise Refused(
            "calls a Python function that is declared nondeterministic; use one that always gives the same"
        )
    return above


def _demand_allowed(line: str) -> None:
    node = _NODE.match(line)
    name = "Join" if node and ":" in node["tree"] else node["name"] if node else line
    if name not in _ALLOWED:
        what = _ADVICE.get(
            name, f"{name}, which is no projection, filter or generator over the source's rows"
        )
        raise Refused(f"has {what}")
    for problem in _calls(line):
        raise Refused(problem)


def _calls(line: str) -> Iterator[str]:
    for name in _CALL.findall(line):
        if name in functions.CLOCK | functions.SURROUNDINGS | functions.RANDOM:
            yield str(functions.advice(name))
    for text in _AS_TIME.findall(line):
        if functions.CLOCK_WORD.fullmatch(text):
            yield functions.of_clock(f"has {text.strip()!r}")


def _deterministic(frame: Any, steps: int) -> bool:
    """Whether no Python function in the last steps is declared nondeterministic, which the text does not tell."""
    if hasattr(frame, "_plan"):
        return all(_declared(frame._plan.to_proto(frame.sparkSession.client)))
    node = frame._jdf.queryExecution().analyzed()
    for _ in range(steps):
        if not node.deterministic():
            return False
        node = node.children().apply(0)
    return True


def _declared(message: Any) -> Iterator[bool]:
    """What the Python functions in a message of Connect's protocol declare."""
    if message.DESCRIPTOR.name == "CommonInlineUserDefinedFunction":
        yield message.deterministic
    for _, value in message.ListFields():
        for item in value if hasattr(value, "__len__") and not isinstance(value, str | bytes) else [value]:
            if hasattr(item, "ListFields"):
                yield from _declared(item)
