"""The verdict on a revision: what was checked, what was found, and what a person can do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from skewless.timeline import format_instant


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What one expectation found.

    severity          "critical" blocks; "warning" is recorded and shown
    observed          what was seen, as text: a number, or the first unexpected values
    unexpected_count  how many of `total` values break it; None where it is no matter of counts
    sentence          claim and finding: "amount between 0 and ...: 3 of 10,412 values below 0"
    """

    expectation: str
    sentence: str
    success: bool
    severity: str = "critical"
    column: str | None = None
    arguments: str = "{}"
    observed: str | None = None
    unexpected_count: int | None = None
    total: int | None = None

    @property
    def blocks(self) -> bool:
        """Whether it keeps the revision from readers."""
        return not self.success and self.severity != "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """All results of one check of one revision."""

    view: str
    snapshot_time: datetime
    revision: str
    results: tuple[CheckResult, ...] = field(default=())

    @property
    def passed(self) -> bool:
        """Whether readers may get the revision: something was checked, and nothing critical failed."""
        return bool(self.results) and not self.failures

    @property
    def failures(self) -> tuple[CheckResult, ...]:
        """What blocks it."""
        return tuple(result for result in self.results if result.blocks)

    @property
    def warnings(self) -> tuple[CheckResult, ...]:
        """What failed without blocking."""
        return tuple(result for result in self.results if not result.success and not result.blocks)

    def message(self) -> str:
        """The verdict in words: what failed, with counts, and the ways out."""
        return "\n".join(self._passed_lines() if self.passed else self._blocked_lines())

    def _passed_lines(self) -> list[str]:
        done = _count(len(self.results), "check")
        noted = f", {_count(len(self.warnings), 'warning')}" if self.warnings else ""
        return [f"{self._name} passed: {done}{noted}", *_warning_lines(self.warnings)]

    def _blocked_lines(self) -> list[str]:
        failed = f"{len(self.failures)} of its {_count(len(self.results), 'check')} failed"
        return [
            f"{self._name} {self._outcome}: {failed}",
            *(f"  {result.sentence}" for result in self.failures),
            *_warning_lines(self.warnings),
            *self._way_out(),
        ]

    def _way_out(self) -> list[str]:
        where = f"{self.view} --snapshot-time {format_instant(self.snapshot_time)}"
        return [
            "Readers keep the previous snapshot. If the source corrects itself, nothing is to be done; else",
            "  repair the source and build again (in Airflow: clear the run from build), or",
            f"  use a late correction:  skewless build {where} --known-until now",
            f'  or accept it as it is:  skewless accept {where} --reason "..."',
        ]

    @property
    def _outcome(self) -> str:
        return "was not published"

    @property
    def _name(self) -> str:
        return f"{self.view!r} at {format_instant(self.snapshot_time)}"


def _warning_lines(warnings: Sequence[CheckResult]) -> list[str]:
    return [f"  warning: {result.sentence}" for result in warnings]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
