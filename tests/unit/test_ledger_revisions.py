"""Which revisions of a snapshot were built, on made-up histories."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from skewless.ledger.events import Event, Kind
from skewless.ledger.revisions import builds, newest_build, same_content, to_enter

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


# -- what the ledger enters of a build --------------------------------------------------------------------

LATE, NOW = T + timedelta(hours=1), T + timedelta(hours=2)


def test_a_first_build_is_ordinary_even_where_arrival_is_assumed():
    first = built("a", "x")
    assert to_enter((), first, assumed=False, now=NOW) == first
    assert to_enter((), first, assumed=True, now=NOW) == first


def test_a_second_build_is_usable_only_from_its_build_where_arrival_is_assumed():
    second = built("b", "y")
    assert to_enter((built("a", "x"),), second, assumed=False, now=NOW) == second
    assert to_enter((built("a", "x"),), second, assumed=True, now=NOW) == replace(second, usable_from=NOW)


def test_a_build_of_another_snapshot_or_definition_is_a_first_one():
    others = (built("a", "x", T - timedelta(hours=1)), built("b", "x", fingerprint="other"))
    third = built("c", "x")
    assert to_enter(others, third, assumed=True, now=NOW) == third


def test_late_knowledge_is_usable_from_then_and_never_before_an_assumed_build():
    informed = replace(built("b", "y"), known_until=LATE)
    assert to_enter((built("a", "x"),), informed, assumed=False, now=NOW).usable_from == LATE
    assert to_enter((built("a", "x"),), informed, assumed=True, now=NOW).usable_from == NOW


def test_a_rebuild_with_the_newest_content_is_that_revision_and_needs_no_event():
    events = (built("a", "x"), built("b", "y"))
    assert to_enter(events, replace(built("c", "y"), known_until=LATE), assumed=True, now=NOW) is events[1]


def test_a_rebuild_with_earlier_content_is_the_newest_again_under_the_earlier_name():
    events = (built("a", "x"), built("b", "y"))
    again = built("c", "x")
    assert to_enter(events, again, assumed=False, now=NOW) == replace(again, revision="a")
    assert to_enter(events, again, assumed=True, now=NOW) == replace(again, revision="a", usable_from=NOW)


def test_what_is_no_build_is_refused():
    with pytest.raises(ValueError, match="is no build"):
        to_enter((), replace(built("a", "x"), content_hash=None), assumed=False, now=NOW)
