"""Which revisions of a snapshot were built, on made-up histories."""

from datetime import UTC, datetime, timedelta

from skewless.ledger.events import Event, Kind
from skewless.ledger.revisions import builds, newest_build, same_content

T = datetime(2024, 3, 1, 10, tzinfo=UTC)


def built(revision: str, content: str, t: datetime = T, fingerprint: str = "f") -> Event:
    return Event(
        kind=Kind.BUILT, snapshot_time=t, revision=revision, fingerprint=fingerprint, content_hash=content
    )


def test_builds_are_those_of_one_snapshot_and_one_fingerprint_in_the_ledgers_order():
    first, second = built("b", "x"), built("a", "y")
    others = (built("c", "x", T + timedelta(hours=1)), built("d", "x", fingerprint="other"))
    assert builds((first, *others, second), T, "f") == (first, second)


def test_a_verdict_is_no_build():
    passed = Event(kind=Kind.PASSED, snapshot_time=T, revision="a", fingerprint="f", content_hash="x")
    assert builds((passed,), T, "f") == ()
    assert newest_build((passed,), T, "f") is None
    assert same_content((passed,), T, "f", "x") is None


def test_the_newest_build_is_the_last_one_entered():
    events = (built("b", "x"), built("a", "y"))
    assert newest_build(events, T, "f") is events[1]
    assert newest_build(events, T + timedelta(hours=1), "f") is None
    assert newest_build(events, T, "other") is None


def test_a_revision_that_was_built_again_is_the_newest_again():
    events = (built("a", "x"), built("b", "y"), built("a", "x"))
    assert newest_build(events, T, "f").revision == "a"


def test_equal_content_is_found_however_long_ago_it_was_built():
    events = (built("a", "x"), built("b", "y"), built("c", "z"))
    assert same_content(events, T, "f", "x") is events[0]
    assert same_content(events, T, "f", "w") is None


def test_of_several_builds_with_equal_content_the_newest_names_the_revision():
    events = (built("a", "x"), built("b", "y"), built("a", "x"))
    assert same_content(events, T, "f", "x") is events[2]


def test_equal_content_of_another_snapshot_or_definition_is_another_revision():
    events = (built("a", "x", T - timedelta(hours=1)), built("b", "x", fingerprint="other"))
    assert same_content(events, T, "f", "x") is None
