"""Evidence beside circles and handsets: where and at what hours the two call, what the register says of both, calls sent on from one to the other.

How far back an old user is looked at is counted from the join or the month, never from where the data of a run begin: days run one by one
or as a range say the same.
"""

from __future__ import annotations

from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.core.frames import only
from churnlake.indicators.hours import WORDS, at
from churnlake.reentry import candidates
from churnlake.reentry.candidates import PAIR, UNIT
from churnlake.reentry.settings import ReentrySettings

PERIODS = {
    "place": "voice_calls",
    "night": "night_calls",
    "work": "if(weekday(day) < 5, voice_calls - night_calls, 0)",
    "weekend": "if(weekday(day) >= 5, voice_calls, 0)",
}
"""By period, SQL of a row of daily.places: its calls begun then."""
OWN = ("voice_out_calls", "sms_out_messages")
"""What is counted by the hour of what one does oneself."""
PRIOR_EVENTS = 50
"""Events of the city's hours that an old user's are mixed with (Dirichlet prior, Zhai and Lafferty 2001): few tell no habit."""
HABIT_MONTHS = 3
"""Months up to the newest complete one whose hours are a habit."""
MODEL_MONTHS = 5
"""Months before that of the join in which a model was seen."""


def _of(rows: DataFrame, pairs: DataFrame) -> DataFrame:
    """The rows of users of the pairs."""
    return only(rows, pairs.select("user_id").union(pairs.select("old_user_id")))


def with_places(pairs: DataFrame, places: DataFrame, settings: ReentrySettings) -> DataFrame:
    """The pairs with place_overlap, night_overlap, work_overlap and weekend_overlap.

    The share of the joiner's calls so far, of each of PERIODS, that began in cells the old user used then in the
    ``looks_back_days`` before the join; null where either has no call of it.
    """
    calls = _of(places, pairs).select(
        "user_id", "day", "cell_id", *[F.expr(sql).alias(period) for period, sql in PERIODS.items()]
    )
    sums = [F.sum(period).alias(period) for period in PERIODS]
    new = pairs.select(*UNIT).distinct().join(calls, on="user_id", how="inner").where("day BETWEEN joined_on AND known_on")
    new = new.groupBy(*UNIT, "cell_id").agg(*sums)
    old = pairs.select("old_user_id", "joined_on").distinct()
    old = old.join(calls.withColumnRenamed("user_id", "old_user_id"), on="old_user_id", how="inner")
    old = old.where(f"day < joined_on AND day >= date_sub(joined_on, {settings.looks_back_days})")
    theirs = old.groupBy("old_user_id", "joined_on", "cell_id").agg(
        *[F.expr(f"sum({period}) > 0").alias(f"was_{period}") for period in PERIODS]
    )
    known = theirs.groupBy("old_user_id", "joined_on").agg(*[F.max(f"was_{period}").alias(f"any_{period}") for period in PERIODS])
    met = pairs.select(*PAIR).join(new, on=UNIT, how="inner").join(known, on=["old_user_id", "joined_on"], how="inner")
    met = met.join(theirs, on=["old_user_id", "joined_on", "cell_id"], how="left")
    overlap = met.groupBy(*PAIR).agg(
        *[
            F.expr(
                f"if(any_value(any_{period}), round(sum(if(was_{period}, {period}, 0)) / nullif(sum({period}), 0), 6), null)"
            ).alias(f"{period}_overlap")
            for period in PERIODS
        ]
    )
    return pairs.join(overlap, on=PAIR, how="left")


def with_hours(pairs: DataFrame, usage: DataFrame) -> DataFrame:
    """The pairs with hours_score: how much likelier the old user's hours make the joiner's calls and messages than the city's do.

    The log-likelihood ratio of the joiner's own calls and messages so far by their hours, over the root of their number: one call
    follows another. The old user's hours are of the HABIT_MONTHS complete by then, the city's of the last of them; null where either
    has none.
    """
    words = [f"{kind}_hours_{word}" for kind in OWN for word in range(WORDS)]
    sums = [F.sum(word).alias(word) for word in words]
    by_hour = [" + ".join(at(kind, hour) for kind in OWN) for hour in range(24)]
    counts = F.array(*[F.expr(f"cast({sql} as double)") for sql in by_hour])
    used = _of(usage, pairs).select("user_id", "day", *words)
    new = pairs.select(*UNIT).distinct().join(used, on="user_id", how="inner")
    new = new.where("day BETWEEN joined_on AND known_on").groupBy(*UNIT).agg(*sums).select(*UNIT, counts.alias("mine"))
    asked = pairs.select("old_user_id", F.expr(candidates.AS_OF).alias("as_of")).distinct()
    by_month = used.groupBy(F.col("user_id").alias("old_user_id"), F.expr("trunc(day, 'MM') as month")).agg(*sums)
    habit = f"month <= as_of AND month > add_months(as_of, -{HABIT_MONTHS})"
    old = asked.join(by_month, on="old_user_id", how="inner").where(habit)
    old = old.groupBy("old_user_id", "as_of").agg(*sums).select("old_user_id", "as_of", counts.alias("theirs"))
    months = usage.withColumn("as_of", F.expr("cast(trunc(day, 'MM') as date)"))
    # hour by hour: a whole city's would not fit the words
    city_hours = [F.expr(f"cast(sum({sql}) + 1 as double)") for sql in by_hour]
    city = only(months, asked.select("as_of")).groupBy("as_of").agg(F.array(*city_hours).alias("city"))
    both = pairs.select(*PAIR, F.expr(candidates.AS_OF).alias("as_of")).join(new, on=UNIT, how="inner")
    both = both.join(old, on=["old_user_id", "as_of"], how="inner").join(F.broadcast(city), on="as_of", how="inner")
    total = {name: " + ".join(f"{name}[{hour}]" for hour in range(24)) for name in ("mine", "theirs", "city")}
    both = both.withColumns({f"all_{name}": F.expr(sql) for name, sql in total.items()}).where("all_mine > 0 AND all_theirs > 0")
    # each hour written out: a lambda would be interpreted for every pair
    gains = " + ".join(
        f"mine[{hour}] * ln((theirs[{hour}] * all_city / city[{hour}] + {PRIOR_EVENTS}D) / (all_theirs + {PRIOR_EVENTS}D))"
        for hour in range(24)
    )
    scored = both.select(*PAIR, F.expr(f"round(({gains}) / sqrt(all_mine), 6)").alias("hours_score"))
    return pairs.join(scored, on=PAIR, how="left")


