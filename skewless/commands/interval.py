"""Commands that make intervals: of a feature view, one or many, or of a training set."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from skewless.commands.options import AsJson, Reason, SnapshotTime, View, good_workspace
from skewless.console import instant, report, show_receipt, show_receipts
from skewless.errors import UsageError


def build(
    views: Annotated[
        list[str],
        typer.Argument(metavar="VIEW...", help="Names of feature views of one source and schedule."),
    ],
    snapshot_time: SnapshotTime = None,
    known_until: Annotated[
        str | None,
        typer.Option(
            "--known-until", metavar="INSTANT", help="Use corrections known until then; 'now' for all."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compute a snapshot and append it as a revision: of one view, or of several that read their source once.

    Example: skewless build transaction_stats --snapshot-time 2026-07-01T10:00Z
    """
    from skewless import jobs

    workspace, at = good_workspace(), instant(snapshot_time)
    until = workspace.clock.now() if known_until == "now" else instant(known_until)
    if len(views) > 1:
        show_receipts(jobs.build_together(workspace, views, at, known_until=until, report=report), as_json)
    else:
        show_receipt(jobs.build(workspace, views[0], at, known_until=until, report=report), as_json)


def check(view: View, snapshot_time: SnapshotTime = None, as_json: AsJson = False) -> None:
    """Check the newest revision of a snapshot.

    Exit code 3 when it is blocked.

    Example: skewless check transaction_stats
    """
    from skewless import jobs

    receipt = jobs.check(good_workspace(), view, instant(snapshot_time), report=report)
    show_receipt(receipt, as_json)


def publish(
    view: View,
    snapshot_time: SnapshotTime = None,
    if_newest: Annotated[
        bool, typer.Option("--if-newest", help="Leave readers to the newest due snapshot's own run.")
    ] = False,
    full: Annotated[
        bool,
        typer.Option("--full", help="Write every row anew, not only what changed; also of what is live."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a checked revision live, whole and at once.

    Example: skewless publish transaction_stats
    """
    from skewless import jobs

    receipt = jobs.publish(
        good_workspace(), view, instant(snapshot_time), if_newest=if_newest, full=full, report=report
    )
    show_receipt(receipt, as_json)


def backfill(
    view: View,
    since: Annotated[
        str, typer.Option("--from", metavar="INSTANT", help="Snapshots later than this instant.")
    ],
    until: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="INSTANT", help="Snapshots up to and with this instant; default: the newest due."
        ),
    ] = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Build those again that have a good revision.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Build, check and settle many snapshots: later than --from, up to --to.

    Those that are done are left alone. Exit code 3 where some are blocked; the others stand.

    Example: skewless backfill transaction_stats --from 2026-07-01 --to 2026-07-08
    """
    from skewless import jobs

    begin = instant(since)
    assert begin is not None, "a required option"
    receipt = jobs.backfill(good_workspace(), view, begin, instant(until), rebuild=rebuild, report=report)
    show_receipt(receipt, as_json)


def train(
    training_set: Annotated[str, typer.Argument(help="Name of a training set.")],
    interval_end: Annotated[
        str | None,
        typer.Option(
            "--interval-end",
            "-t",
            metavar="INSTANT",
            help="End of an interval of labels; default: the newest whose labels are known.",
        ),
    ] = None,
    replay: Annotated[
        str | None,
        typer.Option(
            "--replay", metavar="REVISION", help="Make a revision again, and prove it; write nothing."
        ),
    ] = None,
    accept: Annotated[
        bool, typer.Option("--accept", help="Accept the interval's newest revision as it is.")
    ] = False,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Join an interval of labels with features as they were known, check it, and keep it.

    Exit code 3 when it is blocked.

    Example: skewless train fraud_training --interval-end 2026-07-01T00:00Z
    """
    from skewless import jobs

    if (replay and (interval_end or accept)) or (reason and not accept):
        raise UsageError(
            "--replay stands alone: it names its interval by the revision; --reason is for --accept"
        )
    workspace = good_workspace()
    receipt: Any
    if replay is not None:
        receipt = jobs.replay(workspace, training_set, replay, report=report)
    elif accept:
        receipt = jobs.accept_training(workspace, training_set, instant(interval_end), reason=reason or "")
    else:
        receipt = jobs.train(workspace, training_set, instant(interval_end), report=report)
    show_receipt(receipt, as_json)
