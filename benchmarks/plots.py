"""One picture per case: wall and CPU seconds of every contender, cold and warm."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl

from benchmarks.results import middle

mpl.use("Agg")
import matplotlib.pyplot as plt

OURS, OTHERS = "#1f6f8b", "#b8b8b8"


def draw(case: Mapping[str, Any], file: Path) -> None:
    """Draw a case's medians as bars: wall time on the left, CPU on the right; warm where there is warm, else cold."""
    entries = {name: entry for name, entry in case["entries"].items() if entry["cold"]}
    states = {name: "warm" if entry["warm"] else "cold" for name, entry in entries.items()}
    names = sorted(entries, key=lambda name: middle(entries, name, states[name], "wall") or 0, reverse=True)
    figure, axes = plt.subplots(1, 2, figsize=(10, 0.9 + 0.4 * len(names)), sharey=True)
    for axis, measure, title in zip(axes, ("wall", "cpu"), ("wall seconds", "CPU seconds"), strict=True):
        values = [middle(entries, name, states[name], measure) or 0 for name in names]
        labels = [name if states[name] == "warm" else f"{name} (cold)" for name in names]
        bars = axis.barh(labels, values, color=[OURS if "skewless" in name else OTHERS for name in names])
        axis.bar_label(bars, fmt="%.1f", padding=3, fontsize=8)
        axis.set_title(title, fontsize=10)
        axis.margins(x=0.15)
        axis.spines[["top", "right"]].set_visible(False)
    figure.suptitle(case["title"], fontsize=11)
    figure.tight_layout()
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110, metadata={"Software": None})
    plt.close(figure)
