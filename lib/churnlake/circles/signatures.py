"""Decayed contact signatures (after Cortes, Pregibon and Volinsky, Communities of Interest, 2001)."""

from __future__ import annotations

import calendar
import datetime as dt

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from churnlake.circles.settings import CircleSettings
from churnlake.tables.daily import CONTACTS

THOUSANDTHS = 1000


WEEK_TO = "date_sub(last_day(day), cast(7 * (datediff(last_day(day), day) div 7) as int))"
"""SQL of the last day of a day's week (circles.weeks)."""


def first_day_needed(months: list[dt.date], settings: CircleSettings) -> dt.date:
    """First day that signatures of these months look at."""
    return min(months) - dt.timedelta(weeks=settings.horizon_weeks)


def week_ends(first: dt.date, until: dt.date) -> list[dt.date]:
    """Last days of the weeks that end from ``first`` on and before ``until``."""
    days = [first + dt.timedelta(days=place) for place in range((until - first).days)]
    ends = ((day, calendar.monthrange(day.year, day.month)[1]) for day in days)
    return [day for day, last in ends if (last - day.day) % 7 == 0]


def weeks(edges: DataFrame) -> DataFrame:
    """One row per week, user and peer (circles.weeks), of daily edges: all peers, however weak."""
    return edges.groupBy(F.expr(WEEK_TO).alias("week_to"), "user_id", "peer_id").agg(
        F.expr(f"sum({CONTACTS})").alias("contacts"), F.expr("sum(voice_out_calls + message_out)").alias("contacts_out")
    )


def signatures(weeks: DataFrame, months: list[dt.date], settings: CircleSettings) -> DataFrame:
    """One row per user active in the month and peer among its strongest at the month's end.

    A contact of a week that ended w whole weeks before the month's end weighs ``weekly_decay ** w``; beyond ``horizon_weeks`` nothing.
    The weights are whole thousandths and ties go to the smaller peer_id, so the cut at ``peers_kept`` is the same whatever the
    order of rows. ``share`` is of the whole circle, before the cut.
    """
    spans = ", ".join(f"date'{month}'" for month in months)
    powers = ", ".join(str(round(THOUSANDTHS * settings.weekly_decay**w)) + "L" for w in range(settings.horizon_weeks))
    spread = weeks.withColumn("month", F.expr(f"explode(array({spans}))")).withColumn(
        "age", F.expr("datediff(last_day(month), week_to) div 7")
    )
    spread = spread.where(f"age >= 0 AND age < {settings.horizon_weeks} AND week_to <= last_day(month)").withColumn(
        "weight", F.expr(f"element_at(array({powers}), cast(age as int) + 1)")
    )
    # a circle lies together from here on: its sums and its places need no further move
    strengths = (
        spread.repartition("month", "user_id")
        .groupBy("month", "user_id", "peer_id")
        .agg(
            F.expr("sum(weight * contacts)").alias("strength"),
            F.expr("sum(weight * contacts_out)").alias("strength_out"),
            F.expr("max(week_to >= month)").alias("met_this_month"),
        )
    )
    circle = Window.partitionBy("month", "user_id")
    ranked = (
        strengths.withColumn("place", F.row_number().over(circle.orderBy(F.desc("strength"), "peer_id")))
        .withColumn("whole", F.sum("strength").over(circle))
        .withColumn("is_active", F.max("met_this_month").over(circle))
    )
    kept = ranked.where(f"is_active AND place <= {settings.peers_kept} AND strength > 0")
    return kept.select(
        "month",
        "user_id",
        "peer_id",
        "strength",
        "strength_out",
        F.expr("cast(strength as double) / whole").alias("share"),
        "place",
    )


def peers(kept: DataFrame) -> DataFrame:
    """One row per month and peer: in how many circles it is, and how strongly over all."""
    return kept.groupBy("month", "peer_id").agg(F.count("*").alias("users"), F.sum("strength").alias("strength"))
