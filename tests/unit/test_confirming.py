"""What joiners said, taken into the weights: a wrong constant and a wrong slope are mended, by answers some of which are not true."""

import datetime as dt
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from test_learning import JOINERS, SETTINGS, drawn

from churnlake.evaluate.reentry import calibration_error
from churnlake.reentry import confirming, learning
from churnlake.reentry.exclusion import exclusive
from churnlake.reentry.odds import Weights

ASKED, SAYS_SO, KNOWS = 1500, 0.8, 0.6
Array = npt.NDArray[Any]


@pytest.fixture(scope="module")
def town() -> tuple[pd.DataFrame, Array, Weights]:
    """The possible pairs, which are right, and the weights learnt from them without any answer."""
    pairs, is_right = drawn()
    learnt, _ = learning.learn(pairs, SETTINGS)[60]
    possible = (pairs["kind"] != "kept").to_numpy()
    return pairs[possible].reset_index(drop=True), is_right[possible], learnt


def answers(pairs: pd.DataFrame, is_right: Array, asked: int = ASKED, seed: int = 5) -> pd.DataFrame:
    """What so many joiners say: of those who are back some keep it to themselves, and some do not know their old number any more."""
    rng = np.random.default_rng(seed)
    is_back = np.bincount(pairs["user_id"], weights=is_right, minlength=JOINERS) > 0
    held = is_back & (rng.random(JOINERS) < SAYS_SO)
    has_named = held & (rng.random(JOINERS) < KNOWS)
    told = pairs.loc[pairs["user_id"] < asked, ["user_id", "old_user_id"]]
    named = has_named[told["user_id"]]
    return told.assign(held=held[told["user_id"]], has_named=named, is_named=named & is_right[told.index])


def moved(weights: Weights, **by: float) -> Weights:
    """The weights with some that each unit adds to the log-odds wrong by so much."""
    wrong = {name: {"each": weights[name]["each"] + much} for name, much in by.items()}
    return {**weights, **wrong}


def chances(pairs: pd.DataFrame, weights: Weights) -> Array:
    return exclusive(learning.score_of(pairs, weights), pairs["user_id"], pairs["old_user_id"])


def test_a_wrong_constant_and_slope_are_mended_though_a_fifth_do_not_say_so(town: tuple[pd.DataFrame, Array, Weights]) -> None:
    pairs, is_right, learnt = town
    wrong = moved(learnt, intercept=-1.0, circle_score=-1.0)
    before = chances(pairs, wrong)
    found, match = confirming.confirmed(wrong, before, pairs, answers(pairs, is_right))
    after = chances(pairs, found)
    unasked = (pairs["user_id"] >= ASKED).to_numpy()
    assert before[unasked].sum() < 0.93 * is_right[unasked].sum()
    # the number of matches learnt is believed as far as it is sure, so it is mended in part
    true = is_right[unasked].sum()
    assert before[unasked].sum() < after[unasked].sum() < 1.05 * true
    assert true - after[unasked].sum() < 0.8 * (true - before[unasked].sum())
    assert calibration_error(after[unasked], is_right[unasked]) < calibration_error(before[unasked], is_right[unasked])
    assert abs(found["circle_score"]["each"] - learnt["circle_score"]["each"]) < 0.6
    told = answers(pairs, is_right).set_index(["user_id", "old_user_id"])["is_named"]
    by_pair = pd.Series(match, index=pd.MultiIndex.from_frame(pairs[["user_id", "old_user_id"]]))
    assert (by_pair[told.index[told]] == 1.0).all(), "who names the number is believed"


def test_taking_every_no_for_true_would_find_too_few(
    town: tuple[pd.DataFrame, Array, Weights], monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs, is_right, learnt = town
    told, before = answers(pairs, is_right), chances(pairs, learnt)
    heeded = chances(pairs, confirming.confirmed(learnt, before, pairs, told)[0]).sum() / is_right.sum()
    monkeypatch.setattr(confirming, "SAYS_SO", (1e9, 1.0))
    believed = chances(pairs, confirming.confirmed(learnt, before, pairs, told)[0]).sum() / is_right.sum()
    assert abs(heeded - 1) < 0.05 < 1 - believed


def test_a_hundred_answers_leave_the_number_of_matches_where_it_was(town: tuple[pd.DataFrame, Array, Weights]) -> None:
    pairs, is_right, learnt = town
    before = chances(pairs, learnt)
    for seed in range(4):
        told = answers(pairs, is_right, asked=100, seed=seed)
        after = chances(pairs, confirming.confirmed(learnt, before, pairs, told)[0])
        assert after.sum() == pytest.approx(before.sum(), rel=0.02)


def test_too_few_answers_move_nothing(town: tuple[pd.DataFrame, Array, Weights]) -> None:
    pairs, is_right, learnt = town
    before = chances(pairs, learnt)
    for told in (answers(pairs, is_right, asked=12), answers(pairs, is_right, asked=0)):
        found, match = confirming.confirmed(learnt, before, pairs, told)
        assert found == learnt
        assert (match == before).all()


def test_final_weights_are_those_that_heed_answers_and_early_ones_follow() -> None:
    pairs, is_right = drawn()
    early = pairs.assign(stage_days=7, kind="open")
    both, told = pd.concat([early, pairs]), answers(pairs, is_right)
    plain, heeded = learning.learn(both, SETTINGS), learning.learn(both, SETTINGS, told)
    assert set(plain) == set(heeded) == {7, 60}
    for stage in (7, 60):
        assert plain[stage][0] != heeded[stage][0]
        assert heeded[stage][1] == JOINERS


def test_only_drawn_joiners_teach_without_answers_and_all_who_answered_with_them() -> None:
    pairs, is_right = drawn()
    half = pairs.assign(is_drawn=pairs["user_id"] >= ASKED)
    plain, joiners = learning.learn(half, SETTINGS)[60]
    assert joiners == JOINERS - ASKED
    assert plain == learning.learn(pairs[pairs["user_id"] >= ASKED], SETTINGS)[60][0]
    assert learning.learn(half, SETTINGS, answers(pairs, is_right))[60][0] != plain


def test_what_was_said_comes_to_the_candidates(spark: SparkSession) -> None:
    pairs = spark.createDataFrame([(1, 10), (1, 11), (2, 10), (3, 12), (4, 13)], "user_id long, old_user_id long")
    numbers = spark.createDataFrame([(10, 100), (11, 110), (12, 120), (13, 130)], "user_id long, number_key long")
    early, late = dt.date(2005, 5, 1), dt.date(2005, 6, 1)
    rows = [
        (1, early, "held_before", "no", None), (1, late, "held_before", "yes", None), (1, late, "old_number", "yes", 110),
        (2, early, "held_before", "no", None), (3, early, "held_before", None, None), (4, early, "held_before", "yes", None),
        (4, early, "old_number", "no", None),
    ]  # fmt: skip
    said = spark.createDataFrame(rows, "user_id long, asked_on date, question string, answer string, old_number_key long")
    found = confirming.told(pairs, said, numbers, SETTINGS)
    assert [tuple(row) for row in found.itertuples(index=False)] == [
        (1, 10, True, True, False),
        (1, 11, True, True, True),
        (2, 10, False, False, False),
        (4, 13, True, False, False),
    ], "the newest answer counts, and who left the question open said nothing"
