"""Revisions of a view whose every row is known beforehand: whoever reads can tell what he must get."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any

import pytest

from skewless import types
from skewless.ledger.events import Kind
from skewless.model import Field
from skewless.online.publication import Publication, Receipt
from skewless.online.publisher import publish
from tests.redis.stage import FEATURES, STATS, Stage

VIEW = replace(
    STATS, schema=[*STATS.schema[:1], Field(name="share", dtype=types.Float32, default=0.5), STATS.schema[2]]
)
ABSENT = (None, 0.5, None)
_COLUMNS = [feature.replace(":", "__") for feature in FEATURES]
_NEVER = 1_000_000

Row = tuple[int, float, str | None]


def seeds(long: int, short: int = 1) -> pytest.MarkDecorator:
    """Run a test with so many seeds, where `make test-faults` asks for the long form; FAULTS_SEED=7 takes that one."""
    only = os.environ.get("FAULTS_SEED")
    count = long if os.environ.get("FAULTS") == "long" else short
    return pytest.mark.parametrize("seed", [int(only)] if only else range(count), ids="seed-{}".format)


def repeated(long: int, short: int) -> int:
    """How often within a test."""
    return long if os.environ.get("FAULTS") == "long" else short


@dataclass(frozen=True)
class Revisions:
    """Revision 1, 2, ... of a view, a minute of snapshot time apart; a row tells which revision changed it last.

    Some entities change with every revision, others seldom or never; some come, go, and come back.
    """

    seed: int
    users: int = 1200
    begin: datetime = field(default_factory=lambda: datetime.now(UTC) - timedelta(hours=30))

    def time(self, number: int) -> datetime:
        """The snapshot time of a revision."""
        return self.begin + timedelta(minutes=number)

    def number(self, snapshot_time: datetime) -> int:
        """The revision of a snapshot time; ValueError where there is none."""
        number, rest = divmod(snapshot_time - self.begin, timedelta(minutes=1))
        if rest:
            raise ValueError(f"{snapshot_time} is of no revision")
        return number

    def live(self, stage: Stage) -> int:
        """The revision that the server has as live."""
        pointer = stage.state().pointer
        assert pointer is not None, "nothing is live"
        return self.number(pointer.snapshot_time)

    def told(self, stage: Stage, *kinds: Kind) -> list[int]:
        """The revisions that the ledger's events of these kinds are about."""
        return [self.number(event.snapshot_time) for event in stage.told(*kinds) if event.snapshot_time]

    def row(self, user: int, number: int) -> Row | None:
        """None: the entity is not in that revision."""
        period, presence, offset = self._habits[user]
        if presence and (number + offset) // presence % 2:
            return None
        changed = number - (number + offset) % period if period != _NEVER else 0
        return changed, changed / 4, f"w{user}.{changed}" * (1 + user % 5) if changed % 3 else None

    def rows(self, number: int) -> list[tuple[Any, ...]]:
        """Every row of a revision, keys first."""
        rows = ((user, self.row(user, number)) for user in range(self.users))
        return [(user, *row) for user, row in rows if row is not None]

    def looked_up(self, number: int) -> tuple[dict[str, Any], ...]:
        """What a lookup of all entities must give, in their order."""
        return _looked_up(self, number)

    @cached_property
    def _habits(self) -> list[tuple[int, int, int]]:
        chance = random.Random(self.seed)
        periods, presences = (1, 1, 2, 7, _NEVER), (0, 0, 1, 2, 5)
        return [
            (chance.choice(periods), chance.choice(presences), chance.randrange(10))
            for _ in range(self.users)
        ]


@lru_cache(maxsize=64)
def _looked_up(revisions: Revisions, number: int) -> tuple[dict[str, Any], ...]:
    rows = (revisions.row(user, number) or ABSENT for user in range(revisions.users))
    return tuple({"user_id": user, **dict(zip(_COLUMNS, row, strict=True))} for user, row in enumerate(rows))


def built(stage: Stage, revisions: Revisions, number: int) -> Publication:
    """Enter a revision as built."""
    return stage.built(revisions.time(number), len(revisions.rows(number)))


def published(
    stage: Stage, revisions: Revisions, number: int, again: Publication | None = None, **how: Any
) -> Receipt:
    """Build a revision (unless it is built) and publish it."""
    publication = again or built(stage, revisions, number)
    return publish(
        stage.place, publication, stage.rows_of(revisions.rows(number), publication.revision), **how
    )


def demand_live(stage: Stage, revisions: Revisions, number: int) -> None:
    """Demand that readers get all of a revision, and nothing else."""
    answer = stage.reader.read(FEATURES, [{"user_id": user} for user in range(revisions.users)])
    assert revisions.number(answer.views["stats"].snapshot_time) == number
    assert tuple(answer.rows) == revisions.looked_up(number)
