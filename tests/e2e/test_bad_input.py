"""What a user can get wrong, and what can break around him: words that help, an exit code, nothing half-written."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
import redis

from skewless.local import down, up
from skewless.local.port import free_port
from skewless.settings import Settings, load_settings
from skewless.timeline import format_instant
from tests.e2e.shop import AT, DEFINITIONS, PURCHASES, Shop, purchase
from tests.e2e.world import Ran

WHEN = format_instant(AT)
ASKED = f"{AT:%Y-%m-%dT%H}:15:00Z"
SCRIPT = [sys.executable, "-m", "skewless.cli"]


@pytest.fixture(scope="module")
def shop(services: Settings, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The shop with good sources and bad ones, and one snapshot of `spending` that is built and checked."""
    shop = Shop(services, tmp_path_factory.mktemp("shop"), DEFINITIONS)
    rows = [purchase(1, 2), purchase(1, 3, amount=2.0), purchase(2, 1, shop="mall")]
    for name in ("purchases", "purchases_by_hour", "wordy", "uncreated", "nameless"):
        shop.supply(name, *rows)
    for file in shop.supply("corrupt", *rows).glob("*.parquet"):
        file.write_bytes(b"PAR1 and nothing else")
    for file in shop.supply("broken_log", *rows).glob("_delta_log/*.json"):
        file.write_text("{nonsense")
    shop.supply("empty")
    others = list(PURCHASES)[1:]
    shop.supply("keyless", *rows, schema=pa.schema(others))
    by_float = pa.schema([("user_id", pa.float64()), *others])
    shop.supply("keyed_by_float", purchase(1, 2) | {"user_id": 1.5}, schema=by_float)
    for command in ("build", "check"):
        assert shop.cli(command, "spending", "-t", WHEN).code == 0
    return shop


@pytest.fixture
def copy(shop: Shop, tmp_path: Path) -> Shop:
    """The same, for a test that breaks it."""
    return shop.copy(tmp_path / "copy")


def refused(shop: Shop, code: int, words: str, *arguments: str) -> str:
    """Run a command that must fail with these words and nothing else; what it said besides progress."""
    before = shop.state()
    ran = shop.cli(*arguments)
    assert (ran.code, ran.out) == (code, ""), ran.err
    assert_helps(ran, words)
    assert shop.state() == before
    return ran.err


def assert_helps(ran: Ran, words: str) -> None:
    """Each part of the words, parted by `...`, is in the error; and no traceback, of Python or Java, is."""
    error = ran.err[ran.err.index("error: ") :]
    for part in words.split("..."):
        assert part.strip() in error
    for trace in ("Traceback", "\tat ", "JVM stacktrace"):
        assert trace not in ran.err


# -- sources ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("view", "words"),
    {
        "lost": "source 'lost': there is no Delta table at ...sources/lost; load it, or correct path=",
        "corrupt": "building corrupt at ...: a data file cannot be read (file:...sources/corrupt/part-...; restore it",
        "broken_log": "source 'broken_log': the Delta table at ...sources/broken_log cannot be read...; restore it",
        "no_table": "source 'no_table': there is no table 'nowhere'; make it, or correct table=",
        "timeless": "source 'purchases_by_hour' (sources/purchases_by_hour) has no column 'event_timestmp', its "
        "timestamp_field (did you mean 'event_timestamp'?); it has user_id, event_timestamp",
        "wordy": "source 'wordy' (sources/wordy): timestamp_field 'shop' is string, not a timestamp; cast it",
        "uncreated": "has no column 'created', its created_timestamp_column",
        "nameless": "has no column 'purchase', its event_id",
        "typo": "payments.py:...feature view 'typo': total: source 'purchases' has no column 'amont' (did you mean "
        "'amount'?)",
        "mixed": "payments.py:...feature view 'mixed': total: Spark refuses 'amount * true': [DATATYPE_MISMATCH",
        "misfit": "'misfit': shop: its value is string, but its dtype float64 is double; change the dtype, or say",
        "unsummable": "'unsummable': n: sum needs numbers, and 'shop' is string",
        "overflowing": "building overflowing at ...: the sum 9223372036854775808 of 2 integers does not fit int64; sum",
        "narrow": 'building narrow at ...: a value does not fit: ...4611686018427387904...cannot be cast to "INT"',
        "uncastable": "building uncastable at ...: a value does not fit: ...'corner'...cannot be cast to \"INT\"",
        "keyed_by_float": "user_id is double; join keys are strings or integers",
        "keyless": "source 'keyless' (sources/keyless) has no column 'user_id', its join key; it has",
    }.items(),
)
def test_a_source_that_is_not_what_its_definition_says(shop: Shop, view: str, words: str) -> None:
    refused(shop, 1, words, "build", view, "-t", WHEN)
    assert shop.told(view) == []


