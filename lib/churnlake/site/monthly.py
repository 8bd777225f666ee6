"""How many there were by month: users, joiners, matches, leavings."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F


def rows_as(name: str = "rows") -> Column:
    """The number of rows, under that name."""
    return F.count(F.lit(1)).alias(name)


def newest_rows(frame: DataFrame, by: str) -> DataFrame:
    """The rows of the newest month, or day, there is."""
    return frame.join(F.broadcast(frame.agg(F.max(by).alias(by))), on=by, how="left_semi")


def users_by_month(usage: DataFrame) -> DataFrame:
    """One row per month: users with a record in it."""
    return usage.select(F.trunc("day", "MM").alias("month"), "user_id").distinct().groupBy("month").agg(rows_as("users"))


def joiners_by_month(joiners: DataFrame) -> DataFrame:
    """One row per month of joining, stage reached and scope: joiners, each at the latest stage it has reached."""
    latest = joiners.groupBy("user_id").agg(F.expr("max_by(struct(joined_on, scope, stage_days), stage_days) as at_last"))
    month = F.trunc("at_last.joined_on", "MM").alias("month")
    return latest.groupBy(month, F.col("at_last.stage_days"), F.col("at_last.scope")).agg(rows_as("users"))


def matches_by_month(latest: DataFrame) -> DataFrame:
    """One row per month of joining, kind, way found and same-handset: matched joiners."""
    by = [F.col(name) for name in ("kind", "found_by", "has_same_imei")]
    return latest.groupBy(F.trunc("joined_on", "MM").alias("month"), *by).agg(rows_as())


def leavings_by_month(leavings: DataFrame, matches: DataFrame | None) -> DataFrame:
    """One row per month of leaving, kind and brand: users who left, and those of them matched to a joiner since."""
    month = F.trunc("leave_on", "MM").alias("month")
    grouping = [F.col("kind"), F.expr("coalesce(brand, 'unknown')").alias("brand")]
    if matches is None:
        return leavings.groupBy(month, *grouping).agg(rows_as("users")).withColumn("returned", F.lit(None).cast("long"))
    back = matches.groupBy(F.col("old_user_id").alias("user_id")).agg(F.lit(True).alias("is_back"))
    joined = leavings.join(back, on="user_id", how="left")
    return joined.groupBy(month, *grouping).agg(rows_as("users"), F.expr("count_if(is_back) as returned"))
