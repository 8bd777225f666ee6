"""Settings of churn."""

from churnlake.core.settings import Model


class ChurnSettings(Model):
    """When silence is leaving, who counts as active, and when a label is closed."""

    silent_days: dict[str, int]
    silent_days_otherwise: int
    suspended_days: int
    active_within_days: int
    label_closes_days: int
    looks_back_days: int
