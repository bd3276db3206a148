"""Take the pictures of docs/operations.md in a headless Chromium, from the stack of `make demo`.

One of them needs a blocked check: the script backfills the hour in which the weather data have a wind of 1,048
miles per hour.
"""

from __future__ import annotations

import re
import shutil
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import FloatRect, Locator, Page, expect, sync_playwright

from examples.load import Shift
from examples.runs import Run, Runs
from examples.wanted import Wanted
from skewless import local
from skewless.errors import SetupError, SkewlessError
from skewless.local.airflow_api import AirflowApi
from skewless.orchestration.pages.addresses import framed, snapshot_page
from skewless.plan.uris import under
from skewless.settings import Settings, load_settings
from skewless.timeline import Interval, format_instant

IMAGES = Path(__file__).parents[1] / "docs" / "images"
GRID_OF = "carrier_delays"
BLOCKED_VIEW, WRONG_WIND = "airport_weather", datetime(2013, 2, 12, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
WIDTH, HEIGHT = 1480, 800
PATIENCE = 600.0  # seconds for the run that is to be blocked


def main() -> int:
    """Take every picture, or say what is missing."""
    settings = load_settings()
    with AirflowApi(settings) as api:
        shown, blocked = newest_good_run(api, f"features.{GRID_OF}"), blocked_run(settings, api)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(
            viewport={"width": WIDTH, "height": HEIGHT},
            timezone_id="UTC",
            color_scheme="light",
            locale="en-US",
        )
        page.set_default_timeout(60_000)
        expect.set_options(timeout=60_000)
        log_in(page, settings)
        take_all(page, settings.airflow_url, shown, blocked)
        browser.close()
    return 0


def blocked_run(settings: Settings, api: AirflowApi) -> Run:
    """The run of the hour with the wrong wind, asked for where it is not there; it ends blocked."""
    shift = Shift.read(Path(under(settings.warehouse, "sources")) / "_shift.json")
    start = WRONG_WIND + shift.duration
    item = Wanted(f"features.{BLOCKED_VIEW}", BLOCKED_VIEW, Interval(start, start + HOUR))
    runs, deadline = Runs(api), time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = runs.with_tasks(runs.of([item])).get(item)
        if found is None and not runs.backfill_is_open(item.dag_id):
            print(
                f"asking for {BLOCKED_VIEW} at {format_instant(item.at)}, which is to be blocked", flush=True
            )
            runs.backfill([item])
        elif found is not None and found.state == "failed":
            return found
        time.sleep(5)
    raise SetupError(
        f"{BLOCKED_VIEW} at {format_instant(item.at)} was not blocked; look at its run in Airflow"
    )


def log_in(page: Page, settings: Settings) -> None:
    """Enter Airflow, as a person does."""
    who = local.login(settings)
    page.goto(settings.airflow_url)
    page.locator('input[name="username"]').fill(who.user)
    page.locator('input[name="password"]').fill(who.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/")


def take_all(page: Page, airflow: str, shown: str, blocked: Run) -> None:
    """Go through the pages, and take a picture of each."""
    snapshot = datetime.fromisoformat(blocked.run_id.rpartition("__")[2])
    take_dags(page, airflow)
    take_grid(page, f"{airflow}/dags/features.{GRID_OF}", shown)
    take_backfill_dialog(page, f"{airflow}/dags/features.{GRID_OF}")
    page.goto(f"{airflow}/dags/{blocked.dag_id}/runs/{quote(blocked.run_id)}/tasks/check")
    traceback = page.get_by_text("Task failed with exception").first
    expect(traceback).to_be_visible()
    take(page, "blocked", 1100, above=traceback)
    take_framed(page, airflow + framed("/skewless/views"), GRID_OF)
    take(page, "views", 430)
    take_framed(page, airflow + framed(snapshot_page(BLOCKED_VIEW, snapshot)), "blocked")
    take(page, "snapshot", HEIGHT)


def take_dags(page: Page, airflow: str) -> None:
    """The list of DAGs, as a table."""
    page.goto(f"{airflow}/dags?tags=skewless&limit=25")
    page.get_by_label("Show table view").click()
    expect(page.get_by_text(f"features.{GRID_OF}")).to_be_visible()
    take(page, "dags", HEIGHT)


def take_grid(page: Page, dag: str, run: str) -> None:
    """The grid, widened by its handle, beside a run with its note."""
    page.goto(f"{dag}/runs/{quote(run)}")
    page.get_by_test_id(re.compile("^grid-.*-publish$")).first.wait_for()
    handle = page.locator("[data-panel-resize-handle-id]").first
    box = handle.bounding_box()
    assert box is not None, "the grid is shown"
    page.mouse.move(box["x"] + 1, HEIGHT / 2)
    page.mouse.down()
    page.mouse.move(480, HEIGHT / 2, steps=5)
    page.mouse.up()
    take(page, "grid", HEIGHT)


def newest_good_run(api: AirflowApi, dag_id: str) -> str:
    """The newest run that ended well."""
    asked = {"state": "success", "order_by": "-run_after", "limit": 1}
    runs = api.get(f"dags/{dag_id}/dagRuns", **asked)["dag_runs"]
    if not runs:
        raise SetupError(f"no run of {dag_id} has ended well; run `make demo` first")
    return str(runs[0]["dag_run_id"])


def take_backfill_dialog(page: Page, dag: str) -> None:
    """Fill the dialog in for six closed hours of yesterday, and leave it without running it."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0) - timedelta(days=1)
    page.goto(dag)
    page.get_by_test_id("trigger-dag-button").first.click()
    dialog = page.get_by_role("dialog").first
    dialog.get_by_text("Backfill", exact=True).click()
    for place, instant in enumerate((midnight, midnight + 5 * HOUR)):
        fill_date(page, dialog.get_by_test_id("datetime-input").nth(place), instant)
    dialog.get_by_text("Missing and Errored Runs").click()
    expect(dialog.get_by_text("will be triggered")).to_be_visible()
    take(page, "backfill", 960)


def fill_date(page: Page, field: Locator, instant: datetime) -> None:
    """Open the calendar of a date, type into it, and close it."""
    field.click()
    page.get_by_placeholder("YYYY/MM/DD").locator("visible=true").fill(f"{instant:%Y/%m/%d}")
    page.get_by_placeholder("HH:mm").locator("visible=true").fill(f"{instant:%H:%M}")
    field.click()


def take_framed(page: Page, address: str, words: str) -> None:
    """Go to a page of ours inside Airflow's own, and wait until it shows some words."""
    page.goto(address)
    expect(page.frame_locator("iframe").get_by_text(words).first).to_be_visible()


def take(page: Page, name: str, height: int, *, above: Locator | None = None) -> None:
    """Write one picture of that height, or of what is above an element, when the page has come to rest."""
    page.set_viewport_size({"width": WIDTH, "height": height})
    page.wait_for_timeout(2000)  # charts and tables move into their places
    box = above.bounding_box() if above else None
    shown = FloatRect(x=0, y=0, width=WIDTH, height=box["y"] if box else height)
    path = IMAGES / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=path, animations="disabled", clip=shown)
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    print(f"docs/images/{name}.png: {path.stat().st_size / 1000:.0f} kB", flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SkewlessError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
