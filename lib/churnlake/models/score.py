"""Score users: how likely the target is to come true of each, in which place, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyspark.ml import PipelineModel
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from churnlake.core.errors import ContractError
from churnlake.models import batches
from churnlake.models.fit import Contributions
from churnlake.models.frame import raw
from churnlake.models.hazard import TOLD, Hazard
from churnlake.models.hazard import question as hazards_of
from churnlake.models.reasons import teller
from churnlake.models.settings import ModelsSettings
from churnlake.models.watch import SCORE
from churnlake.tables.churn import NEXT_MONTH, SCORES
from churnlake.tables.judged import HAZARDS

SCORED, WATCHED = "scored", "watched"


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
    """Rows ``placed`` of the next month's leaving alone."""
    return placed(scored(features, Asked([Scoring(NEXT_MONTH, pipeline, given, model_version)]), settings))


@dataclass(frozen=True)
class Asked:
    """What users are asked about in one pass: targets, the two exits, and of whom the raw columns are kept, to be watched."""

    targets: Sequence[Scoring]
    hazard: Hazard | None = None
    is_watched: Column | None = None

    @property
    def numeric(self) -> list[str]:
        """The numbers that any of it takes."""
        return self._names("numeric")

    @property
    def categories(self) -> list[str]:
        """The categories that any of it takes."""
        return self._names("categories")

    def _names(self, kind: str) -> list[str]:
        given = [*(one.given for one in self.targets), *([self.hazard] if self.hazard else [])]
        return list(dict.fromkeys(name for one in given for name in getattr(one, kind)))


def scored(features: DataFrame, asked: Asked, settings: ModelsSettings) -> DataFrame:
    """One row per user and month given: month, user_id, SCORED, what the hazard tells and WATCHED, where asked for. Features are gone through once for all.

    SCORED has an entry for each target: how likely it is that it comes true, and the reasons, the features that add most to this user's log-odds
    by the logistic regression, whichever learner serves.

    Args:
        features: one row per user and month to be scored (the active ones), with the features the models were fitted on.
        asked: of each.
        settings: how many reasons, and how strong one must be.

    Raises:
        ContractError: a pipeline is none that job train_model makes.
    """
    targets, columns = asked.targets, raw(asked.numeric, asked.categories)
    questions = [_question(one, at, settings) for at, one in enumerate(targets)]
    questions += [hazards_of(asked.hazard)] if asked.hazard else []
    keys, kept = ["month", "user_id"], []
    if asked.is_watched is not None:
        questions.append(batches.as_given(WATCHED, asked.numeric, asked.categories, "is_watched"))
        columns, kept = [*columns, asked.is_watched.alias("is_watched")], [WATCHED]
    rows = batches.asked(features.select(*keys, *columns), keys, questions)
    of_targets = [
        F.struct(
            F.lit(one.target).alias("target"),
            F.round(f"probability_{at}", 9).alias("probability"),
            F.col(f"reasons_{at}").alias("reasons"),
            F.lit(one.version).alias("model_version"),
            F.lit(one.is_fallback).alias("is_fallback"),
        )
        for at, one in enumerate(targets)
    ]
    of_exits = [F.round(name, 9).alias(name) for name in TOLD] if asked.hazard else []
    return rows.select(*keys, *kept, F.array(*of_targets).alias(SCORED), *of_exits)


def watched(rows: DataFrame, asked: Asked, target: str) -> DataFrame:
    """One row per user that is watched, of rows ``scored``: the raw columns, and SCORE of that target."""
    said = F.filter(SCORED, lambda one: one["target"] == target)[0]["probability"]
    numbers, texts = F.col(f"{WATCHED}.numbers"), F.col(f"{WATCHED}.texts")
    return rows.where(F.col(WATCHED).isNotNull()).select(
        *(numbers[at].alias(name) for at, name in enumerate(asked.numeric)),
        *(texts[at].alias(name) for at, name in enumerate(asked.categories)),
        said.alias(SCORE),
    )


def _question(one: Scoring, at: int, settings: ModelsSettings) -> batches.Question:
    """What tells probability and reasons of a target."""
    try:
        profile, chance = batches.chance(one.pipeline)
    except ContractError as error:
        raise ContractError(f"{one.target}, version {one.version}: {error}") from error
    tell = teller(one.given, settings)

    def answer(raw: batches.Raw) -> list[pa.Array]:
        vectors = raw.vectors(profile)
        return [pa.array(chance(vectors)), tell(vectors)]

    return batches.Question(f"probability_{at} double, reasons_{at} array<string>", answer)


def placed(rows: DataFrame) -> DataFrame:
    """As churn.scores keeps it, one row per user, month and target of rows ``scored``: equal probabilities are placed by user_id."""
    order = Window.partitionBy("month", "target").orderBy(F.desc("probability"), "user_id")
    each = rows.select("month", "user_id", F.inline(SCORED))
    return each.withColumn("place", F.row_number().over(order).cast("bigint")).select(*SCORES.names)


def hazards(rows: DataFrame, version: str) -> DataFrame:
    """As churn.hazards keeps it, one row per user and month of rows ``scored``."""
    return rows.select("month", "user_id", *TOLD, F.lit(version).alias("model_version")).select(*HAZARDS.names)
