"""What re-entry does to an operator's figures: gross adds taken apart, net adds and churn corrected, plans and value, bonuses paid twice."""

from __future__ import annotations

import datetime as dt

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from churnlake.core.runs import Days
from churnlake.reentry import parts
from churnlake.reentry.settings import ReentrySettings

BILL = "monthly_fee_yuan + local_yuan + long_distance_yuan + roaming_yuan + message_yuan + new_service_yuan"
"""A monthly bill, on a row of reference.bills."""
JOINED = {"all": "'all'", "brand": "brand", "plan": "plan_id", "channel": "channel", "dealer": "dealer_id", "branch": "branch"}
"""By dimension of a joiner, SQL of its value."""
CELL = "concat_ws(' / ', coalesce(brand, 'unknown'), coalesce(plan_id, 'unknown'), dealer_id)"
EXPECTED = {
    "new": "is_new",
    "reentry": "is_back",
    "second_number": "is_second",
    "moved": "is_moved",
    "farmed": "is_own",
    "unknown": "is_unknown",
}
"""By part of gross adds, the share of a joiner that is expected to be it."""


def first_day_needed(days: Days, settings: ReentrySettings) -> dt.date:
    """First day of joining, or of joiners of months told within the days, that a run over these days looks at."""
    begins = days.first - dt.timedelta(days=max(settings.control.closes_days, settings.control.bills_days) + 31)
    return begins.replace(day=1) - dt.timedelta(days=max(settings.stages))


def told(rows: DataFrame, closes_days: int, days: Days) -> DataFrame:
    """The rows of joiners whose month of joining is told within the days, with ``month`` and ``known_on``, the day it is told on."""
    dated = rows.withColumn("month", F.expr("cast(trunc(joined_on, 'MM') as date)"))
    dated = dated.withColumn("known_on", F.date_add(F.last_day("month"), closes_days))
    return dated.where(F.col("known_on").between(F.lit(days.first), F.lit(days.last)))


def closed(rows: DataFrame, closes_days: int, days: Days) -> DataFrame:
    """The rows of whole months that something more is known of, so many days after their end, within the days: ``closes_on``."""
    dated = rows.withColumn("closes_on", F.date_add(F.last_day("month"), closes_days))
    return dated.where(F.col("closes_on").between(F.lit(days.first), F.lit(days.last)))


def band(column: str, edges: list[int]) -> str:
    """SQL of the band that a number lies in, named by its ends.

    >>> band("n", [3])
    "CASE WHEN n IS NULL THEN 'unknown' WHEN n < 3 THEN '0 to 3' ELSE '3 and more' END"
    """
    cases = [f"WHEN {column} < {high} THEN '{low} to {high}'" for low, high in zip([0, *edges], edges, strict=False)]
    return f"CASE WHEN {column} IS NULL THEN 'unknown' {' '.join(cases)} ELSE '{edges[-1]} and more' END"


def old_numbers(pairs: DataFrame, subscribers: DataFrame | None, bills: DataFrame | None, settings: ReentrySettings) -> DataFrame:
    """The pairs with what was told of the old number by the join: ``old_brand``, ``old_plan``, ``old_bonus_until``, ``old_months``, ``before_yuan``.

    ``old_months`` is its age at its last use, ``before_yuan`` the mean bill of the months there are of the ``bills_months`` before that of
    the last use, of those delivered by known_on. ``pairs`` have user_id, old_user_id, joined_on, old_last_on and known_on.
    """
    key = ["user_id", "old_user_id"]
    if subscribers is None:
        none = {"old_brand": "string", "old_plan": "string", "old_bonus_until": "date", "old_months": "double"}
        rows = pairs.withColumns({name: F.lit(None).cast(kind) for name, kind in none.items()})
    else:
        ways = {"brand": "old_brand", "plan_id": "old_plan", "bonus_until": "old_bonus_until"}
        asked = pairs.select(*key, "joined_on").join(
            subscribers.select(
                F.col("user_id").alias("old_user_id"), "delivered_on", F.col("joined_on").alias("began_on"), *ways
            ),
            on="old_user_id",
            how="inner",
        )
        known = asked.where("delivered_on <= joined_on").groupBy(*key).agg(
            F.max_by(F.struct(*ways, "began_on"), "delivered_on").alias("was")
        )  # fmt: skip
        known = known.select(*key, *(F.col(f"was.{name}").alias(alias) for name, alias in ways.items()), "was.began_on")
        rows = pairs.join(known, on=key, how="left")
        rows = rows.withColumn("old_months", F.expr("greatest(months_between(old_last_on, began_on), 0D)")).drop("began_on")
    return with_bills(rows, bills, "old_user_id", "old_last_on", (-settings.control.bills_months, -1), "before_yuan")


