"""Why a customer took a new number: the facts behind each motive, and the rules in the order in which they are asked.

The rules are those of seed 000 (system rules of the causes of re-entry). Rules that ask for rarer and harder facts come first, so
that a bonus or a lower price, which many get, does not hide them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.core.contract import Table
from churnlake.core.runs import Days
from churnlake.reentry.settings import MotiveSettings, ReentrySettings
from churnlake.tables.daily import DEVICES, USAGE
from churnlake.tables.motives import BEAUTY, MOTIVES
from churnlake.tables.reference import BILLS, PLANS, SUBSCRIBERS

PAIR = ["user_id", "old_user_id"]
UNKNOWN = "unknown"
USED = {
    "local": "voice_out_seconds_local / 60D",
    "long_distance": "greatest(voice_out_seconds_long_distance - voice_out_seconds_ip, 0) / 60D",
    "ip": "voice_out_seconds_ip / 60D",
    "roaming": "voice_out_seconds_roaming / 60D",
    "international": "voice_out_seconds_international / 60D",
    "sms": "sms_out_messages",
    "mms": "mms_out_messages",
    "wap": "wap_bytes / 1024D",
}
"""By what a plan has a price for, the units of a day of daily.usage that it is charged for."""
OPTIONAL = ("international", "ip", "mms", "wap")
"""Prices that a plan may not tell: what one of two plans does not tell is left out of both."""


def rules(settings: MotiveSettings) -> dict[str, str]:
    """By motive, SQL over the facts of whether its rule holds, in the order of asking; a fact not known makes no rule hold."""
    better = ", ".join(f"'{name}'" for name in BEAUTY)
    return {
        # suspended when its use ended, with a debt
        "arrears": f"suspended_on >= date_sub(date_sub(joined_on, gap_days), {settings.stop_days}) AND arrears_yuan > 0",
        # used as ever to the last day, then never again; the same plan; and another handset, or a call for help
        "lost_sim": f"gap_days >= 0 AND stop_level >= {settings.sudden_level} AND old_plan_id = new_plan_id "
        "AND (coalesce(has_new_handset, false) OR hotline_calls > 0)",
        # a number of a better class, or the old one set to send its calls on to ours when the new one came
        "number": f"array_position(array({better}), new_beauty) < array_position(array({better}), old_beauty) "
        "OR (forwarded_calls > 0 AND forwarded_before_calls = 0)",
        # joined for a bonus while the old number still ran
        "bonus": "bonus_yuan > 0 AND gap_days < 0",
        # another brand, also where that is cheaper: what the counter could have changed on the old number
        "brand": "old_brand <> new_brand",
        "plan": f"old_plan_id <> new_plan_id AND saving_share >= {settings.least_saving}",
    }


def first_day_needed(days: Days, settings: ReentrySettings) -> dt.date:
    """First day of daily data that the facts of matches final within the run look at."""
    return days.first - dt.timedelta(days=max(settings.stages) + settings.gap_most_days + settings.motives.normal_days)


def motives(matches: DataFrame, tables: Mapping[Table, DataFrame], settings: ReentrySettings) -> DataFrame:
    """One row per final match (reentry.motives): its facts as known on ``known_on``, and its motive.

    Args:
        matches: reentry.matches; earlier stages are left out.
        tables: daily usage, and devices, subscribers, bills and plans where there are any: without one its facts are null.
        settings: which stage is final, and what the rules ask for.
    """
    final = matches.where(F.col("stage_days") == max(settings.stages))
    final = final.select("known_on", *PAIR, "joined_on", "old_last_on", "gap_days", "has_same_imei")
    facts = _with_use(final, tables[USAGE], settings.motives)
    facts = _with_handset(facts, tables.get(DEVICES))
    facts = _with_register(facts, tables.get(SUBSCRIBERS))
    facts = _with_debt(facts, tables.get(BILLS))
    facts = _with_cost(facts, tables.get(PLANS))
    asked = rules(settings.motives)
    held = ", ".join(f"if({sql}, '{name}', null)" for name, sql in asked.items())
    judged = facts.withColumn("held", F.expr(f"array_compact(array({held}))"))
    return judged.withColumn("motive", F.expr(f"coalesce(try_element_at(held, 1), '{UNKNOWN}')")).select(MOTIVES.names)


def _with_use(final: DataFrame, usage: DataFrame, settings: MotiveSettings) -> DataFrame:
    """The matches with what the two numbers' days tell: stop_level, hotline_calls, forwarding, and units used in 30 normal days.

    Normal days are the ``normal_days`` up to the old number's last use or the day before the join, whichever is earlier, from the
    first of them with any record on.
    """
    stop, slack = settings.stop_days, settings.forward_slack_days
    used = usage.select(
        "user_id",
        "day",
        "own_events",
        F.col("voice_out_calls_to_hotline").alias("hotline"),
        F.col("voice_forwarded_calls_to_own").alias("forwarded"),
        *[F.expr(f"cast({sql} as double)").alias(f"use_{name}") for name, sql in USED.items()],
    )
    ends = final.select("known_on", *PAIR, "joined_on", "old_last_on").withColumns(
        {
            "normal_to": F.expr("least(old_last_on, date_sub(joined_on, 1))"),
            "week_from": F.date_sub("old_last_on", stop - 1),
            "forward_from": F.date_sub("joined_on", slack),
        }
    ).withColumn("normal_from", F.date_sub("normal_to", settings.normal_days - 1))  # fmt: skip
    old = ends.join(used.withColumnRenamed("user_id", "old_user_id"), on="old_user_id", how="inner").where("day <= known_on")
    normal = "day BETWEEN normal_from AND normal_to"
    spent = old.groupBy(*PAIR, "normal_to", "week_from").agg(
        F.expr(f"min(if({normal}, day, null)) as normal_since"),
        F.expr("sum(if(day BETWEEN week_from AND old_last_on, own_events, 0)) as week_events"),
        F.expr("sum(if(day BETWEEN normal_from AND date_sub(week_from, 1), own_events, 0)) as before_events"),
        F.expr(
            f"sum(if(day BETWEEN date_sub(old_last_on, {settings.hotline_days - 1}) AND old_last_on, hotline, 0)) as old_hotline"
        ),
        F.expr("sum(if(day >= forward_from, forwarded, 0)) as forwarded_calls"),
        F.expr("sum(if(day BETWEEN normal_from AND date_sub(forward_from, 1), forwarded, 0)) as forwarded_before_calls"),
        *[F.expr(f"sum(if({normal}, use_{name}, 0D)) as use_{name}") for name in USED],
    )
    spent = spent.withColumns(
        {
            "days": F.expr("datediff(normal_to, normal_since) + 1"),
            "days_before": F.expr("greatest(datediff(week_from, normal_since), 0)"),
        }
    ).withColumn(
        "stop_level",
        F.expr(
            f"if(days_before >= {settings.least_normal_days}, "
            f"round((week_events / {stop}D) / nullif(before_events / cast(days_before as double), 0D), 6), null)"
        ),
    )
    # of 30 days, as plans are priced by the month
    spent = spent.withColumns({f"use_{name}": F.expr(f"use_{name} * 30 / days") for name in USED})
    spent = spent.drop("normal_to", "week_from", "normal_since", "week_events", "before_events", "days", "days_before")
    new = final.select(*PAIR, "joined_on").join(used.select("user_id", "day", "hotline"), on="user_id", how="inner")
    new = new.where(f"day BETWEEN joined_on AND date_add(joined_on, {settings.hotline_days - 1})")
    called = new.groupBy(*PAIR).agg(F.sum("hotline").alias("new_hotline"))
    joined = final.join(spent, on=PAIR, how="left").join(called, on=PAIR, how="left")
    counts = {name: F.coalesce(name, F.lit(0)) for name in ("forwarded_calls", "forwarded_before_calls")}
    calls = F.expr("coalesce(old_hotline, 0) + coalesce(new_hotline, 0)")
    return joined.withColumns({**counts, "hotline_calls": calls}).drop("old_hotline", "new_hotline")


def _with_handset(facts: DataFrame, devices: DataFrame | None) -> DataFrame:
    """With has_new_handset: null where no handset of the joiner was seen by then."""
    if devices is None:
        return facts.withColumn("has_new_handset", F.lit(None).cast("boolean"))
    seen = facts.select("known_on", "user_id", "joined_on").join(devices.select("user_id", "day"), on="user_id", how="inner")
    seen = seen.where("day BETWEEN joined_on AND known_on").select("user_id").distinct().withColumn("is_seen", F.lit(True))
    return facts.join(seen, on="user_id", how="left").withColumn(
        "has_new_handset", F.expr("if(is_seen, NOT has_same_imei, null)")
    )


def _with_register(facts: DataFrame, subscribers: DataFrame | None) -> DataFrame:
    """With brand, plan and beauty class of both (the old number's last by then, the new one's first), bonus and suspended_on."""
    about = ("brand", "plan_id", "number_beauty")
    if subscribers is None:
        gone = {f"{side}_{name}": "string" for side in ("old", "new") for name in ("brand", "plan_id", "beauty")}
        kinds = {**gone, "bonus_yuan": "decimal(12,2)", "suspended_on": "date"}
        return facts.withColumns({name: F.lit(None).cast(kind) for name, kind in kinds.items()})
    told = subscribers.select("user_id", "delivered_on", *about, "bonus_yuan", "status", "status_since")
    old = facts.select("known_on", *PAIR).join(
        told.withColumnRenamed("user_id", "old_user_id"), on="old_user_id", how="inner"
    ).where("delivered_on <= known_on").groupBy(*PAIR).agg(
        F.max_by(F.struct(*about), "delivered_on").alias("old"),
        F.expr("max(if(status = 'suspended', status_since, null)) as suspended_on"),
    )  # fmt: skip
    new = facts.select("known_on", *PAIR).join(told, on="user_id", how="inner").where("delivered_on <= known_on")
    new = new.groupBy(*PAIR).agg(F.min_by(F.struct(*about, "bonus_yuan"), "delivered_on").alias("new"))
    both = facts.join(old, on=PAIR, how="left").join(new, on=PAIR, how="left")
    named = {"brand": "brand", "plan_id": "plan_id", "number_beauty": "beauty"}
    columns = {f"{side}_{name}": F.col(side)[field] for side in ("old", "new") for field, name in named.items()}
    return both.withColumns({**columns, "bonus_yuan": F.col("new")["bonus_yuan"]}).drop("old", "new")


def _with_debt(facts: DataFrame, bills: DataFrame | None) -> DataFrame:
    """With arrears_yuan: the most unpaid on bills of the old number from the month before its last use on, delivered by then."""
    if bills is None:
        return facts.withColumn("arrears_yuan", F.lit(None).cast("decimal(12,2)"))
    owed = bills.select(F.col("user_id").alias("old_user_id"), "delivered_on", "month", "arrears_yuan")
    late = facts.select("known_on", *PAIR, "old_last_on").join(owed, on="old_user_id", how="inner")
    late = late.where("delivered_on <= known_on AND month >= add_months(trunc(old_last_on, 'MM'), -1)")
    return facts.join(late.groupBy(*PAIR).agg(F.max("arrears_yuan").alias("arrears_yuan")), on=PAIR, how="left")


def _with_cost(facts: DataFrame, plans: DataFrame | None) -> DataFrame:
    """With the tariff rehearsed: the old number's normal use at the prices of either plan, as known by then."""
    costs = ("old_cost_yuan", "new_cost_yuan")
    if plans is None:
        return facts.withColumns(
            {**{name: F.lit(None).cast("decimal(12,2)") for name in costs}, "saving_share": F.lit(None).cast("double")}
        )
    prices = [f"{name}_yuan" for name in ("monthly_fee", *USED)]
    priced = plans.select("plan_id", "delivered_on", *prices, "included_minutes", "included_messages")

    def known(side: str) -> DataFrame:
        asked = facts.select("known_on", *PAIR, F.col(f"{side}_plan_id").alias("plan_id"))
        there = asked.join(F.broadcast(priced), on="plan_id", how="inner").where("delivered_on <= known_on")
        of_then = F.max_by(F.struct(*prices, "included_minutes", "included_messages"), "delivered_on")
        return there.groupBy(*PAIR).agg(of_then.alias(f"{side}_price"))

    def cost(side: str) -> str:
        included = {"local": "included_minutes", "sms": "included_messages"}
        terms = [f"{side}_price.monthly_fee_yuan"]
        for name in USED:
            charged = f"use_{name}"
            if name in included:
                charged = f"greatest({charged} - coalesce({side}_price.{included[name]}, 0), 0)"
            term = f"{charged} * {side}_price.{name}_yuan"
            if name in OPTIONAL:
                term = f"if(old_price.{name}_yuan IS NULL OR new_price.{name}_yuan IS NULL, 0D, {term})"
            terms.append(term)
        return "cast(" + " + ".join(f"cast({term} as double)" for term in terms) + " as decimal(12,2))"

    both = reduce(lambda left, side: left.join(known(side), on=PAIR, how="left"), ("old", "new"), facts)
    rehearsed = both.withColumns({f"{side}_cost_yuan": F.expr(cost(side)) for side in ("old", "new")})
    saved = "round(1 - cast(new_cost_yuan as double) / nullif(cast(old_cost_yuan as double), 0D), 6)"
    return rehearsed.withColumn("saving_share", F.expr(saved)).drop("old_price", "new_price")
