"""A function's code as a text: equal where comments, layout, docstrings and annotations alone differ."""

from __future__ import annotations

import ast
import dis
import inspect
import textwrap
from collections.abc import Iterator
from datetime import date, timedelta, tzinfo
from types import CodeType, FunctionType, ModuleType
from typing import Any

# Constants whose repr says all that they are.
_CONSTANTS = (type(None), bool, int, float, str, bytes, date, timedelta, tzinfo)
_CLOCKS = {
    f"{owner}.{name}" for owner in ("datetime", "date", "Timestamp") for name in ("now", "utcnow", "today")
}
_CLOCKS |= {"time.time", "time.time_ns"}


def code_of(function: Any) -> str:
    """The function's code, and that of the constants and helpers of its own package that it names, by their names.

    What it imports from elsewhere counts by its name alone. ValueError, with the reason, where there is no such code.

    >>> code_of(len)
    Traceback (most recent call last):
    ValueError: is no function written with def, whose code could be a part of the view's fingerprint
    """
    if not isinstance(function, FunctionType) or function.__name__ == "<lambda>":
        raise ValueError(
            "is no function written with def, whose code could be a part of the view's fingerprint"
        )
    parts: dict[str, str] = {}
    _tell(function, "transform", parts)
    return "\n".join(parts.values())


def clock_calls(code: str) -> Iterator[str]:
    """The calls in a code that read the clock of this machine."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            called = ast.unparse(node.func)
            if ".".join(called.split(".")[-2:]) in _CLOCKS:
                yield f"{called}()"


def _tell(function: FunctionType, name: str, parts: dict[str, str]) -> None:
    """Add a function's code, and what it names; a name has one meaning in a module, so its first telling stands."""
    tree = _tree(function)
    tree.name = name
    key = f"{function.__module__}.{function.__qualname__}"
    if key in parts:
        return
    parts[key] = ast.unparse(_bare(tree))
    for used, value in _named(function):
        if isinstance(value, FunctionType) and _is_own(function, value.__module__):
            _tell(value, used, parts)
        else:
            parts.setdefault(f"{key}:{used}", f"{used} = {_meaning(function, used, value)}")


def _tree(function: FunctionType) -> Any:
    try:
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    except (OSError, SyntaxError, ValueError):
        message = (
            f"has code that cannot be read ({function.__name__}); write it in a file or in a notebook's cell"
        )
        raise ValueError(message) from None
    return tree


def _bare(tree: ast.AST) -> ast.AST:
    """Without docstrings and annotations."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
            if ast.get_docstring(node) is not None:
                node.body = node.body[1:] or [ast.Pass()]
        if isinstance(node, ast.arg):
            node.annotation = None
    return tree


def _named(function: FunctionType) -> list[tuple[str, Any]]:
    """The names that the code reads from around it, in order, with what they stand for."""
    closed = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    found = {name: cell.cell_contents for name, cell in closed}
    found |= {
        name: function.__globals__[name] for name in _globals(function.__code__) & {*function.__globals__}
    }
    return [(name, value) for name, value in sorted(found.items()) if value is not function]


def _globals(code: CodeType) -> set[str]:
    """Also those that functions within it read; a parameter or local of the same name is none."""
    names = {
        step.argval for step in dis.get_instructions(code) if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")
    }
    return names.union(*(_globals(inner) for inner in code.co_consts if isinstance(inner, CodeType)))


def _is_own(function: FunctionType, module: str) -> bool:
    """Whether a module is of the function's package: the folder of definitions, or the notebook."""
    return module.partition(".")[0] == function.__module__.partition(".")[0]


def _meaning(function: FunctionType, name: str, value: Any) -> str:
    module = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
    if not hasattr(value, "__name__") or module is None:
        return _constant(name, value)
    if _is_own(function, module):
        raise ValueError(
            f"reads {name}, whose code cannot be told; name functions and constants themselves, e.g. by "
            f"`from {module} import ...`"
        )
    return str(getattr(value, "__qualname__", value.__name__))


def _constant(name: str, value: Any) -> str:
    if isinstance(value, _CONSTANTS):
        return repr(value)
    if isinstance(value, dict):
        items = (f"{_constant(name, key)}: {_constant(name, item)}" for key, item in value.items())
        return f"{{{', '.join(items)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_constant(name, item) for item in value)}]"
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(_constant(name, item) for item in value))}}}"
    raise ValueError(
        f"reads {name}, a {type(value).__name__}, which no fingerprint can tell; use plain constants"
    )
