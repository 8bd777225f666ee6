"""What is seen of users that may make them leave, month by month; and of those who left, how they did and where to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from churnlake.churn.leaving import is_active
from churnlake.churn.mixture import LEAST
from churnlake.churn.settings import CauseSettings, ChurnSettings
from churnlake.core.contract import Table
from churnlake.indicators.peers import COMPETITOR
from churnlake.tables.causes import CIRCUMSTANCES
from churnlake.tables.daily import USAGE
from churnlake.tables.reentry import MATCHES, SUCCESSORS
from churnlake.tables.reference import BILLS, SUBSCRIBERS

USED = {
    "local": "voice_out_seconds_local / 60D",
    "long_distance": "greatest(voice_out_seconds_long_distance - voice_out_seconds_ip, 0) / 60D",
    "roaming": "voice_out_seconds_roaming / 60D",
    "sms": "cast(sms_out_messages as double)",
}
"""By what every plan has a price for, the units of a month that it is charged for."""
INCLUDED = {"local": "included_minutes", "sms": "included_messages"}


def rules(settings: ChurnSettings) -> dict[str, str]:
    """By evidence that anybody can show, SQL over ``facts``, null where the fact is not known. Limits are settings."""
    s, debt = settings.causes, settings.passive.least_arrears_yuan
    return {
        "great_debt": f"tenure_days < {s.new_days} AND arrears_yuan >= {s.great_debt_yuan}",
        "in_debt": f"arrears_yuan >= {debt}",
        "other_home": "home_cell <> home_cell_before",
        "away": f"roaming_calls_share >= {s.away_share}",
        "neighbours_left": "neighbours_left_3m > 0",
        "complained": "voice_out_calls_to_complaints > 0",
        "called_care": f"voice_out_calls_to_hotline >= {s.care_calls}",
        "calls_dropped": f"voice_dropped_calls >= {s.dropped_calls} AND voice_dropped_share >= {s.dropped_share}",
        "bonus_ends": f"bonus_yuan > 0 AND bonus_left_days BETWEEN -{s.bonus_days} AND {s.bonus_days}",
        "new_handset": "new_handsets > 0",
        "old_handset": "has_gprs_handset = 0",
        "cheaper_plan": f"saving_share >= {s.least_saving}",
        "fee_rose": f"fee_to_own_mean_ratio >= {s.fee_ratio}",
    }


def held(
    features: DataFrame, neighbours: DataFrame | None, plans: DataFrame | None, months: Sequence[dt.date], settings: ChurnSettings
) -> DataFrame:
    """One row per month and user with a record in it: is_active, brand, is_new, ``held``, the evidence shown, as known at its end, and
    ``asked``, the evidence of which it is known whether it is shown.

    Args:
        features: features.monthly of the months and of two months before each.
        neighbours: circles.neighbours of the months; None without them.
        plans: reference.plans; None without them.
        months: first days of the months to look at.
        settings: who is active, and the limits of evidence.
    """
    there = features.where(F.col("month").isin(list(months)))
    before = features.select(F.add_months("month", 2).alias("month"), "user_id", F.col("home_cell").alias("home_cell_before"))
    facts = there.join(before, on=["month", "user_id"], how="left")
    if neighbours is None:
        facts = facts.withColumn("neighbours_left_3m", F.lit(None).cast("bigint"))
    else:
        facts = facts.join(neighbours.select("month", "user_id", "neighbours_left_3m"), on=["month", "user_id"], how="left")
    facts = _with_saving(facts, plans)
    each = rules(settings)
    told = facts.select(
        "month", "user_id", F.expr(is_active(settings)).alias("is_active"),
        F.coalesce("brand", F.lit("")).alias("brand"),
        F.expr(f"coalesce(tenure_days < {settings.causes.new_days}, false)").alias("is_new"),
        *[F.expr(sql).alias(name) for name, sql in each.items()],
    )  # fmt: skip
    shown = ", ".join(f"if({name}, '{name}', null)" for name in each)
    known = ", ".join(f"if({name} IS NOT NULL, '{name}', null)" for name in each)
    return told.select(
        "month", "user_id", "is_active", "brand", "is_new",
        F.expr(f"array_compact(array({shown}))").alias("held"),
        F.expr(f"array_compact(array({known}))").alias("asked"),
    )  # fmt: skip


def lately(shown: DataFrame, months: Sequence[dt.date], settings: CauseSettings) -> DataFrame:
    """One row per month and user with a record in it or the ``looks_back_months`` before: what was shown in any of them.

    Columns: month, user_id, ``was_active`` at the end of the month before, brand and is_new as of the newest of them, held, asked.

    Args:
        shown: ``held`` of all these months.
        months: first days of the months to look back from.
        settings: how far.
    """
    spread = shown.withColumnRenamed("month", "of").withColumn("month", F.explode(F.array(*[F.lit(month) for month in months])))
    near = spread.where(f"of <= month AND of >= add_months(month, -{settings.looks_back_months})")
    newest = F.max_by(F.struct("brand", "is_new"), "of")
    return near.groupBy("month", "user_id").agg(
        F.max(F.expr("is_active AND of = add_months(month, -1)")).alias("was_active"),
        newest["brand"].alias("brand"), newest["is_new"].alias("is_new"),
        F.array_distinct(F.flatten(F.collect_list("held"))).alias("held"),
        F.array_distinct(F.flatten(F.collect_list("asked"))).alias("asked"),
    )  # fmt: skip


def usual(near: DataFrame, settings: CauseSettings) -> DataFrame:
    """One row per month, brand, whether new, and evidence: ``usual_share`` of the users active at the end of the month before who show it.

    Drawn to the share of all brands as by ``usual_users`` of these, so that a handful of users says little; never 0 or 1.

    Args:
        near: ``lately``.
        settings: how much of the whole a stratum is given.
    """
    stratum = ["month", "brand", "is_new"]
    counts = [
        F.count_if(F.array_contains(column, name)).alias(f"{name}_{column}")
        for name in CIRCUMSTANCES
        for column in ("held", "asked")
    ]
    each = ", ".join(f"'{name}', {name}_held, {name}_asked" for name in CIRCUMSTANCES)
    found = near.where("was_active").groupBy(*stratum).agg(*counts)
    found = found.select(*stratum, F.expr(f"stack({len(CIRCUMSTANCES)}, {each}) as (evidence, shown_users, asked_users)"))
    # sums of counts: their order does not matter
    whole = found.groupBy("month", "evidence").agg(
        F.sum("shown_users").alias("all_shown"), F.sum("asked_users").alias("all_asked")
    )
    weight = settings.usual_users
    mean = "(all_shown + 0.5D) / (all_asked + 1D)"
    return found.join(whole, on=["month", "evidence"], how="inner").select(
        *stratum,
        "evidence",
        F.expr(
            f"round(least({1 - LEAST}D, greatest({LEAST}D, (shown_users + {weight}D * {mean}) / (asked_users + {weight}D))), 9)"
        ).alias("usual_share"),
    )


def told_by(known_on: Column, leave_on: Column) -> Column:
    """First day of the month whose features tell of a leaving: that of leaving, or the one before where it was not over when that was known."""
    of = F.trunc(leave_on, "MM")
    return F.when(F.last_day(of) <= known_on, of).otherwise(F.add_months(of, -1))


def pieces(
    leavings: DataFrame, near: DataFrame, usual_shares: DataFrame, tables: Mapping[Table, DataFrame], settings: ChurnSettings
) -> DataFrame:
    """One row per leaving and piece of evidence of which it is known whether it holds: known_on, user_id, evidence, ``is_held``, ``usual_share``.

    The usual share is null for evidence that only leavers show.

    Args:
        leavings: churn.leavings to be explained.
        near: ``lately`` of the months that tell of them (``told_by``).
        usual_shares: ``usual`` of these.
        tables: daily usage from ``first_day_needed`` on; bills, re-entry matches and successors, subscribers where there are any.
        settings: limits.
    """
    left = leavings.select("known_on", "user_id", "leave_on")
    of = left.withColumn("month", told_by(F.col("known_on"), F.col("leave_on"))).join(near, on=["month", "user_id"], how="inner")
    told = of.select("known_on", "user_id", "month", "brand", "is_new", "held", F.explode("asked").alias("evidence"))
    told = told.withColumn("is_held", F.array_contains("held", F.col("evidence"))).drop("held")
    told = told.join(F.broadcast(usual_shares), on=["month", "brand", "is_new", "evidence"], how="inner")
    columns = ["known_on", "user_id", "evidence", "is_held"]
    found = [_of_use(left, tables[USAGE], settings.causes)]
    if BILLS in tables:
        found.append(_in_debt(left, tables[BILLS], settings.passive.least_arrears_yuan))
    if MATCHES in tables:
        found.append(_back(left, tables[MATCHES], tables.get(SUBSCRIBERS), settings.causes))
        if SUCCESSORS in tables:
            found.append(_gone(left, tables[MATCHES], tables[SUCCESSORS], settings.causes))
    theirs = reduce(DataFrame.unionByName, [rows.select(*columns) for rows in found])
    return told.select(*columns, "usual_share").unionByName(theirs.withColumn("usual_share", F.lit(None).cast("double")))


def first_day_needed(month: dt.date, settings: CauseSettings) -> dt.date:
    """First day of daily.usage looked at of who left in or after that month."""
    return month.replace(day=1) - dt.timedelta(days=settings.stop_days + settings.stop_normal_days * settings.stop_normals)


def _with_saving(facts: DataFrame, plans: DataFrame | None) -> DataFrame:
    """With saving_share: how much cheaper the month's use is under the cheapest plan, of the month's own price; null when not known."""
    if plans is None:
        return facts.withColumn("saving_share", F.lit(None).cast("double"))
    prices = [f"{name}_yuan" for name in ("monthly_fee", *USED)]
    told = plans.select("plan_id", "delivered_on", *prices, *INCLUDED.values())
    ends = facts.select("month").distinct()
    known = told.join(F.broadcast(ends), on=F.expr("delivered_on <= last_day(month)"), how="inner")
    newest = known.groupBy("month", "plan_id").agg(F.max_by(F.struct(*prices, *INCLUDED.values()), "delivered_on").alias("at"))
    # some dozens of plans: an array of them beside each user, no row a user and plan
    listed = newest.groupBy("month").agg(F.array_sort(F.collect_list(F.struct("plan_id", "at"))).alias("offered"))

    def cost(plan: str) -> str:
        terms = [f"cast({plan}.monthly_fee_yuan as double)"]
        for name, units in USED.items():
            charged = f"greatest({units} - coalesce({plan}.{INCLUDED[name]}, 0), 0D)" if name in INCLUDED else units
            terms.append(f"{charged} * cast({plan}.{name}_yuan as double)")
        return f"round({' + '.join(terms)}, 2)"

    priced = facts.join(F.broadcast(listed), on="month", how="left")
    priced = priced.withColumn("own", F.expr("get(filter(offered, p -> p.plan_id = plan_id), 0).at"))
    cheapest = f"array_min(transform(offered, p -> {cost('p.at')}))"
    saving = F.expr(f"round(1 - {cheapest} / nullif({cost('own')}, 0D), 6)")
    return priced.withColumn("saving_share", saving).drop("offered", "own")


def _of_use(left: DataFrame, usage: DataFrame, settings: CauseSettings) -> DataFrame:
    """Who asked the competitor or sent calls on to it; who used the number as ever to the last day, of those who used it enough to tell.

    As ever: beside the best stretch of ``stop_normal_days`` before, for who has long used it less has in no other been its own self.
    """
    days, stretch, most = settings.stop_days, settings.stop_normal_days, settings.stop_normals
    used = left.join(usage, on="user_id", how="left").withColumn("ago", F.expr("datediff(leave_on, day)"))
    sent_on = "voice_forwarded_calls_to_unicom_gsm + voice_forwarded_calls_to_unicom_cdma"
    counts = [
        F.expr(f"sum(if(ago BETWEEN {days + 1 + at * stretch} AND {days + (at + 1) * stretch}, own_events, 0))")
        for at in range(most)
    ]
    sums = used.where(f"day IS NULL OR (day <= known_on AND ago <= {days + stretch * most})").groupBy("known_on", "user_id").agg(
        F.expr(f"sum(if(ago BETWEEN 1 AND {days}, own_events, 0)) as late"), F.greatest(*counts).alias("best"),
        F.expr("coalesce(sum(voice_out_calls_to_competitor_hotline), 0) > 0 as asked_competitor"),
        F.expr(f"coalesce(sum({sent_on}), 0) > 0 as sends_calls_on"),
    )  # fmt: skip
    expected = f"best * {days} / {stretch}D"
    sudden = f"if({expected} >= {settings.stop_events}, late >= {settings.stop_level}D * {expected}, null)"
    return _stacked(sums.withColumn("stopped_suddenly", F.expr(sudden)), "stopped_suddenly", "asked_competitor", "sends_calls_on")


def _stacked(rows: DataFrame, *names: str) -> DataFrame:
    """One row per row and piece of evidence, from a column each; null is not known."""
    each = ", ".join(f"'{name}', {name}" for name in names)
    told = rows.select("known_on", "user_id", F.expr(f"stack({len(names)}, {each}) as (evidence, is_held)"))
    return told.where("is_held IS NOT NULL")


def _in_debt(left: DataFrame, bills: DataFrame, least_yuan: float) -> DataFrame:
    """Who left a bill of the month of leaving or the one before unpaid, of those who were billed for them by then."""
    told = bills.select("user_id", "delivered_on", F.col("month").alias("of"), "arrears_yuan")
    billed = left.join(told, on="user_id", how="inner")
    near = billed.where("delivered_on <= known_on AND of BETWEEN add_months(trunc(leave_on, 'MM'), -1) AND leave_on")
    owes = f"max(coalesce(arrears_yuan, 0) >= {least_yuan}) as left_in_debt"
    return _stacked(near.groupBy("known_on", "user_id").agg(F.expr(owes)), "left_in_debt")


def _matched(left: DataFrame, matches: DataFrame, settings: CauseSettings) -> DataFrame:
    """One row per leaving that was found again under another number, as known by then: known_on, user_id, new_user_id."""
    new = matches.where(f"probability >= {settings.least_match}").select(
        F.col("user_id").alias("new_user_id"), F.col("old_user_id").alias("user_id"), F.col("known_on").alias("matched_on")
    )
    pairs = left.select("known_on", "user_id").join(new, on="user_id", how="inner").where("matched_on <= known_on")
    return pairs.select("known_on", "user_id", "new_user_id").distinct()


def _back(left: DataFrame, matches: DataFrame, subscribers: DataFrame | None, settings: CauseSettings) -> DataFrame:
    """Who came back under another number; of these, who joined with a bonus, and who on the plan left, as delivered by then."""
    pairs = _matched(left, matches, settings)
    found = pairs.select("known_on", "user_id").distinct().withColumn("back", F.lit(True))
    every = left.join(found, on=["known_on", "user_id"], how="left")
    told = _stacked(every.withColumn("back", _or_none("back", settings)), "back")
    if subscribers is None:
        return told
    known = subscribers.select("user_id", "delivered_on", "plan_id", "bonus_yuan")
    old = pairs.join(known, on="user_id", how="inner").where("delivered_on <= known_on")
    old = old.groupBy("known_on", "user_id", "new_user_id").agg(F.max_by("plan_id", "delivered_on").alias("old_plan_id"))
    joined = known.select(
        F.col("user_id").alias("new_user_id"), "delivered_on", F.struct("plan_id", "bonus_yuan").alias("joined")
    )
    both = old.join(joined, on="new_user_id", how="inner").where("delivered_on <= known_on")
    both = both.groupBy("known_on", "user_id", "new_user_id", "old_plan_id").agg(
        F.min_by("joined", "delivered_on").alias("joined")
    )
    as_what = both.groupBy("known_on", "user_id").agg(
        F.expr("max(coalesce(joined.bonus_yuan > 0, false)) as back_for_bonus"),
        F.expr("max(joined.plan_id = old_plan_id) as back_on_same_plan"),
    )
    return told.unionByName(_stacked(as_what, "back_for_bonus", "back_on_same_plan"))


def _or_none(name: str, settings: CauseSettings) -> Column:
    """What was found of who left; of whom nothing was found, that there is nothing, once it could have been found."""
    return F.coalesce(name, F.expr(f"if(datediff(known_on, leave_on) >= {settings.traced_days}, false, null)"))


def _gone(left: DataFrame, matches: DataFrame, successors: DataFrame, settings: CauseSettings) -> DataFrame:
    """Of those not known to be back: whose circle is in touch with a number of the competitor's since."""
    back = _matched(left, matches, settings).select("known_on", "user_id").distinct()
    after = successors.select("user_id", "leave_on", F.expr(COMPETITOR).alias("is_theirs"), F.col("known_on").alias("told_on"))
    after = left.join(after, on=["user_id", "leave_on"], how="inner").where("told_on <= known_on")
    after = after.groupBy("known_on", "user_id").agg(F.max(F.coalesce("is_theirs", F.lit(False))).alias("at_competitor"))
    others = left.join(back, on=["known_on", "user_id"], how="left_anti")
    told = others.join(after, on=["known_on", "user_id"], how="left")
    return _stacked(told.withColumn("at_competitor", _or_none("at_competitor", settings)), "at_competitor")
