"""Settings of the quality domain."""

from __future__ import annotations

from churnlake.core.settings import Model


class QualitySettings(Model):
    """Bands that table-level checks hold tables to, and how their scores are weighed."""

    least_volume: float
    most_volume: float
    least_rows: int
    most_bad_share: float
    most_duplicate_share: float
    most_null_peer_share: float
    most_null_imei_share: float
    least_on_net_share: float
    most_on_net_share: float
    least_median_seconds: float
    most_median_seconds: float
    most_users_per_imei: int
    most_on_net_skew: float
    late_days: int
    most_late_share: float
    most_days_behind: int
    most_stranger_share: float
    least_filled_share: float
    most_mean_probability: float
    most_rate_skew: float
    least_gap_days: int
    most_gap_days: int
    error_weight: int
    keep_reports: int