def test_training_says_the_same_of_a_source(shop: Shop, tmp_path: Path) -> None:
    spine = csv(tmp_path, f"user_id,event_timestamp\n1,{ASKED}\n")
    refused(
        shop, 1, "source 'wordy' (sources/wordy): timestamp_field 'shop'", "train-rows", spine, "-f", "wordy"
    )
    refused(shop, 1, "a data file cannot be read (file:", "train-rows", spine, "-f", "corrupt")
    refused(shop, 1, "the sum 9223372036854775808 of 2", "train-rows", spine, "-f", "overflowing")


def test_an_empty_source_builds_an_empty_revision_which_its_check_blocks(shop: Shop) -> None:
    assert shop.cli("build", "empty", "-t", WHEN).code == 0
    ran = shop.cli("check", "empty", "-t", WHEN)
    assert ran.code == 3
    assert_helps(ran, "'empty' at ... was not published: ...not empty: ... skewless accept")
    refused(shop, 3, "'empty' at ... was not published: ", "publish", "empty", "-t", WHEN)


def test_spark_prints_nothing_of_its_own_beside_our_message(shop: Shop) -> None:
    ran = shop.command("build", "mixed", "-t", WHEN)
    assert ran.code == 1
    assert_helps(ran, "feature view 'mixed': total: Spark refuses 'amount * true': ")
    assert len(ran.err.splitlines()) <= 3


def test_debug_shows_the_traceback_besides_the_message(shop: Shop) -> None:
    ran = shop.cli("--debug", "build", "lost", "-t", WHEN)
    assert ran.code == 1
    assert "Traceback (most recent call last)" in ran.err
    assert "TableNotFoundError" in ran.err
    assert "error: source 'lost'" in ran.err


# -- names, instants, arguments ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "words"),
    {
        "build spendin": "there is no feature view 'spendin' (did you mean 'spending'?); there are: ",
        "status spendin": "there is no feature view 'spendin' (did you mean 'spending'?)",
        "hold spendin": "there is no feature view 'spendin' (did you mean 'spending'?)",
        "get spending:shp -e user_id=1": "'spending' has no field 'shp' (did you mean 'shop'?); it has: amount_1d",
        "get shop_v2 -e user_id=1": "no feature service or view 'shop_v2' (did you mean 'shop_v1'?); there are: ",
        "get offline -e user_id=1": "'offline' is not online (online=False): only training rows have it",
        "get spending:shop -e user": "'user' is no entity; write its join keys as KEY=VALUE, e.g. -e origin=JFK",
        "build spending -t yesterday": "'yesterday' is not an instant; write it like 2013-07-01T10:00:00Z",
        "build spending -t 2026-01-01T10:30Z": "2026-01-01T10:30:00Z ends no interval of '@hourly'; near are "
        "2026-01-01T10:00:00Z and 2026-01-01T11:00:00Z",
        "build spending -t 2090-01-01T10:00Z": "can be built from 2090-01-01T10:00:00Z on; it is ",
        "build spending -t WHEN --known-until 2020-01-01": "--known-until 2020-01-01T00:00:00Z lies before the cutoff",
        "build spending -t WHEN --known-until 2090-01-01": "can be built with knowledge until then, from 2090-01-01",
        "check offline -t WHEN": "'offline' has no revision of ...; build it: skewless build offline --snapshot-time",
        "publish offline -t WHEN": "'offline' has no revision of ...; build it: skewless build offline",
        "accept offline -t WHEN --reason x": "'offline' has no revision of ...; build it: skewless build offline",
        "accept spending -t WHEN --reason=": "an acceptance needs a reason",
        "hold offline": "'offline' is not online (online=False)",
        "rollback spending --to 2026-01-01T10:00Z": "'spending' has no published, good revision of 2026-01-01T10:00",
    }.items(),
)
def test_what_cannot_be_meant_is_misuse(shop: Shop, command: str, words: str) -> None:
    refused(shop, 2, words, *command.replace("WHEN", WHEN).split(" "))


