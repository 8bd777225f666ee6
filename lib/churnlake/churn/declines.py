"""Whether a user's own use has fallen, since when and how far, beside what chance makes of so few events."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.core.months import month_after

WEEKS = 13
"""Weeks before a month's end that are looked at: a quarter of a year."""
STEADY = 26
"""Own events in them, at least, of users who tell how much counts of a week scatter."""
MIDDLE_CHI2 = 0.9453
"""Median of chi-square with 12 degrees of freedom over 12."""
MOST_EVIDENCE = 40.0


def first_day_needed(months: Collection[dt.date]) -> dt.date:
    """First day of daily usage that declines as of these months' ends look at."""
    return month_after(min(months)) - dt.timedelta(days=7 * WEEKS)


def declines(usage: DataFrame, months: Collection[dt.date]) -> DataFrame:
    """One row per month and user with an own event in the quarter before its end: evidence that use has fallen, since when, how far.

    The weeks before a month's end are cut in two at each place; the likelihood of two rates of use, the later one lower, is taken over
    that of a single rate, each week beside what the whole city did in it, from the week of the user's first event on.
    ``decline_evidence`` is the logarithm of its mean over all places: above 0 a fall explains the counts better. ``decline_weeks`` is
    the likeliest place, in weeks back, and ``decline_level`` the later rate over the earlier one; 0 and 1 without any fall. Counts
    scatter more than by chance alone, people talk in bouts: likelihoods are held by how much they do, the median over users
    (quasi-likelihood). Method: likelihood ratio of a change of a Poisson rate (Worsley 1986), averaged over its place.

    Args:
        usage: daily.usage, from ``first_day_needed`` on.
        months: first days of the months.
    """
    each = F.explode(F.array(*(F.lit(month) for month in sorted(months))))
    days = usage.where("own_events > 0").select("user_id", "day", "own_events", each.alias("month"))
    days = days.withColumn("back", F.expr("datediff(last_day(month), day)")).where(f"back >= 0 AND back < {7 * WEEKS}")
    counts = [F.expr(f"sum(if(back div 7 = {week}, own_events, 0))").cast("double").alias(f"c{week}") for week in range(WEEKS)]
    by_user = days.groupBy("month", "user_id").agg(
        F.sum("own_events").cast("double").alias("total"), F.expr("max(back) div 7 + 1").alias("weeks_there"), *counts
    )
    # the city's weeks, by users who were there in all of them that there are data of
    longest = by_user.groupBy("month").agg(F.max("weeks_there").alias("weeks_known"))
    by_user = by_user.join(F.broadcast(longest), on="month", how="inner")
    whole = "weeks_there = weeks_known"
    city = by_user.where(whole).groupBy("month").agg(*(F.sum(f"c{week}").alias(f"l{week}") for week in range(WEEKS)))
    mean = " + ".join(f"l{week}" for week in range(WEEKS))
    level = city.selectExpr("month", *[f"l{week} * {WEEKS} / nullif({mean}, 0) as l{week}" for week in range(WEEKS)])
    there = [f"if(weeks_there > {week}, l{week}, 0D) as e{week}" for week in range(WEEKS)]
    held = by_user.join(F.broadcast(level), on="month", how="inner").selectExpr(
        "month", "user_id", "total", "weeks_there", "weeks_known", *[f"c{week}" for week in range(WEEKS)], *there
    )
    held = held.selectExpr("*", f"{' + '.join(f'e{week}' for week in range(WEEKS))} as exposed")
    expected = [f"(e{week} * total / nullif(exposed, 0))" for week in range(WEEKS)]
    apart = " + ".join(f"coalesce(pow(c{week} - {expected[week]}, 2) / nullif({expected[week]}, 0), 0)" for week in range(WEEKS))
    scattered = F.expr(f"if(total >= {STEADY} AND {whole}, ({apart}) / nullif(weeks_known - 1, 0) / {MIDDLE_CHI2}, null)")
    held = held.withColumn("scatter", scattered)
    spread = held.groupBy("month").agg(
        F.greatest(F.lit(1.0), F.coalesce(F.percentile("scatter", F.lit(0.5)), F.lit(1.0))).alias("spread")
    )
    held = held.join(F.broadcast(spread), on="month", how="inner")
    places = []
    for place in range(1, WEEKS):
        late, late_there = (" + ".join(f"{name}{week}" for week in range(place)) for name in "ce")
        places.append(f"struct({late} as late, {late_there} as late_there, {place} as weeks)")
    parts = held.selectExpr("month", "user_id", "total", "exposed", "spread", f"array({', '.join(places)}) as places")
    late_rate, rate = "p.late / nullif(p.late_there, 0)", "(total - p.late) / nullif(exposed - p.late_there, 0)"
    rates = f"{_own('p.late', 'p.late_there')} + {_own('total - p.late', 'exposed - p.late_there')} - {_own('total', 'exposed')}"
    told = (
        "transform(places, p -> struct("
        f"if(p.late_there > 0 AND exposed - p.late_there > 1e-9 AND {late_rate} < {rate}, least({MOST_EVIDENCE}D, ({rates}) / spread), 0D) as evidence, "
        f"-p.weeks as newest, {late_rate} / nullif({rate}, 0) as level))"
    )
    judged = parts.selectExpr("month", "user_id", f"{told} as told")
    judged = judged.selectExpr(
        "month", "user_id",
        f"ln(aggregate(told, 0D, (sum, t) -> sum + exp(t.evidence)) / {WEEKS - 1}) as decline_evidence",
        "array_max(told) as likeliest",
    )  # fmt: skip
    is_fall = F.expr("likeliest.evidence > 0")
    return judged.select(
        "month",
        "user_id",
        F.round("decline_evidence", 6).alias("decline_evidence"),
        F.when(is_fall, -F.col("likeliest.newest")).otherwise(0).cast("bigint").alias("decline_weeks"),
        F.when(is_fall, F.round("likeliest.level", 6)).otherwise(1.0).alias("decline_level"),
    )


def _own(events: str, there: str) -> str:
    """SQL of what so many events add to the likelihood at their own rate."""
    return f"if({events} > 0, ({events}) * ln(({events}) / nullif({there}, 0)), 0D)"
