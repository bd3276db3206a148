"""Commands by which a person changes what readers see, and keeps the tables small."""

from __future__ import annotations

from typing import Annotated

import typer

from skewless.commands.options import AsJson, Reason, SnapshotTime, View, good_workspace
from skewless.console import instant, report, show


def accept(
    view: View,
    reason: Annotated[str, typer.Option("--reason", help="Why it is good enough.")],
    snapshot_time: SnapshotTime = None,
    as_json: AsJson = False,
) -> None:
    """Accept a blocked or withdrawn revision as it is.

    It is live once you publish it.

    Example: skewless accept transaction_stats --reason "a holiday: fewer users"
    """
    from skewless import jobs

    receipt = jobs.accept(good_workspace(), view, instant(snapshot_time), reason=reason)
    show(receipt, str(receipt), as_json)


def hold(view: View, reason: Reason = None, as_json: AsJson = False) -> None:
    """Hold what readers see until the view is released.

    Example: skewless hold transaction_stats --reason "source under repair"
    """
    from skewless import jobs

    receipt = jobs.hold(good_workspace(), view, reason=reason)
    show(receipt, str(receipt), as_json)


def release(view: View, reason: Reason = None, as_json: AsJson = False) -> None:
    """Release a held view, and publish the newest revision in force.

    Example: skewless release transaction_stats
    """
    from skewless import jobs

    receipt = jobs.release(good_workspace(), view, reason=reason, report=report)
    show(receipt, str(receipt), as_json)


def rollback(
    view: View,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="INSTANT", help="Snapshot to go back to; default: the one before."),
    ] = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Go back to an earlier generation, and hold the view.

    The revisions published since are withdrawn.

    Example: skewless rollback transaction_stats --reason "doubled amounts"
    """
    from skewless import jobs

    receipt = jobs.rollback(good_workspace(), view, instant(to), reason=reason, report=report)
    show(receipt, str(receipt), as_json)


def expire(view: View, reason: Reason = None, as_json: AsJson = False) -> None:
    """Give readers the view's expired row at once.

    They get it until the view is released.

    Example: skewless expire transaction_stats --reason "wrong since midnight"
    """
    from skewless import jobs

    receipt = jobs.expire(good_workspace(), view, reason=reason)
    show(receipt, str(receipt), as_json)


def maintain(
    view: Annotated[
        list[str] | None, typer.Argument(help="Feature views; default: all, and all training sets.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing; tell what would be done.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Join small files, and delete what nothing refers to.

    It may run beside everything else, and be killed at any time.

    Example: skewless maintain --dry-run
    """
    from skewless import jobs

    done = jobs.maintain(good_workspace(), tuple(view or ()), dry_run=dry_run, report=report)
    show({"tidied": done}, "\n".join(map(str, done)) or "there is nothing to maintain", as_json)
