"""Settings of the quality domain."""

from __future__ import annotations

from churnlake.core.settings import Count, Model, Share


class QualitySettings(Model):
    """Bands that table-level checks hold tables to, and how their scores are weighed."""

    least_rows: Count
    most_bad_share: Share
    most_duplicate_share: Share
    most_null_peer_share: Share
    most_null_imei_share: Share
    most_null_cell_share: Share
    least_on_net_share: Share
    most_on_net_share: Share
    least_median_seconds: float
    most_median_seconds: float
    most_users_per_imei: Count
    most_users_per_imsi: Count
    most_top_imei_share: Share
    most_on_net_skew: float
    late_days: Count
    most_late_share: Share
    most_days_behind: Count
    most_stranger_share: Share
    least_filled_share: Share
    most_mean_probability: Share
    most_rate_skew: float
    least_gap_days: int
    most_gap_days: Count
    error_weight: Count
    keep_reports: Count
    withdraw: bool
    band_window_days: Count
    band_least_days: Count
    band_mads: float
    band_error: float
    band_least_log: float
    band_least_share: Share
    band_noise_log: float
    band_noise_share: float
    most_hour_drift: float
    new_normal_days: Count
    holiday_volume: float
    public_holidays: list[str]
    travel_slack: float
    travel_seasons: list[str]
    latest_first_minute: Count
    earliest_last_minute: Count
