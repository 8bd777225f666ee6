"""Who of a user's neighbours has left, as known at a month's end."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.circles.activation import activation, with_parts
from churnlake.circles.settings import GroupSettings

WINDOWS = {"1m": 0, "3m": 2}
"""By end of a column's name: months before the month in which a leaving may have become known."""
LONG = "3m"
"""The window of shares: of the month alone too few are known."""


def first_month_needed(months: list[dt.date], settings: GroupSettings) -> dt.date:
    """The earliest month whose signatures neighbours of these months are taken from."""
    number = min(months).year * 12 + min(months).month - 1 - settings.neighbour_months
    return dt.date(number // 12, number % 12 + 1, 1)


def first_day_needed(months: list[dt.date], settings: GroupSettings) -> dt.date:
    """First day of daily usage that tells which neighbours have fallen silent."""
    return min(months) - dt.timedelta(days=settings.silent_history_days)


def neighbours(
    circles: DataFrame,
    leavings: DataFrame,
    usage: DataFrame,
    months: list[dt.date],
    settings: GroupSettings,
    checkpoint: Callable[[DataFrame], DataFrame],
) -> DataFrame:
    """One row per month and user active in it with neighbours: how many there are, have fallen silent or are known to have left, their shares,
    how close the closest silent one is, and how much of these people's energy reaches the user (``activation``).

    A neighbour is a peer of the user's circle at the month's end or at one of the ``neighbour_months`` month ends before it, with
    the greatest strength it had at any of them: who is known to have left has been silent for two months or three, and is hardly
    in the newest circle any more. It is one of ours if it had a circle itself at one of these or is known to have left.
    Nothing that became known after the month's end counts. That somebody has left is known two months late, and friends follow sooner:
    silent is who used the number in the last ``silent_most_days``, but not in the last ``silent_days``, and would have done so
    ``silent_least_missed`` times since at the pace before (of ``silent_history_days``, with ``silent_least_events`` at least): who calls
    once a week is silent for a fortnight now and then.

    Closeness of two people is the strength of their tie over the geometric mean of the strengths of all ties of each: a tenth of the
    calls of one who calls everybody is less than half of the calls of one who calls two. Who leaves takes close ones along, hardly others.

    Args:
        circles: signatures without hubs, from ``first_month_needed`` on (``ties.close``).
        leavings: churn.leavings.
        usage: daily.usage, from ``first_day_needed`` on.
        months: first days of the months to make.
        settings: months looked back on.
        checkpoint: materialises a frame and cuts its lineage.
    """
    of = F.array(*[F.lit(month) for month in months])
    near = F.expr(f"month <= of AND month >= add_months(of, -{settings.neighbour_months})")
    seen = circles.select("month", "user_id", "peer_id", "strength", F.explode(of).alias("of")).where(near)
    circle = seen.groupBy("of", "user_id", "peer_id").agg(F.max("strength").alias("strength"))
    active = circles.where(F.col("month").isin(months)).select(F.col("month").alias("of"), "user_id").distinct()
    told = leavings.select("user_id", "known_on", F.explode(of).alias("of")).where("known_on <= last_day(of)")
    since = [F.max(F.expr(f"known_on >= add_months(of, -{back})")).alias(f"left_{window}") for window, back in WINDOWS.items()]
    left = told.groupBy("of", "user_id").agg(*since)
    used = usage.where("own_events > 0").select("user_id", "own_events", F.explode(of).alias("of"), "day")
    used = used.withColumn("back", F.expr("datediff(last_day(of), day)")).where(
        f"back >= 0 AND back < {settings.silent_history_days}"
    )
    paced = used.groupBy("of", "user_id").agg(
        F.min("back").alias("back"), F.max("back").alias("since"), F.sum("own_events").alias("events")
    )
    quiet = paced.where(
        f"back >= {settings.silent_days} AND back < {settings.silent_most_days} AND events >= {settings.silent_least_events} "
        f"AND events * back >= {settings.silent_least_missed} * (since - back + 1)"
    )
    silent = quiet.select("of", F.col("user_id").alias("peer_id"), F.lit(True).alias("is_silent"))
    # one of ours: with the flags of who left
    ours = (
        seen.select("of", "user_id")
        .distinct()
        .join(left, on=["of", "user_id"], how="full")
        .withColumnRenamed("user_id", "peer_id")
        .join(silent, on=["of", "peer_id"], how="left")
    )
    known = circle.join(active, on=["of", "user_id"], how="left_semi").join(ours, on=["of", "peer_id"], how="inner")
    known = with_parts(known.withColumn("has_gone", F.expr("coalesce(is_silent, false) OR coalesce(left_3m, false)")))
    known = checkpoint(known)
    reached = activation(known, settings, checkpoint)
    counted = known.groupBy("of", "user_id").agg(
        F.count("*").alias("neighbours"),
        F.sum("strength").alias("strength"),
        F.count_if("is_silent").alias("neighbours_silent"),
        # a tie's part of the peer's strength, and (below) of the user's own: closeness is the root of both
        F.expr("max(strength * part) FILTER (WHERE is_silent)").alias("closest"),
        *[F.count_if(f"left_{window}").alias(f"neighbours_left_{window}") for window in WINDOWS],
        F.expr(f"coalesce(sum(strength) FILTER (WHERE left_{LONG}), 0)").alias(f"strength_{LONG}"),
    )
    told = counted.join(reached, on=["of", "user_id"], how="left").withColumnRenamed("of", "month")
    return told.select(
        "month", "user_id", "neighbours", "neighbours_silent",
        F.expr("round(sqrt(coalesce(closest, 0) / strength), 6)").alias("silent_closeness"),
        *[f"neighbours_left_{window}" for window in WINDOWS],
        F.expr(f"neighbours_left_{LONG} / neighbours").alias(f"neighbours_left_share_{LONG}"),
        F.expr(f"strength_{LONG} / strength").alias(f"neighbours_left_strength_share_{LONG}"),
        F.expr("round(coalesce(activation, 0), 6)").alias("activation"),
    )  # fmt: skip
