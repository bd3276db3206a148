"""Claims about the oracle, with numbers worked by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests import corpus as cases
from tests import oracle
from tests.oracle import Agg, Entry, Field, OracleOverflow, Row, View

HOUR, MICROSECOND = timedelta(hours=1), timedelta(microseconds=1)
N, X, S = cases.COLUMNS["n"], cases.COLUMNS["x"], cases.COLUMNS["s"]
NAN, INF = math.nan, math.inf


def at(clock: str) -> datetime:
    """An instant of the one day on which everything happens."""
    return datetime.fromisoformat(f"2024-03-01T{clock}").replace(tzinfo=UTC)


TICKS = tuple(at(f"{hour:02}:00") for hour in range(1, 20))


def row(event: str | None, *, created: str | None = None, k: Any = "a", **values: Any) -> Row:
    columns = dict.fromkeys(("n", "x", "s", "flag", "e", "v"))
    times = {"event_timestamp": event and at(event), "created_timestamp": created and at(created)}
    return {"k": k, **times, **columns, **values}


def view(*values: Any, dtype: str = "float64", default: Any = None, **rest: Any) -> View:
    fields = tuple(Field(f"f{place}", dtype, value, default) for place, value in enumerate(values))
    return View(keys=("k",), fields=fields, ticks=TICKS, **rest)


def ask(definition: View, *rows: Row, t: str = "10:00", k: Any = "a", **how: Any) -> Any:
    """What entity `k` sees at `t`: a value where the view has one field, else the tuple."""
    values = oracle.answer(definition, rows, (k,), at(t), **how)
    return values[0] if len(values) == 1 else values


def result(function: str, *values: Any, nulls: str = "skip", dtype: str = "float64", column: Any = X) -> Any:
    """The aggregate over values, oldest first, a minute apart."""
    rows = [row(f"09:{minute:02}", **{column.sql: value}) for minute, value in enumerate(values)]
    return ask(view(Agg(function, column, HOUR, nulls), dtype=dtype), *rows)


def same(one: Any, two: Any) -> bool:
    return bool(oracle.bits(one) == oracle.bits(two))


# -- null rules and aggregates ----------------------------------------------------------------------------


@pytest.mark.parametrize(("nulls", "mean"), [("skip", 20.0), ("zero", 40 / 3), ("forward_fill", 50 / 3)])
def test_ten_null_thirty_averages_differently_by_each_null_rule(nulls: str, mean: float) -> None:
    assert result("avg", 10.0, None, 30.0, nulls=nulls) == mean
    assert result("avg", 10, None, 30, nulls=nulls, column=N) == mean


def test_a_sum_is_null_only_where_the_null_rule_leaves_nothing() -> None:
    assert result("sum", None, None) is None
    assert same(result("sum", None, None, nulls="zero"), 0.0)
    assert result("sum", 1, None, 3, nulls="forward_fill", column=N, dtype="int64") == 5
    assert result("sum", None, 1.0, None, nulls="forward_fill") == 2.0
    assert result("sum", 10.0, None, None, 30.0, nulls="forward_fill") == 60.0


@pytest.mark.parametrize(("nulls", "counted"), [("skip", 2), ("zero", 4), ("forward_fill", 3)])
def test_a_count_of_a_column_counts_what_the_rule_leaves(nulls: str, counted: int) -> None:
    assert result("count", None, 1.0, None, 2.0, nulls=nulls, dtype="int64") == counted


def test_first_and_last_skip_nulls_but_not_zeros_made_of_them() -> None:
    assert (result("first", None, 1.0, 2.0, None), result("last", None, 1.0, 2.0, None)) == (1.0, 2.0)
    assert (result("first", None, 1.0, nulls="zero"), result("last", 1.0, None, nulls="zero")) == (0.0, 0.0)
    assert result("first", None, 1.0, nulls="forward_fill") == 1.0


def test_the_filter_comes_before_the_fill() -> None:
    positive = cases.of("n > 0", "bool", "n", lambda n: n > 0)
    rows = [row("09:01", n=1, x=10.0), row("09:02", n=0, x=99.0), row("09:03", n=1)]
    assert ask(view(Agg("sum", X, HOUR, "forward_fill", positive)), *rows) == 20.0
    assert ask(view(Agg("count", None, HOUR, where=positive), dtype="int64"), row("09:04"), *rows) == 2


def test_nothing_is_filled_from_before_the_window() -> None:
    rows = [row("08:59", x=1.0), row("09:00"), row("09:30", x=5.0)]
    assert ask(view(Agg("avg", X, HOUR, "forward_fill")), *rows) == 5.0


@pytest.mark.parametrize(
    ("values", "total"),
    [
        ([1e16, 1.0, -1e16], 1.0),
        ([1e16, 1.0], 1e16),
        ([1e16, 1.0, 1.0], 1e16 + 2),
        ([0.1] * 10, 1.0),
        ([0.1, 0.2, 0.3], 0.6),
        ([1e308, 1e308, -1e308], 1e308),
        ([1e308, 1e308], INF),
        ([-1e308, -1e308], -INF),
        ([-0.0, -0.0], 0.0),
        ([5e-324, 5e-324], 1e-323),
        ([INF, 1.0], INF),
        ([INF, -INF], NAN),
        ([NAN, INF], NAN),
    ],
)
def test_a_float_sum_is_exact_and_rounded_once(values: list[float], total: float) -> None:
    assert same(result("sum", *values), total)
    assert same(result("sum", *reversed(values)), total)


def test_an_average_is_one_division_of_the_rounded_sum() -> None:
    assert result("avg", 1e16, 1.0) == 5e15
    assert result("avg", 1e308, 1e308) == INF
    assert result("avg", 2**53 + 1, 2, column=N) == float(2**53 + 3) / 2
    assert same(result("avg", -0.0), 0.0)


def test_minimum_and_maximum_order_zeros_and_nan() -> None:
    assert same(result("min", 0.0, -0.0), -0.0)
    assert same(result("max", 0.0, -0.0), 0.0)
    assert same(result("max", INF, NAN), NAN)
    assert result("min", NAN, INF) == INF
    assert result("max", "a", "é", "b", column=S, dtype="string") == "é"


def test_whole_numbers_that_overflow_are_an_error() -> None:
    assert result("sum", 2**63 - 2, 1, column=N, dtype="int64") == 2**63 - 1
    with pytest.raises(OracleOverflow, match="is no int64"):
        result("sum", 2**63 - 1, 1, column=N, dtype="int64")
    with pytest.raises(OracleOverflow, match="is no int64"):
        result("sum", 2**63 - 1, 1, column=N, dtype="float64")
    with pytest.raises(OracleOverflow, match="2147483648 is no int32"):
        result("sum", 2**31 - 1, 1, column=N, dtype="int32")
    with pytest.raises(OracleOverflow, match="inf is no int64"):
        result("sum", INF, dtype="int64")


@pytest.mark.parametrize(
    ("value", "dtype", "becomes"),
    [
        (0.1, "float32", 0.10000000149011612),
        (1e308, "float32", INF),
        (-1e308, "float32", -INF),
        (-1e-300, "float32", -0.0),
        (3.4028235677973366e38, "float32", INF),  # halfway to the next power, to even
        (-2.9, "int64", -2),
        (3, "float64", 3.0),
        (3, "string", "3"),
        (True, "string", "true"),
        (0, "bool", False),
        (None, "string", None),
    ],
)
def test_a_cast_rounds_to_the_width_and_drops_fractions(value: Any, dtype: str, becomes: Any) -> None:
    assert same(oracle.cast(value, dtype), becomes)


def test_what_the_oracle_does_not_say_it_refuses() -> None:
    with pytest.raises(TypeError, match="does not say what 'a' is as int64"):
        oracle.cast("a", "int64")
    with pytest.raises(ValueError, match="rounded twice"):
        oracle.cast(2**53 + 1, "float32")


# -- windows, ttl, newest ---------------------------------------------------------------------------------


def test_a_window_has_its_start_and_not_its_end() -> None:
    rows = [
        row("08:59:59.999999", n=1),
        row("09:00", n=10),
        row("09:59:59.999999", n=100),
        row("10:00", n=1000),
    ]
    assert ask(view(Agg("sum", N, HOUR), dtype="int64"), *rows) == 110


def test_an_empty_window_is_null_and_counts_zero() -> None:
    definition = view(Agg("sum", X, HOUR), Agg("count", None, HOUR), Agg("last", X, 3 * HOUR))
    assert ask(definition, row("08:00", x=1.0)) == (None, 0.0, 1.0)


def test_the_newest_row_wins_nulls_included() -> None:
    assert ask(view(X), row("09:00", x=1.0), row("09:01"), row("08:00", x=3.0)) is None


def test_newest_ties_go_to_known_time_then_to_the_columns_read_by_name_then_to_nothing_else() -> None:
    early, late = row("09:00", created="09:01", x=9.0), row("09:00", created="09:02", x=1.0)
    assert ask(view(X), late, early) == 1.0
    tied = [row("09:00", n=1, x=9.0), row("09:00", n=2, x=1.0), row("09:00", x=NAN)]
    assert ask(view(X, N), *tied) == (1.0, 2.0)
    assert same(ask(view(X), *tied), NAN)
    assert same(ask(view(X), row("09:00", x=0.0), row("09:00", x=-0.0), row("09:00")), 0.0)
    filtered = Agg("count", None, HOUR, where=cases.of("n > 0", "bool", "n", lambda n: n > 0))
    assert ask(view(X, filtered), *tied) == (1.0, 2.0), "a column that only `where` reads breaks ties too"


def test_ttl_reaches_back_to_its_very_instant() -> None:
    assert ask(view(X, ttl=HOUR), row("09:00", x=1.0)) == 1.0
    assert ask(view(X, ttl=HOUR, default=-1.0), row("08:59:59.999999", x=1.0)) == -1.0
    assert ask(view(X, ttl=HOUR), row("08:00", x=1.0), row("09:30")) is None
    wider = view(X, Agg("sum", X, 3 * HOUR), ttl=HOUR)
    assert ask(wider, row("08:00", x=1.0)) == (None, 1.0), "a window does not lengthen the ttl"


def test_only_entities_inside_the_reach_are_in_a_snapshot() -> None:
    rows = [row("08:30", x=1.0, k="old"), row("09:30", x=2.0, k="new"), row("09:30", x=3.0, k=None)]
    bounded = view(X, Agg("sum", X, MICROSECOND), ttl=HOUR)
    assert list(oracle.snapshot(bounded, rows, at("10:00"), at("10:00"))) == [("new",)]
    assert set(oracle.snapshot(view(X), rows, at("10:00"), at("10:00"))) == {("old",), ("new",)}


def test_absent_entities_get_counts_and_defaults_and_null_keys_have_no_rows() -> None:
    coalesced = cases.of("coalesce(n, 0)", "int", "n", lambda n: n or 0, nulls=True)
    definition = view(Agg("count", None, HOUR), Agg("sum", X, HOUR), coalesced, default=7)
    rows = [row("09:30", x=1.0), row("09:30", x=1.0, k=None)]
    assert ask(definition, *rows) == (1.0, 1.0, 0.0)
    assert ask(definition, *rows, k="nobody") == ask(definition, *rows, k=None) == (0.0, 7.0, 7.0)
    assert oracle.expired_row(definition) == (7.0, 7.0, 7.0)


# -- visibility -------------------------------------------------------------------------------------------


def test_late_data_is_invisible_until_it_is_known() -> None:
    late = row("08:30", created="10:05", x=9.0)
    slow = view(X, data_delay=timedelta(minutes=5), publish_delay=timedelta(minutes=5))
    assert ask(slow, late, t="10:59") is None, "known at the cutoff is not known before it"
    assert ask(slow, late, t="11:05") == 9.0
    assert ask(slow, {**late, "created_timestamp": at("10:05") - MICROSECOND}, t="10:05") == 9.0


def test_an_event_at_the_snapshot_time_belongs_to_the_next() -> None:
    generous = view(X, data_delay=HOUR, publish_delay=HOUR)
    assert ask(generous, row("10:00", x=1.0), t="11:00") is None
    assert ask(generous, row("10:00", x=1.0), t="12:00") == 1.0


def test_a_row_without_created_timestamp_is_known_when_it_happens() -> None:
    without = {name: value for name, value in row("09:59", x=1.0).items() if name != "created_timestamp"}
    assert ask(view(X), without) == ask(view(X), row("09:59", x=1.0)) == 1.0


def test_a_row_without_event_time_is_never_visible() -> None:
    assert ask(view(X), row(None, created="08:00", x=1.0), row(None, x=2.0)) is None


def test_a_correction_replaces_its_event_once_known_whatever_its_key_and_time() -> None:
    told = row("08:30", created="08:31", e="1", x=1.0)
    moved = row("09:30", created="10:30", e="1", x=2.0, k="b")
    definition = view(X, event_id=("e",))
    assert [ask(definition, told, moved, k=k, t="10:00") for k in "ab"] == [1.0, None]
    assert [ask(definition, told, moved, k=k, t="11:00") for k in "ab"] == [None, 2.0]


def test_a_correction_into_the_future_or_to_no_time_hides_its_event() -> None:
    told = row("08:30", created="08:31", e="1", x=1.0)
    definition = view(X, event_id=("e",))
    assert ask(definition, told, row("15:00", created="09:00", e="1", x=2.0)) is None
    assert ask(definition, told, row(None, created="09:00", e="1", x=2.0)) is None


def test_versions_known_at_the_same_time_tie_as_newest_does() -> None:
    one, two = row("08:30", created="09:00", e="1", x=9.0), row("08:31", created="09:00", e="1", x=1.0)
    assert ask(view(X, event_id=("e",)), two, one) == 1.0
    for keys in ("ab", "ba"):
        twins = [row("08:30", created="09:00", e="1", x=1.0, k=k) for k in keys]
        assert [ask(view(X, event_id=("e",)), *twins, k=k) for k in "ab"] == [None, 1.0]


def test_null_ids_stand_alone_and_ids_of_two_columns_need_both() -> None:
    rows = [row("09:00", e="1", v=1, n=1), row("09:01", e="1", v=2, n=10), row("09:02", e="1", v=2, n=100)]
    rows += [row("09:03", e="1", n=1000), row("09:04", e="1", n=10000)]
    total = Agg("sum", N, HOUR)
    assert ask(view(total, event_id=("e", "v")), *rows) == 11101.0
    assert ask(view(total, event_id=("e",)), *rows) == 10000.0


# -- who sees which snapshot ------------------------------------------------------------------------------

LATE = {"publish_delay": timedelta(minutes=10)}


def history(*events: str, tick: str = "10:00") -> tuple[Entry, ...]:
    """Events written `kind revision [usable_from]`."""
    entries = []
    for event in events:
        kind, revision, *usable = event.split()
        entries.append(Entry(kind, at(tick), revision, at(usable[0]) if usable else None))
    return tuple(entries)


def seen(*events: str, t: str, **rest: Any) -> tuple[str, str, str | None]:
    """(snapshot, how, revision) at `t` with that history of the 10:00 snapshot."""
    got = oracle.seen_at(view(X, history=history(*events), **{**LATE, **rest}), at(t))
    return got.snapshot_time.strftime("%H:%M"), got.how, got.revision


def test_a_snapshot_is_seen_from_when_it_is_due() -> None:
    assert seen(t="10:09:59.999999") == ("09:00", "computed", None)
    assert seen(t="10:10") == ("10:00", "computed", None)
    assert seen("built r", "passed r", t="10:10") == ("10:00", "stored", "r")


def test_unchecked_and_not_yet_usable_revisions_count_as_unbuilt() -> None:
    assert seen("built r", t="10:30") == ("10:00", "computed", None)
    assert seen("built r 10:40", "passed r", t="10:39:59.999999") == ("10:00", "computed", None)
    assert seen("built r 10:40", "passed r", t="10:40") == ("10:00", "stored", "r")


def test_a_blocked_snapshot_is_skipped_until_it_is_accepted() -> None:
    assert seen("built r", "blocked r", t="10:30") == ("09:00", "skipped", None)
    accepted = ("built r", "blocked r", "accepted r 10:40")
    assert seen(*accepted, t="10:39:59.999999") == ("09:00", "skipped", None)
    assert seen(*accepted, t="10:40") == ("10:00", "stored", "r")


def test_an_acceptance_does_not_restrict_what_passed_by_itself() -> None:
    assert seen("built r", "passed r", "accepted r 10:40", t="10:10") == ("10:00", "stored", "r")


def test_a_rollback_withdraws_and_a_later_acceptance_restores() -> None:
    withdrawn = ("built r", "passed r", "withdrawn r")
    assert seen(*withdrawn, t="10:30") == ("09:00", "skipped", None)
    assert seen(*withdrawn, "built r", "passed r", t="10:30") == ("09:00", "skipped", None)
    assert seen(*withdrawn, "accepted r 10:40", t="10:39") == ("09:00", "skipped", None)
    assert seen(*withdrawn, "accepted r 10:40", t="10:40") == ("10:00", "stored", "r")


def test_the_newest_good_usable_revision_is_in_force() -> None:
    assert seen("built r", "passed r", "built q", "blocked q", t="10:30")[2] == "r"
    assert seen("built r", "passed r", "built q", "passed q", "withdrawn q", t="10:30")[2] == "r"
    two = ("built r", "passed r", "built q 10:20", "passed q")
    assert [seen(*two, t=t)[2] for t in ("10:19:59.999999", "10:20")] == ["r", "q"]


def test_a_rebuild_makes_its_revision_the_newest_from_that_entry_on() -> None:
    again = ("built r", "passed r", "built q 10:20", "passed q", "built r 10:30", "passed r")
    assert [seen(*again, t=t)[2] for t in ("10:15", "10:25", "10:30")] == ["r", "q", "r"]


def test_blocked_beside_a_good_revision_that_is_not_usable_yet_is_skipped() -> None:
    events = ("built r", "blocked r", "built q 10:40", "passed q")
    assert [seen(*events, t=t) for t in ("10:30", "10:40")] == [
        ("09:00", "skipped", None),
        ("10:00", "stored", "q"),
    ]


def test_revisions_of_another_fingerprint_are_none_of_our_business() -> None:
    other = tuple(replace(entry, fingerprint="other") for entry in history("built r", "blocked r"))
    assert oracle.seen_at(view(X, history=other), at("10:00")).how == "computed"


def test_too_few_ticks_are_an_error_not_an_answer() -> None:
    with pytest.raises(ValueError, match="no tick is due"):
        seen(t="01:00")


def test_stored_values_are_read_and_not_computed() -> None:
    stored = {"r": {("a",): (42.0,)}}
    definition = view(X, history=history("built r", "passed r"), default=-1.0)
    assert ask(definition, row("09:30", x=1.0), stored=stored) == 42.0
    assert ask(definition, row("09:30", x=1.0, k="b"), k="b", stored=stored) == -1.0
    assert ask(definition, row("09:30", x=1.0), t="09:59", stored=stored) == -1.0


def test_a_view_is_expired_from_the_instant_on_for_everybody() -> None:
    stale = view(Agg("count", None, HOUR), max_staleness=HOUR, history=history("built r", "blocked r"))
    assert [ask(stale, row("08:30"), t=t) for t in ("09:59:59.999999", "10:00")] == [1.0, None]
    assert ask(stale, row("08:30"), t="10:00", k=None) is None


def test_as_of_event_is_a_snapshot_at_the_very_instant() -> None:
    stale = view(X, max_staleness=HOUR, data_delay=HOUR, history=history("built r", "blocked r"), **LATE)
    rows = [row("09:30", created="09:40", x=1.0)]
    times = ("09:40", "09:40:00.000001", "15:00")
    assert [ask(stale, *rows, t=t, as_of="event") for t in times] == [None, 1.0, 1.0]
