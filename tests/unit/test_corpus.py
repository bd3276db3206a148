"""Claims about the corpus that holds the engine to the oracle."""

from __future__ import annotations

from collections import Counter

import pytest

from tests import corpus as cases
from tests import oracle
from tests.oracle import Agg


@pytest.fixture(scope="module")
def corpus() -> cases.Corpus:
    return cases.corpus()


def test_the_corpus_hits_every_feature_in_a_twentieth_of_its_cases(corpus: cases.Corpus) -> None:
    tags = Counter(tag for case in corpus for tag in cases.features_of(case))
    total = len(list(corpus))
    assert total >= 400
    assert {tag: tags[tag] for tag in cases.FEATURES if tags[tag] < total / 20} == {}


def test_the_corpus_is_the_same_each_time(corpus: cases.Corpus) -> None:
    described = [cases.describe(case) for case in corpus]
    assert described == [cases.describe(case) for case in cases.corpus()]
    assert described != [cases.describe(case) for case in cases.corpus(seed=1)]


def test_the_corpus_sees_stored_computed_and_skipped_snapshots(corpus: cases.Corpus) -> None:
    ways = Counter(got.how for case in corpus for got in cases.explained(case))
    assert min(ways[how] / ways.total() for how in ("stored", "computed", "skipped")) > 0.1


def test_every_function_meets_every_null_rule(corpus: cases.Corpus) -> None:
    aggregates = [f.value for v in corpus.views for f in v.truth.fields if isinstance(f.value, Agg)]
    combinations = {(agg.function, agg.nulls) for agg in aggregates}
    assert len(combinations) == 3 * len(cases.FUNCTIONS)
    assert any(agg.column is None for agg in aggregates)


def test_a_fifth_of_the_answers_from_the_source_are_more_than_absent(corpus: cases.Corpus) -> None:
    telling = total = 0
    for case in corpus:
        absent = list(map(oracle.bits, oracle.absent_row(case.view.truth)))
        for values, got in zip(cases.expected(case), cases.explained(case), strict=True):
            if got.revision is None and not got.expired:
                total += 1
                telling += list(map(oracle.bits, values)) != absent
    assert telling > total / 5 > 100


def test_definitions_of_the_corpus_are_ones_that_a_person_may_write(corpus: cases.Corpus) -> None:
    for made in corpus.views:
        truth, interval = made.truth, cases.SCHEDULES[made.schedule]
        names = [*truth.keys, *(field.name for field in truth.fields)]
        assert len(names) == len(set(names))
        assert truth.publish_delay >= truth.data_delay
        assert truth.max_staleness is None or truth.max_staleness >= interval + truth.publish_delay
        assert truth.ttl is None or any(not isinstance(field.value, Agg) for field in truth.fields)
        assert {later - earlier for earlier, later in zip(truth.ticks, truth.ticks[1:], strict=False)} == {
            interval
        }


def test_event_ids_are_not_shared_between_cases(corpus: cases.Corpus) -> None:
    owners: dict[str, set[int]] = {}
    for case in corpus:
        for told in case.source:
            if told.get("e") is not None:
                owners.setdefault(told["e"], set()).add(case.number)
    assert owners
    assert all(len(numbers) == 1 for numbers in owners.values())


def test_a_failing_case_shrinks_to_what_makes_it_fail(corpus: cases.Corpus) -> None:
    def fails(case: cases.Case) -> bool:
        return any(told["x"] == 1.0 for told in case.source) and any(None in key for key, _ in case.spine)

    case = next(case for case in corpus if fails(case) and len(case.source) > 3)
    small = cases.shrink(case, fails)
    assert fails(small)
    assert (len(small.source), len(small.spine), len(small.view.truth.fields)) == (1, 1, 1)
    assert small.view.truth.history == ()
    text = cases.describe(small)
    assert "x=1.0" in text
    assert "None" in text
    assert len(text.splitlines()) <= 8
