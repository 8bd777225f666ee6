from __future__ import annotations

from typing import Any

from churnlake.evaluate.cities import over_seeds


def city(at_80: float | None, hazard: float) -> dict[str, Any]:
    way = {"name": "Dice", "f1": 0.5, "precision_at_80": at_80, "all_precision": 0.2, "all_recall": 0.9}
    ceiling = {
        "target": "leave_t1",
        "true_hazard_pr_auc": hazard,
        "observable_pr_auc": 0.1,
        "observable_roc_auc": 0.8,
        "kept": 0.1 / hazard,
    }
    return {"ways": [way], "ceilings": [ceiling]}


def test_means_are_over_the_seeds_that_have_the_figure_and_say_on_how_many() -> None:
    lines = dict(over_seeds([city(0.6, 0.2), city(0.8, 0.4), city(None, 0.3)]))
    assert "precision at 80 % recall 0.700 (0.600 to 0.800) on 2 of 3" in lines["Dice"]
    assert "best F1 0.500 (0.500 to 0.500);" in lines["Dice"]
    foreseen = lines["ceiling, the next month"]
    assert "PR-AUC true hazard 0.300 (0.200 to 0.400)" in foreseen
    assert "learner none" in foreseen
    assert "filter over true hazard 0.361 (0.250 to 0.500)" in foreseen
    assert "ceiling, the month after next" not in lines
