"""A view bound to its source: SQL checked against real columns, and the rows prepared for the kernel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from skewless.agg import Aggregate
from skewless.errors import DataError, did_you_mean, first_line
from skewless.model import FeatureView, Field
from skewless.model.field import NUMBERS, RECKONED
from skewless.offline.columns import EVENT, KNOWN, SUPERSEDED
from skewless.offline.kernel import Output, Program
from skewless.offline.lifetimes import DELETED, NESTED, deleted, orderable, standing, with_lifetimes
from skewless.offline.rowwise import transformed
from skewless.offline.source import SourceRows, demand_column, quoted
from skewless.plan import sql
from skewless.timeline import MICROSECOND
from skewless.types import DType


@dataclass(frozen=True)
class BoundView:
    """A feature view over the rows of its source."""

    view: FeatureView
    source: SourceRows

    @cached_property
    def facts(self) -> SourceRows:
        """The rows that fields and `where` read: the source's, or what the view's function makes of them."""
        return self._facts_of(self.source)

    def _facts_of(self, source: SourceRows) -> SourceRows:
        """Which version of an event stands is settled before a function sees the rows: it may filter or explode."""
        if self.view.transform is None:
            return source
        told = source.source
        times = (told.timestamp_field, *filter(None, (told.created_timestamp_column,)))
        if not told.event_id:
            return replace(source, rows=transformed(self.view, source.rows, times))
        rows = standing(source).drop(EVENT, KNOWN)
        return replace(source, rows=transformed(self.view, rows, (*times, SUPERSEDED)))

    @cached_property
    def key_types(self) -> dict[str, str]:
        """The Spark type of each join key: string, or bigint for integers of any width."""
        return dict(self._key_types())

    @property
    def row_keys(self) -> tuple[str, ...]:
        """The names of the join keys in the prepared rows."""
        return tuple(f"_sk_k{number}" for number in range(len(self.view.join_keys)))

    def _key_types(self) -> Iterator[tuple[str, str]]:
        for key in self.view.join_keys:
            demand_column(self.facts, key, "join key")
            found = self.facts.types[key]
            if isinstance(found, T.StringType):
                yield key, "string"
            elif isinstance(found, T.IntegralType):
                yield key, "bigint"
            else:
                raise DataError(
                    f"{self._where(key)} is {found.simpleString()}; join keys are strings or integers"
                )

    @cached_property
    def expressions(self) -> dict[str, str]:
        """The prepared columns, by name: each distinct SQL text that a field or a `where` computes of a row."""
        texts = dict.fromkeys(
            text for item in self.view.schema for text in (_guarded(item), item.where) if text is not None
        )
        return {f"_sk_x{number}": text for number, text in enumerate(texts)}

    @cached_property
    def tie_breakers(self) -> dict[str, str]:
        """The source columns that fields and `where` read, by their prepared names, in the order of their names."""
        return {f"_sk_t{number}": name for number, name in enumerate(self._columns_read())}

    def _columns_read(self) -> list[str]:
        actual = {name.lower(): name for name in self.facts.types}
        read: set[str] = set()
        for text in self.expressions.values():
            for problem in sql.problems(text):
                raise DataError(f"{self._where(self._fields_of(text))}: {problem}")
            for column in sql.columns_read(text):
                if column.lower() not in actual:
                    raise DataError(
                        f"{self._where(self._fields_of(text))}: source {self.source.source.name!r} has no column "
                        f"{column!r}{did_you_mean(column, self.facts.types)}; it has {', '.join(self.facts.types)}"
                    )
                read.add(actual[column.lower()])
        return sorted(read)

    @cached_property
    def expression_types(self) -> dict[str, T.DataType]:
        """The Spark types of the prepared columns, as Spark's analysis finds them."""
        try:
            return self._analyzed(self.expressions)
        except AnalysisException:
            for name, text in self.expressions.items():
                self._explain(name, text)
            raise

    def _analyzed(self, expressions: dict[str, str]) -> dict[str, T.DataType]:
        columns = [F.expr(text).alias(name) for name, text in expressions.items()]
        return {item.name: item.dataType for item in self.facts.rows.select(*columns).schema.fields}

    def _explain(self, name: str, text: str) -> None:
        try:
            self._analyzed({name: text})
        except AnalysisException as error:
            fields = self._where(self._fields_of(text))
            raise DataError(f"{fields}: Spark refuses {text!r}: {first_line(error)}") from error

    def _fields_of(self, text: str) -> str:
        """The fields that compute an expression, by name."""
        return ", ".join(item.name for item in self.view.schema if text in (_guarded(item), item.where))

    @cached_property
    def program(self) -> Program:
        """The kernel's part of the view; DataError where a field and its source do not fit."""
        tie_breakers = tuple(
            self.tie_breakers
        )  # first: it finds a missing column, and the one that was meant
        for item in self.view.schema:
            for problem in self._misfits(item):
                raise DataError(f"{self._where(item.name)}: {problem}")
        outputs = tuple(self._output(item) for item in self.view.schema)
        return Program(self.view.join_keys, self.row_keys, tie_breakers, outputs)

    @property
    def results(self) -> dict[str, str]:
        """By the name of a field, the column in which the kernel gives its value."""
        return {item.name: f"_sk_f{number}" for number, item in enumerate(self.view.schema)}

    def _output(self, item: Field) -> Output:
        names = {text: name for name, text in self.expressions.items()}
        span = item.aggregate.window if item.aggregate else self.view.ttl
        return Output(
            name=self.results[item.name],
            function=item.aggregate.function if item.aggregate else None,
            column=names.get(_guarded(item) or ""),
            where=names.get(item.where or ""),
            nulls=item.aggregate.nulls if item.aggregate else "skip",
            reach=None if span is None else span // MICROSECOND,
            n=item.aggregate.n if item.aggregate else None,
            q=item.aggregate.exact_q if item.aggregate else None,
        )

    def natural_type(self, item: Field) -> T.DataType:
        """The Spark type of a field's value before the cast to its dtype."""
        function = item.aggregate.function if item.aggregate else None
        if function in ("count", "count_distinct"):
            return T.LongType()
        if function in ("avg", "stddev", "quantile"):
            return T.DoubleType()
        read = self._type_read(item)
        if function == "sum":
            return T.LongType() if isinstance(read, T.IntegralType) else T.DoubleType()
        return T.ArrayType(read) if function == "last_n" else read

    def _type_read(self, item: Field) -> T.DataType:
        names = {text: name for name, text in self.expressions.items()}
        return self.expression_types[names[_guarded(item) or ""]]

    def _misfits(self, item: Field) -> Iterator[str]:
        types = {text: self.expression_types[name] for name, text in self.expressions.items()}
        if item.where and not isinstance(types[item.where], T.BooleanType):
            yield f"where={item.where!r} gives {types[item.where].simpleString()}, not a boolean"
        if item.aggregate and item.aggregate.column:
            yield from _unsuitable(item.aggregate, self._type_read(item))
        natural, declared = self.natural_type(item), item.dtype.spark
        if natural.simpleString() != declared and not _converts(natural, item.dtype):
            yield (
                f"its value is {natural.simpleString()}, but its dtype {item.dtype} is {declared}; "
                f'change the dtype, or say the conversion: value="CAST(... AS {declared.upper()})"'
            )

    def _where(self, part: str) -> str:
        origin = self.view.origin
        return f"{origin.file}:{origin.line}: feature view {self.view.name!r}: {part}"

    @cached_property
    def copies(self) -> dict[str, str | None]:
        """Prepared columns that need not travel to the kernel: of which one each is a copy; None: it is all null."""
        told, facts = self.source.source, self.facts.types
        words = {name: text for name, text in self.expressions.items() if sql.is_one_word(text)}
        columns = {column.lower(): name for name, text in words.items() for column in sql.columns_read(text)}
        found: dict[str, str | None] = {
            name: columns[column.lower()]
            for name, column in self.tie_breakers.items()
            if column.lower() in columns and not isinstance(facts[column], NESTED)
        }
        if told.created_timestamp_column is None:
            found[KNOWN] = EVENT
        if not told.event_id:
            found[SUPERSEDED] = None
        return found

    def prepared(self, source: SourceRows) -> DataFrame:
        """The rows of the view's source, or some of them, whose event time is known, ready for the kernel.

        Columns: row keys, _sk_event, _sk_known, _sk_superseded (microseconds), the prepared columns.
        """
        program = self.program
        facts, told = self._facts_of(source), source.source
        times = [facts.event.alias(EVENT), facts.known.alias(KNOWN)]
        settled = [F.col(SUPERSEDED)] if self.view.transform and told.event_id else []
        ids = [F.col(quoted(column)).alias(f"_sk_id{n}") for n, column in enumerate(told.event_id)]
        gone = [] if settled else [deleted(facts).alias(DELETED)]
        prepared = [F.expr(text).alias(name) for name, text in self.expressions.items()]
        read = [column.alias(name) for name, column in (self.keys_read() | self.ties_read(facts)).items()]
        columns = [*times, *(settled or ids), *gone, *read, *prepared]
        rows = facts.rows.select(*columns).where(F.col(KNOWN).isNotNull())
        if not settled:
            rows = with_lifetimes(rows, len(ids), [*program.tie_breakers, *program.row_keys])
        wanted = [*program.row_keys, EVENT, KNOWN, SUPERSEDED, *self.tie_breakers, *self.expressions]
        return rows.select(*wanted).where(F.col(EVENT).isNotNull())

    def keyed(self, source: SourceRows) -> DataFrame:
        """Row keys and _sk_event of those rows, none null; every version of an event is there, so nothing is sorted."""
        facts = self._facts_of(source)
        keys = [column.alias(name) for name, column in self.keys_read().items()]
        return facts.rows.select(*keys, facts.event.alias(EVENT)).dropna()

    def keys_read(self) -> dict[str, Column]:
        """The row keys by name, as they are computed from a row."""
        typed = zip(self.row_keys, self.key_types.items(), strict=True)
        return {name: F.col(quoted(key)).cast(kind) for name, (key, kind) in typed}

    def ties_read(self, facts: SourceRows) -> dict[str, Column]:
        """The tie-breakers by name, as they are computed from a row."""
        return {name: orderable(column, facts.types[column]) for name, column in self.tie_breakers.items()}


