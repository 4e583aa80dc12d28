"""Settings of the edge service: a TOML file; the environment (WEARCAST_EDGE_NAME) wins over it.

A table inside is reached in the environment by two underscores: WEARCAST_EDGE_STORE__PATH.
"""

import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from wearcast.clients.edge.carriers import CarrierSettings
from wearcast.clients.edge.sources import SourceSettings
from wearcast.signals.alarm_rules import AlarmRules
from wearcast.signals.clock import find_zone
from wearcast.signals.errors import InputError

Model = TypeVar("Model", bound=BaseModel)
_PREFIX = "WEARCAST_EDGE_"
Days = Annotated[float, Field(gt=0)]


def _make_rules(field: str, values: dict[str, Any]) -> AlarmRules:
    for name in values:
        if name not in AlarmRules.__struct_fields__:
            raise ValueError(f"{field}.{name}: expected a rule of docs/alarms.md, got another name")
    try:
        return msgspec.convert(values, AlarmRules)
    except (msgspec.ValidationError, InputError) as error:
        raise ValueError(f"{field}: {error}") from error


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelSettings(_Table):
    """Which models judge the rows, and where they run."""

    names: tuple[str, ...] = ("flow-outlier", "flow-forecast")
    """Models that are asked about each row; none: rows are kept and sent, and not judged."""
    server: str = ""
    """HOST:PORT of a `wearcast serve`; empty: they run in this process."""
    tls_ca: Path | None = None
    """Certificate authority (PEM) of a server with TLS."""
    tls_cert: Path | None = None
    """The edge's own certificate in PEM, for a server that asks for one."""
    tls_key: Path | None = None
    """Its private key in PEM."""
    token_file: Path | None = None
    """File with the bearer token, of role infer."""
    dir: Path | None = None
    """Folder holding NAME/VERSION/, in this process; not set: the bundled models."""


class StoreSettings(_Table):
    """Where everything is kept."""

    path: Path = Path("edge.sqlite")
    """SQLite file; made where there is none."""
    table: Literal["sqlite", "csv"] = "sqlite"
    """Whether the rows stand in that file too, or in a CSV file a day."""
    csv_dir: Path | None = None
    """Folder of the CSV files; not set: beside `path`, named like it."""
    keep_days: Days = 365
    """Older rows, forecasts and alerts are purged; what has not been sent is not."""


class AlarmSettings(_Table):
    """When a stage becomes an alarm; names and defaults are those of `AlarmRules`."""

    rules: dict[str, Any] = {}
    """For all detectors and channels."""
    tags: dict[str, dict[str, Any]] = {}
    """By "CHANNEL DETECTOR" ("flow_rate night", "all multivariate"): what differs from `rules`."""

    @property
    def default(self) -> AlarmRules:
        """Rules of all tags that are not named."""
        return _make_rules("alarms.rules", self.rules)

    @property
    def by_tag(self) -> dict[str, AlarmRules]:
        """Rules of those that are."""
        return {
            tag: _make_rules(f"alarms.tags.{tag}", self.rules | rules)
            for tag, rules in self.tags.items()
        }

    @model_validator(mode="after")
    def _check(self) -> Self:
        _ = self.default, self.by_tag
        return self


class AlertSettings(_Table):
    """What is told of abnormal readings and alarms."""

    emit: Literal["transitions", "every"] = "transitions"
    """"transitions": alarms raised, escalated, de-escalated, cleared; "every": each abnormal
    reading."""
    format: Literal["bare", "cloudevents"] = "bare"
    """How an alert is written; see docs/alarms.md."""
    file: Path | None = None
    """Lines are appended there; not set: standard output."""


class ScheduleSettings(_Table):
    """When things are done that do not hang on a row."""

    send_delay_s: Annotated[float, Field(ge=0, lt=600)] = 60
    """How long after the end of ten minutes, or a day, it is sent; 60: at minutes 1, 11, ..."""
    criteria_days: Days = 91
    """How often the bounds of usual readings are fitted anew."""
    retrain_days: Days = 365
    """How often models are trained anew."""
    retrain: dict[str, tuple[str, ...]] = {}
    """By model, the words that `wearcast train` gets, but for --data and --out: {"flow-outlier" =
    ["outlier", "--range", "pressure=0:10"]}. Needs wearcast[train] and `models.dir`."""


