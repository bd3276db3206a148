"""Pages from templates: everything escaped, nothing from elsewhere."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from skewless.orchestration.pages import words
from skewless.orchestration.pages.addresses import dag_id
from skewless.timeline import format_instant


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("skewless.orchestration.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {
        "iso": format_instant,
        "instant": words.instant,
        "span": words.span,
        "count": words.count,
        "told": words.told,
        "dag_id": dag_id,
    }
    return templates


def render(template: str, *, base: str, nonce: str, **values: Any) -> str:
    """A page.

    base   the path under which the pages are mounted, e.g. "/skewless"; Airflow's own lie one up
    nonce  of the response: the only style and script that the browser accepts carry it
    """
    airflow = base.rpartition("/")[0]
    return _templates().get_template(template).render(base=base, airflow=airflow, nonce=nonce, **values)


def headers(nonce: str) -> dict[str, str]:
    """Headers of every page: nothing is loaded from anywhere, framed by Airflow alone, never kept."""
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
