"""Settings of the quality domain."""

from __future__ import annotations

from churnlake.core.settings import Model


class QualitySettings(Model):
    """Bands that table-level checks hold tables to, and how their scores are weighed."""

    least_rows: int
    most_bad_share: float
    most_duplicate_share: float
    most_null_peer_share: float
    most_null_imei_share: float
    most_null_cell_share: float
    least_on_net_share: float
    most_on_net_share: float
    least_median_seconds: float
    most_median_seconds: float
    most_users_per_imei: int
    most_users_per_imsi: int
    most_top_imei_share: float
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
    withdraw: bool
    band_window_days: int
    band_least_days: int
    band_mads: float
    band_error: float
    band_least_log: float
    band_least_share: float
    band_noise_log: float
    band_noise_share: float
    most_hour_drift: float
    new_normal_days: int
    holiday_volume: float
    public_holidays: list[str]
    travel_slack: float
    travel_seasons: list[str]
    latest_first_minute: int
    earliest_last_minute: int
