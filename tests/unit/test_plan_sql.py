"""Expressions over one row pass; whatever could see other rows or the clock is refused with advice."""

import subprocess
import sys

import pytest

from skewless.errors import UsageError
from skewless.plan import functions, sql

FINE = {
    "amount / 100": {"amount"},
    "a.b.c": {"a"},
    "`a b`.c + `d.e`": {"a b", "d.e"},
    "CASE WHEN amount > 10 THEN 'high' ELSE tier END": {"amount", "tier"},
    "cast(amount as double)": {"amount"},
    "amount::int": {"amount"},
    "dep_delay > 15 AND NOT cancelled": {"dep_delay", "cancelled"},
    "a BETWEEN 1 AND 2 OR b IN (1, 2)": {"a", "b"},
    "m['k'] + items[0].price": {"m", "items"},
    "array_max(items)": {"items"},
    "transform(items, x -> x + rate)": {"items", "rate"},
    "filter(items, X -> x.price > least)": {"items", "least"},
    "aggregate(items, 0, (acc, x) -> acc + x, acc -> acc * k)": {"items", "k"},
    "map_filter(m, (k, v) -> v > k + lim)": {"m", "lim"},
    "exists(items, x -> x > 0)": {"items"},
    "struct(a AS b).b": {"a"},
    "timestampdiff(HOUR, a, b)": {"a", "b"},
    "date_trunc('hour', at)": {"at"},
    "extract(hour FROM at)": {"at"},
    "at - INTERVAL 1 HOUR": {"at"},
    "unix_timestamp(at)": {"at"},
    "timestamp '2013-01-01'": set(),
    "name LIKE ANY ('a%', 'b%')": {"name"},
    "user": {"user"},
    "comment": {"comment"},
    "count + first + `current_date` + t.current_date": {"count", "first", "current_date", "t"},
    "note = 'now(' OR note = 'current_date'": {"note"},
    "note LIKE 'now' OR note IN ('nowhere', 'today is fine', 'right now')": {"note"},
    "amount /* rand() */ + 1": {"amount"},
    "a <=> b": {"a", "b"},
}
REFUSED = {
    "": "is empty",
    "amount /": "does not parse",
    "it's": "does not parse",
    "a) + (b": "does not parse",
    "a; b": "does not parse",
    "a) FROM x WHERE (b": "not one expression",
    "a, b": "list of expressions",
    "a AS b": "gives its result a name",
    "a b": "gives its result a name",
    ":p": "parameter",
    "*": "'*'",
    "t.*": "'*'",
    "count(*)": "agg.count(",
    "SUM(amount)": "agg.sum(",
    "mean(amount)": "agg.avg(",
    "1 + max (amount)": "agg.max(",
    "`first`(amount)": "agg.first(",
    "any(late)": "aggregate from agg",
    "percentile(amount, 0.5)": "use value=agg.quantile(..., window=...)",
    "max(a) FILTER (WHERE b)": "agg.max(",
    "sum(a) OVER (PARTITION BY b)": "window function",
    "row_number() OVER (ORDER BY a)": "row_number()",
    "lag(a)": "lag()",
    "(SELECT 1)": "subquery",
    "a IN (SELECT b FROM c)": "subquery",
    "a + (SELECT max(b) FROM c)": "subquery",
    "explode(items)": "explode()",
    "rand()": "rand()",
    "randn(42)": "randn()",
    "shuffle(items)": "shuffle()",
    "uuid()": "uuid()",
    "now()": "the clock",
    "current_timestamp": "the clock",
    "current_timestamp()": "the clock",
    "datediff(current_date, at)": "the clock",
    "current_timezone()": "the clock",
    "unix_timestamp( )": "the clock",
    "timestamp 'now'": "the clock",
    "CAST(' Today UTC' AS DATE)": "the clock",
    "CAST('now+01:00' AS TIMESTAMP)": "the clock",
    "r'now'::timestamp": "the clock",
    "at > 'now'": "the clock",
    "datediff('today', at)": "the clock",
    "CASE WHEN late THEN 'tomorrow' ELSE at END": "LIKE 'tomorrow'",
    "identifier('at')": "identifier()",
    "monotonically_increasing_id()": "where and by whom",
    "spark_partition_id()": "where and by whom",
    "input_file_name()": "where and by whom",
    "current_user": "where and by whom",
}


@pytest.mark.parametrize("text", FINE)
def test_an_expression_over_one_row_passes(text: str):
    assert list(sql.problems(text)) == []
    assert sql.columns_read(text) == FINE[text]


@pytest.mark.parametrize("text", REFUSED)
def test_what_sees_other_rows_or_the_clock_is_refused_with_its_text(text: str):
    told = "\n".join(sql.problems(text))
    assert REFUSED[text] in told
    assert told.startswith(repr(text))


@pytest.mark.parametrize(
    "name",
    sorted(
        functions.AGGREGATES
        | functions.WINDOWS
        | functions.GENERATORS
        | functions.CLOCK
        | functions.SURROUNDINGS
        | functions.RANDOM
    ),
)
def test_every_listed_function_is_refused(name: str):
    assert any(f"calls {name}()" in problem for problem in sql.problems(f"{name.upper()}(a, 1)"))


def test_every_mistake_of_an_expression_is_told_once():
    assert len(list(sql.problems("rand() + rand() + now()"))) == 2


def test_columns_of_what_does_not_parse_are_an_error_that_shows_the_text():
    with pytest.raises(UsageError, match=r"'amount /' does not parse"):
        sql.columns_read("amount /")


def test_the_parser_is_loaded_only_when_an_expression_is_read():
    code = "import sys, skewless, skewless.plan; sys.exit('sqlglot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
