"""The engine and the oracle agree, in bits, on the whole corpus: stored, computed, skipped and expired alike."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from skewless.offline.binding import BoundView
from skewless.offline.columns import SNAPSHOT
from skewless.offline.complete import Moment
from skewless.offline.engine import snapshots
from skewless.offline.source import read_source
from skewless.settings import Settings
from skewless.timeline import to_micros
from tests import oracle
from tests.corpus import Case, corpus, describe, expected, explained, shrink
from tests.spark.corpus_store import CorpusStore, differences

FAST = corpus()


@pytest.mark.parametrize("name", [view.name for view in FAST.views])
def test_training_rows_and_snapshots_are_what_the_oracle_says(
    name: str, services: Settings, spark: SparkSession, tmp_path: Path
):
    made = CorpusStore.make(FAST.cases[name], services, tmp_path)
    check(made, services, tmp_path)
    check_snapshots(made, spark)


def check_snapshots(made: CorpusStore, spark: SparkSession) -> None:
    """Two complete snapshots, from one job."""
    truth, keys = made.cases[0].view.truth, made.view.join_keys
    bound = BoundView(made.view, read_source(spark, made.view.source, made.store.settings.warehouse))
    ticks = (truth.ticks[4], truth.ticks[8])
    moments = [Moment(to_micros(tick), to_micros(tick + truth.data_delay)) for tick in ticks]
    rows = snapshots(bound, moments).toArrow().to_pylist()
    wanted = {
        (to_micros(tick), case.number, *key): list(map(oracle.bits, values))
        for tick in ticks
        for case in made.cases
        for key, values in oracle.snapshot(truth, case.source, tick, tick + truth.data_delay).items()
    }
    built = {
        (row[SNAPSHOT], *(row[key] for key in keys)): [oracle.bits(row[item]) for item in made.view.fields]
        for row in rows
    }
    assert built == wanted
    assert len(rows) == len(wanted)


@pytest.mark.parametrize(
    "seed",
    [pytest.param(seed, marks=pytest.mark.slow if seed == 1 else pytest.mark.long) for seed in (1, 2, 3, 4)],
)
def test_thousands_of_cases_more(seed: int, services: Settings, spark: SparkSession, tmp_path: Path):
    more = corpus(seed=seed, views=12, cases=60)
    for view in more.views:
        check(CorpusStore.make(more.cases[view.name], services, tmp_path), services, tmp_path)


def check(made: CorpusStore, services: Settings, folder: Path) -> None:
    """Ask all cases of a view at once; report a failing one alone, and small."""
    for as_of in ("scheduled", "event"):
        found = differences(made, as_of, expected, explained)
        if found:
            number = int(found[0].split(",")[0].removeprefix("case "))
            case = next(case for case in made.cases if case.number == number)
            pytest.fail(
                f"as_of={as_of!r}: {len(found)} answers differ\n{smallest(case, as_of, services, folder)}"
            )


def smallest(case: Case, as_of: str, services: Settings, folder: Path) -> str:
    """The failing case after shrinking, with what differs; at most 40 attempts, each a Spark job."""
    attempts = iter(range(40))

    def fails(candidate: Case) -> bool:
        return next(attempts, None) is not None and bool(asked_alone(candidate, as_of, services, folder))

    small = shrink(case, fails) if fails(case) else case
    return "\n".join([describe(small), *asked_alone(small, as_of, services, folder)])


def asked_alone(case: Case, as_of: str, services: Settings, folder: Path) -> list[str]:
    """What differs when the case is asked without the others."""
    tried = folder / f"alone_{len(list(folder.iterdir()))}"
    return differences(CorpusStore.make([case], services, tried), as_of, expected, explained)


def test_source_without_rows_gives_absent_rows(services: Settings, spark: SparkSession, tmp_path: Path):
    case = FAST.cases["view_00"][0]
    empty = Case(case.number, case.view, (), {}, case.spine)
    made = CorpusStore.make([empty], services, tmp_path)
    assert differences(made, "event", expected, explained) == []
