"""What Spark's failures become."""

from __future__ import annotations

import pytest
from pyspark.errors import PySparkException

from skewless.errors import DataError
from skewless.offline.failures import explained

OF_A_WORKER = """
  An exception was thrown from the Python worker. Please see the stack trace below.
Traceback (most recent call last):
  File "worker.py", line 3, in main
TypeError: 3 is no row

JVM stacktrace:
org.apache.spark.api.python.PythonException: Traceback (most recent call last):
"""


def test_a_failure_in_a_worker_is_told_by_what_was_raised_there():
    with (
        pytest.raises(DataError, match="building v: Spark failed: TypeError: 3 is no row"),
        explained("building v"),
    ):
        raise PySparkException(OF_A_WORKER)


def test_any_other_failure_is_told_by_its_first_line():
    with pytest.raises(DataError, match=r"building v: Spark failed: out of luck$"), explained("building v"):
        raise PySparkException("out of luck\n  at a.b.c")
