"""Every interleaving of publishers, operators, a reader, a clock and a failing server, breadth first.

Readers change nothing, so one of them, who may stall as well, stands for all. The trace that the search gives
is a shortest one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from tests import protocol
from tests.protocol import Guard, Pointer
from tests.protocol_actors import DONE, advance, first_step
from tests.protocol_world import (
    EXPIRED,
    ROWS,
    Actor,
    Job,
    Reader,
    Setup,
    World,
    Wrong,
    check,
    now,
    truth,
)

Happening = tuple[str, Callable[[], World]]


# The reader


def read(world: World, guards: frozenset[Guard]) -> World:
    """The reader's next chunk: one MGET of pointer, alive and one key, under the epoch that it remembers."""
    pointer, first = world.server.pointer, world.reader.first
    assert pointer is not None
    vouched = protocol.there(world.server, now(world))
    if Guard.ALIVE_VOUCHES in guards:
        vouched = vouched and world.server.alive is not None and world.server.alive.flip == pointer.flip
    if pointer.epoch != world.reader.epoch and (Guard.EPOCH_SEEN in guards or not world.reader.epoch):
        return world._replace(reader=Reader(epoch=pointer.epoch))
    value = found(world, 1 if first is None else 2, pointer, guards) if vouched else EXPIRED
    if first is None:
        first = (pointer.flip, vouched, value, len(world.history))
        return world._replace(reader=world.reader._replace(first=first))
    again = Guard.ONE_FLIP in guards and first[0] != pointer.flip
    if again or (Guard.ONE_ALIVE_STATE in guards and first[1] != vouched):
        return world._replace(reader=Reader(epoch=world.reader.epoch))
    judge(world, first[3], (first[2], value))
    return world._replace(reader=Reader(epoch=world.reader.epoch))


def found(world: World, key: int, pointer: Pointer, guards: frozenset[Guard]) -> str | None:
    """The row in the first slot whose generation is at most the pointer's; None is absent."""
    for epoch, number, slots in world.keys:
        if (epoch, number) == (world.reader.epoch, key) and slots is not None:
            newest, row, older, live = slots
            if newest <= pointer.generation or Guard.FIRST_SLOT_NOT_ABOVE not in guards:
                return row
            if older <= pointer.generation:
                return live
            raise Wrong("a read finds neither slot")
    return None


def judge(world: World, since: int, values: tuple[str | int | None, ...]) -> None:
    """A completed read is right if it is what readers had to see at some instant since its first chunk."""
    allowed = [shown.what for shown in world.history[since - 1 :]]
    if values not in [(EXPIRED, EXPIRED) if what == EXPIRED else ROWS[what] for what in allowed]:
        raise Wrong(f"a read gives {values}, and live were {allowed} ({EXPIRED}: expired)")


# The world


def tick(world: World, setup: Setup) -> World:
    world = world._replace(clock=world.clock + 1)
    if not world.server.pointer:
        return world
    shown = truth(world, setup, world.server.pointer)
    return world if shown == world.history[-1] else world._replace(history=(*world.history, shown))


def save(world: World) -> World:
    """Keep what a server that comes back has, and no more: it also forgets what people did to the view."""
    file = world._replace(actors=(), ledger=(), reader=Reader(), clock=0, history=(), flips=(), revisions=())
    return world._replace(saved=file)


def restore(world: World, setup: Setup, guards: frozenset[Guard]) -> World:
    """The server comes back with an older file; connections of before are gone.

    Only when the ledger knows all flips: what nobody but the lost file knew cannot be told any more.
    """
    assert world.saved is not None
    server, then = world.saved.server, world.saved
    world = world._replace(server=server, keys=then.keys, saved=None, restored=True, barrier=then.barrier)
    world = world._replace(frozen=then.frozen, spoiled=then.spoiled, withdrawn=then.withdrawn)
    world = world._replace(actors=tuple(cut(actor, guards) for actor in world.actors))
    if server.pointer is None:
        return world
    return world._replace(history=(*world.history, truth(world, setup, server.pointer)))


def cut(actor: Actor, guards: frozenset[Guard]) -> Actor:
    """Who began keeps to the connections that he had: only the ledger can still be told."""
    if actor.flipped:
        return actor._replace(below=0)
    opened = bool(actor.generation or actor.below)
    begun = actor.step not in ("reads the ledger", "hold", "release")
    lost = Guard.ONE_CONNECTION in guards if opened else begun and Guard.CONNECTED_FIRST in guards
    return DONE if lost else actor


def successors(world: World, setup: Setup, guards: frozenset[Guard]) -> Iterator[Happening]:
    """What can happen next."""
    for i, (job, actor) in enumerate(zip(setup.jobs, world.actors, strict=True)):
        if actor.step:
            yield f"{name(job)}: {actor.step}", partial(advance, world, i, setup, guards)
    if world.server.pointer:
        yield (
            f"the reader reads {'on' if world.reader.first else 'the first key'}",
            partial(read, world, guards),
        )
    if world.clock < setup.ticks:
        yield "time passes", partial(tick, world, setup)
    if setup.restores and not world.restored:
        if world.saved is None:
            yield "the server saves its file", partial(save, world)
        elif set(world.flips) <= set(world.ledger):
            yield "the server comes back with that file", partial(restore, world, setup, guards)


def name(job: Job) -> str:
    if job.kind != "publish":
        return f"operator ({job.kind})"
    how = "rollback" if job.rollback else "full" if job.full else "changes"
    return f"publisher of {job.revision} ({how})"


def begin(setup: Setup, guards: frozenset[Guard]) -> World:
    """The world once what stands before the exploration is done."""
    world = World(actors=())
    for job in setup.before:
        alone = setup._replace(jobs=(job,))
        world = world._replace(actors=(first_step(job, guards),))
        while world.actors[0].step:
            world = advance(world, 0, alone, guards)
    return world._replace(actors=tuple(first_step(job, guards) for job in setup.jobs))


class Found(NamedTuple):
    """The outcome: how many states were seen, and the shortest way to something wrong, if any."""

    states: int
    trace: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join(f"{n:3}. {line}" for n, line in enumerate(self.trace, 1)) or f"{self.states} states"


def explore(setup: Setup, guards: frozenset[Guard]) -> Found:
    """Visit every state within the bounds, breadth first, up to the first that is wrong."""
    start = begin(setup, guards)
    came: dict[World, tuple[World, str] | None] = {start: None}
    frontier = [start]
    while frontier:
        following: list[World] = []
        for world in frontier:
            for label, take in successors(world, setup, guards):
                try:
                    after = take()
                    here = (world, label)
                    if came.setdefault(after, here) is here:
                        check(after)
                        following.append(after)
                except Wrong as wrong:
                    return Found(len(came), (*path(came, world), label, f"WRONG: {wrong}"))
        frontier = following
    return Found(len(came))


def path(came: dict[World, tuple[World, str] | None], world: World) -> tuple[str, ...]:
    labels = []
    while (step := came[world]) is not None:
        world, label = step
        labels.append(label)
    return tuple(reversed(labels))
