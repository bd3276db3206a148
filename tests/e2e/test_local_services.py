"""The services that Skewless runs on this machine: real ones, on free ports."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest
import redis
from pyspark.sql import SparkSession

from skewless.errors import SetupError, StoreUnavailable
from skewless.local import down, session_url, spark_connect, status, up, valkey
from skewless.local.java import find_java
from skewless.local.parts import parts
from skewless.local.port import free_port
from skewless.local.process import Child, start_time
from skewless.local.watch import Watched, look
from skewless.online.reader import OnlineReader
from skewless.settings import Settings, load_settings


@pytest.fixture
def alone(tmp_path: Path, settings: Settings) -> Iterator[Settings]:
    """A home of this test's own, with Valkey but without Spark."""
    own = load_settings(
        home=tmp_path / "home",
        jars=settings.jars,
        redis_url=f"redis://127.0.0.1:{free_port()}/0",
        spark="local[*]",
        spark_memory="1g",
    )
    yield own
    down(own)


def client(settings: Settings) -> redis.Redis:
    return redis.Redis.from_url(settings.redis_url)


def pid_of(settings: Settings, name: str = "Valkey") -> int:
    return next(service.pid for service in status(settings) if service.name == name) or 0


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    assert pid > 0
    os.kill(pid, number)


def states(settings: Settings) -> list[str]:
    return [service.state for service in status(settings)]


# -- Valkey -----------------------------------------------------------------------------------------


def test_valkey_evicts_nothing_and_listens_to_this_machine_only(alone: Settings) -> None:
    up(alone)
    with client(alone) as server:
        config = server.config_get("*")
    assert config["maxmemory-policy"] == "noeviction"
    assert config["appendonly"] == "yes"
    assert config["bind"] == "127.0.0.1"


def test_what_was_written_survives_a_kill(alone: Settings) -> None:
    up(alone)
    with client(alone) as server:
        server.set("key", "value")
        server.config_set("appendfsync", "always")
        server.set("key", "newer value")
    kill(pid_of(alone))
    up(alone)
    with client(alone) as server:
        assert server.get("key") == b"newer value"


def test_up_leaves_a_running_service_alone_and_starts_a_killed_one_again(alone: Settings) -> None:
    said: list[str] = []
    up(alone)
    first = pid_of(alone)
    up(alone, said.append)
    assert pid_of(alone) == first
    assert said == [f"Valkey is running at {alone.redis_url}"]
    kill(first)
    while pid_of(alone):
        time.sleep(0.01)
    assert states(alone) == ["stopped", "not ours"]
    up(alone)
    assert pid_of(alone) not in (0, first)
    assert states(alone) == ["running", "not ours"]


