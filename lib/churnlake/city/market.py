"""What a scenario file says of the market of a city: plans and prices, services, campaigns, surveys, what is said at the counter."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field, model_validator

from churnlake.city.values import Amount, Code, Count, Fen, Key, Marks, Share, only
from churnlake.core.settings import Model

PRICES = ("local", "long_distance", "roaming", "sms", "international", "ip", "night", "mms", "wap")
"""What a plan has a price for, beside its monthly fee."""


class Plan(Model):
    """A tariff plan: fees in fen (0.01 yuan), voice a minute, messages each, WAP a kilobyte.

    ``ip`` is domestic long distance over an IP prefix, ``night`` a local minute from 00:00 to 08:00.
    """

    name: Annotated[str, Field(pattern='^[^",;\r\n]+$')]
    brand: Key
    weight: Amount
    monthly_fee: Fen
    included_minutes: Annotated[int, Field(ge=0, le=1_000_000)]
    included_messages: Annotated[int, Field(ge=0, le=1_000_000)]
    local: Fen
    long_distance: Fen
    roaming: Fen
    sms: Fen
    international: Fen
    ip: Fen
    night: Fen
    mms: Fen
    wap: Fen


class Use(Model):
    """How many use something in a month, and how much of it the middle one of them."""

    share: Share
    units: Amount


class Money(Model):
    """What people pay beside the prices of their plan.

    ``usual`` is a month's use by price, for months whose records are not written; ``usual_spread`` (log) is between users,
    ``usual_change`` between the months of one. ``balance_used_up`` is the share of prepaid leavers who leave no balance behind.
    """

    balance_used_up: Share
    usual: Annotated[dict[str, Use], only(*PRICES)]
    usual_spread: Amount
    usual_change: Amount


class Service(Model):
    """A service taken by the month, its fee in fen.

    ``takers`` are the shares, by way of life, of those who have it when they join or when the record begins (``others``: all ways
    not named), among those whose handset ``needs`` allows it; ``monthly_start`` of those without it start in a month, ways of life
    as different as in taking, and ``monthly_stop`` of those with it stop.
    """

    fee: Fen
    takers: dict[str, Share]
    needs: Literal["", "gprs", "mms"] = ""
    monthly_start: Annotated[float, Field(ge=0, lt=1)]
    monthly_stop: Annotated[float, Field(ge=0, lt=1)]

    @model_validator(mode="after")
    def _consistent(self) -> Service:
        if "others" not in self.takers:
            raise ValueError("takers must say the share of others")
        return self


class Campaign(Model):
    """A campaign on one day, to a random part of those with us for a month at least, against a control group.

    ``share`` of them are assigned, ``target`` of these to be contacted and ``reach`` of those really reached. What counts comes
    about within ``days`` days: nobody leaves, a card is bought, the service is taken. Of those for whom it would go wrong without
    contact ``persuadable`` are won by it (to a service, the more the more of their way of life take it), of the others
    ``sleeping_dog`` are lost by it.
    """

    name: Code
    outcome: Literal["leave", "recharge", "service"]
    service: Code | None = None
    day: dt.date
    days: Annotated[int, Field(ge=7)]
    brands: tuple[str, ...] = ()
    share: Share
    target: Share
    reach: Share
    persuadable: Share
    sleeping_dog: Share
    channel: Code

    @model_validator(mode="after")
    def _consistent(self) -> Campaign:
        if (self.service is not None) != (self.outcome == "service"):
            raise ValueError("a campaign names a service when its outcome is one, and only then")
        return self

    def meets(self, other: Campaign) -> bool:
        """Whether both run on some day for some brand."""
        days = max(self.day, other.day) <= min(self.day + dt.timedelta(self.days), other.day + dt.timedelta(other.days))
        return days and (not self.brands or not other.brands or bool(set(self.brands) & set(other.brands)))


class Survey(Model):
    """Questions put on one day to about ``asked`` of those who joined within the ``joined_within`` days before.

    ``response`` answer at all, by brand and when discontented so many times as many, and each question is ``skipped`` by some.
    Of those who were with us before ``held_truth`` say so, ``number_told`` of these know the old number, ``motive_truth`` give
    their own motive. ``satisfied`` and ``discontented`` are the weights of the marks 1 to 5.
    """

    name: Code
    day: dt.date
    joined_within: Count
    asked: Count
    response: Share
    response_by_brand: dict[str, Amount]
    response_discontented: Amount
    skipped: Share
    held_truth: Share
    number_told: Share
    motive_truth: Share
    satisfied: Marks
    discontented: Marks


class Counter(Model):
    """What those who join say at the counter.

    Of those who were with us before, ``states_number`` say which number they have or had, by why they take another (``others``: any
    reason not named, or none). ``wrong_number`` of these name one that is somebody else's, ``badly_written`` is written down with a
    digit lost; ``stranger_states`` of those who come for the first time name a number too, a neighbour's. ``tells_reason`` tell a
    reason, ``reason_truth`` of these their own. Another number is what ``wants_other`` ask for of all, and those who come for it.
    Of bonuses given to who shows the document of a number held before ``reviewed`` are looked at by a person, who withholds ``withheld``.
    """

    states_number: dict[str, Share]
    wrong_number: Share
    badly_written: Share
    stranger_states: Share
    tells_reason: Share
    reason_truth: Share
    wants_other: Share
    reviewed: Share
    withheld: Share

    @model_validator(mode="after")
    def _consistent(self) -> Counter:
        if "others" not in self.states_number:
            raise ValueError("states_number must say the share of others")
        return self
