"""One function per job: what the command line, Airflow and the demo call."""

from skewless.jobs.backfill import backfill
from skewless.jobs.build import build
from skewless.jobs.check import check
from skewless.jobs.maintain import maintain
from skewless.jobs.operate import accept, expire, hold, release, rollback
from skewless.jobs.plan import plan
from skewless.jobs.publish import publish
from skewless.jobs.receipts import to_json
from skewless.jobs.replay import replay
from skewless.jobs.status import ViewStatus, status
from skewless.jobs.together import build_together
from skewless.jobs.train import accept_training, train
from skewless.jobs.training import training_rows, write_rows
from skewless.jobs.validate import validate
from skewless.jobs.verify import verify

__all__ = [
    "ViewStatus",
    "accept",
    "accept_training",
    "backfill",
    "build",
    "build_together",
    "check",
    "expire",
    "hold",
    "maintain",
    "plan",
    "publish",
    "release",
    "replay",
    "rollback",
    "status",
    "to_json",
    "train",
    "training_rows",
    "validate",
    "verify",
    "write_rows",
]
