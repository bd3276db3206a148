"""The documents of the repository as tests read them: their Python, and the worked examples of semantics.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
SEMANTICS = ROOT / "docs" / "semantics.md"


# -- Python -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Block:
    """A fenced block; `info` is what stands behind the fence, `line` that of its first line of code."""

    page: Path
    line: int
    info: str
    code: str

    @property
    def compiled(self) -> Any:
        """The code; tracebacks and definitions show the line of the page."""
        return compile("\n" * (self.line - 1) + self.code, str(self.page), "exec")


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text("utf-8")
    for match in re.finditer(r"^```([^\n]*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        line = text.count("\n", 0, match.start(2)) + 1
        yield Block(page, line, match[1].strip(), match[2])


def run_python(page: Path) -> dict[str, Any]:
    """Run the plain ```python blocks of a page in order, and give the names that they leave.

    Blocks that need a store or services say so, as ```python store, and are only compiled.
    """
    names: dict[str, Any] = {"__name__": page.stem}
    for block in blocks(page):
        kind, _, needs = block.info.partition(" ")
        if kind == "python":
            code = block.compiled
            if not needs:
                exec(code, names)
    return names


# -- worked examples --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A row of a table: its line on the page, and its cells as text by column."""

    line: int
    cells: dict[str, str]


@dataclass(frozen=True)
class Example:
    """One worked example: what the source, revisions and ledger hold, and what was asked with the answers."""

    title: str
    view: str
    as_of: str
    source: tuple[Row, ...] = ()
    stored: tuple[Row, ...] = ()
    ledger: tuple[Row, ...] = ()
    asked: tuple[Row, ...] = ()


@dataclass
class Examples:
    """The examples of a page, and the table that tells the source's columns."""

    examples: list[Example] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)


_HEAD = re.compile(r'\*\*([^*]+)\*\* \(view `(\w+)`(?:, as_of=`"(\w+)"`)?(, same rows)?\)')
_PARTS = {"asked": "asked", "recorded": "ledger", "revision": "stored"}


def read_examples(page: Path) -> Examples:
    """Read a page; ValueError, with the line, for a table or an example that is not complete."""
    found = Examples()
    open_example: Example | None = None
    for line, item in _heads_and_tables(page):
        if isinstance(item, re.Match):
            if open_example:
                raise ValueError(f"{page}:{line}: the example before, {open_example.title!r}, asks nothing")
            open_example = _begun(item, found.examples)
        elif open_example:
            first = next(iter(item[0].cells))
            part = _PARTS.get(first, "source")
            open_example = replace(open_example, **{part: tuple(item)})
            if part == "asked":
                found.examples.append(open_example)
                open_example = None
        elif set(item[0].cells) == {"column", "type", ""}:
            found.columns |= {row.cells["column"].strip("`"): row.cells["type"] for row in item}
        elif "asked" in item[0].cells:
            raise ValueError(f"{page}:{line}: this table is in no example")
    if open_example:
        raise ValueError(f"{page}: the last example, {open_example.title!r}, asks nothing")
    return found


def table_of(page: Path, column: str) -> tuple[Row, ...]:
    """The rows of the page's one table that has the column; ValueError where there are more, or none."""
    (rows,) = [
        item for _, item in _heads_and_tables(page) if isinstance(item, list) and column in item[0].cells
    ]
    return tuple(rows)


def _begun(head: re.Match[str], earlier: list[Example]) -> Example:
    title, view, as_of, same_rows = head.groups()
    example = Example(title, view, as_of or "scheduled")
    if not same_rows:
        return example
    model = next(item for item in reversed(earlier) if item.stored)
    return replace(example, source=model.source, stored=model.stored)


def _heads_and_tables(page: Path) -> Iterator[tuple[int, Any]]:
    lines = page.read_text("utf-8").splitlines()
    number = 0
    while number < len(lines):
        line = lines[number]
        if line.startswith("|"):
            rows = []
            columns = _cells(line)
            while (number := number + 1) < len(lines) and lines[number].startswith("|"):
                if not set(lines[number]) <= set("|-: "):
                    rows.append(Row(number + 1, dict(zip(columns, _cells(lines[number]), strict=True))))
            yield number, rows
            continue
        if head := _HEAD.match(line):
            yield number + 1, head
        number += 1


def _cells(line: str) -> list[str]:
    cells = re.split(r"(?<!\\)\|", line.strip())[1:-1]
    return [cell.strip().replace("\\|", "|") for cell in cells]
