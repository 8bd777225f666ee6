"""Whether a learner passes the filter is judged against chance."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churnlake.evaluate.ceilings import _asked, _excess, _ranking


def test_a_better_learner_passes_the_filter_beyond_chance_and_an_equal_one_does_not() -> None:
    rng = np.random.default_rng(7)
    label = (rng.random(3000) < 0.1).astype(int)
    users = np.arange(3000) // 3
    filtered = label + 2.0 * rng.standard_normal(3000)
    better = _excess(label, label + 0.5 * rng.standard_normal(3000), filtered, users)
    assert better["excess"] > better["excess_noise"] > 0
    equal = _excess(label, filtered, filtered, users)
    assert equal["excess"] == equal["excess_noise"] == pytest.approx(0)
    other = _excess(label, label + 2.0 * rng.standard_normal(3000), filtered, users)
    assert abs(other["excess"]) <= 1.5 * other["excess_noise"]


def test_a_perfect_ranking_is_one_and_a_blind_one_the_base_rate() -> None:
    label = np.array([0, 0, 1, 1])
    assert _ranking("learner", label, np.array([0.1, 0.2, 0.8, 0.9])) == {"learner_pr_auc": 1.0, "learner_roc_auc": 1.0}
    assert _ranking("learner", label, np.zeros(4)) == {"learner_pr_auc": 0.5, "learner_roc_auc": 0.5}


def test_a_feature_that_nobody_has_does_not_stop_the_learner() -> None:
    rng = np.random.default_rng(1)
    months = np.repeat([1, 2, 3], 400)
    sign = rng.random(1200)
    leaves = (sign > 0.8).astype(float)
    known = pd.DataFrame({"month": months, "sign": sign, "handset": np.nan, "leaves_t1": leaves, "leaves_t2": leaves})
    found = _asked(known, ["sign", "handset"])
    asked = found.dropna(subset=["learner_t1"])
    assert set(asked["month"]) == {2, 3}
    means = asked.groupby("leaves_t1")["learner_t1"].mean()
    assert means[1.0] > 0.9 > 0.1 > means[0.0]
