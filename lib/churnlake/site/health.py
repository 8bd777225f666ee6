"""Is today's data good, what is wrong, since when, whose file, what does it touch downstream: the answers on the quality page."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from churnlake.site import charts
from churnlake.site.data import SiteData, Step

FILES_NAMED = 3
STATE_WORDS: Mapping[str, str] = {"good": "is good", "warn": "is worth a look", "error": "is not good"}


def state_of(checks: Sequence[Mapping[str, Any]]) -> str:
    """The worst of a day's failed checks: good, warn or error."""
    failed = {str(check["severity"]) for check in checks if not check["has_passed"]}
    return "error" if "error" in failed else "warn" if failed else "good"


def wrong(data: SiteData, failed: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One entry per failed check of the newest day: since when, the files that brought the day, the tables made from it."""
    days: dict[tuple[str, str, str], set[dt.date]] = {}
    for row in _rows(data.failing):
        days.setdefault((row["table_name"], row["check_name"], row["column_name"]), set()).add(row["day"])
    files: dict[str, list[dict[str, Any]]] = {}
    for row in _rows(data.carriers):
        files.setdefault(f"clean.{row['feed']}", []).append(row)
    found = []
    for check in failed:
        name, day = str(check["table_name"]), check["day"]
        brought = files.get(name, [])
        # a file that could not be read explains more than those that could
        brought = sorted(brought, key=lambda row: not row["note"])
        found.append(
            {
                **check,
                "since": _since(days.get((name, check["check_name"], check["column_name"]), set()), day),
                "files": brought[:FILES_NAMED],
                "more_files": max(0, len(brought) - FILES_NAMED),
                "touches": downstream(data.steps, name),
            }
        )
    return found


def downstream(steps: Sequence[Step], table: str) -> list[str]:
    """Every table made from this one, directly or by way of others, in the order they are made; not what judges it."""
    reached, found = {table}, []
    for step in steps:
        if reached & set(step.reads):
            for made in step.writes:
                if made not in reached and not made.startswith("quality."):
                    found.append(made)
                    reached.add(made)
    return found


def strip(states: pd.DataFrame | None) -> dict[str, Any]:
    """Per table a cell for each day shown: error, warn, good, or empty where nothing was asked."""
    if states is None or not len(states):
        return {"days": [], "tables": {}}
    newest = max(states["day"])
    first = min(states["day"])
    days = [first + dt.timedelta(days=i) for i in range((newest - first).days + 1)]
    cells: dict[str, dict[dt.date, str]] = {}
    for row in _rows(states):
        state = "error" if row["errors"] else "warn" if row["warnings"] else "good"
        cells.setdefault(str(row["table_name"]), {})[row["day"]] = state
    return {"days": days, "tables": {name: [by_day.get(day, "") for day in days] for name, by_day in sorted(cells.items())}}


def trend(frame: pd.DataFrame | None, dimensions: Sequence[str]) -> charts.Figure | None:
    """A line per dimension over the days shown: the mean score of all tables; None without scores."""
    if frame is None or not len(frame):
        return None
    wide = frame.pivot_table(index="day", columns="dimension", values="score").sort_index()
    lines = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": name,
            "x": [str(day) for day in wide.index],
            "y": [None if pd.isna(value) else float(value) for value in wide[name]],
            "line": {"width": 2, "color": charts.SPARE[place % len(charts.SPARE)]},
            "hovertemplate": "%{y:.1%}<extra>%{fullData.name}</extra>",
        }
        for place, name in enumerate(dimensions)
        if name in wide.columns
    ]
    figure = {"data": lines, "layout": charts.base_layout(hovermode="x unified")}
    return charts.titled(figure, y="share of checks that hold", yaxis={"tickformat": ".0%", "rangemode": "normal"})


def _since(days: set[dt.date], day: dt.date) -> dt.date:
    while day - dt.timedelta(days=1) in days:
        day -= dt.timedelta(days=1)
    return day


def _rows(frame: pd.DataFrame | None) -> list[dict[str, Any]]:
    return [] if frame is None else [{str(k): v for k, v in row.items()} for row in frame.to_dict("records")]
