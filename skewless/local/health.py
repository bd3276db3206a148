"""Whether one of Airflow's processes works, for a container: `python -m skewless.local.health URL PROCESS`."""

from __future__ import annotations

import sys

from skewless.local.airflow import PROCESSES, healthy
from skewless.settings import load_settings

if __name__ == "__main__":
    address, process = sys.argv[1:]
    sys.exit(0 if process in PROCESSES and healthy(load_settings(airflow_url=address), process) else 1)
