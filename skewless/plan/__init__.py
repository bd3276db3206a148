"""From a folder of definitions to a repository, fingerprints and steps; loads no engine."""

from skewless.plan.fingerprint import fingerprint, short
from skewless.plan.repo import Repo, Selection, check_repo, load_repo

__all__ = ["Repo", "Selection", "check_repo", "fingerprint", "load_repo", "short"]
