"""A publisher may die after any step: every read before, between and after is right, and no flip is lost."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from skewless.errors import PublishRefused
from skewless.ledger.events import Kind
from skewless.online.connection import Session
from skewless.online.operations import expire, rollback
from skewless.online.publication import Step
from skewless.online.reconcile import reconcile
from skewless.online.scripts import run
from tests.redis.stage import Killed, Stage, ago, dying_after

FLIPPED = (Step.FLIPPED, Step.TOLD, Step.SWEPT)


@pytest.mark.parametrize("step", list(Step))
def test_a_publisher_that_dies_after_a_step_leaves_reads_right(stage: Stage, step: Step) -> None:
    stage.publish_mark(1, ago(hours=5))
    with pytest.raises(Killed):
        stage.publish_mark(2, ago(hours=4), progress=dying_after(step))
    assert stage.marks() == {2 if step in FLIPPED else 1}

    between: set[int] = set()
    stage.publish_mark(
        3, ago(hours=3), progress=lambda done, rows: done in FLIPPED or between.update(stage.marks())
    )
    assert between == {2 if step in FLIPPED else 1}
    assert stage.marks() == {3}
    told = [(event.generation, event.flip) for event in stage.told(Kind.PUBLISHED)]
    assert [generation for generation, _ in told] == ([1, 2, 3] if step in FLIPPED else [1, 3])
    assert told[-1][1] == stage.state().flip
    assert stage.epochs() == ({2, 3} if step in FLIPPED else {1, 3})


@pytest.mark.parametrize("step", list(Step))
def test_the_first_publisher_may_die_too(stage: Stage, step: Step) -> None:
    with pytest.raises(Killed):
        stage.publish_mark(1, ago(hours=5), progress=dying_after(step))
    stage.publish_mark(2, ago(hours=4))
    assert stage.marks() == {2}
    assert len(stage.told(Kind.PUBLISHED)) == (2 if step in FLIPPED else 1)
    assert stage.told(Kind.LOST) == []


KILLED = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
from skewless.online.publication import Step
from tests.redis.stage import Stage

stage = Stage(sys.argv[1], Path(sys.argv[2]), namespace=sys.argv[3])
kill = lambda step, rows: os.kill(os.getpid(), signal.SIGKILL) if step is Step(sys.argv[4]) else None
stage.publish_mark(2, datetime.fromisoformat(sys.argv[5]), progress=kill)
"""


@pytest.mark.parametrize("step", [Step.WRITTEN, Step.FLIPPED])
def test_a_publisher_that_is_killed_leaves_reads_right(stage: Stage, step: Step, tmp_path: Path) -> None:
    stage.publish_mark(1, ago(hours=5))
    arguments = [stage.redis_url, str(tmp_path), stage.namespace, step.value, ago(hours=4).isoformat()]
    root = Path(__file__).parents[2]
    ended = subprocess.run([sys.executable, "-c", KILLED, *arguments], cwd=root, check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    assert stage.marks() == {2 if step in FLIPPED else 1}
    stage.publish_mark(3, ago(hours=3))
    assert stage.marks() == {3}
    assert len(stage.told(Kind.PUBLISHED)) == (3 if step in FLIPPED else 2)


def test_a_flip_that_the_ledger_lacks_is_entered_once_whoever_comes_next(stage: Stage) -> None:
    publication = stage.built(ago(hours=2), 1200)
    with pytest.raises(Killed):
        stage.publish_mark(
            1, ago(hours=2), again=publication, actor="ann", progress=dying_after(Step.FLIPPED)
        )
    assert stage.told(Kind.PUBLISHED) == []
    for _ in range(2):
        seen = reconcile(stage.place)
        assert not seen.lost
        (event,) = stage.told(Kind.PUBLISHED)
        assert (event.revision, event.actor, event.rows) == (publication.revision, "ann", 1200)
        assert event.flip == stage.state().flip
        assert seen.live == event


def test_a_rollback_that_could_not_tell_is_entered_with_what_it_withdrew(stage: Stage) -> None:
    stage.publish_mark(1, ago(hours=5))
    bad = stage.built(ago(hours=4), 1200)
    stage.publish_mark(2, ago(hours=4), again=bad)

    class Dying(type(stage.ledger)):  # type: ignore[misc]  # a ledger whose writer dies before the append
        def append(self, *events: object) -> tuple[object, ...]:
            raise Killed

    place = stage.place.__class__(
        redis_url=stage.redis_url,
        namespace=stage.namespace,
        view="stats",
        ledger=Dying(stage.ledger.uri, stage.ledger._clock),
    )
    with pytest.raises(Killed):
        rollback(place, reason="wrong amounts")
    assert stage.marks() == {1}
    for _ in range(2):
        reconcile(stage.place)
        (withdrawn,) = stage.told(Kind.WITHDRAWN)
        (back,) = stage.told(Kind.ROLLED_BACK)
        assert (withdrawn.revision, withdrawn.reason) == (bad.revision, "wrong amounts")
        assert (back.generation, back.flip) == (1, stage.state().flip)


def test_whoever_saw_another_pointer_is_refused(stage: Stage) -> None:
    """A flip between an operator's look and his act: he must look again."""
    stage.publish_mark(1, ago(hours=5))
    stage.publish_mark(2, ago(hours=4))

    old = stage.state().flip
    stage.publish_mark(3, ago(hours=3))
    with Session(stage.redis_url, stage.place.keys.pointer) as session:
        for script in ("rollback", "expire"):
            with pytest.raises(PublishRefused) as refused:
                run(session, script, stage.place.keys, old, 0, "[]")
            assert refused.value.code == "moved"
    assert stage.marks() == {3}
    expire(stage.place)
    assert stage.marks() == {None}


def test_garbage_is_dropped_before_more_is_written(stage: Stage) -> None:
    stage.publish_mark(1, ago(hours=5))
    with pytest.raises(Killed):
        stage.publish_mark(2, ago(hours=4), progress=dying_after(Step.WRITTEN))
    epochs: dict[Step, set[int]] = {}
    stage.publish_mark(3, ago(hours=3), progress=lambda step, rows: epochs.setdefault(step, stage.epochs()))
    assert epochs[Step.OPENED] == {1, 2}
    assert epochs[Step.CLEANED] == {1}
