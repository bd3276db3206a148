"""Real flights through Airflow: load, then builds, checks, publishes and a training set, as its runs. `make demo`.

Airflow stays up, with its schedules running. Run again, the demo goes on where it was: what was loaded or has
run is left as it is.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from time import monotonic

from examples.load import load
from examples.results import show_airflow, show_results, show_what_next
from examples.runs import Runs
from examples.screen import Cell, Screen
from examples.wanted import Wanted, wanted
from examples.watching import Watch
from skewless import local
from skewless.errors import BlockedError, SetupError, SkewlessError
from skewless.local.airflow_api import AirflowApi
from skewless.plan.compile import compile_repo
from skewless.settings import load_settings
from skewless.workspace import Workspace

NEWEST = 3
PARSING = 120.0  # seconds that Airflow may take to read the definitions
INTERRUPTED = 130


def main() -> int:
    """Run the demo: 3 where a check blocked a view, 1 where something else failed, else 0."""
    newest = _arguments().intervals
    screen = Screen()
    try:
        workspace, cells = bring_up_to_date(screen, newest)
    except KeyboardInterrupt:
        print(
            "\nStopped looking on; all of it goes on running. `make demo` looks on again, `make stop` ends it."
        )
        return INTERRUPTED
    show_results(workspace)
    show_airflow(workspace.settings)
    show_what_next()
    return _exit_code(cells)


def bring_up_to_date(screen: Screen, newest: int) -> tuple[Workspace, Mapping[Wanted, Cell]]:
    """Start what is needed, load the data, and wait for Airflow's runs of the newest intervals."""
    settings = load_settings()
    workspace = Workspace.open_what_is_good(settings, lambda problem: screen.say(f"wrong: {problem}"))
    local.up(settings, screen.say, with_airflow=True)
    load(settings.warehouse, now=workspace.clock.now(), progress=screen.say)
    with AirflowApi(settings) as api:
        runs = Runs(api)
        wait_for_dags(runs, workspace, screen)
        screen.say("asking Airflow for the newest intervals that are due and not there yet")
        watch = Watch(
            runs, workspace.clock, lambda: wanted(workspace.repo, workspace.clock.now(), newest), screen
        )
        with screen:
            return workspace, watch.until_done()


def wait_for_dags(runs: Runs, workspace: Workspace, screen: Screen) -> None:
    """Wait until Airflow has made a DAG of every good definition; SetupError where it does not."""
    expected = {plan.dag_id for plan in compile_repo(workspace.repo)}
    screen.say(f"waiting for Airflow to read {len(expected)} DAGs")
    deadline = monotonic() + PARSING
    while missing := sorted(expected - runs.paused().keys()):
        if monotonic() > deadline:
            told = "\n".join(runs.import_errors()) or "it reports no import error: look at `make logs`"
            raise SetupError(f"Airflow did not make {', '.join(missing)} within {PARSING:.0f} s\n{told}")
        time.sleep(1)
    for error in runs.import_errors():
        screen.say(f"Airflow cannot read {error}")


def _exit_code(cells: Mapping[Wanted, Cell]) -> int:
    phases = {cell.phase for cell in cells.values()}
    if phases <= {"done", "paused"}:
        return 0
    return SkewlessError.exit_code if phases - {"done", "paused", "blocked"} else BlockedError.exit_code


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m examples.demo", description="Real flights through Airflow."
    )
    parser.add_argument(
        "--intervals", type=int, default=NEWEST, metavar="N", help=f"newest intervals of each view: {NEWEST}"
    )
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SkewlessError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
