"""Validate a folder of definitions: everything that can be known without data."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from skewless.errors import DefinitionError
from skewless.plan.repo import Repo, check_repo


def validate(folder: str | Path) -> Repo:
    """Load a folder, and ask Great Expectations whether it knows every expectation, where it is installed.

    DefinitionError with every mistake, file and line.
    """
    repo, problems = check_repo(folder)
    found = [*problems]
    if importlib.util.find_spec("great_expectations"):
        from skewless.quality import validate_expectations

        for view in repo.views.values():
            found += validate_expectations(view)
    if found:
        raise DefinitionError(found)
    return repo
