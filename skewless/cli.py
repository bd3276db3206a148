"""The command line: every command does by hand what a DAG does on schedule."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import typer

from skewless.commands import definitions, interval, look, machine, operate, serve
from skewless.console import missing, show_error
from skewless.errors import SkewlessError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Features defined once, computed by one engine, trained and served without skew.",
    epilog="Exit codes: 0 done, 1 failure, 2 misuse, 3 blocked by a check. Settings: SKEWLESS_* or skewless.toml.",
)

COMMANDS: tuple[Callable[..., None], ...] = (
    definitions.validate,
    definitions.plan,
    definitions.preview,
    interval.build,
    interval.check,
    interval.publish,
    interval.backfill,
    interval.train,
    operate.accept,
    operate.hold,
    operate.release,
    operate.rollback,
    operate.expire,
    operate.maintain,
    look.status,
    look.verify,
    look.get,
    look.train_rows,
    serve.serve,
    machine.up,
    machine.stop,
    machine.services,
    machine.logs,
)
for each in COMMANDS:
    app.command(each.__name__.replace("_", "-"))(each)
app.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})(machine.airflow)


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
