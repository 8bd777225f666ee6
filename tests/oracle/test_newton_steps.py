"""Boosted trees by Newton steps beside the same steps reckoned with scikit-learn's weighted regression trees."""

from __future__ import annotations

import numpy as np
import pytest
from pyspark.ml.functions import array_to_vector, vector_to_array
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from sklearn.tree import DecisionTreeRegressor

from churnlake.models.learners import FEATURES, LABEL
from churnlake.models.log_odds import MARGIN
from churnlake.models.newton import boosted
from churnlake.models.settings import NewtonSettings

SETTINGS = NewtonSettings(trees=3, depth=2, step=0.3, least_rows=10, bins=32)


def test_steps_are_those_of_weighted_trees(spark: SparkSession) -> None:
    rng = np.random.default_rng(8)
    # few values each: every split between two of them is weighed by both sides
    x = rng.integers(0, 6, size=(400, 3)).astype(float)
    y = (rng.random(400) < 1 / (1 + np.exp(2.5 - x[:, 0] + 0.8 * (x[:, 1] > 3)))).astype(float)
    rows = spark.createDataFrame(
        [(*map(float, of), float(label)) for of, label in zip(x, y, strict=True)], "a double, b double, c double, label double"
    )
    ready = rows.select(array_to_vector(F.array("a", "b", "c")).alias(FEATURES), LABEL)
    told = (
        boosted(ready, FEATURES, LABEL, SETTINGS, 1)
        .transform(ready)
        .select(vector_to_array(MARGIN)[0].alias("odds"), vector_to_array(FEATURES).alias("x"))
    )
    odds = np.full(400, np.log(y.mean() / (1 - y.mean())))
    for _ in range(SETTINGS.trees):
        chance = 1 / (1 + np.exp(-odds))
        weight = chance * (1 - chance)
        tree = DecisionTreeRegressor(max_depth=SETTINGS.depth, min_samples_leaf=SETTINGS.least_rows, random_state=0)
        odds = odds + SETTINGS.step * tree.fit(x, (y - chance) / weight, sample_weight=weight).predict(x)
    expected = {tuple(of): value for of, value in zip(x.tolist(), odds, strict=True)}
    for row in told.collect():
        assert row["odds"] == pytest.approx(expected[tuple(row["x"])], abs=1e-6)
