"""How long silence must be to mean leaving: of those silent so long, the share who wake again on the same number."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from churnlake.churn.leaving import first_brands, signs_of_life, silent_length
from churnlake.churn.settings import ChurnSettings
from churnlake.core.months import last_day
from churnlake.stats.survival import interval, product_limit
from churnlake.tables.staying import SILENCES

ALL = "all"


def first_day_needed(months: Sequence[dt.date], settings: ChurnSettings) -> dt.date:
    """First day whose silences are followed for these months."""
    return last_day(min(months)) - dt.timedelta(days=settings.waking.looks_back_days)


def waking(
    usage: DataFrame,
    recharges: DataFrame | None,
    subscribers: DataFrame | None,
    months: Sequence[dt.date],
    settings: ChurnSettings,
) -> DataFrame:
    """One row per month, brand (and all of them) and length in days (churn.silences): who wakes after being silent so long.

    A silence begins after a sign of life (an own outgoing event or a recharge, as ``leaving`` has it), its length is the whole days
    without any until the next; at the month's end it goes out of sight. The share who wake after ``days`` is 1 less the product of
    1 - h(k) for k from ``days`` to ``horizon_days``, h(k) being the share of those silent for k days who wake on the next (product-limit
    estimate of Kaplan and Meier 1958); the horizon is the longest length with ``least_silences`` still in sight. Silences into
    which a cancel order falls that is known at the month's end are left out: that number cannot wake.

    ``is_enough``: from this length on at most ``most_share`` wake.

    Args:
        usage: daily.usage from ``first_day_needed`` to the end of the last month.
        recharges: reference.recharges of these days.
        subscribers: reference.subscribers as delivered by then; without them there is no brand.
        months: first days of the months at whose ends the curve is read.
        settings: lengths set, and how the curve is read.
    """
    how = settings.waking
    spells = _silences(usage, recharges, subscribers, months, settings)
    each = spells.withColumn("brand", F.explode(F.array("brand", F.lit(ALL))))
    curve = product_limit(each, ["month", "brand"], "days", "wakes").where(f"at_risk >= {how.least_silences}")
    whole = Window.partitionBy("month", "brand")
    at = whole.orderBy("days")
    onward = at.rowsBetween(Window.currentRow, Window.unboundedFollowing)
    ends = F.max(F.struct("days", "lasting", "variance_sum")).over(whole)
    told = curve.select(
        "month",
        "brand",
        "days",
        F.col("at_risk").alias("silences"),
        F.col("events").alias("woken"),
        (ends["lasting"] / F.nullif(F.lag("lasting", 1, 1.0).over(at), F.lit(0.0))).alias("never"),
        F.greatest(ends["variance_sum"] - F.lag("variance_sum", 1, 0.0).over(at), F.lit(0.0)).alias("variance_sum"),
        ends["days"].alias("horizon_days"),
    )
    low, high = interval("least(never, 1D)", "variance_sum", "silences", how.deviations)
    shares = told.withColumns(
        {
            "wakes": F.expr("round(1 - least(never, 1D), 6)"),
            "wakes_low": F.expr(f"round(1 - {high}, 6)"),
            "wakes_high": F.expr(f"round(1 - {low}, 6)"),
            "set_days": F.when(F.col("brand") != ALL, silent_length("brand", settings)),
        }
    )
    rest = shares.withColumn("is_enough", F.max("wakes").over(onward) <= how.most_share)
    return rest.where(f"days <= {how.most_days}").select(SILENCES.names)


def asked_for(silences: DataFrame) -> DataFrame:
    """One row per month and brand: ``set_days``, and ``asked_days``, the least length after which at most the share allowed wake; null: none is."""
    least = F.min(F.expr("if(is_enough, days, null)")).alias("asked_days")
    return silences.groupBy("month", "brand").agg(F.max("set_days").alias("set_days"), least)


def warning(row: Mapping[str, Any], settings: ChurnSettings) -> str:
    """In words, what is wrong with the length set for a brand (a row of ``asked_for``); empty where nothing is, or none is set.

    >>> from churnlake.core.settings import load
    >>> from churnlake.settings import Settings
    >>> churn = load(Settings, "local").churn
    >>> warning({"brand": "mzone", "set_days": 60, "asked_days": 71}, churn)
    'churn.silent_days of mzone is 60, but only after 71 days of silence do at most 5 % wake'
    >>> warning({"brand": "mzone", "set_days": 60, "asked_days": 41}, churn)
    ''
    """
    if row["set_days"] is None or (row["asked_days"] is not None and row["asked_days"] <= row["set_days"]):
        return ""
    most = f"at most {settings.waking.most_share:.0%} wake".replace("%", " %")
    if row["asked_days"] is None:
        return f"churn.silent_days of {row['brand']} is {row['set_days']}, but after no length seen so far do {most}"
    return (
        f"churn.silent_days of {row['brand']} is {row['set_days']}, but only after {row['asked_days']} days of silence do {most}"
    )


def _silences(
    usage: DataFrame,
    recharges: DataFrame | None,
    subscribers: DataFrame | None,
    months: Sequence[dt.date],
    settings: ChurnSettings,
) -> DataFrame:
    """One row per month and silence of a day and more that began before its end: month, brand, days, wakes.

    One still open is told to have been seen for all but its last day: whether it ends after that one is not known.
    """
    by_day = Window.partitionBy("user_id").orderBy("day")
    begun = F.max("is_own").over(by_day.rowsBetween(Window.unboundedPreceding, 0))
    signs = signs_of_life(usage, recharges).select(
        "user_id", "day", F.lead("day").over(by_day).alias("next_day"), begun.alias("has_begun")
    )
    quiet = signs.where("has_begun AND (next_day IS NULL OR next_day > date_add(day, 1))")
    if subscribers is None:
        quiet = quiet.withColumns(
            {"brand": F.lit("unknown"), "left_on": F.lit(None).cast("date"), "told_on": F.lit(None).cast("date")}
        )
    else:
        orders = (
            subscribers.where("left_on IS NOT NULL")
            .groupBy("user_id")
            .agg(F.min("left_on").alias("left_on"), F.min("delivered_on").alias("told_on"))
        )
        quiet = quiet.join(orders, on="user_id", how="left").join(first_brands(subscribers), on="user_id", how="left")
        quiet = quiet.withColumn("brand", F.expr("coalesce(brand, 'unknown')"))
    each = quiet.withColumn("month", F.explode(F.array(*(F.lit(month) for month in months))))
    each = each.withColumn("ends_on", F.last_day("month"))
    each = each.where(f"day <= ends_on AND day >= date_sub(ends_on, {settings.waking.looks_back_days})")
    each = each.withColumn("wakes", F.expr("coalesce(next_day <= ends_on, false)"))
    can_wake = "left_on IS NULL OR told_on > ends_on OR left_on < day OR (wakes AND left_on > next_day)"
    length = F.expr("datediff(if(wakes, next_day, ends_on), day) - 1")
    return each.where(can_wake).select("month", "brand", length.alias("days"), "wakes").where("days >= 1")
