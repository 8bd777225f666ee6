"""What the warning forecasts are of: whom they ask about at a month's end, and what became of each in the days after."""

from __future__ import annotations

import datetime as dt

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.churn.leaving import is_active
from churnlake.churn.settings import ChurnSettings, OutlookSettings
from churnlake.churn.signs import on_at
from churnlake.core.months import month_before
from churnlake.tables.stages import FORECAST_NAMES

APPEARS = {"second_phone": ("forwarding", "hotline"), "fall": ("use_fell",), "cancel": ("suspended",)}
"""By forecast, the alarm signs one of which is to appear; ``stop`` is seen by silence."""
ORDERED = ("cancelled", "suspended")
"""Leavings that a cancel order or a suspension confirmed, as churn.leavings names them."""


def asked(features: DataFrame, signs: DataFrame, settings: ChurnSettings) -> DataFrame:
    """The features of those a forecast asks about: active at the month's end, not suspended, no alarm sign that day.

    Args:
        features: features.monthly of the months to ask about.
        signs: churn.signs up to the last of their ends.
        settings: who counts as active.
    """
    active = features.where(is_active(settings))
    ends = features.select("month").distinct()
    before = signs.join(F.broadcast(ends), on=F.expr("known_on <= last_day(month)"), how="inner")
    alarmed = on_at(before, "month").select("month", "user_id").distinct()
    return active.join(alarmed, on=["month", "user_id"], how="left_anti")


def outcomes(
    asked: DataFrame, signs: DataFrame, usage: DataFrame, leavings: DataFrame | None, until: dt.date, settings: OutlookSettings
) -> DataFrame:
    """One row per month and user asked about whose days to come are over by ``until``: by forecast, whether it came true.

    Args:
        asked: month and user_id of ``asked``.
        signs, usage, leavings: churn.signs, daily.usage and churn.leavings up to ``until``; without leavings a cancel order is seen
            by the register's signs alone.
        until: the day on which this is known.
        settings: how many days are to come, and how many silent ones are a stop.
    """
    ends = f"date_add(last_day(month), {settings.days})"
    rows = asked.select("month", "user_id").where(f"{ends} <= date'{until}'")
    within = f"day > last_day(month) AND day <= {ends}"
    seen = signs.where("is_seen").select("user_id", F.col("known_on").alias("day"), "sign")
    if leavings is not None:
        ordered = leavings.where(F.col("kind").isin(*ORDERED))
        seen = seen.unionByName(ordered.select("user_id", F.col("known_on").alias("day"), F.lit("suspended").alias("sign")))
    came = rows.join(seen, on="user_id", how="inner").where(within)
    came = came.groupBy("month", "user_id").agg(
        *[F.max(F.col("sign").isin(*names)).alias(forecast) for forecast, names in APPEARS.items()]
    )
    late = f"day > date_sub({ends}, {settings.stop_days}) AND day <= {ends}"
    used = rows.join(usage.where("own_events > 0").select("user_id", "day"), on="user_id", how="inner").where(late)
    used = used.select("month", "user_id").distinct().withColumn("stop", F.lit(False))
    joined = rows.join(came, on=["month", "user_id"], how="left").join(used, on=["month", "user_id"], how="left")
    told = {name: F.coalesce(name, F.lit(name == "stop")) for name in FORECAST_NAMES}
    return joined.select("month", "user_id", *[column.alias(name) for name, column in told.items()])


def first_day_needed(month: dt.date, settings: OutlookSettings) -> dt.date:
    """First day of daily.usage that outcomes of this month or later ones look at."""
    return month + dt.timedelta(days=28 + settings.days - settings.stop_days)


def newest_over(end: dt.date, settings: OutlookSettings) -> dt.date:
    """First day of the newest month whose days to come are over on ``end``."""
    # the month before the one in which its last day would lie
    return month_before(end - dt.timedelta(days=settings.days - 1))
