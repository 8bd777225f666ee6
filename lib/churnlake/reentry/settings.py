"""Settings of re-entry."""

from churnlake.core.settings import Model


class ReentrySettings(Model):
    """Definitions (mission, "Re-entry") and the weights of evidence, in natural log-odds unless said otherwise."""

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
    kept_mass: float
    circle_temper: float
    prior_share: float
    imei_weight: float
    document_weight: float
    place_weight: float
    place_level: float
    quiet_weight: float
    quiet_level: float
    talk_weight: float
    least_probability: float
