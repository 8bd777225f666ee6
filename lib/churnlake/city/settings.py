"""What a scenario file says of a city: conf/city/<name>.yaml, checked before Spark starts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from churnlake.city.kinds import FAULTS, INCIDENTS
from churnlake.city.market import PRICES, Amount, Campaign, Code, Count, Money, Plan, Positive, Service, Share, Survey
from churnlake.core.errors import SettingsError
from churnlake.core.settings import Model, conf_folder

DECOYS = (
    "kin", "friend", "household", "colleague", "dormmate", "resold", "hand_me_down", "handed", "cloned", "recycled", "courier", "greeter",
    "farmed",
)  # fmt: skip
"""Kinds of first-time joiners who only look like somebody else: see ``joining.newcomers``."""
SERVICES = ("voice", "sms", "mms", "wap")
ABNORMAL = ("spammer", "sp_fraud", "silent", "forwarder", "shopper", "flea")
"""Kinds of users who live by another rule: see ``people.persons``."""
MOTIVES = ("bonus", "plan", "brand", "number", "lost_sim", "arrears", "dealer")
"""Why somebody takes a new number: see ``joining.returns``."""


class Persona(Model):
    """A way of life: how many live it, how much they talk and write, when, where and with whom, and what they buy.

    ``away`` go home for the Spring Festival; ``roams`` is the share of days on a journey, ``moves`` that of records far from home
    and work. ``offnet`` and ``far`` say how many times as many of the contacts are on other networks, and how many of these in
    another city or abroad. ``seconds`` is the length of a call and ``growth`` the change of use in a month, relative to common.
    """

    share: Share
    ages: tuple[Count, Count]
    female: Share = 0.48
    activity: Positive
    sms: Amount
    mms: Amount
    wap: Amount
    seconds: Positive = 1.0
    growth: Annotated[float, Field(gt=-0.5, lt=1)] = 0.0
    offnet: Amount = 1.0
    far: Share = 0.0
    roams: Share = 0.0
    moves: Share = 0.15
    away: Share
    rural: Share
    brands: dict[str, Amount]
    weekday: tuple[Amount, ...] = Field(min_length=24, max_length=24)
    weekend: tuple[Amount, ...] = Field(min_length=24, max_length=24)


class Cause(Model):
    """A cause of discontent: how often it begins, how long it lasts on average (days), how many get over it and where the others go.

    The rest of those goes elsewhere. ``fade``, ``hotline``, ``forward`` and ``complaint`` are the shares who show that sign meanwhile.
    """

    weight: Amount
    days: Positive
    stays: Share
    back: Share
    competitor: Share
    fade: Share
    hotline: Share
    forward: Share
    complaint: Share


class Occasion(Model):
    """A stretch of days on which discontent begins, and people join, so many times as often; told in the market events.

    The ``prices`` of a tariff change become so many times as high, from its first day on and for good.
    """

    what: str
    kind: Literal["own_offer", "rival_offer", "tariff_change", "school"]
    first: dt.date
    last: dt.date
    leaving: Amount = 1.0
    joining: Amount = 1.0
    brands: tuple[str, ...] = ()
    prices: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Occasion:
        if self.prices and self.kind != "tariff_change":
            raise ValueError("only a tariff_change has prices")
        unknown = sorted(set(self.prices) - set(PRICES))
        if unknown:
            raise ValueError(f"there is no price of {', '.join(unknown)}; there are {', '.join(PRICES)}")
        return self


class Circles(Model):
    """Shape of the friend graph."""

    household: Count
    neighbours: Count
    colleagues: Count
    stubs: Amount
    stubs_sigma: Amount
    kinds: dict[str, Amount]
    ties: dict[str, Amount]
    tie_sigma: Amount
    turnover: Share
    pool: Positive
    hubs: Share = 1.0
    """Share of the city's usual touch with couriers, banks and hotlines; 0 for a city without them."""


