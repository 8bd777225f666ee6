"""Which part of gross adds each joiner is: new, back, one more number, moved, a dealer's own card, or not to be told."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.reentry import odds
from churnlake.reentry.settings import ReentrySettings

SILENCE = ("gap", "level", "still_met")
"""Evidence of whether the old number falls silent: of one more number of a person it says nothing."""
JOINED_AS = ("brand", "plan_id", "channel", "dealer_id", "branch", "bonus_yuan", "bonus_until")
"""What is told of a user at its joining."""


def seconds(pairs: DataFrame, settings: ReentrySettings) -> DataFrame:
    """One row per joiner of the final stage with an old user who stays: ``second_probability``, that both are one person's numbers.

    The odds of pairs ``kept`` by all evidence but that of silence, of which a person with two numbers gives none, under the weights of
    ``start``: what is learnt is learnt from such pairs as known to be no match, and would see none. Of each joiner the likeliest pair
    alone: friends and family stay as well, and many a little likely are no sign of any.
    """
    start = {name: levels for name, levels in settings.start.items() if name not in SILENCE}
    kept = pairs.where("kind = 'kept'").drop("odds").withColumn("kind", F.lit("open"))
    weighed = odds.with_odds(kept, {}, settings.model_copy(update={"start": start}))
    return weighed.groupBy("user_id").agg(F.expr("round(max(odds) / (1 + max(odds)), 6)").alias("second_probability"))


def joined_as(joiners: DataFrame, subscribers: DataFrame | None) -> DataFrame:
    """The joiners with JOINED_AS, as first delivered by ``known_on``; null where nothing was."""
    if subscribers is None:
        kinds = {"bonus_yuan": "decimal(12,2)", "bonus_until": "date"}
        return joiners.withColumns({name: F.lit(None).cast(kinds.get(name, "string")) for name in JOINED_AS})
    told = subscribers.select("user_id", "delivered_on", *JOINED_AS)
    told = told.join(joiners.select("user_id", "known_on"), on="user_id", how="inner").where("delivered_on <= known_on")
    first = told.groupBy("user_id").agg(F.min_by(F.struct(*JOINED_AS), "delivered_on").alias("was"))
    return joiners.join(first.select("user_id", "was.*"), on="user_id", how="left")


def parts(
    joined: DataFrame,
    likely: DataFrame,
    second: DataFrame,
    matches: DataFrame,
    farmed: DataFrame | None,
    settings: ReentrySettings,
) -> DataFrame:
    """One row per joiner of whole months (reentry.parts).

    Args:
        joined: joiners of the final stage (reentry.joiners), each with the ``known_on`` its month is told on, as they joined (``joined_as``).
        likely: their pairs with ``probability`` (odds.with_probability).
        second: what ``seconds`` finds.
        matches: of the final stage (reentry.matches).
        farmed: one row per user whose card is a dealer's own; None where nobody can tell.
        settings: the least probability of a match.
    """
    back = likely.groupBy("user_id").agg(F.expr("round(least(sum(probability), 1D), 6)").alias("reentry_probability"))
    rows = joined
    for found in (back, second, matches.select("user_id", "old_user_id")):
        rows = rows.join(found, on="user_id", how="left")
    if farmed is None:
        rows = rows.withColumn("is_farmed", F.lit(False))
    else:
        own = farmed.select("user_id", F.lit(True).alias("is_own"))
        rows = rows.join(own, on="user_id", how="left").withColumn("is_farmed", F.expr("coalesce(is_own, false)")).drop("is_own")
    rows = rows.na.fill(0.0, subset=["reentry_probability", "second_probability"])
    part = (
        "CASE WHEN is_farmed THEN 'farmed' WHEN scope = 'excluded' THEN 'moved' WHEN old_user_id IS NOT NULL THEN 'reentry' "
        f"WHEN second_probability >= {settings.least_probability} THEN 'second_number' "
        "WHEN scope = 'too_little' THEN 'unknown' ELSE 'new' END"
    )
    return rows.withColumn("part", F.expr(part))


def shares(rows: DataFrame) -> DataFrame:
    """The rows of reentry.parts with what each is expected to be, in sum 1: ``is_back``, ``is_second``, ``is_own``, ``is_new``, ``is_moved`` and so on."""
    told = rows.withColumn("is_own", F.expr("if(is_farmed, 1D, 0D)"))
    told = told.withColumn("is_back", F.expr("(1 - is_own) * reentry_probability"))
    told = told.withColumn("is_second", F.expr("(1 - is_own - is_back) * second_probability"))
    rest = "1 - is_own - is_back - is_second"
    return told.withColumns(
        {
            "is_unknown": F.expr(f"if(part = 'unknown', {rest}, 0D)"),
            "is_moved": F.expr(f"if(part = 'moved', {rest}, 0D)"),
            "is_new": F.expr(f"if(part IN ('unknown', 'moved'), 0D, {rest})"),
        }
    )
