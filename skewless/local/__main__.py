"""The Spark server in the foreground, for a container: `python -m skewless.local ADDRESS PORT`."""

from __future__ import annotations

import sys

from skewless.local.spark_connect import serve
from skewless.settings import load_settings

if __name__ == "__main__":
    serve(load_settings(), sys.argv[1], int(sys.argv[2]))