class Leaving(Model):
    """Who leaves, who comes back, and which signs they show."""

    monthly: Share
    person_risk: Amount
    block_risk: Amount
    brand_risk: dict[str, Amount]
    new_risk: Positive
    contagion: Share
    fade_days: tuple[Count, Count]
    fade_depth: tuple[Share, Share]
    false_fade: Share
    false_hotline: Share
    false_forward: Share
    false_complaint: Share
    cancel_order: Share
    causes: dict[str, Cause]

    @property
    def weights(self) -> dict[str, float]:
        """By cause, the share among those whom discontent makes leave."""
        leave = {name: cause.weight * (1 - cause.stays) for name, cause in self.causes.items()}
        return {name: weight / sum(leave.values()) for name, weight in leave.items()}

    @property
    def back(self) -> float:
        """Share of leavers who come back."""
        return sum(weight * self.causes[name].back for name, weight in self.weights.items())


class Coming(Model):
    """How re-entrants come back and which joiners only look like them."""

    reentry_share: Share
    gap_near: Share
    gap_before: Share
    gap_near_days: Count
    gap_days: tuple[int, int]
    same_handset: Share
    same_document: Share
    no_imei: Share
    kept: tuple[Share, Share]
    new_contacts: Share
    told_days: Count
    forward_old: Share
    other_brand: Share
    motives: dict[str, dict[str, Amount]]
    partial_motives: dict[str, Amount]
    unaware: dict[str, Share]
    partial: Share
    second_number: Share
    merged: Share
    rival_beside: Share
    decoys: dict[str, Share]
    copied: dict[str, tuple[Share, Share]]
    own_contacts: Share
    renumbered: Annotated[int, Field(ge=0)]


class Records(Model):
    """Volumes and shapes of records; of which days, where not of all: people and registers stay those of the whole time.

    ``form`` edges writes who was in touch with whom in each month, instead of records. ``outages`` is the share of a cell's days on
    which it is out of order for some hours. ``bout`` is the number of events of a service on a day on which two people have any.
    """

    form: Literal["records", "edges"] = "records"

    per_user_day: Positive
    mix: dict[str, Share]
    activity_sigma: Amount
    bout: dict[str, Annotated[float, Field(ge=1)]]
    answered: Share
    seconds_median: Positive
    seconds_sigma: Amount
    imei_missing: Share
    outages: Share = 0.0
    first_day: dt.date | None = None
    last_day: dt.date | None = None


