"""Airflow: one DAG per feature view and per training set, made from the definitions.

A whole DAG file, beside which `features/` and `skewless.toml` lie in the folder above:

    import airflow  # a DAG file says airflow and dag
    from skewless.orchestration import dags

    globals().update(dags("/path/to/project"))

Nothing here imports Spark, Redis or Great Expectations: tasks run the commands that a person would type.
"""

from skewless.orchestration.project import check_definitions, dags

__all__ = ["check_definitions", "dags"]
