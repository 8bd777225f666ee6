"""Measures read from a curve of steps, against scikit-learn, statsmodels-like regressions and empulse."""

import math

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score

from churnlake.stats.gains import Gains, points

VERBRAKEN = {"alpha": 6.0, "beta": 14.0, "clv": 200.0, "offer": 10.0, "contact": 1.0}


def drawn(rows: int, seed: int, ties: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    score = 1 / (1 + np.exp(-rng.normal(-2.5, 1.2, rows)))
    label = (rng.random(rows) < np.clip(score * 1.3, 0, 1)).astype(int)
    return (np.round(score, ties) if ties else score), label


def gains(score: np.ndarray, label: np.ndarray, value: np.ndarray | None = None) -> Gains:
    frame = pd.DataFrame({"score": score, "label": label, "value": label * (1.0 if value is None else value)})
    steps = frame.groupby("score").agg(rows=("label", "size"), positives=("label", "sum"), value=("value", "sum")).reset_index()
    steps = steps.sort_values("score", ascending=False)
    return Gains(*(steps[name].to_numpy(float) for name in ("rows", "positives", "score", "value")))


@pytest.mark.parametrize("ties", [None, 2])
def test_ranking_measures_are_those_of_scikit_learn(ties: int | None) -> None:
    score, label = drawn(3000, 1, ties)
    found = gains(score, label)
    assert found.average_precision() == pytest.approx(average_precision_score(label, score), abs=1e-9)
    assert found.roc_auc() == pytest.approx(roc_auc_score(label, score), abs=1e-9)
    here = Gains.ranked(score, label)
    for name in ("rows", "positives", "score", "value"):
        assert getattr(here, name).tolist() == getattr(found, name).tolist()
    top = np.argsort(-score, kind="stable")[:300]
    if ties is None:
        assert found.precision(0.1) == pytest.approx(label[top].mean())
        assert found.lift(0.1) == pytest.approx(label[top].mean() / label.mean())
    assert found.curve()[0] == (0.0, 0.0)
    assert found.curve()[-1] == (1.0, pytest.approx(1.0))


def test_calibration_is_told() -> None:
    score, _ = drawn(40_000, 2)
    label = (np.random.default_rng(3).random(len(score)) < score).astype(int)
    true = gains(score, label)
    assert true.calibration_error() < 0.01
    assert true.calibration_slope() == pytest.approx(1.0, abs=0.05)
    logit = np.log(score / (1 - score))
    extreme = gains(1 / (1 + np.exp(-2 * logit)), label)
    fitted = LogisticRegression(C=np.inf).fit(2 * logit[:, None], label)
    assert extreme.calibration_slope() == pytest.approx(fitted.coef_[0, 0], abs=1e-3)
    assert extreme.calibration_error() > 5 * true.calibration_error()


@pytest.mark.parametrize(("rows", "seed", "ties"), [(400, 4, None), (2000, 5, None), (2000, 6, 2), (60, 7, 1)])
def test_expected_profit_is_empulses(rows: int, seed: int, ties: int | None) -> None:
    empulse = pytest.importorskip("empulse.metrics")
    score, label = drawn(rows, seed, ties)
    expected = empulse.empc_score(label, score, alpha=6, beta=14, clv=200, incentive_fraction=0.05, contact_cost=1)
    assert gains(score, label).expected_profit(VERBRAKEN)[0] == pytest.approx(expected, abs=1e-6)


def test_expected_profit_is_the_mean_of_the_best_cuts() -> None:
    """Without the closed form: chances of acceptance drawn one by one, each with its own best cut."""
    score, label = drawn(1500, 8)
    found = gains(score, label)
    profits, shares = [], []
    so_far, negatives = found.positives.cumsum(), (found.rows - found.positives).cumsum()
    for accepted in np.random.default_rng(9).beta(6, 14, 4000):
        by_cut = np.concatenate([[0.0], (200 * accepted - 10 * accepted - 1) * so_far - 11 * negatives]) / found.rows.sum()
        best = by_cut.argmax()
        profits.append(by_cut[best])
        shares.append(best and found.rows[:best].sum() / found.rows.sum())
    profit, share = found.expected_profit(VERBRAKEN)
    assert profit == pytest.approx(np.mean(profits), rel=0.02)
    assert share == pytest.approx(np.mean(shares), rel=0.05)


def test_best_profit_is_that_of_trying_every_cut() -> None:
    score, label = drawn(500, 10)
    value = np.random.default_rng(11).uniform(20, 400, len(score))
    order = np.argsort(-score)
    y, v = label[order], value[order]
    each = 0.3 * (v - 10) * y - 10 * (1 - y) - 1
    so_far = np.concatenate([[0.0], each.cumsum()])
    profit, share = gains(score, label, value).best_profit(10, 1, 0.3)
    assert profit == pytest.approx(so_far.max())
    assert share == pytest.approx(so_far.argmax() / len(score))
    nobody = gains(score, np.zeros_like(label)).best_profit(10, 1, 0.3)
    assert nobody == (0.0, 0.0)


def test_where_a_measure_means_nothing_there_is_none() -> None:
    score, label = drawn(50, 12)
    for same in (np.zeros_like(label), np.ones_like(label)):
        found = gains(score, same)
        assert found.roc_auc() is None
        assert found.calibration_slope() is None
        assert found.expected_profit(VERBRAKEN) == (0.0, 0.0)
    assert gains(score, np.zeros_like(label)).average_precision() is None
    empty = Gains(*(np.array([]) for _ in range(4)))
    assert empty.base_rate is None
    assert empty.calibration_error() is None


def test_points_of_a_frame_are_the_ranking(spark: SparkSession) -> None:
    score, label = drawn(900, 13, 3)
    rows = [("a", float(s), int(y), 2.0) for s, y in zip(score, label, strict=True)] + [("b", 0.5, 1, 7.0), ("b", 0.5, 0, 7.0)]
    frame = spark.createDataFrame(rows, "by string, score double, label int, worth double").repartition(5)
    found = points(frame, "score", "label", "by", "worth").collect()
    a = Gains.of(row for row in found if row["by"] == "a")
    exact = gains(score, label)
    assert a.rows.tolist() == exact.rows.tolist()
    assert a.positives.tolist() == exact.positives.tolist()
    assert a.score == pytest.approx(exact.score)
    assert a.value.sum() == pytest.approx(2 * label.sum())
    b = Gains.of(row for row in found if row["by"] == "b")
    assert (b.rows.tolist(), b.value.tolist()) == ([2.0], [7.0])
    # cut to few steps it is nearly the same, and no row is lost
    coarse = Gains.of(row for row in points(frame, "score", "label", "by", steps=100).collect() if row["by"] == "a")
    assert len(coarse.rows) <= 100
    assert coarse.rows.sum() == len(score)
    assert coarse.average_precision() == pytest.approx(exact.average_precision(), rel=0.05)
    assert math.isclose(coarse.positives.sum(), label.sum())
