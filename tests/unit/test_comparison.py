"""Two rankings of the same users compared: against a bootstrap drawn user by user, and where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from pyspark.sql import SparkSession
from sklearn.metrics import average_precision_score

from churnlake.stats.comparison import Comparison, compare, joint


def cells(one: np.ndarray, other: np.ndarray, label: np.ndarray) -> list[dict[str, int]]:
    """Each user a cell of its own: nothing is lost to steps."""
    places = [np.unique(-score, return_inverse=True)[1] for score in (one, other)]
    found: dict[tuple[int, int], list[int]] = {}
    for a, b, y in zip(*places, label, strict=True):
        cell = found.setdefault((int(a), int(b)), [0, 0])
        cell[0] += 1
        cell[1] += int(y)
    return [{"one": a, "other": b, "rows": n, "positives": p} for (a, b), (n, p) in found.items()]


def users(seed: int, noise: float, rows: int = 1500) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    risk = rng.normal(-2.5, 1.2, rows)
    label = (rng.random(rows) < 1 / (1 + np.exp(-risk))).astype(int)
    return risk + rng.normal(0, 0.3, rows), risk + rng.normal(0, noise, rows), label


def test_areas_and_interval_are_those_of_users_drawn_one_by_one() -> None:
    one, other, label = users(1, 1.0)
    found = compare(cells(one, other, label), 600, 0.9, 5)
    assert found.one == pytest.approx(average_precision_score(label, one))
    assert found.other == pytest.approx(average_precision_score(label, other))
    rng = np.random.default_rng(7)
    apart = []
    for _ in range(600):
        weight = rng.poisson(1.0, len(label))
        apart.append(
            average_precision_score(label, one, sample_weight=weight)
            - average_precision_score(label, other, sample_weight=weight)
        )
    least, most = np.quantile(apart, [0.05, 0.95])
    assert (found.least, found.most) == (pytest.approx(least, abs=0.012), pytest.approx(most, abs=0.012))
    assert found.is_better


def test_two_that_rank_alike_are_not_told_apart() -> None:
    better = sum(compare(cells(*users(seed, 0.3)), 300, 0.95, seed).is_better for seed in range(40))
    assert better <= 4, "one in forty by chance"
    one, _, label = users(3, 0.3)
    same = compare(cells(one, one, label), 200, 0.95, 1)
    assert same == Comparison(same.one, same.one, 0.0, 0.0)
    assert same.one == pytest.approx(average_precision_score(label, one))


def test_where_nobody_is_positive_nothing_is_better() -> None:
    one, other, label = users(2, 1.0)
    assert not compare(cells(one, other, 0 * label), 60, 0.95, 1).is_better
    assert not compare([], 60, 0.95, 1).is_better


def test_joint_steps_of_a_frame_hold_every_user_once(spark: SparkSession) -> None:
    one, other, label = users(4, 1.0, 1200)
    one, other = np.round(one, 2), np.round(other, 2)
    frame = spark.createDataFrame(
        [(float(a), float(b), int(y)) for a, b, y in zip(one, other, label, strict=True)], "a double, b double, y int"
    )
    found = joint(frame.repartition(3), "a", "b", "y").collect()
    assert sum(row["rows"] for row in found) == 1200
    assert sum(row["positives"] for row in found) == label.sum()
    near, exact = compare(found, 60, 0.95, 1), compare(cells(one, other, label), 60, 0.95, 1)
    assert near.one == pytest.approx(exact.one, rel=0.01)
    assert near.difference == pytest.approx(exact.difference, abs=0.003)
    again = joint(frame.orderBy("b"), "a", "b", "y").collect()
    assert compare(again, 60, 0.95, 1) == near, "the order of rows changes nothing"
