"""One pipeline from raw columns to probability: fill and scale, assemble, estimate (learners), calibrate; and what explains it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from pyspark.ml import PipelineModel
from pyspark.ml.base import Transformer
from pyspark.ml.classification import LogisticRegression, LogisticRegressionModel
from pyspark.ml.feature import SQLTransformer, VectorAssembler
from pyspark.ml.functions import vector_to_array
from pyspark.ml.linalg import Matrices
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from churnlake.models.learners import FEATURES, LABEL
from churnlake.models.log_odds import MARGIN
from churnlake.models.profile import Profile

CALIBRATED = "calibrated"
ASSEMBLED = 2
"""Stages of a pipeline that make the feature vector."""


@dataclass(frozen=True)
class Contributions:
    """What each feature adds to a user's log-odds, by the logistic regression.

    ``numeric``: per standard deviation above the mean. ``categories``: per level, against the average user.
    """

    numeric: dict[str, float]
    categories: dict[str, dict[str, float]]

    def to_notes(self) -> dict[str, Any]:
        """As plain values, to be kept beside the model."""
        return {"numeric": self.numeric, "categories": self.categories}

    @classmethod
    def from_notes(cls, notes: dict[str, Any]) -> Contributions:
        """Back from plain values."""
        return cls(dict(notes["numeric"]), {name: dict(levels) for name, levels in notes["categories"].items()})


def prepared(frame: DataFrame, profile: Profile) -> tuple[DataFrame, list[Transformer]]:
    """The frame with its feature vector (one row per user and month), and the stages that made it."""
    stages: list[Transformer] = [
        SQLTransformer(statement=profile.statement()),
        VectorAssembler(inputCols=profile.columns, outputCol=FEATURES),
    ]
    for stage in stages:
        frame = stage.transform(frame)
    return frame, stages


def held_out(model: PipelineModel, rows: DataFrame) -> DataFrame:
    """One row per prepared row: MARGIN by a fitted learner that was not taught with it, and the label."""
    return model.transform(rows).select(MARGIN, LABEL)


def calibrate(model: PipelineModel, told: Sequence[DataFrame]) -> PipelineModel:
    """The fitted learner with its margins turned into probabilities (Platt scaling), as told by rows that were not taught.

    The map rises (its slope is bound to be 0 or more) and has two numbers. Platt's targets, (positives + 1) / (positives + 2) and
    1 / (negatives + 2), are given as weights: each row counts partly as positive, partly as negative. Source: Platt 1999,
    "Probabilistic outputs for support vector machines".

    Args:
        model: the fitted learner.
        told: ``held_out`` by learners of the same parameters.
    """
    whole = reduce(DataFrame.unionByName, told)
    rows, positives = whole.agg(F.count("*"), F.sum(LABEL)).first() or (0, 0)
    found, others = (positives + 1) / (positives + 2), 1 / (rows - positives + 2)
    target = F.when(F.col(LABEL) == 1, F.lit(found)).otherwise(F.lit(others))
    as_positive = F.struct(F.lit(1.0).alias(LABEL), target.alias("weight"))
    as_negative = F.struct(F.lit(0.0).alias(LABEL), (1 - target).alias("weight"))
    both = whole.select(MARGIN, F.inline(F.array(as_positive, as_negative)))
    estimator = LogisticRegression(
        featuresCol=MARGIN,
        labelCol=LABEL,
        weightCol="weight",
        rawPredictionCol="calibrated_margin",
        probabilityCol=CALIBRATED,
        predictionCol="is_likely",
        family="binomial",
        lowerBoundsOnCoefficients=Matrices.dense(1, 1, [0.0]),
    )
    return PipelineModel([*model.stages, estimator.fit(both)])


def probability() -> Column:
    """The calibrated probability in a transformed frame, to nine places: what decides a rank is the same on every machine."""
    return F.round(vector_to_array(F.col(CALIBRATED))[1], 9)


def contributions(model: PipelineModel, profile: Profile) -> Contributions:
    """What the fitted logistic regression adds for each feature."""
    linear = next(stage for stage in model.stages if isinstance(stage, LogisticRegressionModel))
    weights = [float(weight) for weight in linear.coefficients.toArray()]
    numeric = {n.name: weight for n, weight in zip(profile.numeric, weights, strict=False)}
    rest = weights[len(numeric) :]
    categories: dict[str, dict[str, float]] = {}
    for category in profile.categories:
        own, rest = rest[: len(category.levels)], rest[len(category.levels) :]
        mean = sum(weight * share for weight, share in zip(own, category.shares, strict=True))
        categories[category.name] = {level: weight - mean for level, weight in zip(category.levels, own, strict=True)}
    return Contributions(numeric, categories)
