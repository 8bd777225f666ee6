"""The page of stages: who moved from which to which in a month, by which signs, how good the forecasts are, how early leavers were warned of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.core.contract import Table
from churnlake.site import charts, flow, wording
from churnlake.site.disclosure import disclosed, is_small, shown, told
from churnlake.tables.causes import CAUSE_MEANINGS, CAUSE_MONTHS
from churnlake.tables.stages import (
    FORECAST_MEANINGS,
    FORECASTS_JUDGED,
    LEAD_TIMES,
    SIGN_MEANINGS,
    SIGNS,
    STAGES_OF_LEAVING,
    TRANSITIONS,
)

if TYPE_CHECKING:
    from churnlake.site.data import SiteData

Context = dict[str, Any]
FILLED: Mapping[str, Table] = {
    "transitions": TRANSITIONS, "signs_told": SIGNS, "forecasts_judged": FORECASTS_JUDGED, "lead_times": LEAD_TIMES, "cause_months": CAUSE_MONTHS,
}  # fmt: skip
"""By field of SiteData, the table it is made from."""
FROM = (*STAGES_OF_LEAVING, "new")
MOVED = {"from": "At the end of the month before", **{name: f"Then {name}" for name in STAGES_OF_LEAVING}, "all": "All"}
"""Titles of a table of ``moves``."""
WORDS = {
    "healthy": "healthy", "warning": "warning 预警期", "alarm": "alarm 告警期", "churned": "churned", "new": "new",
}  # fmt: skip


def aggregates(frames: Mapping[Table, DataFrame]) -> dict[str, DataFrame]:
    """By field of SiteData, the small frame that fills it; only those whose tables are there.

    ``transitions``: rows of churn.transitions. ``signs_told``: one row per month and sign: users on whom it appeared.
    ``forecasts_judged``, ``cause_months``: the newest rows of churn.forecasts_judged and churn.cause_months. ``lead_times``: rows of
    churn.lead_times.
    """
    found = {name: frames[table] for name, table in FILLED.items() if table in frames}
    if SIGNS in frames:
        appeared = frames[SIGNS].where("is_seen").withColumn("month", F.trunc("known_on", "MM"))
        found["signs_told"] = appeared.groupBy("month", "sign").agg(F.count_distinct("user_id").alias("users"))
    if FORECASTS_JUDGED in frames:
        newest = frames[FORECASTS_JUDGED].agg(F.max("known_on").alias("known_on"))
        found["forecasts_judged"] = frames[FORECASTS_JUDGED].join(F.broadcast(newest), on="known_on", how="left_semi")
    if CAUSE_MONTHS in frames:
        newest = frames[CAUSE_MONTHS].agg(F.max("month").alias("month"))
        found["cause_months"] = frames[CAUSE_MONTHS].join(F.broadcast(newest), on="month", how="left_semi")
    return found


def stages(data: SiteData) -> Context:
    """The page's values: the newest month's matrix, signs by month, the four forecasts, days of warning by month, causes."""
    transitions, signs, least = data.transitions, data.signs_told, data.least
    figures: dict[str, charts.Figure] = {}
    matrix: Context | None = None
    cards: list[tuple[str, str, str]] = []
    if _has(transitions):
        newest = transitions["month"].max()
        matrix = _matrix(transitions[transitions["month"] == newest], least)
        ends = {month: _ends(of, least) for month, of in transitions.groupby("month")}
        cards += [(WORDS[name].capitalize(), ends[newest][name][0], f"at the end of {matrix['month']}") for name in FROM[:3]]
        drawn = [
            {"month": month, "stage": name, "users": of[name][1]}
            for month, of in ends.items()
            for name in ("warning", "alarm")
            if of[name][1]
        ]
        if drawn:
            bars = charts.stacked(pd.DataFrame(drawn), "month", "users", "stage", ("warning", "alarm"), WORDS)
            figures["ends"] = charts.titled(bars, y="users at the month's end")
    if _has(signs):
        seen = shown(signs, ["month", "sign"], "users", least)
        if len(seen):
            figures["signs"] = charts.titled(
                charts.stacked(seen, "month", "users", "sign", tuple(SIGN_MEANINGS)), y="users on whom it appeared"
            )
    warned = _lead_times(data.lead_times, least)
    if warned and warned[-1]["median_days"] is not None:
        last = warned[-1]
        cards.append(
            ("Days of warning", f"{last['median_days']:.0f}", f"median of leavers confirmed in {wording.month(last['month'])}")
        )
    return {
        "figures": figures,
        "cards": cards,
        "matrix": matrix,
        "flow": flow.picture(matrix, WORDS) if matrix else "",
        "stayed": flow.those_who_stay(matrix["rows"], matrix["columns"]) if matrix else None,
        "stage_words": WORDS,
        "sign_words": SIGN_MEANINGS,
        "forecasts": _forecasts(data.forecasts_judged, least),
        "causes": _causes(data.cause_months, least),
        "lead_times": warned,
    }


def headline(transitions: pd.DataFrame | None, least: int) -> str:
    """What the overview says of the page."""
    if not _has(transitions):
        return ""
    ends = _ends(transitions[transitions["month"] == transitions["month"].max()], least)
    return f"{ends['warning'][0]} users in the warning, {ends['alarm'][0]} in the alarm stage"


def _ends(of_month: pd.DataFrame, least: int) -> dict[str, tuple[str, int]]:
    """By stage, how many are in it at the month's end, in words and to be drawn (0: too few).

    Where a cell of the matrix is hidden that adds up to it, to the nearest ten, so that the cell can not be had by taking away.
    """
    cells = disclosed(of_month, ["from_stage", "to_stage"], "users", least)
    found = {}
    for name in STAGES_OF_LEAVING:
        of = cells[cells["to_stage"] == name]
        users = int(of["users"].sum())
        if is_small(users, least):
            found[name] = (told(users, least), 0)
        elif of["is_hidden"].any():
            found[name] = (f"about {wording.count(round(users, -1))}", round(users, -1))
        else:
            found[name] = (wording.count(users), users)
    return found


def _matrix(newest: pd.DataFrame, least: int) -> Context:
    """Stages at the month's beginning by those at its end; small cells hidden, and so is a total that would tell them."""
    cells = disclosed(newest, ["from_stage", "to_stage"], "users", least)
    hidden = {(row["from_stage"], row["to_stage"]): bool(row["is_hidden"]) for row in cells.to_dict("records")}
    rows = []
    for origin in FROM:
        of = newest[newest["from_stage"] == origin]
        total = float(of["users"].sum())
        if not total:
            continue
        by = dict(zip(of["to_stage"], of["users"], strict=True))
        row: Context = {"name": origin, "total": told(total, least), "cells": []}
        for end in STAGES_OF_LEAVING:
            users = by.get(end, 0)
            is_hidden = hidden.get((origin, end), False)
            row["cells"].append(
                {
                    "users": None if is_hidden else int(users),
                    "share": None if is_hidden or is_small(total, least) else users / total,
                }
            )
        rows.append(row)
    return {
        "month": wording.month(newest["month"].max()),
        "columns": STAGES_OF_LEAVING,
        "rows": rows,
    }


