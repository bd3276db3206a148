"""The whole path over real data: load, build, check, publish, look up, train. `make demo` runs it.

Run again, it goes on where it was: what is loaded, built or live already is left as it is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import timedelta
from time import monotonic
from typing import Any

import pyarrow.compute as pc
from deltalake import DeltaTable

from examples.load import load
from skewless import FeatureStore, jobs, local
from skewless.errors import BlockedError, SkewlessError
from skewless.jobs import ViewStatus
from skewless.jobs.training import read_spine
from skewless.plan.uris import under
from skewless.settings import load_settings
from skewless.tables import answer_table, rows_table, status_table
from skewless.timeline import format_instant, to_micros
from skewless.workspace import Workspace

SERVICE = "departure_delay_v1"
LOOKUP = [
    "transaction_stats:avg_transactions_1h",
    "transaction_stats:transactions_1d",
    "transaction_stats:last_merchant",
]
UNKNOWN_USER = 999_999

_began = monotonic()


def say(line: str) -> None:
    """Print a line of progress with the seconds since the beginning."""
    print(f"[{monotonic() - _began:5.0f} s] {line}", flush=True)


def main() -> int:
    """Run the demo; 3 where a view was blocked by a check, which the table at the end shows."""
    settings = load_settings()
    local.up(settings, say)
    workspace = Workspace.open(settings)
    load(settings.warehouse, now=workspace.clock.now(), progress=say)
    blocked = [view for view in sorted(workspace.repo.views) if not brought_up_to_date(workspace, view)]
    store = FeatureStore.of(workspace)
    show_views(jobs.status(workspace))
    show_lookup(store, [*active_users(workspace), UNKNOWN_USER])
    show_training_rows(workspace, store)
    show_what_next(blocked)
    return BlockedError.exit_code if blocked else 0


def brought_up_to_date(workspace: Workspace, view: str) -> bool:
    """Build, check and publish the newest due snapshot; False where a check blocked it."""
    steps: tuple[Callable[..., Any], ...] = (jobs.build, jobs.check, jobs.publish)
    at = workspace.newest_due(workspace.repo.view(view))
    (now,) = jobs.status(workspace, (view,))
    if now.snapshot_time == at and now.state == "live":
        say(f"{view} at {format_instant(at)} is live already")
        return True
    try:
        for step in steps:
            say(str(step(workspace, view, at)).splitlines()[0])
    except BlockedError as error:
        say(str(error))
        return False
    return True


def show_views(found: tuple[ViewStatus, ...]) -> None:
    """Each view's verdict, live generation and age."""
    print("\n== Views\n")
    print(status_table(found))


def active_users(workspace: Workspace) -> list[int]:
    """Two users who paid in the last hour before the newest due snapshot."""
    view = workspace.repo.view("transaction_stats")
    at = workspace.newest_due(view)
    table = DeltaTable(under(workspace.settings.warehouse, view.source.location)).to_pyarrow_dataset()
    event = pc.field(view.source.timestamp_field)
    rows = table.to_table(columns=["user_id"], filter=(event >= at - timedelta(hours=1)) & (event < at))
    return sorted(set(rows["user_id"].to_pylist()))[:2]


def show_lookup(store: FeatureStore, users: list[int]) -> None:
    """What an application gets; the last user is unknown."""
    print("\n== An online lookup: one round trip, no computation\n")
    print(answer_table(store.get_online_features(LOOKUP, [{"user_id": user} for user in users])))


def show_training_rows(workspace: Workspace, store: FeatureStore) -> None:
    """The newest departures that can be asked about, as a model would be trained on them."""
    print("\n== Training rows: each sees only what readers could know at its own event_timestamp\n")
    now = workspace.clock.now()
    spine = read_spine(workspace, "sources/flights_spine")
    recent = f"unix_micros(event_timestamp) > {to_micros(now - timedelta(hours=4))}"
    answered = f"unix_micros(created_timestamp) < {to_micros(now)}"  # else its label is not known yet
    chosen = spine.where(recent).where(answered).orderBy("event_timestamp", "flight").limit(5)
    rows = store.get_historical_features(chosen, SERVICE, explain=True)
    print(rows_table(rows.toArrow().to_pylist()))


def show_what_next(blocked: list[str]) -> None:
    """What to try."""
    print("\n== Next\n")
    for view in blocked:
        print(f"  skewless check {view}        # why it was blocked, and what can be done")
    for line in (
        "source .venv/bin/activate",
        "skewless status",
        "skewless get departure_delay_v1 -e carrier=UA,origin=EWR,tailnum=N14228",
        "skewless train-rows sources/labels -f fraud_v1 --where 'event_timestamp < now()' --explain",
        'skewless hold transaction_stats --reason "try it"; skewless release transaction_stats',
        "make demo        # again, when the next snapshots are due",
        "make stop        # ends Valkey and Spark; `make clean` removes everything",
    ):
        print(f"  {line}")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SkewlessError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
