"""Compare what readers have of a view with what the ledger and its table say they should have."""

from __future__ import annotations

from skewless.jobs.operate import online_view
from skewless.jobs.pace import Pace
from skewless.jobs.receipts import Report, silent
from skewless.online.publication import Rows
from skewless.online.verification import Verification
from skewless.online.verify import Definition
from skewless.online.verify import verify as verify_online
from skewless.plan.fingerprint import fingerprint
from skewless.workspace import Workspace


def verify(workspace: Workspace, view_name: str, *, report: Report = silent) -> Verification:
    """Compare every key of the live generation with its revision, exactly, and change nothing.

    UsageError for a view that is not online; NotPublishedError where nothing is live; DataError where the revision
    cannot be read; OnlineError where it changes faster than it can be compared; StoreUnavailable; LedgerError.
    """
    from skewless.offline.tables import FeatureTable

    view = online_view(workspace, view_name)

    def rows(of: str) -> Rows:
        return FeatureTable.of(view, of, workspace.settings.warehouse).reader

    report(f"verifying {view.name}")
    definition = Definition(view=view, fingerprint=fingerprint(view))
    pace = Pace(f"verifying {view.name}", report)
    return verify_online(workspace.online(view), definition, rows, told=pace.tell, report=report)
