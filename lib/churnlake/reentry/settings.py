"""Settings of re-entry."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from churnlake.core.settings import Model, Share


class GateSettings(Model):
    """What each of the seven steps must reach."""

    least_window_share: Share
    least_scored_share: Share
    least_circle_probability: Share
    least_handset_share: Share
    most_handsets_left_out: Share
    least_precision: Share
    least_answers: Annotated[int, Field(ge=1)]
    least_recall: Share
    most_unknown_motives: Share


class ControlSettings(Model):
    """What an analyst asks for: when a month is told, how it is divided, what is looked at, and what its steps must reach."""

    closes_days: Annotated[int, Field(ge=0)]
    bills_days: Annotated[int, Field(ge=0)]
    bills_months: Annotated[int, Field(ge=1)]
    deviations: Annotated[float, Field(gt=0)]
    count_spread: Share
    tenure_months: list[int]
    arpu_yuan: list[int]
    least_cell_joiners: Annotated[int, Field(ge=1)]
    bonus_grace_days: int
    farm_cards: Annotated[int, Field(ge=2)]
    farm_days: Annotated[int, Field(ge=0)]
    farm_share: Share
    farm_users_most: Annotated[int, Field(ge=2)]
    farm_peers: Annotated[int, Field(ge=0)]
    flea_days: Annotated[int, Field(ge=1)]
    kept_days: list[int]
    kept_within_days: Annotated[int, Field(ge=1)]
    most_false_discoveries: Share
    windows_days: list[int]
    callbacks: Annotated[int, Field(ge=1)]
    callback_strata: list[float]
    callback_days: Annotated[int, Field(ge=0)]
    callback_seed: int
    held_before: str
    gates: GateSettings

    @model_validator(mode="after")
    def _in_turn(self) -> ControlSettings:
        if self.bills_days < self.closes_days:
            raise ValueError("bills_days must not be fewer than closes_days: what a joiner is, is told first")
        return self


Days = Annotated[int, Field(ge=1)]


class MotiveSettings(Model):
    """What the rules of motives ask for, and how a survey is read."""

    normal_days: Days
    least_normal_days: Days
    stop_days: Days
    sudden_level: Annotated[float, Field(ge=0)]
    hotline_days: Days
    forward_slack_days: Annotated[int, Field(ge=0)]
    least_saving: Share
    window_months: Days
    question: str
    alternative_question: str
    unaware_answer: str
    deviations: Annotated[float, Field(gt=0)]


class JoiningSettings(Model):
    """How activations are followed: so many seconds between micro-batches (0: take what is there, then end), so many files in one."""

    every_seconds: Annotated[float, Field(ge=0)]
    files_a_batch: Annotated[int, Field(ge=1)]


class ReentrySettings(Model):
    """Definitions (mission, "Re-entry"), limits, and how evidence is weighed."""

    stages: list[int]
    gap_least_days: int
    gap_most_days: int
    full_level: float
    partial_level: float
    level_deviations: Annotated[float, Field(ge=0)]
    join_slack_days: int
    warmup_days: int
    looks_back_days: int
    least_peers: int
    hub_users: int
    imei_users_most: int
    imei_conflict_days: Annotated[int, Field(ge=1)]
    document_users_most: int
    candidates_kept: int
    candidates_least: Annotated[float, Field(ge=0, le=1)]
    likely_least: Share
    kept_mass: Annotated[float, Field(gt=0, lt=1)]
    learnt_months: Annotated[int, Field(ge=1)]
    learnt_joiners: Annotated[int, Field(ge=1)]
    learnt_joiners_most: Annotated[int, Field(ge=1)]
    circle_days: Annotated[int, Field(ge=1)]
    elsewhere_days: Annotated[int, Field(ge=0)]
    successor_days: Annotated[int, Field(ge=0)]
    successor_least: Share
    link_least: Annotated[float, Field(ge=0, le=1)]
    at_once_least: Annotated[int, Field(ge=2)]
    at_once_times: Annotated[float, Field(gt=1)]
    start: dict[str, dict[str, float]]
    least_probability: Annotated[float, Field(ge=0, le=1)]
    joining: JoiningSettings
    multiple_days: Days
    motives: MotiveSettings
    control: ControlSettings