def _unsuitable(aggregate: Aggregate, read: T.DataType) -> Iterator[str]:
    """What an aggregate cannot make of values of that type."""
    zeros, found = aggregate.nulls == "zero", read.simpleString()
    if (zeros or aggregate.function in RECKONED) and not isinstance(read, T.NumericType):
        rule = "nulls='zero'" if zeros else aggregate.function
        yield f"{rule} needs numbers, and {aggregate.column!r} is {found}"
    if aggregate.function in ("min", "max", "count_distinct") and isinstance(read, NESTED):
        needed = "can be compared" if aggregate.function == "count_distinct" else "have an order"
        yield f"{aggregate.function} needs values that {needed}, not {found}"


def _converts(natural: T.DataType, dtype: DType) -> bool:
    """Whether a value becomes its dtype without being told how: numbers of any width, timestamps of UTC."""
    if isinstance(natural, T.ArrayType) and dtype.element is not None:
        element = natural.elementType
        return element.simpleString() == dtype.element.spark or _converts(element, dtype.element)
    if isinstance(natural, T.NumericType):
        return dtype.name in NUMBERS
    return isinstance(natural, T.TimestampNTZType) and dtype.name == "timestamp"


def _guarded(item: Field) -> str | None:
    """What a field reads of a row, computed only where its `where` accepts the row: `1 / n` where `n > 0`."""
    if item.expression is None or item.where is None or sql.is_one_word(item.expression):
        return item.expression
    return f"CASE WHEN (\n{item.where}\n) THEN (\n{item.expression}\n) END"
