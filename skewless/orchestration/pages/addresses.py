"""Where the pages are, and which DAG belongs to which view."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import quote

from skewless.timeline import format_instant

PREFIX = "/skewless"  # where Airflow's server mounts the pages
ROUTE = "skewless"  # the name under which Airflow's UI frames them: /plugin/<route>/...
_DAG = "features."


def dag_id(view: str) -> str:
    """The DAG of a view."""
    return f"{_DAG}{view}"


def view_of(dag: str) -> str | None:
    """The view of a DAG; None where the DAG is no view's."""
    return dag.removeprefix(_DAG) if dag.startswith(_DAG) else None


def view_page(view: str) -> str:
    """The page of a view, under the prefix.

    >>> view_page("transaction_stats")
    '/skewless/views/transaction_stats'
    """
    return f"{PREFIX}/views/{quote(view, safe='')}"


def snapshot_page(view: str, snapshot_time: datetime) -> str:
    """The page of a snapshot, under the prefix: `/skewless/views/<view>/<T>`."""
    return f"{view_page(view)}/{format_instant(snapshot_time)}"


def framed(page: str, root: str = "") -> str:
    """The address that shows a page inside Airflow's own UI, whose server lives under the path `root`.

    >>> framed("/skewless/views")
    '/plugin/skewless/skewless/views'
    """
    return f"{root}/plugin/{ROUTE}{root}{page}"
