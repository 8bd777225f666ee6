"""Revenue churn: who stays but pays half, and how. Leaving the network is another thing (mission, A3: 流失不等于离网)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from churnlake.churn import fees
from churnlake.churn.settings import ChurnSettings, RevenueSettings
from churnlake.core.months import month_before

REVENUE = "revenue"
MEASURES = ["fee", "services", "use"]
"""What is compared with its own mean; a service's part of the fee is divided by the fee's index, so that it stays a part."""


def revenue_labels(
    features: DataFrame,
    bills: DataFrame | None,
    subscriptions: DataFrame | None,
    months: Sequence[dt.date],
    settings: ChurnSettings,
) -> DataFrame:
    """One row per user active in a feature month whose usual fee is known: whether it was still active and paid half in the month after.

    The fee of the outcome month against the mean of the ``months_before`` up to the feature month, each divided by the index of the
    user's brand and plan in it (``fees.indexed``). A fee is what was billed where all months of the user have a bill, what the
    records cost where none has; of others it is undecided, and there is no row. Who is not active at the outcome month's end has
    not churned by revenue: that is leaving, and another target.

    Kinds, the first that holds:

    - cancelled: at least ``service_share`` of the fall is in monthly and service fees, and a service ended in these two months;
    - diverted: calls are sent on to the competitor and use is at most ``forwarding_use`` of its mean, or use fell by at least
      ``diverted_share`` of what the fee fell by, both as shares of their means;
    - cheaper: the rest, whose use was kept.

    Args:
        features: features.monthly from ``first_month`` of the first feature month to the last outcome month.
        bills: reference.bills of these months, where they are delivered.
        subscriptions: reference.subscriptions, where they are delivered; without them nothing is cancelled.
        months: feature months.
        settings: definitions.
    """
    how = settings.revenue
    spread = _spread(fees.monthly(features, bills, settings), months, how)
    whole = Window.partitionBy("of", "user_id")
    billed = F.count("billed_yuan").over(whole)
    fee = F.when(billed == F.count("*").over(whole), F.col("billed_yuan")).when(billed == 0, F.col("used_yuan"))
    told = spread.withColumn("fee", fee).withColumn("services", F.when(F.col("fee").isNotNull(), F.col("services_yuan")))
    told = told.withColumn("services", F.expr("coalesce(services / nullif(fee, 0), 0)"))
    divided = fees.indexed(told, "of", ["fee", "use"], how.least_cell_users).withColumn("services", F.expr("services * fee"))
    after = "month > of"
    compared = divided.groupBy("of", "user_id").agg(
        *(F.expr(f"avg({m}) FILTER (WHERE month <= of)").alias(f"{m}_before") for m in MEASURES),
        *(F.expr(f"max({m}) FILTER (WHERE {after})").alias(f"{m}_after") for m in MEASURES),
        F.expr("count(fee) FILTER (WHERE month <= of)").alias("months_known"),
        F.expr("max(is_active) FILTER (WHERE month = of)").alias("was_active"),
        F.expr(f"coalesce(max(is_active) FILTER (WHERE {after}), false)").alias("stays_active"),
        F.expr(f"coalesce(max(forwarded) FILTER (WHERE {after}), 0) > 0").alias("forwards"),
    )
    usual = f"was_active AND months_known >= {how.least_months} AND round(fee_before, 6) >= {how.least_mean_yuan}"
    decided = compared.where(f"{usual} AND (NOT stays_active OR fee_after IS NOT NULL)")
    fell = f"stays_active AND round(fee_after / fee_before, 6) <= {how.most_share}"
    rows = _with_ended(decided.withColumn("has_churned", F.expr(fell)), subscriptions, how)
    return rows.select(
        F.expr(f"date_add(last_day(add_months(of, 1)), {how.closes_days})").alias("known_on"),
        F.col("of").alias("month"),
        "user_id",
        F.lit(REVENUE).alias("target"),
        "has_churned",
        F.col("has_churned").alias("has_churned_for_good"),
        F.expr(f"CASE WHEN has_churned THEN {_kind(how)} END").alias("kind"),
    )


def months_billed(bills: DataFrame, settings: ChurnSettings) -> DataFrame:
    """One row per month with a bill that came in time for its revenue to be told."""
    return bills.where(f"delivered_on <= date_add(last_day(month), {settings.revenue.closes_days})").select("month").distinct()


def first_month(month: dt.date, settings: ChurnSettings) -> dt.date:
    """First of the months whose mean is usual for a feature month."""
    for _ in range(settings.revenue.months_before - 1):
        month = month_before(month)
    return month


def _spread(rows: DataFrame, months: Sequence[dt.date], how: RevenueSettings) -> DataFrame:
    """The rows once for every feature month (``of``) whose own mean or outcome they are part of."""
    spread = rows.withColumn("of", F.explode(F.array(*(F.lit(month) for month in months))))
    return spread.where(f"month BETWEEN add_months(of, {1 - how.months_before}) AND add_months(of, 1)")


def _with_ended(rows: DataFrame, subscriptions: DataFrame | None, how: RevenueSettings) -> DataFrame:
    """The rows with ``has_ended``: a service of the user ended in the feature month or the outcome month, as told when the label closes."""
    if subscriptions is None:
        return rows.withColumn("has_ended", F.lit(False))
    ended = subscriptions.where("ended_on IS NOT NULL").select("user_id", "ended_on", "delivered_on")
    within = (
        "ended_on BETWEEN of AND last_day(add_months(of, 1)) "
        f"AND delivered_on <= date_add(last_day(add_months(of, 1)), {how.closes_days})"
    )
    asked = rows.where("has_churned").select("of", "user_id")
    found = asked.join(ended, on="user_id", how="inner").where(within).select("of", "user_id").distinct()
    marked = rows.join(found.withColumn("is_found", F.lit(True)), on=["of", "user_id"], how="left")
    return marked.withColumn("has_ended", F.expr("coalesce(is_found, false)"))


def _kind(how: RevenueSettings) -> str:
    """SQL of the kind of a revenue churner."""
    in_services = f"has_ended AND services_before - services_after >= {how.service_share} * (fee_before - fee_after)"
    kept = "round(use_after / nullif(use_before, 0), 6)"
    sent_on = f"forwards AND {kept} <= {how.forwarding_use}"
    along = f"1 - {kept} >= {how.diverted_share} * (1 - round(fee_after / fee_before, 6))"
    return f"CASE WHEN {in_services} THEN 'cancelled' WHEN ({sent_on}) OR ({along}) THEN 'diverted' ELSE 'cheaper' END"