@pytest.mark.parametrize(
    ("command", "words"),
    {
        "buld": "No such command 'buld'. Did you mean 'build'?",
        "build": "Missing argument",
        "build spending --snapshot-tim x": "No such option: --snapshot-tim",
        "train-rows spine.csv": "Missing option '--features'",
        "train-rows spine.csv -f x --limit 0": "Invalid value for '--limit'",
    }.items(),
)
def test_a_command_that_does_not_parse_is_misuse(shop: Shop, command: str, words: str) -> None:
    ran = shop.cli(*command.split())
    assert ran.code == 2
    assert words in ran.err


def test_what_is_not_published_or_not_live_says_how_to_publish_it(shop: Shop) -> None:
    refused(shop, 1, "'spending' is not published in namespace 'e2e-...run `skewless publish spending`",
            "get", "spending:shop", "-e", "user_id=1")  # fmt: skip
    refused(shop, 1, "expire of 'spending' was refused: nothing is live; publish", "expire", "spending")


def test_with_json_an_error_is_one_line_of_json(shop: Shop) -> None:
    ran = shop.cli("build", "lost", "-t", WHEN, "--json")
    told = json.loads(ran.err.splitlines()[-1])
    assert ran.out == ""
    assert told["exit_code"] == ran.code == 1
    assert told["error"].startswith("source 'lost': there is no Delta table at ")


# -- spines -----------------------------------------------------------------------------------------------


def csv(folder: Path, text: str) -> str:
    path = folder / "spine.csv"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"user,event_timestamp\n1,{ASKED}\n", "has no column 'user_id' (did you mean 'user'?), a join key of "
         "feature view 'spending'; it has user, event_timestamp"),
        (f"user_id,ts\n1,{ASKED}\n", "has no column 'event_timestamp', its time; name another with timestamp_field="),
        ("user_id,event_timestamp\n1,yesterday\n", "'event_timestamp' is string, no timestamp; cast it first"),
        (f"user_id,event_timestamp\nann,{ASKED}\n", "'user_id' is string, but the source of 'spending' has bigint"),
        (f"user_id,event_timestamp\n1,{ASKED}\n2,2090-01-01T00:00:00Z\n3,2091-01-01T00:00:00Z\n",
         "2 of the spine's 3 rows lie after now (...), the latest at 2091-01-01T00:00:00Z; nobody knows yet"),
        (f"user_id,event_timestamp\n1,{ASKED}\n2,\n3,\n", "2 of the spine's 3 rows have no 'event_timestamp'; ...drop"),
        ("user_id,event_timestamp\n1,\n", "1 of the spine's 1 rows have no 'event_timestamp'"),
        (f"user_id,event_timestamp,Spending__Shop\n1,{ASKED},x\n", "a column 'Spending__Shop', which the result needs"),
        (f"user_id,event_timestamp,_SK_at\n1,{ASKED},x\n", "column '_SK_at' begins with _sk_, as the engine's own do"),
        (f"user_id,event_timestamp,USER_ID\n1,{ASKED},2\n", "user_id, event_timestamp, USER_ID ...only in case"),
        (f"user_id,event_timestamp,user_id\n1,{ASKED},2\n", "user_id, event_timestamp, user_id have one name"),
    ],
)  # fmt: skip
def test_a_spine_that_cannot_be_joined_is_misuse(shop: Shop, tmp_path: Path, text: str, words: str) -> None:
    refused(shop, 2, words, "train-rows", csv(tmp_path, text), "-f", "shop_v1")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["-f", "spending:shop", "-f", "spending:shop"],
            "spending:shop is asked for twice; name each feature once",
        ),
        (["-f", "spending:shp"], "'spending' has no field 'shp' (did you mean 'shop'?)"),
        (["-f", "shop_v1", "--as-of", "events"], "as_of='events' is not supported (did you mean 'event'?)"),
        (["-f", "shop_v1", "--where", "usr_id = 1"], "the condition 'usr_id = 1' on the spine: ...`user_id`"),
        (["-f", "shop_v1", "--where", "1 +"], "the condition '1 +' on the spine: ...Syntax error"),
        (
            ["-f", "shop_v1", "--where", "user_id"],
            "the condition 'user_id' on the spine: ...is not a boolean",
        ),
    ],
)
def test_a_question_that_cannot_be_meant(
    shop: Shop, tmp_path: Path, arguments: list[str], words: str
) -> None:
    spine = csv(tmp_path, f"user_id,event_timestamp\n1,{ASKED}\n")
    refused(shop, 2, words, "train-rows", spine, *arguments)


