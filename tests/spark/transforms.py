"""Functions of a source's rows, for tests: good ones, and attacks, each with what must be said of it."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

RATE = 2.0
NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)


def _cents(name: str) -> Any:
    return F.col(name) * 100


# -- good: one row at a time ------------------------------------------------------------------------------


def converted(rows: DataFrame) -> DataFrame:
    """Projections, a filter, and SQL that would be forbidden words were they not values."""
    kept = rows.where("amount IS NOT NULL AND word <> 'now'").withColumn("amount", _cents("amount") * RATE)
    return kept.withColumn("word", F.upper("word")).withColumn("now", F.lit("a random word"))


def exploded(rows: DataFrame) -> DataFrame:
    return rows.select("*", F.posexplode("items").alias("place", "item")).alias("lines")


def by_python(rows: DataFrame) -> DataFrame:
    @F.udf("double")
    def doubled(amount: float | None) -> float | None:
        return None if amount is None else amount * 2

    return rows.withColumn("amount", doubled("amount"))


def wide(rows: DataFrame) -> DataFrame:
    return rows.withColumns({f"c{n}": F.col("amount") + n for n in range(60)})


GOOD = (converted, exploded, by_python, wide)


# -- attacks ----------------------------------------------------------------------------------------------


def window(rows: DataFrame) -> DataFrame:
    return rows.withColumn("next", F.lead("amount").over(Window.partitionBy("k").orderBy("at")))


def window_in_sql(rows: DataFrame) -> DataFrame:
    return rows.selectExpr("*", "max(amount) OVER (PARTITION BY k) AS most")


def aggregate(rows: DataFrame) -> DataFrame:
    return rows.groupBy("k", "at").agg(F.max("amount").alias("amount"))


def distinct(rows: DataFrame) -> DataFrame:
    return rows.distinct()


def deduplicated(rows: DataFrame) -> DataFrame:
    return rows.dropDuplicates(["k"])


def joined(rows: DataFrame) -> DataFrame:
    return rows.join(rows.groupBy("k").agg(F.max("amount").alias("most")), "k")


def united(rows: DataFrame) -> DataFrame:
    return rows.union(rows)


def sorted_(rows: DataFrame) -> DataFrame:
    return rows.orderBy(F.desc("at"))


def limited(rows: DataFrame) -> DataFrame:
    return rows.limit(1)


def sampled(rows: DataFrame) -> DataFrame:
    return rows.sample(0.5, seed=1)


def subquery(rows: DataFrame) -> DataFrame:
    return rows.sparkSession.sql("SELECT *, (SELECT max(amount) FROM {r}) AS most FROM {r}", r=rows)


def from_elsewhere(rows: DataFrame) -> DataFrame:
    return rows.sparkSession.range(3).selectExpr("id AS k", "TIMESTAMP'2024-01-01' AS at", "1D AS amount")


def batches(rows: DataFrame) -> DataFrame:
    return rows.mapInPandas(lambda batches: batches, rows.schema)


def chance(rows: DataFrame) -> DataFrame:
    return rows.withColumn("amount", F.rand(7))


def clock(rows: DataFrame) -> DataFrame:
    return rows.where(F.col("at") < F.current_date())


def clock_in_sql(rows: DataFrame) -> DataFrame:
    return rows.where("at < now()")


def clock_as_text(rows: DataFrame) -> DataFrame:
    return rows.where("at < CAST(concat('tod', 'ay') AS TIMESTAMP) OR at < CAST('today' AS TIMESTAMP)")


def hidden_among_many(rows: DataFrame) -> DataFrame:
    many = {f"c{n}": F.col("amount") + n for n in range(60)}
    return (
        rows.withColumns({**many, "last": F.uuid()})
        if hasattr(F, "uuid")
        else rows.selectExpr("*", "uuid() AS u")
    )


def within_a_lambda(rows: DataFrame) -> DataFrame:
    return rows.withColumn("items", F.transform("items", lambda item: item + F.randn(3)))


def surroundings(rows: DataFrame) -> DataFrame:
    return rows.withColumn("file", F.input_file_name())


def undetermined(rows: DataFrame) -> DataFrame:
    return rows.withColumn("amount", F.udf(lambda amount: amount, "double").asNondeterministic()("amount"))


def looks_while_planning(rows: DataFrame) -> DataFrame:
    return rows.where(F.col("amount") < rows.count())


def throws_dice_while_planning(rows: DataFrame) -> DataFrame:
    return rows.withColumn("amount", F.lit(random.random()))


def reads_the_clock_while_planning(rows: DataFrame) -> DataFrame:
    later = datetime
    return rows.withColumn("late", F.lit(later.now().isoformat()))


def another_time(rows: DataFrame) -> DataFrame:
    return rows.withColumn("at", F.col("at") - F.expr("INTERVAL 1 DAY"))


def no_time(rows: DataFrame) -> DataFrame:
    return rows.select("k", "amount")


def no_key(rows: DataFrame) -> DataFrame:
    return rows.drop("k")


def nothing(rows: DataFrame) -> None:
    rows.where("amount > 0")


def failing(rows: DataFrame) -> DataFrame:
    return rows.where(None > 1)  # type: ignore[operator]


def unknown_column(rows: DataFrame) -> DataFrame:
    return rows.withColumn("x", F.col("amont"))


ATTACKS = {
    window: "has a window function, which reads other rows; use an aggregate from agg",
    window_in_sql: "has a window function",
    aggregate: "has an aggregate, which reads many rows",
    distinct: "has distinct() or dropDuplicates(), which reads many rows",
    deduplicated: "has distinct() or dropDuplicates()",
    joined: "has a join or a subquery; a view has one source",
    united: "has a union",
    sorted_: "has a sort",
    limited: "has a limit",
    sampled: "has a sample",
    subquery: "has a join or a subquery",
    from_elsewhere: "has Range, which is no projection, filter or generator over the source's rows",
    batches: "has MapInPandas, which is no projection, filter or generator",
    chance: "calls rand(), which differs each time",
    clock: "calls current_date(), which reads the clock",
    clock_in_sql: "calls now(), which reads the clock",
    clock_as_text: "has 'today', which reads the clock",
    hidden_among_many: "calls uuid(), which differs each time",
    within_a_lambda: "calls randn(), which differs each time",
    surroundings: "calls input_file_name(), which depends on where",
    undetermined: "calls a Python function that is declared nondeterministic",
    looks_while_planning: "makes another plan where the source has no rows, or each time",
    throws_dice_while_planning: "makes another plan where the source has no rows, or each time",
    reads_the_clock_while_planning: "makes another plan where the source has no rows, or each time",
    another_time: "changes 'at'; the columns at must come out as they went in",
    no_time: "gives no column 'at', which the view needs; it gives k, amount; keep all columns",
    no_key: "gives no column 'k', which the view needs",
    nothing: "returns a NoneType; return the DataFrame",
    failing: "fails with TypeError: '>' not supported",
    unknown_column: "is refused by Spark: [UNRESOLVED_COLUMN",
}


# What differs between kinds of session: how plans are read, and how Python functions are declared.
IN_PROCESS = (converted, exploded, by_python, subquery, hidden_among_many, undetermined, looks_while_planning)


def verdicts(rows: DataFrame, functions: Iterable[Any] = (*GOOD, *ATTACKS)) -> dict[str, str]:
    """What is said of functions, by their names; nothing of a good one. `rows` have k, at, amount, word, items."""
    from skewless import DeltaSource, Entity, FeatureView, Field
    from skewless.errors import DataError
    from skewless.offline.rowwise import transformed
    from skewless.types import Float64

    said = {}
    for function in functions:
        view = FeatureView(
            name="attacked",
            entities=[Entity(name="k")],
            source=DeltaSource(name="facts", path="facts", timestamp_field="at"),
            schema=[Field(name="amount", dtype=Float64)],
            transform=function,
        )
        try:
            transformed(view, rows, ("at",))
        except DataError as error:
            said[function.__name__] = str(error)
        else:
            said[function.__name__] = ""
    return said


def facts(spark: Any) -> DataFrame:
    """Two rows, as a view over a table would have them."""
    columns = "k BIGINT, at TIMESTAMP, amount DOUBLE, word STRING, items ARRAY<DOUBLE>"
    rows = [(1, NOON, 2.0, "a", [1.0, 2.0]), (2, NOON, None, "b", [3.0])]
    return spark.createDataFrame(rows, columns)
