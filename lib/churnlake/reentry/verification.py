"""How far matches can be believed where no truth is known: a blind sample to call, two lists that do not know of each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from churnlake.reentry import confirming, odds
from churnlake.reentry.settings import ReentrySettings
from churnlake.stats import proportions
from churnlake.tables.reference import OPTED_OUT

NOT_CIRCLE = ("handset", "document", "place")
"""Evidence that is no circle's."""


def by_circle(pairs: DataFrame, learnt: Iterable[Mapping[str, Any]], settings: ReentrySettings) -> DataFrame:
    """One row per joiner whom the circle alone names: user_id, old_user_id, ``circle_probability``.

    ``pairs``: of the final stage; ``learnt``: rows of reentry.weights. Pairs with a peer in common are weighed without handset, document
    and cells, without asking who else the old user could be; of each joiner the likeliest, where it is likelier than not.
    """
    start = {name: levels for name, levels in settings.start.items() if name not in NOT_CIRCLE}
    told = [row for row in learnt if row["evidence"] not in NOT_CIRCLE]
    alike = pairs.where("shared_peers > 0").drop("odds")
    weighed = odds.with_odds_of_then(alike, told, settings.model_copy(update={"start": start}))
    found = odds.with_probability(weighed, weighed.where("false"), settings).where(
        F.col("probability") >= settings.least_probability
    )
    order = Window.partitionBy("user_id").orderBy(F.desc("probability"), "old_user_id")
    first = found.withColumn("turn", F.row_number().over(order)).where("turn = 1")
    return first.select("user_id", "old_user_id", F.col("probability").alias("circle_probability"))


def by_handset(pairs: DataFrame) -> DataFrame:
    """One row per joiner on a handset that an old user used before and whose number fell silent: user_id, old_user_id, ``olds`` there are.

    Of several the one whose handset fewest were seen on, then the one who used its number last.
    """
    same = pairs.where("has_same_imei AND kind <> 'kept'")
    order = Window.partitionBy("user_id").orderBy("imei_users", F.desc("old_last_on"), "old_user_id")
    ranked = same.withColumn("turn", F.row_number().over(order))
    ranked = ranked.withColumn("olds", F.count("*").over(Window.partitionBy("user_id")))
    return ranked.where("turn = 1").select("user_id", "old_user_id", "olds")


def strata(probability: str, settings: ReentrySettings) -> str:
    """SQL of the stratum of a joiner by its probability to be back: 0 for the least probable."""
    return " + ".join(f"cast({probability} >= {edge} as int)" for edge in settings.control.callback_strata)


def callbacks(joined: DataFrame, opt_outs: DataFrame | None, settings: ReentrySettings) -> DataFrame:
    """One row per joiner to be called (reentry.callbacks): of each stratum of probability and month as many, about ``callbacks`` in all.

    Where a stratum has fewer, all of it. Who chose to be left alone is not called. ``joined``: rows of reentry.parts.
    """
    how = settings.control
    willing = joined.withColumn("stratum", F.expr(strata("reentry_probability", settings)))
    if opt_outs is not None:
        out = opt_outs.groupBy("user_id").agg(F.expr(OPTED_OUT).alias("is_out")).where("is_out")
        willing = willing.join(out, on="user_id", how="left_anti")
    chance = f"xxhash64({how.callback_seed}L, '{{}}', user_id)"
    each = -(-how.callbacks // (len(how.callback_strata) + 1))
    place = Window.partitionBy("month", "stratum").orderBy(F.expr(chance.format("drawn")), "user_id")
    drawn = willing.withColumn("place", F.row_number().over(place)).where(f"place <= {each}")
    order = Window.partitionBy("month").orderBy(F.expr(chance.format("called")), "user_id")
    return drawn.select("known_on", "month", "user_id", F.row_number().over(order).alias("call_order"))


def verdicts(drawn: DataFrame, joined: DataFrame, answers: DataFrame, numbers: DataFrame, settings: ReentrySettings) -> DataFrame:
    """One row per month whose calls are over by ``closes_on``: matches, drawn ones, answers, and the precision with its interval.

    A match is right where the number said to have been held is the old user's, wrong where it is another or none was held; who held one but
    names none decides nothing. Each stratum counts by its matches; the interval is Wilson's, of the effective sample (Kish 1965).

    Args:
        drawn: reentry.callbacks with ``closes_on``, by which an answer must be in.
        joined: reentry.parts of the same months.
        answers: reference.answers.
        numbers: one row per user: user_id, number_key.
        settings: strata and the question's code.
    """
    how = settings.control
    rows = joined.select(
        "month", "user_id", "part", "old_user_id", F.expr(strata("reentry_probability", settings)).alias("stratum")
    )
    matched = rows.where("part = 'reentry'")
    sizes = matched.groupBy("month", "stratum").agg(F.count("*").alias("matches"))
    heard = drawn.select("user_id", "closes_on").join(answers, on="user_id", how="inner").where("asked_on <= closes_on")
    said = confirming.said(heard, settings)
    old = numbers.select(F.col("user_id").alias("old_user_id"), "number_key")
    called = drawn.select("user_id", "closes_on").join(matched, on="user_id", how="inner")
    called = called.join(said, on="user_id", how="left").join(old, on="old_user_id", how="left")
    right = "CASE WHEN held = 'no' THEN 0 WHEN named_key IS NOT NULL THEN cast(named_key = number_key as int) END"
    judged = called.withColumn("right", F.expr(right)).groupBy("closes_on", "month", "stratum")
    told = judged.agg(F.count("*").alias("drawn"), F.count("right").alias("answered"), F.sum("right").alias("right"))
    told = told.join(sizes, on=["month", "stratum"], how="inner")
    # a stratum nobody answered in is told by the others
    weight = "if(answered > 0, matches, 0)"
    summed = told.groupBy("closes_on", "month").agg(
        F.sum("matches").alias("matches"), F.sum("drawn").alias("drawn"), F.sum("answered").alias("answered"), F.sum("right").alias("right"),
        F.expr(f"sum({weight} * right / nullif(answered, 0)) / nullif(sum({weight}), 0)").alias("precision"),
        F.expr(f"sum({weight}) * sum({weight}) / nullif(sum({weight} * {weight} / nullif(answered, 0)), 0)").alias("effective"),
    )  # fmt: skip
    low, high = proportions.wilson("precision * effective", "effective", how.deviations)
    return summed.withColumns({"low": F.expr(low), "high": F.expr(high)})
