"""Which days are so wrong that nobody should work with them, and their hiding."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import pandas as pd

from churnlake.core.contract import Table
from churnlake.core.incidents import Step, downstream
from churnlake.core.lake import Lake
from churnlake.core.quality import CheckResult
from churnlake.core.withdrawal import judged, released_slices

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


def withdraw(
    lake: Lake,
    tables: Sequence[Table],
    by_day: Mapping[dt.date, Sequence[CheckResult]],
    profiles: pd.DataFrame,
    steps: Sequence[Step],
) -> list[str]:
    """Hide the days of the tables that are wrong and show those that hold by now; a line for each table with some.

    ``steps`` are the jobs, in the order they run: what they read and what they write.
    """
    released = released_slices(lake.log()) if lake.has_log() else {}
    lines, wrong = [], wrong_days(by_day, profiles)
    for table in (table for table in tables if lake.has(table)):
        days = wrong.get(table.name, {})
        held = {day for day, results in by_day.items() if any(r.table_name == table.name for r in results)} - set(days)
        # nor is a day hidden in what is made from a table whose day a person let through
        above = [name for name in released if name == table.name or table.name in downstream(steps, name)]
        hidden, shown = judged(lake, table, days, held, {name for one in above for name in released[one]})
        if hidden:
            release = f"python -m churnlake release --table {table.name} --slice {hidden[0]} --why TEXT"
            lines.append(f"withdrawn from readers: {table.name} {', '.join(hidden)}; mend it or let it be seen: {release}")
        if shown:
            lines.append(f"seen again: {table.name} {', '.join(shown)}")
    return lines
