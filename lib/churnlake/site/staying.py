"""The page of those who stay and those who do not: joining cohorts in heads and revenue, the leaky bucket, survival, who wakes from silence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.core.contract import Table
from churnlake.site import charts, wording
from churnlake.site.disclosure import disclosed, is_small, shown, told
from churnlake.tables.churn import LABELS, NEXT_MONTH, TARGETS
from churnlake.tables.staying import BUCKET, COHORTS, SILENCES, SURVIVAL, WENT_TO

FILLED = {"outcomes": LABELS, "bucket": BUCKET, "cohorts": COHORTS, "survival": SURVIVAL, "silences": SILENCES}
"""By field of SiteData, the table it is made from."""
COHORTS_SHOWN = 12
"""The newest joining months, a line each."""
BUCKET_SHOWN = 24
NAMES = {"back": "back to us", "competitor": "to the competitor", "elsewhere": "elsewhere"}
RATES = ("has_churned", "has_churned_for_good")
ON_PAPER = ("gotone", "easyown", "mzone", "unknown")
Row = dict[str, Any]


def aggregates(frames: Mapping[Table, DataFrame]) -> dict[str, DataFrame]:
    """By field of SiteData, the small frame that fills it; only those whose tables are there.

    ``outcomes``: one row per month, target, kind, has_churned, has_churned_for_good: users. ``bucket``: rows of churn.bucket, the
    newest months. ``cohorts``: rows of churn.cohorts of all joiners and by brand, the newest cohorts. ``survival`` and ``silences``: rows
    of the newest month told, survival by brand and plan.
    """
    found = {}
    if LABELS in frames:
        outcome = ("month", "target", "kind", "has_churned", "has_churned_for_good")
        found["outcomes"] = frames[LABELS].groupBy(*outcome).agg(F.count("*").alias("users"))
    if BUCKET in frames:
        found["bucket"] = _newest(frames[BUCKET], "month", BUCKET_SHOWN)
    if COHORTS in frames:
        rows = frames[COHORTS].where("dimension IN ('all', 'brand')")
        money = {name: F.col(name).cast("double") for name in ("fee_yuan", "whole_fee_yuan")}
        found["cohorts"] = _newest(rows, "cohort", COHORTS_SHOWN).withColumns(money)
    if SURVIVAL in frames:
        found["survival"] = _newest(frames[SURVIVAL].where("dimension IN ('all', 'brand', 'plan')"), "month", 1)
    if SILENCES in frames:
        found["silences"] = _newest(frames[SILENCES], "month", 1)
    return found


def leaks(bucket: pd.DataFrame | None, least: int) -> str:
    """In words, where the leavers of the newest month told went; empty where nothing can be said."""
    rows = [] if bucket is None else _bucket(bucket, least)
    shares = [(rows[-1][name], NAMES[name]) for name in WENT_TO if rows[-1].get(name) is not None] if rows else []
    left = sum(share for share, _ in shares)
    if len(shares) < len(WENT_TO) or not left:
        return ""
    share, name = max(shares)
    return f"{wording.share(share / left, 0)} of leavers of {rows[-1]['month']} went {name}"


def staying(data: Any, least: int) -> Row:
    """The page's values: ``figures``, the table of cohorts, of the bucket and of lengths of silence."""
    figures: dict[str, charts.Figure] = {} if data.outcomes is None else _outcomes(data.outcomes, least)
    rows = [] if data.cohorts is None else _cohorts(data.cohorts, least)
    if rows:
        shown = pd.DataFrame([row for row in rows if row["heads"] is not None and row["months_since"] > 0])
        figures |= _sides(shown)
    leaking = [] if data.bucket is None else _bucket(data.bucket, least)
    if leaking:
        each = [
            {"month": row["at"], "flow": name, "users": row[name]} for row in leaking for name in WENT_TO if row[name] is not None
        ]
        if each:
            bars = charts.stacked(pd.DataFrame(each), "month", "users", "flow", WENT_TO, NAMES)
            figures["bucket"] = charts.titled(bars, y="leavers, expected")
    if data.survival is not None:
        figures |= _survival(data.survival, least)
    silences = [] if data.silences is None else _lengths(data.silences)
    if silences:
        curve = data.silences[data.silences["silences"] >= least]
        curve = curve.rename(columns={"wakes_low": "low", "wakes_high": "high"})
        lines = charts.lines(curve, "days", "wakes", "brand", ("all", *ON_PAPER))
        figures["waking"] = charts.titled(lines, "days silent", "wake again", yaxis={"tickformat": ".0%"})
    return {"figures": figures, "cohorts": [row for row in rows if row["is_newest"]], "leaking": leaking, "silences": silences}


def _cohorts(cohorts: pd.DataFrame, least: int) -> list[Row]:
    """One entry per cohort of all joiners and month since: shares, None where it is of too few persons, of those there or of those gone."""
    whole = cohorts[cohorts["dimension"] == "all"].sort_values(["cohort", "month"])
    newest = whole.groupby("cohort")["month"].transform("max")
    found = []
    for row, last in zip(whole.to_dict("records"), newest, strict=True):
        gone = row["users"] - row["active"]
        hidden = any(is_small(count, least) for count in (row["users"], row["active"], gone))
        found.append(
            {
                "cohort": wording.month(row["cohort"]), "months_since": int(row["months_since"]), "is_newest": row["month"] == last,
                "users": told(row["users"], least), "heads": None if hidden else float(row["heads_share"]),
                "revenue": None if hidden or pd.isna(row["revenue_share"]) else float(row["revenue_share"]),
            }
        )  # fmt: skip
    return found


