"""Skewless in Airflow's server: its pages and their places in the navigation, and a note on every run that ends."""

from pathlib import Path

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

from skewless.orchestration import listener
from skewless.orchestration.pages.addresses import PREFIX
from skewless.orchestration.pages.mounted import Pages, external_views


class SkewlessPlugin(AirflowPlugin):
    """Mounts the pages at /skewless, for whoever may see Airflow's website."""

    name = "skewless"
    fastapi_apps = [{"app": Pages(Path(__file__).parents[1]), "url_prefix": PREFIX, "name": "Skewless"}]  # noqa: RUF012
    external_views = external_views(conf.get("api", "base_url", fallback=""))
    listeners = [listener]  # noqa: RUF012
