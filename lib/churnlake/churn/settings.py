"""Settings of churn."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from churnlake.core.settings import Count, Model, Share
from churnlake.tables.causes import CAUSE_NAMES, EVIDENCE_CAUSES, OF_LEAVERS, UNKNOWN

Days = Annotated[int, Field(ge=1)]


class PassiveSettings(Model):
    """What says that a leaver was made to leave: debt, or a suspension while the number was still used."""

    least_arrears_yuan: Annotated[float, Field(gt=0)]
    arrears_months: Annotated[int, Field(ge=1)]
    suspended_within_days: Count


class RevenueSettings(Model):
    """When paying less is revenue churn, when that is known, and how its kinds are told apart."""

    closes_days: Count
    months_before: Annotated[int, Field(ge=1)]
    least_months: Annotated[int, Field(ge=1)]
    most_share: Annotated[float, Field(gt=0, lt=1)]
    least_mean_yuan: Annotated[float, Field(gt=0)]
    least_cell_users: Annotated[int, Field(ge=1)]
    service_share: Share
    diverted_share: Share
    forwarding_use: Share


class WakingSettings(Model):
    """How it is read from the data how long silence must be to mean leaving."""

    looks_back_days: Annotated[int, Field(ge=30)]
    most_days: Annotated[int, Field(ge=1)]
    least_silences: Annotated[int, Field(ge=1)]
    most_share: Share
    deviations: Annotated[float, Field(gt=0)]


Ratio = Annotated[float, Field(gt=0)]


class SignSettings(Model):
    """Likelihood of a sign, and of its absence, of who went to the competitor over that of who did not."""

    seen: Ratio
    not_seen: Ratio


class SuccessorSettings(Model):
    """The same of a number that the circle is in touch with since: the competitor's, of another kind, none."""

    competitor: Ratio
    other: Ratio
    none: Ratio


class DestinationSettings(Model):
    """When it is told where a leaver went, and by what."""

    told_days: Count
    closes_days: Count
    signs_days: Count
    successor: SuccessorSettings
    forwarded: SignSettings
    hotline: SignSettings
    unseen_back: Annotated[float, Field(ge=0, lt=1)]
    start_share: Annotated[float, Field(gt=0, lt=1)]
    start_leavers: Annotated[float, Field(gt=0)]
    learns_months: Annotated[int, Field(ge=1)]
    deviations: Annotated[float, Field(gt=0)]


class CohortSettings(Model):
    """How long joining cohorts are followed, and how."""

    follows_months: Annotated[int, Field(ge=1)]
    step_days: Annotated[int, Field(ge=1)]
    least_users: Annotated[int, Field(ge=1)]
    deviations: Annotated[float, Field(gt=0)]


class FallSettings(Model):
    """When own use has fallen: what is normal, over which windows it is looked at, and how far beyond chance."""

    normal_weeks: Annotated[int, Field(ge=3)]
    least_normal_weeks: Annotated[int, Field(ge=3)]
    windows_days: Annotated[list[Days], Field(min_length=1)]
    deviations: Annotated[float, Field(gt=0)]
    level: Share
    back_level: Share
    back_months: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _in_turn(self) -> FallSettings:
        if self.back_level < self.level:
            raise ValueError("back_level must not be below level: use would have fallen and be back at once")
        return self


class AlarmSettings(Model):
    """The alarm signs: how long one seen once counts, and when use has fallen. Which debt is one, ``passive`` says."""

    quiet_days: Days
    fall: FallSettings


class OutlookSettings(Model):
    """What the warning forecasts are of: days to come, and how many of them silent are a stop."""

    days: Days
    stop_days: Days

    @model_validator(mode="after")
    def _within(self) -> OutlookSettings:
        if self.stop_days > self.days:
            raise ValueError("stop_days must not be more than days: a stop is seen within them")
        return self


Likely = Annotated[float, Field(gt=0, lt=1)]


class CauseSettings(Model):
    """When each piece of evidence for a cause holds, what it says, and what mending a cause costs a customer.

    ``start_shares`` of causes among leavers, and of unknown; ``start_shown``: of leavers of a cause that evidence speaks for, those who
    show it; ``start_others``: of leavers of other causes, for evidence that only leavers show. All are what is taken for likely before any
    leaver was seen; evidence counts as by ``start_leavers`` of each cause, shares of causes as by ``start_shares_leavers``.
    """

    new_days: Days
    great_debt_yuan: Annotated[float, Field(gt=0)]
    away_share: Share
    care_calls: Annotated[int, Field(ge=1)]
    dropped_calls: Annotated[int, Field(ge=1)]
    dropped_share: Share
    bonus_days: Days
    least_saving: Share
    fee_ratio: Annotated[float, Field(ge=1)]
    looks_back_months: Annotated[int, Field(ge=1)]
    usual_users: Annotated[float, Field(gt=0)]
    stop_days: Days
    stop_normal_days: Days
    stop_normals: Annotated[int, Field(ge=1)]
    stop_events: Annotated[float, Field(gt=0)]
    stop_level: Annotated[float, Field(gt=0)]
    least_match: Share
    traced_days: Days
    evidence_months: Annotated[int, Field(ge=1)]
    learnt_months: Annotated[int, Field(ge=1)]
    learnt_leavers_most: Annotated[int, Field(ge=1)]
    start_leavers: Annotated[float, Field(gt=0)]
    start_shares_leavers: Annotated[float, Field(gt=0)]
    start_shares: dict[str, Likely]
    start_shown: dict[str, Likely]
    start_others: dict[str, Likely]
    mend_yuan: dict[str, Annotated[float, Field(ge=0)]]

    @model_validator(mode="after")
    def _of_all(self) -> CauseSettings:
        for name, given, due in (
            ("start_shares", self.start_shares, (*CAUSE_NAMES, UNKNOWN)),
            ("start_shown", self.start_shown, EVIDENCE_CAUSES),
            ("start_others", self.start_others, OF_LEAVERS),
            ("mend_yuan", self.mend_yuan, CAUSE_NAMES),
        ):
            if set(given) != set(due):
                raise ValueError(f"{name} must name each of {', '.join(due)} and nothing else")
        if abs(sum(self.start_shares.values()) - 1) > 1e-6:
            raise ValueError("start_shares must sum to 1")
        return self


class ChurnSettings(Model):
    """When silence is leaving, who counts as active, when a label is closed; signs of leaving."""

    silent_days: dict[str, int]
    silent_days_otherwise: int
    suspended_days: int
    active_within_days: int
    label_closes_days: int
    looks_back_days: int
    passive: PassiveSettings
    revenue: RevenueSettings
    waking: WakingSettings
    destinations: DestinationSettings
    cohorts: CohortSettings
    signs: AlarmSettings
    outlook: OutlookSettings
    causes: CauseSettings
