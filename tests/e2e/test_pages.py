"""The pages in Airflow, made from real definitions, ledgers, verdicts and a real online store; no login here."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from skewless.ledger.events import Event, Kind
from skewless.orchestration.pages.app import Access, make_app
from skewless.orchestration.pages.definitions import Opened, impatient
from skewless.plan.repo import check_repo
from skewless.quality.verdict import CheckResult, Verdict
from skewless.settings import Settings
from skewless.timeline import format_instant
from skewless.workspace import Workspace
from tests.e2e.world import PAYMENTS, World, hours_ago, minutes

FIRST, BAD = hours_ago(3), hours_ago(2)
SCRIPT = "<script>alert(1)</script>"
WARNED = CheckResult(
    expectation="expect_column_values_to_be_between",
    sentence="payments between ... and 2: 1 of 2 values above 2",
    success=False,
    severity="warning",
    unexpected_count=1,
    total=2,
)
GOOD = CheckResult(expectation="keys are unique", sentence="keys are unique: all 2 rows", success=True)
FAILED = CheckResult(
    expectation="expect_column_values_to_be_between",
    sentence=f"amount between 0 and ...: 1,234 of 10,412 values below 0 {SCRIPT}",
    success=False,
    observed="[-1000.0]",
    unexpected_count=1234,
    total=10412,
)


class Browser:
    """Asks an application, without a server between."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app

    def get(self, path: str, **how: Any) -> httpx.Response:
        """Ask, and follow where it leads."""
        return asyncio.run(self._get(path, **how))

    async def _get(self, path: str, **how: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://airflow") as client:
            return await client.get(path, follow_redirects=True, **how)


class Shown(HTMLParser):
    """A page as a reader has it: its text, its links, and its tables row by row."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.links, self.rows, self.tags = "", [], [], []
        self._silent = self._in_cell = False
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        self._silent = tag in ("style", "script")
        if tag == "a":
            self.links.append(dict(attributes)["href"])
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        self._silent = False
        self._in_cell = self._in_cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._silent or not data.strip():
            return
        self.text = " ".join([*self.text.split(), *data.split()])
        if self._in_cell:
            self.rows[-1][-1] = " ".join([*self.rows[-1][-1].split(), *data.split()])

    def row(self, first: str) -> list[str]:
        """The row whose first cell is that."""
        return next(cells for cells in self.rows if cells[:1] == [first])


@pytest.fixture(scope="module")
def world(settings: Settings, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> World:
    """`recent` is live; its next snapshot is blocked. `daily` was never built; `unserved` is not online."""
    world = World(settings, tmp_path_factory.mktemp("pages"), PAYMENTS)
    world.at(FIRST + minutes(15))
    world.first = world.stored("recent", FIRST, (1, 5.0, 1), (2, 7.5, 3))
    told(world, "recent", FIRST, world.first, GOOD, WARNED)
    world.publish("recent", FIRST)
    world.at(BAD + minutes(15))
    world.bad = world.stored("recent", BAD, (1, -1000.0, 1), verdict=Kind.BLOCKED)
    told(world, "recent", BAD, world.bad, GOOD, FAILED, WARNED)
    world.stored("unserved", BAD, (1, 1.0, 1))
    return world


def told(world: World, name: str, t: object, revision: str, *results: CheckResult) -> None:
    """Keep a verdict, as a check does."""
    verdicts = world.workspace.verdicts(world.workspace.repo.view(name))
    verdicts.append(Verdict(view=name, snapshot_time=t, revision=revision, results=results))


def client(opened: Opened, readable: set[str] | None = None) -> Browser:
    """The pages where Airflow mounts them, for somebody who may read those DAGs."""
    names = opened.workspace.repo.views
    allowed = {f"features.{name}" for name in names} if readable is None else readable
    access = Access(user=lambda: None, readable=lambda: allowed, demand=lambda: None, login=lambda to: to)
    server = FastAPI()
    server.mount("/skewless", make_app(access, lambda: opened))
    return Browser(server)


@pytest.fixture
def pages(world: World) -> Browser:
    return client(Opened(world.workspace))


def shown(pages: Browser, path: str, code: int = 200) -> Shown:
    answer = pages.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == code, answer.text
    return Shown(answer.text)


# -- the list ---------------------------------------------------------------------------------------------


def test_the_list_tells_what_is_live_how_late_it_is_and_what_came_after(world: World, pages: Browser):
    row = shown(pages, "/skewless/views").row("recent")
    assert row[1:6] == ["-", "@hourly", "live", "passed", "1"]
    assert row[6] == FIRST.strftime("%Y-%m-%d %H:%M")
    assert "h" in row[7]
    assert row[7].endswith("1 h behind")
    assert row[8] == "2"
    assert row[9] == (FIRST + minutes(3 * 24 * 60)).strftime("%Y-%m-%d %H:%M")
    assert row[10] == BAD.strftime("%Y-%m-%d %H:%M") + " blocked"


def test_views_without_a_live_generation_say_why(pages: Browser):
    page = shown(pages, "/skewless/views")
    assert page.row("daily")[3] == "not published"
    assert page.row("unserved")[3:5] == ["offline", "passed"]


def test_the_list_leads_to_dags_outside_the_frame_and_to_snapshots_inside(pages: Browser):
    page = shown(pages, "/skewless/views")
    (dag,) = [at for tag, at in page.tags if tag == "a" and at["href"] == "/dags/features.recent"]
    assert dag["target"] == "_top"
    inside = {f"/skewless/views/recent/{format_instant(t)}" for t in (FIRST, BAD)}
    assert inside <= set(page.links)


def test_only_views_whose_dag_may_be_read_are_listed(world: World):
    page = shown(client(Opened(world.workspace), {"features.daily"}), "/skewless/views")
    assert [cells[0] for cells in page.rows[1:]] == ["daily"]


def test_a_held_view_and_a_ledger_that_lacks_the_last_flip_are_told(world: World, tmp_path: Path):
    other = world.copy(tmp_path)
    other.cli("hold", "recent", "--reason", "repair")
    ledger = Path(other.workspace.ledger(other.workspace.repo.view("recent")).uri)
    versions = sorted((ledger / "_delta_log").glob("*.json"))
    published = next(path for path in versions if "published" in told_in(ledger, path))
    for path in versions[versions.index(published) :]:
        path.unlink()
    row = shown(client(Opened(other.workspace)), "/skewless/views").row("recent")
    assert row[3].startswith("live held ledger and store differ")


def told_in(ledger: Path, commit: Path) -> str:
    """The kinds of the events that a commit added."""
    import pyarrow.parquet as pq

    added = [json.loads(line)["add"]["path"] for line in commit.read_text().splitlines() if '"add"' in line]
    return " ".join(kind for path in added for kind in pq.read_table(ledger / path)["kind"].to_pylist())


def test_a_store_that_is_away_is_unreachable_within_seconds(world: World):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        settings = impatient(world.settings.model_copy(update={"redis_url": url}))
        browser = client(Opened(replace(world.workspace, settings=settings)))
        began = time.monotonic()
        page = shown(browser, "/skewless/views")
    assert time.monotonic() - began < 4, "asked once, and given up after two seconds"
    assert [page.row(name)[3] for name in ("daily", "recent", "unserved")] == [
        "unreachable",
        "unreachable",
        "offline",
    ]
    assert page.row("recent")[10].endswith("blocked"), "what the ledger knows is told all the same"


def test_a_mistake_in_the_definitions_is_shown_above_the_good_views(world: World):
    folder = world.settings.features
    (folder / "broken.py").write_text(f"raise ValueError({SCRIPT!r})\n")
    repo, problems = check_repo(folder)
    (folder / "broken.py").unlink()
    browser = client(Opened(Workspace(world.settings, repo, world.clock), problems))
    page = shown(browser, "/skewless/views")
    assert "1 mistake in the definitions" in page.text
    assert f"features/broken.py:1: broken: ValueError: {SCRIPT}" in page.text
    assert page.row("recent")[3] == "live"
    assert browser.get("/skewless/api/views").json()["problems"] == [str(problem) for problem in problems]


def test_a_view_whose_ledger_cannot_be_read_does_not_hide_the_others(world: World, tmp_path: Path):
    other = world.copy(tmp_path)
    ledger = Path(other.workspace.ledger(other.workspace.repo.view("unserved")).uri)
    for path in (ledger / "_delta_log").glob("*.json"):
        path.write_text("no JSON")
    page = shown(client(Opened(other.workspace)), "/skewless/views")
    assert "cannot be read" in page.row("unserved")[3]
    assert page.row("recent")[3] == "live"


# -- one snapshot -----------------------------------------------------------------------------------------


def test_a_passed_snapshot_shows_each_check_and_what_became_of_it(world: World, pages: Browser):
    page = shown(pages, f"/skewless/views/recent/{format_instant(FIRST)}")
    assert f"passed Revision {world.first} live generation 1" in page.text
    assert ["passed", GOOD.sentence, "critical", "-", "-"] in page.rows
    assert ["warning", WARNED.sentence, "warning", "1", "2"] in page.rows
    assert [cells[1] for cells in page.rows[-3:]] == [
        "built, 2 rows",
        "passed its checks",
        "published as generation 1",
    ]
    assert "skewless accept" not in page.text


def test_a_blocked_snapshot_shows_what_failed_and_the_ways_out(world: World, pages: Browser):
    page = shown(pages, f"/skewless/views/recent/{format_instant(BAD)}")
    where = f"recent --snapshot-time {format_instant(BAD)}"
    assert ["failed", f"{FAILED.sentence} observed: [-1000.0]", "critical", "1,234", "10,412"] in page.rows
    assert f"'recent' at {format_instant(BAD)} was not published: 1 of its 3 checks failed" in page.text
    assert f"skewless build {where} --known-until now" in page.text
    assert f'skewless accept {where} --reason "..."' in page.text
    assert "live" not in [cells[0] for cells in page.rows]


def test_every_revision_of_a_snapshot_is_shown_the_newest_first(world: World, tmp_path: Path):
    other = world.copy(tmp_path)
    second = other.stored("recent", BAD, (1, 10.0, 1))
    told(other, "recent", BAD, second, GOOD)
    text = shown(client(Opened(other.workspace)), f"/skewless/views/recent/{format_instant(BAD)}").text
    assert 0 < text.index(second) < text.index(world.bad)
    assert text.index("sees this revision") < text.index("does not see this revision")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Kind.OFFLINE_ONLY, "for training only: a newer snapshot was live, or the view is not online"),
        (Kind.HELD, "not published: the view was held"),
        (Kind.ACCEPTED, "accepted as it is"),
        (Kind.WITHDRAWN, "withdrawn by a rollback"),
    ],
)
def test_what_became_of_a_publish_is_told_with_who_and_why(
    world: World, tmp_path: Path, kind: Kind, words: str
):
    other = world.copy(tmp_path)
    view = other.workspace.repo.view("recent")
    event = Event(kind=kind, snapshot_time=BAD, revision=world.bad, actor="ann", reason=f"holiday {SCRIPT}")
    other.workspace.ledger(view).append(event)
    page = shown(client(Opened(other.workspace)), f"/skewless/views/recent/{format_instant(BAD)}")
    assert page.rows[-1][1:] == [words, world.bad[:8], "ann", f"holiday {SCRIPT}"]


def test_every_kind_of_event_has_its_words(world: World):
    from skewless.orchestration.pages.words import told as words

    assert all(words(Event(kind=kind)) for kind in Kind)


def test_a_snapshot_that_was_not_built_yet_says_so(pages: Browser):
    page = shown(pages, f"/skewless/views/daily/{format_instant(FIRST)}")
    assert "No revision of this snapshot was built yet" in page.text


def test_the_page_of_a_view_lists_its_snapshots(pages: Browser):
    page = shown(pages, "/skewless/views/recent")
    bad, first = page.rows[1:]
    assert bad[1:6] == ["blocked", "-", "-", "1", "1"]
    assert first[0].endswith("live")
    assert first[1:6] == ["passed", "published", "1", "2", "1"]


def test_the_tab_of_a_views_dag_is_that_views_page_and_of_another_dag_says_so(pages: Browser):
    assert shown(pages, "/skewless/dags/features.recent").row("Snapshot")[1] == "Verdict"
    assert (
        "training.x is not the DAG of a feature view" in shown(pages, "/skewless/dags/training.x", 404).text
    )


# -- what is not there ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("nothing", "there is no feature view 'nothing'"),
        ("nothing/2026-01-01T00:00:00Z", "there is no feature view 'nothing'"),
        (f"recent/{format_instant(FIRST + minutes(1))}", "ends no interval of '@hourly'; near are"),
        ("recent/yesterday", "'yesterday' is not an instant; write it like"),
    ],
)
def test_what_is_not_there_is_told_in_words(pages: Browser, path: str, words: str):
    assert words in shown(pages, f"/skewless/views/{path}", 404).text
    answer = pages.get(f"/skewless/api/views/{path}")
    assert answer.status_code == 404
    assert words in answer.json()["error"]


def test_definitions_that_are_gone_are_told_as_a_fault_of_the_server(tmp_path: Path):
    from skewless.orchestration.pages.definitions import opener

    access = Access(user=lambda: None, readable=lambda: set(), demand=lambda: None, login=lambda to: to)
    answer = Browser(make_app(access, opener(tmp_path))).get("/views")
    assert answer.status_code == 500
    assert "there is no folder" in answer.text


# -- form -------------------------------------------------------------------------------------------------


def test_values_are_text_and_never_markup(pages: Browser):
    raw = pages.get(f"/skewless/views/recent/{format_instant(BAD)}").text
    assert SCRIPT not in raw
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in raw


def test_a_page_loads_nothing_from_anywhere_and_runs_only_its_own_script(pages: Browser):
    answer = pages.get("/skewless/views", headers={"Accept": "text/html"})
    policy = answer.headers["Content-Security-Policy"]
    (style, script) = [at for tag, at in Shown(answer.text).tags if tag in ("style", "script")]
    assert policy.startswith("default-src 'none'; ")
    assert f"script-src 'nonce-{script['nonce']}'" in policy
    assert f"style-src 'nonce-{style['nonce']}'" in policy
    assert "http" not in policy
    assert not any("src" in at for _, at in Shown(answer.text).tags)
    again = pages.get("/skewless/views", headers={"Accept": "text/html"})
    assert again.headers["Content-Security-Policy"] != policy, "a nonce is used once"


def test_a_program_gets_the_same_as_json(world: World, pages: Browser):
    asked = pages.get("/skewless/views", headers={"Accept": "application/json"}).json()
    again = pages.get("/skewless/api/views").json()
    (recent,) = [item for item in asked["views"] if item["view"] == "recent"]
    named = ("state", "verdict", "generation", "snapshot_time", "rows", "behind", "newest_verdict", "dag_id")
    assert [recent[name] for name in named] == [
        *("live", "passed", 1, format_instant(FIRST), 2, 3600.0, "blocked", "features.recent")
    ]
    assert [item["view"] for item in again["views"]] == [item["view"] for item in asked["views"]]
    bad = pages.get(f"/skewless/api/views/recent/{format_instant(BAD)}").json()
    (revision,) = bad["revisions"]
    assert (revision["verdict"], revision["results"][1]["unexpected_count"]) == ("blocked", 1234)
    snapshots = pages.get("/skewless/api/views/recent").json()["snapshots"]
    assert [item["verdict"] for item in snapshots] == ["blocked", "passed"]


def test_the_application_describes_itself_nowhere(pages: Browser):
    assert [pages.get(f"/skewless/{path}").status_code for path in ("docs", "redoc", "openapi.json")] == [
        404
    ] * 3


def test_no_engine_is_loaded_by_a_page(world: World):
    code = """
import asyncio, sys
import httpx
from skewless.orchestration.pages.app import Access, make_app
from skewless.orchestration.pages.definitions import opener

access = Access(user=lambda: None, readable=lambda: {"features.recent"}, demand=lambda: None, login=str)
async def look():
    transport = httpx.ASGITransport(make_app(access, opener(".")))
    async with httpx.AsyncClient(transport=transport, base_url="http://airflow") as pages:
        for path in sys.argv[1:]:
            assert "passed" in (await pages.get(path)).text, path
asyncio.run(look())
print(*sys.modules)
"""
    paths = ["/views", "/views/recent", f"/views/recent/{format_instant(FIRST)}"]
    ran = subprocess.run(
        [sys.executable, "-c", code, *paths],
        env=world.variables(),
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert not {"pyspark", "great_expectations"} & set(ran.stdout.split())
