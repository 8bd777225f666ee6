"""Is today's data good, what is wrong, since when, whose file, what does it touch downstream: the answers on the quality page."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from churnlake.core.incidents import downstream
from churnlake.site import charts
from churnlake.site.data import SiteData

STATE_WORDS: Mapping[str, str] = {"good": "is good", "warn": "is worth a look", "error": "is not good"}
STATES = tuple(STATE_WORDS)


def state_of(checks: Sequence[Mapping[str, Any]]) -> str:
    """The worst of a day's failed checks: good, warn or error."""
    failed = {str(check["severity"]) for check in checks if not check["has_passed"]}
    return "error" if "error" in failed else "warn" if failed else "good"


def wrong(data: SiteData, failed: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One entry per failed check of the newest day: since when, the files that brought the day, the tables made from it."""
    files: dict[str, list[dict[str, Any]]] = {}
    for row in _rows(data.carriers):
        files.setdefault(f"clean.{row['feed']}", []).append(row)
    makers = {table: step.job for step in data.steps for table in step.writes}
    steps = [(step.reads, step.writes) for step in data.steps]
    began = since(data)
    found = []
    for check in failed:
        name = str(check["table_name"])
        brought = sorted(files.get(name, []), key=lambda row: row["place"])
        found.append(
            {
                **check,
                "since": began.get((name, check["check_name"], check["column_name"]), check["day"]),
                "files": brought,
                "more_files": brought[0]["files"] - len(brought) if brought else 0,
                "maker": makers.get(name),
                "touches": downstream(steps, name),
            }
        )
    return found


def since(data: SiteData) -> dict[tuple[str, str, str], dt.date]:
    """By table, check and column that fails: the first day of its present unbroken run of failures."""
    return {(row["table_name"], row["check_name"], row["column_name"]): row["since"] for row in _rows(data.failing)}


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


def weeks(strip: Mapping[str, Any]) -> charts.Figure | None:
    """The cells of ``strip`` as a chart: a row a table, a cell a day."""
    if not strip["days"]:
        return None
    tables: Mapping[str, Sequence[str]] = strip["tables"]
    shades = [charts.COLOURS["good"], charts.COLOURS["moderate"], charts.COLOURS["bad"]]
    figure: charts.Figure = {
        "data": [
            {
                "type": "heatmap", "x": [str(day) for day in strip["days"]], "y": list(tables), "xgap": 1, "ygap": 1, "zmin": 0, "zmax": 2,
                "z": [[STATES.index(state) if state else None for state in states] for states in tables.values()],
                "text": [list(states) for states in tables.values()], "showscale": False, "hovertemplate": "%{y} %{x}: %{text}<extra></extra>",
                "hoverongaps": False, "colorscale": [[at, shades[place]] for place in range(3) for at in (place / 3, (place + 1) / 3)],
            }
        ],
        "layout": charts.base_layout(height=max(240, 20 * len(tables) + 90)),
    }  # fmt: skip
    figure["layout"]["yaxis"] |= {"autorange": "reversed", "type": "category"}
    return figure


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
    return charts.titled(figure, y="share of checks that hold", yaxis={"tickformat": ".1%", "rangemode": "normal"})


def _rows(frame: pd.DataFrame | None) -> list[dict[str, Any]]:
    return [] if frame is None else [{str(k): v for k, v in row.items()} for row in frame.to_dict("records")]