def with_bills(rows: DataFrame, bills: DataFrame | None, user: str, day: str, months: tuple[int, int], name: str) -> DataFrame:
    """The pairs with the mean monthly bill of a user over the months so far from that of ``day``, of those delivered by known_on; null without any."""
    if bills is None:
        return rows.withColumn(name, F.lit(None).cast("double"))
    each = bills.select(F.col("user_id").alias(user), F.col("month").alias("billed"), "delivered_on", F.expr(BILL).alias("yuan"))
    asked = rows.select("user_id", "old_user_id", "known_on", F.col(day).alias("from_day")).join(each, on=user, how="inner")
    first, last = (f"add_months(trunc(from_day, 'MM'), {count})" for count in months)
    mean = asked.where(f"delivered_on <= known_on AND billed BETWEEN {first} AND {last}").groupBy("user_id", "old_user_id")
    return rows.join(
        mean.agg(F.expr("round(cast(avg(yuan) as double), 2)").alias(name)), on=["user_id", "old_user_id"], how="left"
    )


def gross_adds(joined: DataFrame, olds: DataFrame, settings: ReentrySettings) -> DataFrame:
    """One row per month, dimension, value and part (reentry.gross_adds): joiners counted and expected, with an interval.

    Args:
        joined: rows of reentry.parts of whole months.
        olds: one row per joiner and old user it could be, with ``probability`` and what is told of the old number (``old_numbers``).
        settings: bands, and by how much probabilities may be off.

    Of what each joiner is expected to be, its number among many is a Poisson-binomial: the variance is the sum of p (1 - p). All
    probabilities of a city may be off together too: by ``count_spread`` of the number, one standard deviation.
    """
    how = settings.control
    each = parts.shares(joined)
    cells = F.count("*").over(Window.partitionBy("month", F.expr(CELL)))
    each = each.withColumn("cell_joiners", F.expr("if(dealer_id IS NULL, 0, 1)") * cells)
    halves = ", ".join(
        f"struct('{part}' as part, {share} as expected, if(part = '{part}', 1, 0) as counted)" for part, share in EXPECTED.items()
    )
    values = ", ".join(f"struct('{name}' as dimension, coalesce({value}, 'unknown') as value)" for name, value in JOINED.items())
    big = f"if(cell_joiners >= {how.least_cell_joiners}, array(struct('cell' as dimension, {CELL} as value)), array())"
    whole = each.selectExpr(
        "known_on", "month", "user_id", f"array({halves}) as halves", f"concat(array({values}), {big}) as `values`"
    )
    whole = whole.selectExpr("known_on", "month", "user_id", "inline(halves)", "`values`")
    of_joiners = whole.selectExpr("known_on", "month", "user_id", "part", "expected", "counted", "inline(`values`)")
    old_values = {
        "old_brand": "coalesce(old_brand, 'unknown')",
        "old_tenure": band("old_months", how.tenure_months),
        "old_arpu": band("before_yuan", how.arpu_yuan),
    }
    none = ", ".join(f"struct('{name}' as dimension, 'none' as value)" for name in old_values)
    of_others = whole.where("part <> 'reentry'").selectExpr(
        "known_on", "month", "user_id", "part", "expected", "counted", f"inline(array({none}))"
    )
    named = ", ".join(f"struct('{name}' as dimension, {value} as value)" for name, value in old_values.items())
    asked = each.select(
        "known_on", "month", "user_id", "is_farmed", F.col("part").alias("counted_as"), F.col("old_user_id").alias("matched")
    )
    of_olds = olds.drop("known_on", "joined_on").join(asked, on="user_id", how="inner").where("NOT is_farmed").selectExpr(
        "known_on", "month", "user_id", "'reentry' as part", "probability as expected",
        "if(counted_as = 'reentry' AND old_user_id = matched, 1, 0) as counted", f"inline(array({named}))"
    )  # fmt: skip
    rows = of_joiners.unionByName(of_others).unionByName(of_olds)
    by = ["known_on", "month", "dimension", "value"]
    # of two old users of one band a joiner is one at most
    once = rows.groupBy(*by, "part", "user_id").agg(F.sum("expected").alias("expected"), F.sum("counted").alias("counted"))
    summed = once.groupBy(*by, "part").agg(
        F.sum("counted").alias("counted"),
        F.sum("expected").alias("expected"),
        F.expr("sum(greatest(expected * (1 - expected), 0D))").alias("variance"),
        F.count("*").alias("asked"),
    )
    half = spread("variance", "expected", settings)
    return summed.withColumns(
        {
            "low": F.expr(f"round(greatest(expected - {half}, 0D), 6)"),
            "high": F.expr(f"round(least(expected + {half}, cast(asked as double)), 6)"),
            "expected": F.expr("round(expected, 6)"),
        }
    ).drop("variance", "asked")


