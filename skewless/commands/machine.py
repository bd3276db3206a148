"""Commands on the services of this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from skewless.commands.options import AsJson, settings_here
from skewless.console import report, show


def up(
    airflow: Annotated[
        bool, typer.Option("--airflow", help="Start Airflow with its database too, and watch over all.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Start the local Valkey and the warm Spark server; with --airflow all.

    What runs already is left alone.

    Example: skewless up --airflow
    """
    from skewless import local

    settings = settings_here()
    local.up(settings, report, with_airflow=airflow)
    if airflow:
        user, file = local.login(settings)
        report(f"Airflow: {settings.airflow_url}  (user {user}, password in {file})")
    if as_json:
        services(as_json)


def stop(as_json: AsJson = False) -> None:
    """End what `up` or the demo started, and nothing else.

    Example: skewless stop
    """
    from skewless import local

    local.down(settings_here(), report)
    if as_json:
        services(as_json)


def services(as_json: AsJson = False) -> None:
    """Show the local services, their addresses and logs.

    Example: skewless services
    """
    from skewless import local

    found = local.status(settings_here())
    lines = [
        f"{item.name:<13} {item.state:<9} {item.address}" + (f"  {item.log}" if item.log else "")
        for item in found
    ]
    show(found, "\n".join(lines), as_json)


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

    for name, line in log_lines(settings_here(), tuple(service or ()), lines=lines, follow=follow):
        show({"service": name, "line": line}, f"{name:<13} {line}", as_json)


def airflow(
    arguments: Annotated[list[str] | None, typer.Argument(help="Airflow's own command and options.")] = None,
) -> None:
    """Run Airflow's own command line against this installation.

    Example: skewless airflow dags list-import-errors
    """
    from skewless.local.airflow import become

    become(settings_here(), arguments or [])
