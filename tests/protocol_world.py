"""The world in which the online protocol is explored, and what must hold in it.

Beside what server, ledger and actors know, a world carries the truth, which nobody in it can see: what
readers must see, which flips there were, and what people ended, withdrew or expired.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from tests.protocol import Now, Pointer, Server

EXPIRED = -1
Slots = tuple[int, str | None, int, str | None]
Keys = frozenset[tuple[int, int, Slots | None]]  # epoch, key (0: meta), slots

# What each revision holds for the two keys: values change, stay, return to an earlier one, die and stay dead.
Row = str | None
ROWS: dict[int, tuple[Row, Row]] = {1: ("a", "x"), 2: ("b", "x"), 3: ("a", None), 4: ("c", None)}
NOTHING = (None, None)
NEVER: Mapping[int, int] = MappingProxyType({})


class Wrong(Exception):
    """A property does not hold."""


class Job(NamedTuple):
    """What an actor sets out to do; a publish may be incremental, or a rollback to an older revision."""

    kind: str
    revision: int = 0
    full: bool = True
    rollback: bool = False


class Setup(NamedTuple):
    """The bounds of one exploration: who acts, what was published before, and what the world may do."""

    jobs: tuple[Job, ...]
    before: tuple[Job, ...] = (Job("publish", 1),)
    due: Mapping[int, int] = NEVER
    expires: Mapping[int, int] = NEVER
    ticks: int = 0
    restores: bool = False


class Actor(NamedTuple):
    """How far an actor is, and what it knows."""

    step: str = "reads the ledger"
    told: tuple[Pointer, ...] = ()
    seen: Pointer | None = None
    event: Pointer | None = None
    generation: int = 0
    epoch: int = 0
    live: tuple[int, int] = (0, 0)  # generation and revision that a publish of changes starts from
    below: int = 0  # it drops the epochs below this one that it does not keep,
    kept: frozenset[int] = frozenset()
    listed: frozenset[int] = frozenset()  # and then takes these off the garbage
    flipped: Pointer | None = None
    ledger_flip: int = 0


class Shown(NamedTuple):
    """What readers must see from some instant on: a revision, or EXPIRED."""

    flip: int
    generation: int
    what: int


class Reader(NamedTuple):
    """The epoch that it saw last, and the first of its two chunks: flip, alive, value, and since when."""

    epoch: int = 0
    first: tuple[int, bool, str | int | None, int] | None = None


class World(NamedTuple):
    """Server, keys and ledger, who acts, and (from `history` on) the truth, which nobody in it can see."""

    actors: tuple[Actor, ...]
    server: Server = Server()
    keys: Keys = frozenset()
    ledger: tuple[Pointer, ...] = ()
    reader: Reader = Reader()
    clock: int = 0
    saved: World | None = None  # what the server's older file has
    restored: bool = False
    history: tuple[Shown, ...] = ()
    flips: tuple[Pointer, ...] = ()
    revisions: tuple[tuple[int, int], ...] = ()  # generation, revision
    barrier: int = 0  # what was opened up to here, a person ended
    frozen: bool = False
    withdrawn: frozenset[int] = frozenset()
    spoiled: frozenset[int] = frozenset()  # expired by hand
    late: frozenset[int] = frozenset()  # epochs written to by a publish that had been ended


def now(world: World) -> Now:
    """The server's clock; a server that came back may have one that is far behind."""
    return Now(world.clock, 1 if world.restored else 10 + len(world.history))


def put(world: World, actor: Actor, key: int, slots: Slots | None) -> World:
    """Write one key, whether or not the publish is still the open one: nothing checks that."""
    late = world.late if actor.generation == world.server.writing else world.late | {actor.epoch}
    return world._replace(keys=gone(world, actor.epoch, key) | {(actor.epoch, key, slots)}, late=late)


def gone(world: World, epoch: int, key: int) -> Keys:
    return frozenset(entry for entry in world.keys if entry[:2] != (epoch, key))


def drop(world: World, epochs: frozenset[int]) -> World:
    return world._replace(keys=frozenset(entry for entry in world.keys if entry[0] not in epochs))


def dead_epochs(world: World, below: int, kept: frozenset[int]) -> frozenset[int]:
    """What a scan finds to drop."""
    return frozenset(epoch for epoch, _, _ in world.keys if epoch < below and epoch not in kept)


# The truth


def truth(world: World, setup: Setup, pointer: Pointer) -> Shown:
    """What readers of this pointer must see at this instant."""
    revision = dict(world.revisions)[pointer.generation]
    over = pointer.generation in world.spoiled or world.clock >= setup.expires.get(revision, world.clock + 1)
    return Shown(pointer.flip, pointer.generation, EXPIRED if over else revision)


def moved(world: World, server: Server, setup: Setup) -> World:
    """The world after a script moved the pointer."""
    pointer = server.pointer
    assert pointer is not None
    if pointer.flip <= max((p.flip for p in world.flips), default=0):
        raise Wrong("what readers see changed without a new flip")
    world = world._replace(server=server, flips=(*world.flips, pointer))
    return world._replace(history=(*world.history, truth(world, setup, pointer)))


def frozen(world: World, opened: int) -> World:
    """A person froze the view: what was opened before is over."""
    return world._replace(frozen=True, barrier=max(world.barrier, opened))


def check(world: World) -> None:
    """What must hold at every instant."""
    told, pointer, event = world.ledger, world.server.pointer, world.server.event
    if event and pointer and pointer not in told and event not in told:
        told += (event,)  # as whoever reconciles next will
    if told != world.flips:
        flips = [p.flip for p in world.flips]
        raise Wrong(f"flips {flips}, and the ledger can only have {[p.flip for p in told]}")
    if pointer and (pointer.epoch, 0, None) not in world.keys:
        raise Wrong("the live epoch has no meta")
    server = world.server
    kept = {server.writing, pointer and pointer.epoch, server.previous and server.previous.epoch}
    if leaked := {epoch for epoch, _, _ in world.keys} - kept - server.garbage - world.late:
        raise Wrong(f"nobody will ever drop the epochs {sorted(leaked)}")


def check_flip(world: World, job: Job, setup: Setup, generation: int) -> None:
    """What must hold when a publish flips."""
    if world.frozen and not job.rollback:
        raise Wrong("flipped while held")
    if generation <= world.barrier:
        raise Wrong("opened before a rollback, expire or hold, and flipped after it")
    if world.clock < setup.due.get(job.revision, 0):
        raise Wrong("flipped before it was due")
    if generation in dict(world.revisions):
        raise Wrong("two publishes share a generation")
    live = world.server.pointer
    if live and not world.restored and not job.rollback and job.revision < live.snapshot_time:
        raise Wrong("went back to an older snapshot")
