"""A folder is loaded whole or not at all, and every mistake in it is told with file and line."""

import shutil
import sys
from pathlib import Path

import pytest

from skewless import FeatureService
from skewless.errors import DefinitionError, UsageError
from skewless.plan import Repo, check_repo, load_repo

GOLDEN = Path(__file__).parents[1] / "golden" / "plan"
HEAD = """
from datetime import timedelta
from skewless import DeltaSource, Entity, FeatureService, FeatureView, Field, TrainingSet, agg
from skewless.types import Float32
"""
BASE = """
user = Entity(name="user", join_keys=["user_id"])
facts = DeltaSource(name="facts", path="sources/facts", timestamp_field="at")
def view(name, **changes):
    fields = [Field(name="a", dtype=Float32), Field(name="b", dtype=Float32)]
    return FeatureView(**{"name": name, "entities": [user], "source": facts, "schema": fields, **changes})
"""


def write(folder: Path, **files: str) -> Path:
    """A folder `features` of these files, each with the usual imports before it."""
    root = folder / "features"
    for name, text in files.items():
        path = root / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEAD + text)
    return root


def mistakes(folder: Path) -> str:
    return "\n".join(map(str, check_repo(folder)[1]))


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    text = BASE + (
        'one, two = view("one"), view("two")\n'
        'model = FeatureService(name="model", features=[two, "one:b"])\n'
        'rows = TrainingSet(name="rows", service=model, spine=facts)\n'
    )
    return load_repo(write(tmp_path, base=text))


# -- mistakes ---------------------------------------------------------------------------------------------


def test_every_mistake_of_a_broken_folder_is_told_with_file_and_line(tmp_path: Path):
    folder = tmp_path / "features"
    folder.mkdir()
    for file in (GOLDEN / "broken").glob("*.py.txt"):
        shutil.copy(file, folder / file.stem)
    with pytest.raises(DefinitionError) as caught:
        load_repo(folder)
    assert f"{caught.value}\n" == (GOLDEN / "broken.txt").read_text()


def test_what_is_good_of_a_broken_folder_goes_on(tmp_path: Path):
    text = BASE + 'fine = view("fine")\nbad = view("bad", schedule="hourly")\n'
    text += 'ok = FeatureService(name="ok", features=["fine:a"])\n'
    text += 'no = FeatureService(name="no", features=[bad])\n'
    text += 'rows = TrainingSet(name="rows", service=no, spine=facts)\n'
    repo, problems = check_repo(write(tmp_path, a=text, b="1 / 0"))
    assert [problem.name for problem in problems] == ["bad", "b"]
    assert (list(repo.views), list(repo.services), list(repo.training_sets)) == (["fine"], ["ok"], [])


def test_a_view_of_a_wrong_source_is_not_good(tmp_path: Path):
    text = BASE.replace('path="sources/facts", ', "") + 'one = view("one")\n'
    repo, problems = check_repo(write(tmp_path, a=text))
    assert [problem.name for problem in problems] == ["facts"]
    assert not repo.views


def test_none_of_two_views_with_one_name_is_good(tmp_path: Path):
    repo, problems = check_repo(write(tmp_path, a=BASE + 'x, y, z = view("x"), view("X"), view("z")\n'))
    assert "differs only in case from the feature view 'x' of a.py:" in problems[0].message
    assert list(repo.views) == ["z"]


def test_equal_entities_and_sources_may_be_written_twice_and_different_ones_not(tmp_path: Path):
    assert mistakes(write(tmp_path / "1", a=BASE, b=BASE)) == ""
    other = BASE.replace('"user_id"', '"id"').replace('"at"', '"when"')
    told = mistakes(write(tmp_path / "2", a=BASE, b=other))
    assert "features/b.py:6: user: the name is taken by the entity of a.py:6" in told
    assert "features/b.py:7: facts: the name is taken by the source of a.py:7" in told


def test_a_view_and_a_service_share_their_names(tmp_path: Path):
    text = BASE + 'one = view("one")\nmodel = FeatureService(name="One", features=[one])\n'
    assert "One: the name differs only in case from the feature view 'one'" in mistakes(
        write(tmp_path, a=text)
    )


def test_an_error_while_importing_is_told_at_the_authors_line(tmp_path: Path):
    folder = write(tmp_path, a="from features.b import x\n", b="def f():\n    return {}['k']\nx = f()\n")
    assert mistakes(folder) == "features/b.py:6: b: KeyError: 'k'"


def test_a_file_that_fails_runs_once_and_its_definitions_are_no_duplicates(tmp_path: Path):
    folder = write(tmp_path, a="from features.b import x\n", b=BASE + 'v = view("v")\nraise SystemExit(3)\n')
    assert mistakes(folder) == "features/b.py:12: b: SystemExit: 3"


def test_nothing_is_loaded_from_where_there_is_no_folder(tmp_path: Path):
    with pytest.raises(UsageError, match="there is no folder"):
        load_repo(tmp_path / "features")


# -- importing --------------------------------------------------------------------------------------------


