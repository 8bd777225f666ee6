"""What a survey makes of motives by rule: answers weighted to all matches, and how much of it was preventable.

Rules see every match but err, a survey errs less but asks few: answers are weighted so that those asked stand for all matches of
their motive by rule (post-stratification; Holt and Smith 1979). What nobody of a stratum answered for stays unknown.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from churnlake.reentry.motives import UNKNOWN
from churnlake.reentry.settings import MotiveSettings
from churnlake.stats.proportions import wilson
from churnlake.tables.motives import MOTIVE_SHARES, SAID

OTHER, ALL = "other", "all"


def first_month_needed(months: Sequence[dt.date], settings: MotiveSettings) -> dt.date:
    """First day of the first month whose matches these months' shares are of."""
    at = months[0].year * 12 + months[0].month - settings.window_months
    return dt.date(at // 12, at % 12 + 1, 1)


def shares(motives: DataFrame, answers: DataFrame | None, months: Sequence[dt.date], settings: MotiveSettings) -> DataFrame:
    """One row per month and motive (reentry.motive_shares): parts by rule, by the survey, unaware and preventable.

    Args:
        motives: reentry.motives.
        answers: reference.answers; None where there is no survey: then only parts by rule are told.
        months: first days of months; shares are of the matches final in the ``window_months`` up to the end of each, and of answers
            given and delivered by then.
        settings: window, codes of the survey, width of intervals.
    """
    return reduce(DataFrame.unionByName, [_of_month(motives, answers, month, settings) for month in months])


def _of_month(motives: DataFrame, answers: DataFrame | None, month: dt.date, settings: MotiveSettings) -> DataFrame:
    end = F.last_day(F.lit(month))
    since = F.lit(first_month_needed([month], settings))
    matches = motives.where((F.col("known_on") >= since) & (F.col("known_on") <= end)).select("user_id", "motive")
    said = _said(motives, answers, end, settings)
    met = matches.join(said, on="user_id", how="left")
    strata = met.groupBy("motive").agg(F.count("*").alias("matches"), F.count("said").alias("answered"))
    weights = met.where("said IS NOT NULL").join(strata, on="motive", how="inner")
    weights = weights.select("said", "is_unaware", (F.col("matches") / F.col("answered")).alias("weight"))
    of_all = strata.agg(
        F.coalesce(F.sum("matches"), F.lit(0)).alias("all_matches"),
        F.expr("coalesce(sum(if(answered > 0, matches, 0)), 0) as covered"),
        # of answers that count unlike: those in a stratum count alike
        F.expr("pow(sum(if(answered > 0, matches, 0)), 2) / nullif(sum(pow(matches, 2) / nullif(answered, 0)), 0D) as effective"),
    )
    every = of_all.where("all_matches > 0").withColumn("motive", F.explode(F.array(*[F.lit(name) for name in SAID])))
    rows = every.join(strata.drop("answered"), on="motive", how="left").join(_given(weights), on="motive", how="left")
    rows = rows.withColumn("matches", F.expr(f"if(motive = '{ALL}', all_matches, coalesce(matches, 0))"))
    rows = rows.na.fill(0, ["answers", "alternative_answers"])
    return _told(rows, settings).withColumn("month", F.lit(month)).select(MOTIVE_SHARES.names)


def _said(motives: DataFrame, answers: DataFrame | None, end: Column, settings: MotiveSettings) -> DataFrame:
    """One row per joiner who gave a motive by then: user_id, said, is_unaware (null: not answered). Of answers given twice the last."""
    if answers is None:
        none = {"said": F.lit(None).cast("string"), "is_unaware": F.lit(None).cast("boolean")}
        return motives.where("false").select("user_id").withColumns(none)
    given = answers.where((F.col("asked_on") <= end) & (F.col("delivered_on") <= end) & F.col("answer").isNotNull())
    codes = {"said": settings.question, "alternative": settings.alternative_question}
    last = {
        name: F.expr(f"max_by(answer, if(question = '{code}', struct(asked_on, answer_key), null))")
        for name, code in codes.items()
    }
    told = given.groupBy("user_id").agg(*[column.alias(name) for name, column in last.items()]).where("said IS NOT NULL")
    known = ", ".join(f"'{name}'" for name in SAID if name != ALL)
    return told.selectExpr(
        "user_id",
        f"if(said IN ({known}), said, '{OTHER}') as said",
        f"alternative = '{settings.unaware_answer}' as is_unaware",
    )


def _given(weights: DataFrame) -> DataFrame:
    """One row per motive said, and one for all: answers, their weight, and how many of them did not know of the alternative."""
    each = weights.select(F.explode(F.array("said", F.lit(ALL))).alias("motive"), "is_unaware", "weight")
    return each.groupBy("motive").agg(
        F.count("*").alias("answers"),
        F.sum("weight").alias("said_weight"),
        F.count("is_unaware").alias("alternative_answers"),
        F.expr("sum(if(is_unaware, weight, 0D)) / nullif(sum(if(is_unaware IS NULL, 0D, weight)), 0D)").alias("unaware"),
        F.expr(
            "pow(sum(if(is_unaware IS NULL, 0D, weight)), 2) / nullif(sum(if(is_unaware IS NULL, 0D, weight * weight)), 0D)"
        ).alias("unaware_of"),
    )


def _told(rows: DataFrame, settings: MotiveSettings) -> DataFrame:
    """With shares and their intervals. What no answer stands for is unknown, and no part of it is known to be preventable."""
    reach = "(covered / all_matches)"
    rows = rows.withColumn("said_share", F.expr("coalesce(said_weight, 0D) / nullif(covered, 0D)"))
    silent = f"if(motive IN ('{UNKNOWN}', '{ALL}'), 1 - {reach}, 0D)"
    share = f"round(said_share * {reach} + {silent}, 6)"
    low, high = wilson("said_share * effective", "effective", settings.deviations)
    rows = rows.withColumns(
        {
            "rule_share": F.expr("round(matches / all_matches, 6)"),
            "share": F.expr(share),
            "share_low": F.expr(f"if(motive = '{ALL}', {share}, round({low} * {reach} + {silent}, 6))"),
            "share_high": F.expr(f"if(motive = '{ALL}', {share}, round({high} * {reach} + {silent}, 6))"),
        }
    )
    low, high = wilson("unaware * unaware_of", "unaware_of", settings.deviations)
    rows = rows.withColumns(
        {
            "unaware_share": F.expr("round(unaware, 6)"),
            "unaware_low": F.expr(f"round({low}, 6)"),
            "unaware_high": F.expr(f"round({high}, 6)"),
            "preventable": F.expr("if(said_share = 0, 0D, said_share * unaware)"),
        }
    )
    low, high = wilson("preventable * effective", "effective", settings.deviations)
    return rows.withColumns(
        {
            "preventable_share": F.expr(f"round(preventable * {reach}, 6)"),
            "preventable_low": F.expr(f"round({low} * {reach}, 6)"),
            "preventable_high": F.expr(f"round({high} * {reach}, 6)"),
        }
    )
