"""Where everything is: SKEWLESS_* variables over skewless.toml over defaults."""

from __future__ import annotations

import getpass
import os
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from skewless.errors import UsageError, did_you_mean

_PREFIX = "SKEWLESS_"
_CONFIG = "SKEWLESS_CONFIG"
_PATHS = ("home", "features", "jars", "warehouse", "dags", "plugins", "serve_tokens")


class Described(NamedTuple):
    """One setting, as the documentation lists it."""

    name: str
    variable: str
    default: str
    description: str


class Settings(BaseSettings):
    """The settings of one process; make them with `load_settings()`, which explains what is wrong."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, extra="forbid", frozen=True)

    home: Path = Field(
        Path(".skewless"), description="Folder of all local state: warehouse, services' data and logs, jars."
    )
    warehouse: str = Field(
        "", description="Folder or URI of the Delta tables.", json_schema_extra={"shown": "<home>/warehouse"}
    )
    features: Path = Field(Path("features"), description="Folder of the feature definitions.")
    namespace: str = Field(
        "default",
        description="Prefix of all keys in Redis, so that dev and prod can share a server: [A-Za-z0-9_-]+.",
    )
    redis_url: str = Field(
        "redis://127.0.0.1:6380/0",
        description="The online store: redis://HOST:PORT/DB, with rediss for TLS; or unix://, redis+sentinel://, "
        "redis+cluster://.",
    )
    spark: str = Field(
        "sc://127.0.0.1:15042",
        description="The Spark session: sc://HOST:PORT (a warm server), local[*], or a cluster's master URL.",
    )
    local_services: bool = Field(
        True,
        description="Start services on this machine where redis_url, spark and airflow_url name 127.0.0.1; "
        "set it to false when servers of your own answer there.",
    )
    spark_memory: str = Field("2g", description="Java heap of the local Spark server.")
    spark_cores: int | None = Field(
        None, ge=1, description="Cores of the local Spark server.", json_schema_extra={"shown": "all"}
    )
    spark_python: str = Field(
        sys.executable,
        description="Interpreter of Spark's Python workers; it must have the packages of this one.",
        json_schema_extra={"shown": "this interpreter"},
    )
    jars: Path | None = Field(
        None,
        description="Folder of the Delta jars (`make jars`).",
        json_schema_extra={"shown": "<home>/jars"},
    )
    airflow_url: str = Field("http://127.0.0.1:8080", description="Airflow's API and pages.")
    dags: Path = Field(Path("dags"), description="Folder of Airflow's DAG files.")
    plugins: Path = Field(Path("plugins"), description="Folder of Airflow's plugins.")
    command: str = Field(
        default_factory=lambda: shlex.quote(str(Path(sys.executable).with_name("skewless"))),
        description="What Airflow's tasks run, as shell words: a `skewless` with Spark, wherever it is installed.",
        json_schema_extra={"shown": "the `skewless` beside this interpreter"},
    )
    serve_host: str = Field("127.0.0.1", description="The name or address at which `serve` listens.")
    serve_port: int = Field(8090, ge=0, le=65535, description="The port of `serve`; 0: one that is free.")
    serve_workers: int = Field(1, ge=1, description="Processes of `serve`.")
    serve_tokens: Path | None = Field(
        None,
        description="File of the tokens that `serve` demands, one a line.",
        json_schema_extra={"shown": "none is demanded"},
    )
    serve_timeout_seconds: float = Field(
        5.0, gt=0, description="How long a request to `serve` may take, its body included."
    )
    serve_max_bytes: int = Field(16 * 1024 * 1024, ge=1, description="The largest body of a request.")
    serve_max_entities: int = Field(100_000, ge=1, description="The most entities of a request.")
    serve_max_features: int = Field(500, ge=1, description="The most features that a request names.")
    serve_max_requests: int = Field(
        200, ge=1, description="The most requests that a process of `serve` has under way."
    )
    tiles_from: int = Field(
        5_000_000,
        ge=0,
        description="Events within a view's reach from which on its builds keep tiles of days, and read those.",
    )
    retention_days: int | None = Field(
        None,
        ge=1,
        description="How long `maintain` keeps revisions that nobody needs any more.",
        json_schema_extra={"shown": "for ever"},
    )
    vacuum_days: int = Field(
        7,
        ge=1,
        description="How long it keeps files that nothing refers to, for readers and builds that run.",
    )
    actor: str = Field(
        default_factory=lambda: _login(),
        description="Who acts, as the ledger records it.",
        json_schema_extra={"shown": "your login name"},
    )
    now: datetime | None = Field(
        None,
        description="Fix the clock at this ISO instant (UTC where it names no zone), for tests and replays.",
        json_schema_extra={"shown": "the time"},
    )

    @field_validator("namespace")
    @classmethod
    def _plain_namespace(cls, namespace: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9_-]+", namespace):
            raise ValueError("use letters, digits, _ and - only, e.g. dev")
        return namespace

    @field_validator("spark_memory")
    @classmethod
    def _java_memory(cls, memory: str) -> str:
        if not re.fullmatch(r"[1-9][0-9]*[mg]", memory):
            raise ValueError("write megabytes or gigabytes as Java does, e.g. 2g or 1500m")
        return memory

    @field_validator("now")
    @classmethod
    def _utc(cls, now: datetime | None) -> datetime | None:
        if now is None:
            return None
        return now.replace(tzinfo=UTC) if now.tzinfo is None else now.astimezone(UTC)

    @model_validator(mode="before")
    @classmethod
    def _paths_beside_home(cls, values: dict[str, Any]) -> dict[str, Any]:
        home = Path(values.get("home") or ".skewless").absolute()
        filled = {"warehouse": str(home / "warehouse"), "jars": home / "jars"}
        filled |= {"features": "features", "dags": "dags", "plugins": "plugins"}
        values = (
            {"home": home}
            | filled
            | {name: value for name, value in values.items() if value not in (None, "")}
        )
        return values | {name: _absolute(values[name], Path.cwd()) for name in _PATHS if name in values}

    def variables(self) -> dict[str, str]:
        """Give these settings as variables, so that another process has the same ones in any folder.

        >>> Settings(namespace="dev").variables()["SKEWLESS_NAMESPACE"]
        'dev'
        """
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {_PREFIX + name.upper(): str(value) for name, value in values.items() if value is not None}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments over variables over the file; no .env, no secrets folder."""
        return (init_settings, env_settings, _TomlFile(settings_cls))

    @classmethod
    def describe(cls) -> tuple[Described, ...]:
        """Give every setting with its variable, default and description, in the order of the documentation.

        >>> Settings.describe()[3][:3]
        ('namespace', 'SKEWLESS_NAMESPACE', 'default')
        """
        return tuple(
            Described(name, _PREFIX + name.upper(), _shown_default(info), info.description or "")
            for name, info in cls.model_fields.items()
        )


