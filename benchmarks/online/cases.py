"""What is measured of publishing and looking up: each case's data, programs, columns, and the ratios to reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.cases import Scale
from benchmarks.online.figures import Bound, Key, Ratio
from benchmarks.online.names import (
    ALL_CHANGED,
    BARE,
    CHANGED,
    DRIFT,
    EMPTY,
    FEAST,
    FEAST_DF,
    FEAST_FAST,
    FEAST_MATERIALIZE,
    FLOOR,
    OURS,
    batch,
    saturated,
)
from benchmarks.online.stage import Sizes
from benchmarks.online.turnover import Turnover
from benchmarks.snapshots import Snapshots


class Column(NamedTuple):
    """A column of a case's table: a measure, in a unit of which it has `per`."""

    header: str
    measure: str
    decimals: int = 1
    per: float = 1.0


@dataclass(frozen=True)
class OnlineCase:
    """A case on a server of its own.

    data      where its readers and publishers find their snapshots
    sizes     how much of it is measured, at each scale
    load      a program that is run once, before all others; what it measures is dropped
    programs  module:function in `benchmarks.online`, by what they are of; without a load each finds an empty server
    plotted   the column of its picture
    """

    name: str
    title: str
    data: Mapping[Scale, Snapshots]
    sizes: Mapping[Scale, Sizes]
    programs: Mapping[str, str]
    columns: tuple[Column, ...]
    plotted: Column
    targets: tuple[Ratio | Bound, ...]
    load: str = ""

    def rows(self, scale: Scale) -> dict[str, int]:
        """How large it is; Feast has fewer entities, where it takes part."""
        data = self.data[scale]
        peers = self.sizes[scale].peer_users if FEAST in self.programs or "both" in self.load else 0
        return {"snapshots": data.snapshots, "entities": data.users, "entities of Feast": peers}


_TURNOVER: Mapping[Scale, Snapshots] = {
    "small": Turnover(users=10_000),
    "medium": Turnover(users=100_000),
    "full": Turnover(users=1_000_000),
}
_ALL_NEW: Mapping[Scale, Snapshots] = {
    "small": Snapshots(6, 2_000, 0, seed=11),
    "medium": Snapshots(12, 50_000, 0, seed=11),
    "full": Snapshots(24, 100_000, 0, seed=11),
}
_SIZES: Mapping[Scale, Sizes] = {
    "small": Sizes(peer_users=1_000, rounds=200, seconds=1.0),
    "medium": Sizes(peer_users=10_000, rounds=1000, seconds=3.0),
    "full": Sizes(peer_users=100_000, rounds=2000, seconds=10.0),
}
_FEWER: Mapping[Scale, Sizes] = {
    "small": Sizes(peer_users=1_000, rounds=0, seconds=0),
    "medium": Sizes(peer_users=10_000, rounds=0, seconds=0),
    "full": Sizes(peer_users=30_000, rounds=0, seconds=0),
}

_PUBLISHED = (
    Column("rows", "rows", 0),
    Column("rows/s", "rate", 0),
    Column("wall, s", "wall", 2),
    Column("CPU, s", "cpu", 2),
    Column("server's CPU, s", "server_cpu", 2),
)
_ASKED = (
    Column("p50, µs", "p50", 0),
    Column("p99, µs", "p99", 0),
    Column("CPU, µs", "cpu_us", 0),
    Column("lookups", "samples", 0),
)
_SERVED = (
    Column("p50, ms", "p50", 2, 1e3),
    Column("p99, ms", "p99", 2, 1e3),
    Column("requests/s", "rate", 0),
    Column("CPU of a request, µs", "cpu_us", 0),
)

_FULL = OnlineCase(
    "publish_full",
    "publish 1M entities of 10 float32 from Delta, flip included",
    _TURNOVER,
    _SIZES,
    {
        OURS: "publishing:full",
        FLOOR: "publishing:floor",
        FEAST: "publishing:feast",
        FEAST_FAST: "publishing:feast_fast",
        FEAST_MATERIALIZE: "publishing:feast_materialize",
    },
    _PUBLISHED,
    _PUBLISHED[1],
    (
        Ratio(
            "time per row, warm, beside Feast",
            Key(OURS, EMPTY, "warm"),
            Key(FEAST, EMPTY, "warm"),
            "row_us",
            1 / 30,
        ),
        Ratio(
            "time per row, warm, beside Feast's skip_dedup",
            Key(OURS, EMPTY, "warm"),
            Key(FEAST_FAST, EMPTY, "warm"),
            "row_us",
            1 / 30,
        ),
        Ratio(
            "time per row, warm, beside the commands alone",
            Key(OURS, EMPTY, "warm"),
            Key(FLOOR, EMPTY, "warm"),
            "row_us",
            1 / 0.4,
        ),
    ),
)

