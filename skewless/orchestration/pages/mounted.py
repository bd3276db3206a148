"""What the Airflow plugin registers: the pages under Airflow's server, and their places in its navigation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from skewless.orchestration.pages.addresses import PREFIX, ROUTE

if TYPE_CHECKING:
    from fastapi import FastAPI

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]


class Pages:
    """The application of a project's folder, made by its first request.

    Every process of Airflow loads the plugin, and one serves the pages.
    """

    def __init__(self, folder: Path) -> None:
        """Nothing is imported or read yet."""
        self._folder = folder

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        """Answer a request."""
        await self._app(scope, receive, send)

    @cached_property
    def _app(self) -> FastAPI:
        from skewless.orchestration.pages.access import airflow_access
        from skewless.orchestration.pages.app import make_app
        from skewless.orchestration.pages.definitions import opener

        return make_app(airflow_access(), opener(self._folder))


def external_views(base_url: str) -> list[dict[str, str]]:
    """The entry in Airflow's navigation, and the tab on a DAG's page.

    base_url  Airflow's `[api] base_url`: the pages live under its path, if it has one
    """
    place = f"{urlsplit(base_url).path.rstrip('/')}{PREFIX}"
    return [
        {"name": "Features", "href": f"{place}/views", "url_route": ROUTE, "destination": "nav"},
        {
            "name": "Snapshots",
            "href": f"{place}/dags/{{DAG_ID}}",
            "url_route": f"{ROUTE}-snapshots",
            "destination": "dag",
        },
    ]
