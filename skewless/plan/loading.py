"""Import a folder of definitions as the package `features`, whatever the folder is called.

Each load reads the files anew and leaves nothing behind: no module, no bytecode. A file that cannot be
imported is a mistake like any other, told with the line in the author's file where it went wrong.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import skewless
from skewless.errors import Problem, UsageError, did_you_mean
from skewless.model import Definition
from skewless.model.origin import collecting
from skewless.plan.checking import KINDS

PACKAGE = "features"
_lock = threading.RLock()  # modules of one name, in one process
_UNEXPECTED = re.compile(r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'")


@dataclass
class Loaded:
    """What the files of a folder made: definitions, in order, and the imports that failed."""

    definitions: list[Definition]
    problems: list[Problem] = field(default_factory=list)


def load_modules(folder: Path) -> Loaded:
    """Import every file of the folder and of its subfolders, in the order of their paths.

    Files and folders whose names begin with `_` or `.` are read only when another file imports them.
    Raises UsageError when there is no such folder.
    """
    folder = folder.resolve()
    if not folder.is_dir():
        raise UsageError(
            f"there is no folder {str(folder)!r}; name the folder that holds your feature definitions"
        )
    with _lock, collecting() as definitions, _package(folder):
        loaded = Loaded(definitions)
        for name in _module_names(folder):
            try:
                module = importlib.import_module(name)
            except (Exception, SystemExit) as error:
                problem = _import_problem(error, folder, name)
                loaded.problems += [] if problem in loaded.problems else [problem]
            else:
                _add_globals(module, definitions)
    return loaded


def _module_names(folder: Path) -> list[str]:
    paths = sorted(path.relative_to(folder) for path in folder.rglob("*.py"))
    public = [path for path in paths if not any(part.startswith(("_", ".")) for part in path.parts)]
    names = [".".join((PACKAGE, *path.with_suffix("").parts)) for path in public]
    return [PACKAGE, *names] if (folder / "__init__.py").is_file() else names


def _add_globals(module: ModuleType, definitions: list[Definition]) -> None:
    """Definitions that a file imports from elsewhere, which may have been made before this load."""
    seen = {id(item) for item in definitions}
    definitions += [item for item in vars(module).values() if type(item) in KINDS and id(item) not in seen]


# -- the package ------------------------------------------------------------------------------------------


@contextmanager
def _package(folder: Path) -> Iterator[None]:
    """While open, `features` and what is under it are the folder's files; then as if it had never been."""
    finder, before = _Finder(folder), _take_modules()
    sys.meta_path.insert(0, finder)
    try:
        if not (folder / "__init__.py").is_file():
            sys.modules[PACKAGE] = importlib.util.module_from_spec(_folder_spec(PACKAGE, folder))
        yield
    finally:
        sys.meta_path.remove(finder)
        _take_modules()
        sys.modules.update(before)


def _take_modules() -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name == PACKAGE or name.startswith(PACKAGE + ".")]
    return {name: sys.modules.pop(name) for name in names}


def _folder_spec(name: str, folder: Path) -> ModuleSpec:
    spec = ModuleSpec(name, None, is_package=True)
    spec.submodule_search_locations = [str(folder)]
    return spec


class _Finder(MetaPathFinder):
    """Finds `features` and its modules in the folder, past every other entry of the path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.failures: dict[str, BaseException] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        first, *rest = fullname.split(".")
        if first != PACKAGE:
            return None
        place = self.folder.joinpath(*rest)
        for file in (place / "__init__.py", place.with_suffix(".py") if rest else place):
            if file.is_file():
                loader = _FreshLoader(fullname, str(file), self.failures)
                return importlib.util.spec_from_file_location(fullname, file, loader=loader)
        return _folder_spec(fullname, place) if place.is_dir() else None


class _FreshLoader(SourceFileLoader):
    """Compiles the file as it is now, and runs it once however many files import it."""

    def __init__(self, name: str, path: str, failures: dict[str, BaseException]) -> None:
        super().__init__(name, path)
        self.failures = failures

    def get_code(self, fullname: str) -> CodeType:
        """Without the bytecode cache, which cannot tell two versions of one second apart."""
        code: CodeType = self.source_to_code(self.get_data(self.path), self.path)
        return code

    def exec_module(self, module: ModuleType) -> None:
        """Run the file; one that failed before fails again without running."""
        name = module.__name__
        if name in self.failures:
            raise self.failures[name]
        try:
            super().exec_module(module)
        except BaseException as error:
            self.failures[name] = error
            raise


# -- imports that fail ------------------------------------------------------------------------------------


def _import_problem(error: BaseException, folder: Path, name: str) -> Problem:
    file, line = _place(error, folder, name)
    return Problem(str(file), line, file.stem, _told(error, folder))


def _place(error: BaseException, folder: Path, name: str) -> tuple[Path, int]:
    """The innermost line of the author's files that led to the error."""
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).is_relative_to(folder):
        return Path(error.filename), error.lineno or 1
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if _is_under(frame.filename, folder)
    ]
    if frames:
        return Path(frames[-1].filename), frames[-1].lineno or 1
    return folder.joinpath(*name.split(".")[1:]).with_suffix(".py"), 1


def _is_under(filename: str, folder: Path) -> bool:
    return Path(filename).is_relative_to(folder)


def _told(error: BaseException, folder: Path) -> str:
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {text}{_hint(error, folder)}"


def _hint(error: BaseException, folder: Path) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        return did_you_mean(error.name, _module_names(folder))
    if isinstance(error, NameError) and error.name:
        return did_you_mean(error.name, skewless.__all__)
    if match := _UNEXPECTED.search(str(error)):
        kind = getattr(skewless, match[1], None)
        fields: Mapping[str, Any] = getattr(kind, "__dataclass_fields__", {})
        return did_you_mean(match[2], [name for name in fields if fields[name].init])
    return ""
