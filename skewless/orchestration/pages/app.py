"""The pages as a FastAPI application: who asks, what is shown, and in which form."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException as RoutingError

from skewless.errors import Problem, SkewlessError, UsageError
from skewless.jobs.receipts import plain
from skewless.model import FeatureView
from skewless.orchestration.pages import overview, snapshots
from skewless.orchestration.pages.addresses import dag_id, view_of
from skewless.orchestration.pages.definitions import Opened
from skewless.orchestration.pages.rendering import headers, render
from skewless.timeline import parse_instant

_REFRESH = 30  # seconds after which the lists are asked for again
_TITLES = {
    401: "Not logged in",
    403: "Not allowed",
    404: "Not found",
    405: "Not allowed",
    500: "Out of order",
}


@dataclass(frozen=True, slots=True)
class Access:
    """Who may see what, as dependencies of FastAPI; each raises HTTPException 401 or 403.

    user      anybody who is logged in; asked by every route
    readable  gives the ids of the DAGs that the user may read
    demand    raises unless the user may read the DAG of the route's `view`
    login     where to log in and come back to an address
    """

    user: Callable[..., Any]
    readable: Callable[..., set[str]]
    demand: Callable[..., None]
    login: Callable[[str], str]


def make_app(access: Access, opened: Callable[[], Opened]) -> FastAPI:
    """The application; Airflow mounts it at /skewless. It describes itself nowhere: those routes ask nobody."""
    app = FastAPI(
        title="Skewless",
        dependencies=[Depends(access.user)],
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    readable, current, demanded = Depends(access.readable), Depends(opened), [Depends(access.demand)]

    @app.get("/")
    def start(request: Request) -> Response:
        return RedirectResponse(f"{_base(request)}/views")

    @app.get("/views")
    @app.get("/api/views")
    def views(request: Request, allowed: set[str] = readable, opened: Opened = current) -> Response:
        names = [name for name in opened.workspace.repo.views if dag_id(name) in allowed]
        lines = overview.lines(opened.workspace, names)
        told = {"views": [line.plain() for line in lines]}
        return _answer(request, "views.html", told, opened.problems, lines=lines, refresh=_REFRESH)

    @app.get("/views/{view}", dependencies=demanded)
    @app.get("/api/views/{view}", dependencies=demanded)
    def view(request: Request, view: str, opened: Opened = current) -> Response:
        return _view_page(request, view, opened)

    @app.get("/views/{view}/{snapshot_time}", dependencies=demanded)
    @app.get("/api/views/{view}/{snapshot_time}", dependencies=demanded)
    def snapshot(request: Request, view: str, snapshot_time: str, opened: Opened = current) -> Response:
        return _snapshot_page(request, view, snapshot_time, opened)

    @app.get("/dags/{dag}")
    def of_dag(request: Request, dag: str) -> Response:
        name = view_of(dag)
        if name is None:
            return _failed(request, 404, f"{dag} is not the DAG of a feature view", title="No snapshots")
        return RedirectResponse(f"{_base(request)}/views/{quote(name, safe='')}")

    @app.exception_handler(RoutingError)
    def refused(request: Request, error: RoutingError) -> Response:
        if error.status_code == 401 and not _wants_json(request):
            return RedirectResponse(access.login(str(request.url)))
        return _failed(request, error.status_code, str(error.detail))

    @app.exception_handler(SkewlessError)
    def failed(request: Request, error: SkewlessError) -> Response:
        return _failed(request, 404 if isinstance(error, UsageError) else 500, str(error))

    return app


def _view_of(opened: Opened, name: str) -> FeatureView:
    """The view of that name; the names of others, which the user may not be allowed to see, are not told."""
    if name in opened.workspace.repo.views:
        return opened.workspace.repo.views[name]
    others = "; the definitions have mistakes, which the list of views shows" if opened.problems else ""
    raise UsageError(f"there is no feature view {name!r}{others}")


def _view_page(request: Request, name: str, opened: Opened) -> Response:
    view = _view_of(opened, name)
    line, rows = overview.line(opened.workspace, name), snapshots.recent(opened.workspace, view)
    told = line.plain() | {"snapshots": plain(rows)}
    return _answer(
        request,
        "view.html",
        told,
        opened.problems,
        line=line,
        rows=rows,
        description=view.description,
        refresh=_REFRESH,
    )


def _snapshot_page(request: Request, name: str, snapshot_time: str, opened: Opened) -> Response:
    view = _view_of(opened, name)
    try:
        t = parse_instant(snapshot_time)
    except ValueError as error:
        raise UsageError(str(error)) from error
    found = snapshots.snapshot(opened.workspace, view, t)
    live = overview.line(opened.workspace, name).status
    return _answer(request, "snapshot.html", plain(found), opened.problems, found=found, live=live)


def _answer(
    request: Request, template: str, told: dict[str, Any], problems: tuple[Problem, ...], **shown: Any
) -> Response:
    """The page, or, for a program, the same as JSON."""
    if _wants_json(request):
        return JSONResponse(told | {"problems": [str(problem) for problem in problems]})
    return _page(request, 200, template, problems=problems, **shown)


def _failed(request: Request, code: int, message: str, title: str | None = None) -> Response:
    if _wants_json(request):
        return JSONResponse({"error": message}, code)
    named = title or _TITLES.get(code, "Error")
    return _page(request, code, "error.html", problems=(), title=named, message=message)


def _page(request: Request, code: int, template: str, **shown: Any) -> HTMLResponse:
    nonce = secrets.token_urlsafe(16)
    text = render(template, base=_base(request), nonce=nonce, **shown)
    return HTMLResponse(text, code, headers(nonce))


def _base(request: Request) -> str:
    """The path under which the pages are mounted."""
    return str(request.scope.get("root_path", ""))


def _wants_json(request: Request) -> bool:
    accepted = request.headers.get("accept", "")
    asked = "application/json" in accepted and "text/html" not in accepted
    return asked or request.url.path.removeprefix(_base(request)).startswith("/api/")
