"""The kernel on tables made by hand. Times are small numbers of microseconds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest

from skewless.errors import DataError
from skewless.offline import kernel
from skewless.offline.kernel import Output, Program

NAN, INF = math.nan, math.inf
FLOAT, LONG = pa.float64(), pa.int64()


def output(
    function: Any = None, column: str | None = "v", *, reach: int | None = None, **more: Any
) -> Output:
    return Output("out", function, column, more.get("where"), more.get("nulls", "skip"), reach)


def output_named(name: str, function: Any) -> Output:
    return Output(name, function, None, None, "skip", 10**6)


def program(*outputs: Output, keys: Sequence[str] = ("k",), ties: Sequence[str] = ("t",)) -> Program:
    return Program(tuple(keys), tuple(f"row_{key}" for key in keys), tuple(ties), outputs)


def rows(
    values: Sequence[Any],
    kind: pa.DataType = FLOAT,
    *,
    event: Sequence[int | None] | None = None,
    known: Sequence[int | None] | None = None,
    superseded: Sequence[int | None] | None = None,
    **more: pa.Array,
) -> pa.Table:
    """Rows of the entity 1; they happen at 0, 1, 2, ..., and are known at once."""
    event = range(len(values)) if event is None else event
    instants = {
        "_sk_event": event,
        "_sk_known": known or event,
        "_sk_superseded": superseded or [None] * len(values),
    }
    columns: dict[str, pa.Array] = {"row_k": pa.array([1] * len(values), pa.int64())}
    columns |= {name: pa.array(list(times), pa.int64()) for name, times in instants.items()}
    column = pa.array(list(values), kind)
    return pa.table(columns | {"t": column, "v": column} | more)


def asks(*moments: tuple[Any, int | None, int | None], kind: pa.DataType = LONG) -> pa.Table:
    """Entity, snapshot, cutoff."""
    kinds = {"k": kind, "_sk_snapshot": pa.int64(), "_sk_cutoff": pa.int64()}
    columns = zip(*moments, strict=True) if moments else [[], [], []]
    return pa.table({name: pa.array(list(c), kinds[name]) for name, c in zip(kinds, columns, strict=True)})


def ask(
    of: Output, table: pa.Table, *, at: int = 100, cutoff: int | None = None, ties: Sequence[str] = ("t",)
) -> Any:
    """The one value of entity 1."""
    moment = asks((1, at, at if cutoff is None else cutoff))
    return kernel.answer(program(of, ties=ties), moment, table)["out"].to_pylist()[0]


# -- what is visible --------------------------------------------------------------------------------------


def test_a_row_is_seen_strictly_after_it_happened_and_was_known() -> None:
    late = rows([9.0], event=[10], known=[20])
    assert ask(output(), late, at=10, cutoff=21) is None
    assert ask(output(), late, at=11, cutoff=20) is None
    assert ask(output(), late, at=11, cutoff=21) == 9.0


def test_a_row_is_seen_until_its_successor_was_known() -> None:
    corrected = rows([1.0, 2.0], event=[5, 4], known=[5, 20], superseded=[20, None])
    assert ask(output(), corrected, cutoff=20) == 1.0
    assert ask(output(), corrected, cutoff=21) == 2.0


def test_a_window_begins_with_its_first_instant() -> None:
    table = rows([1.0, 2.0, 4.0], event=[89, 90, 99])
    assert ask(output("sum", reach=10), table) == 6.0
    assert ask(output("sum", reach=11), table) == 7.0
    assert ask(output("count", None, reach=10), table) == 2
    assert ask(output(reach=1), table) == 4.0
    assert ask(output(reach=1), rows([4.0], event=[98])) is None


def test_what_is_not_asked_is_null_and_who_has_no_rows_has_none() -> None:
    moments = asks((1, None, None), (1, 100, 100), (2, 100, 100), (None, 100, 100))
    found = kernel.answer(program(output("count", None)), moments, rows([1.0]))
    assert found["out"].to_pylist() == [None, 1, 0, 0]
    assert found.column_names == ["k", "_sk_snapshot", "_sk_cutoff", "out"]
    assert kernel.answer(program(output("sum")), moments, rows([]))["out"].to_pylist() == [None] * 4
    assert kernel.answer(program(output("sum")), asks(), rows([]))["out"].type == pa.float64()


def test_keys_compare_column_by_column_and_null_matches_nothing() -> None:
    pairs = [("a", "b|c"), ("a|b", "c"), (None, "c"), ("é", "")]
    firsts, seconds = (pa.array([pair[place] for pair in pairs]) for place in (0, 1))
    table = rows([1.0, 2.0, 3.0, 4.0]).drop_columns(["row_k"])
    table = table.append_column("row_a", firsts).append_column("row_b", seconds)
    moments = asks(*[(0, 100, 100)] * 4).drop_columns(["k"])
    moments = moments.append_column("a", firsts).append_column("b", seconds)
    found = kernel.answer(program(output(), keys=("a", "b")), moments, table)
    assert found["out"].to_pylist() == [1.0, 2.0, None, 4.0]


def test_a_narrow_key_asks_for_a_wide_one() -> None:
    moments = asks((1, 100, 100), kind=pa.int32())
    assert kernel.answer(program(output()), moments, rows([7.0]))["out"].to_pylist() == [7.0]


def test_many_windows_with_gaps_are_answered_some_at_a_time() -> None:
    size, count = 2000, 2500  # more rows in gaps than are copied at one time
    known = [10**9 if place == 1000 else place for place in range(size)]
    table = rows([float(place % 7) for place in range(size)], known=known)
    moments = asks(*[(1, place, place) for place in range(count)])
    found = kernel.answer(program(output("sum", reach=10**6), output_named("n", "count")), moments, table)
    seen = [[place % 7 for place in range(min(end, size)) if place != 1000] for end in (1, 1000, 1001, 2400)]
    sums, counts = (found[name].to_pylist() for name in ("out", "n"))
    assert [sums[end] for end in (1, 1000, 1001, 2400)] == [float(sum(values)) for values in seen]
    assert [counts[end] for end in (1, 1000, 1001, 2400)] == [len(values) for values in seen]


# -- newest -----------------------------------------------------------------------------------------------


def test_newest_is_by_event_then_known_then_the_columns_read_whatever_their_order_in_the_file() -> None:
    by_event = rows([1.0, 2.0], event=[5, 4], known=[5, 50])
    by_known = rows([1.0, 2.0], event=[5, 5], known=[50, 49])
    by_value = rows([1.0, None, NAN, 3.0], event=[5] * 4)
    assert ask(output(), by_event) == 1.0
    assert ask(output(), by_known) == 1.0
    assert math.isnan(ask(output(), by_value))
    for order in ([3, 2, 1, 0], [2, 0, 3, 1]):
        assert math.isnan(ask(output(), by_value.take(order)))


@pytest.mark.parametrize(
    ("kind", "values", "greatest"),
    [
        (pa.float64(), [-0.0, 0.0], 0.0),
        (pa.float64(), [None, -INF], -INF),
        (pa.int32(), [-1, None], -1),
        (pa.bool_(), [True, False], True),
        (pa.string(), ["z", "é"], "é"),
        (pa.binary(), [b"\x7f", b"\x80"], b"\x80"),
        (pa.string(), ['{"a":1}', '{"a":2}'], '{"a":2}'),  # how nested columns arrive here: as their JSON
    ],
)
def test_ties_go_to_the_greatest_value(kind: pa.DataType, values: list[Any], greatest: Any) -> None:
    for ordered in (values, values[::-1]):
        found = ask(output(), rows(ordered, kind, event=[5, 5]))
        assert repr(found) == repr(greatest)


def test_a_nested_value_passes_through_beside_its_sortable_text() -> None:
    lists = pa.array([[1, 2], [1, 3]])
    texts = pa.array(["[1,2]", "[1,3]"])
    table = rows([0.0, 0.0], event=[5, 5]).set_column(4, "t", texts).set_column(5, "v", lists)
    assert ask(output(), table) == [1, 3]


# -- aggregates -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1e16, 1.0, -1e16], 1.0),
        ([1e308, 1e308, -1e308], 1e308),
        ([-0.0], 0.0),
        ([INF, 1.0], INF),
        ([None], None),
    ],
)
def test_sums_of_floats_are_exact(values: list[float | None], expected: float | None) -> None:
    assert repr(ask(output("sum"), rows(values))) == repr(expected)


def test_sums_have_the_type_of_what_they_sum() -> None:
    found = kernel.answer(program(output("sum")), asks((1, 9, 9)), rows([2**31 - 1, 1], pa.int32()))["out"]
    assert (found.type, found.to_pylist()) == (pa.int64(), [2**31])
    found = kernel.answer(program(output("sum")), asks((1, 9, 9)), rows([0.1, 0.1], pa.float32()))["out"]
    assert (found.type, found.to_pylist()) == (pa.float64(), [2 * 13421773 / 2**27])
    with pytest.raises(DataError, match="the sum 9223372036854775808 of 2 integers does not fit int64"):
        ask(output("sum"), rows([2**62, 2**62], pa.int64()))
    assert ask(output("avg"), rows([2**62, 2**62], pa.int64())) == 2.0**62


@pytest.mark.parametrize(
    ("nulls", "average", "count"), [("skip", 20, 2), ("zero", 40 / 3, 3), ("forward_fill", 50 / 3, 3)]
)
def test_the_null_rule_comes_before_the_aggregate(nulls: str, average: float, count: int) -> None:
    amounts = rows([10.0, None, 30.0])
    assert ask(output("avg", nulls=nulls), amounts) == average
    assert ask(output("count", nulls=nulls), amounts) == count
    assert ask(output("count", None), amounts) == 3


def test_forward_fill_knows_only_what_is_in_the_window_and_accepted() -> None:
    table = rows([5.0, None, 7.0, None], event=[80, 91, 92, 93])
    assert ask(output("count", nulls="forward_fill", reach=10), table) == 2
    assert ask(output("sum", nulls="forward_fill", reach=10), table) == 14.0
    assert ask(output("sum", nulls="forward_fill"), table) == 24.0
    where = pa.array([True, True, None, True])
    filtered = rows([5.0, None, 7.0, None], accepted=where)
    assert ask(output("sum", nulls="forward_fill", where="accepted"), filtered) == 15.0
    assert ask(output("sum", nulls="zero"), rows([None, None])) == 0.0


def test_first_and_last_skip_nulls_and_min_and_max_follow_the_total_order() -> None:
    table = rows([None, -0.0, NAN, 0.0, None])
    assert repr(ask(output("first"), table)) == "-0.0"
    assert repr(ask(output("last"), table)) == "0.0"
    assert repr(ask(output("min"), table)) == "-0.0"
    assert math.isnan(ask(output("max"), table))
    assert ask(output("max"), rows(["z", "日", "é"], pa.string())) == "日"
    assert ask(output("min"), rows([None, None])) is None


def test_nan_leaves_in_its_one_form_and_the_rest_unchanged() -> None:
    strange = pa.array([0xFFF8000000000001, 0x7FF8000000000000, 0x8000000000000001], pa.uint64()).view(
        pa.float64()
    )
    for place, bits in enumerate([0x7FF8000000000000, 0x7FF8000000000000, 0x8000000000000001]):
        table = rows([0.0]).set_column(5, "v", strange.slice(place, 1))
        found = kernel.answer(program(output()), asks((1, 9, 9)), table)["out"].combine_chunks()
        assert found.view(pa.uint64()).to_pylist() == [bits]


def test_asks_keep_their_order_and_other_columns() -> None:
    moments = asks((1, 2, 2), (2, 2, 2), (1, 1, 1), (1, 2, 2)).append_column(
        "label", pa.array(["a", "b", "c", "d"])
    )
    found = kernel.answer(program(output("sum")), moments, rows([1.0, 2.0]))
    assert found.select(["label", "out"]).to_pylist() == [
        {"label": "a", "out": 3.0},
        {"label": "b", "out": None},
        {"label": "c", "out": 1.0},
        {"label": "d", "out": 3.0},
    ]
