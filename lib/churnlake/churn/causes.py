"""Why leavers left, as far as their records tell: evidence for each cause, and how much each piece of it is worth.

What leavers show says little until it is known how often those show it who stay. So a piece of evidence weighs as much as it sets
those who show it apart: the part of its leavers that is beyond what users of the same brand and age without it would have left (the
attributable fraction among the exposed, Miettinen 1974, by indirect standardisation). No cause is taught; none is read from an answer.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from churnlake.churn.leaving import is_active
from churnlake.churn.settings import CauseSettings, ChurnSettings
from churnlake.core.contract import Table
from churnlake.core.months import month_before
from churnlake.tables.causes import (
    CAUSE_MONTHS,
    CAUSE_NAMES,
    EVIDENCE,
    EVIDENCE_CAUSES,
    LEAVER_CAUSES,
    OF_LEAVERS,
    UNKNOWN,
)
from churnlake.tables.daily import USAGE
from churnlake.tables.reentry import MATCHES
from churnlake.tables.reference import BILLS, SUBSCRIBERS
from churnlake.tables.stages import CONFIRMED

USED = {
    "local": "voice_out_seconds_local / 60D",
    "long_distance": "greatest(voice_out_seconds_long_distance - voice_out_seconds_ip, 0) / 60D",
    "roaming": "voice_out_seconds_roaming / 60D",
    "sms": "cast(sms_out_messages as double)",
}
"""By what every plan has a price for, the units of a month that it is charged for."""
INCLUDED = {"local": "included_minutes", "sms": "included_messages"}
ALL = "all"


def rules(settings: ChurnSettings) -> dict[str, str]:
    """By evidence that anybody can show, SQL over ``facts``; a fact not known makes none hold. Limits are settings."""
    s, debt = settings.causes, settings.passive.least_arrears_yuan
    return {
        "great_debt": f"tenure_days < {s.new_days} AND arrears_yuan >= {s.great_debt_yuan}",
        "in_debt": f"arrears_yuan >= {debt}",
        "other_home": "home_cell <> home_cell_before",
        "away": f"roaming_calls_share >= {s.away_share}",
        "neighbours_left": "neighbours_left_3m > 0",
        "complained": "voice_out_calls_to_complaints > 0",
        "called_care": f"hotline_calls_3m >= {s.care_calls}",
        "calls_dropped": f"voice_dropped_calls >= {s.dropped_calls} AND voice_dropped_share >= {s.dropped_share}",
        "bonus_ends": f"bonus_yuan > 0 AND bonus_left_days BETWEEN -{s.bonus_days} AND {s.bonus_days}",
        "new_handset": "new_handsets > 0",
        "old_handset": "has_gprs_handset = 0",
        "cheaper_plan": f"saving_share >= {s.least_saving}",
        "fee_rose": f"fee_to_own_mean_ratio >= {s.fee_ratio}",
        "asked_competitor": "competitor_hotline_calls_3m > 0",
        "sends_calls_on": "voice_forwarded_calls_to_competitor > 0",
    }


def held(
    features: DataFrame, neighbours: DataFrame | None, plans: DataFrame | None, months: Sequence[dt.date], settings: ChurnSettings
) -> DataFrame:
    """One row per month and user with a record in it: is_active, brand, is_new, and ``held``, the evidence shown, as known at its end.

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
    names = ", ".join(f"if({sql}, '{name}', null)" for name, sql in rules(settings).items())
    return facts.select(
        "month", "user_id", F.expr(is_active(settings)).alias("is_active"),
        F.coalesce("brand", F.lit("")).alias("brand"),
        F.expr(f"coalesce(tenure_days < {settings.causes.new_days}, false)").alias("is_new"),
        F.expr(f"array_compact(array({names}))").alias("held"),
    )  # fmt: skip


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


