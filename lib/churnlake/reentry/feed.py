"""What the operator is told each month: a row per customer found back, in its own shape, with the reason in words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from churnlake.reentry import odds
from churnlake.reentry.motives import UNKNOWN
from churnlake.reentry.odds import INTERCEPT, MEASURES, Weights
from churnlake.reentry.settings import ReentrySettings
from churnlake.tables.motives import FEED

NAMED = 3
"""Kinds of evidence that a reason names."""
ELSEWHERE = ("new_elsewhere", "old_elsewhere")
"""Measures of other numbers' circles, which speak against a pair."""
WORDS = {
    "circle": "concat(shared_peers, if(shared_peers = 1, ' person', ' people'), ' it is in touch with, ', cast(round(100 * new_found) as int), "
    "' % of all, ', if(shared_peers = 1, 'was', 'were'), ' in touch with the old number')",
    "handset": "if(has_same_imei, concat('it runs on a handset the old number used', if(imei_users <= 2, '', "
    "concat(', seen on ', imei_users, ' users'))), 'no handset of the old number is seen')",
    "document": "if(has_same_document, 'both were joined with one document', 'no document in common')",
    "gap": "CASE WHEN gap_days < 0 THEN concat('the two were in use side by side for ', -gap_days, if(gap_days = -1, ' day', ' days')) "
    "WHEN gap_days = 0 THEN 'it began on the day the old number was last used' "
    "ELSE concat('it began ', gap_days, if(gap_days = 1, ' day', ' days'), ' after the old number was last used') END",
    "forward": "if(has_forwarding, 'calls to the old number are sent on to it', null)",
    "night": "concat(cast(round(100 * night_overlap) as int), ' % of its calls by night are made where the old number was by night')",
    "work": "concat(cast(round(100 * work_overlap) as int), ' % of its calls in working hours are made where the old number was then')",
    "weekend": "concat(cast(round(100 * weekend_overlap) as int), ' % of its calls at weekends are made where the old number was then')",
    "hours": "'it is used at the hours the old number was'",
    "dealer": "'both cards are of one dealer'",
    "plan": "CASE plan_shared WHEN 'plan' THEN 'it is on the old number''s plan' WHEN 'brand' THEN 'it is of the old number''s brand' END",
    "model": "'it runs on a model the old number ran on'",
    "level": "if(level_share = 0, 'the old number has fallen silent', "
    "concat('the old number fell to ', cast(round(100 * level_share) as int), ' % of its use'))",
    "talk": "if(talked, 'the two are in touch with each other', 'the two are never in touch with each other')",
}
"""By kind of evidence (of circles all measures together), SQL of what to say of a pair where it speaks for it."""


def persons(matches: DataFrame, settings: ReentrySettings, checkpoint: Callable[[DataFrame], DataFrame]) -> DataFrame:
    """One row per joiner matched at the final stage: unique_user_id, numbers and reentries, none of which later matches change.

    Matches are one to one, so a person's numbers are a chain A -> B -> C, and each link is final after those before it: the first user
    of the chain names the person for good. Links are followed in strides that double each round, so that a chain of n takes log n.
    ``numbers`` counts those of the chain up to this one, ``reentries`` the links that end in a join of the ``multiple_days`` up to this one's.
    """
    links = matches.where(F.col("stage_days") == max(settings.stages)).select("user_id", "old_user_id", "joined_on")
    chains = checkpoint(links.select("user_id", F.col("old_user_id").alias("first"), F.lit(1).alias("links")))
    while True:
        ahead = chains.select(F.col("user_id").alias("first"), F.col("first").alias("further"), F.col("links").alias("more"))
        met = chains.join(ahead, on="first", how="left")
        if met.where("further IS NOT NULL").isEmpty():
            break
        chains = checkpoint(
            met.select(
                "user_id",
                F.coalesce("further", "first").alias("first"),
                (F.col("links") + F.coalesce("more", F.lit(0))).alias("links"),
            )
        )
    named = links.select("user_id", "joined_on").join(chains, on="user_id", how="inner")
    day = F.expr("datediff(joined_on, date'1970-01-01')")
    half_year = Window.partitionBy("first").orderBy(day).rangeBetween(-settings.multiple_days, Window.currentRow)
    return named.select(
        "user_id",
        F.col("first").alias("unique_user_id"),
        (F.col("links") + 1).alias("numbers"),
        F.count("*").over(half_year).alias("reentries"),
    )


