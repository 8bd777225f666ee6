"""What a scenario file says of the people of a city: ways of life, circles, leaving and coming, records."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field, model_validator

from churnlake.city.market import PRICES
from churnlake.city.values import Amount, Count, Hours, Key, Positive, Range, Share, Shares, Weights, each, only, rises
from churnlake.core.settings import Model

DECOYS = (
    "kin", "friend", "household", "colleague", "dormmate", "resold", "hand_me_down", "handed", "cloned", "recycled", "courier", "greeter",
    "farmed",
)  # fmt: skip
"""Kinds of first-time joiners who only look like somebody else: see ``joining.newcomers``."""
KINDS = ("neighbour", "colleague", "wide", "offnet")
TIES = ("household", *KINDS, "new", "copied")
"""Where contacts are sought, and of which kinds ties are."""
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
    ages: Annotated[tuple[Count, Count], Range]
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
    brands: Weights
    weekday: Hours
    weekend: Hours


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

    @model_validator(mode="after")
    def _consistent(self) -> Cause:
        if self.back + self.competitor > 1:
            raise ValueError("back and competitor must not add up to more than 1")
        return self


class Occasion(Model):
    """A stretch of days on which discontent begins, and people join, so many times as often; ``what`` it is, in words.

    The ``prices`` of a tariff change become so many times as high, from its first day on and for good.
    """

    what: str
    first: dt.date
    last: dt.date
    leaving: Amount = 1.0
    joining: Amount = 1.0
    brands: tuple[str, ...] = ()
    prices: Annotated[dict[str, Annotated[float, Field(gt=0, le=100)]], only(*PRICES)] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Occasion:
        rises((self.first, self.last))
        return self


class Circles(Model):
    """Shape of the friend graph."""

    household: Count
    neighbours: Count
    colleagues: Count
    stubs: Amount
    stubs_sigma: Amount
    kinds: Annotated[Weights, each(*KINDS)]
    ties: Annotated[dict[str, Amount], each(*TIES)]
    tie_sigma: Amount
    turnover: Share
    pool: Positive
    hubs: Share = 1.0
    """Share of the city's usual touch with couriers, banks and hotlines; 0 for a city without them."""


class Leaving(Model):
    """Who leaves, who comes back, and which signs they show.

    A person is discontented twice at most, in the months before the record too: a ``monthly`` share far above 0.05 is not reached.
    """

    monthly: Share
    person_risk: Amount
    block_risk: Amount
    brand_risk: dict[str, Amount]
    new_risk: Positive
    contagion: Share
    contagion_tie: Amount = 0.0
    """Least strength of a tie that carries discontent; the ties of neighbours have 1 in the median."""
    contagion_rounds: Annotated[int, Field(ge=1)] = 1
    """Waves of contagion: in the first those who were here on the first day are followed, in each after it whoever left in the one before."""
    fade_days: Annotated[tuple[Count, Count], Range]
    fade_depth: Annotated[tuple[Share, Share], Range]
    false_fade: Share
    false_hotline: Share
    false_forward: Share
    false_complaint: Share
    cancel_order: Share
    causes: dict[Key, Cause]

    @model_validator(mode="after")
    def _consistent(self) -> Leaving:
        if not sum(cause.weight * (1 - cause.stays) for cause in self.causes.values()) > 0:
            raise ValueError("causes: there must be one with a weight above 0 for which not all stay")
        return self

    @property
    def onsets(self) -> dict[str, float]:
        """By cause, the share of the discontented who are so because of it: its weight among all."""
        total = sum(cause.weight for cause in self.causes.values())
        return {name: cause.weight / total for name, cause in self.causes.items()}

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

    reentry_share: Annotated[float, Field(ge=0.01, le=1)]
    gap_near: Share
    gap_before: Share
    gap_near_days: Count
    gap_days: Annotated[tuple[Annotated[int, Field(ge=-365)], Annotated[int, Field(le=730)]], Range]
    same_handset: Share
    same_document: Share
    no_imei: Share
    kept: Annotated[tuple[Share, Share], Range]
    new_contacts: Share
    told_days: Count
    forward_old: Share
    other_brand: Share
    motives: dict[str, Annotated[Weights, only(*MOTIVES)]]
    partial_motives: Annotated[Weights, only(*MOTIVES)]
    unaware: Annotated[dict[str, Share], only(*MOTIVES)]
    partial: Share
    second_number: Share
    merged: Share
    rival_beside: Share
    decoys: Annotated[Shares, only(*DECOYS)]
    copied: Annotated[dict[str, Annotated[tuple[Share, Share], Range]], only(*DECOYS)]
    own_contacts: Share
    renumbered: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _consistent(self) -> Coming:
        if self.gap_near + self.gap_before > 1:
            raise ValueError("gap_near and gap_before must not add up to more than 1")
        if not (self.gap_days[0] < -self.gap_near_days and self.gap_near_days < self.gap_days[1]):
            raise ValueError("gap_days must reach further than gap_near_days on both sides")
        return self


class Records(Model):
    """Volumes and shapes of records; of which days, where not of all: people and registers stay those of the whole time.

    ``form`` edges writes who was in touch with whom in each month (``by`` week: in each week), instead of records. ``outages`` is the share of a cell's days on
    which it is out of order for some hours. ``bout`` is the number of events of a service on a day on which two people have any.
    """

    form: Literal["records", "edges"] = "records"
    by: Literal["month", "week"] = "month"

    per_user_day: Positive
    mix: Annotated[Weights, each(*SERVICES)]
    activity_sigma: Amount
    bout: Annotated[dict[str, Annotated[float, Field(ge=1)]], each(*SERVICES)]
    answered: Share
    seconds_median: Positive
    seconds_sigma: Amount
    imei_missing: Share
    outages: Share = 0.0
    first_day: dt.date | None = None
    last_day: dt.date | None = None
