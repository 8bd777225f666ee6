"""Who left, and since when that is known. Definitions: mission, "Leaving"."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from churnlake.churn.settings import ChurnSettings
from churnlake.core.runs import Days


def leavings(
    usage: DataFrame, recharges: DataFrame | None, subscribers: DataFrame | None, days: Days, settings: ChurnSettings
) -> DataFrame:
    """One row per user who left and the day that was confirmed, within the days of the run.

    A leaving is confirmed by silence (no own outgoing event and no recharge for the brand's length), by a cancel order or
    by a long suspension; the first confirmation counts, and a user who wakes and leaves again leaves twice. A number that is closed long
    after it fell silent, and was not used between, is left once.
    ``usage`` is daily.usage from ``looks_back_days`` before the run on; ``subscribers`` every delivery up to the run's end.
    """
    found = _silent(usage, recharges, subscribers, settings)
    if subscribers is not None:
        found = found.unionByName(_ordered(subscribers)).unionByName(_suspended(subscribers, settings))
        found = found.join(first_brands(subscribers), on="user_id", how="left")
    else:
        found = found.withColumn("brand", F.lit(None).cast("string"))
    by_user = Window.partitionBy("user_id").orderBy("known_on", "leave_on", "kind")
    # a second confirmation of the same leaving is none: it must begin after the one before was known
    told = found.withColumn("told_before", F.max("known_on").over(by_user.rowsBetween(Window.unboundedPreceding, -1)))
    fresh = told.where("told_before IS NULL OR leave_on > told_before").where(
        F.col("known_on").between(F.lit(days.first), F.lit(days.last))
    )
    # closed by the operator, or suspended, after the leaving was known: another one only of who has used the number since
    own = usage.where("own_events > 0").select("user_id", "day")
    late = F.expr("told_before IS NOT NULL AND kind <> 'silent'")
    woke = fresh.where(late).join(own, on="user_id", how="inner").where("day > told_before AND day <= known_on")
    again = fresh.where(late).join(woke.select("user_id", "known_on").distinct(), on=["user_id", "known_on"], how="left_semi")
    return fresh.where(~late).unionByName(again).select("known_on", "user_id", "leave_on", "kind", "brand")


ACTIVE_BY = ("last_use_days", "is_suspended")
"""Columns of features.monthly that ``is_active`` reads."""


def is_active(settings: ChurnSettings) -> str:
    """SQL over features.monthly: whether a user is active at the month's end (mission, "Leaving")."""
    return f"(last_use_days < {settings.active_within_days} AND coalesce(is_suspended, 0) = 0)"


def silent_length(brand: str, settings: ChurnSettings) -> Column:
    """Days of silence that confirm a leaving, by brand."""
    lengths = F.lit(settings.silent_days_otherwise)
    for name, length in settings.silent_days.items():
        lengths = F.when(F.col(brand) == name, F.lit(length)).otherwise(lengths)
    return lengths


def first_brands(subscribers: DataFrame) -> DataFrame:
    """One row per user: the first brand on record, for a later delivery must not change what was said before it."""
    return subscribers.groupBy("user_id").agg(F.min_by("brand", "delivered_on").alias("brand"))


def signs_of_life(usage: DataFrame, recharges: DataFrame | None) -> DataFrame:
    """One row per user and day with an own outgoing event or a recharge; ``is_own``: with an own event."""
    signs = usage.where("own_events > 0").select("user_id", "day", F.lit(True).alias("is_own"))
    if recharges is not None:
        signs = signs.unionByName(recharges.select("user_id", "day", F.lit(False).alias("is_own")))
    return signs.groupBy("user_id", "day").agg(F.max("is_own").alias("is_own"))


def _silent(usage: DataFrame, recharges: DataFrame | None, subscribers: DataFrame | None, settings: ChurnSettings) -> DataFrame:
    by_day = Window.partitionBy("user_id").orderBy("day")
    timed = signs_of_life(usage, recharges).select(
        "user_id", "day", F.lead("day").over(by_day).alias("next_day"),
        F.max(F.expr("if(is_own, day, null)")).over(by_day.rowsBetween(Window.unboundedPreceding, 0)).alias("last_own_day"),
    )  # fmt: skip
    branded = (
        timed.join(first_brands(subscribers), on="user_id", how="left")
        if subscribers is not None
        else timed.withColumn("brand", F.lit(None).cast("string"))
    )
    known = branded.withColumn("known_on", F.date_add("day", silent_length("brand", settings)))
    # a user that only ever recharged has not begun; the recharge is no use of the network
    quiet = known.where("last_own_day IS NOT NULL AND (next_day IS NULL OR next_day > known_on)")
    return quiet.select("user_id", "known_on", F.date_add("last_own_day", 1).alias("leave_on"), F.lit("silent").alias("kind"))


def _ordered(subscribers: DataFrame) -> DataFrame:
    told = subscribers.where("left_on IS NOT NULL").groupBy("user_id", "left_on").agg(F.min("delivered_on").alias("delivered_on"))
    return told.select(
        "user_id",
        F.greatest("delivered_on", "left_on").alias("known_on"),
        F.col("left_on").alias("leave_on"),
        F.lit("cancelled").alias("kind"),
    )


def _suspended(subscribers: DataFrame, settings: ChurnSettings) -> DataFrame:
    next_told = F.lead("delivered_on").over(Window.partitionBy("user_id").orderBy("delivered_on"))
    told = subscribers.select("user_id", "delivered_on", "status", "status_since", next_told.alias("next_told"))
    long = told.where("status = 'suspended' AND status_since IS NOT NULL").withColumn(
        "due_on", F.date_add("status_since", settings.suspended_days)
    )
    lasting = (
        long.where("next_told IS NULL OR next_told > due_on")
        .groupBy("user_id", "status_since")
        .agg(F.min(F.greatest("delivered_on", "due_on")).alias("known_on"))
    )
    return lasting.select("user_id", "known_on", F.col("status_since").alias("leave_on"), F.lit("suspended").alias("kind"))
