"""Boosted trees by Newton steps (LogitBoost: Friedman, Hastie and Tibshirani 2000), of Spark's regression trees.

Spark's own boosted trees go by the gradient alone: where a probability is near 0 or 1 their steps are short, and a split is not weighed by what
it can still change. Here each tree is fitted to gradient over curvature, weighted by curvature, and so are its leaves.
"""

from __future__ import annotations

import math

from pyspark.ml import PipelineModel
from pyspark.ml.base import Transformer
from pyspark.ml.feature import SQLTransformer, VectorAssembler
from pyspark.ml.regression import DecisionTreeRegressor
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.core.checkpoints import checkpointed
from churnlake.models.log_odds import MARGIN
from churnlake.models.settings import NewtonSettings

LEAST = 1e-6
ODDS, TREE = "boosted_odds", "boosted_tree"


def boosted(ready: DataFrame, features: str, label: str, settings: NewtonSettings, seed: int) -> PipelineModel:
    """From the feature vector to MARGIN. Each tree is a dozen small jobs and a pass over the rows: for tables of thousands, not of millions.

    Args:
        ready: one row per customer: features, and a label of 0 or 1, both seen.
        features: the column of the feature vector.
        label: the column of the label.
        settings: of the trees.
        seed: of the trees.
    """
    share = ready.agg(F.avg(label)).first()
    start = math.log(share[0] / (1 - share[0])) if share and 0 < share[0] < 1 else 0.0
    rows = ready.select(features, label, F.lit(start).alias(ODDS))
    chance = 1 / (1 + F.exp(-F.col(ODDS)))
    curvature = F.greatest(chance * (1 - chance), F.lit(LEAST))
    stages: list[Transformer] = []
    for at in range(settings.trees):
        name = f"{TREE}_{at}"
        grown = DecisionTreeRegressor(
            featuresCol=features,
            labelCol="step",
            weightCol="curvature",
            predictionCol=name,
            maxDepth=settings.depth,
            minInstancesPerNode=settings.least_rows,
            maxBins=settings.bins,
            seed=seed + at,
        )
        tree = grown.fit(rows.withColumns({"step": (F.col(label) - chance) / curvature, "curvature": curvature}))
        stages.append(tree)
        told = (F.col(ODDS) + settings.step * F.col(name)).alias(ODDS)
        rows = checkpointed(tree.transform(rows).select(features, label, told))
    trees = " + ".join(f"{TREE}_{at}" for at in range(settings.trees))
    stages.append(SQLTransformer(statement=f"SELECT *, {start!r}D + {settings.step!r}D * ({trees}) AS {ODDS} FROM __THIS__"))
    stages.append(VectorAssembler(inputCols=[ODDS], outputCol=MARGIN))
    return PipelineModel(stages)
