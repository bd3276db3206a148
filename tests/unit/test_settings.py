"""Variables over skewless.toml over defaults; mistakes are explained."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from skewless import FeatureStore
from skewless.errors import UsageError
from skewless.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("SKEWLESS_")]:
        monkeypatch.delenv(name)


def write(text: str, path: str = "skewless.toml") -> None:
    Path(path).parent.mkdir(exist_ok=True)
    Path(path).write_text(text)


def test_without_anything_all_state_is_under_one_folder(tmp_path: Path) -> None:
    settings = load_settings()
    assert settings.home == tmp_path / ".skewless"
    assert settings.warehouse == str(tmp_path / ".skewless" / "warehouse")
    assert settings.jars == tmp_path / ".skewless" / "jars"
    assert settings.features == tmp_path / "features"


def test_the_usual_port_of_redis_is_left_alone() -> None:
    assert ":6379" not in load_settings().redis_url


def test_variables_win_over_the_file_and_arguments_over_both(monkeypatch: pytest.MonkeyPatch) -> None:
    write('namespace = "from-file"\nspark_memory = "3g"')
    assert load_settings().namespace == "from-file"
    monkeypatch.setenv("SKEWLESS_NAMESPACE", "from-variable")
    assert load_settings().namespace == "from-variable"
    assert load_settings().spark_memory == "3g"
    assert load_settings(namespace="from-argument").namespace == "from-argument"


def test_the_warehouse_follows_home_unless_it_is_given(tmp_path: Path) -> None:
    assert load_settings(home="state").warehouse == str(tmp_path / "state" / "warehouse")
    assert load_settings(home="state", warehouse="lake").warehouse == str(tmp_path / "lake")


@pytest.mark.parametrize("uri", ["s3://bucket/lake", "abfss://box@account/lake", "file:/lake"])
def test_a_warehouse_elsewhere_stays_as_it_is(uri: str) -> None:
    assert load_settings(warehouse=uri).warehouse == uri


def test_paths_in_a_named_file_are_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write('home = "state"\nfeatures = "definitions"', "deployed/other.toml")
    monkeypatch.setenv("SKEWLESS_CONFIG", "deployed/other.toml")
    assert load_settings().home == tmp_path / "deployed" / "state"
    assert load_settings().features == tmp_path / "deployed" / "definitions"


def test_an_unknown_key_in_the_file_is_an_error_with_a_suggestion() -> None:
    write('redis_ulr = "redis://elsewhere"')
    with pytest.raises(
        UsageError, match=r"skewless\.toml: unknown setting 'redis_ulr' \(did you mean 'redis_url'\?\)"
    ):
        load_settings()


def test_an_unknown_variable_is_an_error_with_a_suggestion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKEWLESS_NAMESPCE", "prod")
    with pytest.raises(UsageError, match=r"SKEWLESS_NAMESPCE .*did you mean 'SKEWLESS_NAMESPACE'"):
        load_settings()


def test_a_file_that_is_no_toml_or_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    write("namespace = ")
    with pytest.raises(UsageError, match=r"skewless\.toml is not TOML"):
        load_settings()
    monkeypatch.setenv("SKEWLESS_CONFIG", "gone.toml")
    with pytest.raises(UsageError, match=r"gone\.toml cannot be read .*SKEWLESS_CONFIG"):
        load_settings()


@pytest.mark.parametrize("namespace", ["a b", "a{b}", "a:b", "é", "a\n"])
def test_a_namespace_that_would_break_keys_is_refused(namespace: str) -> None:
    with pytest.raises(UsageError, match=r"namespace .*argument.*letters, digits"):
        load_settings(namespace=namespace)


def test_a_wrong_value_says_where_it_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    write('spark_memory = "lots"')
    with pytest.raises(UsageError, match=r"spark_memory = 'lots' \(skewless\.toml\): .*2g"):
        load_settings()
    monkeypatch.setenv("SKEWLESS_SPARK_MEMORY", "2 GB")
    with pytest.raises(UsageError, match=r"spark_memory = '2 GB' \(SKEWLESS_SPARK_MEMORY\)"):
        load_settings()


def test_a_fixed_clock_is_an_instant_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    noon = datetime(2030, 1, 1, 12, tzinfo=UTC)
    for text in ("2030-01-01T12:00", "2030-01-01T12:00:00Z", "2030-01-01T14:00+02:00"):
        monkeypatch.setenv("SKEWLESS_NOW", text)
        assert load_settings().now == noon
        assert load_settings().now.utcoffset() == noon.utcoffset()
    assert load_settings(now=None).now is None


def test_every_setting_is_described_with_its_default() -> None:
    described = Settings.describe()
    assert [setting.name for setting in described] == list(Settings.model_fields)
    for setting in described:
        assert setting.variable == f"SKEWLESS_{setting.name.upper()}"
        assert setting.description.endswith(".")
        assert setting.default not in ("", "None", "PydanticUndefined")


def test_a_store_takes_its_warehouse_as_a_path(tmp_path: Path):
    assert FeatureStore("features", warehouse=tmp_path).settings.warehouse == str(tmp_path)
