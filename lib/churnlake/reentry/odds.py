"""How probable a pair is: what its evidence adds up to, and who else either of the two could be.

Weights of evidence after Fellegi and Sunter (1969): each measure adds so much for every unit, each comparison so much for its outcome.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import Any

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from churnlake.core.errors import SettingsError
from churnlake.reentry.settings import ReentrySettings

Weights = Mapping[str, Mapping[str, float]]
"""By kind of evidence, by level: what it adds to the log-odds."""
INTERCEPT, EACH = "intercept", "each"
MEASURES = {
    "circle_score": "circle_score",
    "hellinger": "hellinger",
    "ties_apart": "ties_apart",
    "still_met": "still_met",
    "new_elsewhere": "coalesce(new_elsewhere, 0D)",
    "old_elsewhere": "coalesce(old_elsewhere, 0D)",
    "shared": "ln(1 + shared_peers)",
    "announced": "ln(1 + coalesce(announced, 0L))",
    "hours": "coalesce(hours_score, 0D)",
    "old_circle": "ln(1 + old_peers)",
}
"""By measure of a pair, its SQL."""
MOST = 1e6
"""Odds beyond which more evidence says nothing new."""


def comparisons(settings: ReentrySettings) -> dict[str, str]:
    """By comparison of a pair, SQL that names its outcome."""
    return {
        "gap": "CASE WHEN gap_days < -45 THEN 'beside for over 45 days' WHEN gap_days < -14 THEN 'beside for 15 to 45 days' "
        "WHEN gap_days < 0 THEN 'beside for 1 to 14 days' WHEN gap_days <= 7 THEN 'within a week' "
        "WHEN gap_days <= 30 THEN 'within a month' ELSE 'later' END",
        "handset": "CASE WHEN NOT has_same_imei THEN 'other' WHEN imei_users <= 2 THEN 'two users' ELSE 'few users' END",
        "model": "CASE WHEN has_same_imei THEN 'same handset' WHEN same_model IS NULL THEN 'unknown' WHEN same_model THEN 'same' ELSE 'other' END",
        "document": "if(has_same_document, 'same', 'other')",
        "talk": "if(talked, 'in touch', 'none')",
        **{
            period: f"CASE WHEN {period}_overlap IS NULL THEN 'unknown' WHEN {period}_overlap < 0.3 THEN 'few' "
            f"WHEN {period}_overlap < 0.7 THEN 'half' ELSE 'most' END"
            for period in ("night", "work", "weekend")
        },
        "dealer": "CASE WHEN same_dealer IS NULL THEN 'unknown' WHEN same_dealer THEN 'same' ELSE 'other' END",
        "plan": "CASE plan_shared WHEN 'plan' THEN 'same' WHEN 'brand' THEN 'same brand' WHEN 'none' THEN 'other brand' ELSE 'unknown' END",
        "forward": "if(has_forwarding, 'sent on', 'none')",
        "level": f"CASE WHEN level_share IS NULL THEN 'unknown' WHEN level_share <= {settings.full_level} THEN 'silent' "
        f"WHEN level_share <= {settings.partial_level} THEN 'low' ELSE 'high' END",
    }


def check(weights: Weights, settings: ReentrySettings) -> None:
    """Raises SettingsError for evidence that there is not, or a level it does not have."""
    known = comparisons(settings)
    for evidence, levels in weights.items():
        if evidence in (INTERCEPT, *MEASURES):
            wrong = set(levels) - {EACH}
        elif evidence in known:
            wrong = {level for level in levels if f"'{level}'" not in known[evidence]}
        else:
            raise SettingsError(
                f"reentry.start names '{evidence}'; the evidence there is: {', '.join((INTERCEPT, *MEASURES, *known))}"
            )
        if wrong:
            raise SettingsError(f"reentry.start.{evidence} has no level '{min(wrong)}'")


def terms(weights: Weights, settings: ReentrySettings) -> dict[str, str]:
    """By kind of evidence, SQL of what it adds to a pair's log-odds, in the order in which they are added up."""
    known = comparisons(settings)
    found = {INTERCEPT: repr(float(weights.get(INTERCEPT, {}).get(EACH, 0.0)))}
    found |= {name: f"{float(weights[name].get(EACH, 0.0))!r} * {sql}" for name, sql in MEASURES.items() if name in weights}
    for name, outcome in known.items():
        if weights.get(name):
            cases = " ".join(f"WHEN '{level}' THEN {float(weight)!r}" for level, weight in sorted(weights[name].items()))
            found[name] = f"CASE ({outcome}) {cases} ELSE 0.0D END"
    return {name: f"cast({term} as double)" for name, term in found.items()}


