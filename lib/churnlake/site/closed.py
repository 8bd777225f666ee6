"""How rankings fared: scores as they were published beside who left, and what is drawn and told of any ranking whose outcome is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.core.contract import Table
from churnlake.site import charts, wording
from churnlake.site.disclosure import disclosed, is_small, told
from churnlake.site.monthly import newest_rows
from churnlake.stats.gains import GROUPS, points
from churnlake.tables.churn import LABELS, MODELS, NEXT_MONTH, SCORES
from churnlake.tables.judged import JUDGED

TOPS = (1, 2, 5, 10)
"""Per cent of the ranking that is looked at from its top."""
POOLED = "whole"
OF_PART = ("base_rate", "pr_auc", "precision_top_10", "lift_top_decile", "calibration_slope")
"""Figures of a part of the customers."""
DIGITS = 5
NEARLY = 1e-6
"""Rows and positives of curves that were kept as shares are near to whole numbers."""


def aggregates(frames: Mapping[Table, DataFrame]) -> dict[str, DataFrame]:
    """By name, the small frame that tells how forecasts of next month's leaving fared; only those whose tables are there.

    ``closed``: points of the ranking of all users scored whose month is closed, as stats.gains makes them. ``judged``: rows of
    churn.models of the champions. ``parts``: rows of churn.judged of the newest day.
    """
    found: dict[str, DataFrame] = {}
    if SCORES in frames and LABELS in frames:
        outcome = (
            frames[LABELS]
            .where(F.col("target") == NEXT_MONTH)
            .select("month", "user_id", F.col("has_churned").cast("int").alias("left"))
        )
        both = frames[SCORES].where(F.col("target") == NEXT_MONTH).join(outcome, on=["month", "user_id"], how="inner")
        # all users of all months are one ranking: of so many digits it has a bounded number of scores, whatever their number
        rounded = both.select(F.lit("all").alias(POOLED), F.round("probability", DIGITS).alias("probability"), "left")
        found["closed"] = points(rounded, "probability", "left", POOLED)
    if MODELS in frames:
        newest = frames[MODELS].where(F.col("target") == NEXT_MONTH).where("is_champion")
        found["judged"] = newest.orderBy("test_month", "known_on").drop("train_months")
    if JUDGED in frames:
        found["parts"] = newest_rows(frames[JUDGED].where(F.col("target") == NEXT_MONTH), "known_on")
    return found


def gains(steps: pd.DataFrame | None, least: int, most: int = GROUPS) -> charts.Figure | None:
    """The share of those it came true of found from the top, beside a call at random; None where too few came true, or did not.

    ``steps`` are as stats.gains makes them: step (likeliest first), rows, positives, score.
    """
    groups = None if steps is None else grouped(steps, least, most)
    if groups is None or len(groups) < 2:
        return None
    summed = groups[["users", "left"]].cumsum() / groups[["users", "left"]].sum()
    rows = [{"asked": 0.0, "found": 0.0, "what": "by score"}]
    rows += [{"asked": row["users"], "found": row["left"], "what": "by score"} for row in summed.to_dict("records")]
    rows += [{"asked": share, "found": share, "what": "at random"} for share in (0.0, 1.0)]
    return _beside(rows, "asked", "found", "share of users, likeliest first", "share of those it came true of", ".0%")


def calibration(steps: pd.DataFrame | None, least: int) -> charts.Figure | None:
    """Probability told against the share it came true of, a point a group; None where too few came true, or did not."""
    groups = None if steps is None else grouped(steps, least)
    if groups is None or groups.empty:
        return None
    rows = [
        {"said": row["said"], "left": row["left"] / row["users"], "what": "groups of users"} for row in groups.to_dict("records")
    ]
    top = max(max(row["said"], row["left"]) for row in rows)
    rows += [{"said": x, "left": x, "what": "as told"} for x in (0.0, top)]
    return _beside(rows, "said", "left", "probability told", "share it came true of", ".1%")


def grouped(steps: pd.DataFrame, least: int, most: int = GROUPS) -> pd.DataFrame:
    """One row per group of users, likeliest first: users, left (of whom it came true), and the mean probability ``said``.

    A group ends where it has its part of the users (of ``most`` equal ones) and of ``least`` of them it came true, and of ``least`` it did
    not; what is left over goes to the last.
    """
    groups: list[dict[str, float]] = []
    now = {"users": 0.0, "left": 0.0, "said": 0.0}
    part = steps["rows"].sum() / most
    for row in steps.sort_values("step").to_dict("records"):
        now = {
            "users": now["users"] + row["rows"], "left": now["left"] + row["positives"], "said": now["said"] + row["score"] * row["rows"],
        }  # fmt: skip
        if now["users"] >= part - NEARLY and min(now["left"], now["users"] - now["left"]) >= least - NEARLY:
            groups, now = [*groups, now], dict.fromkeys(now, 0.0)
    if groups:
        groups[-1] = {name: value + now[name] for name, value in groups[-1].items()}
    found = pd.DataFrame(groups, columns=["users", "left", "said"])
    return found.assign(said=found["said"] / found["users"])


def tops(judged: pd.DataFrame | None, least: int) -> list[dict[str, Any]]:
    """One entry per month the champion was tested on, oldest first: the base rate, precision at the top, calibration; without what is of too few."""
    if judged is None:
        return []
    found = []
    for row in judged.drop_duplicates("test_month", keep="last").to_dict("records"):
        few = round(row["base_rate"] * row["test_rows"]) < least
        names = [
            "base_rate",
            *(f"precision_top_{top}" for top in TOPS),
            "lift_top_decile",
            "calibration_slope",
            "calibration_error",
        ]
        found.append(
            {
                "month": wording.month(row["test_month"]), "learner": row["learner"], "users": int(row["test_rows"]),
                **{name: None if few or pd.isna(row[name]) else float(row[name]) for name in names},
            }
        )  # fmt: skip
    return found


def by_part(parts: pd.DataFrame | None, least: int) -> list[dict[str, Any]]:
    """One entry per part of the customers tested, as brands: how many, and how well the ranking does there.

    Parts of too few, and the next larger ones that they could be had from by subtraction, have neither counts nor figures.
    """
    if parts is None or parts.empty:
        return []
    by = ["part", "value"]
    hidden = {
        count: {tuple(row[name] for name in by) for row in cells[cells["is_hidden"]].to_dict("records")}
        for count in ("rows", "positives")
        for cells in [disclosed(parts, by, count, least)]
    }
    found = []
    for row in parts.sort_values(by).to_dict("records"):
        key = (row["part"], row["value"])
        users, positives = (_counted(row[count], key in hidden[count], least) for count in ("rows", "positives"))
        few = key in hidden["positives"] or not row["positives"]
        kept = {name: None if few or pd.isna(row[name]) else float(row[name]) for name in OF_PART}
        found.append(
            {"part": row["part"].replace("_", " "), "value": row["value"], "users": users, "positives": positives, **kept}
        )
    return found


def _counted(count: int, is_hidden: bool, least: int) -> str:
    return "not shown" if is_hidden and not is_small(count, least) else told(count, least)


def _beside(rows: list[dict[str, Any]], x: str, y: str, across: str, up: str, form: str) -> charts.Figure:
    """Two lines, the second dotted, to be held against."""
    figure = charts.lines(pd.DataFrame(rows), x, y, "what", list(dict.fromkeys(row["what"] for row in rows)))
    figure["data"][-1] |= {"mode": "lines", "line": {"dash": "dot", "color": charts.MUTED}}
    return charts.titled(figure, across, up, xaxis={"tickformat": form, "rangemode": "tozero"}, yaxis={"tickformat": form})
