"""What must hold of a revision before readers get it.

The verdict is pure; Great Expectations is at the edge, and is imported by the first check.
"""

from skewless.quality.builtin import Facts
from skewless.quality.check import check
from skewless.quality.gx import validate_expectations
from skewless.quality.training import TrainingFacts, check_training
from skewless.quality.verdict import CheckResult, Verdict
from skewless.quality.verdicts import Verdicts

__all__ = [
    "CheckResult",
    "Facts",
    "TrainingFacts",
    "Verdict",
    "Verdicts",
    "check",
    "check_training",
    "validate_expectations",
]
