"""Programs that publish: everything, what changed, and what of it the server keeps."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from benchmarks.answers import WrongAnswer
from benchmarks.columns import START
from benchmarks.online import feast_online, ours
from benchmarks.online.figures import Figure, Spent
from benchmarks.online.names import (
    AGAIN,
    ALL_CHANGED,
    CHANGED,
    EMPTY,
    FEAST,
    FEAST_FAST,
    FEAST_MATERIALIZE,
    FLOOR,
    OURS,
)
from benchmarks.online.server import connected, emptied, settled
from benchmarks.online.stage import NAMESPACE, VIEW, Stage, demand_exact

_WARM = 2


def load(stage: Stage) -> Iterator[Figure]:
    """What readers find: snapshot 0, and 1 beside it."""
    publisher = ours.Publisher(stage)
    for snapshot in (0, 1):
        publisher.publish(snapshot)
    settled(stage.url)
    yield from ()


def load_both(stage: Stage) -> Iterator[Figure]:
    """The same, and in Feast the entities that it gets, as they are in 1."""
    store = feast_online.opened(feast_online.folder(stage))
    store.write_to_online_store(VIEW, feast_online.rows_of(stage, 1))
    yield from load(stage)


def full(stage: Stage) -> Iterator[Figure]:
    """Publish a snapshot to an empty server; then, over what is live, every row again."""
    publisher, rows = ours.Publisher(stage), stage.data.users
    for number in range(1 + _WARM):
        if number:
            publisher.start_anew()
        with Spent(stage.url, None if number else stage.begun) as spent:
            publisher.publish(0)
        yield Figure(OURS, EMPTY, spent.of(rows), "warm" if number else "cold")
    _demand_published(stage, 0)
    publisher.publish(0, full=True)  # from the next one on there is an epoch to drop
    with Spent(stage.url) as spent:
        publisher.publish(0, full=True)
    yield Figure(OURS, AGAIN, spent.of(rows), "warm")
    _demand_published(stage, 0)


def changes(stage: Stage) -> Iterator[Figure]:
    """Publish whole snapshots, then those that differ in 5% of the rows, then one that differs in all."""
    publisher, rows = ours.Publisher(stage), stage.data.users
    publisher.publish(0)
    publisher.start_anew()
    with Spent(stage.url) as spent:
        publisher.publish(0)
    yield Figure(OURS, EMPTY, spent.of(rows), "warm")
    for snapshot in (1, 2, 3, 4):
        with Spent(stage.url) as spent:
            receipt = publisher.publish(snapshot)
        _demand_incremental(stage, receipt.generation)
        state = "cold" if snapshot == 1 else "warm"  # the first of its kind in this process
        yield Figure(OURS, CHANGED if snapshot < 4 else ALL_CHANGED, spent.of(rows), state)
        _demand_published(stage, snapshot)


def floor(stage: Stage) -> Iterator[Figure]:
    """Send the commands of a full publish, which are in memory already, over one connection; take the replies."""
    from skewless.online.connection import Session

    packed = list(_packed(stage))
    for _ in range(1 + _WARM):
        emptied(stage.url)
        with Session(stage.url, VIEW) as session:
            end = session.packed(("ECHO", "end"))
            with Spent(stage.url) as spent:
                for part in [*packed, end]:
                    session.send(part)
                replies = list(iter(lambda: session.replies(1)[0], b"end"))
        if {reply for reply in replies if reply is not None} != {1}:
            raise WrongAnswer("not every MSETNX wrote its keys")
        yield Figure(FLOOR, EMPTY, spent.of(stage.data.users), "warm")
    with connected(stage.url) as server:
        if server.dbsize() != stage.data.users:
            raise WrongAnswer(f"{server.dbsize():,} keys were written, not {stage.data.users:,}")


def feast(stage: Stage) -> Iterator[Figure]:
    """`write_to_online_store` of a frame in memory."""
    yield from _feast(stage, FEAST)


def feast_fast(stage: Stage) -> Iterator[Figure]:
    """The same without looking first whether the server has later rows."""
    yield from _feast(stage, FEAST_FAST, skip_dedup=True)


def feast_materialize(stage: Stage) -> Iterator[Figure]:
    """`materialize` from a Parquet file."""
    yield from _feast(stage, FEAST_MATERIALIZE, materialize=True)


def memory(stage: Stage) -> Iterator[Figure]:
    """Bytes that the server uses for each entity: after a full publish, of 5% more, and of two slots everywhere."""
    publisher = ours.Publisher(stage)
    publisher.publish(0)
    publisher.start_anew()  # what a server keeps that has worked is not the entities'
    before = settled(stage.url)
    for snapshot, work in ((0, EMPTY), (1, CHANGED), (4, ALL_CHANGED)):
        publisher.publish(snapshot)
        yield Figure(OURS, work, {"bytes": (settled(stage.url) - before) / stage.data.users})
        _demand_published(stage, snapshot)


def feast_memory(stage: Stage) -> Iterator[Figure]:
    """The same of Feast."""
    before, store = settled(stage.url), feast_online.opened(feast_online.folder(stage))
    store.write_to_online_store(VIEW, feast_online.rows_of(stage, 0))
    yield Figure(FEAST, EMPTY, {"bytes": (settled(stage.url) - before) / stage.sizes.peer_users})


def _feast(
    stage: Stage, name: str, *, skip_dedup: bool = False, materialize: bool = False
) -> Iterator[Figure]:
    folder = feast_online.folder(stage, skip_dedup=skip_dedup)
    rows, store = feast_online.rows_of(stage, 0), feast_online.opened(folder)
    with Spent(stage.url) as spent:
        if materialize:
            feast_online.materialize(store, 0)
        else:
            store.write_to_online_store(VIEW, rows)
    yield Figure(name, EMPTY, spent.of(len(rows)), "warm")
    demand_exact(partial(feast_online.read, store), stage.peer_users, stage.expected(0))


def _packed(stage: Stage) -> Iterator[bytes]:
    """The commands of a full publish, a part at a time, as the writer makes them."""
    from skewless.online.connection import Session
    from skewless.online.contents import Whole
    from skewless.online.keys import ViewKeys
    from skewless.online.rows import Shape, pieces
    from skewless.online.writer import Writer

    workspace, keys = ours.Publisher(stage).workspace, ViewKeys(NAMESPACE, VIEW)
    view = workspace.repo.view(VIEW)
    (revision,) = {
        event.revision
        for event in workspace.ledger(view).read()
        if event.snapshot_time == START and event.revision
    }
    rows = workspace.feature_table(view).reader(revision)
    shape = Shape.of(view, rows.schema)

    class Kept(Session):
        """Keeps what it is to send."""

        def send(self, packed: bytes) -> None:
            self.packed_part = packed

    with Kept(stage.url, VIEW) as session:
        for part in Whole(pieces(shape, rows)).parts(1, keys.entity(1, "")):
            Writer(session, keys, 1).send(part)
            yield session.packed_part


def _demand_published(stage: Stage, snapshot: int) -> None:
    with ours.reading(stage) as reader:
        demand_exact(partial(ours.read, reader), stage.users, stage.expected(snapshot))


def _demand_incremental(stage: Stage, generation: int | None) -> None:
    """WrongAnswer where a publish was full: its epoch is its generation then."""
    if ours.key_prefix(stage).endswith(f":{generation}:"):
        raise WrongAnswer("the publish wrote every row, not what changed")
