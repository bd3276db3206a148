"""Take the pictures of docs/operations.md in a headless Chromium, from the stack of `make demo`.

One of them needs a blocked check: the script backfills the hour in which the weather data have a wind of 1,048
miles per hour.
"""

from __future__ import annotations

import shutil
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from examples.load import Shift
from skewless import local
from skewless.errors import SetupError, SkewlessError
from skewless.local.airflow_api import AirflowApi
from skewless.orchestration.pages.addresses import framed, snapshot_page
from skewless.plan.uris import under
from skewless.settings import Settings, load_settings
from skewless.timeline import format_instant

IMAGES = Path(__file__).parents[1] / "docs" / "images"
GRID_OF = "carrier_delays"
BLOCKED_VIEW, WRONG_WIND = "airport_weather", datetime(2013, 2, 12, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
WIDTH, HEIGHT = 1400, 800
PATIENCE = 600.0  # seconds for the run that is to be blocked


def main() -> int:
    """Take every picture, or say what is missing."""
    settings = load_settings()
    api = AirflowApi(settings)
    blocked = blocked_run(settings, api)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(
            viewport={"width": WIDTH, "height": HEIGHT},
            timezone_id="UTC",
            color_scheme="light",
            locale="en-US",
        )
        page.set_default_timeout(60_000)
        log_in(page, settings)
        take_all(page, settings.airflow_url, blocked)
        browser.close()
    return 0


def blocked_run(settings: Settings, api: AirflowApi) -> str:
    """The run of the hour with the wrong wind, asked for where it is not there; it ends blocked."""
    shift = Shift.read(Path(under(settings.warehouse, "sources")) / "_shift.json")
    start = WRONG_WIND + shift.duration
    dag, asked = f"features.{BLOCKED_VIEW}", format_instant(start)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = api.get(f"dags/{dag}/dagRuns", logical_date_gte=asked, logical_date_lte=asked)["dag_runs"]
        if not found:
            print(
                f"asking for the run of {dag} at {format_instant(start + HOUR)}, which is blocked", flush=True
            )
            api.post("backfills", {"dag_id": dag, "from_date": asked, "to_date": asked})
        elif found[0]["state"] == "failed":
            return str(found[0]["dag_run_id"])
        time.sleep(5)
    raise SetupError(
        f"the run of {dag} at {format_instant(start + HOUR)} did not end blocked; look at it in Airflow"
    )


def log_in(page: Page, settings: Settings) -> None:
    """Enter Airflow, as a person does."""
    who = local.login(settings)
    page.goto(settings.airflow_url)
    page.locator('input[name="username"]').fill(who.user)
    page.locator('input[name="password"]').fill(who.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/")


def take_all(page: Page, airflow: str, blocked: str) -> None:
    """Go through the pages, and take a picture of each."""
    snapshot = datetime.fromisoformat(blocked.rpartition("__")[2])
    dag = f"{airflow}/dags/features.{BLOCKED_VIEW}"
    page.goto(f"{airflow}/dags?tags=skewless&limit=25")
    expect(page.get_by_text(f"features.{GRID_OF}")).to_be_visible()
    take(page, "dags")
    page.goto(f"{airflow}/dags/features.{GRID_OF}/runs")
    expect(page.get_by_text("generation").first).to_be_visible()
    take(page, "grid")
    take_backfill_dialog(page, f"{airflow}/dags/features.{GRID_OF}")
    page.goto(f"{dag}/runs/{blocked}/tasks/check")
    expect(page.get_by_text("was not published").first).to_be_visible()
    take(page, "blocked")
    page.goto(airflow + framed("/skewless/views"))
    expect(page.frame_locator("iframe").get_by_text(GRID_OF, exact=True)).to_be_visible()
    take(page, "views")
    page.goto(airflow + framed(snapshot_page(BLOCKED_VIEW, snapshot)))
    expect(page.frame_locator("iframe").get_by_text("blocked").first).to_be_visible()
    take(page, "snapshot")


def take_backfill_dialog(page: Page, dag: str) -> None:
    """Fill the dialog in for six closed hours of yesterday, and leave it without running it."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0) - timedelta(days=1)
    page.goto(dag)
    page.get_by_test_id("trigger-dag-button").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Backfill", exact=True).click()
    for place, instant in enumerate((midnight, midnight + 5 * HOUR)):
        dialog.get_by_placeholder("YYYY/MM/DD").nth(place).fill(f"{instant:%Y/%m/%d}")
        dialog.get_by_placeholder("HH:mm").nth(place).fill(f"{instant:%H:%M}")
    expect(dialog.get_by_text("will be triggered")).to_be_visible()
    take(page, "backfill")


def take(page: Page, name: str) -> None:
    """Write one picture, when the page has come to rest."""
    page.wait_for_timeout(1500)  # charts and tables move into their places
    path = IMAGES / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=path, animations="disabled")
    print(f"{path.relative_to(IMAGES.parents[1])}: {path.stat().st_size / 1000:.0f} kB", flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SkewlessError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
