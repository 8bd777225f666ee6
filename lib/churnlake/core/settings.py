"""Layered settings: conf/base.yaml, then conf/<env>.yaml, then --set; an unknown key is an error before Spark starts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from churnlake.core.errors import SettingsError


class Model(BaseModel):
    """Base of every settings model: frozen, and no key it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


NonEmpty = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


def known_zone(name: str) -> str:
    """The name of a time zone. Raises ValueError where there is none of it."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"there is no time zone '{name}'") from error
    return name


class SparkSettings(Model):
    """How the session is built where none exists yet."""

    master: str
    driver_memory: str
    shuffle_partitions: int
    jars: str
    jar_groups: tuple[str, ...]
    java_options: str
    openlineage: str
    conf: dict[str, str]

    @field_validator("openlineage")
    @classmethod
    def _is_place(cls, value: str) -> str:
        if value not in ("", "file") and not value.startswith(("http://", "https://")):
            raise ValueError("give file, the URL of a receiver (http://...), or nothing, for no events")
        return value

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups of jars it needs beside those of every session."""
        return (*self.jar_groups, *(("openlineage",) if self.openlineage else ()))


class StoreSettings(Model):
    """Where things lie: local paths, or a URI for the lake and the vault; and the zone days are counted in.

    ``key_file`` is where the pseudonym key lies, or a list of keys, oldest first: a path, a URI, or env:NAME.
    """

    landing: NonEmpty
    lake: NonEmpty
    vault: str
    exports: NonEmpty
    feeds: NonEmpty
    work: NonEmpty
    log_format: Literal["text", "json"]
    key_file: str | tuple[str, ...]
    allow_demo_key: bool
    city_zone: str
    looks_back_days: Count

    @field_validator("landing")
    @classmethod
    def _is_mounted(cls, value: str) -> str:
        if "://" in value:
            raise ValueError("files are listed and hashed where they lie; give a local or mounted folder")
        return value

    @field_validator("city_zone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        return known_zone(value)

    @property
    def vault_folder(self) -> str:
        """Where the vault lies: where it is said to, else beside the lake."""
        return self.vault or f"{self.lake.rstrip('/')}-vault"


class TrackingSettings(Model):
    """Where MLflow keeps runs and models."""

    uri: str
    artifacts: str
    experiment: str
    model_prefix: str


class MaintenanceSettings(Model):
    """How maintain_lake keeps tables, their history, set aside text and logs."""

    file_megabytes: Annotated[int, Field(ge=1)]
    most_files: Annotated[int, Field(ge=2)]
    restore_days: Annotated[int, Field(ge=0)]
    log_days: Annotated[int, Field(ge=1)]
    raw_text_days: Annotated[int, Field(ge=0)]
    work_days: Annotated[int, Field(ge=1)]


class CoreSettings(Model):
    """The settings of the kernel."""

    spark: SparkSettings
    store: StoreSettings
    maintenance: MaintenanceSettings
    tracking: TrackingSettings


S = TypeVar("S", bound=BaseModel)


def conf_folder() -> Path:
    """The folder of conf/: where CHURNLAKE_CONF says, beside the sources, or in the current folder. Raises SettingsError when there is none."""
    if told := os.environ.get("CHURNLAKE_CONF"):
        if not (Path(told) / "base.yaml").is_file():
            raise SettingsError(f"no base.yaml in {told}, which CHURNLAKE_CONF names")
        return Path(told).resolve()
    for folder in (Path(__file__).parents[3] / "conf", Path("conf")):
        if (folder / "base.yaml").is_file():
            return folder.resolve()
    raise SettingsError(
        "no conf/base.yaml beside the sources or in the current folder; run from the project's folder or set CHURNLAKE_CONF"
    )


def load(model: type[S], env: str, overrides: list[str] | None = None, folder: Path | None = None) -> S:
    """The settings of an environment. ``overrides`` are texts like ``reentry.least_overlap=0.4``.

    Raises SettingsError naming the key at fault and where it stands.
    """
    folder = folder or conf_folder()
    layered = read_yaml(folder / "base.yaml")
    env_file = folder / f"{env}.yaml"
    if not env_file.is_file():
        known = sorted(p.stem for p in folder.glob("*.yaml") if p.stem != "base")
        raise SettingsError(f"no environment '{env}'; there are {', '.join(known)}")
    _merge(layered, read_yaml(env_file))
    for override in overrides or []:
        key, equals, text = override.partition("=")
        if not equals or not key:
            raise SettingsError(f"--set {override}: write it as key=value, for example --set spark.shuffle_partitions=8")
        # nothing after the equals sign is an empty text, as in a shell; YAML would read it as null
        value: Any = yaml.safe_load(text) if text.strip() else ""
        for part in reversed(key.split(".")):
            value = {part: value}
        _merge(layered, value)
    try:
        return model.model_validate(layered)
    except ValidationError as error:
        raise SettingsError("; ".join(_explain(model, e["loc"], e["type"], e["msg"]) for e in error.errors())) from error


class _EachKeyOnce(yaml.SafeLoader):
    """Refuses a key that stands twice in one mapping; YAML itself would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        twice = sorted({str(key) for key in keys if keys.count(key) > 1})
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"{', '.join(twice)} stands twice", node.start_mark)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """The keys and values of a settings file. Raises SettingsError naming the file and what is wrong."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _EachKeyOnce)
    except (yaml.YAMLError, ValueError) as error:
        raise SettingsError(f"{path.name} is not YAML: {' '.join(str(error).split())}") from error
    if content is not None and not isinstance(content, dict):
        raise SettingsError(f"{path.name} must hold keys and values at its top")
    return content or {}


def _merge(into: dict[str, Any], layer: dict[str, Any]) -> None:
    for key, value in layer.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def _explain(model: type[BaseModel], loc: tuple[int | str, ...], kind: str, message: str) -> str:
    key = ".".join(str(part) for part in loc)
    if kind == "extra_forbidden":
        fields: Any = model
        for part in loc[:-1]:
            annotation = fields.model_fields[str(part)].annotation if hasattr(fields, "model_fields") else None
            fields = annotation
        known = sorted(fields.model_fields) if hasattr(fields, "model_fields") else []
        return f"unknown setting '{key}'" + (f"; there are {', '.join(known)}" if known else "")
    if kind == "missing":
        return f"setting '{key}' is missing; give it in conf/base.yaml"
    message = message.removeprefix("Value error, ")
    return f"setting '{key}': {message[0].lower()}{message[1:]}"