class EdgeSettings(BaseSettings):
    """All of it."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, env_nested_delimiter="__", frozen=True, extra="forbid"
    )

    asset: Annotated[str, Field(min_length=1, max_length=150)]
    """Name of the plant or machine; no two that send to one server may have the same."""
    machine_number: int | str | None = None
    """What its own systems call it, in alerts; not set: `asset`."""
    channels: Annotated[dict[str, str], Field(min_length=1)] = {
        "flow_rate": "m3/h",
        "pressure": "bar",
    }
    """Name and unit of each channel that is kept."""
    time_zone: str = "UTC"
    """Whose days are sent, as a name of the IANA database."""
    clock: Literal["system", "readings"] = "system"
    """"readings": time is that of the newest reading, to replay a record as fast as it runs."""
    step_s: Annotated[float, Field(gt=0)] = 60
    """A row each so many seconds; readings in between are averaged."""
    grace_s: Annotated[float, Field(ge=0)] = 20
    """How long readings may be late before a step is closed without them; with clock = "system"."""
    sources: tuple[SourceSettings, ...]
    """Where readings come from."""
    models: ModelSettings = ModelSettings()
    store: StoreSettings = StoreSettings()
    alarms: AlarmSettings = AlarmSettings()
    alerts: AlertSettings = AlertSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    delivery: CarrierSettings | None = None
    """Where the central server is; not set: nothing is sent, and nothing waits for it."""

    @field_validator("time_zone")
    @classmethod
    def _check_zone(cls, zone: str) -> str:
        try:
            find_zone(zone)
        except InputError as error:
            raise ValueError(str(error)) from error
        return zone

    @field_validator("asset")
    @classmethod
    def _check_asset(cls, asset: str) -> str:
        if not asset.isprintable():
            raise ValueError("expected printable characters")
        return asset

    @field_validator("channels")
    @classmethod
    def _check_channels(cls, channels: dict[str, str]) -> dict[str, str]:
        for name in channels:
            if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
                raise ValueError(f"expected names of letters, digits and _, got {name!r}")
        return channels

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [source.name for source in self.sources]
        if not names:
            raise ValueError("sources: expected one at least, got none")
        if len(set(names)) < len(names):
            raise ValueError(f"sources: expected a name of its own each, got {', '.join(names)}")
        if self.schedule.retrain and (self.models.dir is None or self.models.server):
            raise ValueError("schedule.retrain: expected models.dir, and no models.server")
        for name in self.schedule.retrain:
            if name not in self.models.names:
                raise ValueError(f"schedule.retrain: expected models.names, got {name}")
        return self


def load_edge_settings(config: Path) -> EdgeSettings:
    """Settings from a TOML file and the environment; relative paths are of the file's folder.

    Raises:
        InputError: the file can't be read, or a value is not what it should be; each is named.
    """
    try:
        table = tomllib.loads(config.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError("config", "a readable file", f"{config}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError("config", "TOML", f"{config}: {error}") from error

    class Layered(EdgeSettings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,  # noqa: ARG003
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return env_settings, InitSettingsSource(settings_cls, table)

    nothing: dict[str, Any] = {}  # all comes from the sources above
    try:
        settings = Layered(**nothing)
    except ValidationError as error:
        problems = "; ".join(_explain(item) for item in error.errors())
        raise InputError("config", "settings as in docs/edge.md", problems) from error
    known = {_PREFIX + name.upper() for name in EdgeSettings.model_fields}
    for variable in os.environ:
        if variable.startswith(_PREFIX) and variable.partition("__")[0] not in known:
            raise InputError(
                "config", "settings as in docs/edge.md", f"{variable}: no such setting"
            )
    return _place(settings, config.absolute().parent)


def _place(settings: Model, folder: Path) -> Model:
    """The settings with each path that is relative put into the folder."""
    changes: dict[str, Any] = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, Path):
            changes[name] = folder / value
        elif isinstance(value, BaseModel):
            changes[name] = _place(value, folder)
        elif isinstance(value, tuple):
            changes[name] = tuple(
                _place(item, folder) if isinstance(item, BaseModel) else item for item in value
            )
    return settings.model_copy(update=changes)


def _explain(item: Any) -> str:  # noqa: ANN401
    text = str(item["msg"]).removeprefix("Value error, ")
    field = ".".join(str(part) for part in item["loc"])
    if item["type"] == "missing":
        return f"{field}: expected a value, got none"
    if item["type"] == "extra_forbidden":
        return f"{field}: no such setting"
    if item["type"] == "union_tag_not_found":
        return f"{field}.type: expected a value, got none"
    if item["type"] == "union_tag_invalid":
        known, got = item["ctx"]["expected_tags"], item["ctx"]["tag"]
        return f"{field}.type: expected one of {known}, got {got!r}"
    if item["type"] == "value_error" and ", got " in text:
        return text if text.startswith(field) else f"{field}: {text}"  # it says what came itself
    if item["type"] == "path_type":
        text = "expected a path"
    text = text.replace("Input should be ", "expected ", 1)
    return f"{field}: {text}, got {item['input']!r}" if field else text
