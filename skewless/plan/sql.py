"""The SQL of fields and `where`: which columns it reads, and whether it keeps to one row of the source.

An expression that saw other rows, or the clock, could see the future; so it is refused when the definitions
are loaded. sqlglot reads Spark's dialect; it is imported when first needed, to keep `import skewless` light.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from skewless.errors import UsageError
from skewless.plan import functions

if TYPE_CHECKING:
    from sqlglot import exp
    from sqlglot.tokens import Token  # type: ignore[attr-defined]

# Inside `SELECT ( )` words like `comment` are columns, not commands.
_SELECT, _END = "SELECT (\n", "\n)"


def columns_read(sql: str) -> frozenset[str]:
    """The source columns that an expression reads, as it writes them; of `a.b`, the column `a`.

    >>> sorted(columns_read("transform(items, x -> x.price * rate)[0] + `list price`.net"))
    ['items', 'list price', 'rate']

    Raises UsageError when the expression does not parse.
    """
    tree = _parse(sql)
    if isinstance(tree, str):
        raise UsageError(f"{sql!r} {tree}")
    return frozenset(_columns(tree))


def is_one_word(sql: str) -> bool:
    """Whether an expression is a column, or a constant as `true`, and nothing else: to compute it cannot fail.

    >>> is_one_word("`amount`"), is_one_word("amount / 100")
    (True, False)
    """
    return sql.strip("`").isidentifier()


def problems(sql: str) -> Iterator[str]:
    """Everything that keeps the text from being an expression over one row of the source."""
    tree = _parse(sql)
    found = [tree] if isinstance(tree, str) else [*_forms(tree), *_clock_words(tree)]
    yield from (f"{sql!r} {problem}" for problem in dict.fromkeys((*found, *_calls(sql))))


@lru_cache(maxsize=4096)
def _parse(sql: str) -> exp.Expression | str:
    """The expression, or why it is none."""
    import sqlglot

    try:
        (select,) = sqlglot.parse(_SELECT + sql + _END, read="spark")
    except (sqlglot.errors.ParseError, sqlglot.errors.TokenError, ValueError):
        return "does not parse as a Spark SQL expression; check its operators, quotes and parentheses"
    parts = [name for name, value in select.args.items() if value] if select else []
    if select is None or parts != ["expressions"] or len(select.expressions) != 1:
        return "is not one expression; write one, over one row of the source, without FROM or WHERE"
    return _unwrap(select.expressions[0])


def _unwrap(wrapped: exp.Expression) -> exp.Expression | str:
    from sqlglot import exp

    if isinstance(wrapped, exp.Subquery):
        return "has a subquery, which reads other rows; an expression reads one row of the source"
    if isinstance(wrapped, exp.Tuple):
        many = bool(wrapped.expressions)
        return "is a list of expressions; give each its own field" if many else "is empty; name a column"
    if not isinstance(wrapped, exp.Paren):
        return "does not parse as a Spark SQL expression; check its parentheses"
    if isinstance(wrapped.this, exp.Alias):
        return "gives its result a name; the field's name= does that (or an operator is missing)"
    inner: exp.Expression = wrapped.this
    return inner


def _columns(tree: exp.Expression) -> Iterator[str]:
    from sqlglot import exp

    for column in tree.find_all(exp.Column):
        first = column.parts[0]
        if not isinstance(first, exp.Star) and first.name.lower() not in _lambda_variables(column):
            yield first.name


def _lambda_variables(node: exp.Expression) -> set[str]:
    """The variables, in lower case, of the lambdas around a node; Spark's names have no case."""
    from sqlglot import exp

    variables: set[str] = set()
    above = node.parent
    while above is not None:
        if isinstance(above, exp.Lambda):
            variables.update(variable.name.lower() for variable in above.expressions)
        above = above.parent
    return variables


def _forms(tree: exp.Expression) -> Iterator[str]:
    from sqlglot import exp

    if tree.find(exp.Window):
        yield "has a window function (OVER), which reads other rows; use an aggregate from agg"
    if tree.find(exp.Query):
        yield "has a subquery, which reads other rows; an expression reads one row of the source"
    if any(not isinstance(star.parent, exp.Count) for star in tree.find_all(exp.Star)):
        yield "has a '*', which is many columns; name the one that is meant"
    if tree.find(exp.Placeholder, exp.Parameter):
        yield "has a parameter; write the value itself"


def _calls(sql: str) -> Iterator[str]:
    """Forbidden functions, by the names that the author wrote: the parser renames some."""
    import sqlglot

    try:
        tokens = sqlglot.tokenize(_SELECT + sql + _END * 2, read="spark")
    except sqlglot.errors.TokenError:
        return
    for before, token, after, later in zip(tokens, tokens[1:], tokens[2:], tokens[3:], strict=False):
        text = "" if _is_string(token) else token.text.lower()
        if after.text == "(" and before.text.lower() not in ("like", "ilike"):
            if problem := functions.advice(text):
                yield problem
            elif text in functions.CLOCK_WHEN_EMPTY and later.text == ")":
                yield functions.of_clock(f"calls {text}() without an argument")
        elif text in functions.BARE and before.text != "." and not _is_quoted(token):
            yield f"{functions.advice(text)} (a column of that name needs backticks)"


def _is_string(token: Token) -> bool:
    return token.token_type.name.endswith("STRING")


def _is_quoted(token: Token) -> bool:
    return token.token_type.name == "IDENTIFIER"


def _clock_words(tree: exp.Expression) -> Iterator[str]:
    """`timestamp 'now'`, and `at > 'now'`: Spark casts a text unasked where a time is wanted."""
    from sqlglot import exp

    for text in tree.find_all(exp.Literal, exp.RawString):
        compared_as_text = isinstance(text.parent, exp.Like | exp.ILike)
        if functions.CLOCK_WORD.fullmatch(text.name) and not compared_as_text:
            yield functions.of_clock(f"has {text.name!r}") + f" (the text itself is LIKE {text.name!r})"
