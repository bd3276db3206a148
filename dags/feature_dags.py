"""One Airflow dag per feature view and per training set, made from the definitions in features/."""

from pathlib import Path

from skewless.orchestration import dags

globals().update(dags(Path(__file__).parents[1]))
