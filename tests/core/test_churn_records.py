"""Churn judged on cities of records: days of warning beside chance, what trees of other cities say, and what stays in churn.json."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score

from churnlake.city.generate import scenario
from churnlake.evaluate import churn_records, revenue
from churnlake.evaluate.churn import ASKED


def test_days_of_warning_are_told_beside_what_chance_would_warn_of() -> None:
    told = pd.DataFrame({"days": [40.0, 30.0, 29.0, None, None], "truly": [90.0, 30.0, None, 3.0, 60.0]})
    found = churn_records.lead(told, 200, 50, 20)
    assert (found["leavers"], found["warning_days_median"], found["warned_share"]) == (5, 29.0, 0.6)
    assert (found["warned_30_share"], found["in_stage_share"], found["in_stage_30_share"]) == (0.4, 0.25, 0.1)
    assert found["lift_30"] == pytest.approx(4)
    # of those who were ever discontented
    assert (found["discontent_days_median"], found["discontent_30_share"]) == (45.0, 0.75)
    nobody = churn_records.lead(told.iloc[:0], 0, 0, 0)
    assert (nobody["leavers"], nobody["warning_days_median"], nobody["lift_30"]) == (0, None, None)


def city(seed: int, users: int = 800) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Users whose outcome one feature tells half of, and the hidden state the rest."""
    dice = np.random.default_rng(seed)
    seen, state = dice.normal(size=users), dice.normal(size=users)
    leaves = (dice.random(users) < 1 / (1 + np.exp(2 - seen - 2 * state))).astype(int)
    month = pd.Timestamp(ASKED)
    rows = pd.DataFrame(
        {"user_id": range(users), "month": month, "leaves": leaves, "fee": seen, "nobody": np.nan, "hazard": state}
    )
    rows = rows.reindex(columns=[*revenue.KEY, "fee", "nobody", *revenue.STATE])
    judged = rows[["user_id", "leaves"]].assign(probability=1 / (1 + np.exp(2 - seen)), without=0.5)
    return judged, rows


@pytest.mark.parametrize("seeds", [(1, 2, 3), (4,)])
def test_revenue_is_judged_beside_what_features_allow_and_what_the_state_adds(
    seeds: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revenue, "ROUNDS", 40)
    cities = [city(seed) for seed in seeds]
    found = revenue.figures(cities)
    assert len(found) == len(seeds)
    for (judged, _), of in zip(cities, found, strict=True):
        assert of["pr_auc"] == pytest.approx(average_precision_score(judged["leaves"], judged["probability"]))
        # what is told by the feature alone is all there is to see; the state adds much
        assert of["observable_ceiling_pr_auc"] == pytest.approx(of["pr_auc"], rel=0.2)
        assert of["true_hazard_pr_auc"] > 1.2 * of["pr_auc"]
    # a city's own truth is not asked: other outcomes of it change nothing where there are others
    if len(cities) > 1:
        judged, rows = cities[0]
        turned = revenue._taught([rows.assign(leaves=1 - rows["leaves"]), *(one for _, one in cities[1:])], 0, hidden=False)
        assert turned == revenue._taught([one for _, one in cities], 0, hidden=False)


def test_figures_stand_beside_what_was_told_before(tmp_path: Path) -> None:
    path = tmp_path / "churn.json"
    path.write_text(json.dumps({"scenarios": {"standard": {"leave_t1": {"pr_auc": 1}}}, "real": {}}))
    churn_records.keep("standard", [{"city": "c", "seed": s, "causes": {"accuracy": a}} for s, a in ((1, 0.4), (2, 0.6))], path)
    told = json.loads(path.read_text())["scenarios"]["standard"]
    assert told["leave_t1"] == {"pr_auc": 1}
    assert told["causes"]["accuracy"]["mean"] == pytest.approx(0.5)
    assert told["causes"]["accuracy"]["seeds"] == 2


def test_a_city_of_records_is_the_scenario_with_a_longer_time(tmp_path: Path) -> None:
    made = scenario(churn_records.records_city("standard", 40, tmp_path))
    like = scenario("standard")
    assert (made.users, made.first_day, made.last_day) == (40, churn_records.FIRST_DAY, like.last_day)
    assert made.records.form == "records"
    assert made.leaving == like.leaving
