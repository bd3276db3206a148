"""Commands on the definitions alone."""

from __future__ import annotations

from skewless.commands.options import AsJson, settings_here, strict_workspace
from skewless.console import show


def validate(as_json: AsJson = False) -> None:
    """Check the definitions, and report every mistake.

    Each with its file and line.

    Example: skewless validate
    """
    from skewless import jobs

    repo = jobs.validate(settings_here().features)
    counts = {
        "views": len(repo.views),
        "services": len(repo.services),
        "training_sets": len(repo.training_sets),
    }
    words = ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in counts.items())
    show(counts, f"the definitions are good: {words}", as_json)


def plan(as_json: AsJson = False) -> None:
    """Show what the definitions mean for what is there.

    The steps of an interval; what changed, what must be backfilled, what it costs to keep.

    Example: skewless plan
    """
    from skewless import jobs

    plans = jobs.plan(strict_workspace())
    show([item.told() for item in plans], "\n\n".join(map(str, plans)), as_json)
