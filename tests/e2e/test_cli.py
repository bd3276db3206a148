"""The command line: every command has help with an example, and JSON that a program can read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyspark
import pytest
import typer

from skewless.cli import app
from skewless.settings import Settings
from skewless.timeline import format_instant, parse_instant
from tests.e2e.shop import AT, DEFINITIONS, Shop, purchase
from tests.e2e.world import Ran

WHEN = format_instant(AT)
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def shop(services: Settings, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    shop = Shop(services, tmp_path_factory.mktemp("shop"), DEFINITIONS)
    shop.supply("purchases", purchase(1, 2), purchase(1, 3, amount=2.0), purchase(2, 1, shop="mall"))
    return shop


@pytest.fixture(scope="module")
def receipts(shop: Shop) -> dict[str, Any]:
    """What each step of one interval printed, in JSON."""
    return {
        name: said(shop.cli(name, "spending", "-t", WHEN, "--json")) for name in ("build", "check", "publish")
    }


def said(ran: Ran) -> Any:
    """The one line of JSON on standard output."""
    assert ran.code == 0, ran.err
    (line,) = ran.out.splitlines()
    return json.loads(line)


# -- help -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - {"airflow"}))
def test_help_says_what_a_command_does_with_an_example(shop: Shop, name: str) -> None:
    for flag in ("--help", "-h"):
        ran = shop.cli(name, flag)
        assert (ran.code, ran.err) == (0, "")
        assert f"Example: skewless {name}" in " ".join(ran.out.split())


def test_airflows_help_is_its_own(shop: Shop) -> None:
    ran = shop.command("airflow", "--help")
    assert (ran.code, "dag-processor" in ran.out) == (0, True), ran.err


def test_help_lists_every_command_and_the_exit_codes(shop: Shop) -> None:
    out = shop.cli("--help").out
    for name in COMMANDS:
        assert f"\n  {name} " in out
    assert "0 done, 1 failure, 2 misuse, 3 blocked by a check" in " ".join(out.split())


# -- JSON -------------------------------------------------------------------------------------------------


def test_the_steps_of_an_interval_print_receipts(receipts: dict[str, Any]) -> None:
    built, checked, published = receipts["build"], receipts["check"], receipts["publish"]
    assert built["rows"] == 2
    assert built["is_new"] is True
    assert built["source_version"] == 0
    assert checked["verdict"] == "passed"
    assert (published["outcome"], published["generation"]) == ("published", 1)
    for receipt in receipts.values():
        assert (receipt["view"], receipt["snapshot_time"]) == ("spending", WHEN)
        assert receipt["revision"] == built["revision"]
    assert parse_instant(published["published_at"]) > AT


def test_a_second_time_nothing_changes(shop: Shop, receipts: dict[str, Any]) -> None:
    before = shop.told("spending")
    again = said(shop.cli("build", "spending", "-t", WHEN, "--json"))
    assert (again["is_new"], again["revision"]) == (False, receipts["build"]["revision"])
    assert said(shop.cli("check", "spending", "-t", WHEN, "--json"))["verdict"] == "passed"
    assert said(shop.cli("publish", "spending", "-t", WHEN, "--json"))["outcome"] == "already_live"
    assert (
        said(shop.cli("accept", "spending", "-t", WHEN, "--reason", "why not", "--json"))["usable_from"]
        is None
    )
    assert shop.told("spending") == before


def test_status_is_a_list_with_what_is_live(shop: Shop, receipts: dict[str, Any]) -> None:
    found = said(shop.cli("status", "--json"))
    assert [item["view"] for item in found] == sorted(item["view"] for item in found)
    live = next(item for item in found if item["view"] == "spending")
    wanted = {"view": "spending", "generation": 1, "snapshot_time": WHEN, "verdict": "passed", "rows": 2}
    assert live | wanted == live
    assert live["published_at"] == receipts["publish"]["published_at"]
    assert 0 < live["age"] < 3 * 3600
    assert said(shop.cli("status", "offline", "--json"))[0]["state"] == "offline"


def test_get_gives_rows_and_what_they_are_from(shop: Shop, receipts: dict[str, Any]) -> None:
    asked = ["get", "shop_v1", "-e", "user_id=1", "-e", "user_id=9"]
    found = said(shop.cli(*asked, "--json"))
    assert found["rows"] == [
        {"user_id": 1, "spending__amount_1d": 3.5, "spending__purchases_1d": 2, "spending__shop": "corner"},
        {"user_id": 9, "spending__amount_1d": None, "spending__purchases_1d": 0, "spending__shop": None},
    ]
    assert (found["views"]["spending"]["generation"], found["views"]["spending"]["state"]) == (1, "live")
    assert "spending: generation 1, snapshot" in shop.cli(*asked).out


def test_training_rows_are_what_was_live(shop: Shop, receipts: dict[str, Any], tmp_path: Path) -> None:
    spine = tmp_path / "spine.csv"
    spine.write_text(
        f"user_id,event_timestamp,label\n1,{AT:%Y-%m-%dT%H}:30:00Z,0.5\n2,1969-07-20T20:17:40.000001Z,\n"
    )
    asked = ["train-rows", str(spine), "-f", "shop_v1", "--explain"]
    new, old = sorted(said(shop.cli(*asked, "--json")), key=lambda row: row["user_id"])
    assert (new["spending__amount_1d"], new["label"], new["spending__how"]) == (3.5, 0.5, "stored")
    assert (old["spending__purchases_1d"], old["label"], old["spending__how"]) == (0, None, "computed")
    assert old["event_timestamp"] == "1969-07-20T20:17:40.000001Z"
    assert old["spending__snapshot_time"] == "1969-07-20T20:00:00Z"
    table = str(tmp_path / "table")
    assert said(shop.cli(*asked, "--output", table, "--json")) == {"output": table}
    assert shop.cli(*asked, "--output", table).code == 2
    spine.write_text("user_id,event_timestamp\n")
    assert said(shop.cli(*asked, "--json")) == []


def test_what_needs_no_spark(shop: Shop) -> None:
    assert said(shop.cli("validate", "--json")) == {"views": 20, "services": 1, "training_sets": 0}
    steps = {plan["dag_id"] for plan in said(shop.cli("plan", "--json"))}
    assert "features.spending" in steps
    assert [item["name"] for item in said(shop.cli("services", "--json"))] == ["Valkey", "Spark"]


def test_what_an_operator_does(shop: Shop, receipts: dict[str, Any], tmp_path: Path) -> None:
    copy = shop.copy(tmp_path / "copy")
    assert said(copy.cli("hold", "spending", "--json"))["generation"] == 1
    assert said(copy.cli("publish", "spending", "-t", WHEN, "--json"))["outcome"] == "already_live"
    assert said(copy.cli("release", "spending", "--json"))["outcome"] == "already_live"
    assert said(copy.cli("expire", "spending", "--reason", "wrong", "--json"))["action"] == "expire"
    assert said(copy.cli("get", "spending:purchases_1d", "-e", "user_id=1", "--json"))["rows"] == [
        {"user_id": 1, "spending__purchases_1d": None}
    ]
    assert said(copy.cli("release", "spending", "--json"))["outcome"] == "published"
    refused = copy.cli("rollback", "spending", "--to", WHEN, "--json")  # which is live already
    assert refused.code == json.loads(refused.err.splitlines()[-1])["exit_code"] == 2


# -- the other sessions -----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_local_spark_and_spark_submit_build_the_same_revision(shop: Shop, receipts: dict[str, Any]) -> None:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "PYSPARK_"))}
    env = plain | shop.variables() | {"SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    arguments = ["spending", "-t", WHEN]
    jars = ",".join(map(str, sorted(Path(shop.settings.jars or "").glob("*.jar"))))
    submit = [
        str(Path(pyspark.__file__).parent / "bin" / "spark-submit"),
        "--master",
        "local[2]",
        "--jars",
        jars,
    ]
    script = str(Path(__file__).parents[2] / "spark_jobs" / "build.py")
    for command, variables in (
        (
            [sys.executable, "-m", "skewless.cli", "build", *arguments, "--json"],
            {"SKEWLESS_SPARK": "local[2]"},
        ),
        (
            [*submit, "--conf", "spark.ui.enabled=false", script, *arguments],
            {"SKEWLESS_SPARK": "sc://127.0.0.1:1"},
        ),
    ):
        ran = subprocess.run(command, env=env | variables, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr[-2000:]
        receipt = next(line for line in ran.stdout.splitlines() if line.startswith("{"))
        built = json.loads(receipt)  # spark-submit prints our progress among it
        assert (built["is_new"], built["revision"]) == (False, receipts["build"]["revision"])
        assert built["content_hash"] == receipts["build"]["content_hash"]