def evidence(
    shown: DataFrame, leavings: DataFrame, before: DataFrame | None, months: Mapping[dt.date, dt.date], settings: CauseSettings
) -> DataFrame:
    """One row per month, cause and piece of evidence (churn.evidence): who showed it, who of them left, how many were to be expected.

    Expected is, by brand and whether new, the rate at which those left who did not show it. ``attributable_share`` sums up this month
    and the ``evidence_months`` - 1 before it, less what chance makes, so that few tell little.

    Args:
        shown: ``held`` of the feature months.
        leavings: churn.leavings as known at each month's end.
        before: churn.evidence of the months before; None without any.
        months: by month at whose end this is told, the feature month whose outcome is told by then.
        settings: how many months count.
    """
    told = [F.struct(F.lit(month).alias("month"), F.lit(of).alias("feature_month")) for month, of in months.items()]
    asked = shown.where("is_active").withColumnRenamed("month", "of").withColumn("told", F.explode(F.array(*told)))
    asked = asked.where("told.feature_month = of").select("told.month", "of", "user_id", "brand", "is_new", "held")
    left = leavings.select("user_id", "leave_on", "known_on")
    gone = asked.select("month", "of", "user_id").join(left, on="user_id", how="inner")
    gone = gone.where("trunc(leave_on, 'MM') = add_months(of, 1) AND known_on <= last_day(month)")
    gone = gone.select("month", "user_id").distinct().withColumn("has_left", F.lit(1))
    outcome = asked.join(gone, on=["month", "user_id"], how="left").withColumn("has_left", F.coalesce("has_left", F.lit(0)))
    stratum = ["month", "of", "brand", "is_new"]
    every = outcome.groupBy(*stratum).agg(F.count("*").alias("all_users"), F.sum("has_left").alias("all_left"))
    by_piece = outcome.withColumn("piece", F.explode(_pieces("held")))
    with_it = by_piece.groupBy(*stratum, "piece").agg(F.count("*").alias("users"), F.sum("has_left").alias("left_users"))
    # of a stratum in which everybody shows it nobody is left to compare with
    compared = with_it.join(every, on=stratum, how="inner").where("all_users > users")
    rate = "(all_left - left_users) / cast(all_users - users as double)"
    summed = compared.groupBy("month", "of", "piece").agg(
        F.sum("users").alias("users"), F.sum("left_users").alias("left_users"),
        # as a decimal: a sum of doubles depends on their order
        F.expr(f"cast(sum(cast(users * {rate} as decimal(18,6))) as double)").alias("expected_users"),
    )  # fmt: skip
    now = summed.select(
        "month", F.col("of").alias("feature_month"), "piece.cause", "piece.evidence", "users", "left_users", "expected_users",
    )  # fmt: skip
    rows = now.withColumn("is_now", F.lit(True))
    if before is not None:
        past = before.where(~F.col("month").isin(list(months))).select(*now.columns)
        rows = rows.unionByName(past.withColumn("is_now", F.lit(False)))
    of_piece = Window.partitionBy("cause", "evidence").orderBy(F.expr("year(month) * 12 + month(month)"))
    lately = of_piece.rangeBetween(1 - settings.evidence_months, 0)
    seen, due = F.sum("left_users").over(lately), F.sum("expected_users").over(lately)
    # what chance makes of so many expected is taken off: one standard deviation, half a leaver at least
    share = F.round(F.greatest(F.lit(0.0), (seen - due - F.sqrt(due + 0.25)) / F.greatest(seen, F.lit(1))), 6)
    return rows.withColumn("attributable_share", share).where("is_now").select(EVIDENCE.names)


def _pieces(held_column: str) -> Column:
    """Array of what is counted for a user: each piece of evidence, and each cause that any speaks for."""
    of = ", ".join(f"'{name}', '{cause}'" for name, cause in EVIDENCE_CAUSES.items())
    each = f"transform({held_column}, e -> named_struct('cause', map({of})[e], 'evidence', e))"
    whole = f"transform(array_distinct(transform({held_column}, e -> map({of})[e])), c -> named_struct('cause', c, 'evidence', '{ALL}'))"
    return F.expr(f"concat({each}, {whole})")


