"""The command that serves lookups over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from skewless.commands.options import AsJson
from skewless.console import report


def serve(
    host: Annotated[
        str | None, typer.Option(help="Name or address to listen at; default: 127.0.0.1.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0: one that is free; default: 8090.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes; default: 1.")] = None,
    tokens: Annotated[
        Path | None, typer.Option(help="File of tokens, one a line; each caller needs one.")
    ] = None,
    no_token: Annotated[
        bool, typer.Option("--no-token", help="Let other machines ask without a token, too.")
    ] = False,
    timeout: Annotated[
        float | None, typer.Option(help="Seconds that a request may take; default: 5.")
    ] = None,
    max_bytes: Annotated[int | None, typer.Option(help="The largest body; default: 16 MiB.")] = None,
    max_entities: Annotated[int | None, typer.Option(help="Entities of a request; default: 100,000.")] = None,
    max_features: Annotated[int | None, typer.Option(help="Features of a request; default: 500.")] = None,
    max_requests: Annotated[
        int | None, typer.Option(help="Requests under way in each process; default: 200.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Answer lookups over HTTP until Ctrl-C or SIGTERM; it needs no definitions.

    Example: skewless serve --port 8090 --workers 2
    """
    from skewless.serve.server import Started, serve
    from skewless.settings import load_settings

    given = {
        "host": host,
        "port": port,
        "workers": workers,
        "tokens": tokens,
        "timeout_seconds": timeout,
        "max_bytes": max_bytes,
        "max_entities": max_entities,
        "max_features": max_features,
        "max_requests": max_requests,
    }
    settings = load_settings(**{f"serve_{name}": value for name, value in given.items() if value is not None})

    def tell(started: Started) -> None:
        if as_json:
            print(msgspec.json.encode(started).decode(), flush=True)  # `show` would load every job first
        else:
            report(str(started))

    serve(settings, tell, without_token=no_token)
