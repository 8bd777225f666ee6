"""What a scenario file says of a city: conf/city/<name>.yaml, checked before Spark starts."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, model_validator

from churnlake.city.kinds import FAULTS, INCIDENTS
from churnlake.city.market import Campaign, Counter, Money, Plan, Service, Survey
from churnlake.city.society import ABNORMAL, MOTIVES, Circles, Coming, Leaving, Occasion, Persona, Records
from churnlake.city.values import Amount, Code, Count, Key, Positive, Share, Shares, only, refuse_unknown
from churnlake.core.errors import SettingsError
from churnlake.core.settings import Model, conf_folder, read_yaml


class CityScenario(Model):
    """A whole city. Shares are 0..1, days are counted from ``first_day``.

    ``faults`` are weights of kinds of broken lines, ``incidents`` how often each kind befalls a whole day or file of a feed,
    never before day ``incidents_from``. ``prepaid`` brands pay by card, the others by bill. Files come every ``delivery_days`` days.
    """

    name: str
    users: Annotated[int, Field(ge=30, le=10_000_000)]
    first_day: dt.date
    last_day: dt.date
    cells: Count
    files_per_delivery: Count
    delivery_days: Count = 7
    fault_share: Share
    festival: dt.date
    festival_sms: Positive
    faults: Annotated[dict[str, Amount], only(*FAULTS)]
    incidents: Annotated[dict[str, Annotated[int, Field(ge=0)]], only(*INCIDENTS)] = Field(default_factory=dict)
    incidents_from: Count = 60
    documents: dict[str, Share]
    prepaid: tuple[str, ...]
    personas: dict[Key, Persona]
    plans: dict[Key, Plan]
    abnormal: Annotated[Shares, only(*ABNORMAL)]
    occasions: tuple[Occasion, ...]
    circles: Circles
    leaving: Leaving
    coming: Coming
    records: Records
    money: Money
    services: dict[Code, Service] = Field(default_factory=dict)
    campaigns: tuple[Campaign, ...] = ()
    survey: tuple[Survey, ...] = ()
    counter: Counter | None = None

    @model_validator(mode="after")
    def _consistent(self) -> CityScenario:
        if self.last_day <= self.first_day:
            raise ValueError(
                "last_day must come after first_day; records.first_day and last_day say which days' records are written"
            )
        if not 0 <= self.written[0] <= self.written[1] < self.days:
            raise ValueError("records: first_day and last_day must lie within the city's time, in order")
        if self.coming.renumbered > self.users:
            raise ValueError("coming.renumbered must not be more than users")
        if not sum(persona.share for persona in self.personas.values()) > 0:
            raise ValueError("personas: their shares must not all be 0")
        self._brands_have_plans()
        self._names_are_known()
        self._campaigns_are_apart()
        return self

    def _brands_have_plans(self) -> None:
        named = {brand for persona in self.personas.values() for brand in persona.brands}
        named |= {brand for occasion in self.occasions for brand in occasion.brands} | set(self.documents)
        named |= {brand for campaign in self.campaigns for brand in campaign.brands}
        named |= {*self.prepaid, *self.leaving.brand_risk}
        unknown = sorted(named - set(self.brands))
        if unknown:
            raise ValueError(
                f"no plan for the brand {', '.join(unknown)}, or none with a weight above 0; there are {', '.join(self.brands)}"
            )

    def _names_are_known(self) -> None:
        named: dict[str, tuple[Iterable[str], Iterable[str], str]] = {
            "coming.motives": (self.coming.motives, self.leaving.causes, "cause"),
            "counter.states_number": (self.counter.states_number if self.counter else (), [*MOTIVES, "others"], "motive"),
            "campaigns": ([c.service for c in self.campaigns if c.service and self.services], self.services, "service"),
            **{
                f"services.{name}.takers": (service.takers, [*self.personas, "others"], "way of life")
                for name, service in self.services.items()
            },
        }
        for key, (given, known, what) in named.items():
            refuse_unknown(given, known, what, f"{key} ")
        for key, names in (("campaigns", [c.name for c in self.campaigns]), ("survey", [s.name for s in self.survey])):
            if len(set(names)) < len(names):
                raise ValueError(f"{key}: each needs a name of its own")

    def _campaigns_are_apart(self) -> None:
        offered = [campaign.service for campaign in self.campaigns if campaign.service]
        if len(set(offered)) < len(offered):
            raise ValueError("campaigns: a service is offered by one campaign only")
        for campaign in self.campaigns:
            by_bill = sorted(set(campaign.brands) - set(self.prepaid))
            if campaign.outcome == "recharge" and by_bill:
                raise ValueError(f"campaigns: {campaign.name} is about recharges, but {', '.join(by_bill)} pays by bill")
        for one, other in itertools.combinations(self.campaigns, 2):
            # whose doing an outcome was would not be known
            if one.outcome == other.outcome != "service" and one.meets(other):
                raise ValueError(
                    f"campaigns: {one.name} and {other.name} are about the same outcome in the same days; give each its own"
                )

    @property
    def brands(self) -> list[str]:
        """The brands that have a plan to choose, in order."""
        return sorted({plan.brand for plan in self.plans.values() if plan.weight > 0})

    @property
    def days(self) -> int:
        """Number of days of the city's record."""
        return (self.last_day - self.first_day).days + 1

    @property
    def written(self) -> tuple[int, int]:
        """Numbers of the first and the last day whose records are written: all, unless ``records`` names fewer."""
        first, last = self.records.first_day or self.first_day, self.records.last_day or self.last_day
        return (first - self.first_day).days, (last - self.first_day).days

    @property
    def newcomers(self) -> int:
        """Number of persons who join for the first time during those days: as many as leave re-entrants their share of joiners."""
        coming = self.coming
        # who leaves in the last weeks comes back after the city's days
        again = self.users * (self.leaving.monthly * self.leaving.back * max(0, self.days - 20) / 30.4 + coming.partial)
        others = again * (1 - coming.reentry_share) / max(coming.reentry_share, 0.01)
        return max(0, round(others - self.users * coming.second_number - coming.renumbered))

    @property
    def persons(self) -> int:
        """Number of persons who hold one of our numbers at some time."""
        return self.users + self.newcomers

    @property
    def deliveries(self) -> list[dt.date]:
        """The delivery days, each the last of the days it brings; the last is the last day."""
        every = self.delivery_days
        ends = [every * (number + 1) - 1 for number in range(-(-self.days // every))]
        return [min(self.first_day + dt.timedelta(end), self.last_day) for end in ends]

    def delivered_on(self, days: Iterable[dt.date]) -> list[str]:
        """The deliveries that contain those of the days that lie in the city's time, in order."""
        within = [day for day in days if self.first_day <= day <= self.last_day]
        numbers = {(day - self.first_day).days // self.delivery_days for day in within}
        return [str(self.deliveries[number]) for number in sorted(numbers)]


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
        says = first["msg"].removeprefix("Value error, ")
        raise SettingsError(f"{path.name}: {where + ': ' if where else ''}{says}") from error


def _layers(path: Path, seen: tuple[str, ...] = ()) -> dict[str, Any]:
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in (conf_folder() / "city").glob("*.yaml")))
        raise SettingsError(f"no city scenario {path.name}; there are {known}, or give the path of a .yaml file")
    values = read_yaml(path)
    like = values.pop("like", None)
    if like is None:
        return values
    if not isinstance(like, str) or Path(like).name != like or Path(like).suffix:
        raise SettingsError(f"{path.name}: like: {like} must be the name of a scenario beside it or in conf/city, without .yaml")
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
        # an empty mapping takes all of them away
        merged[key] = _merged(old, value) if value and isinstance(value, dict) and isinstance(old, dict) else value
    return merged