def causes(
    leavings: DataFrame,
    shown: DataFrame,
    tables: Mapping[Table, DataFrame],
    weights: DataFrame | None,
    settings: ChurnSettings,
) -> DataFrame:
    """One row per leaver and confirmation (churn.causes): each cause's share of the evidence, the likeliest cause, the evidence.

    Evidence is what was shown at the end of the month before the leaving and of the month of it. Pieces of one cause are taken
    together as independent (one of them at least is right); shares are those of the sum over causes.

    Args:
        leavings: churn.leavings to be explained.
        shown: ``held`` of those months.
        tables: daily usage of 28 days before each leaving; bills, re-entry matches and subscribers where there are any: without one
            what is read from it speaks for nothing.
        weights: churn.evidence of months before the leavings were confirmed; None without any: then the weights of start count.
        settings: weights of start, and of evidence that only leavers show.
    """
    left = leavings.select("known_on", "user_id", "leave_on", "kind")
    of = left.withColumn(
        "month", F.explode(F.array(F.expr("trunc(leave_on, 'MM')"), F.expr("add_months(trunc(leave_on, 'MM'), -1)")))
    )
    seen = of.join(shown.select("month", "user_id", "held"), on=["month", "user_id"], how="inner")
    pieces = seen.select("known_on", "user_id", F.explode("held").alias("evidence"))
    found = [pieces, _stopped(left, tables[USAGE], settings.causes)]
    if BILLS in tables:
        found.append(_suspended(left, tables[BILLS], settings.passive.least_arrears_yuan))
    if MATCHES in tables and SUBSCRIBERS in tables:
        found.append(_back(left, tables[MATCHES], tables[SUBSCRIBERS]))
    pieces = reduce(DataFrame.unionByName, found).distinct()
    start = F.create_map(*[F.lit(x) for name in EVIDENCE_CAUSES for x in (name, settings.causes.start_weights[name])])
    weighed = pieces.withColumn("start", start[F.col("evidence")])
    if weights is None:
        weighed = weighed.withColumn("weight", F.col("start"))
    else:
        learnt = weights.where(f"evidence <> '{ALL}'").select("month", "evidence", "attributable_share")
        asked = weighed.select("known_on", "evidence").distinct()
        newest = asked.join(F.broadcast(learnt), on="evidence", how="inner").where("last_day(month) <= known_on")
        newest = newest.groupBy("known_on", "evidence").agg(F.max_by("attributable_share", "month").alias("learnt"))
        # the start weight of a sign of going says how much less it tells of why
        sign = F.create_map(*[F.lit(x) for name in EVIDENCE_CAUSES for x in (name, settings.causes.sign_weights.get(name, 1.0))])
        weighed = weighed.join(newest, on=["known_on", "evidence"], how="left")
        weighed = weighed.withColumn("weight", F.coalesce(F.col("learnt") * sign[F.col("evidence")], F.col("start")))
    return _shares(left, weighed)