def with_register(pairs: DataFrame, subscribers: DataFrame | None, devices: DataFrame) -> DataFrame:
    """The pairs with same_dealer, plan_shared (plan, brand or none) and same_model; each null where it is not known of both.

    The joiner's plan is its first, the old user's the last before the join, as far as known by then; a model is that of a handset
    the old user was seen with in the MODEL_MONTHS before that of the join.
    """
    known = _register(None if subscribers is None else _of(subscribers, pairs), _of(devices, pairs))
    columns = ("dealer_id", "plans", "models")
    sides = {
        key: known.select(F.col("user_id").alias(key), *[F.col(name).alias(f"{side}_{name}") for name in columns])
        for key, side in (("user_id", "new"), ("old_user_id", "old"))
    }
    both = reduce(lambda left, key: left.join(sides[key], on=key, how="left"), sides, pairs.select(*PAIR))
    both = both.withColumns(
        {
            "new_plan": F.expr("try_element_at(filter(new_plans, p -> p.since <= known_on), 1)"),
            "old_plan": F.expr(
                "coalesce(try_element_at(filter(old_plans, p -> p.since <= joined_on), -1), "
                "try_element_at(filter(old_plans, p -> p.since <= known_on), 1))"
            ),
            "new_tacs": F.expr("transform(filter(new_models, m -> m.since <= known_on), m -> m.tac)"),
            "old_tacs": F.expr(
                "transform(filter(old_models, m -> m.month < trunc(joined_on, 'MM') "
                f"AND m.month >= add_months(trunc(joined_on, 'MM'), -{MODEL_MONTHS})), m -> m.tac)"
            ),
        }
    )
    is_told = "new_plan IS NOT NULL AND old_plan IS NOT NULL"
    told = both.select(
        *PAIR,
        F.expr(f"if({is_told}, new_dealer_id = old_dealer_id, null)").alias("same_dealer"),
        F.expr(
            f"CASE WHEN NOT ({is_told}) OR new_plan.brand IS NULL OR old_plan.brand IS NULL THEN null "
            "WHEN new_plan.plan_id = old_plan.plan_id THEN 'plan' WHEN new_plan.brand = old_plan.brand THEN 'brand' ELSE 'none' END"
        ).alias("plan_shared"),
        F.expr("if(size(new_tacs) > 0 AND size(old_tacs) > 0, arrays_overlap(new_tacs, old_tacs), null)").alias("same_model"),
    )
    return pairs.join(told, on=PAIR, how="left")


def _register(subscribers: DataFrame | None, devices: DataFrame) -> DataFrame:
    """One row per user: dealer_id, ``plans`` (since, plan_id, brand) since when first known, and ``models`` (month, since, tac) by month, in order."""
    seen = devices.where("tac IS NOT NULL").groupBy("user_id", F.expr("trunc(day, 'MM') as month"), "tac")
    each = seen.agg(F.min("day").alias("since"))
    models = each.groupBy("user_id").agg(F.expr("sort_array(collect_list(struct(month, since, tac))) as models"))
    if subscribers is None:
        return models.withColumns(
            {"dealer_id": F.expr("cast(null as string)"), "plans": F.expr("cast(null as array<struct<since: date, plan_id: string, brand: string>>)")}
        )  # fmt: skip
    told = subscribers.groupBy("user_id", "plan_id", "brand").agg(
        F.min("delivered_on").alias("since"), F.min("dealer_id").alias("dealer_id")
    )
    plans = told.groupBy("user_id").agg(
        F.min("dealer_id").alias("dealer_id"), F.expr("sort_array(collect_list(struct(since, plan_id, brand))) as plans")
    )
    return plans.join(models, on="user_id", how="full")


def with_forwards(pairs: DataFrame, forwards: DataFrame | None) -> DataFrame:
    """The pairs with ``has_forwarding``: whether calls to the old number were sent on to the new one by then; null where no table tells."""
    if forwards is None:
        return pairs.withColumn("has_forwarding", F.lit(None).cast("boolean"))
    sent = forwards.groupBy(F.col("user_id").alias("old_user_id"), F.col("peer_id").alias("user_id")).agg(
        F.min("day").alias("sent_from")
    )
    told = pairs.join(sent, on=["user_id", "old_user_id"], how="left")
    return told.withColumn("has_forwarding", F.expr("coalesce(sent_from <= known_on, false)")).drop("sent_from")