def test_files_import_each_other_and_an_object_in_two_files_is_one(tmp_path: Path):
    folder = write(
        tmp_path,
        _base=BASE,
        a="from features._base import view, user\none = view('one')\n",
        b="from .a import one, user\nfrom features import a\ntwo = a.view('two')\n",
        **{"team/c": "from ..a import view\nthree = view('three')\n"},
    )
    repo = load_repo(folder)
    assert sorted(repo.views) == ["one", "three", "two"]
    assert list(repo.entities) == ["user"]


def test_a_folder_of_any_name_is_the_package_features(tmp_path: Path):
    folder = write(tmp_path, a=BASE, b="from features.a import view\none = view('one')\n")
    assert list(load_repo(folder.rename(tmp_path / "definitions")).views) == ["one"]


def test_private_files_are_read_only_when_a_file_imports_them(tmp_path: Path):
    folder = write(tmp_path, a=BASE, _draft="1 / 0", **{"_drafts/b": "1 / 0"})
    assert mistakes(folder) == ""


def test_a_second_load_sees_changed_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    names = [
        list(load_repo(write(tmp_path, base=BASE, a=f"from .base import view\nv = view('{name}')\n")).views)
        for name in ("aa", "bb")  # of equal length, within a second: bytecode could not tell them apart
    ]
    assert names == [["aa"], ["bb"]]
    assert not list(tmp_path.rglob("*.pyc"))


def test_a_load_leaves_no_module_behind_and_takes_none_away(tmp_path: Path):
    import features.transactions as before

    path, finders = list(sys.path), list(sys.meta_path)
    load_repo(write(tmp_path, transactions=BASE))
    assert sys.modules["features.transactions"] is before
    assert (sys.path, sys.meta_path) == (path, finders)


def test_definitions_made_before_the_load_are_checked_and_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "shared_views.py").write_text(HEAD + BASE + 'shared = view("shared")\n')
    monkeypatch.syspath_prepend(tmp_path)
    folder = write(tmp_path, a="from shared_views import shared\n")
    assert [list(load_repo(folder).views) for _ in range(2)] == [["shared"]] * 2
    assert list(load_repo(folder).sources) == ["facts"]
    del sys.modules["shared_views"]


# -- asking -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ("model", [("two", "ab"), ("one", "b")]),
        ("one", [("one", "ab")]),
        ("one:b", [("one", "b")]),
        (["one:b", "two:a", "one:a"], [("one", "ba"), ("two", "a")]),
        (["two", "one:b"], [("two", "ab"), ("one", "b")]),
    ],
)
def test_features_resolve_by_view_in_the_order_asked(
    repo: Repo, features: str, expected: list[tuple[str, str]]
):
    chosen = repo.resolve(features)
    assert [(each.view.name, "".join(each.fields)) for each in chosen] == expected


def test_a_service_in_a_list_says_that_it_stands_alone(repo: Repo):
    service = next(iter(repo.services))
    with pytest.raises(UsageError, match=f"'{service}' is a feature service, which is asked for alone"):
        repo.resolve([service])


def test_services_and_views_resolve_as_objects(repo: Repo):
    assert repo.resolve(repo.service("model")) == repo.resolve("model")
    assert repo.resolve([repo.view("one")])[0].columns == ("one__a", "one__b")
    assert repo.resolve(FeatureService(name="other", features=["one:a"]))[0].columns == ("one__a",)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (["on:a"], r"there is no feature view 'on' \(did you mean 'one'\?\); there are: one, two"),
        (["one:aa"], r"feature view 'one' has no field 'aa' \(did you mean 'a'\?\); it has: a, b"),
        (
            "modell",
            r"no feature service or view 'modell' \(did you mean 'model'\?\); there are: model, one, two",
        ),
        (["one", "one:a"], r"one:a is asked for twice"),
        (["one:a", "one:a"], r"one:a is asked for twice"),
        ([], r"no features are asked for"),
        ([7], r"7 is neither a feature view nor"),
    ],
)
def test_what_cannot_be_meant_is_an_error_that_helps(repo: Repo, features: list[str], message: str):
    with pytest.raises(UsageError, match=message):
        repo.resolve(features)


def test_names_are_looked_up_with_advice(repo: Repo):
    assert repo.training_set("rows").service is repo.service("model")
    with pytest.raises(UsageError, match=r"there is no training set 'row' \(did you mean 'rows'\?\)"):
        repo.training_set("row")


def test_who_asks_for_a_view_that_is_wrong_is_told_its_own_mistakes(tmp_path: Path):
    text = BASE + 'good, bad = view("good"), view("bad", schema=[])\nother = view("other", ttl=5)\n'
    repo, problems = check_repo(write(tmp_path, a=text, b="import nothing_of_this_name"))
    assert repo.problems == problems
    assert repo.view("good").name == "good"
    with pytest.raises(DefinitionError, match=r"a\.py:10: bad: the schema has no field") as told:
        repo.view("bad")
    assert len(told.value.problems) == 1
    with pytest.raises(
        UsageError, match=r"no feature view 'lost'.*\nIt may be in a file that is wrong:\n"
    ) as lost:
        repo.view("lost")
    assert "b.py:5: b: ModuleNotFoundError" in str(lost.value)


def test_where_all_is_good_an_unknown_name_is_unknown(repo: Repo):
    with pytest.raises(UsageError) as told:
        repo.view("three")
    assert "wrong" not in str(told.value)
