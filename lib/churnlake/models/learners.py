"""The learners that compete, as frozen values: which, with which parameters, and how each is fitted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.ml import Estimator, PipelineModel
from pyspark.ml.classification import (
    DecisionTreeClassifier,
    GBTClassifier,
    LogisticRegression,
    MultilayerPerceptronClassifier,
    RandomForestClassifier,
)
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from churnlake.models import newton
from churnlake.models.log_odds import LogOdds
from churnlake.models.settings import (
    BoostedSettings,
    ForestSettings,
    LogisticSettings,
    ModelsSettings,
    NewtonSettings,
    PerceptronSettings,
    TreeSettings,
)

FEATURES = "features"
LABEL = "label"
WEIGHT = "weight"
OUTPUTS = {"rawPredictionCol": "raw_margin", "probabilityCol": "raw_probability", "predictionCol": "raw_prediction"}
"""Of a learner; what people read is calibrated."""
SIMPLEST = ("logistic", "tree", "forest", "boosted", "perceptron")
"""The learners, the one easiest to explain first: on equal merit it serves."""
OfSpark = LogisticSettings | TreeSettings | ForestSettings | BoostedSettings | PerceptronSettings
Parameters = OfSpark | NewtonSettings


@dataclass(frozen=True)
class Candidate:
    """One learner with one set of parameters."""

    learner: str
    parameters: Parameters
    seed: int

    @property
    def cost(self) -> float:
        """How many negatives a positive counts as in fitting."""
        return float(getattr(self.parameters, "cost", 1.0))

    def told(self) -> dict[str, float]:
        """The parameters by name."""
        return {name: float(value) for name, value in self.parameters.model_dump().items()}

    def __str__(self) -> str:
        return f"{self.learner} ({', '.join(f'{name} {value:g}' for name, value in self.told().items())})"

    def fit(self, ready: DataFrame) -> PipelineModel:
        """Fitted on prepared rows (features, label): a pipeline from the feature vector to MARGIN, not yet calibrated."""
        p = self.parameters
        if isinstance(p, NewtonSettings):
            return newton.boosted(ready, FEATURES, LABEL, p, self.seed)
        rows, estimator = ready, self._estimator(p, ready)
        if self.cost != 1:
            rows = ready.withColumn(WEIGHT, F.when(F.col(LABEL) == 1, F.lit(self.cost)).otherwise(F.lit(1.0)))
            estimator = estimator.copy({estimator.getParam("weightCol"): WEIGHT})
        return PipelineModel([estimator.fit(rows), LogOdds(lowered=math.log(self.cost))])

    def _estimator(self, p: OfSpark, ready: DataFrame) -> Estimator[Any]:
        given: dict[str, Any] = {"featuresCol": FEATURES, "labelCol": LABEL}
        named: dict[str, Any] = {**given, **OUTPUTS}
        if isinstance(p, LogisticSettings):
            return LogisticRegression(
                **named, maxIter=p.max_iter, regParam=p.reg_param, elasticNetParam=p.elastic_net, family="binomial"
            )
        if isinstance(p, PerceptronSettings):
            width = len(ready.select(FEATURES).first()[0])  # type: ignore[index]
            return MultilayerPerceptronClassifier(**named, layers=[width, p.hidden, 2], maxIter=p.max_iter, seed=self.seed)
        grown: dict[str, Any] = {"maxDepth": p.depth, "minInstancesPerNode": p.least_rows, "maxBins": p.bins, "seed": self.seed}
        if isinstance(p, TreeSettings):
            return DecisionTreeClassifier(**named, **grown, minInfoGain=p.least_gain)
        if isinstance(p, ForestSettings):
            return RandomForestClassifier(**named, **grown, numTrees=p.trees, featureSubsetStrategy=repr(p.columns_share))
        boosted = GBTClassifier(
            **given,
            **grown,
            predictionCol=OUTPUTS["predictionCol"],
            maxIter=p.trees,
            stepSize=p.step,
            subsamplingRate=p.rows_share,
            featureSubsetStrategy=repr(p.columns_share),
        )
        return boosted.setRawPredictionCol(OUTPUTS["rawPredictionCol"]).setProbabilityCol(OUTPUTS["probabilityCol"])


def answers(models: Sequence[PipelineModel], rows: DataFrame, answer: Column) -> DataFrame:
    """One row per prepared row given: its label, and what each model answers, the first as answer_0: one pass, whatever their number.

    Args:
        models: from the feature vector on.
        rows: features, label.
        answer: of a row that went through a model.
    """
    found = rows.select(FEATURES, LABEL)
    for at, model in enumerate(models):
        found = model.transform(found).select(*found.columns, answer.alias(f"answer_{at}"))
    return found.drop(FEATURES)


def candidates(settings: ModelsSettings) -> list[Candidate]:
    """All that are to be tried, the simplest learner first, its parameters as the settings list them."""
    return [
        Candidate(learner, parameters, settings.seed)
        for learner in SIMPLEST
        for parameters in getattr(settings.learners, learner)
    ]
