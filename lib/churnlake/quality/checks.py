"""What is expected of the profile of each table."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial

import pandas as pd

from churnlake.core.contract import Table
from churnlake.core.quality import Check, contract_checks, each_between
from churnlake.core.runs import Days
from churnlake.quality.bands import Asked
from churnlake.quality.settings import QualitySettings
from churnlake.tables.clean import RECORDS

_OF_ROWS = ("_share", "_skew", "_minute", "_seconds")
"""How measures end that say little of few rows."""


def fixed_checks(
    profiles: pd.DataFrame, tables: Mapping[str, Table], days: Days, settings: QualitySettings, daily: Collection[str]
) -> list[Asked]:
    """A check per day of ``days``, table and limit that does not depend on past days; none that the day has no value for.

    Args:
        profiles: Rows of quality.profiles.
        tables: Tables by name.
        days: Days to judge.
        settings: The limits. One on a share waits for ``least_rows`` rows to take it over.
        daily: Names of the tables that should have rows every day.
    """
    found: list[Asked] = []
    for name, rows in profiles.groupby("table_name", sort=True):
        if name in tables:
            asked = checks(tables[str(name)], settings)
            if name in daily:
                rows = pd.concat([rows, days_behind(rows)], ignore_index=True)
            of_days = rows[(rows["day"] >= days.first) & (rows["day"] <= days.last)]
            for day in sorted(set(of_days["day"])):
                measured = of_days[of_days["day"] == day]
                values = dict(zip(measured["measure"], zip(measured["value"], measured["weight"], strict=True), strict=True))
                for check in asked:
                    value, weight = values.get(check.column_name, (None, 0.0))
                    if value is not None and (weight >= settings.least_rows or not check.column_name.endswith(_OF_ROWS)):
                        found.append(Asked(day, check, float(value)))
    return found


def days_behind(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per day of a table's profile: how many days lie since the newest that had rows."""
    counts = rows[rows["measure"] == "rows"].sort_values("day")
    newest, found = None, []
    for day, value in zip(counts["day"], counts["value"], strict=True):
        newest = day if value > 0 else newest
        if newest is not None:
            found.append({"day": day, "measure": "days_behind", "value": float((day - newest).days), "weight": 1.0})
    return pd.DataFrame(found, columns=["day", "measure", "value", "weight"])


def checks(table: Table, settings: QualitySettings) -> list[Check]:
    """The limits a table's day (monthly tables: month) is held to."""
    name = table.name
    of_table = _of_records if table in RECORDS else _OTHERS.get(name, _of_nothing)
    return [*contract_checks(table), *of_table(name, settings)]


def _asking(name: str) -> tuple[Callable[..., Check], Callable[..., Check]]:
    """Two ways to ask of a table that each slice stays within bounds: as an error, as a warning."""
    return partial(each_between, name), partial(each_between, name, severity="warn")


def _of_records(name: str, s: QualitySettings) -> list[Check]:
    must, warn = _asking(name)
    return [
        _newest(name, s),
        must("every delivered line is accounted for", "unaccounted_rows", "accuracy", 0, 0),
        must("files can be read", "unreadable_files", "validity", most=0),
        must("few rows set aside", "bad_share", "validity", most=s.most_bad_share),
        warn("few rows delivered twice", "duplicate_share", "uniqueness", most=s.most_duplicate_share),
        warn("counterparts are known", "null_peer_share", "completeness", most=s.most_null_peer_share),
        warn("handsets are known", "null_imei_share", "completeness", most=s.most_null_imei_share),
        warn("records can be placed", "null_cell_share", "completeness", most=s.most_null_cell_share),
        warn("on-net share is that of a network", "on_net_share", "consistency", s.least_on_net_share, s.most_on_net_share),
        warn("on-net sent equals received", "on_net_skew", "consistency", most=s.most_on_net_skew),
        warn("median length as usual", "median_seconds", "validity", s.least_median_seconds, s.most_median_seconds),
        warn("few numbers on one handset", "users_per_imei", "uniqueness", most=s.most_users_per_imei),
        must("no handset has all records", "top_imei_share", "uniqueness", most=s.most_top_imei_share),
        warn("few late records", "late_share", "timeliness", most=s.most_late_share),
        warn("first record early in the day", "first_minute", "timeliness", most=s.latest_first_minute),
        warn("last record late in the day", "last_minute", "timeliness", least=s.earliest_last_minute),
    ]


def _newest(name: str, s: QualitySettings) -> Check:
    must, _ = _asking(name)
    return must("newest day is there", "days_behind", "timeliness", most=s.most_days_behind)


def _of_usage(name: str, s: QualitySettings) -> list[Check]:
    must, _ = _asking(name)
    services = ("voice", "sms", "mms", "wap")
    return [
        _newest(name, s),
        *[must(f"adds up to clean.{service}", f"{service}_excess", "accuracy", 0, 0) for service in services],
        _strangers(name, s),
    ]


def _of_edges(name: str, s: QualitySettings) -> list[Check]:
    _, warn = _asking(name)
    return [
        _newest(name, s),
        warn("on-net calls made equal received", "on_net_skew", "accuracy", most=s.most_on_net_skew),
        _strangers(name, s),
    ]


def _of_subscribers(name: str, s: QualitySettings) -> list[Check]:
    _, warn = _asking(name)
    return [warn("few users on one SIM", "users_per_imsi", "uniqueness", most=s.most_users_per_imsi)]


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
    "reference.subscribers": _of_subscribers,
    "features.monthly": _of_features,
    "churn.scores": _of_scores,
    "reentry.matches": _of_matches,
}