class CityScenario(Model):
    """A whole city. Shares are 0..1, days are counted from ``first_day``.

    ``faults`` are weights of kinds of broken lines, ``incidents`` how often each kind befalls a whole day or file of a feed,
    never before day ``incidents_from``. Files come every ``delivery_days`` days.
    """

    name: str
    users: int
    first_day: dt.date
    last_day: dt.date
    cells: Count
    files_per_delivery: Count
    delivery_days: int = Field(default=7, ge=1)
    fault_share: float = Field(ge=0, le=1)
    festival: dt.date
    festival_sms: Positive
    faults: dict[str, Annotated[float, Field(ge=0)]]
    incidents: dict[str, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)
    incidents_from: int = Field(default=60, ge=1)
    documents: dict[str, Share]
    personas: dict[str, Persona]
    plans: dict[str, Plan]
    abnormal: dict[str, Share]
    occasions: tuple[Occasion, ...]
    circles: Circles
    leaving: Leaving
    coming: Coming
    records: Records
    money: Money
    services: dict[Code, Service] = Field(default_factory=dict)
    campaigns: tuple[Campaign, ...] = ()
    survey: tuple[Survey, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> CityScenario:
        if self.last_day <= self.first_day:
            raise ValueError(
                "last_day must come after first_day; records.first_day and last_day say which days' records are written"
            )
        self._in_order()
        self._some_weight()
        if self.users < 30:
            raise ValueError("users must be at least 30")
        if not 0 <= self.written[0] <= self.written[1] < self.days:
            raise ValueError("records: first_day and last_day must lie within the city's time, in order")
        brands = {plan.brand for plan in self.plans.values()}
        named = {brand for persona in self.personas.values() for brand in persona.brands}
        named |= {brand for occasion in self.occasions for brand in occasion.brands}
        named |= {brand for campaign in self.campaigns for brand in campaign.brands}
        if sum(self.coming.decoys.values()) > 1 or sum(self.abnormal.values()) > 1:
            raise ValueError("the shares of decoys, and of abnormal users, must not add up to more than 1")
        if named - brands:
            raise ValueError(f"no plan for the brand {', '.join(sorted(named - brands))}")
        kinds: tuple[tuple[str, Iterable[str], Iterable[str]], ...] = (
            ("faults", self.faults, FAULTS),
            ("incidents", self.incidents, INCIDENTS),
            ("abnormal", self.abnormal, ABNORMAL),
            ("coming.decoys", self.coming.decoys, DECOYS),
            ("coming.copied", self.coming.copied, DECOYS),
            ("coming.unaware", self.coming.unaware, MOTIVES),
            ("coming.partial_motives", self.coming.partial_motives, MOTIVES),
            ("coming.motives", self.coming.motives, self.leaving.causes),
            *((f"coming.motives.{cause}", motives, MOTIVES) for cause, motives in self.coming.motives.items()),
        )
        for key, given, known in kinds:
            unknown = sorted(set(given) - set(known))
            if unknown:
                raise ValueError(f"{key} knows no kind {', '.join(unknown)}; there are {', '.join(known)}")
        for key, given in (("records.mix", self.records.mix), ("records.bout", self.records.bout)):
            if set(given) != set(SERVICES):
                raise ValueError(f"{key} needs a number for each of {', '.join(SERVICES)}, and for nothing else")
        for key, names in (("campaigns", [c.name for c in self.campaigns]), ("survey", [s.name for s in self.survey])):
            if len(set(names)) < len(names):
                raise ValueError(f"{key}: each needs a name of its own")
        offered = [campaign.service for campaign in self.campaigns if campaign.service]
        if self.services and set(offered) - set(self.services):
            raise ValueError(f"campaigns: there is no service {', '.join(sorted(set(offered) - set(self.services)))}")
        if len(set(offered)) < len(offered):
            raise ValueError("campaigns: a service is offered by one campaign only")
        return self

    def _in_order(self) -> None:
        """Raise ValueError where a range begins after it ends."""
        coming, leaving = self.coming, self.leaving
        ranges: dict[str, tuple[Any, Any]] = {
            "coming.kept": coming.kept,
            "coming.gap_days": coming.gap_days,
            "leaving.fade_days": leaving.fade_days,
            "leaving.fade_depth": leaving.fade_depth,
            **{f"coming.copied.{kind}": shares for kind, shares in coming.copied.items()},
            **{f"personas.{name}.ages": persona.ages for name, persona in self.personas.items()},
            **{f"occasions, {occasion.what}": (occasion.first, occasion.last) for occasion in self.occasions},
        }
        for key, (least, most) in ranges.items():
            if least > most:
                raise ValueError(f"{key} goes from {least} to {most}; the first must not be more than the last")
        if coming.gap_near + coming.gap_before > 1:
            raise ValueError("coming.gap_near and gap_before must not add up to more than 1")

    def _some_weight(self) -> None:
        """Raise ValueError where there is nothing to draw from."""
        weights: dict[str, Iterable[float]] = {
            "personas: their shares": [persona.share for persona in self.personas.values()],
            "circles.kinds": self.circles.kinds.values(),
            "records.mix": self.records.mix.values(),
            "leaving.causes: their weights": [cause.weight for cause in self.leaving.causes.values()],
            **{f"personas.{name}.weekday": persona.weekday for name, persona in self.personas.items()},
            **{f"personas.{name}.weekend": persona.weekend for name, persona in self.personas.items()},
            **{f"personas.{name}.brands": persona.brands.values() for name, persona in self.personas.items()},
            **{
                f"plans of {brand}: their weights": [p.weight for p in self.plans.values() if p.brand == brand]
                for brand in self.documents
            },
        }
        for key, given in weights.items():
            if not sum(given) > 0:
                raise ValueError(f"{key} must not all be 0")
        for name, service in self.services.items():
            unknown = sorted(set(service.takers) - {*self.personas, "others"})
            if unknown:
                raise ValueError(
                    f"services.{name}.takers knows no way of life {', '.join(unknown)}; there are {', '.join(self.personas)}, others"
                )
        if self.coming.renumbered > self.users:
            raise ValueError("coming.renumbered must not be more than users")

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
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError) as error:
        raise SettingsError(f"{path.name} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise SettingsError(f"{path.name} must hold keys and values at its top")
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
