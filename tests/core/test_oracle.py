"""The posterior learnt from truth: it knows what evidence says, who else somebody could be, and is never taught by those it judges."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score

from churnlake.evaluate import oracle, reentry, strains


def city(seed: int, joiners: int = 400, told: float = 3.0) -> pd.DataFrame:
    """Of five candidates the first is right for three joiners in ten; ``told`` is by how much its circle is more like."""
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(joiners), 5)
    right = (rng.random(joiners) < 0.3)[user] & (np.tile(np.arange(5), joiners) == 0)
    blank = dict.fromkeys(oracle.EVIDENCE, 0.0)
    pairs = pd.DataFrame({"user_id": user, "old_user_id": rng.permutation(len(user)), "is_right": right}).assign(**blank)
    return pairs.assign(circle_score=rng.normal(size=len(user)) + told * right)


def test_it_ranks_as_the_rule_does() -> None:
    cities = [city(seed) for seed in (1, 2)]
    for pairs, best in zip(cities, oracle.posteriors(cities), strict=True):
        likest = pairs.sort_values("circle_score", ascending=False).drop_duplicates("user_id")
        area = average_precision_score(best["is_right"], best["probability"])
        assert area > average_precision_score(likest["is_right"], likest["circle_score"]) - 0.05
        assert reentry.calibration_error(best["probability"].to_numpy(), best["is_right"].to_numpy()) < 0.08


def test_where_evidence_says_nothing_it_knows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracle, "FOLDS", 2)
    for best in oracle.posteriors([city(4, told=0.0)]):
        assert average_precision_score(best["is_right"], best["probability"]) < 0.2  # taught by its own truth it would be near 1


def test_rivals_are_the_best_of_the_others() -> None:
    pairs = pd.DataFrame(
        {"user_id": [1, 1, 1, 2], "old_user_id": [7, 8, 9, 7], "circle_score": [3.0, 5.0, 5.0, 4.0], "hellinger": 0.0}
    )
    found = oracle.with_rivals(pairs)
    assert found["circle_score_beside_user_id"].tolist() == [5.0, 5.0, 5.0, 0.0]
    assert found["circle_score_beside_old_user_id"].tolist() == [4.0, 0.0, 0.0, 3.0]


def test_gap_closed_is_from_the_best_baseline_to_the_oracle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracle, "FOLDS", 2)
    figures = {"pairs_true": 120, "pairs_evident": 120, "pr_auc": 0.7, "baselines": {"a": {"pr_auc": 0.2}, "b": {"pr_auc": 0.4}}}
    found = reentry.with_oracle([reentry.Judged(figures, city(1))])[0]
    assert found["gap_closed"] == pytest.approx(0.3 / (found["oracle_pr_auc"] - 0.4))
    assert 0.5 < found["oracle_pr_auc"] < 1


def test_recall_at_a_precision() -> None:
    matches = pd.DataFrame(
        {"probability": [0.9, 0.8, 0.7, 0.6], "is_right": [True, True, False, True], "gap_days": [1, 90, 90, 80]}
    )
    assert strains.recall(matches, 4) == (0.5, 0.8)
    assert strains.recall(matches[2:], 4) == (0.0, 1.0)
    told = strains.told(matches, {"half_missing": matches[:1]}, 4, (75, 105), 2)
    assert told == {"recall": 0.5, "recall_half_missing": 0.25, "recall_gap_90": 0.5}
