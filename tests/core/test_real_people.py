"""Real people found again: ranks, likeness and one-to-one naming on small frames."""

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.metrics.pairwise import cosine_similarity

from churnlake.core.settings import load
from churnlake.evaluate import real
from churnlake.reentry.odds import MEASURES, comparisons
from churnlake.settings import Settings

SETTINGS = load(Settings, "local").reentry
TRUTH = pd.Series({101: 1, 102: 2, 103: 3}, name="first_id")
CONTACTS = pd.DataFrame(
    [(u, p, n) for u, met in {
        1: {7: 4, 8: 1}, 2: {8: 2, 9: 3}, 3: {9: 1, 6: 2}, 101: {7: 2, 8: 2}, 102: {8: 1, 9: 1}, 103: {5: 1}, 900: {8: 1, 9: 1},
    }.items() for p, n in met.items()],
    columns=["user_id", "peer_id", "n"],
)  # fmt: skip


def told(scores: dict[tuple[int, int], float]) -> pd.DataFrame:
    rows = [{"user_id": u, "old_user_id": o, "circle_score": score} for (u, o), score in scores.items()]
    blank = {**dict.fromkeys(MEASURES, 0.0), **dict.fromkeys(comparisons(SETTINGS), "unknown")}
    return pd.DataFrame([{**blank, "stage_days": 60, "is_drawn": True, "kind": "full", "start": 0.0, **row} for row in rows])


def test_likeness_is_that_of_scikit_learn() -> None:
    peers = [5, 6, 7, 8, 9]
    wide = CONTACTS.pivot_table(index="user_id", columns="peer_id", values="n", fill_value=0).reindex(columns=peers, fill_value=0)
    firsts, seconds = wide.loc[[1, 2, 3]].to_numpy(float), wide.loc[[101, 102, 103]].to_numpy(float)
    tf = TfidfTransformer(smooth_idf=True).fit(firsts)
    expected = cosine_similarity(tf.transform(seconds), tf.transform(firsts))
    found = real.alike(CONTACTS, TRUTH, damped=False)
    assert found == pytest.approx(expected)
    # a decoy is one more candidate, and changes nothing of the others
    among = real.alike(CONTACTS, TRUTH, [900], damped=False)
    assert among[:, :3] == pytest.approx(found)
    assert among.shape == (3, 4)


def test_closed_set_by_hand() -> None:
    pairs = told({(101, 1): 9.0, (101, 2): 5.0, (102, 2): 3.0, (102, 3): 4.0})
    found = real._closed(pairs, CONTACTS[CONTACTS["user_id"] != 900], TRUTH, SETTINGS)
    # 101 is first, 102 second, 103 shares nobody with anybody
    assert (found["top1"], found["top5"]) == (pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert (found["baseline_top1"], found["baseline_top5"]) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert found["top1_gain"]["mean"] == pytest.approx(-1 / 3)
    assert found["top1_gain"]["low"] <= found["top1_gain"]["mean"] <= found["top1_gain"]["high"]


def test_who_is_not_there_is_found_by_nobody() -> None:
    pairs = told(dict.fromkeys(TRUTH.items(), 12.0))
    found = real._open(pairs, CONTACTS[CONTACTS["user_id"] != 900], TRUTH, SETTINGS)
    assert found["open_ap"] == pytest.approx(1.0)
    assert found["open_precision_at_recall_80"] == pytest.approx(1.0)
    wrong = told({(second, first % 3 + 1): 12.0 for second, first in TRUTH.items()})
    assert real._open(wrong, CONTACTS[CONTACTS["user_id"] != 900], TRUTH, SETTINGS)["open_ap"] == 0


def test_each_is_named_once_the_most_probable_first() -> None:
    pairs = pd.DataFrame({"user_id": [1, 1, 2, 3], "old_user_id": [7, 8, 7, 7], "probability": [0.9, 0.8, 0.95, 0.1]})
    assert real.one_to_one(pairs)[["user_id", "old_user_id"]].to_numpy().tolist() == [[2, 7], [1, 8]]
    assert np.isclose(real.one_to_one(pairs)["probability"].sum(), 1.75)