def test_a_spine_that_is_not_there_or_cannot_be_read(shop: Shop, tmp_path: Path) -> None:
    of = ("-f", "shop_v1")
    refused(shop, 2, f"there is no spine at {tmp_path}/no.csv", "train-rows", f"{tmp_path}/no.csv", *of)
    refused(
        shop,
        2,
        "no Delta table at ...spines/no, and Spark knows no table 'spines/no'",
        "train-rows",
        "spines/no",
        *of,
    )
    (tmp_path / "torn.parquet").write_bytes(b"PAR1")
    refused(shop, 1, "torn.parquet cannot be read: ", "train-rows", f"{tmp_path}/torn.parquet", *of)
    refused(
        shop,
        1,
        "spine.csv cannot be read: ",
        "train-rows",
        csv(tmp_path, "user_id,event_timestamp\n1\n"),
        *of,
    )
    refused(shop, 1, "Empty CSV file", "train-rows", csv(tmp_path, ""), *of)


# -- the warehouse ----------------------------------------------------------------------------------------


def test_a_feature_table_that_is_gone_or_torn_publishes_nothing(copy: Shop, tmp_path: Path) -> None:
    spine = csv(tmp_path, f"user_id,event_timestamp\n1,{ASKED}\n")
    (table,) = (copy.folder / "warehouse" / "features" / "spending").iterdir()
    for file in table.rglob("*.parquet"):
        file.write_bytes(b"PAR1 and nothing else")
    err = refused_publish(copy, "the table of 'spending' at ...features/spending/...cannot be read")
    assert "build again: skewless build spending" in err
    refused(
        copy, 1, "a data file cannot be read (...features/spending/", "train-rows", spine, "-f", "shop_v1"
    )
    table.rename(copy.folder / "elsewhere")
    gone = "there is no table of 'spending' at ...; build it: skewless build spending"
    refused_publish(copy, gone)
    refused(copy, 1, gone, "train-rows", spine, "-f", "shop_v1")
    words = "there is no table at ...features/spending/...; restore it, or build it again"
    refused(copy, 1, words, "check", "spending", "-t", WHEN)
    refused(copy, 1, "is not published", "get", "spending:shop", "-e", "user_id=1")


def refused_publish(shop: Shop, words: str) -> str:
    """Publish what cannot be read: tables, pointer and alive stay; the publisher's own keys are for the next one."""
    before = seen_by_readers(shop)
    ran = shop.cli("publish", "spending", "-t", WHEN)
    assert (ran.code, ran.out) == (1, ""), ran.err
    assert_helps(ran, words)
    assert seen_by_readers(shop) == before
    return ran.err


def seen_by_readers(shop: Shop) -> dict[str, object]:
    return {
        name: value for name, value in shop.state().items() if "{" not in name or name.endswith((":p", ":a"))
    }


