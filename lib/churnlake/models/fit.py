"""Fit one learner: fill and scale, assemble, estimate, calibrate. The result is one pipeline from raw columns to probability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyspark.ml import PipelineModel
from pyspark.ml.base import Transformer
from pyspark.ml.classification import LogisticRegression, LogisticRegressionModel
from pyspark.ml.feature import SQLTransformer, VectorAssembler, VectorSlicer
from pyspark.ml.functions import vector_to_array
from pyspark.ml.linalg import Matrices
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from churnlake.models.profile import Profile
from churnlake.models.specs import FEATURES, LABEL, MARGIN, Spec

CALIBRATED = "calibrated"


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


def fit(spec: Spec, ready: DataFrame) -> PipelineModel:
    """The learner fitted on prepared training rows: feature vector in, margin out, not yet calibrated."""
    return PipelineModel([spec.estimator().fit(ready), VectorSlicer(inputCol=MARGIN, outputCol="margin", indices=[1])])


def calibrate(model: PipelineModel, newest: DataFrame, rows: int, leavers: int) -> PipelineModel:
    """The fitted learner with its margins turned into probabilities that hold on the newest month known (Platt scaling).

    Boosted margins are far from log-odds where leavers are few, and the share of leavers moves between months. The map
    rises (its slope is bound to be 0 or more) and has two numbers, so that fitting it on the test month changes no ranking
    measured there. Platt's targets, (leavers + 1) / (leavers + 2) and 1 / (stayers + 2), are given as weights: each row
    counts partly as leaver, partly as stayer. Source: Platt 1999, "Probabilistic outputs for support vector machines".

    Args:
        model: the fitted learner.
        newest: prepared rows of the newest month, one per user.
        rows: how many there are.
        leavers: how many of them left.
    """
    left, stayed = (leavers + 1) / (leavers + 2), 1 / (rows - leavers + 2)
    target = F.when(F.col(LABEL) == 1, F.lit(left)).otherwise(F.lit(stayed))
    as_leaver = F.struct(F.lit(1.0).alias(LABEL), target.alias("weight"))
    as_stayer = F.struct(F.lit(0.0).alias(LABEL), (1 - target).alias("weight"))
    both = model.transform(newest).select("margin", F.inline(F.array(as_leaver, as_stayer)))
    estimator = LogisticRegression(
        featuresCol="margin",
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
