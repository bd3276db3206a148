"""Airflow's own dialog for backfills, as a person uses it in a browser."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.airflow.stack import Stack


class Dialog:
    """The dialog of one DAG; every step leaves a picture for whoever must find out what went wrong."""

    def __init__(self, page: Page, airflow: Stack, screenshots: Path) -> None:
        """Nothing is opened yet."""
        self._page, self._airflow, self._screenshots = page, airflow, screenshots
        self._pictures = 0

    @property
    def _box(self) -> Locator:
        return self._page.get_by_role("dialog").filter(has=self._page.get_by_text("Single Run"))

    def open(self, dag_id: str) -> None:
        """Go to the DAG's page, open its trigger dialog, and choose a backfill there."""
        self._page.goto(f"{self._airflow.settings.airflow_url}/dags/{dag_id}")
        self._page.get_by_test_id("trigger-dag-button").first.click()
        self._box.get_by_text("Backfill", exact=True).click()
        expect(self._box.get_by_text("Date Range")).to_be_visible()
        self._picture("opened")

    def choose(self, first: datetime, last: datetime) -> None:
        """Give the starts of the first and of the last interval."""
        for place, instant in enumerate((first, last)):
            self._fill(self._box.get_by_test_id("datetime-input").nth(place), instant)
        self._box.locator('input[type="number"]').fill("3")  # runs at a time
        self._picture("chosen")

    def _fill(self, field: Locator, instant: datetime) -> None:
        """Open the calendar of a date, type into it, and close it."""
        field.click()
        date, time = (
            self._page.get_by_placeholder(form).locator("visible=true") for form in ("YYYY/MM/DD", "HH:mm")
        )
        date.fill(f"{instant:%Y/%m/%d}")
        time.fill(f"{instant:%H:%M}")
        field.click()
        expect(date).to_have_count(0)

    def says(self) -> str:
        """What the dialog tells of the runs to come."""
        told = self._box.get_by_text("will be triggered").or_(self._box.get_by_text("No runs matching"))
        expect(told).to_be_visible()
        return told.inner_text()

    @property
    def runs(self) -> Locator:
        """The button that starts the backfill."""
        return self._box.get_by_role("button", name="Run Backfill")

    def run(self) -> None:
        """Start it; the dialog closes."""
        self.runs.click()
        expect(self._box).to_be_hidden()
        self._picture("started")

    def _picture(self, step: str) -> None:
        self._pictures += 1
        self._page.screenshot(path=self._screenshots / f"{self._pictures}-{step}.png")