_CHANGES = OnlineCase(
    "publish_5pct",
    "publish a snapshot of 1M entities of which 5% have changed",
    _TURNOVER,
    _SIZES,
    {OURS: "publishing:changes"},
    _PUBLISHED,
    _PUBLISHED[2],
    (
        Ratio(
            "wall time, warm, beside every row",
            Key(OURS, CHANGED, "warm"),
            Key(OURS, EMPTY, "warm"),
            "wall",
            1 / 5,
        ),
    ),
)

_BYTES = Column("bytes per entity", "bytes", 1)
_MEMORY = OnlineCase(
    "memory",
    "what the server keeps of an entity of 10 float32",
    _TURNOVER,
    _SIZES,
    {OURS: "publishing:memory", FEAST: "publishing:feast_memory"},
    (_BYTES,),
    _BYTES,
    tuple(
        Bound(f"bytes per entity, {words}", Key(OURS, work), "bytes", 190, "B")
        for work, words in (
            (EMPTY, "one slot"),
            (CHANGED, "5% of them with two slots"),
            (ALL_CHANGED, "all with two slots"),
        )
    ),
)

_PYTHON = OnlineCase(
    "lookup_python",
    "look entities of 10 float32 up from Python, to numpy",
    _TURNOVER,
    _SIZES,
    {"": "lookups:python"},
    _ASKED,
    _ASKED[0],
    (
        *(
            Ratio(
                f"p50 of {batch(size)}, beside MGET",
                Key(OURS, batch(size)),
                Key(BARE, batch(size)),
                "p50",
                1.5,
            )
            for size in (1, 10, 100, 1000)
        ),
        *(
            Ratio(
                f"p50 of {batch(size)}, beside {peer}",
                Key(OURS, batch(size)),
                Key(peer, batch(size)),
                "p50",
                at_most,
            )
            for peer in (FEAST, FEAST_DF)
            for size, at_most in ((1, 1 / 3), (100, 1 / 20), (1000, 1 / 20))
        ),
    ),
    load="publishing:load_both",
)

_HTTP = OnlineCase(
    "lookup_http",
    "look entities of 10 float32 up over HTTP, from one process",
    _TURNOVER,
    _SIZES,
    {OURS: "serving:ours", FEAST: "serving:feast"},
    _SERVED,
    _SERVED[2],
    tuple(
        Ratio(
            f"time per request of {batch(size)}, as many as it can, beside Feast",
            Key(OURS, saturated(size)),
            Key(FEAST, saturated(size)),
            "request_us",
            1 / 3,
        )
        for size in (1, 100)
    ),
    load="publishing:load_both",
)


def _client(name: str, language: str) -> OnlineCase:
    return OnlineCase(
        name,
        f"look entities of 10 float32 up from {language}, to columns",
        _TURNOVER,
        _SIZES,
        {"": f"clients:{language.lower()}"},
        (_ASKED[0], _ASKED[1], _ASKED[3]),
        _ASKED[0],
        (
            Ratio(
                "p50 of 100 entities, beside MGET", Key(OURS, batch(100)), Key(BARE, batch(100)), "p50", 1.5
            ),
        ),
        load="publishing:load",
    )


_DRIFT = OnlineCase(
    "drift",
    "two readers of 100 and 1,000 entities by turns, while snapshots are published back to back",
    _ALL_NEW,
    _FEWER,
    {OURS: "drift:publishing", FEAST: "drift:feast"},
    (
        Column("published", "published", 0),
        Column("in s", "wall"),
        Column("lookups", "lookups", 0),
        Column("rows", "rows", 0),
        Column("mixed lookups, %", "mixed_share", 1, 0.01),
        Column("rows missing", "gaps", 0),
        Column("rows of no snapshot", "wrong", 0),
    ),
    Column("mixed lookups, %", "mixed_share", 1, 0.01),
    tuple(
        Bound(words, Key(OURS, DRIFT), measure, 0, "")
        for words, measure in (
            ("mixed lookups", "mixed"),
            ("rows missing", "gaps"),
            ("rows of no snapshot", "wrong"),
        )
    ),
)

ONLINE = {
    case.name: case
    for case in (
        _FULL,
        _CHANGES,
        _MEMORY,
        _PYTHON,
        _HTTP,
        _client("lookup_java", "Java"),
        _client("lookup_go", "Go"),
        _DRIFT,
    )
}