def test_a_corrupt_ledger_stops_every_command_that_must_believe_it(copy: Shop, tmp_path: Path) -> None:
    for file in (copy.folder / "warehouse" / "ledger" / "spending").glob("*.parquet"):
        file.write_bytes(b"PAR1 and nothing else")
    words = "the ledger at ...ledger/spending cannot be read: ... restore it from a backup"
    spine = csv(tmp_path, f"user_id,event_timestamp\n1,{ASKED}\n")
    for command in ("build", "check", "publish"):
        refused(copy, 1, words, command, "spending", "-t", WHEN)
    refused(copy, 1, words, "status")
    refused(copy, 1, words, "train-rows", spine, "-f", "shop_v1")
    ran = copy.cli("hold", "spending")  # which freezes first, and tells then
    assert ran.code == 1
    assert_helps(ran, words)


# -- settings and definitions -----------------------------------------------------------------------------


def test_every_mistake_in_the_features_folder_is_told_at_once(copy: Shop) -> None:
    path = copy.folder / "features" / "more.py"
    path.write_text(
        "from skewless import Entity\n\nEntity(name='1st', join_keys=[])\nimport nothing_like_it\n"
    )
    for command in (["validate"], ["plan"]):
        err = refused(copy, 2, "features/more.py:3: ...features/more.py:4: ", *command)
        assert "1st" in err
        assert "nothing_like_it" in err
    refused(copy, 2, "features/more.py:4: ", "validate")
    told = "ignored: features/more.py:3: 1st"
    for command in ("check", "publish"):  # a mistake elsewhere stops no view
        ran = copy.cli(command, "spending", "-t", WHEN)
        assert (ran.code, told in ran.err) == (0, True), ran.err
    refused(copy, 2, "error: features/more.py:3: 1st: entity name '1st' is not a name", "build", "1st")
    refused(copy, 2, "no feature view 'mre'...may be in a file that is wrong:...more.py:4: ", "build", "mre")
    path.unlink()
    path.parent.rename(path.parent.with_name("moved"))
    refused(copy, 2, "there is no folder ...features", "validate")


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("SKEWLESS_NAMESPCE", "dev", "SKEWLESS_NAMESPCE is no setting (did you mean 'SKEWLESS_NAMESPACE'?)"),
        ("SKEWLESS_NAMESPACE", "a:b", "namespace = 'a:b' (SKEWLESS_NAMESPACE): use letters, digits"),
        ("SKEWLESS_NOW", "noon", "now = 'noon' (SKEWLESS_NOW): "),
        ("SKEWLESS_REDIS_URL", "127.0.0.1:6379", "the online store's URL is wrong: ...redis://host:6379/0"),
        ("SKEWLESS_CONFIG", "/nowhere/skewless.toml", "/nowhere/skewless.toml cannot be read"),
    ],
)  # fmt: skip
def test_a_setting_that_is_wrong(shop: Shop, variable: str, value: str, words: str) -> None:
    env = os.environ | shop.variables() | {variable: value}
    ran = subprocess.run(
        [*SCRIPT, "get", "spending:shop", "-e", "user_id=1"], env=env, capture_output=True, text=True
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert_helps(Ran(ran.returncode, ran.stdout, ran.stderr), words)


# -- servers and this machine -----------------------------------------------------------------------------


@pytest.fixture
def own(shop: Shop, tmp_path: Path) -> Iterator[Shop]:
    """The shop with a Valkey of this test's own, and no Spark."""
    own = load_settings(
        home=tmp_path / "home",
        jars=shop.settings.jars,
        redis_url=f"redis://127.0.0.1:{free_port()}/0",
        spark=f"sc://127.0.0.1:{free_port()}",
        actor="tests",
    )
    up(own.model_copy(update={"spark": "local[*]"}))
    moved = Shop(own, tmp_path / "shop", DEFINITIONS)
    (tmp_path / "shop" / "warehouse").symlink_to(shop.copy(tmp_path / "copied").folder / "warehouse")
    yield moved
    down(own)


def test_an_online_store_that_evicts_keys_or_is_away_is_not_published_to(own: Shop) -> None:
    ledger = own.told("spending")
    with redis.Redis.from_url(own.settings.redis_url) as server:
        server.config_set("maxmemory-policy", "allkeys-lru")
    words = "has maxmemory-policy allkeys-lru...CONFIG SET maxmemory-policy noeviction"
    refused(own, 1, words, "publish", "spending", "-t", WHEN)
    down(own.settings)
    address = own.settings.redis_url.removeprefix("redis://").removesuffix("/0")
    for command in ("publish", "hold", "release", "rollback", "expire", "get"):
        arguments = {"publish": ["-t", WHEN], "get": ["-e", "user_id=1"]}.get(command, [])
        ran = own.cli(command, "spending", *arguments)
        assert (ran.code, ran.out) == (1, ""), command
        assert_helps(
            ran,
            f"the online store at {address} cannot be reached ...; start it ..., or set SKEWLESS_REDIS_URL",
        )
    assert own.told("spending") == ledger
    assert "unreachable" in own.cli("status", "spending").out
    up(own.settings.model_copy(update={"spark": "local[*]"}))
    assert "published as generation 1" in own.cli("publish", "spending", "-t", WHEN).out


def test_a_spark_server_that_is_away_is_said_at_once(own: Shop) -> None:
    ledger = own.told("spending")
    ran = own.command("build", "spending", "-t", WHEN)
    assert (ran.code, ran.out) == (1, "")
    assert_helps(ran, f"no Spark server answers at {own.settings.spark} ...start it with `skewless up`")
    assert own.told("spending") == ledger


@pytest.mark.parametrize("setting", ["SKEWLESS_REDIS_URL", "SKEWLESS_SPARK"])
def test_a_port_in_use_is_named_with_the_setting_to_change(own: Shop, setting: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        scheme, other = {
            "SKEWLESS_REDIS_URL": ("redis", {"SKEWLESS_SPARK": "local[*]"}),
            "SKEWLESS_SPARK": ("sc", {"SKEWLESS_REDIS_URL": "redis://elsewhere:6379"}),
        }[setting]
        address = {setting: f"{scheme}://127.0.0.1:{port}", "SKEWLESS_HOME": f"{own.folder}/{setting}"}
        ran = typed(own, address | other, "up")
    assert ran.code == 1
    assert_helps(
        ran, f"cannot listen at 127.0.0.1:{port} (...process {os.getpid()} (...{setting}={scheme}://"
    )


@pytest.mark.parametrize("arguments", [["up"], ["build", "spending", "-t", WHEN]])
def test_too_old_a_java_says_what_to_type(own: Shop, tmp_path: Path, arguments: list[str]) -> None:
    java = tmp_path / "old" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.21\" 2023-10-17' >&2\n")
    java.chmod(0o755)
    spark = {} if arguments == ["up"] else {"SKEWLESS_SPARK": "local[1]"}
    ran = typed(own, {"PATH": f"{java.parent}:/usr/bin:/bin", "JAVA_HOME": "", **spark}, *arguments)
    assert ran.code == 1
    assert_helps(ran, f"Spark needs Java 17 or newer, and {java} is Java 11; type: sudo apt-get install")


def test_missing_jars_and_packages_say_what_to_type(own: Shop, tmp_path: Path) -> None:
    ran = typed(
        own, {"SKEWLESS_JARS": str(tmp_path), "SKEWLESS_SPARK": "local[1]"}, "build", "spending", "-t", WHEN
    )
    assert ran.code == 1
    assert_helps(ran, f"no Delta jars in {tmp_path}; type: make jars")
    code = "import sys; sys.modules['pyspark'] = None; from skewless.cli import main; main()"
    ran = typed(own, {}, "build", "spending", "-t", WHEN, command=[sys.executable, "-c", code])
    assert ran.code == 1
    assert_helps(ran, "pyspark is not installed; pip install 'skewless[spark]'")


def typed(shop: Shop, variables: dict[str, str], *arguments: str, command: list[str] = SCRIPT) -> Ran:
    """A command as a user types it, with some variables of his own."""
    env = os.environ | shop.variables() | variables
    ran = subprocess.run([*command, *arguments], env=env, capture_output=True, text=True)
    return Ran(ran.returncode, ran.stdout, ran.stderr)
