"""A Spark standalone cluster: the same jobs, by spark-submit and by the setting alone, give the same content."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyspark
import pytest

from skewless.local.java import find_java
from skewless.local.port import free_port, listens
from skewless.local.process import Child
from skewless.offline.spark_conf import SMALL_TABLES_CONF
from skewless.settings import Settings
from skewless.timeline import format_instant
from tests.documents import ROOT
from tests.e2e.labels_world import END, NOON, TRAINING, LabelsWorld, label
from tests.e2e.world import Ran, minutes, payment

SPARK_HOME = Path(pyspark.__file__).parent
DEPLOY = "org.apache.spark.deploy"
QUICK_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"  # a dozen JVMs that live for seconds
FOREIGN = ("SPARK_", "PYSPARK_", "SKEWLESS_")


def environment(**more: str) -> dict[str, str]:
    """A plain environment for Spark's scripts, on this machine's own address."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    java = {"JAVA_HOME": str(find_java().resolve().parents[1]), "JAVA_TOOL_OPTIONS": QUICK_JAVA}
    return plain | java | {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_DAEMON_MEMORY": "256m"} | more


@dataclass(frozen=True)
class Cluster:
    """A master and its two workers, each of one core."""

    url: str
    folder: Path

    @property
    def conf(self) -> dict[str, str]:
        """What one gives to a Spark on it: small executors, and a log of which of them did what."""
        logged = {"enabled": "true", "compress": "false", "dir": (self.folder / "events").as_uri()}
        return {
            **SMALL_TABLES_CONF,
            "spark.executor.memory": "700m",
            "spark.driver.host": "127.0.0.1",
            **{f"spark.eventLog.{name}": value for name, value in logged.items()},
        }

    def executors(self) -> list[set[str]]:
        """Of every application, in order, the executors that ended a task."""
        logs = sorted((self.folder / "events").rglob("events_*"), key=lambda path: path.stat().st_mtime)
        return [{*_ended_tasks(log)} for log in logs]


def _ended_tasks(log: Path) -> Iterator[str]:
    """The executor of each task that ended."""
    for event in map(json.loads, log.read_text("utf-8").splitlines()):
        if event["Event"] == "SparkListenerTaskEnd":
            yield event["Task Info"]["Executor ID"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Started from the files of the pyspark package, as three processes."""
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "events").mkdir()
    port = free_port()
    url = f"spark://127.0.0.1:{port}"
    at = ["--host", "127.0.0.1", "--webui-port", "0"]
    size = ["--cores", "1", "--memory", "1g", "--work-dir", str(folder / "work")]
    with contextlib.ExitStack() as ending:

        def start(name: str, main: str, *arguments: str) -> Child:
            child = Child(name, folder)
            command = [str(SPARK_HOME / "bin" / "spark-class"), f"{DEPLOY}.{main}", *at, *arguments]
            child.start(command, env=environment(), cwd=folder)
            ending.callback(child.stop, patience=5.0)
            return child

        master = start("master", "master.Master", "--port", str(port))
        until("the master listens", lambda: listens(port), master)
        workers = [start(f"worker-{number}", "worker.Worker", *size, url) for number in (1, 2)]
        for worker in workers:
            until(
                "a worker is known", lambda w=worker: "Successfully registered" in w.log.read_text(), worker
            )
        yield Cluster(url, folder)


def until(what: str, done: Callable[[], bool], child: Child) -> None:
    deadline = time.monotonic() + 90
    while not done():
        assert child.pid() is not None, f"{what}: it ended\n{child.tail()}"
        assert time.monotonic() < deadline, f"{what}: not within 90 s\n{child.tail()}"
        time.sleep(0.1)


def submitted(world: LabelsWorld, master: str, script: str, *arguments: str, **conf: str) -> Ran:
    """Run one of the job scripts by spark-submit; its setting `spark` names a server that is not there."""
    jars = sorted(Path(world.settings.jars or "").glob("*.jar"))
    command = [
        str(SPARK_HOME / "bin" / "spark-submit"),
        "--master",
        master,
        "--jars",
        ",".join(map(str, jars)),
    ]
    command += [part for key, value in conf.items() for part in ("--conf", f"{key}={value}")]
    variables = world.variables() | {"SKEWLESS_SPARK": "sc://127.0.0.1:1", "PYSPARK_PYTHON": sys.executable}
    return ran([*command, str(ROOT / "spark_jobs" / script), *arguments], environment(**variables), world)


def ran(command: list[str], env: dict[str, str], world: LabelsWorld) -> Ran:
    done = subprocess.run(command, env=env, cwd=world.folder, capture_output=True, text=True, timeout=600)
    return Ran(done.returncode, done.stdout, done.stderr)


def receipt(said: Ran) -> dict[str, Any]:
    """The receipt that a job printed among Spark's lines."""
    assert said.code == 0, said.err[-3000:]
    return dict(json.loads(next(line for line in said.out.splitlines() if line.startswith("{"))))


# -- the same content -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world(services: Settings, tmp_path_factory: pytest.TempPathFactory) -> LabelsWorld:
    """Payments and labels of many users, and nothing built."""
    world = LabelsWorld(services, tmp_path_factory.mktemp("world"), TRAINING)
    for part in range(3):  # a file each
        world.load(*(payment(user, user / 7, NOON - minutes(1 + user % 230)) for user in range(part, 900, 3)))
    world.label(*(label(f"{user}", user, NOON + minutes(user % 600)) for user in range(0, 900, 2)))
    return world


def told(found: Any) -> dict[str, Any]:
    """What two builds of one thing have in common, wherever they ran."""
    named = found if isinstance(found, dict) else asdict(found)
    return {name: named[name] for name in ("rows", "content_hash", "fingerprint")}


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_jobs_on_a_cluster_give_what_they_give_over_spark_connect(
    cluster: Cluster, world: LabelsWorld, tmp_path: Path
) -> None:
    here = world.copy(tmp_path / "connect")
    built, checked, trained = here.build("recent", NOON), here.check("recent", NOON), here.train_set()
    assert (built.rows, checked.verdict, trained.rows) == (900, "passed", 450)

    at = ["-t", format_instant(NOON)]
    built_there = receipt(submitted(world, cluster.url, "build.py", "recent", *at, **cluster.conf))
    assert told(built_there) == told(built)
    assert world.check("recent", NOON).verdict == "passed"

    # By the command that people type, with nothing but the setting `spark` and Spark's own defaults.
    conf = tmp_path / "conf"
    conf.mkdir()
    lines = [f"{key} {value}" for key, value in cluster.conf.items()]
    (conf / "spark-defaults.conf").write_text("\n".join(lines))
    variables = world.variables() | {"SKEWLESS_SPARK": cluster.url, "SPARK_CONF_DIR": str(conf)}
    typed = [sys.executable, "-m", "skewless.cli", "train", "rows", "-t", format_instant(END), "--json"]
    trained_there = receipt(ran(typed, environment(**variables), world))
    assert told(trained_there) == told(trained)
    assert world.manifest(trained_there["revision"])["views"]["recent"]["stored"] == 1

    assert world.rows() == here.rows()
    assert cluster.executors() == [{"0", "1"}] * 2


# -- a master that is away --------------------------------------------------------------------------------


def test_a_master_that_is_away_is_said_at_once(services: Settings, tmp_path: Path) -> None:
    world = LabelsWorld(services, tmp_path, TRAINING)
    variables = world.variables() | {"SKEWLESS_SPARK": "spark://127.0.0.1:1,127.0.0.1:2"}
    began = time.monotonic()
    said = ran([sys.executable, "-m", "skewless.cli", "build", "recent"], environment(**variables), world)
    assert (said.code, said.out) == (1, "")
    assert "no Spark master answers at spark://127.0.0.1:1,127.0.0.1:2 (127.0.0.1:1: " in said.err
    assert "; 127.0.0.1:2: " in said.err
    assert "start the cluster, or correct the setting `spark`" in said.err
    assert time.monotonic() - began < 60


@pytest.mark.slow
def test_a_master_that_is_away_is_said_at_once_to_spark_submit(world: LabelsWorld) -> None:
    said = submitted(world, "spark://127.0.0.1:1", "build.py", "recent")
    assert said.code == 1
    assert "no Spark master answers at spark://127.0.0.1:1 (127.0.0.1:1: " in said.out
    assert "correct the --master of spark-submit" in said.out
