"""Score users: how likely the target is to come true of each, in which place, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from churnlake.models.fit import Contributions, probability
from churnlake.models.frame import raw
from churnlake.models.hazard import EXITS, Hazard, with_exits
from churnlake.models.learners import FEATURES
from churnlake.models.reasons import reasons
from churnlake.models.settings import ModelsSettings
from churnlake.tables.churn import NEXT_MONTH, SCORES
from churnlake.tables.judged import HAZARDS

TOLD = "told"


@dataclass(frozen=True)
class Scoring:
    """What a target is scored with: from raw columns to probability, what explains a score, its version, and whether it is a copy kept at promotion."""

    target: str
    pipeline: PipelineModel
    given: Contributions
    version: str
    is_fallback: bool = False


def score(
    features: DataFrame, pipeline: PipelineModel, given: Contributions, model_version: str, settings: ModelsSettings
) -> DataFrame:
    """``scores`` of the next month's leaving alone."""
    return scores(features, [Scoring(NEXT_MONTH, pipeline, given, model_version)], settings)


def scores(features: DataFrame, asked: Sequence[Scoring], settings: ModelsSettings) -> DataFrame:
    """``placed`` rows ``scored``."""
    return placed(scored(features, asked, None, settings))


def scored(features: DataFrame, asked: Sequence[Scoring], hazard: Hazard | None, settings: ModelsSettings) -> DataFrame:
    """One row per user and month given: month, user_id, TOLD and, where a hazard is asked for, EXITS. Features are gone through once for all.

    TOLD has an entry for each target: how likely it is that it comes true, and the reasons, the features that add most to this user's log-odds
    by the logistic regression, whichever learner serves.

    Args:
        features: one row per user and month to be scored (the active ones), with the features the models were fitted on.
        asked: what to score with, one for each target.
        hazard: what tells of the two exits month by month.
        settings: how many reasons, and how strong one must be.
    """
    numeric = dict.fromkeys(name for one in asked for name in one.given.numeric)
    categories = dict.fromkeys(name for one in asked for name in one.given.categories)
    if hazard:
        numeric |= dict.fromkeys(hazard.numeric)
        categories |= dict.fromkeys(hazard.categories)
    rows = features.select("month", "user_id", *raw(list(numeric), list(categories)))
    for at, one in enumerate(asked):
        found = one.pipeline.transform(rows)
        rows = found.select(*rows.columns, probability().alias(f"probability_{at}"), F.col(FEATURES).alias(f"vector_{at}"))
    if hazard:
        rows = with_exits(hazard.model, rows)
    of_targets = [
        F.struct(
            F.lit(one.target).alias("target"),
            F.col(f"probability_{at}").alias("probability"),
            reasons(F.col(f"vector_{at}"), one.given, settings).alias("reasons"),
            F.lit(one.version).alias("model_version"),
            F.lit(one.is_fallback).alias("is_fallback"),
        )
        for at, one in enumerate(asked)
    ]
    return rows.select("month", "user_id", F.array(*of_targets).alias(TOLD), *([EXITS] if hazard else []))


def placed(rows: DataFrame) -> DataFrame:
    """As churn.scores keeps it, one row per user, month and target of rows ``scored``: equal probabilities are placed by user_id."""
    order = Window.partitionBy("month", "target").orderBy(F.desc("probability"), "user_id")
    each = rows.select("month", "user_id", F.inline(TOLD))
    return each.withColumn("place", F.row_number().over(order).cast("bigint")).select(*SCORES.names)


def hazards(rows: DataFrame, version: str) -> DataFrame:
    """As churn.hazards keeps it, one row per user and month of rows ``scored``."""
    return rows.select("month", "user_id", f"{EXITS}.*", F.lit(version).alias("model_version")).select(*HAZARDS.names)
