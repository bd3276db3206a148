"""Where tables are: a path under the warehouse, an absolute path, or a URI."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from skewless.plan.fingerprint import short


def under(warehouse: str, path: str) -> str:
    """Resolve a table's path.

    >>> under("wh", "sources/flights"), under("wh", "s3://lake/flights"), under("wh", "/data/flights")
    ('wh/sources/flights', 's3://lake/flights', '/data/flights')
    """
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:/", path) or PurePosixPath(path).is_absolute():
        return path
    return f"{warehouse.rstrip('/')}/{path}"


def feature_table(warehouse: str, view: str, fingerprint: str) -> str:
    """The table of a view's revisions."""
    return under(warehouse, f"features/{view}/{short(fingerprint)}")


def tile_table(warehouse: str, view: str, fingerprint: str) -> str:
    """The table of a view's tiles: what builds keep of days that are over."""
    return under(warehouse, f"tiles/{view}/{short(fingerprint)}")


def ledger_table(warehouse: str, view: str) -> str:
    """The table of a view's events."""
    return under(warehouse, f"ledger/{view}")


def definition_table(warehouse: str, view: str) -> str:
    """The table of the definitions under which a view was built."""
    return under(warehouse, f"definitions/{view}")


def verdict_table(warehouse: str, view: str) -> str:
    """The table of a view's verdicts."""
    return under(warehouse, f"verdicts/{view}")


def training_rows(warehouse: str, training_set: str, fingerprint: str) -> str:
    """The table of a training set's revisions."""
    return under(warehouse, f"training/{training_set}/rows/{short(fingerprint)}")


def training_ledger(warehouse: str, training_set: str) -> str:
    """The table of a training set's events."""
    return under(warehouse, f"training/{training_set}/ledger")


def training_verdicts(warehouse: str, training_set: str) -> str:
    """The table of a training set's verdicts."""
    return under(warehouse, f"training/{training_set}/verdicts")


def training_manifests(warehouse: str, training_set: str) -> str:
    """The table of a training set's manifests."""
    return under(warehouse, f"training/{training_set}/manifests")
