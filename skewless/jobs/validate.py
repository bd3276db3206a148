"""Validate a folder of definitions: everything that can be known without data."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from skewless.errors import DefinitionError
from skewless.model import FeatureView, TrainingSet
from skewless.plan.repo import Repo, check_repo


def validate(folder: str | Path) -> Repo:
    """Load a folder, and ask Great Expectations whether it knows every expectation, where it is installed.

    DefinitionError with every mistake, file and line.
    """
    repo, problems = check_repo(folder)
    found = [*problems]
    if importlib.util.find_spec("great_expectations"):
        from skewless.quality import validate_expectations

        checked: list[FeatureView | TrainingSet] = [*repo.views.values(), *repo.training_sets.values()]
        found += [problem for item in checked for problem in validate_expectations(item)]
    if found:
        raise DefinitionError(found)
    return repo
