"""Whether a user's own use has fallen, beyond what chance of few events allows, against the user's own normal use."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from churnlake.churn.settings import FallSettings
from churnlake.core.months import month_after
from churnlake.core.runs import Days
from churnlake.tables.stages import NORMALS

WEEK = 7


def normals(usage: DataFrame, months: Sequence[dt.date], settings: FallSettings) -> DataFrame:
    """One row per month and user with own events in enough whole weeks before its end (churn.normals).

    Weeks are counted back from the month's end and begin with the user's first record among them; a first week that is not whole
    is left out. ``dispersion`` is that of the weeks' sums, for the sums of days are less regular than chance has it: people talk in
    bouts, and more in one week than in another (quasi-Poisson, McCullagh and Nelder 1989).

    Args:
        usage: daily.usage, from ``normal_weeks`` before the first month's end on.
        months: first days of the months to make.
        settings: weeks looked back on, and how many a user must have been there.
    """
    of = F.array(*[F.lit(month) for month in months])
    near = f"day <= last_day(month) AND day > date_sub(last_day(month), {WEEK * settings.normal_weeks})"
    used = usage.select("user_id", "day", "own_events", F.explode(of).alias("month")).where(near)
    used = used.withColumn("age", F.expr("datediff(last_day(month), day)"))
    weekly = used.groupBy("month", "user_id", F.expr(f"age div {WEEK}").alias("week")).agg(
        F.sum("own_events").alias("events"), F.max("age").alias("oldest")
    )
    by_user = weekly.groupBy("month", "user_id").agg(
        F.expr(f"cast((max(oldest) + 1) div {WEEK} as bigint) as weeks"),
        F.expr(f"if((max(oldest) + 1) % {WEEK} = 0, 0, max_by(events, week)) as broken"),
        F.expr("sum(events) as every"),
        F.expr("sum(events * events) as squares"),
    )
    whole = by_user.select(
        "month", "user_id", "weeks",
        F.expr("every - broken as own_events"),
        F.expr("cast(squares - broken * broken as double) as squares"),
    ).where(f"weeks >= {settings.least_normal_weeks} AND own_events > 0")  # fmt: skip
    varied = "(squares - own_events * cast(own_events as double) / weeks) / (weeks - 1)"
    told = whole.withColumns(
        {
            "days": F.col("weeks") * WEEK,
            "dispersion": F.expr(f"round(greatest(1D, {varied} / (own_events / cast(weeks as double))), 6)"),
        }
    )
    return told.select(NORMALS.names)


def stretches(days: Days, settings: FallSettings) -> list[tuple[dt.date, Days]]:
    """By month whose normal use is asked, the days of the run compared with it: it ended before the longest window began."""
    longest = max(settings.windows_days)
    found = []
    month = (days.first - dt.timedelta(days=longest + 62)).replace(day=1)
    while month <= days.last:
        after = month_after(month)
        next_after = month_after(after)
        # the month ends the day before `after`
        first = max(after + dt.timedelta(days=longest - 1), days.first)
        last = min(next_after + dt.timedelta(days=longest - 2), days.last)
        if first <= last:
            found.append((month, Days(first, last)))
        month = after
    return found


def marks(usage: DataFrame, known: DataFrame, days: Days, settings: FallSettings) -> DataFrame:
    """One row per user and day on which own use has fallen, or is back: user_id, day, is_seen, since (first day of what fell).

    Two Poisson counts of unequal exposure are compared by their square roots, each divided by the user's dispersion before
    (Huffman 1984, "An improved approximate two-sample Poisson test"); the fall must moreover be a great one. What the whole city
    did less, on holidays or where a day's records are missing, is not expected of the user. Use is back beside the best normal of the
    last ``back_months`` months: the weeks of a fall become normal themselves, and nobody is back who has only got used to less.

    Args:
        usage: daily.usage, from the longest window before the first day on.
        known: churn.normals.
        days: the days to look at.
        settings: the windows and limits.
    """
    asked = _asked(known, days, settings)
    longest = max(settings.windows_days)
    since = days.first - dt.timedelta(days=longest - 1)
    recent = usage.where(F.col("day").between(F.lit(since), F.lit(days.last))).select("user_id", "day", "own_events")
    city = _city(recent, asked, settings)
    both = recent.unionByName(asked.withColumn("own_events", F.lit(0).cast("bigint")), allowMissingColumns=True)
    by_day = Window.partitionBy("user_id").orderBy(F.unix_date("day"))
    summed = both.withColumns(
        {f"events_{days}": F.sum("own_events").over(by_day.rangeBetween(1 - days, 0)) for days in settings.windows_days}
    )
    looked = summed.where("month IS NOT NULL").join(F.broadcast(city), on=["month", "day"], how="inner")
    fell = {window: _fell(window, settings) for window in settings.windows_days}
    back = F.expr(f"events_{longest} >= {settings.back_level}D * part_{longest} * {longest} * best_rate")
    began = F.coalesce(*[F.when(fell[window], F.date_sub("day", window - 1)) for window in sorted(fell)])
    return (
        looked.select("user_id", "day", began.alias("since"), back.alias("is_back"))
        .where("since IS NOT NULL OR is_back")
        .select("user_id", "day", F.expr("since IS NOT NULL as is_seen"), F.coalesce("since", "day").alias("since"))
    )


def _asked(known: DataFrame, days: Days, settings: FallSettings) -> DataFrame:
    """One row per user with normal use and day of the run: month, normal_events, normal_days, dispersion, and ``best_rate``, own events a
    day in the best of the ``back_months`` normals up to that one."""
    parts = stretches(days, settings)
    if not parts:
        return known.where("false").select(
            "user_id", "month", F.col("own_events").alias("normal_events"), F.col("days").alias("normal_days"), "dispersion",
            F.lit(0.0).alias("best_rate"), F.col("month").alias("day"),
        )  # fmt: skip
    number = F.expr("year(month) * 12 + month(month)")
    lately = Window.partitionBy("user_id").orderBy(number).rangeBetween(1 - settings.back_months, 0)
    known = known.withColumn("best_rate", F.max(F.expr("own_events / cast(days as double)")).over(lately))
    each = F.lit(None).cast("array<date>")
    for month, of in parts:
        each = F.when(F.col("month") == F.lit(month), F.sequence(F.lit(of.first), F.lit(of.last))).otherwise(each)
    return known.where(F.col("month").isin([month for month, _ in parts])).select(
        "user_id", "month", F.col("own_events").alias("normal_events"), F.col("days").alias("normal_days"), "dispersion", "best_rate",
        F.explode(each).alias("day"),
    )  # fmt: skip


def _city(recent: DataFrame, asked: DataFrame, settings: FallSettings) -> DataFrame:
    """One row per month asked and day: by window the part of its normal use that the whole city had, 1 at most."""
    # as decimals: a sum of doubles depends on their order
    normal = F.expr("sum(cast(normal_events / cast(normal_days as double) as decimal(18,6)))")
    expected = asked.groupBy("month", "day").agg(normal.alias("normal"))
    total = recent.groupBy(F.col("day").alias("of")).agg(F.sum("own_events").alias("total"))
    near = expected.join(
        F.broadcast(total), on=F.expr(f"of <= day AND of > date_sub(day, {max(settings.windows_days)})"), how="left"
    )
    return near.groupBy("month", "day", "normal").agg(
        *[
            F.expr(
                f"least(1D, coalesce(sum(total) FILTER (WHERE of > date_sub(day, {window})), 0) / {window}D "
                f"/ cast(normal as double)) as part_{window}"
            )
            for window in settings.windows_days
        ]
    ).drop("normal")  # fmt: skip


def _fell(window: int, settings: FallSettings) -> Column:
    exposure = f"(part_{window} * {window} / normal_days)"
    found, normal = f"(events_{window} / dispersion + 0.375D)", "(normal_events / dispersion + 0.375D)"
    below = f"round(2 * (sqrt({found}) - sqrt({exposure} * {normal})) / sqrt(1 + {exposure}), 6)"
    return F.expr(f"{below} <= -{settings.deviations}D AND events_{window} <= {settings.level}D * {exposure} * normal_events")
