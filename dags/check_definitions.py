"""Shows in Airflow, as this file's import error, what is wrong in features/; the dags of good views go on."""

from pathlib import Path

from skewless.orchestration import check_definitions

check_definitions(Path(__file__).parents[1])
