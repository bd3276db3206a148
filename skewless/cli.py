"""The command line: every command does by hand what a DAG does on schedule."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skewless.console import instant, missing, parsed_entity, report, show, show_error, show_receipt
from skewless.errors import SkewlessError, UsageError

if TYPE_CHECKING:
    from skewless.settings import Settings
    from skewless.workspace import Workspace

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Features defined once, computed by one engine, trained and served without skew.",
    epilog="Exit codes: 0 done, 1 failure, 2 misuse, 3 blocked by a check. Settings: SKEWLESS_* or skewless.toml.",
)

View = Annotated[str, typer.Argument(help="Name of a feature view.")]
SnapshotTime = Annotated[
    str | None,
    typer.Option(
        "--snapshot-time", "-t", metavar="INSTANT", help="End of a data interval; default: the newest due."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of words.")]
Reason = Annotated[str | None, typer.Option("--reason", help="Why, for whoever reads the ledger later.")]


# -- definitions ------------------------------------------------------------------------------------------


@app.command()
def validate(as_json: AsJson = False) -> None:
    """Check the definitions, and report every mistake.

    Each with its file and line.

    Example: skewless validate
    """
    from skewless import jobs

    repo = jobs.validate(_settings().features)
    counts = {
        "views": len(repo.views),
        "services": len(repo.services),
        "training_sets": len(repo.training_sets),
    }
    words = ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in counts.items())
    show(counts, f"the definitions are good: {words}", as_json)


@app.command()
def plan(as_json: AsJson = False) -> None:
    """Show the steps of one interval of each view.

    Example: skewless plan
    """
    from skewless.plan.compile import compile_repo

    plans = compile_repo(_workspace().repo)
    show([{"dag_id": p.dag_id, "steps": p.steps} for p in plans], "\n\n".join(map(str, plans)), as_json)


# -- one interval -----------------------------------------------------------------------------------------


@app.command()
def build(
    view: View,
    snapshot_time: SnapshotTime = None,
    known_until: Annotated[
        str | None,
        typer.Option(
            "--known-until", metavar="INSTANT", help="Use corrections known until then; 'now' for all."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compute a snapshot and append it as a revision.

    Example: skewless build transaction_stats --snapshot-time 2026-07-01T10:00Z
    """
    from skewless import jobs

    workspace = _good_workspace()
    until = workspace.clock.now() if known_until == "now" else instant(known_until)
    receipt = jobs.build(workspace, view, instant(snapshot_time), known_until=until, report=report)
    show_receipt(receipt, as_json)


@app.command()
def check(view: View, snapshot_time: SnapshotTime = None, as_json: AsJson = False) -> None:
    """Check the newest revision of a snapshot.

    Exit code 3 when it is blocked.

    Example: skewless check transaction_stats
    """
    from skewless import jobs

    receipt = jobs.check(_good_workspace(), view, instant(snapshot_time), report=report)
    show_receipt(receipt, as_json)