def spread(variance: str, expected: str, settings: ReentrySettings) -> str:
    """SQL of half the width of the interval of a sum of probabilities, from the sum of p (1 - p) and the sum itself."""
    how = settings.control
    return f"{how.deviations!r} * sqrt({variance} + pow({how.count_spread!r} * {expected}, 2))"


def net_adds(
    joined: DataFrame,
    reached: DataFrame,
    likely: DataFrame,
    own: DataFrame,
    leavings: DataFrame,
    active_days: int,
    settings: ReentrySettings,
) -> DataFrame:
    """One row per month (reentry.net_adds): net adds and churn, naive and corrected.

    Args:
        joined: rows of reentry.parts of whole months.
        reached: rows of reentry.joiners, of all stages, for who is back counts at the newest stage reached when the month is told.
        likely: pairs of all stages with ``probability``.
        own: one row per user and day with an own event.
        leavings: churn.leavings.
        active_days: active is who had an own event in so many days before the month.
        settings: how intervals are made.
    """
    months = F.broadcast(joined.select("month", "known_on").distinct())
    shares = parts.shares(joined)
    came = shares.groupBy("month", "known_on").agg(
        F.count("*").alias("joiners"),
        F.expr("sum(is_new + is_unknown)").alias("new_customers"),
        F.expr("sum((is_new + is_unknown) * (1 - is_new - is_unknown))").alias("new_variance"),
    )
    there = own.join(months, on=F.expr(f"day >= date_sub(month, {active_days}) AND day < month"), how="inner")
    active = there.groupBy("month").agg(F.count_distinct("user_id").alias("active"))
    gone = leavings.withColumnRenamed("known_on", "confirmed_on").join(
        months, on=F.expr("leave_on BETWEEN month AND last_day(month) AND confirmed_on <= known_on"), how="inner"
    )
    gone = gone.select("month", F.col("user_id").alias("old_user_id")).distinct()
    asked = reached.withColumnRenamed("known_on", "reached_on").join(months, on=F.expr("reached_on <= known_on"), how="inner")
    newest = asked.groupBy("month", "user_id").agg(F.max("stage_days").alias("stage_days"))
    found = likely.select("user_id", "stage_days", "old_user_id", "probability").join(
        newest, on=["user_id", "stage_days"], how="inner"
    )
    back = found.groupBy("month", "old_user_id").agg(F.expr("least(sum(probability), 1D)").alias("back"))
    left = gone.join(back, on=["month", "old_user_id"], how="left").groupBy("month").agg(
        F.count("*").alias("leavers"),
        F.expr("sum(coalesce(back, 0D))").alias("back"),
        F.expr("sum(coalesce(back * (1 - back), 0D))").alias("back_variance"),
    )  # fmt: skip
    rows = came.join(active, on="month", how="left").join(left, on="month", how="left")
    rows = rows.na.fill(0, subset=["active", "leavers", "back", "back_variance"])
    true_net, rest = "(new_customers - leavers + back)", "(leavers - back)"
    # as if who is back and who is new were told apart: the interval is rather too wide
    half = spread("(new_variance + back_variance)", "(joiners - new_customers + back)", settings)
    half_back = spread("back_variance", "back", settings)
    rate = "round({0} / nullif(active, 0), 6)"
    return rows.selectExpr(
        "known_on", "month", "active", "joiners", "leavers", "round(new_customers, 6) as new_customers", "round(back, 6) as back",
        "cast(joiners - leavers as double) as net_adds", f"round({true_net}, 6) as true_net_adds",
        f"round({true_net} - {half}, 6) as true_net_adds_low", f"round({true_net} + {half}, 6) as true_net_adds_high",
        f"{rate.format('leavers')} as churn_rate", f"{rate.format(rest)} as true_churn_rate",
        f"{rate.format(f'greatest({rest} - {half_back}, 0D)')} as true_churn_rate_low",
        f"{rate.format(f'least({rest} + {half_back}, leavers)')} as true_churn_rate_high",
    )  # fmt: skip