class _TomlFile(PydanticBaseSettingsSource):
    """skewless.toml; its relative paths are beside it."""

    def __call__(self) -> dict[str, Any]:
        path = config_file()
        if path is None:
            return {}
        try:
            values = tomllib.loads(path.read_text("utf-8"))
        except OSError as error:
            raise UsageError(f"{path} cannot be read ({error.strerror}); {_CONFIG} names it") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"{path} is not TOML: {error}") from error
        for key in values:
            if key not in self.settings_cls.model_fields:
                known = sorted(self.settings_cls.model_fields)
                raise UsageError(
                    f"{path}: unknown setting {key!r}{did_you_mean(key, known)}; known are {', '.join(known)}"
                )
        beside = path.absolute().parent
        return values | {name: _absolute(values[name], beside) for name in _PATHS if name in values}

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        """Never asked: all values come from one call."""
        raise NotImplementedError


def config_file() -> Path | None:
    """Give the file that SKEWLESS_CONFIG names, else skewless.toml here, else None."""
    if named := os.environ.get(_CONFIG):
        return Path(named)
    here = Path("skewless.toml")
    return here if here.is_file() else None


def load_settings(**overrides: Any) -> Settings:
    """Make the settings; UsageError says which is wrong, where it was set, and what would be right."""
    _refuse_unknown_variables()
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise UsageError("\n".join(_explain(error, overrides))) from error


def _refuse_unknown_variables() -> None:
    known = [_CONFIG, *(setting.variable for setting in Settings.describe())]
    for name in sorted(os.environ):
        if name.startswith(_PREFIX) and name not in known:
            raise UsageError(
                f"the variable {name} is no setting{did_you_mean(name, known)}; correct or unset it"
            )


def _explain(error: ValidationError, overrides: dict[str, Any]) -> Iterator[str]:
    for part in error.errors():
        name = str(part["loc"][0]) if part["loc"] else "settings"
        variable = _PREFIX + name.upper()
        where = "argument" if name in overrides else variable if variable in os.environ else config_file()
        if part["type"] == "extra_forbidden":
            yield f"unknown setting {name!r}{did_you_mean(name, Settings.model_fields)}"
        else:
            yield f"{name} = {part['input']!r} ({where}): {part['msg'].removeprefix('Value error, ')}"


def _absolute(value: Any, folder: Path) -> Any:
    """Make a path absolute; leave URIs, and what is no path, as it is."""
    if not isinstance(value, str | Path) or re.match("[A-Za-z][A-Za-z0-9+.-]+:", str(value)):
        return value
    return type(value)(os.path.normpath(folder / Path(value).expanduser()))


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return str(os.getuid())


def _shown_default(info: Any) -> str:
    if isinstance(info.json_schema_extra, dict) and "shown" in info.json_schema_extra:
        return str(info.json_schema_extra["shown"])
    return str(info.default)
