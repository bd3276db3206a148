"""What publishers and operators do, step by step; between any two steps an actor may stall, for ever too.

Each step is one action on the server or on the ledger. The order is: connect, read the ledger, read the
pointer, tell what the ledger lacks, the script; and for a publish: drop garbage, write meta and keys, flip,
tell the ledger, drop the epoch before, sweep.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tests import protocol
from tests.protocol import Guard, Pointer, Refused, Server
from tests.protocol_world import (
    NOTHING,
    ROWS,
    Actor,
    Job,
    Setup,
    World,
    Wrong,
    check_flip,
    dead_epochs,
    drop,
    frozen,
    gone,
    moved,
    now,
    put,
)

DONE = Actor(step="")


class Context(NamedTuple):
    """What a step is taken under."""

    job: Job
    setup: Setup
    guards: frozenset[Guard]


Step = tuple[World, Actor]


def read_ledger(world: World, actor: Actor, context: Context) -> Step:
    last = Guard.LEDGER_READ_FIRST not in context.guards
    step = reconciling(actor, world.ledger, context) if last else "reads the pointer"
    return world, actor._replace(told=world.ledger, step=step)


def read_pointer(world: World, actor: Actor, context: Context) -> Step:
    actor = actor._replace(seen=world.server.pointer, event=world.server.event)
    last = Guard.LEDGER_READ_FIRST in context.guards
    return world, actor._replace(step=reconciling(actor, actor.told, context) if last else "reads the ledger")


def reconciling(actor: Actor, told: tuple[Pointer, ...], context: Context) -> str:
    missing = actor.seen and actor.event and actor.event not in told and actor.seen not in told
    tells = missing and Guard.RECONCILE in context.guards
    return "tells what the ledger lacks" if tells else context.job.kind


def tell_missing(world: World, actor: Actor, context: Context) -> Step:
    assert actor.event is not None
    return tell(world, actor.event), actor._replace(told=(*actor.told, actor.event), step=context.job.kind)


def tell(world: World, event: Pointer) -> World:
    """Append an event; it is read once however often it stands there."""
    return world if event in world.ledger else world._replace(ledger=(*world.ledger, event))


def seen_flip(world: World, actor: Actor) -> int | None:
    """What the caller saw; a ledger that is ahead of it says that the server lost flips."""
    seen = actor.seen.flip if actor.seen else None
    if last_told(actor) > (seen or 0) and not world.restored:
        raise Wrong("`lost` is entered, and nothing was lost")
    return seen


def last_told(actor: Actor) -> int:
    return max((p.flip for p in actor.told), default=0)


def publish(world: World, actor: Actor, context: Context) -> Step:
    """Open: the changes are those since what the ledger has as live."""
    job, guards = context.job, context.guards
    last = max(actor.told, default=None)
    full = job.full or last is None or (last != actor.seen and Guard.LOST_IS_FULL in guards)
    server, generation, epoch = protocol.open_(
        world.server,
        expected_flip=seen_flip(world, actor),
        ledger_top=max((p.generation for p in actor.told), default=0),
        full=full,
        rollback=job.rollback,
        guards=guards,
    )
    full = full or epoch == generation
    live = (0, 0) if full or last is None else (last.generation, dict(world.revisions)[last.generation])
    if world.frozen and not job.rollback:
        raise Wrong("opened while held: what it writes can bar the way back")
    places = [place for place in (server.pointer, server.previous) if place]
    kept = frozenset(place.epoch for place in places)
    actor = Actor(
        generation=generation,
        epoch=epoch,
        live=live,
        below=generation,
        kept=kept,
        listed=kept | server.garbage,
        ledger_flip=last_told(actor),
    )
    first = ("drops garbage" if server.garbage else "writes meta") if full else next_write(actor, job, 0)
    return world._replace(server=server), actor._replace(step=first)


def drop_garbage(world: World, actor: Actor, context: Context) -> Step:
    return drop(world, dead_epochs(world, actor.below, actor.kept)), actor._replace(step="writes meta")


def write_meta(world: World, actor: Actor, context: Context) -> Step:
    return put(world, actor, 0, None), actor._replace(step=next_write(actor, context.job, 0))


def next_write(actor: Actor, job: Job, after: int) -> str:
    """The next key that a publish writes: of a full one all that are there, else those that changed."""
    rows, live = ROWS[job.revision], ROWS.get(actor.live[1], NOTHING)
    todo = [key for key in range(after, 2) if rows[key] != live[key] or (actor.live[0] and rows[key] is None)]
    return f"writes key {todo[0] + 1}" if todo else "flips"


def write_key(world: World, actor: Actor, context: Context) -> Step:
    key = int(actor.step[-1])
    row, live = ROWS[context.job.revision][key - 1], ROWS.get(actor.live[1], NOTHING)[key - 1]
    beside = (actor.live[0], live) if Guard.LIVE_ROW_BESIDE in context.guards else (0, None)
    actor = actor._replace(step=next_write(actor, context.job, key))
    if row is None and live is None:  # a tombstone that was one already
        return world._replace(keys=gone(world, actor.epoch, key)), actor
    return put(world, actor, key, (actor.generation, row, *beside)), actor


def flip(world: World, actor: Actor, context: Context) -> Step:
    job, setup, live = context.job, context.setup, world.server.pointer
    server = protocol.flip(
        world.server,
        now(world),
        generation=actor.generation,
        epoch=actor.epoch,
        snapshot_time=job.revision,
        due_at=setup.due.get(job.revision, 0),
        expires_at=setup.expires.get(job.revision),
        rollback=job.rollback,
        ledger_flip=actor.ledger_flip,
        guards=context.guards,
    )
    check_flip(world, job, setup, actor.generation)
    if job.rollback and live:
        world = frozen(world, world.server.top)._replace(withdrawn=world.withdrawn | {live.generation})
    world = world._replace(revisions=(*world.revisions, (actor.generation, job.revision)))
    back = live and not job.rollback and Guard.PREVIOUS_KEPT in context.guards
    kept = {actor.epoch} | ({live.epoch} if live and back else set())
    listed = actor.listed - kept
    after = Actor(
        "tells the ledger", flipped=server.pointer, below=actor.below, kept=frozenset(kept), listed=listed
    )
    return moved(world, server, setup), after


def tell_flip(world: World, actor: Actor, context: Context) -> Step:
    assert actor.flipped is not None
    following = "drops the epoch before" if actor.below else ""
    return tell(world, actor.flipped), actor._replace(step=following, flipped=None)


def drop_before(world: World, actor: Actor, context: Context) -> Step:
    dead = dead_epochs(world, actor.below, actor.kept)
    return drop(world, dead), actor._replace(step="sweeps", listed=actor.listed | dead)


def sweep(world: World, actor: Actor, context: Context) -> Step:
    return world._replace(server=protocol.swept(world.server, epochs=actor.listed)), DONE


def roll_back(world: World, actor: Actor, context: Context) -> Step:
    live = world.server.pointer
    server = protocol.rollback(
        world.server,
        now(world),
        expected_flip=seen_flip(world, actor),
        ledger_flip=last_told(actor),
        guards=context.guards,
    )
    assert live is not None
    assert server.pointer is not None
    if live != actor.seen:
        raise Wrong("rolled back from what he did not see")
    world = world._replace(withdrawn=world.withdrawn | {live.generation})
    if server.pointer.generation in world.withdrawn:
        raise Wrong("rolled back onto what was withdrawn")
    return moved(frozen(world, world.server.top), server, context.setup), by_hand(server)


def expire(world: World, actor: Actor, context: Context) -> Step:
    live = world.server.pointer
    server = protocol.expire(
        world.server,
        now(world),
        expected_flip=seen_flip(world, actor),
        ledger_flip=last_told(actor),
        guards=context.guards,
    )
    assert live is not None
    if live != actor.seen:
        raise Wrong("expired what he did not see")
    world = world._replace(spoiled=world.spoiled | {live.generation})
    return moved(frozen(world, world.server.top), server, context.setup), by_hand(server)


def by_hand(server: Server) -> Actor:
    return Actor(step="tells the ledger", flipped=server.pointer)


def hold(world: World, actor: Actor, context: Context) -> Step:
    server = protocol.hold(world.server, guards=context.guards)
    return frozen(world, world.server.top)._replace(server=server), DONE


def release(world: World, actor: Actor, context: Context) -> Step:
    return world._replace(server=protocol.release(world.server), frozen=False), DONE


STEPS: dict[str, Callable[[World, Actor, Context], Step]] = {
    "reads the ledger": read_ledger,
    "reads the pointer": read_pointer,
    "tells what the ledger lacks": tell_missing,
    "publish": publish,
    "drops garbage": drop_garbage,
    "writes meta": write_meta,
    "writes key 1": write_key,
    "writes key 2": write_key,
    "flips": flip,
    "tells the ledger": tell_flip,
    "drops the epoch before": drop_before,
    "sweeps": sweep,
    "rollback": roll_back,
    "expire": expire,
    "hold": hold,
    "release": release,
}


def first_step(job: Job, guards: frozenset[Guard]) -> Actor:
    if job.kind in ("hold", "release"):
        return Actor(step=job.kind)
    return Actor() if Guard.LEDGER_READ_FIRST in guards else Actor(step="reads the pointer")


def advance(world: World, i: int, setup: Setup, guards: frozenset[Guard]) -> World:
    """The world after the next step of actor i. Refused, it is done."""
    actor = world.actors[i]
    try:
        world, after = STEPS[actor.step](world, actor, Context(setup.jobs[i], setup, guards))
    except Refused:
        after = DONE
    return world._replace(actors=(*world.actors[:i], after, *world.actors[i + 1 :]))