def plan_moves(joined: DataFrame, olds: DataFrame, bills: DataFrame | None, settings: ReentrySettings) -> DataFrame:
    """One row per month, old plan and new plan (reentry.plan_moves).

    ``joined``: rows of reentry.parts of whole months; ``olds``: one row per joiner and old user it could be, with probability and
    what is told of the old number (``old_numbers``).
    """
    matched = joined.where("part = 'reentry'").select("known_on", "month", "user_id", "old_user_id", "joined_on", "plan_id")
    rows = matched.join(olds.drop("known_on", "joined_on"), on=["user_id", "old_user_id"], how="inner")
    rows = with_bills(rows, bills, "user_id", "joined_on", (1, settings.control.bills_months), "after_yuan")
    both = "before_yuan IS NOT NULL AND after_yuan IS NOT NULL"
    named = rows.withColumns(
        {"old_plan": F.expr("coalesce(old_plan, 'unknown')"), "new_plan": F.expr("coalesce(plan_id, 'unknown')")}
    )
    return named.groupBy("known_on", "month", "old_plan", "new_plan").agg(
        F.count("*").alias("users"),
        F.expr("round(sum(probability), 6)").alias("expected"),
        F.expr(f"count_if({both})").alias("billed"),
        F.expr(f"round(avg(if({both}, before_yuan, null)), 2)").alias("before_yuan"),
        F.expr(f"round(avg(if({both}, after_yuan, null)), 2)").alias("after_yuan"),
        F.expr(f"round(coalesce(sum(if({both}, before_yuan - after_yuan, null)), 0D), 2)").alias("lost_yuan"),
    )


def twice(settings: ReentrySettings) -> str:
    """SQL of whether the joiner's bonus was paid while the old number's term ran or shortly after; null where either is not told."""
    return f"bonus_yuan > 0 AND joined_on <= date_add(old_bonus_until, {settings.control.bonus_grace_days})"


def bonuses(joined: DataFrame, olds: DataFrame, settings: ReentrySettings) -> DataFrame:
    """One row per month, channel and dealer (reentry.bonuses).

    ``joined``: rows of reentry.parts of whole months; ``olds``: one row per joiner and old user it could be, with probability and what is
    told of the old number.
    """
    paid = joined.where("bonus_yuan > 0")
    again = olds.select("user_id", "old_user_id", "old_bonus_until", "probability").join(
        paid.select("user_id", "joined_on", "bonus_yuan", "is_farmed", "part", F.col("old_user_id").alias("matched")),
        on="user_id",
        how="inner",
    )
    again = again.where(twice(settings)).where("NOT is_farmed").groupBy("user_id").agg(
        F.expr("least(sum(probability), 1D)").alias("again"), F.expr("max(part = 'reentry' AND old_user_id = matched)").alias("is_again")
    )  # fmt: skip
    rows = paid.join(again, on="user_id", how="left")
    return rows.groupBy(
        "known_on",
        "month",
        F.expr("coalesce(channel, 'unknown')").alias("channel"),
        F.expr("coalesce(dealer_id, 'none')").alias("dealer_id"),
    ).agg(
        F.count("*").alias("bonuses"),
        F.sum("bonus_yuan").alias("bonus_yuan"),
        F.expr("count_if(coalesce(is_again, false))").alias("twice"),
        F.expr("sum(if(coalesce(is_again, false), bonus_yuan, 0))").alias("twice_yuan"),
        F.expr("sum(cast(bonus_yuan as double) * coalesce(again, 0D))").alias("expected_yuan"),
    )
