"""The contenders: functions of inputs and an output folder, named `module:function`; each writes its answer there."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import cast

from benchmarks.inputs import Inputs

Contender = Callable[[Inputs, Path], None]


def find(name: str) -> Contender:
    """A contender by its name; only its own module is imported, so that no peer need be there for another's sake."""
    module, _, function = name.partition(":")
    return cast(Contender, getattr(import_module(f"{__name__}.{module}"), function))