def log_odds(weights: Weights, settings: ReentrySettings) -> str:
    """SQL of a pair's log-odds by its evidence alone."""
    return " + ".join(terms(weights, settings).values())


def of_evidence(log_odds: str) -> str:
    """SQL of a pair's odds from its log-odds; none where the old number is kept."""
    # what decides a rank is rounded once, so that the order of summation cannot
    return f"if(kind = 'kept', 0D, round(least(exp(least({log_odds}, 30D)), {MOST!r}), 9))"


def with_odds(pairs: DataFrame, weights: Mapping[int, Weights], settings: ReentrySettings) -> DataFrame:
    """The pairs with ``odds``, by the weights of their stage; a stage without any by the setting. None where the old number is kept."""
    by_stage = {stage: log_odds(weights.get(stage, settings.start), settings) for stage in settings.stages}
    cases = " ".join(f"WHEN {stage} THEN {sql}" for stage, sql in by_stage.items())
    return pairs.withColumn("odds", F.expr(of_evidence(f"CASE stage_days {cases} END")))


def with_odds_of_then(pairs: DataFrame, learnt: Iterable[Mapping[str, Any]], settings: ReentrySettings) -> DataFrame:
    """The pairs with ``odds`` by what was learnt by the end of the newest month before ``known_on``; ``learnt`` are rows of reentry.weights."""
    return by_weights_of_then(pairs, learnt, lambda part, weights: with_odds(part, weights, settings))


def by_weights_of_then(
    pairs: DataFrame,
    learnt: Iterable[Mapping[str, Any]],
    made: Callable[[DataFrame, Mapping[int, Weights]], DataFrame],
) -> DataFrame:
    """What ``made`` makes of the pairs and, by stage, the weights learnt by the end of the newest month before ``known_on``."""
    by_month: dict[dt.date, dict[int, dict[str, dict[str, float]]]] = {}
    for row in learnt:
        stages = by_month.setdefault(row["month"], {})
        stages.setdefault(row["stage_days"], {}).setdefault(row["evidence"], {})[row["level"]] = row["weight"]
    months = sorted(by_month)
    parts = []
    for month, following in zip([None, *months], [*months, None], strict=True):
        since = F.lit(True) if month is None else F.col("known_on") > F.last_day(F.lit(month))
        until = F.lit(True) if following is None else F.col("known_on") <= F.last_day(F.lit(following))
        parts.append(made(pairs.where(since & until), by_month[month] if month else {}))
    return reduce(DataFrame.unionByName, parts)


def with_probability(pairs: DataFrame, known: DataFrame, settings: ReentrySettings) -> DataFrame:
    """The pairs with ``probability``: one person has one old number, and one old number one person.

    The odds of a pair stand against one for nobody, those of the joiner's other candidates, and those of everybody else who could be
    that old user as known on that day. ``known`` has all pairs by then, these among them; each joiner counts as at its newest stage.
    """
    stages = sorted(settings.stages)
    following = " ".join(f"WHEN {now} THEN {then}" for now, then in itertools.pairwise(stages))
    until = F.expr(f"date_add(joined_on, CASE stage_days {following} END)") if following else F.lit(None).cast("date")
    gained = known.select("old_user_id", F.col("known_on").alias("on"), F.col("odds").alias("change"))
    given_up = known.select("old_user_id", until.alias("on"), (-F.col("odds")).alias("change")).where("on IS NOT NULL")
    daily = gained.unionByName(given_up).groupBy("old_user_id", "on").agg(F.sum("change").alias("change"))
    so_far = F.sum("change").over(Window.partitionBy("old_user_id").orderBy("on"))
    claims = daily.select("old_user_id", F.col("on").alias("known_on"), so_far.alias("claimed"))
    others = F.sum("odds").over(Window.partitionBy("user_id", "stage_days"))
    asked = pairs.withColumn("others", others).join(claims, on=["old_user_id", "known_on"], how="left")
    told = "round(odds / (1 + others + greatest(claimed - odds, 0D)), 6)"
    return asked.withColumn("probability", F.expr(told)).drop("others", "claimed")
