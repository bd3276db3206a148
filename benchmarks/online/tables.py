"""A case's figures as the page has them: a table of medians, and a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

from benchmarks.online.cases import ONLINE, Column
from benchmarks.online.figures import key_of, middle
from benchmarks.plots import OTHERS, OURS


def table(name: str, case: Mapping[str, Any]) -> Iterator[str]:
    """Lines of Markdown: a row for each contender, work and state."""
    columns, figures = ONLINE[name].columns, case["figures"]
    sizes = ", ".join(f"{count:,} {what}" for what, count in case["rows"][""].items() if count)
    title = f"{case['title'][:1].upper()}{case['title'][1:]}"
    yield f"{title}: {sizes}. {case['server']}; commit {case['commit']}, {case['measured']}.\n"
    yield f"| contender | work | {' | '.join(column.header for column in columns)} |"
    yield f"|---|---|{'--:|' * len(columns)}"
    for item in figures:
        shown = " | ".join(_shown(figures, item, column) for column in columns)
        yield f"| {item['contender']} | {', '.join(filter(None, (item['work'], item['state'])))} | {shown} |"
    for program, failure in case["failures"].items():
        yield f"\n{program or name}: {failure.partition(' (see')[0]}."


def _shown(figures: list[Mapping[str, Any]], item: Mapping[str, Any], column: Column) -> str:
    value = middle(figures, key_of(item), column.measure)
    return "" if value is None else f"{value / column.per:,.{column.decimals}f}"


def draw(name: str, case: Mapping[str, Any], file: Path) -> None:
    """Draw the medians of one column as bars, on a logarithmic scale where they differ by much."""
    column, figures = ONLINE[name].plotted, case["figures"]
    values = {
        key_of(item): (middle(figures, key_of(item), column.measure) or 0) / column.per for item in figures
    }
    labels = [", ".join(filter(None, key)) for key in values]
    figure, axis = plt.subplots(figsize=(10, 0.9 + 0.32 * len(labels)))
    colours = [OURS if key.contender.startswith("skewless") else OTHERS for key in values]
    bars = axis.barh(labels, list(values.values()), color=colours)
    known = [value for value in values.values() if value > 0]
    if known and max(known) > 20 * min(known):
        axis.set_xscale("log")
    axis.bar_label(bars, fmt=f"{{:,.{column.decimals}f}}", padding=3, fontsize=8)
    axis.set_title(f"{case['title']}: {column.header}", fontsize=10)
    axis.invert_yaxis()
    axis.margins(x=0.15)
    axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110, metadata={"Software": None})
    plt.close(figure)