def _shares(left: DataFrame, weighed: DataFrame) -> DataFrame:
    of = F.create_map(*[F.lit(x) for pair in EVIDENCE_CAUSES.items() for x in pair])
    order = {name: at for at, name in enumerate(EVIDENCE_CAUSES)}
    turn = F.create_map(*[F.lit(x) for pair in order.items() for x in pair])
    named = weighed.withColumn("cause", of[F.col("evidence")])
    missed = {
        cause: F.array_sort(F.collect_list(F.when(F.col("cause") == cause, F.round(1 - F.col("weight"), 9))))
        for cause in CAUSE_NAMES
    }
    listed = F.array_sort(
        F.collect_list(F.struct((-F.round("weight", 6)).alias("w"), turn[F.col("evidence")].alias("turn"), "evidence"))
    )
    summed = named.groupBy("known_on", "user_id").agg(
        listed.alias("listed"), *[each.alias(f"{cause}_missed") for cause, each in missed.items()]
    )
    strong = {cause: f"round(1 - aggregate({cause}_missed, 1D, (a, x) -> a * x), 9)" for cause in CAUSE_NAMES}
    whole = " + ".join(strong.values())
    shared = summed.withColumns(
        {f"{cause}_share": F.expr(f"round(coalesce({sql} / nullif({whole}, 0D), 0D), 6)") for cause, sql in strong.items()}
    )
    rows = left.join(shared, on=["known_on", "user_id"], how="left").fillna(0.0, [f"{cause}_share" for cause in CAUSE_NAMES])
    best = ", ".join(
        f"named_struct('s', {cause}_share, 'turn', {-at}, 'cause', '{cause}')" for at, cause in enumerate(CAUSE_NAMES)
    )
    told = rows.withColumn("best", F.expr(f"array_max(array({best}))"))
    return told.select(
        "known_on", "user_id", "leave_on",
        F.expr(f"if(best.s > 0, best.cause, '{UNKNOWN}')").alias("cause"),
        F.expr("if(best.s > 0, best.s, null)").alias("share"),
        *[f"{cause}_share" for cause in CAUSE_NAMES],
        F.expr("coalesce(transform(listed, e -> e.evidence), array())").alias("evidence"),
    ).select(LEAVER_CAUSES.names)  # fmt: skip


def _stopped(left: DataFrame, usage: DataFrame, settings: CauseSettings) -> DataFrame:
    """Who used the number as ever to the last day, and then never again: known_on, user_id, evidence."""
    days, normal = settings.stop_days, settings.stop_normal_days
    used = left.join(usage.select("user_id", "day", "own_events"), on="user_id", how="inner")
    used = used.where(f"day < leave_on AND day >= date_sub(leave_on, {days + normal})")
    sums = used.groupBy("known_on", "user_id").agg(
        F.expr(f"sum(if(day >= date_sub(leave_on, {days}), own_events, 0)) as late"),
        F.expr(f"sum(if(day < date_sub(leave_on, {days}), own_events, 0)) as early"),
    )
    as_ever = sums.where(f"early >= {normal} AND late / {days}D >= {settings.stop_level}D * early / {normal}D")
    return as_ever.select("known_on", "user_id", F.lit(OF_LEAVERS[1]).alias("evidence"))


def _suspended(left: DataFrame, bills: DataFrame, least_yuan: float) -> DataFrame:
    """Who left suspended and owes: known_on, user_id, evidence."""
    gone = left.where(F.col("kind") == CONFIRMED[1])
    owed = bills.where(f"arrears_yuan >= {least_yuan}").select("user_id", "delivered_on", "month")
    owing = gone.join(owed, on="user_id", how="inner").where(
        "delivered_on <= known_on AND month >= add_months(trunc(leave_on, 'MM'), -1)"
    )
    return owing.select("known_on", "user_id", F.lit(OF_LEAVERS[0]).alias("evidence")).distinct()


def _back(left: DataFrame, matches: DataFrame, subscribers: DataFrame) -> DataFrame:
    """Who came back under another number, as known by then: for a joining bonus, else on another plan or the same one."""
    new = matches.select(
        F.col("user_id").alias("new_user_id"), F.col("old_user_id").alias("user_id"), F.col("known_on").alias("matched_on")
    )
    pairs = left.select("known_on", "user_id").join(new, on="user_id", how="inner").where("matched_on <= known_on")
    pairs = pairs.drop("matched_on").distinct()
    told = subscribers.select("user_id", "delivered_on", "plan_id", "bonus_yuan")
    old = pairs.join(told, on="user_id", how="inner").where("delivered_on <= known_on")
    old = old.groupBy("known_on", "user_id", "new_user_id").agg(F.max_by("plan_id", "delivered_on").alias("old_plan_id"))
    joined = told.select(F.col("user_id").alias("new_user_id"), "delivered_on", F.struct("plan_id", "bonus_yuan").alias("joined"))
    both = old.join(joined, on="new_user_id", how="inner").where("delivered_on <= known_on")
    both = both.groupBy("known_on", "user_id", "new_user_id", "old_plan_id").agg(
        F.min_by("joined", "delivered_on").alias("joined")
    )
    bonus, other, same = OF_LEAVERS[2:]
    why = f"if(joined.bonus_yuan > 0, '{bonus}', if(joined.plan_id <> old_plan_id, '{other}', if(joined.plan_id = old_plan_id, '{same}', null)))"
    return both.select("known_on", "user_id", F.expr(why).alias("evidence")).where("evidence IS NOT NULL").distinct()


