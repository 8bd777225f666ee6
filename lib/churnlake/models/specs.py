"""The learners that compete, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.ml.classification import GBTClassifier, LogisticRegression

from churnlake.models.settings import BoostedSettings, LogisticSettings, ModelsSettings

FEATURES = "features"
LABEL = "label"
MARGIN = "rawPrediction"


@dataclass(frozen=True)
class Spec:
    """One learner: its name and what it is fitted with. A linear one can explain scores."""

    learner: str
    is_linear: bool
    settings: LogisticSettings | BoostedSettings
    seed: int

    def estimator(self) -> LogisticRegression | GBTClassifier:
        """The unfitted estimator; its outputs but the margin are named away, for the calibrated ones take their place."""
        s = self.settings
        if isinstance(s, LogisticSettings):
            return LogisticRegression(
                featuresCol=FEATURES,
                labelCol=LABEL,
                rawPredictionCol=MARGIN,
                probabilityCol="raw_probability",
                predictionCol="raw_prediction",
                maxIter=s.max_iter,
                regParam=s.reg_param,
                elasticNetParam=s.elastic_net,
            )
        estimator = GBTClassifier(
            featuresCol=FEATURES,
            labelCol=LABEL,
            predictionCol="raw_prediction",
            maxIter=s.trees,
            maxDepth=s.depth,
            stepSize=s.step,
            minInstancesPerNode=s.least_rows,
            maxBins=s.bins,
            seed=self.seed,
        )
        return estimator.setRawPredictionCol(MARGIN).setProbabilityCol("raw_probability")


def specs(settings: ModelsSettings) -> tuple[Spec, ...]:
    """The learners, the simplest first: on equal merit it is the champion."""
    return (
        Spec("logistic", True, settings.logistic, settings.seed),
        Spec("boosted", False, settings.boosted, settings.seed),
    )
