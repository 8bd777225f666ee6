"""Which days are so wrong that nobody should work with them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import pandas as pd

from churnlake.core.quality import CheckResult

OF_DELIVERIES = ("unreadable_files", "unaccounted_rows", "days_behind", "delayed_share")
"""Measures that tell how data came, not that the rows there are of a day are wrong: nothing is hidden for them."""


def wrong_days(by_day: Mapping[dt.date, Sequence[CheckResult]], profiles: pd.DataFrame) -> dict[str, dict[dt.date, str]]:
    """By table, each day with rows for which a check of severity error fails, and the first such check in words."""
    rows = profiles[(profiles["measure"] == "rows") & (profiles["value"] > 0)]
    there = set(zip(rows["table_name"], rows["day"], strict=True))
    found: dict[str, dict[dt.date, str]] = {}
    for day, results in by_day.items():
        for r in results:
            fails = not r.has_passed and r.severity == "error" and r.column_name not in OF_DELIVERIES
            if fails and (r.table_name, day) in there:
                why = f"{r.check_name} ({r.column_name} {r.observed}, expected {r.expected})"
                found.setdefault(r.table_name, {}).setdefault(day, why)
    return found
