"""Lookups from Python: ours, the bare MGET of the same keys, and Feast's, in turn."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.columns import Integers
from benchmarks.online import feast_online, ours
from benchmarks.online.awake import awake
from benchmarks.online.figures import Figure
from benchmarks.online.names import BARE, FEAST, FEAST_DF, OURS, OURS_ROWS, batch
from benchmarks.online.server import connected
from benchmarks.online.stage import FEATURES, Stage, demand_exact
from benchmarks.online.timing import Timed, in_turn

if TYPE_CHECKING:
    import redis
    from feast import FeatureStore

    from skewless.online.answer import Answer
    from skewless.online.reader import OnlineReader

BATCHES = (1, 10, 100, 1000)
_FEWER = {1: 1, 10: 1, 100: 2, 1000: 4}  # by how much there are fewer calls than of one entity
_FEAST_EVERY = 10  # turns: it would take most of the time else
_CHECKED = 10_000


def python(stage: Stage) -> Iterator[Figure]:
    """Check that both give what was published; then measure."""
    store = feast_online.opened(feast_online.folder(stage))
    random, expected = np.random.default_rng(12), stage.expected(1)
    with ours.reading(stage) as reader, connected(stage.url) as server:
        some, known = (
            random.permutation(stage.users)[:_CHECKED],
            random.permutation(stage.peer_users)[:_CHECKED],
        )
        demand_exact(partial(ours.read, reader), some, expected)
        demand_exact(partial(feast_online.read, store), known, expected)
        for size in BATCHES:
            calls = _calls(reader, server, ours.key_prefix(stage), store)
            draw = partial(random.choice, stage.peer_users, size)
            with awake():
                in_turn(calls, draw, stage.sizes.rounds // _FEWER[size])
            yield from (Figure(name, batch(size), timed.measures()) for name, timed in calls.items())


def _calls(reader: OnlineReader, server: redis.Redis, prefix: str, store: FeatureStore) -> dict[str, Timed]:
    def lookup(users: Integers) -> Answer:
        return reader.read(FEATURES, {"user_id": users})

    return {
        OURS: Timed(lambda users: lookup(users).numpy()),
        OURS_ROWS: Timed(lambda users: lookup(users).rows),
        BARE: Timed(server.mget, prepare=lambda users: [f"{prefix}{user}" for user in users]),
        FEAST: Timed(lambda users: feast_online.ask(store, users).to_dict(), every=_FEAST_EVERY),
        FEAST_DF: Timed(lambda users: feast_online.ask(store, users).to_df(), every=_FEAST_EVERY),
    }
