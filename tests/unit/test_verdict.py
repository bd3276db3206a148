"""Verdicts: what blocks, what is said, what is kept. Great Expectations itself is in spark/."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable

from skewless import DeltaSource, Entity, FeatureView, Field
from skewless.errors import DataError
from skewless.quality import CheckResult, Facts, Verdict, Verdicts
from skewless.quality.builtin import builtin_results
from skewless.quality.sentences import claim, counted
from skewless.timeline import MICROSECOND, FixedClock
from skewless.types import Float32

T = datetime(2013, 7, 1, 10, tzinfo=UTC)
SILENCE = timedelta(hours=3)


def view(**values) -> FeatureView:
    source = DeltaSource(
        name="transactions",
        path="sources/transactions",
        timestamp_field="at",
        max_silence=values.pop("max_silence", None),
    )
    return FeatureView(
        name="transaction_stats",
        entities=[Entity(name="user", join_keys=["user_id"])],
        source=source,
        schema=[Field(name="amount", dtype=Float32)],
        **values,
    )


def facts(**values) -> Facts:
    return Facts(
        **{"rows": 100, "distinct_keys": 100, "previous_rows": 100, "newest_event": T - MICROSECOND} | values
    )


def failed(view_: FeatureView, facts_: Facts) -> list[str]:
    return [result.expectation for result in builtin_results(view_, T, facts_) if not result.success]


# -- the built-in checks ----------------------------------------------------------------------------------


def test_a_sound_revision_passes_what_is_always_checked():
    results = builtin_results(view(max_silence=SILENCE), T, facts())
    assert [(result.expectation, result.success, result.severity) for result in results] == [
        ("skewless_keys_are_unique", True, "critical"),
        ("skewless_not_empty", True, "critical"),
        ("skewless_min_rows", True, "critical"),
        ("skewless_source_not_silent", True, "critical"),
    ]


def test_repeated_keys_are_counted():
    result = builtin_results(view(), T, facts(rows=10_412, distinct_keys=10_409))[0]
    assert (result.success, result.unexpected_count, result.total) == (False, 3, 10_412)
    assert result.sentence == "user_id unique: 3 of 10,412 rows repeat a key"


def test_an_empty_revision_is_blocked_even_with_nothing_to_compare():
    assert failed(view(), facts(rows=0, distinct_keys=0, previous_rows=None)) == ["skewless_not_empty"]


@pytest.mark.parametrize(
    ("min_rows", "rows", "previous", "ok"),
    [
        (0.5, 50, 100, True),
        (0.5, 49, 100, False),
        (0.5, 51, 101, True),
        (0.5, 50, 101, False),
        (0.55, 55, 100, True),  # in floats 0.55 * 100 is 55.000000000000007
        (0, 1, 10**6, True),
        (1, 99, 100, False),
        (0.5, 1, None, True),
    ],
)
def test_min_rows_is_an_exact_share_of_the_previous_snapshot(min_rows, rows, previous, ok):
    found = failed(view(min_rows=min_rows), facts(rows=rows, distinct_keys=rows, previous_rows=previous))
    assert found == ([] if ok else ["skewless_min_rows"])


@pytest.mark.parametrize(
    ("newest", "ok"),
    [(T - SILENCE, True), (T - SILENCE - MICROSECOND, False), (T - MICROSECOND, True), (None, False)],
)
def test_a_source_is_silent_once_its_newest_event_is_older_than_max_silence(newest, ok):
    assert failed(view(max_silence=SILENCE), facts(newest_event=newest)) == (
        [] if ok else ["skewless_source_not_silent"]
    )


def test_silence_is_not_checked_where_no_max_silence_is_given():
    assert failed(view(), facts(newest_event=None)) == []
    assert len(builtin_results(view(), T, facts())) == 3


# -- sentences --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("type_", "arguments", "sentence"),
    [
        ("expect_column_values_to_be_between", {"column": "a", "max_value": 1}, "a between ... and 1"),
        (
            "expect_column_values_to_not_be_null",
            {"column": "a", "mostly": 0.9},
            "a not null for at least 90%",
        ),
        ("expect_column_mean_to_be_between", {"column": "a", "min_value": 0}, "a mean between 0 and ..."),
        ("expect_table_row_count_to_be_between", {"min_value": 7}, "table row count between 7 and ..."),
        (
            "expect_compound_columns_to_be_unique",
            {"column_list": ["a", "b"]},
            "a, b compound columns to be unique",
        ),
    ],
)
def test_an_expectation_reads_as_a_claim(type_, arguments, sentence):
    assert claim(type_, arguments) == sentence


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"min_value": 0}, "3 of 10,412 values below 0"),
        ({"max_value": 9}, "3 of 10,412 values above 9"),
        ({"min_value": 0, "max_value": 9}, "3 of 10,412 values outside"),
        ({}, "3 of 10,412 values fail"),
    ],
)
def test_what_breaks_it_is_counted_with_its_direction(arguments, sentence):
    assert counted(3, 10_412, arguments) == sentence


# -- the verdict ------------------------------------------------------------------------------------------

GOOD = CheckResult(expectation="skewless_not_empty", sentence="not empty: 9 rows", success=True)
BAD = CheckResult(
    expectation="expect_column_values_to_be_between",
    sentence="amount between 0 and ...: 3 of 10,412 values below 0",
    success=False,
    column="amount",
    arguments='{"column": "amount", "min_value": 0}',
    observed="[-1.0]",
    unexpected_count=3,
    total=10_412,
)
WARNING = replace(BAD, severity="warning", sentence="last_merchant not null: 2 of 9 values fail")


def verdict(*results: CheckResult) -> Verdict:
    return Verdict(view="transaction_stats", snapshot_time=T, revision="r1", results=results)


def test_a_failed_critical_check_blocks_and_a_warning_does_not():
    assert verdict(GOOD).passed
    assert verdict(GOOD, WARNING).passed
    assert not verdict(GOOD, BAD).passed


def test_a_verdict_without_any_result_is_no_pass():
    assert not verdict().passed


def test_a_severity_that_nobody_knows_blocks():
    assert not verdict(replace(BAD, severity="info")).passed


def test_a_block_says_what_failed_who_reads_what_and_the_ways_out():
    assert verdict(GOOD, BAD, WARNING).message() == (
        "'transaction_stats' at 2013-07-01T10:00:00Z was not published: 1 of its 3 checks failed\n"
        "  amount between 0 and ...: 3 of 10,412 values below 0\n"
        "  warning: last_merchant not null: 2 of 9 values fail\n"
        "Readers keep the previous snapshot. If the source corrects itself, nothing is to be done; else\n"
        "  repair the source and build again (in Airflow: clear the run from build), or\n"
        "  use a late correction:  skewless build transaction_stats --snapshot-time 2013-07-01T10:00:00Z"
        " --known-until now\n"
        "  or accept it as it is:  skewless accept transaction_stats --snapshot-time 2013-07-01T10:00:00Z"
        ' --reason "..."'
    )


def test_a_pass_shows_its_warnings():
    assert verdict(GOOD).message() == "'transaction_stats' at 2013-07-01T10:00:00Z passed: 1 check"
    assert verdict(GOOD, WARNING).message() == (
        "'transaction_stats' at 2013-07-01T10:00:00Z passed: 2 checks, 1 warning\n"
        "  warning: last_merchant not null: 2 of 9 values fail"
    )


# -- the table --------------------------------------------------------------------------------------------


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return str(tmp_path / "verdicts" / "transaction_stats")


def test_the_newest_verdict_of_a_revision_is_read_as_it_was_given(uri):
    clock = FixedClock(T)
    verdicts = Verdicts(uri, "transaction_stats", clock)
    assert verdicts.newest("r1") is None
    verdicts.append(verdict(BAD, GOOD))
    clock.at = T + MICROSECOND
    verdicts.append(verdict(GOOD, WARNING, BAD))
    verdicts.append(replace(verdict(GOOD), revision="it's another"))
    clock.at = T - MICROSECOND
    verdicts.append(verdict(GOOD))
    assert verdicts.newest("r1") == verdict(GOOD, WARNING, BAD)
    assert verdicts.newest("it's another") == replace(verdict(GOOD), revision="it's another")
    assert verdicts.newest("nobody") is None
    assert DeltaTable(uri).to_pyarrow_table().num_rows == 7


def test_a_damaged_table_says_where_it_is(uri):
    verdicts = Verdicts(uri, "transaction_stats", FixedClock(T))
    verdicts.append(verdict(GOOD))
    next(Path(uri).glob("*.parquet")).write_bytes(b"PAR1")
    with pytest.raises(DataError) as caught:
        verdicts.newest("r1")
    assert uri in str(caught.value)
    assert "check again" in str(caught.value)