@pytest.mark.slow
def test_a_server_that_reads_a_large_file_is_waited_for(
    alone: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    up(alone)
    with client(alone) as server:
        for part in range(8):
            server.eval("for i = 1, 250000 do redis.call('SET', ARGV[1] .. ':' .. i, '') end", 0, part)
    down(alone)
    number = valkey.port(alone) or 0
    valkey.start(alone, number)
    while not valkey.healthy(number):
        time.sleep(0.01)
    assert states(alone)[0] == "running"  # nobody starts it again
    with (
        closing(OnlineReader(alone.redis_url, "any")) as reader,
        pytest.raises(StoreUnavailable, match="is reading its file"),
    ):
        reader.get(["stats:mark"], {"user_id": 1})
    monkeypatch.setattr(valkey, "_PATIENCE", 0.4)
    valkey.wait(alone, number)
    with client(alone) as server:
        assert server.dbsize() == 2_000_000


def test_down_ends_what_up_started_and_nothing_else(alone: Settings, redis_url: str) -> None:
    up(alone)
    ours = pid_of(alone)
    down(alone)
    assert start_time(ours) is None
    assert states(alone) == ["stopped", "not ours"]
    with redis.Redis.from_url(redis_url) as somebody_elses:
        assert somebody_elses.ping()
    down(alone)  # nothing to do


def test_down_ends_a_service_whose_setting_has_changed_since(alone: Settings) -> None:
    up(alone)
    ours = pid_of(alone)
    down(alone.model_copy(update={"redis_url": "redis://elsewhere:6379/0"}))
    assert start_time(ours) is None


def test_a_server_elsewhere_is_not_ours_to_start(alone: Settings) -> None:
    elsewhere = {"redis_url": "redis://:secret@redis.example:6379/0", "spark": "sc://spark.example:15002"}
    settings = alone.model_copy(update=elsewhere)
    up(settings)
    assert states(settings) == ["not ours", "not ours"]
    assert "secret" not in str(status(settings))
    own_servers = alone.model_copy(update={"local_services": False})
    up(own_servers)
    assert states(own_servers) == ["not ours", "not ours"]


@pytest.mark.slow
def test_a_service_that_hangs_is_ended_and_started_again(alone: Settings) -> None:
    up(alone)
    hanging = pid_of(alone)
    kill(hanging, signal.SIGSTOP)
    assert states(alone)[0] == "unhealthy"
    up(alone)
    assert states(alone)[0] == "running"
    assert pid_of(alone) != hanging


# -- processes --------------------------------------------------------------------------------------


def test_a_process_that_got_the_id_of_ours_is_neither_believed_nor_ended(tmp_path: Path) -> None:
    child = Child("service", tmp_path)
    ours = child.start(["sleep", "60"], env=os.environ, cwd=tmp_path)
    time.sleep(0.05)  # start times are told in hundredths of a second
    stranger = Child("stranger", tmp_path).start(["sleep", "60"], env=os.environ, cwd=tmp_path)
    record = tmp_path / "service.json"
    record.write_text(record.read_text().replace(f'"pid": {ours}', f'"pid": {stranger}'))
    assert child.pid() is None
    assert child.members() == [ours]  # which its mark tells, where the record does not
    assert child.stop()
    assert start_time(ours) is None
    assert start_time(stranger) is not None
    kill(stranger)


@pytest.mark.parametrize(
    "record", ["", "{}", '{"pid": "x", "started": "1"}', '{"pid": 999999999, "started": "1"}']
)
def test_a_broken_or_stale_record_means_stopped(tmp_path: Path, record: str) -> None:
    (tmp_path / "service.json").write_text(record)
    assert Child("service", tmp_path).pid() is None


def test_a_process_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    child = Child("service", tmp_path)
    pid = child.start(
        ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"], env=os.environ, cwd=tmp_path
    )
    while "ready" not in child.tail():
        time.sleep(0.01)
    assert child.stop(patience=0.3)
    assert child.pid() is None
    assert start_time(pid) is None


def test_what_a_service_started_ends_with_it_also_when_it_was_killed(tmp_path: Path) -> None:
    """A child in a session of its own, as a task's command has one."""
    child = Child("service", tmp_path)
    script = "setsid sleep 300 & sleep 300"
    leader = child.start(["sh", "-c", script], env=os.environ, cwd=tmp_path)
    stranger = subprocess.Popen(["sleep", "300"], cwd=tmp_path)
    while len(child.members()) < 3:
        time.sleep(0.01)
    started = child.members()
    kill(leader)
    while child.pid():
        time.sleep(0.01)
    assert child.stop()
    assert [pid for pid in started if start_time(pid)] == []
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


# -- the watcher ------------------------------------------------------------------------------------


def test_the_watcher_starts_a_killed_service_again_and_leaves_a_sound_one_alone(alone: Settings) -> None:
    up(alone)
    part = next(part for part in parts(alone) if part.name == "Valkey")
    told: list[str] = []
    watched = Watched()
    look(alone, part, watched, told.append)
    assert told == []
    first = pid_of(alone)
    kill(first)
    while pid_of(alone):
        time.sleep(0.01)
    look(alone, part, watched, told.append)
    assert told == ["Valkey has ended: restarting it", "Valkey is ready"]
    assert states(alone)[0] == "running"


def test_a_restart_that_fails_is_told_and_tried_again(alone: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        elsewhere = alone.model_copy(
            update={"redis_url": f"redis://127.0.0.1:{taken.getsockname()[1]}/0"},
        )
        part = next(part for part in parts(elsewhere) if part.name == "Valkey")
        told: list[str] = []
        watched = Watched()
        look(elsewhere, part, watched, told.append)
        assert "Valkey could not be restarted: Valkey cannot listen" in told[-1]
    look(elsewhere, part, watched, told.append)
    assert told[-1] == "Valkey is ready"
    down(elsewhere)


# -- what this machine may lack ---------------------------------------------------------------------


@pytest.mark.parametrize("setting", ["redis_url", "spark"])
def test_a_port_in_use_is_named_with_who_has_it_and_the_setting_to_change(
    alone: Settings, setting: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        scheme = {"redis_url": "redis", "spark": "sc"}[setting]
        update = {"redis_url": "redis://elsewhere:6379/0", setting: f"{scheme}://127.0.0.1:{port}"}
        with pytest.raises(SetupError) as error:
            up(alone.model_copy(update=update))
    for part in (f"127.0.0.1:{port}", f"process {os.getpid()} (", f"SKEWLESS_{setting.upper()}={scheme}://"):
        assert part in str(error.value)


def test_missing_jars_are_named_with_the_command_that_brings_them(alone: Settings, tmp_path: Path) -> None:
    settings = alone.model_copy(update={"spark": f"sc://127.0.0.1:{free_port()}", "jars": tmp_path})
    with pytest.raises(SetupError, match=f"no Delta jars in {tmp_path}; type: make jars"):
        up(settings)
    assert states(settings) == ["running", "stopped"]


@pytest.mark.parametrize(
    ("version", "complaint"),
    [
        ('openjdk version "1.8.0_392"', "is Java 8; type: sudo apt-get install -y openjdk-17-jdk-headless"),
        ('openjdk version "11.0.21" 2023-10-17', "is Java 11; type: sudo apt-get install"),
        ("something else", "does not say its version"),
        (None, "JAVA_HOME=.* has no bin/java; type: sudo apt-get install"),
    ],
)
def test_java_missing_or_too_old_is_an_error_that_says_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str | None, complaint: str
) -> None:
    if version is not None:
        java = tmp_path / "bin" / "java"
        java.parent.mkdir()
        java.write_text(f"#!/bin/sh\necho '{version}' >&2\n")
        java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(SetupError, match=complaint):
        find_java()


def test_a_spark_that_cannot_start_shows_the_end_of_its_log(alone: Settings) -> None:
    settings = alone.model_copy(update={"spark": f"sc://127.0.0.1:{free_port()}", "spark_memory": "1m"})
    with pytest.raises(
        SetupError, match=r"Spark did not start; its log .*spark\.log ends with\n(.*\n)*.*heap"
    ):
        up(settings)
    assert states(settings) == ["running", "stopped"]


# -- Spark ------------------------------------------------------------------------------------------


def test_spark_is_warm_in_utc_strict_and_writes_delta(spark: SparkSession, tmp_path: Path) -> None:
    assert spark.sql("SELECT current_timezone()").first()[0] == "UTC"
    assert spark.conf.get("spark.sql.ansi.enabled") == "true"
    spark.range(3).write.format("delta").save(str(tmp_path / "table"))
    assert spark.read.format("delta").load(str(tmp_path / "table")).count() == 3


def test_a_worker_has_the_packages_of_this_interpreter(spark: SparkSession) -> None:
    def interpreter(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import skewless

        for _ in batches:
            yield pa.RecordBatch.from_pydict({"found": [f"{sys.prefix} {skewless.__version__}"]})

    found = {row.found for row in spark.range(1).mapInArrow(interpreter, "found string").collect()}
    assert {line.split()[0] for line in found} == {sys.prefix}


def test_commands_take_turns_in_few_sessions(services: Settings, spark: SparkSession) -> None:
    ours = session_url(services)
    assert session_url(services) == ours
    code = "from skewless.local import session_url; from skewless.settings import load_settings;"
    command = [sys.executable, "-c", f"{code} print(session_url(load_settings()))"]
    env = os.environ | {"SKEWLESS_HOME": str(services.home), "SKEWLESS_SPARK": services.spark}
    first, second = (subprocess.check_output(command, env=env, text=True).strip() for _ in range(2))
    assert first.startswith(f"{services.spark}/;session_id=")
    assert first == second != ours


@pytest.mark.slow
def test_a_killed_spark_is_started_again_and_down_leaves_no_process(alone: Settings) -> None:
    settings = alone.model_copy(update={"spark": f"sc://127.0.0.1:{free_port()}"})
    up(settings)
    before = session_url(settings)
    kill(pid_of(settings, "Spark"))
    up(settings)
    assert states(settings) == ["running", "running"]
    assert session_url(settings) != before
    pid = pid_of(settings, "Spark")
    workers = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    down(settings)
    for gone in [pid, *map(int, workers.stdout.split())]:
        assert start_time(gone) is None
    assert spark_connect.child(settings).pid() is valkey.child(settings).pid() is None


# -- clients that end -------------------------------------------------------------------------------

LONG_QUERY = """
import sys, time
from skewless.local import session_url
from skewless.local.ending import ended_by_signals
from skewless.offline.failures import explained
from skewless.offline.session import open_session
from skewless.settings import load_settings

def busy_for(mark, batches):
    for batch in batches:
        for _ in range(1500):
            open(mark, "a").write("x")
            time.sleep(0.1)
        yield batch

with ended_by_signals(), explained("a long query"):
    settings, mark = load_settings(), sys.argv[1]
    spark = open_session(session_url(settings))
    spark.range(1).repartition(1).mapInArrow(lambda rows: busy_for(mark, rows), "id long").count()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "exit_code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)]
)
def test_the_query_of_a_client_that_is_ended_ends_within_half_a_minute(
    services: Settings, tmp_path: Path, number: int, exit_code: int
) -> None:
    mark = tmp_path / "mark"
    client = subprocess.Popen([sys.executable, "-c", LONG_QUERY, mark], env=os.environ | services.variables())
    while not mark.exists():
        assert client.poll() is None
        time.sleep(0.1)
    client.send_signal(number)
    assert client.wait(timeout=30) == exit_code
    seen, since = mark.stat().st_size, time.monotonic()
    while time.monotonic() - since < 2:  # the query writes ten times a second
        if mark.stat().st_size != seen:
            seen, since = mark.stat().st_size, time.monotonic()
        assert mark.stat().st_size < 450, "the query goes on"
        time.sleep(0.2)


@pytest.mark.slow
def test_a_command_whose_spark_is_killed_fails_soon_and_says_why(alone: Settings, tmp_path: Path) -> None:
    settings = alone.model_copy(update={"spark": f"sc://127.0.0.1:{free_port()}"})
    up(settings)
    mark = tmp_path / "mark"
    client = subprocess.Popen(
        [sys.executable, "-c", LONG_QUERY, mark],
        env=os.environ | settings.variables(),
        stderr=subprocess.PIPE,
        text=True,
    )
    while not mark.exists():
        assert client.poll() is None
        time.sleep(0.1)
    kill(pid_of(settings, "Spark"))
    _, said = client.communicate(timeout=90)
    assert "SetupError: a long query: no Spark server answers" in said
