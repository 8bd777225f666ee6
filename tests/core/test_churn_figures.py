"""Figures of leaving foretold, beside scikit-learn; and months by their first day."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from churnlake.core.months import last_day, month_after, month_before
from churnlake.evaluate.churn import TARGETS, line, lines, told
from churnlake.evaluate.reentry import over_seeds


def test_figures_are_those_of_scikit_learn_and_ties_are_one_step() -> None:
    rng = np.random.default_rng(5)
    odds = rng.normal(-3, 1, 4000)
    rows = pd.DataFrame(
        {
            "leaves": rng.random(4000) < 1 / (1 + np.exp(-odds)),
            "probability": 1 / (1 + np.exp(-odds)),
            "without": np.round(1 / (1 + np.exp(-odds)), 1),
            "score": odds + rng.normal(0, 0.5, 4000),
            "hazard": odds,
        }
    )
    found = told(rows)
    assert found["pr_auc"] == pytest.approx(average_precision_score(rows["leaves"], rows["probability"]))
    assert found["observable_ceiling_pr_auc"] == pytest.approx(average_precision_score(rows["leaves"], rows["score"]))
    assert found["auc_active"] == pytest.approx(roc_auc_score(rows["leaves"], rows["probability"]))
    plain = average_precision_score(rows["leaves"], rows["without"])
    assert found["gain_of_circle_features"] == pytest.approx(found["pr_auc"] / plain - 1)
    top = rows.nlargest(80, "probability")
    assert found["precision_top_2pct_active"] == pytest.approx(top["leaves"].mean())
    assert found["calibration_slope"] == pytest.approx(1, abs=0.15)


def test_leaks_and_marks_are_told_for_each_target() -> None:
    rng = np.random.default_rng(5)
    rows = pd.DataFrame(
        {way: rng.random(500) for way in ("probability", "without", "score", "hazard")} | {"leaves": rng.random(500) < 0.1}
    )
    gate = {
        "leaks_planted": 12,
        "leaks_caught": 11,
        "false_alarms": 1,
        "found_marks": {"60% of leavers, 1.0% of others": 1.0, "60% of leavers, 3.0% of others": 0.0},
    }
    city = {"city": "c", "seed": 7, **{target: {**told(rows), **gate} for target in TARGETS}}
    assert "leaks caught 11 of 12, 1 false alarms" in line(city)
    shown = dict(lines(over_seeds([city, city])))
    assert shown["leave t1, leaks caught"] == "11.000 (11.000 to 11.000)"
    assert shown["leave t2, a flag of 60% of leavers is found"] == "1 beside 1.0%, 0 beside 3.0%"


def test_months_follow_each_other() -> None:
    assert month_after(dt.date(2004, 12, 31)) == dt.date(2005, 1, 1)
    assert month_before(dt.date(2005, 3, 31)) == dt.date(2005, 2, 1)
    assert last_day(dt.date(2004, 2, 29)) == dt.date(2004, 2, 29)
    assert last_day(dt.date(2005, 4, 1)) == dt.date(2005, 4, 30)
