"""Commands that look: at views, online, and at training rows."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from skewless.commands.options import AsJson, View, good_workspace, strict_workspace
from skewless.console import parsed_entity, report, show


def status(
    view: Annotated[list[str] | None, typer.Argument(help="Feature views; default: all.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show each view's verdict, live generation and age.

    And where its ledger and the online store differ, with what to do.

    Example: skewless status --json
    """
    from skewless import jobs
    from skewless.tables import status_table

    found = jobs.status(good_workspace(), tuple(view or ()))
    show(found, status_table(found), as_json)


def verify(view: View, as_json: AsJson = False) -> None:
    """Compare every key online with the live revision, exactly.

    Nothing is changed. Exit code 1 where something differs.

    Example: skewless verify transaction_stats
    """
    from skewless import jobs

    found = jobs.verify(good_workspace(), view, report=report)
    show(found, str(found), as_json)
    if not found.same:
        raise typer.Exit(1)


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
    show({"rows": answer.rows, "views": answer.views}, answer_table(answer), as_json)


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

    Example: skewless train-rows sources/flights_spine -f departure_delay_v1 --where "event_timestamp < current_date()"
    """
    from skewless import jobs
    from skewless.offline.failures import explained
    from skewless.tables import rows_table

    asked: Any = features[0] if len(features) == 1 else features
    rows = jobs.training_rows(
        strict_workspace(),
        spine,
        asked,
        as_of=as_of,
        explain=explain,
        timestamp_field=timestamp_field,
        where=where,
    )
    with explained("joining the spine"):
        if output:
            written = jobs.write_rows(rows, output)
            show({"output": written}, f"written to {written}", as_json)
        else:
            found = rows.limit(limit).toArrow().to_pylist()
            show(found, rows_table(found), as_json)
