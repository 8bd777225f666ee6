"""Joining cohorts month by month, in heads and in revenue, and how long joiners stay: heads may hold while revenue collapses (seed 000, p. 55)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.churn import fees
from churnlake.churn.destinations import due_months
from churnlake.churn.settings import ChurnSettings
from churnlake.core.runs import Days
from churnlake.stats.survival import interval, product_limit
from churnlake.tables.staying import COHORTS, SURVIVAL

EACH = "stack(4, 'all', 'all', 'brand', brand, 'plan', plan, 'dealer', dealer) AS (dimension, value)"


def months_told(days: Days, settings: ChurnSettings) -> list[dt.date]:
    """Months told within the days: when the bills of a month are there."""
    return due_months(days, settings.revenue.closes_days)


def first_month(months: Sequence[dt.date], settings: ChurnSettings) -> dt.date:
    """First month of joining that is still followed in these months."""
    first, back = min(months), settings.cohorts.follows_months
    years, month = divmod(first.year * 12 + first.month - 1 - back, 12)
    return dt.date(years, month + 1, 1)


def members(joiners: DataFrame, subscribers: DataFrame | None) -> DataFrame:
    """One row per joiner: user_id, joined_on, cohort (its month), and brand, plan and dealer as first delivered.

    Args:
        joiners: reentry.joiners from the first month followed on.
        subscribers: reference.subscribers; without them brand, plan and dealer are unknown.
    """
    rows = joiners.groupBy("user_id").agg(F.min("joined_on").alias("joined_on"))
    rows = rows.withColumn("cohort", F.trunc("joined_on", "MM"))
    if subscribers is None:
        return rows.withColumns({name: F.lit("unknown") for name in ("brand", "plan", "dealer")})
    names = {"brand": "brand", "plan": "plan_id", "dealer": "dealer_id"}
    first = F.min(F.struct("delivered_on", *names.values())).alias("first")
    told = (
        subscribers.groupBy("user_id")
        .agg(first)
        .select("user_id", *(F.col(f"first.{c}").alias(name) for name, c in names.items()))
    )
    return rows.join(told, on="user_id", how="left").na.fill("unknown", list(names))


def cohorts(
    joined: DataFrame,
    features: DataFrame,
    bills: DataFrame | None,
    earlier: DataFrame | None,
    months: Sequence[dt.date],
    settings: ChurnSettings,
) -> DataFrame:
    """One row per month told, cohort and value of a dimension (churn.cohorts).

    A user who is not there in a month is not active and pays nothing. What a cohort pays is set against its first whole month, which
    is looked up among the rows told before where it lies before these months.

    Args:
        joined: the joiners (``members``).
        features: features.monthly of the months.
        bills: reference.bills, where they are delivered.
        earlier: churn.cohorts told before, where there are any.
        months: the months told.
        settings: how long cohorts are followed.
    """
    since = F.expr("cast(months_between(month, cohort) as int)")
    asked = joined.withColumn("month", F.explode(F.array(*(F.lit(month) for month in months)))).withColumn("months_since", since)
    asked = asked.where(f"months_since BETWEEN 0 AND {settings.cohorts.follows_months}")
    there = features.where(F.col("month").isin(list(months)))
    paid = fees.monthly(there, bills, settings).select(
        "month", "user_id", "is_active", F.expr("coalesce(billed_yuan, used_yuan)").alias("fee")
    )
    rows = asked.join(paid, on=["month", "user_id"], how="left")
    rows = rows.select("cohort", "month", "months_since", F.expr(EACH), "is_active", "fee")
    key = ["cohort", "dimension", "value"]
    sums = rows.groupBy("month", "months_since", *key).agg(
        F.count("*").alias("users"),
        F.expr("count_if(coalesce(is_active, false))").alias("active"),
        F.expr("cast(coalesce(sum(fee), 0) as decimal(12,2))").alias("fee_yuan"),
    )
    whole = sums.where("months_since = 1").select(*key, F.col("fee_yuan").alias("whole_fee_yuan"))
    if earlier is not None:
        whole = whole.unionByName(earlier.where("months_since = 1").select(*key, F.col("fee_yuan").alias("whole_fee_yuan")))
    told = sums.join(whole, on=key, how="left").withColumn("whole_fee_yuan", F.expr("if(months_since > 0, whole_fee_yuan, null)"))
    return told.withColumns(
        {
            "known_on": F.expr(f"date_add(last_day(month), {settings.revenue.closes_days})"),
            "heads_share": F.expr("round(active / users, 6)"),
            "revenue_share": F.expr("round(cast(fee_yuan as double) / nullif(cast(whole_fee_yuan as double), 0D), 6)"),
        }
    ).select(COHORTS.names)


def survival(joined: DataFrame, leavings: DataFrame, months: Sequence[dt.date], settings: ChurnSettings) -> DataFrame:
    """One row per month told, value of a dimension and tenure at every ``step_days`` (churn.survival).

    Product-limit estimate of Kaplan and Meier 1958 with the variance of Greenwood 1926. A joiner is followed to the first leaving
    confirmed when the month is told, else to as many days before as the longest silence takes to be confirmed: who left since then is
    not known yet, and who looks as if staying may have left.

    Args:
        joined: the joiners (``members``).
        leavings: churn.leavings.
        months: the months told.
        settings: lengths of silence, steps, least users of a value.
    """
    how = settings.cohorts
    waits = max(settings.suspended_days, settings.silent_days_otherwise, *settings.silent_days.values())
    left = leavings.select("user_id", "leave_on", F.col("known_on").alias("confirmed_on"))
    asked = joined.withColumn("month", F.explode(F.array(*(F.lit(month) for month in months))))
    asked = asked.withColumn("known_on", F.expr(f"date_add(last_day(month), {settings.revenue.closes_days})"))
    asked = asked.withColumn("seen_to", F.date_sub("known_on", waits)).where(
        f"seen_to > joined_on AND months_between(month, cohort) <= {how.follows_months}"
    )
    gone = asked.select("user_id", "month", "joined_on", "known_on", "seen_to").join(left, on="user_id", how="inner")
    gone = gone.where("leave_on > joined_on AND leave_on <= seen_to AND confirmed_on <= known_on")
    ends = gone.groupBy("user_id", "month").agg(F.min("leave_on").alias("leave_on"))
    spells = asked.join(ends, on=["user_id", "month"], how="left")
    spells = spells.select(
        "month",
        F.expr(EACH),
        F.expr("datediff(coalesce(leave_on, seen_to), joined_on)").alias("days"),
        F.col("leave_on").isNotNull().alias("has_left"),
    )
    key = ["month", "dimension", "value"]
    large = spells.groupBy(*key).agg(F.count("*").alias("users")).where(f"users >= {how.least_users}").select(*key)
    told = product_limit(spells.join(large, on=key, how="left_semi"), key, "days", "has_left")
    step = F.expr(f"cast(ceil(days / {how.step_days}) * {how.step_days} as int)").alias("step")
    # a tenure stands for the days since the one before; the last stretch, cut short by the end of sight, is told as its last day
    ends_at = told.groupBy(*key, step).agg(F.max("days").alias("days"), F.sum("events").alias("left_since"))
    at = told.join(ends_at.drop("step"), on=[*key, "days"], how="inner")
    low, high = interval("lasting", "variance_sum", "at_risk", how.deviations)
    return at.withColumns(
        {
            "known_on": F.expr(f"date_add(last_day(month), {settings.revenue.closes_days})"),
            "staying": F.expr("round(lasting, 6)"),
            "staying_low": F.expr(f"round({low}, 6)"),
            "staying_high": F.expr(f"round({high}, 6)"),
        }
    ).select(SURVIVAL.names)
