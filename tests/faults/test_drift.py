"""Readers in processes while one publish follows another: no mixed read and no gap."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

from tests.faults.readers import Readers
from tests.faults.revisions import Revisions, demand_live, published, repeated
from tests.faults.servers import Server
from tests.redis.stage import Stage

pytestmark = pytest.mark.slow

SECONDS = repeated(long=600, short=12)
ENTITIES = repeated(long=10_000_000, short=200_000)  # at least, on a machine that others use too
LOOKUPS = repeated(long=10_000, short=300)


@pytest.mark.timeout(SECONDS * 2 + 120)
def test_no_lookup_is_mixed_or_lacks_a_row_during_publishes(
    start: Callable[..., Server], stage_at: Callable[[str], Stage]
) -> None:
    stage, revisions, chance = stage_at(start().url), Revisions(0), random.Random(0)
    published(stage, revisions, 1)
    number, until = 1, time.monotonic() + SECONDS
    with Readers.of(stage, revisions, threads=0, processes=2, pause=0) as readers:
        while time.monotonic() < until:
            number += 1
            readers.at_most(number)
            published(stage, revisions, number, full=chance.random() < 0.3)
            readers.at_least(number)
    demand_live(stage, revisions, number)
    assert readers.outcomes == {"ROWS": readers.outcomes.total()}
    assert number > 5
    assert readers.entities > ENTITIES
    assert readers.outcomes.total() > LOOKUPS
    print(f"{readers.outcomes.total():,} lookups of {readers.entities:,} entities during {number} publishes")