def moves(matrix: Context | None) -> Sequence[Context]:
    """One entry per stage at the month's beginning: users and their share by stage at its end, in words; None for too few."""
    return [
        {"from": WORDS[row["name"]], "all": row["total"], **{name: _moved(cell) for name, cell in zip(STAGES_OF_LEAVING, row["cells"], strict=True)}}
        for row in (matrix or {"rows": []})["rows"]
    ]  # fmt: skip


def _moved(cell: Mapping[str, Any]) -> str | None:
    if cell["users"] is None:
        return None
    return wording.count(cell["users"]) + (
        "" if cell["share"] is None or not cell["users"] else f" ({wording.share(cell['share'])})"
    )


def _forecasts(judged: pd.DataFrame | None, least: int) -> list[Context]:
    """One entry per forecast, in the order declared; figures over too few who showed the sign are left out."""
    if not _has(judged):
        return []
    plain = judged.drop(columns="train_months")
    listed = plain.astype(object).where(plain.notna(), None).to_dict("records")
    rows: dict[str, Context] = {str(one["forecast"]): {str(name): value for name, value in one.items()} for one in listed}
    found = []
    for name, words in FORECAST_MEANINGS.items():
        if name in rows:
            row = rows[name]
            few = is_small(row["test_positives"], least)
            kept = {k: None if few else row[k] for k in ("roc_auc", "pr_auc", "precision_top_10", "calibration_slope")}
            found.append({**row, **kept, "words": words, "test_positives": told(row["test_positives"], least)})
    return found


def _lead_times(lead_times: pd.DataFrame | None, least: int) -> list[Context]:
    """One entry per month; quartiles over too few leavers are left out, and so is a count of warned that tells of few."""
    if not _has(lead_times):
        return []
    found = []
    for row in lead_times.sort_values("month").to_dict("records"):
        few = is_small(row["leavers"], least)
        split = few or is_small(row["warned"], least) or is_small(row["leavers"] - row["warned"], least)
        quartiles = {f"{name}_days": None if few else row[f"{name}_days"] for name in ("low", "median", "high")}
        quartiles["warned_median_days"] = None if split else row["warned_median_days"]
        found.append(
            {
                "month": row["month"], "leavers": told(row["leavers"], least),
                "warned_share": None if split else row["warned"] / row["leavers"], **quartiles,
            }
        )  # fmt: skip
    return found


def _causes(cause_months: pd.DataFrame | None, least: int) -> list[Context]:
    """One entry per cause that somebody left for or shows evidence of, the one most left for first; small counts are hidden, and what tells them."""
    if not _has(cause_months):
        return []
    cells = disclosed(cause_months.assign(whole="whole"), ["whole", "cause"], "leavers", least)
    hidden = dict(zip(cells["cause"], cells["is_hidden"], strict=True))
    found = []
    for row in cause_months.sort_values(["expected_leavers", "cause"], ascending=[False, True]).to_dict("records"):
        if row["expected_leavers"] or row["users"]:
            few = is_small(row["users"], least) or pd.isna(row["severity_ratio"])
            found.append(
                {
                    "words": CAUSE_MEANINGS[row["cause"]], "cause": row["cause"], "leavers": None if hidden[row["cause"]] else row["leavers"],
                    "users": told(row["users"], least), "severity_ratio": None if few else row["severity_ratio"],
                    "mend_yuan": None if few else row["mend_yuan"], "lift_share": None if few or pd.isna(row["lift_share"]) else row["lift_share"],
                }
            )  # fmt: skip
    return found


def _has(frame: pd.DataFrame | None) -> TypeGuard[pd.DataFrame]:
    return frame is not None and len(frame) > 0
