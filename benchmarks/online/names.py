"""What contenders and works are called, in programs, targets and on the page."""

from __future__ import annotations

OURS, OURS_ROWS, FLOOR = "skewless", "skewless, rows", "the commands alone, packed before"
BARE = "bare MGET"
FEAST, FEAST_FAST, FEAST_MATERIALIZE = "Feast", "Feast, skip_dedup", "Feast materialize"
FEAST_DF = "Feast to_df"

EMPTY, AGAIN = "every row, to an empty server", "every row again"
CHANGED, ALL_CHANGED = "5% changed", "all changed"
DRIFT = "read while published"


def batch(entities: int) -> str:
    """A lookup of so many entities."""
    return f"{entities:,} {'entity' if entities == 1 else 'entities'}"


def steadily(entities: int) -> str:
    """Lookups at a constant rate."""
    return f"{batch(entities)}, 200 requests/s"


def saturated(entities: int) -> str:
    """As many lookups as there can be."""
    return f"{batch(entities)}, as many as it can"
