"""Ranking measures against scikit-learn, ties and all."""

from __future__ import annotations

import random

import numpy as np
import pytest
from pyspark.sql import SparkSession
from sklearn.metrics import average_precision_score, roc_auc_score

from churnlake.stats.curves import ranking

CASES = {
    "no_ties": (400, 10**6, 0.1),
    "few_steps": (400, 7, 0.05),
    "one_score": (60, 1, 0.3),
    "one_positive": (50, 20, 0.0),
    "third": (31, 5, 0.4),
}


def gains_lift(labels: list[int], scores: list[float], share: float) -> float:
    """Lift read off the gains curve, straight lines between its steps."""
    steps = sorted(set(scores), reverse=True)
    seen = [0, *np.cumsum([scores.count(s) for s in steps])]
    found = [0, *np.cumsum([sum(y for y, s in zip(labels, scores, strict=True) if s == step) for step in steps])]
    return float(np.interp(share * len(labels), seen, found) / (share * sum(labels)))


def test_ranking_equals_scikit_learn(spark: SparkSession) -> None:
    random.seed(7)
    rows: list[tuple[str, float, int]] = []
    for name, (size, steps, rate) in CASES.items():
        labels = [1, *(int(random.random() < rate) for _ in range(size - 1))]
        rows += [(name, random.randrange(steps) / steps + 0.2 * y * (steps > 1), y) for y in labels]
    frame = spark.createDataFrame(rows, "case string, score double, label int").repartition(3, "score")
    found = {row["case"]: row for row in ranking(frame, "score", "label", by="case", share=0.1).collect()}
    assert set(found) == set(CASES)
    for name, row in found.items():
        scores, labels = [s for c, s, _ in rows if c == name], [y for c, _, y in rows if c == name]
        assert (row["rows"], row["positives"]) == (len(labels), sum(labels))
        assert row["base_rate"] == pytest.approx(np.mean(labels))
        assert row["pr_auc"] == pytest.approx(average_precision_score(labels, scores), abs=1e-12)
        assert row["roc_auc"] == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
        assert row["lift"] == pytest.approx(gains_lift(labels, scores, 0.1), abs=1e-12)


def test_measures_without_meaning_are_null(spark: SparkSession) -> None:
    frame = spark.createDataFrame([("none", 0.5, 0), ("none", 0.2, 0), ("all", 0.4, 1)], "case string, score double, label int")
    found = {row["case"]: row for row in ranking(frame, "score", "label", by="case", share=0.1).collect()}
    assert (found["none"]["pr_auc"], found["none"]["roc_auc"], found["none"]["lift"]) == (None, None, None)
    assert (found["all"]["pr_auc"], found["all"]["roc_auc"], found["all"]["lift"]) == (1.0, None, 1.0)
