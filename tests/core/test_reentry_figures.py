"""Figures of re-entry: precision at a recall, area, calibration, decoys; small cases by hand and one against scikit-learn."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score

from churnlake.evaluate import commands, reentry

MATCHES = pd.DataFrame(
    {
        "probability": [0.95, 0.9, 0.9, 0.6, 0.3, 0.1],
        "is_right": [True, True, False, True, False, True],
        "decoy": [None, None, "kin", None, "kin", None],
    }
)


def test_figures_of_one_city_by_hand() -> None:
    found = reentry.told(MATCHES, total=5, evident=4, of_kind={"kin": 4, "friend": 3})
    # of five true pairs one left no evidence; 90 % of four is all four, reached at 0.1 with six named
    assert found["precision_at_recall_90"] == pytest.approx(4 / 6)
    # 80 % of four is reached with four right as well
    assert found["precision_at_recall_80"] == pytest.approx(4 / 6)
    assert found["pr_auc"] == pytest.approx((1 / 5) * 1 + (1 / 5) * (2 / 3) + (1 / 5) * (3 / 4) + (1 / 5) * (4 / 6))
    assert found["decoy_false_share"] == {"friend": 0.0, "kin": 0.5}
    assert found["without_evidence_share"] == pytest.approx(0.2)
    assert found["count_error"] == pytest.approx(3.75 / 5 - 1)


def test_a_pair_never_named_is_a_miss() -> None:
    found = reentry.told(MATCHES[MATCHES["probability"] > 0.5], total=5, evident=5, of_kind={})
    assert found["precision_at_recall_90"] is None
    empty = reentry.told(MATCHES[:0], total=5, evident=5, of_kind={"kin": 2})
    assert (empty["pr_auc"], empty["precision_at_recall_80"], empty["decoy_false_share"]) == (0.0, None, {"kin": 0.0})


def test_area_is_that_of_scikit_learn_where_all_are_named() -> None:
    rng = np.random.default_rng(7)
    score = rng.integers(0, 30, 400) / 30
    right = rng.random(400) < score
    named = pd.DataFrame({"probability": score, "is_right": right, "decoy": None})
    found = reentry.told(named, total=int(right.sum()), evident=int(right.sum()), of_kind={})
    assert found["pr_auc"] == pytest.approx(average_precision_score(right, score))


def test_calibration_error_is_nothing_where_frequencies_are_as_told() -> None:
    told = np.array([0.25] * 4 + [0.75] * 4)
    right = np.array([True, False, False, False, True, True, True, False])
    assert reentry.calibration_error(told, right) == pytest.approx(0.0)
    assert reentry.calibration_error(told, ~right) == pytest.approx(0.5)


def test_churn_is_corrected_by_those_expected_to_be_back() -> None:
    # of 25 who fell silent 5 are back, 3.75 are expected to be
    assert reentry.churn_error(MATCHES, 5, 25) == pytest.approx((25 - 3.75) / 20 - 1)
    assert reentry.churn_error(MATCHES, 5, 5) is None


def test_intervals_over_seeds_are_students() -> None:
    cities = [{"city": "x", "seed": n, "pr_auc": value, "of": {"kin": value}} for n, value in enumerate((0.8, 0.9, 1.0))]
    found = reentry.over_seeds(cities)
    # s = 0.1, t(0.975, 2) = 4.3027
    assert found["pr_auc"]["mean"] == pytest.approx(0.9)
    assert found["pr_auc"]["high"] - 0.9 == pytest.approx(4.3027 * 0.1 / 3**0.5, abs=1e-4)
    assert found["of"]["kin"] == found["pr_auc"]
    assert reentry.over_seeds(cities[:1])["pr_auc"] == {"mean": 0.8, "low": 0.8, "high": 0.8, "seeds": 1}


def test_a_city_of_other_people_is_another_city(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    def judge(settings: Any, _: Any, *, strained: bool) -> reentry.Judged:
        asked.append(settings.store.landing)
        told = {"pairs_true": 8, "candidates": 40, "pr_auc": 0.5, "ece": 0.01, "count_error": -0.1}
        at = {"precision_at_recall_90": None, "precision_at_recall_80": 0.75}
        return reentry.Judged({"city": "x", "seed": 1, "decoy_false_share": {}, **told, **at}, pd.DataFrame())

    monkeypatch.setattr(reentry, "with_oracle", lambda cities: [{**each.figures, "baselines": {}} for each in cities])

    monkeypatch.setattr(reentry, "judge", judge)
    command, _ = commands.COMMANDS["evaluate"]
    for users in ("50", "60"):
        given = ["--what", "reentry", "--city", "tiny", "--seeds", "1,2", "--users", users, "--work", str(tmp_path)]
        assert command(given) == 0
    assert len(set(asked)) == 4
    told = " ".join(capsys.readouterr().out.split())
    assert (
        told.count(
            "seed 1: 8 true pairs among 40 joiners; PR-AUC 0.500, precision at 90% recall not reached, precision at 80% recall 0.750"
        )
        == 4
    )
