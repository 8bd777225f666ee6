"""What a scenario file says of a city: conf/city/<name>.yaml, checked before Spark starts."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, model_validator

from churnlake.core.errors import SettingsError
from churnlake.core.settings import Model, conf_folder

Share = float


class Persona(Model):
    """A way of life: how many live it, how much they talk and write, when, and what they buy."""

    share: float
    ages: tuple[int, int]
    activity: float
    sms: float
    mms: float
    wap: float
    away: float
    rural: float
    brands: dict[str, float]
    weekday: tuple[float, ...] = Field(min_length=24, max_length=24)
    weekend: tuple[float, ...] = Field(min_length=24, max_length=24)


class Plan(Model):
    """A tariff plan: fees in fen (0.01 yuan), voice a minute, messages each."""

    name: str
    brand: str
    weight: float
    monthly_fee: int
    included_minutes: int
    local: int
    long_distance: int
    roaming: int
    sms: int


class Cause(Model):
    """A cause of leaving: its weight among leavers and where it leads; the rest goes elsewhere."""

    weight: float
    back: float
    competitor: float


class Circles(Model):
    """Shape of the friend graph."""

    household: int
    neighbours: int
    colleagues: int
    stubs: float
    stubs_sigma: float
    kinds: dict[str, float]
    ties: dict[str, float]
    tie_sigma: float
    turnover: float
    pool: float


class Leaving(Model):
    """Who leaves, who comes back, and which signs they show."""

    monthly: float
    joiners_monthly: float
    fade: float
    fade_days: tuple[int, int]
    fade_depth: tuple[float, float]
    false_fade: float
    hotline: float
    false_hotline: float
    forward: float
    false_forward: float
    cancel_order: float
    causes: dict[str, Cause]


class Coming(Model):
    """How re-entrants come back and which joiners only look like them."""

    gap_near: float
    gap_before: float
    gap_near_days: int
    gap_days: tuple[int, int]
    same_handset: float
    same_document: float
    no_imei: float
    kept: tuple[float, float]
    new_contacts: float
    told_days: int
    forward_old: float
    other_brand: float
    partial: float
    second_number: float
    decoys: dict[str, float]
    copied: float


class Records(Model):
    """Volumes and shapes of records."""

    per_user_day: float
    mix: dict[str, float]
    answered: float
    seconds_median: float
    seconds_sigma: float
    imei_missing: float


class CityScenario(Model):
    """A whole city. Shares are 0..1, days are counted from ``first_day``."""

    name: str
    users: int
    first_day: dt.date
    last_day: dt.date
    cells: int
    files_per_delivery: int
    fault_share: float
    festival: dt.date
    festival_sms: float
    faults: dict[str, float]
    documents: dict[str, float]
    personas: dict[str, Persona]
    plans: dict[str, Plan]
    circles: Circles
    leaving: Leaving
    coming: Coming
    records: Records

    @model_validator(mode="after")
    def _consistent(self) -> CityScenario:
        if self.last_day <= self.first_day:
            raise ValueError("last_day must come after first_day")
        if self.users < 30:
            raise ValueError("users must be at least 30")
        brands = {plan.brand for plan in self.plans.values()}
        named = {brand for persona in self.personas.values() for brand in persona.brands}
        if named - brands:
            raise ValueError(f"no plan for the brand {', '.join(sorted(named - brands))}")
        return self

    @property
    def days(self) -> int:
        """Number of days of the city's record."""
        return (self.last_day - self.first_day).days + 1

    @property
    def newcomers(self) -> int:
        """Number of persons who join for the first time during those days."""
        return round(self.users * self.leaving.joiners_monthly * self.days / 30.4)

    @property
    def persons(self) -> int:
        """Number of persons who hold one of our numbers at some time."""
        return self.users + self.newcomers

    @property
    def deliveries(self) -> list[dt.date]:
        """The weekly delivery days; the last is the last day."""
        weeks = -(-self.days // 7)
        return [min(self.first_day + dt.timedelta(7 * w + 6), self.last_day) for w in range(weeks)]


def scenario(path_or_name: str) -> CityScenario:
    """The scenario of that name in conf/city, or of that file; ``like: <name>`` in it takes the rest from another one.

    Raises SettingsError naming the file and the key at fault.
    """
    path = Path(path_or_name)
    if path.suffix not in (".yaml", ".yml"):
        path = conf_folder() / "city" / f"{path_or_name}.yaml"
    values = _layers(path)
    values.setdefault("name", path.stem)
    try:
        return CityScenario.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"{path.name}: {where + ': ' if where else ''}{first['msg']}") from error


def _layers(path: Path, seen: tuple[str, ...] = ()) -> dict[str, Any]:
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in (conf_folder() / "city").glob("*.yaml")))
        raise SettingsError(f"no city scenario {path.name}; there are {known}, or give the path of a .yaml file")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise SettingsError(f"{path.name} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise SettingsError(f"{path.name} must hold keys and values at its top")
    like = values.pop("like", None)
    if like is None:
        return values
    if like in seen:
        raise SettingsError(f"{path.name}: like: {like} goes round in a circle")
    beside = path.with_name(f"{like}.yaml")
    base = _layers(beside if beside.is_file() else conf_folder() / "city" / f"{like}.yaml", (*seen, like))
    base.pop("name", None)
    return _merged(base, values)


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(value, dict) and isinstance(old, dict) else value
    return merged
