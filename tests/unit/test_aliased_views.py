"""The same view twice, by other keys: what is a good alias, what its name means, and what it changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from skewless import DeltaSource, Entity, FeatureService, FeatureView, Field
from skewless.errors import DefinitionError, UsageError
from skewless.online.services import recorded
from skewless.plan import Repo, check_repo, load_repo
from skewless.plan.fingerprint import fingerprint
from skewless.types import Float32
from tests.unit.test_plan_repo import BASE, mistakes, write
from tests.unit.test_training_fingerprint import SET, VIEW, of

WEATHER = FeatureView(
    name="weather",
    entities=[Entity(name="place", join_keys=["origin", "region"])],
    source=DeltaSource(name="reports", path="sources/reports", timestamp_field="at"),
    schema=[Field(name="temp", dtype=Float32), Field(name="wind", dtype=Float32)],
)
DEST = WEATHER.aliased("dest_weather", keys={"origin": "dest"})


def repo_of(*views: FeatureView, **more: Any) -> Repo:
    return Repo({view.name: view for view in views}, {}, {}, {}, {}, **more)


# -- the value --------------------------------------------------------------------------------------------


def test_an_alias_reads_the_named_columns_and_for_the_others_the_views_own() -> None:
    assert DEST.join_keys == ("dest", "region")
    swapped = WEATHER.aliased("swapped", keys={"origin": "region", "region": "origin"})
    assert swapped.join_keys == ("region", "origin")
    assert DEST == WEATHER.aliased("dest_weather", keys={"origin": "dest"}) != swapped
    assert len({DEST, WEATHER.aliased("dest_weather", keys={"origin": "dest"})}) == 1


@pytest.mark.parametrize(
    ("name", "keys", "message"),
    [
        ("dest__weather", {"origin": "dest"}, "alias name 'dest__weather' has '__'"),
        ("Weather", {"origin": "dest"}, "an alias needs a name of its own, and 'Weather' is the view's"),
        ("d", {}, r"keys=\{\} names no join key; .* e\.g\. \{'origin': 'other'\}"),
        ("d", ["origin"], r"keys=\['origin'\] names no join key"),
        (
            "d",
            {"orign": "d"},
            r"no join key 'orign' \(did you mean 'origin'\?\); its keys are origin, region",
        ),
        ("d", {"temp": "d"}, "'weather' has no join key 'temp'"),
        ("d", {"origin": "_sk_at"}, "'_sk_at' is not a column name"),
        ("d", {"origin": None}, "None is not a column name"),
        (
            "d",
            {"origin": "Region"},
            "its keys would be Region, region; each join key needs a column of its own",
        ),
    ],
)
def test_what_is_no_alias(name: str, keys: Mapping[str, str], message: str) -> None:
    with pytest.raises(DefinitionError, match=message) as told:
        WEATHER.aliased(name, keys=keys)
    assert [problem.file for problem in told.value.problems] == [__file__]


# -- in a folder ------------------------------------------------------------------------------------------


def test_an_alias_of_the_folder_is_asked_for_by_name(tmp_path: Path) -> None:
    text = BASE + 'one = view("one")\nother = one.aliased("other", keys={"user_id": "payee"})\n'
    text += 'm = FeatureService(name="m", features=[one, other])\n'
    text += (
        'n = FeatureService(name="n", features=["other:b", one.aliased("third", keys={"user_id": "x"})])\n'
    )
    repo = load_repo(write(tmp_path, a=text))
    assert sorted(repo.aliases) == ["other", "third"]
    assert repo.service("m").references == ("one:a", "one:b", "other:a", "other:b")
    one, other = repo.resolve("m")
    assert (one.prefix, one.keys, other.prefix, other.keys) == ("one", ("user_id",), "other", ("payee",))
    assert other.columns == ("other__a", "other__b")
    assert repo.resolve("n")[0] == repo.resolve(["other:b"])[0] == replace(other, fields=("b",))
    assert repo.resolve("third") == repo.resolve(["third:a", "third:b"])
    with pytest.raises(UsageError, match=r"alias 'other' has no field 'aa' \(did you mean 'a'\?\)"):
        repo.resolve("other:aa")
    with pytest.raises(UsageError, match=r"no feature view 'othr' \(did you mean 'other'\?\)"):
        repo.resolve(["othr:a"])


def test_names_of_aliases_are_names_of_views(tmp_path: Path) -> None:
    text = BASE + 'one, two = view("one"), view("two")\nx = one.aliased("Two", keys={"user_id": "payee"})\n'
    assert "Two: the name differs only in case from the feature view 'two'" in mistakes(
        write(tmp_path / "1", a=text)
    )
    text = BASE + 'one = view("one")\n' + 'one.aliased("x", keys={"user_id": "payee"})\n' * 2
    assert mistakes(write(tmp_path / "2", a=text)) == ""
    text += 'one.aliased("x", keys={"user_id": "payer"})\n'
    repo, problems = check_repo(write(tmp_path / "3", a=text))
    assert [problem.message for problem in problems] == [
        "the name is taken by the alias of a.py:12; names must differ"
    ]
    assert "x" not in repo.aliases
    text = BASE + 'one = view("one")\none.aliased("one", keys={"user_id": "payee"})\n'
    assert len(check_repo(write(tmp_path / "4", a=text))[1]) == 1


def test_an_alias_of_a_wrong_view_is_not_good(tmp_path: Path) -> None:
    text = BASE + 'bad = view("bad", ttl=5)\nx = bad.aliased("x", keys={"user_id": "payee"})\n'
    text += 'm = FeatureService(name="m", features=["x:a"])\nn = FeatureService(name="n", features=["x:c"])\n'
    repo, problems = check_repo(write(tmp_path, a=text))
    assert [problem.name for problem in problems] == ["bad", "n"]
    assert "alias 'x' has no field 'c'" in problems[1].message
    assert (repo.aliases, repo.services) == ({}, {})


# -- in a request -----------------------------------------------------------------------------------------


def test_an_alias_made_in_the_request_stands_beside_its_view() -> None:
    plain, aliased = repo_of(WEATHER).resolve(["weather:temp", DEST])
    assert (plain.keys, aliased.keys) == (("origin", "region"), ("dest", "region"))
    assert repo_of(WEATHER).resolve(DEST) == (aliased,)
    assert repo_of(WEATHER).resolve(FeatureService(name="m", features=[DEST])) == (aliased,)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ([DEST, DEST], "dest_weather:temp is asked for twice"),
        (
            [DEST, WEATHER.aliased("dest_weather", keys={"origin": "d"})],
            "two different views are named 'dest_weather'",
        ),
        (
            [DEST, WEATHER.aliased("DEST_weather", keys={"origin": "d"})],
            "two different views are named 'DEST_weather'",
        ),
        (
            [VIEW.aliased("weather", keys={"user": "u"})],
            "alias 'weather' has the name of the feature view 'weather'",
        ),
        ([replace(VIEW, name="Taken")], "feature view 'Taken' has the name of the alias 'taken'"),
        (
            [replace(WEATHER, schema=WEATHER.schema[:1]), "weather:wind"],
            "two different views are named 'weather'",
        ),
    ],
)
def test_names_that_collide_in_a_request(features: list[Any], message: str) -> None:
    taken = WEATHER.aliased("taken", keys={"origin": "x"})
    with pytest.raises(UsageError, match=message):
        repo_of(WEATHER, aliases={"taken": taken}).resolve(features)


def test_a_view_made_in_a_notebook_is_asked_as_it_is_and_checked_as_a_folders() -> None:
    changed = replace(WEATHER, schema=[Field(name="temp", dtype=Float32, value="temp * 2")])
    (chosen,) = repo_of(WEATHER).resolve([changed])
    assert chosen.view is changed
    assert fingerprint(chosen.view) != fingerprint(WEATHER)
    fields = [
        Field(name="a", dtype=Float32, value="rand()"),
        Field(name="b", dtype=Float32, value="max(x) OVER ()"),
    ]
    wrong = replace(WEATHER, schema=fields)
    for features in ([wrong], [wrong.aliased("w", keys={"origin": "dest"})]):
        with pytest.raises(DefinitionError) as told:
            repo_of(WEATHER).resolve(features)
        assert {(problem.file, problem.name) for problem in told.value.problems} == {(__file__, "weather")}
        assert "'rand()' calls rand()" in str(told.value)
        assert "'max(x) OVER ()' has a window function" in str(told.value)


# -- what it changes --------------------------------------------------------------------------------------


def test_a_training_set_moves_with_its_aliases_and_their_keys() -> None:
    def asking(*features: Any) -> str:
        return of(replace(SET, service=replace(SET.service, features=features)))

    plain, payee = asking(VIEW), asking(VIEW.aliased("other", keys={"user": "payee"}))
    both = asking(VIEW, VIEW.aliased("other", keys={"user": "payee"}))
    payer = asking(VIEW.aliased("other", keys={"user": "payer"}))
    named = asking(VIEW.aliased("another", keys={"user": "payee"}))
    assert len({plain, payee, both, payer, named}) == 5


def test_the_record_of_a_service_says_what_an_alias_reads() -> None:
    service = FeatureService(name="m", features=["weather:wind", DEST])
    assert recorded(service.references, repo_of(WEATHER).resolve(service)) == [
        "weather:wind",
        ["dest_weather:temp", "weather:temp", "origin", "dest", "region", "region"],
        ["dest_weather:wind", "weather:wind", "origin", "dest", "region", "region"],
    ]