def by_month(
    told: DataFrame, shown: DataFrame, weights: DataFrame, months: Sequence[dt.date], settings: CauseSettings
) -> DataFrame:
    """One row per month and cause (churn.cause_months).

    Args:
        told: churn.causes of leavings confirmed in these months.
        shown: ``held`` of them.
        weights: churn.evidence of them.
        months: first days of the months to make.
        settings: what mending a cause costs a user.
    """
    costs = F.create_map(*[F.lit(x) for cause in CAUSE_NAMES for x in (cause, settings.mend_yuan[cause])])
    confirmed = told.withColumn("month", F.trunc("known_on", "MM")).where(F.col("month").isin(list(months)))
    shares = ", ".join(f"named_struct('cause', '{cause}', 'share', {cause}_share)" for cause in CAUSE_NAMES)
    each = confirmed.select("month", F.col("cause").alias("likeliest"), F.expr(f"inline(array({shares}))"))
    left = each.groupBy("month", "cause").agg(
        F.count_if(F.col("cause") == F.col("likeliest")).alias("leavers"),
        F.expr("cast(sum(cast(share as decimal(18,6))) as double)").alias("expected_leavers"),
    )
    pieces = (
        shown.where("is_active").select("month", F.explode(_pieces("held")).alias("piece")).where(f"piece.evidence = '{ALL}'")
    )
    affected = pieces.groupBy("month", "piece.cause").agg(F.count("*").alias("users"))
    rated = weights.where(f"evidence = '{ALL}'").select(
        "month", "cause", F.col("users").alias("shown_users"), "left_users", "expected_users"
    )
    # every cause has its row in every month that anybody left in or shows anything in
    base = left.select("month").unionByName(affected.select("month")).distinct()
    base = base.where(F.col("month").isin(list(months))).withColumn(
        "cause", F.explode(F.array(*[F.lit(cause) for cause in CAUSE_NAMES]))
    )
    rows = base
    for frame in (left, affected, rated):
        rows = rows.join(frame, on=["month", "cause"], how="left")
    rows = rows.fillna(0, ["leavers", "expected_leavers", "users"])
    beyond = F.expr("coalesce(greatest(left_users - expected_users, 0D) / nullif(shown_users, 0), 0D)")
    rows = rows.withColumn("kept_users", F.round(F.col("users") * beyond, 6))
    every = confirmed.groupBy("month").agg(F.count("*").alias("all_leavers"))
    joined = rows.join(every, on="month", how="left")
    return joined.select(
        "month", "cause", "leavers", "expected_leavers", "users",
        F.expr("round(left_users / nullif(expected_users, 0D), 6)").alias("severity_ratio"),
        (F.col("users") * costs[F.col("cause")]).cast("decimal(12,2)").alias("mend_yuan"), "kept_users",
        F.expr("round(least(kept_users / nullif(all_leavers, 0), 1D), 6)").alias("lift_share"),
    ).select(CAUSE_MONTHS.names)  # fmt: skip


def feature_month(end: dt.date, settings: ChurnSettings) -> dt.date:
    """The newest month whose outcome, of the month after it, is told on ``end``: ``label_closes_days`` after that one's end."""
    closed = end - dt.timedelta(days=settings.label_closes_days - 1)
    return month_before(month_before(closed))
