"""Tests of a real Airflow: a package, so that it is ended when they are over."""