@app.command()
def publish(
    view: View,
    snapshot_time: SnapshotTime = None,
    if_newest: Annotated[
        bool, typer.Option("--if-newest", help="Leave readers to the newest due snapshot's own run.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a checked revision live, whole and at once.

    Example: skewless publish transaction_stats
    """
    from skewless import jobs

    receipt = jobs.publish(
        _good_workspace(), view, instant(snapshot_time), if_newest=if_newest, report=report
    )
    show_receipt(receipt, as_json)


@app.command()
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
    workspace = _good_workspace()
    receipt: Any
    if replay is not None:
        receipt = jobs.replay(workspace, training_set, replay, report=report)
    elif accept:
        receipt = jobs.accept_training(workspace, training_set, instant(interval_end), reason=reason or "")
    else:
        receipt = jobs.train(workspace, training_set, instant(interval_end), report=report)
    show_receipt(receipt, as_json)


# -- by hand ----------------------------------------------------------------------------------------------


@app.command()
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

    receipt = jobs.accept(_good_workspace(), view, instant(snapshot_time), reason=reason)
    show(receipt, str(receipt), as_json)


@app.command()
def hold(view: View, reason: Reason = None, as_json: AsJson = False) -> None:
    """Freeze what readers see until the view is released.

    Example: skewless hold transaction_stats --reason "source under repair"
    """
    from skewless import jobs

    receipt = jobs.hold(_good_workspace(), view, reason=reason)
    show(receipt, str(receipt), as_json)


@app.command()
def release(view: View, reason: Reason = None, as_json: AsJson = False) -> None:
    """Thaw a held view, and publish the newest revision in force.

    Example: skewless release transaction_stats
    """
    from skewless import jobs

    receipt = jobs.release(_good_workspace(), view, reason=reason, report=report)
    show(receipt, str(receipt), as_json)


@app.command()
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

    receipt = jobs.rollback(_good_workspace(), view, instant(to), reason=reason, report=report)
    show(receipt, str(receipt), as_json)


@app.command()
def expire(view: View, reason: Reason = None, as_json: AsJson = False) -> None:
    """Give readers the view's expired row at once.

    They get it until the view is released.

    Example: skewless expire transaction_stats --reason "wrong since midnight"
    """
    from skewless import jobs

    receipt = jobs.expire(_good_workspace(), view, reason=reason)
    show(receipt, str(receipt), as_json)


# -- looking ----------------------------------------------------------------------------------------------


@app.command()
def status(
    view: Annotated[list[str] | None, typer.Argument(help="Feature views; default: all.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show each view's verdict, live generation and age.

    Example: skewless status --json
    """
    from skewless import jobs
    from skewless.tables import status_table

    found = jobs.status(_good_workspace(), tuple(view or ()))
    show(found, status_table(found), as_json)


@app.command()
def get(
    features: Annotated[list[str], typer.Argument(help="view:feature names, views, or a feature service.")],
    entity: Annotated[
        list[str],
        typer.Option(
            "--entity", "-e", metavar="KEY=VALUE", help="Join keys of an entity, with commas; repeatable."
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Look features up online, for one entity or several.

    Example: skewless get transaction_stats:avg_transactions_1h -e user_id=7
    """
    from skewless.store import FeatureStore
    from skewless.tables import answer_table

    asked: Any = features[0] if len(features) == 1 else features
    texts = [parsed_entity(text) for text in entity]
    store = FeatureStore()
    answer = store.get_online_features(asked, [store.parse_entity(asked, keys) for keys in texts])
    show(answer, answer_table(answer), as_json)


@app.command("train-rows")
def train_rows(
    spine: Annotated[
        str, typer.Argument(help="A .csv or .parquet file, or a Delta table under the warehouse.")
    ],
    features: Annotated[
        list[str], typer.Option("--features", "-f", help="A view:feature name, a view, or a feature service.")
    ],
    as_of: Annotated[str, typer.Option("--as-of", help="scheduled or event.")] = "scheduled",
    explain: Annotated[
        bool, typer.Option("--explain", help="Add which snapshot each row saw, and how.")
    ] = False,
    timestamp_field: Annotated[str, typer.Option(help="The spine's time column.")] = "event_timestamp",
    where: Annotated[str | None, typer.Option(help="SQL condition on the spine's rows.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Rows to print.")] = 10,
    output: Annotated[
        str | None, typer.Option(help="Write all rows to this new Delta table instead.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Join a spine with features as known at each row's time.

    Example: skewless train-rows sources/flights_spine -f departure_delay_v1 --where "event_timestamp < now()"
    """
    from skewless import jobs
    from skewless.offline.failures import explained
    from skewless.tables import rows_table

    asked: Any = features[0] if len(features) == 1 else features
    rows = jobs.training_rows(
        _workspace(), spine, asked, as_of=as_of, explain=explain, timestamp_field=timestamp_field, where=where
    )
    with explained("joining the spine"):
        if output:
            written = jobs.write_rows(rows, output)
            show({"output": written}, f"written to {written}", as_json)
        else:
            found = rows.limit(limit).toArrow().to_pylist()
            show(found, rows_table(found), as_json)


# -- services of this machine -----------------------------------------------------------------------------


@app.command()
def up(
    airflow: Annotated[
        bool, typer.Option("--airflow", help="Start Airflow with its database too, and watch over all.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Start the local Valkey and the warm Spark server.

    What runs already is left alone.

    Example: skewless up --airflow
    """
    from skewless import local

    settings = _settings()
    local.up(settings, report, with_airflow=airflow)
    if airflow:
        user, file = local.login(settings)
        report(f"Airflow: {settings.airflow_url}  (user {user}, password in {file})")
    if as_json:
        services(as_json)


@app.command()
def stop(as_json: AsJson = False) -> None:
    """End what `up` or the demo started, and nothing else.

    Example: skewless stop
    """
    from skewless import local

    local.down(_settings(), report)
    if as_json:
        services(as_json)


@app.command()
def services(as_json: AsJson = False) -> None:
    """Show the local services, their addresses and logs.

    Example: skewless services
    """
    from skewless import local

    found = local.status(_settings())
    lines = [
        f"{item.name:<13} {item.state:<9} {item.address}" + (f"  {item.log}" if item.log else "")
        for item in found
    ]
    show(found, "\n".join(lines), as_json)


@app.command()
def logs(
    service: Annotated[
        list[str] | None, typer.Argument(help="Services, e.g. scheduler; default: all.")
    ] = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Lines of each to begin with.")] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the end of the local services' logs.

    Example: skewless logs scheduler dag-processor --follow
    """
    from skewless.local.logs import log_lines

    for name, line in log_lines(_settings(), tuple(service or ()), lines=lines, follow=follow):
        show({"service": name, "line": line}, f"{name:<13} {line}", as_json)


@app.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
def airflow(
    arguments: Annotated[list[str] | None, typer.Argument(help="Airflow's own command and options.")] = None,
) -> None:
    """Run Airflow's own command line against this installation.

    Example: skewless airflow dags list-import-errors
    """
    from skewless.local.airflow import become

    become(_settings(), arguments or [])


# -- shared -----------------------------------------------------------------------------------------------


def _settings() -> Settings:
    from skewless.settings import load_settings

    return load_settings()


def _workspace() -> Workspace:
    from skewless.workspace import Workspace

    return Workspace.open(_settings())


def _good_workspace() -> Workspace:
    """For what concerns one view, or views that are built already: mistakes elsewhere are told, and do not stop it."""
    from skewless.workspace import Workspace

    return Workspace.open_what_is_good(_settings(), lambda problem: report(f"ignored: {problem}"))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; an error of ours is a message and an exit code, and a traceback only with --debug."""
    from skewless.local.ending import ended_by_signals

    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    command: Callable[..., Any] = typer.main.get_command(app)
    try:
        with ended_by_signals():
            command([word for word in given if word != "--debug"], prog_name="skewless")
    except (SkewlessError, ModuleNotFoundError) as raised:
        error = missing(raised) if isinstance(raised, ModuleNotFoundError) else raised
        if debug:
            traceback.print_exc()
        show_error(error, as_json="--json" in given)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
