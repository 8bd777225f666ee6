"""The circles page: groups of friends by size, how close they are, their seed customers, and whether leaving spreads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.core.contract import Table
from churnlake.site import charts, wording
from churnlake.site.disclosure import disclosed, shown, told
from churnlake.tables.churn import LABELS, NEXT_MONTH
from churnlake.tables.circles import GROUPS, MEMBERS, NEIGHBOURS

SIZES = (3, 6, 11, 21, 51)
"""Least members of each size of groups on the page."""
MOST_LEFT = 3
"""Neighbours who left: so many and more are one."""
MEASURES = ("groups", "users", "ties", "pairs", "triangles", "ties_out", "seeds")
Row = dict[str, Any]


def aggregates(frames: Mapping[Table, DataFrame]) -> dict[str, DataFrame]:
    """By field of SiteData, the small frame that fills it; only those whose tables are there.

    ``groups``: one row per month and size of groups (its least members). ``members``: one row per month, size and whether they
    left in the month after, where that is known. ``spread``: one row per neighbours known to have left in three months and
    whether the user left in the month after.
    """
    found = {}
    if GROUPS in frames:
        by_size = _sized(frames[GROUPS]).withColumn("pairs", F.expr("users * (users - 1) div 2"))
        sums = [F.sum(name).alias(name) for name in MEASURES[1:]]
        found["groups"] = by_size.groupBy("month", "size").agg(F.count("*").alias("groups"), *sums)
    outcome = _fates(frames[LABELS]) if LABELS in frames else None
    if GROUPS in frames and MEMBERS in frames and outcome is not None:
        size = _sized(frames[GROUPS]).select("month", "group_id", "size")
        known = frames[MEMBERS].select("month", "user_id", "group_id").join(outcome, on=["month", "user_id"], how="inner")
        sized = known.join(size, on=["month", "group_id"], how="inner")
        found["members"] = sized.groupBy("month", "size", "has_left").agg(F.count("*").alias("users"))
    if NEIGHBOURS in frames and outcome is not None:
        left = F.least("neighbours_left_3m", F.lit(MOST_LEFT)).cast("int").alias("left")
        known = frames[NEIGHBOURS].select("month", "user_id", left).join(outcome, on=["month", "user_id"], how="inner")
        found["spread"] = known.groupBy("left", "has_left").agg(F.count("*").alias("users"))
    return found


def _fates(labels: DataFrame) -> DataFrame:
    """One row per user and month whose outcome is known: month, user_id, has_left in the month after."""
    return labels.where(F.col("target") == NEXT_MONTH).select("month", "user_id", F.col("has_churned").alias("has_left"))


def _sized(groups: DataFrame) -> DataFrame:
    size = F.lit(SIZES[0])
    for least in SIZES[1:]:
        size = F.when(F.col("users") >= least, F.lit(least)).otherwise(size)
    return groups.withColumn("size", size)


def circles(groups: pd.DataFrame | None, members: pd.DataFrame | None, spread: pd.DataFrame | None, least: int) -> Row:
    """The page's values: key figures and table of the newest month, users in groups by month, shares who left."""
    figures: dict[str, charts.Figure] = {}
    cards: list[tuple[str, str, str]] = []
    rows: list[Row] = []
    month = ""
    if groups is not None and len(groups):
        newest = groups["month"].max()
        month = wording.month(newest)
        of_month = groups[groups["month"] == newest]
        rows = _by_size(of_month, least)
        users = int(of_month["users"].sum())
        cards = [
            ("Users in groups", told(users, least), f"active users of {month}, in groups of {SIZES[0]} and more"),
            ("Groups", wording.count(of_month["groups"].sum()), f"{users / of_month['groups'].sum():.1f} members on average"),
            ("Seed customers", told(int(of_month["seeds"].sum()), least), "who reach the rest through the circle"),
        ]
        by_size = groups.assign(of=groups["size"].map(size_words))
        bars = charts.stacked(
            shown(by_size, ["month", "of"], "users", least), "month", "users", "of", [size_words(s) for s in SIZES]
        )
        figures["sizes"] = charts.titled(bars, y="users in groups")
    left = _shares(members, "size", least)
    if left:
        figures["left"] = _bars([(f"groups of {size_words(at)}", share) for at, share in left])
    after = _shares(spread, "left", least)
    # one bar alone compares nothing
    if len(after) > 1:
        figures["spread"] = _bars([(_left_words(at), share) for at, share in after])
    return {"figures": figures, "cards": cards, "rows": rows, "month": month}


def size_words(least: int) -> str:
    """A size of groups in words.

    >>> size_words(3), size_words(51)
    ('3 to 5', '51 and more')
    """
    at = SIZES.index(least)
    return f"{least} and more" if at == len(SIZES) - 1 else f"{least} to {SIZES[at + 1] - 1}"


def _left_words(left: int) -> str:
    return f"{left} and more" if left == MOST_LEFT else f"{left}" if left else "none"


def _by_size(of_month: pd.DataFrame, least: int) -> list[Row]:
    """One entry per size: None for what is over too few members, or too few seed customers."""
    cells = of_month.assign(whole="whole")
    hidden = {
        name: dict(zip(found["size"], found["is_hidden"], strict=True))
        for name in ("users", "seeds")
        for found in (disclosed(cells, ["whole", "size"], name, least),)
    }
    rows = []
    for row in of_month.sort_values("size").to_dict("records"):
        size = int(row["size"])
        told_of: Row = {name: int(row[name]) for name in MEASURES}
        told_of |= {"density": told_of["ties"] / told_of["pairs"], "out_share": _share(told_of["ties_out"], told_of)}
        if hidden["users"][size]:
            told_of = dict.fromkeys(told_of)
        elif hidden["seeds"][size]:
            told_of["seeds"] = None
        rows.append({"size": size_words(size), **told_of})
    return rows


def _share(out: int, row: Row) -> float:
    """Of all ties of members, the share that lead out of their group."""
    return out / (out + 2 * int(row["ties"]))


def _shares(frame: pd.DataFrame | None, by: str, least: int) -> list[tuple[int, float]]:
    """By value, the share of users who left in the month after; values where it can not be shown are left out."""
    if frame is None or not len(frame):
        return []
    fates = frame.assign(fate=frame["has_left"].map({True: "left", False: "stayed"}))
    cells = shown(fates, [by, "fate"], "users", least).pivot_table(index=by, columns="fate", values="users", aggfunc="sum")
    both = cells.reindex(columns=["left", "stayed"]).dropna().sort_index()
    return [(int(at), float(row["left"] / (row["left"] + row["stayed"]))) for at, row in both.iterrows()]  # type: ignore[call-overload]


def _bars(values: list[tuple[str, float]]) -> charts.Figure:
    frame = pd.DataFrame(
        [{"at": place, "what": "left in the month after", "value": value} for place, (_, value) in enumerate(values)]
    )
    figure = charts.grouped(frame, "at", "value", "what", form=".1%")
    for bar in figure["data"]:
        bar["x"] = [name for name, _ in values]
    return charts.titled(
        figure, y="left in the month after", showlegend=False, xaxis={"type": "category"}, yaxis={"tickformat": ".1%"}
    )