def _outcomes(outcomes: pd.DataFrame, least: int) -> dict[str, charts.Figure]:
    """Share who left in the month after, naive and corrected, by feature month; and who pays at most half, by kind."""
    figures: dict[str, charts.Figure] = {}
    rates = []
    for month, rows in outcomes[outcomes["target"] == NEXT_MONTH].groupby("month"):
        users, naive, corrected = (int(rows[rows[of]]["users"].sum()) if of else int(rows["users"].sum()) for of in ("", *RATES))
        if is_small(users, least) or is_small(naive, least) or is_small(users - naive, least):
            continue
        rates.append({"month": month, "what": "naive", "share": naive / users})
        if not is_small(corrected, least) and not is_small(naive - corrected, least):
            rates.append({"month": month, "what": "corrected for re-entry", "share": corrected / users})
    if rates:
        lines = charts.lines(pd.DataFrame(rates), "month", "share", "what", ("naive", "corrected for re-entry"))
        # of one month alone plotly's own ticks would be fractions of a second
        months = {"dtick": "M1", "tickformat": "%b %Y"}
        figures["rates"] = charts.titled(
            lines, "active at the end of", "left in the month after", xaxis=months, yaxis={"tickformat": ".1%"}
        )
    less = outcomes[(outcomes["target"] == TARGETS[-1]) & outcomes["has_churned"]]
    kinds = shown(less, ["month", "kind"], "users", least) if len(less) else less
    if len(kinds):
        figures["less"] = charts.titled(
            charts.stacked(kinds, "month", "users", "kind", ("diverted", "cheaper", "cancelled")), y="users"
        )
    return figures


def _sides(shown: pd.DataFrame) -> dict[str, charts.Figure]:
    """Heads and revenue of each cohort over the months since, as two charts of one scale."""
    figures: dict[str, charts.Figure] = {}
    for name, words in (("heads", "still active"), ("revenue", "of the first whole month's fees")):
        rows = shown.dropna(subset=[name]) if len(shown) else shown
        if len(rows):
            lines = charts.lines(rows, "months_since", name, "cohort", list(dict.fromkeys(rows["cohort"])))
            top = max(1.0, float(shown[["heads", "revenue"]].max().max())) * 1.05
            scale = {"tickformat": ".0%", "range": [0, top]}
            figures[name] = charts.titled(lines, "months since joining", words, yaxis=scale, xaxis={"dtick": 1})
    return figures


def _bucket(bucket: pd.DataFrame, least: int) -> list[Row]:
    """One entry per month: joined, expected leavers by destination with their intervals; None where it is over too few persons."""
    cells = disclosed(bucket[bucket["flow"] != "joined"], ["month", "flow"], "expected", least)
    hidden = {(row["month"], row["flow"]) for row in cells.to_dict("records") if row["is_hidden"]}
    found = []
    for month, rows in bucket.groupby("month"):
        by_flow = {row["flow"]: row for row in rows.to_dict("records")}
        entry: Row = {"month": wording.month(month), "at": month, "joined": "–", "left": "–"}
        if "joined" in by_flow:
            entry["joined"] = told(by_flow["joined"]["counted"], least)
        gone = [by_flow[name]["expected"] for name in WENT_TO if name in by_flow]
        if gone:
            entry["left"] = told(round(sum(gone)), least)
        for name in WENT_TO:
            is_told = name in by_flow and (month, name) not in hidden
            entry[name] = float(by_flow[name]["expected"]) if is_told else None
            entry[f"{name}_ends"] = f"{by_flow[name]['low']:,.0f} to {by_flow[name]['high']:,.0f}" if is_told else ""
        found.append(entry)
    return found


def _survival(survival: pd.DataFrame, least: int) -> dict[str, charts.Figure]:
    """Share who stay by tenure, of all and by brand; and by plan. A tenure of fewer than ``least`` persons, or reached by fewer, is left out."""
    figures = {}
    rows = survival.rename(columns={"staying_low": "low", "staying_high": "high"})
    # the share that left since is told by its neighbours: a step over few leavers is shown no finer than with the next
    rows = rows[rows["at_risk"] >= least].sort_values("days")
    left = rows.groupby(["dimension", "value"])["left_since"].cumsum()
    kept = rows[~left.map(lambda count: is_small(count, least)).astype(bool)]
    for name, dimensions, order in (("survival", ("all", "brand"), ("all", *ON_PAPER)), ("plans", ("plan",), ())):
        of = kept[kept["dimension"].isin(dimensions)]
        if len(of):
            lines = charts.lines(of, "days", "staying", "value", order)
            figures[name] = charts.titled(lines, "days since joining", "still with us", yaxis={"tickformat": ".0%"})
    return figures


def _lengths(silences: pd.DataFrame) -> list[Row]:
    """One entry per brand: the length set, the least length after which few enough wake, the share that wakes after the length set."""
    found = []
    for brand, rows in silences.groupby("brand"):
        enough = rows[rows["is_enough"].astype(bool)]["days"]
        set_days = rows["set_days"].max()
        at = rows[rows["days"] == set_days]["wakes"]
        found.append(
            {
                "brand": brand, "set_days": None if pd.isna(set_days) else int(set_days), "asked_days": int(enough.min()) if len(enough) else None,
                "wakes": float(at.iloc[0]) if len(at) else None, "horizon_days": int(rows["horizon_days"].max()),
            }
        )  # fmt: skip
    return sorted(found, key=lambda row: (row["brand"] == "all", row["brand"]))


def _newest(rows: DataFrame, by: str, months: int) -> DataFrame:
    """The rows of the newest so many months there are."""
    last = rows.agg(F.max(by).alias("last"))
    near = F.expr(f"{by} > add_months(last, -{months})")
    return rows.join(F.broadcast(last), on=near, how="inner").drop("last")
