"""The author's expectations are judged by Great Expectations, on the rows, and never pass by mistake."""

import socket
from datetime import UTC, datetime

import pytest

from skewless import DeltaSource, Entity, Expectation, FeatureView, Field
from skewless.errors import DefinitionError
from skewless.quality import Facts, check, validate_expectations
from skewless.types import Float64, String

T = datetime(2013, 7, 1, 10, tzinfo=UTC)
ROWS = [("a", 1.0, "x"), ("b", -3.0, None), ("c", None, "y"), ("d", 5.0, "x")]


def view(*expectations: Expectation) -> FeatureView:
    return FeatureView(
        name="stats",
        entities=[Entity(name="user", join_keys=["user_id"])],
        source=DeltaSource(name="transactions", path="sources/transactions", timestamp_field="at"),
        schema=[Field(name="amount", dtype=Float64), Field(name="merchant", dtype=String)],
        expectations=expectations,
    )


def judge(spark, *expectations: Expectation, rows=ROWS):
    columns = "user_id string, amount double, merchant string, _revision string"
    df = spark.createDataFrame([(*row, "r1") for row in rows], columns)
    facts = Facts(rows=len(rows), distinct_keys=len(rows), previous_rows=None, newest_event=T)
    return check(df, view(*expectations), snapshot_time=T, revision="r1", facts=facts)


def between(**arguments) -> Expectation:
    return Expectation("expect_column_values_to_be_between", column="amount", **arguments)


def authors(verdict):
    return [result for result in verdict.results if not result.expectation.startswith("skewless_")]


def test_each_result_is_what_great_expectations_finds_in_the_rows_and_in_the_authors_order(spark):
    verdict = judge(
        spark,
        between(min_value=0),
        Expectation("expect_column_values_to_not_be_null", column="merchant", severity="warning"),
        between(min_value=0, mostly=0.6),
        Expectation("expect_table_row_count_to_equal", value=4),
        Expectation(
            "expect_table_columns_to_match_ordered_list", column_list=["user_id", "amount", "merchant"]
        ),
        Expectation("expect_column_distinct_values_to_be_in_set", column="merchant", value_set=["x"]),
    )
    found = [(r.success, r.severity, r.column, r.unexpected_count, r.total) for r in authors(verdict)]
    assert found == [
        (False, "critical", "amount", 1, 3),
        (False, "warning", "merchant", 1, 4),
        (True, "critical", "amount", 1, 3),
        (True, "critical", None, None, None),
        (True, "critical", None, None, None),
        (False, "critical", "merchant", None, None),
    ]
    assert [result.observed for result in authors(verdict)][:1] == ["[-3.0]"]
    assert [result.sentence for result in verdict.failures] == [
        "amount between 0 and ...: 1 of 3 values below 0",
        "merchant distinct values to be in set (value_set=['x']): observed ['y']",
    ]
    assert [result.sentence for result in verdict.warnings] == ["merchant not null: 1 of 4 values fail"]
    assert not verdict.passed


def test_the_rows_decide_it(spark):
    sound = [("a", 1.0, "x"), ("b", 3.0, "y")]
    assert judge(spark, between(min_value=0), rows=sound).passed
    assert not judge(spark, between(min_value=0), rows=[*sound, ("c", -0.5, "x")]).passed


def test_an_expectation_that_cannot_be_evaluated_fails_alone_and_says_so(spark):
    on_text = Expectation("expect_column_values_to_be_between", column="merchant", min_value=0)
    verdict = judge(spark, on_text, between(min_value=-10))
    broken, sound = authors(verdict)
    assert not broken.success
    assert "could not be evaluated" in broken.sentence
    assert "column of type StringType" in broken.sentence
    assert (sound.success, sound.total) == (True, 3)
    assert verdict.failures == (broken,)


def test_one_that_breaks_the_query_does_not_take_the_others_with_it(spark):
    no_cast = Expectation("expect_column_values_to_be_in_set", column="amount", value_set=["x"])
    verdict = judge(spark, no_cast, between(min_value=-10))
    assert [result.success for result in authors(verdict)] == [False, True]
    assert "could not be evaluated" in authors(verdict)[0].sentence


def test_an_empty_revision_is_blocked_though_its_columns_pass(spark):
    verdict = judge(spark, between(min_value=0), rows=[])
    assert [result.success for result in authors(verdict)] == [True]
    assert [result.expectation for result in verdict.failures] == ["skewless_not_empty"]


def test_it_caches_nothing_on_the_server_and_calls_nobody(spark, monkeypatch):
    connected: list[str] = []
    connect = socket.socket.connect

    def listening(self, address):
        connected.append(str(address))
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", listening)
    df = spark.createDataFrame(
        [("a", 1.0, "x", "r1")], "user_id string, amount double, merchant string, _revision string"
    )
    facts = Facts(rows=1, distinct_keys=1, previous_rows=None, newest_event=T)
    assert check(df, view(between(min_value=0)), snapshot_time=T, revision="r1", facts=facts).passed
    assert not df.select("user_id", "amount", "merchant").storageLevel.useMemory
    assert not [address for address in connected if "127.0.0.1" not in address]


@pytest.mark.parametrize(
    ("expectation", "message"),
    [
        (
            Expectation("expect_column_values_to_be_betwen", column="amount", min_value=0),
            "(did you mean 'expect_column_values_to_be_between'?)",
        ),
        (between(min_val=0, max_value=1), "min_val: extra fields not permitted (did you mean 'min_value'?)"),
        (between(min_value=0, mostly=3), "mostly: ensure this value is less than or equal to 1.0"),
        (Expectation("expect_column_values_to_not_be_null"), "column: field required"),
        (between(), "min_value and max_value cannot both be None"),
        (
            Expectation("expect_column_quantile_values_to_be_between", column="amount", quantile_ranges={}),
            "quantiles wrongly on Spark",
        ),
    ],
)
def test_an_expectation_that_cannot_be_meant_is_told_with_file_and_line(expectation, message):
    problems = validate_expectations(view(between(min_value=0), expectation))
    assert len(problems) == 1
    assert problems[0].file == __file__
    assert problems[0].name == "stats"
    assert expectation.type in problems[0].message
    assert message in problems[0].message


def test_a_check_refuses_it(spark):
    with pytest.raises(DefinitionError, match="did you mean"):
        judge(spark, Expectation("expect_column_values_to_be_betwen", column="amount"))