def with_reason(pairs: DataFrame, learnt: Iterable[Mapping[str, Any]], settings: ReentrySettings) -> DataFrame:
    """The pairs with ``reason``: the evidence that adds most to the odds, by the weights of then (rows of reentry.weights), in words."""

    def told(part: DataFrame, weights: Mapping[int, Weights]) -> DataFrame:
        by_stage = {stage: _said(weights.get(stage, settings.start), settings) for stage in settings.stages}
        cases = " ".join(f"WHEN {stage} THEN {sql}" for stage, sql in by_stage.items())
        # in two steps: what is said is long, and would stand there as often as it is named
        said = part.withColumn("said", F.expr(f"CASE stage_days {cases} END"))
        sentence = "if(said = '', 'No single evidence stands out.', concat(upper(left(said, 1)), substr(said, 2), '.'))"
        return said.withColumn("reason", F.expr(sentence)).drop("said")

    return odds.by_weights_of_then(pairs, learnt, told)


def _said(weights: Weights, settings: ReentrySettings) -> str:
    """SQL of the NAMED kinds of evidence that add most to a pair's odds, in words; empty where none speaks for it."""
    terms = odds.terms(weights, settings)
    circle = " + ".join(sql for name, sql in terms.items() if name in MEASURES and name not in ELSEWHERE) or "0D"
    adds = {"circle": f"if(shared_peers > 0, {circle}, 0D)"}
    adds |= {name: sql for name, sql in terms.items() if name in WORDS and name != INTERCEPT}
    # of equal ones the first named
    each = ", ".join(
        f"struct(-({sql}) as against, {turn} as turn, {WORDS[name]} as words)" for turn, (name, sql) in enumerate(adds.items())
    )
    best = f"slice(array_sort(filter(array({each}), e -> e.against < 0 AND e.words IS NOT NULL)), 1, {NAMED})"
    return f"array_join(transform({best}, e -> e.words), '; ')"


def feed(
    matches: DataFrame,
    motives: DataFrame,
    persons: DataFrame,
    lives: DataFrame | None,
    learnt: Iterable[Mapping[str, Any]],
    months: Sequence[dt.date],
    settings: ReentrySettings,
) -> DataFrame:
    """One row per joiner whose match became final in one of the months (reentry.feed).

    Args:
        matches: reentry.matches.
        motives: reentry.motives of these matches; one that has none is unknown.
        persons: Chains (``persons``).
        lives: reference.lives; where there are none a user is its number's pseudonym.
        learnt: Rows of reentry.weights known by then.
        months: First days of months that are complete.
        settings: Stages, and what the weights begin with.
    """
    month = F.trunc("known_on", "MM")
    due = (
        matches.where(F.col("stage_days") == max(settings.stages)).withColumn("month", month).where(F.col("month").isin(*months))
    )
    rows = with_reason(due, learnt, settings)
    rows = rows.join(persons, on="user_id", how="inner").join(motives.select("user_id", "motive"), on="user_id", how="left")
    # days before motives were first asked for have none
    rows = rows.withColumn("motive", F.coalesce("motive", F.lit(UNKNOWN)))
    for user, number in (("user_id", "number_key"), ("old_user_id", "old_number_key")):
        if lives is None:
            rows = rows.withColumn(number, F.col(user))
        else:
            held = lives.select(F.col("user_id").alias(user), F.col("number_key").alias(number))
            rows = rows.join(held, on=user, how="left").withColumn(number, F.coalesce(number, user))
    return rows.withColumn("time_id", F.expr("year(month) * 100 + month(month)")).select(FEED.names)
