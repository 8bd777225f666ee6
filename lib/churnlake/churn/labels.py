"""What the model is taught: who left in the month after, naive and corrected for those who came back under another number."""

from __future__ import annotations

import datetime as dt

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.churn.settings import ChurnSettings
from churnlake.core.runs import Days


def label_months(days: Days, settings: ChurnSettings) -> list[dt.date]:
    """Feature months whose labels close within the days of the run."""
    months = []
    month = (days.first - dt.timedelta(days=settings.label_closes_days + 95)).replace(day=1)
    while month <= days.last:
        if days.first <= closes_on(month, settings) <= days.last:
            months.append(month)
        month = (month + dt.timedelta(days=32)).replace(day=1)
    return months


def closes_on(month: dt.date, settings: ChurnSettings) -> dt.date:
    """Day on which the labels of a feature month close: so many days after the end of the month that follows it."""
    after_next = (month + dt.timedelta(days=70)).replace(day=1)
    return after_next - dt.timedelta(days=1) + dt.timedelta(days=settings.label_closes_days)


def labels(
    features: DataFrame, usage: DataFrame, leavings: DataFrame, matches: DataFrame | None, settings: ChurnSettings
) -> DataFrame:
    """One row per user active in the feature month of whom it is decided, when the label closes, whether the user left.

    Active: an own outgoing event within the month's last days, and not suspended. Left: a leaving that began in the month
    after and was confirmed by the closing day. Stayed: an own event after that month. Neither: undecided, no row.
    Left for good: left, and by the closing day not found again under another number (re-entry matches of any stage).
    ``features`` hold the label months only; ``usage`` is daily.usage.
    """
    active = features.where(f"last_use_days < {settings.active_within_days} AND coalesce(is_suspended, 0) = 0").select(
        "month", "user_id"
    )
    active = active.withColumn("outcome_from", F.expr("add_months(month, 1)")).withColumn(
        "outcome_to", F.expr("last_day(add_months(month, 1))")
    )
    active = active.withColumn("known_on", F.date_add("outcome_to", settings.label_closes_days))
    left = leavings.select("user_id", "leave_on", F.col("known_on").alias("left_known_on"))
    gone = active.join(left, how="inner", on="user_id").where(
        "leave_on BETWEEN outcome_from AND outcome_to AND left_known_on <= known_on"
    )
    gone = gone.groupBy("month", "user_id").agg(F.min("leave_on").alias("leave_on"))
    last_seen = usage.where("own_events > 0").select("user_id", "day")
    seen = (
        active.join(last_seen, how="inner", on="user_id")
        .where("day > outcome_to AND day <= known_on")
        .select("month", "user_id")
        .distinct()
        .withColumn("was_seen", F.lit(True))
    )
    rows = active.join(gone, on=["month", "user_id"], how="left").join(seen, on=["month", "user_id"], how="left")
    decided = rows.where("leave_on IS NOT NULL OR was_seen").withColumn("has_left", F.expr("leave_on IS NOT NULL"))
    if matches is None:
        return decided.select("known_on", "month", "user_id", "has_left", F.col("has_left").alias("has_left_for_good"))
    back = matches.select(F.col("old_user_id").alias("user_id"), F.col("known_on").alias("back_known_on"))
    returned = (
        decided.where("has_left")
        .join(back, how="inner", on="user_id")
        .where("back_known_on <= known_on")
        .select("month", "user_id")
        .distinct()
        .withColumn("is_back", F.lit(True))
    )
    told = decided.join(returned, on=["month", "user_id"], how="left")
    return told.select(
        "known_on", "month", "user_id", "has_left", F.expr("has_left AND is_back IS NULL").alias("has_left_for_good")
    )
