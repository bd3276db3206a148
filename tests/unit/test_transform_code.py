"""The fingerprint of a view with a function of its own moves with what the function does, and with nothing else."""

from __future__ import annotations

import functools
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from skewless import DeltaSource, Entity, FeatureView, Field
from skewless.errors import DefinitionError
from skewless.model.code import code_of
from skewless.plan import check_repo, load_repo
from skewless.plan.fingerprint import fingerprint
from skewless.types import Float32
from tests.unit.test_plan_repo import BASE, write

BODY = """
RATE, NAMES = 2.0, {"b": [1, 2], "a": {"x", "y"}}

def helper(name):
    return name * RATE

def clean(rows):
    def inner(x):
        return helper(x)
    return rows.select(inner("a"), list(NAMES))

one = view("one", transform=clean)
"""


def fingerprint_of(folder: Path, text: str) -> str:
    return fingerprint(load_repo(write(folder, a=BASE + text)).view("one"))


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("    return name * RATE", "    # why\n    return (name *\n            RATE)", True),
        ("def clean(rows):", 'def clean(rows: "DataFrame") -> "DataFrame":\n    """What it does."""', True),
        ("clean", "tidy", True),
        ('{"x", "y"}', '{"y", "x"}', True),
        ("name * RATE", "name + RATE", False),
        ("2.0", "2.5", False),
        ("[1, 2]", "[2, 1]", False),
        ('inner("a")', 'inner("b")', False),
        (", transform=clean", "", False),
    ],
)
def test_what_a_function_does_is_in_the_fingerprint(tmp_path: Path, old: str, new: str, same: bool) -> None:
    assert BODY.count(old)
    found = fingerprint_of(tmp_path / "1", BODY), fingerprint_of(tmp_path / "2", BODY.replace(old, new))
    assert (found[0] == found[1]) == same


def test_a_helper_of_another_file_of_the_folder_counts_too(tmp_path: Path) -> None:
    def fingerprint_with(folder: Path, factor: int) -> str:
        helper = f"FACTOR = {factor}\ndef helper(x):\n    return x * FACTOR\n"
        text = "from features._more import helper\ndef clean(rows):\n    return helper(rows)\n"
        root = write(folder, a=BASE + text + 'one = view("one", transform=clean)\n', _more=helper)
        return fingerprint(load_repo(root).view("one"))

    found = [fingerprint_with(tmp_path / str(n), factor) for n, factor in enumerate([2, 3, 2])]
    assert found[0] == found[2] != found[1]


def test_two_loads_of_one_folder_give_equal_views(tmp_path: Path) -> None:
    folder = write(tmp_path, a=BASE + BODY)
    one, other = load_repo(folder).view("one"), load_repo(folder).view("one")
    assert one.transform is not other.transform
    assert one == other


# -- what has no code -------------------------------------------------------------------------------------

STATE = object()
MADE: dict[str, Any] = {}
exec("def made(rows):\n    return rows\n", MADE)


def reads_state(rows: Any) -> Any:
    return rows.where(STATE)


def reads_today(rows: Any) -> Any:
    return rows.where(f"at < '{date.today()}'")  # noqa: DTZ011 -- what it must not do


def by_hidden_clock(rows: Any) -> Any:
    return reads_today(rows)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda rows: rows, "transform is no function written with def"),
        (functools.partial(reads_today), "transform is no function written with def"),
        ("clean", "transform is no function written with def"),
        (reads_state, "transform reads STATE, a object, which no fingerprint can tell"),
        (reads_today, r"transform calls date.today\(\), which reads the clock"),
        (by_hidden_clock, r"transform calls date.today\(\), which reads the clock"),
        (MADE["made"], r"transform has code that cannot be read \(made\); write it in a file or in a notebook's cell"),
    ],
)  # fmt: skip
def test_a_function_whose_code_cannot_be_told_is_a_mistake_of_the_definition(
    function: Any, message: str
) -> None:
    with pytest.raises(DefinitionError, match=message):
        FeatureView(
            name="v",
            entities=[Entity(name="k")],
            source=DeltaSource(name="s", path="s", timestamp_field="at"),
            schema=[Field(name="a", dtype=Float32)],
            transform=function,
        )


def test_what_a_function_closes_over_counts() -> None:
    def made(factor: Any) -> Any:
        def clean(rows: Any) -> Any:
            return rows * factor

        return clean

    assert code_of(made(1)) == code_of(made(1)) != code_of(made(2))
    assert code_of(made(timedelta(1))) != code_of(made(datetime(2024, 1, 1)))  # noqa: DTZ001


def test_a_parameter_named_like_something_else_of_the_file_is_a_parameter(tmp_path: Path) -> None:
    text = (
        "def clean(facts):\n    user = facts.user\n    return user\n" + 'one = view("one", transform=clean)\n'
    )
    assert fingerprint_of(tmp_path, text)


def test_a_module_of_ones_own_is_named_by_its_parts(tmp_path: Path) -> None:
    text = "from features import _more\ndef clean(rows):\n    return _more.helper(rows)\n"
    root = write(
        tmp_path,
        a=BASE + text + 'one = view("one", transform=clean)\n',
        _more="def helper(x):\n    return x\n",
    )
    (problem,) = check_repo(root)[1]
    assert "transform reads _more, whose code cannot be told; name functions" in problem.message
    assert "from features._more import ..." in problem.message
