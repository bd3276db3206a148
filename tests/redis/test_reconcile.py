"""The server may go back in time or lose the view; the ledger notices."""

from __future__ import annotations

import pytest

from skewless.errors import NotPublishedError, OnlineError, PublishRefused
from skewless.ledger.events import Event, Kind
from skewless.online.operations import expire, hold, release, rollback
from skewless.online.reconcile import reconcile
from skewless.online.telling import Told, encode_events, withdrawals
from tests.redis.stage import Stage, ago


def test_agreement_changes_nothing(stage: Stage) -> None:
    assert reconcile(stage.place).live is None
    stage.publish_mark(1, ago(hours=5))
    before = stage.ledger.read()
    seen = reconcile(stage.place)
    assert not seen.lost
    assert seen.live is not None
    assert seen.live.generation == 1
    assert stage.ledger.read() == before


def test_a_lost_pointer_is_entered_once_and_the_next_publish_goes_on(stage: Stage) -> None:
    stage.publish_mark(1, ago(hours=5))
    last = stage.publish_mark(2, ago(hours=4))
    stage.restore_server({})
    for _ in range(2):
        assert reconcile(stage.place).lost
    (lost,) = stage.told(Kind.LOST)
    assert (lost.flip, lost.generation, lost.effective_at is not None) == (None, None, True)
    with pytest.raises(NotPublishedError):
        stage.marks()
    receipt = stage.publish_mark(3, ago(hours=3))
    assert stage.marks() == {3}
    assert receipt.generation == 3
    assert receipt.flip > last.flip
    assert not reconcile(stage.place).lost


def test_rows_that_outlived_their_pointer_are_swept(stage: Stage) -> None:
    stage.publish_mark(1, ago(hours=5))
    stage.server.delete(stage.place.keys.pointer)
    stage.publish_mark(2, ago(hours=4))
    assert stage.epochs() == {2}


def test_a_server_restored_from_an_older_file_is_noticed(stage: Stage) -> None:
    first = stage.publish_mark(1, ago(hours=5))
    older_file = stage.snapshot_of_server()
    for mark in (2, 3):
        stage.publish_mark(mark, ago(hours=5 - mark))
    stage.restore_server(older_file)
    assert stage.marks() == {1}
    assert reconcile(stage.place).lost
    (lost,) = stage.told(Kind.LOST)
    assert (lost.generation, lost.flip) == (1, first.flip)
    assert lost.revision == stage.told(Kind.PUBLISHED)[0].revision
    receipt = stage.publish_mark(4, ago(hours=1))
    assert stage.marks() == {4}
    assert receipt.generation == 4


def test_a_hold_outlives_a_restore_and_a_release_too(stage: Stage) -> None:
    stage.publish_mark(1, ago(hours=5))
    stage.publish_mark(2, ago(hours=4))
    older_file = stage.snapshot_of_server()
    rollback(stage.place, reason="wrong")
    stage.restore_server(older_file)
    assert not stage.state().held
    assert reconcile(stage.place).lost
    assert stage.state().held
    release(stage.place)
    assert not stage.state().held
    assert reconcile(stage.place).lost
    assert not stage.state().held


def test_a_view_that_was_expired_by_hand_is_expired_again_after_a_restore(stage: Stage) -> None:
    stage.publish_mark(1, ago(hours=5))
    older_file = stage.snapshot_of_server()
    stage.publish_mark(2, ago(hours=4))
    expire(stage.place, actor="ops", reason="wrong")
    stage.restore_server(older_file)
    assert stage.marks() == {1}
    seen = reconcile(stage.place)
    assert (stage.marks(), seen.state.alive, seen.state.held) == ({None}, False, True)
    _, again = stage.told(Kind.EXPIRED)
    assert (again.generation, again.flip, again.actor) == (1, seen.state.flip, None)
    assert again.reason == "expired by hand, which the server lost"
    assert not reconcile(stage.place).lost
    assert len(stage.told(Kind.EXPIRED)) == 2, "once is enough"
    release(stage.place)
    assert stage.marks() == {None}
    stage.publish_mark(3, ago(hours=3))
    assert stage.marks() == {3}


def test_a_flip_that_replaced_an_expiry_is_no_expiry_after_a_restore(stage: Stage) -> None:
    stage.publish_mark(1, ago(hours=5))
    older_file = stage.snapshot_of_server()
    stage.publish_mark(2, ago(hours=4))
    expire(stage.place)
    rollback(stage.place)
    stage.restore_server(older_file)
    assert reconcile(stage.place).lost
    assert (stage.marks(), stage.state().held) == ({1}, True)


def test_a_flip_grows_when_the_servers_clock_went_back(stage: Stage) -> None:
    stage.publish_mark(1, ago(hours=5))
    ahead = 9_000_000_000_000_000
    stage.ledger.append(Event(kind=Kind.PUBLISHED, generation=7, epoch=7, flip=ahead))
    receipt = stage.publish_mark(2, ago(hours=4))
    assert (receipt.flip, receipt.generation) == (ahead + 1, 8)
    assert stage.marks() == {2}


def test_a_foreign_value_in_our_keys_is_named(stage: Stage) -> None:
    stage.server.set(stage.place.keys.pointer, b"hello")
    with pytest.raises(PublishRefused, match="its pointer is of another format, or not ours"):
        hold(stage.place)
    with pytest.raises(OnlineError, match="pointer is not MessagePack of ours"):
        stage.publish_mark(1, ago(hours=1))
    assert stage.raw_keys() == {"p"}


def test_what_is_told_survives_its_text() -> None:
    event = Event(kind=Kind.PUBLISHED, generation=3, snapshot_time=ago(hours=1), reason='a "quoted" ☃ reason')
    told = Told.decode('{"flip":12,"events":' + encode_events([event]) + "}")
    assert told.flip == 12
    (read,) = told.events
    assert (read.event_id, read.snapshot_time, read.reason) == (
        event.event_id,
        event.snapshot_time,
        event.reason,
    )
    assert (read.flip, read.effective_at is not None) == (12, True)


def published(revision: str, flip: int, hours: int = 5) -> Event:
    return Event(kind=Kind.PUBLISHED, revision=revision, flip=flip, snapshot_time=ago(hours=hours))


@pytest.mark.parametrize(
    ("target", "upto", "withdrawn"),
    [
        ("a", 40, ["b", "c"]),
        ("b", 40, ["c"]),
        ("c", 40, []),
        ("a", 20, ["b"]),  # the server lost c: nobody rolls back what is not there
        ("a", None, ["b", "c"]),
    ],
)
def test_a_rollback_withdraws_what_went_live_since(
    target: str, upto: int | None, withdrawn: list[str]
) -> None:
    events = [published("a", 10), published("b", 20, 4), published("c", 30, 3)]
    cause = Event(kind=Kind.ROLLED_BACK, event_id="cause", revision=target)
    found = withdrawals(events, cause, cause, upto)
    assert [event.revision for event in found] == withdrawn
    assert [event.event_id for event in found] == [
        event.event_id for event in withdrawals(events, cause, cause, upto)
    ]


def test_a_rollback_to_what_was_never_live_withdraws_its_own_and_later_snapshots() -> None:
    events = [published("a", 10, 6), published("b", 20, 5), published("c", 30, 4)]
    target = Event(kind=Kind.PUBLISHED, revision="x", snapshot_time=events[1].snapshot_time)
    assert [event.revision for event in withdrawals(events, target, target, 30)] == ["b", "c"]
