"""What the demo shows while it waits: a live table on a terminal, a line for every change elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from examples.wanted import Wanted

# What a cell's phase looks like; the phases are also what the demo counts.
STYLES = {
    "done": "green",
    "running": "yellow",
    "to come": "dim",
    "paused": "magenta",
    "blocked": "red",
    "failed": "bold red",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """How far one interval is: its phase, one of `STYLES`, and that in words."""

    phase: str
    words: str

    @property
    def over(self) -> bool:
        """Whether nothing more is to be waited for."""
        return self.phase not in ("to come", "running")


class Screen:
    """Lines with the seconds since the beginning, and the table below them while there is one."""

    def __init__(self, console: Console | None = None) -> None:
        """Begin to count."""
        self.console = console or Console(highlight=False, soft_wrap=True)
        self._began = monotonic()
        self._live: Live | None = None
        self._shown: dict[Wanted, Cell] = {}

    def say(self, words: str) -> None:
        """Print a line of progress; further lines of it are indented."""
        stamp = f"[{monotonic() - self._began:5.0f} s] "
        indented = words.replace("\n", "\n" + " " * len(stamp))
        self.console.print(stamp + indented, markup=False)

    def __enter__(self) -> Self:
        """Show the table from now on."""
        if self.console.is_terminal:
            self._live = Live(console=self.console, auto_refresh=False)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the table as it is."""
        if self._live:
            self._live.stop()
            self._live = None

    def show(self, cells: Mapping[Wanted, Cell]) -> None:
        """Show how far every interval is."""
        if self._live:
            self._live.update(self._table(cells), refresh=True)
        else:
            for item, cell in cells.items():
                if self._shown.get(item) != cell:
                    self.say(f"{item.name} at {item.at:%d %b %H:%M}: {cell.words}")
        self._shown = dict(cells)

    def _table(self, cells: Mapping[Wanted, Cell]) -> Table:
        table = Table(box=None, pad_edge=False, show_header=False, caption=self._caption(cells))
        table.caption_justify, table.caption_style = "left", "dim"
        named = ""
        for item, cell in cells.items():
            name, named = "" if item.name == named else item.name, item.name
            table.add_row(name, f"{item.at:%d %b %H:%M}", Text(cell.words, STYLES[cell.phase]))
        return table

    def _caption(self, cells: Mapping[Wanted, Cell]) -> str:
        counts = {phase: sum(cell.phase == phase for cell in cells.values()) for phase in STYLES}
        told = ", ".join(f"{number} {phase}" for phase, number in counts.items() if number)
        return f"[{monotonic() - self._began:5.0f} s] {len(cells)} intervals: {told}"
