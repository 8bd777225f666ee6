"""What is expected of the profile of each table."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial

from churnlake.core.contract import Table
from churnlake.core.quality import Check, contract_checks, each_between
from churnlake.quality.settings import QualitySettings
from churnlake.tables.clean import RECORDS


def checks(tables: Mapping[str, Table], columns: Mapping[str, Collection[str]], settings: QualitySettings) -> list[Check]:
    """The checks of every profiled table, in the order of ``tables``; none that needs a feed or table that is absent.

    Args:
        tables: Tables by name.
        columns: Columns of each profile, by table name.
        settings: The bands.
    """
    records = {table.name for table in RECORDS}
    found: list[Check] = []
    for name in tables:
        if name not in columns:
            continue
        found += contract_checks(tables[name])
        found += _of_records(name, settings) if name in records else _OTHERS.get(name, _of_nothing)(name, settings)
    return [check for check in found if check.column_name in columns[check.table_name]]


def _asking(name: str) -> tuple[Callable[..., Check], Callable[..., Check]]:
    """Two ways to ask of a table that each slice stays within bounds: as an error, as a warning."""
    return partial(each_between, name), partial(each_between, name, severity="warn")


def _of_records(name: str, s: QualitySettings) -> list[Check]:
    must, warn = _asking(name)
    return [
        *_of_days(name, s),
        must("every delivered line is accounted for", "unaccounted_rows", "accuracy", 0, 0),
        must("files can be read", "unreadable_files", "validity", most=0),
        must("few rows set aside", "bad_share", "validity", most=s.most_bad_share),
        warn("few rows delivered twice", "duplicate_share", "uniqueness", most=s.most_duplicate_share),
        warn("counterparts are known", "null_peer_share", "completeness", most=s.most_null_peer_share),
        warn("handsets are known", "null_imei_share", "completeness", most=s.most_null_imei_share),
        warn("on-net share as usual", "on_net_share", "consistency", s.least_on_net_share, s.most_on_net_share),
        warn("on-net sent equals received", "on_net_skew", "consistency", most=s.most_on_net_skew),
        warn("median length as usual", "median_seconds", "validity", s.least_median_seconds, s.most_median_seconds),
        warn("few numbers on one handset", "users_per_imei", "uniqueness", most=s.most_users_per_imei),
        warn("few late records", "late_share", "timeliness", most=s.most_late_share),
    ]


def _of_days(name: str, s: QualitySettings) -> list[Check]:
    _, warn = _asking(name)
    bounds = {"max_value": s.most_days_behind}
    newest = Check(name, "newest day is there", "days_behind", "timeliness", "error", "ExpectColumnMinToBeBetween", bounds)
    return [newest, warn("volume as usual on that weekday", "volume", "consistency", s.least_volume, s.most_volume)]


def _of_usage(name: str, s: QualitySettings) -> list[Check]:
    must, _ = _asking(name)
    services = ("voice", "sms", "mms", "wap")
    return [
        *_of_days(name, s),
        *[must(f"adds up to clean.{service}", f"{service}_excess", "accuracy", 0, 0) for service in services],
        _strangers(name, s),
    ]


def _of_edges(name: str, s: QualitySettings) -> list[Check]:
    _, warn = _asking(name)
    return [
        *_of_days(name, s),
        warn("on-net calls made equal received", "on_net_skew", "accuracy", most=s.most_on_net_skew),
        _strangers(name, s),
    ]


def _strangers(name: str, s: QualitySettings) -> Check:
    must, _ = _asking(name)
    return must("users are in reference.lives", "stranger_share", "consistency", most=s.most_stranger_share)


def _of_features(name: str, s: QualitySettings) -> list[Check]:
    must, warn = _asking(name)
    return [
        warn("optional cells are filled", "filled_share", "completeness", least=s.least_filled_share),
        must("users have days of use", "idle_users", "consistency", most=0),
    ]


def _of_scores(name: str, s: QualitySettings) -> list[Check]:
    must, warn = _asking(name)
    return [
        must("mean forecast is plausible", "mean_probability", "validity", 1e-6, s.most_mean_probability),
        must("ranking has no gaps or ties", "ranking_gaps", "uniqueness", most=0),
        warn("forecast agrees with the rate seen later", "rate_skew", "accuracy", most=s.most_rate_skew),
    ]


def _of_matches(name: str, s: QualitySettings) -> list[Check]:
    must, _ = _asking(name)
    return [
        must("an old user is matched once", "shared_old_users", "uniqueness", most=0),
        must("matched joiners were scored", "unscored_rows", "consistency", most=0),
        must("no gap shorter than allowed", "least_gap_days", "validity", least=s.least_gap_days),
        must("no gap longer than allowed", "most_gap_days", "validity", most=s.most_gap_days),
    ]


def _of_nothing(name: str, s: QualitySettings) -> list[Check]:
    return []


_OTHERS = {
    "daily.usage": _of_usage,
    "daily.edges": _of_edges,
    "features.monthly": _of_features,
    "churn.scores": _of_scores,
    "reentry.matches": _of_matches,
}
