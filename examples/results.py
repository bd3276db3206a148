"""What the demo shows at its end: views, a lookup, a training table, and where to go from there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pyarrow.compute as pc
from deltalake import DeltaTable

from examples.wanted import TRAINING_SET
from skewless import FeatureStore, jobs, local
from skewless.errors import SkewlessError
from skewless.plan.uris import under
from skewless.settings import Settings
from skewless.tables import answer_table, rows_table, status_table
from skewless.workspace import Workspace

LOOKUP = [
    "transaction_stats:avg_transactions_1h",
    "transaction_stats:transactions_1d",
    "transaction_stats:last_merchant",
]
UNKNOWN_USER = 999_999


def show_results(workspace: Workspace) -> None:
    """Print each part; one that cannot be shown says why."""
    store = FeatureStore.of(workspace)
    _part("Views", lambda: status_table(jobs.status(workspace)))
    _part("An online lookup: one round trip, no computation", lambda: lookup(workspace, store))
    _part(
        "A training table: each row sees only what readers could know at its own event_timestamp",
        lambda: training_table(store),
    )


def _part(title: str, text: Callable[[], str]) -> None:
    print(f"\n== {title}\n")
    try:
        print(text())
    except SkewlessError as error:
        print(error)


def lookup(workspace: Workspace, store: FeatureStore) -> str:
    """What an application gets, for two users who just paid and one who is unknown."""
    users = [*active_users(workspace), UNKNOWN_USER]
    return answer_table(store.get_online_features(LOOKUP, [{"user_id": user} for user in users]))


def active_users(workspace: Workspace) -> list[int]:
    """Two users who paid in the last hour before the newest due snapshot."""
    view = workspace.repo.view("transaction_stats")
    at = workspace.newest_due(view)
    table = DeltaTable(under(workspace.settings.warehouse, view.source.location)).to_pyarrow_dataset()
    event = pc.field(view.source.timestamp_field)
    rows = table.to_table(columns=["user_id"], filter=(event >= at - timedelta(hours=1)) & (event < at))
    return sorted(set(rows["user_id"].to_pylist()))[:2]


def training_table(store: FeatureStore, rows: int = 5) -> str:
    """The first rows of the training set's newest version."""
    table = store.training_set(TRAINING_SET).orderBy("event_timestamp", "flight")
    return rows_table(table.limit(rows).toArrow().to_pylist())


def show_airflow(settings: Settings) -> None:
    """Print where Airflow's pages are, and how to enter them."""
    login = local.login(settings)
    print("\n== Airflow goes on by itself: every view is built, checked and published when it is due\n")
    print(f"  {settings.airflow_url}        user {login.user}, password {login.password}")
    print(f"  {settings.airflow_url}/skewless/views        what is live, and why")


def show_what_next() -> None:
    """Print what to try."""
    print("\n== Next\n")
    for line in (
        "source .venv/bin/activate",
        "skewless status",
        "skewless get departure_delay_v1 -e carrier=UA,origin=EWR,tailnum=N14228",
        "skewless train-rows sources/labels -f fraud_v1 --where 'event_timestamp < current_date()' --explain",
        'skewless hold transaction_stats --reason "try it"; skewless release transaction_stats',
        "make status      # views and services; make logs: what the services say",
        "make demo        # again: quick, unless something is due that is not there",
        "make stop        # ends all of it; `make clean` removes everything",
        "docs/operations.md: late, blocked, backfill, clear, hold, rollback, expire",
    ):
        print(f"  {line}")
