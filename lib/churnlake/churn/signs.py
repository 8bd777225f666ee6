"""The alarm signs: what each is seen by, and the days on which it appears and ends. Definitions: mission, A5 and "Stages"."""

from __future__ import annotations

import datetime as dt
from functools import reduce

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from churnlake.churn import falls
from churnlake.churn.settings import ChurnSettings
from churnlake.core.runs import Days
from churnlake.tables.stages import SIGNS

EVENTS = {
    "forwarding": "voice_forwarded_calls_to_unicom_gsm + voice_forwarded_calls_to_unicom_cdma > 0",
    "hotline": "voice_out_calls_to_competitor_hotline > 0",
}
"""Signs that are an event of a day: SQL over daily.usage."""


def first_day_needed(days: Days, settings: ChurnSettings) -> dt.date:
    """First day of daily.usage that signs of these days look at, but for what normal use is made of."""
    return days.first - dt.timedelta(days=max(settings.signs.quiet_days, *settings.signs.fall.windows_days))


def signs(
    usage: DataFrame,
    normals: DataFrame | None,
    subscribers: DataFrame | None,
    bills: DataFrame | None,
    known: DataFrame | None,
    days: Days,
    settings: ChurnSettings,
) -> DataFrame:
    """One row per user, sign and day of the run on which the sign appeared or ended (churn.signs).

    A call sent on, or to the competitor's hotline, counts for ``quiet_days``; a fall until use is back; a suspension until the
    register tells of none, a debt until a bill is paid. A day's rows rest on ``known`` and on that day's marks, so a range of
    days gives what its days give one by one.

    Args:
        usage: daily.usage from ``first_day_needed`` on.
        normals: churn.normals; without them no fall is seen.
        subscribers: reference.subscribers delivered in the days of the run.
        bills: reference.bills delivered in them.
        known: churn.signs of the days before; None where there is none.
        days: the days to make, without a gap.
        settings: how long signs count, their limits, and which debt is one.
    """
    found = [_events(usage, sign, condition, settings.signs.quiet_days) for sign, condition in EVENTS.items()]
    if normals is not None:
        found.append(falls.marks(usage, normals, days, settings.signs.fall).withColumn("sign", F.lit("use_fell")))
    if subscribers is not None:
        found.append(_suspended(subscribers))
    if bills is not None:
        found.append(_in_arrears(bills, settings.passive.least_arrears_yuan))
    return _changes(reduce(DataFrame.unionByName, found), known, days)


def on_at(known: DataFrame, *by: str) -> DataFrame:
    """One row per user and sign that is on after these rows of churn.signs: ``by``, user_id, sign, since.

    ``by`` are columns that part the rows, each part with rows of its own days.
    """
    state = F.max_by(F.struct("is_seen", "since"), "known_on").alias("state")
    newest = known.groupBy(*by, "user_id", "sign").agg(state).where("state.is_seen")
    return newest.select(*by, "user_id", "sign", F.col("state.since").alias("since"))


def _events(usage: DataFrame, sign: str, condition: str, quiet: int) -> DataFrame:
    seen = usage.where(condition).select("user_id", "day")
    after = F.lead("day").over(Window.partitionBy("user_id").orderBy("day"))
    ends = seen.withColumn("after", after).withColumn("ends", F.date_add("day", quiet))
    ended = ends.where("after IS NULL OR after > ends").select(
        "user_id", F.col("ends").alias("day"), F.lit(False).alias("is_seen"), F.col("ends").alias("since")
    )
    began = seen.select("user_id", "day", F.lit(True).alias("is_seen"), F.col("day").alias("since"))
    return began.unionByName(ended).withColumn("sign", F.lit(sign))


def _suspended(subscribers: DataFrame) -> DataFrame:
    """Marks of each delivery: suspended then, or with a cancel order for a later day (suspension asked or in force)."""
    is_seen = F.expr("coalesce(status = 'suspended', false) OR coalesce(left_on > delivered_on, false)")
    since = F.expr("if(status = 'suspended', least(coalesce(status_since, delivered_on), delivered_on), delivered_on)")
    return subscribers.select(
        "user_id",
        F.col("delivered_on").alias("day"),
        is_seen.alias("is_seen"),
        since.alias("since"),
        F.lit("suspended").alias("sign"),
    )


def _in_arrears(bills: DataFrame, least_yuan: float) -> DataFrame:
    """Marks of each delivery: its newest bill is unpaid; since the day after the month it is of."""
    newest = bills.groupBy("user_id", F.col("delivered_on").alias("day")).agg(
        F.max("month").alias("month"), F.max_by("arrears_yuan", "month").alias("owed")
    )
    return newest.select(
        "user_id", "day",
        F.expr(f"coalesce(owed, 0) >= {least_yuan} AND coalesce(owed, 0) > 0").alias("is_seen"),
        F.expr("least(add_months(month, 1), day)").alias("since"),
        F.lit("arrears").alias("sign"),
    )  # fmt: skip


def _changes(marks: DataFrame, known: DataFrame | None, days: Days) -> DataFrame:
    """Of marks of what is on or off on a day, those that change it; a sign seen on the day it would end goes on.

    Where nothing is known of the days before, what earlier marks leave on appears on the first day.
    """
    first = F.lit(days.first)
    of_run = marks.where(F.col("day") <= F.lit(days.last))
    rows = (of_run if known is None else of_run.where(F.col("day") >= first)).select("user_id", "sign", "day", "is_seen", "since")
    rows = rows.withColumn("at", F.greatest("day", first))
    if known is not None:
        before = F.lit(days.first - dt.timedelta(days=1))
        stored = on_at(known.where(F.col("known_on") < first)).select("user_id", "sign", "since")
        rows = rows.unionByName(stored.withColumns({"day": before, "at": before, "is_seen": F.lit(True)}))
    daily = rows.groupBy("user_id", "sign", "at").agg(F.max(F.struct("day", "is_seen", "since")).alias("last"))
    by_day = Window.partitionBy("user_id", "sign").orderBy("at")
    told = daily.select("*", "last.is_seen", "last.since").withColumn("was_seen", F.lag("is_seen", 1, False).over(by_day))
    changed = told.where("is_seen <> was_seen").where(F.col("at") >= first)
    return changed.select(
        F.col("at").alias("known_on"), "user_id", "sign", "is_seen", F.when(F.col("is_seen"), F.col("since")).otherwise(F.col("at")).alias("since")
    ).select(SIGNS.names)  # fmt: skip
