"""Why customers came back under a new number, and how much of it a word at the counter could have prevented."""

from __future__ import annotations

from typing import Any

import pandas as pd

from churnlake.site import charts, wording
from churnlake.site.data import SiteData
from churnlake.site.disclosure import disclosed, is_small

MOTIVES = {
    "lost_sim": "lost SIM or phone",
    "number": "another number",
    "bonus": "joining bonus",
    "brand": "another brand",
    "plan": "cheaper plan",
    "arrears": "debt left behind",
    "dealer": "talked into it by a dealer",
    "other": "something else",
    "unknown": "unknown",
}
ALL = "all"
SERIES = {
    "rule_share": ("by rule", "#9db3c8"),
    "share": ("weighted by the survey", "#28557f"),
    "preventable_share": ("of it preventable", "#2f9e97"),
}
ENDS = {"share": ("share_low", "share_high"), "preventable_share": ("preventable_low", "preventable_high")}


def motives(data: SiteData) -> dict[str, Any]:
    """The newest month's motives, commonest first: rows for a table, a chart, and what was preventable in words; empty without any."""
    shares = data.motive_shares
    if shares is None or not len(shares):
        return {"motives": [], "every": None, "told": "", "figure": None, "month": ""}
    hidden = {count: _hidden(shares, count, data.least) for count in ("matches", "answers", "alternative_answers")}
    plain: list[dict[str, Any]] = shares.astype(object).where(shares.notna(), None).to_dict("records")  # type: ignore[assignment]
    rows = {row["motive"]: _shown(row, hidden) for row in plain}
    every = rows.pop(ALL)
    listed = [
        {**row, "name": MOTIVES[motive]} for motive, row in rows.items() if motive in MOTIVES and (_any(row) or row["is_hidden"])
    ]
    listed.sort(key=lambda row: (row["motive"] == "unknown", -(row["share"] or row["rule_share"] or 0), row["motive"]))
    return {
        "motives": listed,
        "every": every,
        "told": _told(every),
        "figure": _figure(listed),
        "month": wording.month(shares["month"].iloc[0]),
    }


def _hidden(shares: pd.DataFrame, count: str, least: int) -> set[str]:
    """The motives of which a count must not be shown."""
    each = shares[shares["motive"] != ALL]
    cells = disclosed(each.assign(whole=ALL), ["whole", "motive"], count, least)
    whole = shares[shares["motive"] == ALL]
    small = {ALL} if any(is_small(n, least) for n in whole[count]) else set()
    return small | set(cells.loc[cells["is_hidden"], "motive"])


def _shown(row: dict[str, Any], hidden: dict[str, set[str]]) -> dict[str, Any]:
    """The row without what stands for too few persons."""
    motive = row["motive"]
    gone = ["matches", "rule_share"] if motive in hidden["matches"] else []
    of_answers = ["answers", "share", "share_low", "share_high"] if motive in hidden["answers"] else []
    ends = [f"{name}_{end}" for name in ("unaware", "preventable") for end in ("share", "low", "high")]
    of_alternative = ["alternative_answers", *ends]
    few = motive in hidden["answers"] | hidden["alternative_answers"]
    empty = dict.fromkeys([*gone, *of_answers, *(of_alternative if few else [])])
    return {**row, **empty, "is_hidden": bool(gone or of_answers)}


def _any(row: dict[str, Any]) -> bool:
    return bool(row["matches"] or row["answers"] or row["share"])


def _told(every: dict[str, Any]) -> str:
    if every["preventable_share"] is None:
        return ""
    low, high = wording.share(every["preventable_low"]), wording.share(every["preventable_high"])
    told = f"{wording.share(every['preventable_share'])} of those who came back ({low} to {high}, by {wording.count(every['alternative_answers'])} answers)"
    return f"{told} did not know that no new number was needed for it."


def _figure(listed: list[dict[str, Any]]) -> charts.Figure | None:
    """Bars side by side: each motive's part by rule, by the survey and preventable, with intervals; what is hidden has no bar."""
    drawn = [row for row in listed if any(row[name] for name in SERIES)]
    bars = []
    for name, (label, colour) in SERIES.items():
        if all(row[name] is None for row in drawn):
            continue
        bar: dict[str, Any] = {
            "type": "bar",
            "name": label,
            "x": [row["name"] for row in drawn],
            "y": [row[name] for row in drawn],
            "marker": {"color": colour},
            "hovertemplate": "%{y:.1%}<extra>%{fullData.name}</extra>",
        }
        if name in ENDS:
            low, high = ENDS[name]
            bar["error_y"] = {
                "type": "data", "symmetric": False, "thickness": 1.2, "width": 3, "color": charts.MUTED,
                "array": [None if row[name] is None else row[high] - row[name] for row in drawn],
                "arrayminus": [None if row[name] is None else row[name] - row[low] for row in drawn],
            }  # fmt: skip
        bars.append(bar)
    if not bars:
        return None
    layout = charts.base_layout(barmode="group", bargap=0.28, bargroupgap=0.06)
    figure: charts.Figure = {"data": bars, "layout": layout}
    return charts.titled(figure, y="part of all matches", yaxis={"tickformat": ".0%"})
