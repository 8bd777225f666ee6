"""Drift and rank correlation against hand-computed examples and independent references. No Spark."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from churnlake.stats.drift import by_chance, decile_classes, drift_of, level_classes, stability_index
from churnlake.stats.ranks import spearman


def test_the_index_of_a_scorecard_by_hand() -> None:
    assert stability_index(np.array([0.5, 0.5]), np.array([0.5, 0.5]), 100) == 0
    assert stability_index(np.array([0.6, 0.4]), np.array([0.5, 0.5]), 100) == pytest.approx(
        0.1 * np.log(1.2) - 0.1 * np.log(0.8)
    )
    # an empty class counts as half a row
    assert stability_index(np.array([1.0, 0.0]), np.array([0.5, 0.5]), 100) == pytest.approx(
        0.5 * np.log(2) - 0.495 * np.log(0.01)
    )
    # 20, 30, 50 of 100 become 30, 30, 40: 0.1 ln 1.5 + 0 + (-0.1) ln 0.8 = 0.04055 + 0.02231
    assert drift_of(np.array([30.0, 30, 40]), np.array([20.0, 30, 50])) == pytest.approx(0.06286, abs=1e-5)


def test_it_is_the_sum_of_both_relative_entropies() -> None:
    chance = np.random.default_rng(5)
    for _ in range(20):
        now, before = chance.dirichlet(np.ones(9)), chance.dirichlet(np.ones(9))
        both = stats.entropy(now, before) + stats.entropy(before, now)
        assert stability_index(now, before, 10**9) == pytest.approx(both)


def test_classes_are_deciles_of_before_and_the_missing() -> None:
    before = np.append(np.arange(1.0, 101.0), [np.nan] * 25)
    now = np.append(np.arange(51.0, 151.0), np.nan)
    rows_now, rows_before = decile_classes(now, before)
    assert rows_before.tolist() == [10.0] * 10 + [25.0]
    edges = [-np.inf, *np.quantile(np.arange(1.0, 101.0), np.arange(1, 10) / 10, method="inverted_cdf"), np.inf]
    by_pandas = pd.cut(pd.Series(now).dropna(), edges).value_counts(sort=False)
    assert rows_now.tolist() == [*by_pandas.tolist(), 1.0]


def test_a_value_most_have_is_a_class_of_its_own() -> None:
    before = np.array([0.0] * 70 + [1.0] * 30)
    rows_now, rows_before = decile_classes(np.array([0.0] * 20 + [1.0] * 30 + [7.0] * 50), before)
    assert rows_before.tolist() == [70, 30, 0, 0]
    assert rows_now.tolist() == [20, 30, 50, 0]
    nothing, _ = decile_classes(np.array([1.0, np.nan]), np.array([np.nan, np.nan]))
    assert nothing.tolist() == [1, 1]


def test_codes_are_classed_by_level() -> None:
    rows_now, rows_before = level_classes(["a", "c", None, "c"], ["a", "b", "b"])
    assert rows_now.tolist() == [1, 0, 2, 1]
    assert rows_before.tolist() == [1, 2, 0, 0]


@pytest.mark.parametrize("classes", [2, 5, 11])
def test_chance_reaches_what_chi_square_says(classes: int) -> None:
    expected = stats.chi2.ppf(stats.norm.cdf(3.0), classes - 1) * (1 / 1000 + 1 / 500)
    assert by_chance(classes, 1000, 500, 3.0) == pytest.approx(expected, rel=0.06)
    assert by_chance(1, 1000, 500, 3.0) == 0
    chance = np.random.default_rng(3)
    same = [drift_of(*decile_classes(chance.exponential(size=1000), chance.exponential(size=1000))) for _ in range(300)]
    # deciles of one of the two leave somewhat less to chance than classes known before
    assert np.mean(np.array(same) > by_chance(10, 1000, 1000, 1.645)) < 0.1


def test_rank_correlations_are_those_of_scipy() -> None:
    chance = np.random.default_rng(1)
    x = chance.normal(size=300)
    frame = pd.DataFrame(
        {"x": x, "cube": x**3, "noisy": x + chance.normal(size=300), "tied": np.round(x), "falls": -np.exp(x), "same": 1.0}
    )
    found = spearman(frame, 30)
    for i, one in enumerate(frame):
        for j, other in enumerate(frame):
            if "same" in (one, other):
                assert np.isnan(found[i, j])
            else:
                assert found[i, j] == pytest.approx(stats.spearmanr(frame[one], frame[other]).statistic, abs=1e-6)


def test_missing_values_are_left_out_pair_by_pair() -> None:
    chance = np.random.default_rng(2)
    x = chance.normal(size=400)
    frame = pd.DataFrame({"x": x, "y": x + chance.normal(size=400)})
    frame.loc[:99, ["x", "y"]] = np.nan
    assert spearman(frame, 30)[0, 1] == pytest.approx(stats.spearmanr(frame["x"][100:], frame["y"][100:]).statistic, abs=1e-6)
    frame.loc[100:199, "y"] = np.nan
    near = stats.spearmanr(frame["x"][200:], frame["y"][200:]).statistic
    assert spearman(frame, 30)[0, 1] == pytest.approx(near, abs=0.02), "ranks among all who have a value"
    assert np.isnan(spearman(frame, 201)[0, 1])
