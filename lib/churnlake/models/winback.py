"""Who of those who left comes back when contacted: what is taught, and who is asked for."""

from __future__ import annotations

import datetime as dt

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

WINBACK = "winback"


def responses(
    touches: DataFrame, leavings: DataFrame, usage: DataFrame, matches: DataFrame | None, within_days: int, known_on: dt.date
) -> DataFrame:
    """One row per user reached by a contact after its leaving was known, once it is closed whether it came back: as churn.labels.

    Came back: an own outgoing event, or found again under another number, after the contact and within so many days. ``month`` is the
    last whole one before the user left: its features are what is taught.

    Args:
        touches: reference.touches; those reached count.
        leavings: churn.leavings.
        usage: daily.usage.
        matches: reentry.matches, None where there are none.
        within_days: in which an answer counts.
        known_on: the day up to which all is known.
    """
    asked = touches.where("is_reached").select("user_id", "assigned_on").join(
        leavings.select("user_id", "leave_on", F.col("known_on").alias("left_known_on")), on="user_id", how="inner"
    )  # fmt: skip
    asked = asked.where("left_known_on <= assigned_on").groupBy("user_id").agg(
        F.max("leave_on").alias("leave_on"), F.min("assigned_on").alias("assigned_on")
    )  # fmt: skip
    closes_on = F.date_add("assigned_on", within_days)
    asked = asked.withColumn("closes_on", closes_on).where(F.col("closes_on") <= F.lit(known_on))
    signs = usage.where("own_events > 0").select("user_id", F.col("day").alias("back_on"))
    if matches is not None:
        signs = signs.unionByName(matches.select(F.col("old_user_id").alias("user_id"), F.col("known_on").alias("back_on")))
    back = asked.join(signs, on="user_id", how="inner").where("back_on > assigned_on AND back_on <= closes_on")
    back = back.select("user_id", F.lit(True).alias("is_back")).distinct()
    told = asked.join(back, on="user_id", how="left").withColumn("has_churned", F.col("is_back").isNotNull())
    return told.select(
        F.col("closes_on").alias("known_on"),
        F.expr("cast(add_months(trunc(leave_on, 'MM'), -1) as date)").alias("month"),
        "user_id",
        F.lit(WINBACK).alias("target"),
        "has_churned",
        F.col("has_churned").alias("has_churned_for_good"),
        F.lit(None).cast("string").alias("kind"),
    )


def gone(features: DataFrame, leavings: DataFrame, month: dt.date) -> DataFrame:
    """One row per user whose leaving became known in the month: the features of the last whole month before it left, said of the month."""
    told = leavings.where(F.trunc("known_on", "MM") == F.lit(month)).groupBy("user_id").agg(F.max("leave_on").alias("leave_on"))
    last = told.select("user_id", F.expr("cast(add_months(trunc(leave_on, 'MM'), -1) as date)").alias("month"))
    return features.join(last, on=["user_id", "month"], how="left_semi").withColumn("month", F.lit(month))
