"""Settings of re-entry."""

from typing import Annotated

from pydantic import Field

from churnlake.core.settings import Model

Share = Annotated[float, Field(ge=0, le=1)]
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
    join_slack_days: int
    warmup_days: int
    looks_back_days: int
    least_peers: int
    hub_users: int
    imei_users_most: int
    document_users_most: int
    candidates_kept: int
    candidates_least: Annotated[float, Field(ge=0, le=1)]
    kept_mass: Annotated[float, Field(gt=0, lt=1)]
    learnt_months: Annotated[int, Field(ge=1)]
    learnt_joiners: Annotated[int, Field(ge=1)]
    learnt_joiners_most: Annotated[int, Field(ge=1)]
    circle_days: Annotated[int, Field(ge=1)]
    elsewhere_days: Annotated[int, Field(ge=0)]
    link_least: Annotated[float, Field(ge=0, le=1)]
    start: dict[str, dict[str, float]]
    least_probability: Annotated[float, Field(ge=0, le=1)]
    joining: JoiningSettings
    multiple_days: Days
    motives: MotiveSettings
