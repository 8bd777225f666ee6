"""Settings of circles."""

from typing import Annotated

from pydantic import Field

from churnlake.core.settings import Model


class GroupSettings(Model):
    """Groups of friends: which ties count, how they are found and ranked. ``ties_kept`` bounds what one user is to a task."""

    hub_users: Annotated[int, Field(ge=1)]
    ties_kept: Annotated[int, Field(ge=1)]
    rounds: Annotated[int, Field(ge=1)]
    least_users: Annotated[int, Field(ge=2)]
    rank_rounds: Annotated[int, Field(ge=1)]
    rank_reset: Annotated[float, Field(gt=0, lt=1)]
    users_per_seed: Annotated[int, Field(ge=1)]
    silent_days: Annotated[int, Field(ge=1)]
    silent_most_days: Annotated[int, Field(ge=1)]
    silent_history_days: Annotated[int, Field(ge=1)]
    silent_least_events: Annotated[int, Field(ge=1)]
    silent_least_missed: Annotated[int, Field(ge=0)]
    neighbour_months: Annotated[int, Field(ge=0)]
    activation_rounds: Annotated[int, Field(ge=1)]
    activation_passed: Annotated[float, Field(ge=0, lt=1)]


class CircleSettings(Model):
    """The decayed signature: weekly decay, how far back it looks, how many peers it keeps; and the groups made of it."""

    weekly_decay: Annotated[float, Field(gt=0, le=1)]
    horizon_weeks: Annotated[int, Field(ge=1)]
    peers_kept: Annotated[int, Field(ge=1)]
    groups: GroupSettings
