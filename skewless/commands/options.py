"""What commands share: their options, and the ways to open a project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from skewless.console import report

if TYPE_CHECKING:
    from skewless.settings import Settings
    from skewless.workspace import Workspace

View = Annotated[str, typer.Argument(help="Name of a feature view.")]
SnapshotTime = Annotated[
    str | None,
    typer.Option(
        "--snapshot-time", "-t", metavar="INSTANT", help="End of a data interval; default: the newest due."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of words.")]
Reason = Annotated[str | None, typer.Option("--reason", help="Why, for whoever reads the ledger later.")]


def settings_here() -> Settings:
    """The settings of this folder and environment."""
    from skewless.settings import load_settings

    return load_settings()


def strict_workspace() -> Workspace:
    """The project, where all of its definitions are good; DefinitionError with every mistake."""
    from skewless.workspace import Workspace

    return Workspace.open(settings_here())


def good_workspace() -> Workspace:
    """For what concerns one view, or views that are built already: mistakes elsewhere are told, and do not stop it."""
    from skewless.workspace import Workspace

    return Workspace.open_what_is_good(settings_here(), lambda problem: report(f"ignored: {problem}"))
