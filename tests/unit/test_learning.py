"""Weights learnt without truth: pairs drawn by a known rule are found again, and probabilities are as often right as they say."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score

from churnlake.core.settings import load
from churnlake.evaluate.reentry import calibration_error
from churnlake.reentry import learning
from churnlake.reentry.learning import LEARNT
from churnlake.reentry.odds import INTERCEPT, MEASURES, comparisons
from churnlake.settings import Settings

SETTINGS = load(Settings, "local").reentry
JOINERS, CANDIDATES, BACK = 3000, 12, 0.3
STEPS = np.array([2.5, 1.0, -1.0, -1.5, 0.5, 0.0, 0.5, 0.0])
Array = npt.NDArray[Any]


def drawn(joiners: int = JOINERS, seed: int = 3) -> tuple[pd.DataFrame, Array]:
    """One row per pair, and whether it is right: three joiners in ten are one of their candidates; of the rest a third are kept."""
    rng = np.random.default_rng(seed)
    users = np.repeat(np.arange(joiners), CANDIDATES)
    is_right = (rng.random(joiners) < BACK)[users] & (np.tile(np.arange(CANDIDATES), joiners) == 0)
    measures = rng.normal(size=(len(users), len(LEARNT))) + is_right[:, None] * STEPS
    same = rng.random(len(users)) < np.where(is_right, 0.6, 0.01)
    pairs = pd.DataFrame(measures, columns=list(LEARNT)).assign(
        **dict.fromkeys(set(MEASURES) - set(LEARNT), 0.0),
        user_id=users,
        stage_days=60,
        is_drawn=True,
        old_user_id=rng.permutation(len(users)),
        start=measures[:, 0] * 1.5 - 5.0,
    )
    pairs["kind"] = np.where(~is_right & (rng.random(len(users)) < 0.33), "kept", "full")
    for name in comparisons(SETTINGS):
        pairs[name] = "unknown"
    return pairs.assign(work=np.where(same, "most", "few")), is_right


def probabilities(pairs: pd.DataFrame, weights: Any) -> Array:
    odds = np.where(pairs["kind"] == "kept", 0.0, np.exp(learning.score_of(pairs, weights)))
    found: Array = odds / (1 + np.bincount(pairs["user_id"], weights=odds)[pairs["user_id"]])
    return found


def test_pairs_of_a_known_rule_are_found_again() -> None:
    pairs, is_right = drawn()
    weights, joiners = learning.learn(pairs, SETTINGS)[60]
    assert joiners == JOINERS
    for name, slope in zip(LEARNT, STEPS, strict=True):
        assert weights[name]["each"] == pytest.approx(slope, abs=0.4), name
    told = weights["work"]
    # held: a little less is believed of it
    assert 3.5 < told["most"] - told["few"] < np.log(0.6 / 0.01) - np.log(0.4 / 0.99)
    found = probabilities(pairs, weights)
    assert found.sum() == pytest.approx(is_right.sum(), rel=0.05)
    assert calibration_error(found, is_right) < 0.01
    # by the rule itself
    best = pairs[list(LEARNT)].to_numpy() @ STEPS + np.where(pairs["work"] == "few", -4.5, 0.0)
    best[pairs["kind"] == "kept"] = -30
    assert average_precision_score(is_right, found) > average_precision_score(is_right, best) - 0.01


def test_weights_do_not_hang_on_the_start() -> None:
    pairs, _ = drawn()
    weights, _ = learning.learn(pairs, SETTINGS)[60]
    again, _ = learning.learn(pairs.assign(start=pairs["start"] * 0.5 - 1.0), SETTINGS)[60]
    for name in LEARNT:
        assert again[name]["each"] == pytest.approx(weights[name]["each"], abs=0.04)


def test_an_early_stage_is_worth_what_it_tells_of_the_final_one() -> None:
    final, is_right = drawn()
    rng = np.random.default_rng(5)
    early = final.assign(stage_days=7, kind="open", start=0.0)
    # a week in, the circle alone is known, and less well
    early[list(MEASURES)] = 0.0
    early["circle_score"] = rng.normal(size=len(early)) + 1.5 * is_right
    early["work"] = "few"
    weights, joiners = learning.learn(pd.concat([early, final]), SETTINGS)[7]
    assert joiners == JOINERS
    # a little less, as the final stage is not sure either
    assert 1.0 < weights["circle_score"]["each"] < 1.6
    found = probabilities(early, weights)
    assert found.sum() == pytest.approx(is_right.sum(), rel=0.2)


def test_the_first_number_of_a_chain_does_not_speak_against_what_all_its_numbers_share() -> None:
    """A, B and C are one person's numbers in turn, all of one plan: C looks like A, but is B's successor."""
    pairs, is_right = drawn(1500)
    pairs["plan"] = np.where(np.random.default_rng(11).random(len(pairs)) < np.where(is_right, 0.5, 0.1), "same", "other brand")
    b = pairs[is_right].sample(frac=0.5, random_state=2).assign(plan="same")
    c = b.assign(user_id=b["user_id"] + 10_000, old_user_id=b["user_id"] + 1_000_000)
    told = pd.concat(
        [pairs.drop(b.index), pairs[pairs.index.isin(b.index)].assign(plan="same"), c, c.assign(old_user_id=b["old_user_id"])]
    )
    told = told.reset_index(drop=True)
    match = np.concatenate([is_right[~pairs.index.isin(b.index)], np.ones(2 * len(b)), np.zeros(len(b))]).astype(float)

    def speaks_for(*, of_open: bool) -> float:
        told_by = learning._regression(told, match, SETTINGS, learning.GIVEN, of_open=of_open)["plan"]
        return told_by["same"] - told_by["other brand"]

    beside_nobody = speaks_for(of_open=True)
    assert beside_nobody == pytest.approx(np.log(0.75 / 0.25) - np.log(0.1 / 0.9), abs=0.5)
    assert speaks_for(of_open=False) < beside_nobody - 1


def test_too_little_to_learn_from_leaves_the_start() -> None:
    pairs, _ = drawn(SETTINGS.learnt_joiners - 1)
    assert learning.learn(pairs, SETTINGS) == {60: (SETTINGS.start, 0)}
    none, _ = drawn()
    # nobody like anybody: no class of matches is made up
    none = none.assign(start=-30.0, work="few", **dict.fromkeys(MEASURES, 0.0))
    assert learning.learn(none, SETTINGS) == {60: (SETTINGS.start, 0)}


def test_what_an_old_numbers_level_tells_is_set_at_the_final_stage_and_learnt_before() -> None:
    final, is_right = drawn()
    rng = np.random.default_rng(7)
    # as many of the lookalikes' old numbers have fallen silent: to whoever learns from them it tells nothing
    final["level"] = np.where(rng.random(len(final)) < 0.5, "silent", "low")
    early = final.assign(stage_days=7, kind="open", level=np.where(is_right | (rng.random(len(final)) < 0.1), "silent", "high"))
    early[list(MEASURES)] = 0.0
    early["work"] = "few"
    learnt = learning.learn(pd.concat([early, final]), SETTINGS)
    assert learnt[60][0]["level"] == SETTINGS.start["level"]
    then = learnt[7][0]["level"]
    assert then["silent"] - then["high"] > 3


def test_two_measures_that_say_the_same_do_not_cancel_out_however_many_pairs_there_are() -> None:
    pairs, is_right = drawn()
    # the second is the first but for a little, and tells nothing beside it
    pairs["ties_apart"] = pairs["circle_score"] + np.random.default_rng(13).normal(scale=0.02, size=len(pairs))
    for times in (1, 3):
        told = pd.concat(
            [
                pairs.assign(user_id=pairs["user_id"] + n * 10**6, old_user_id=pairs["old_user_id"] + n * 10**6)
                for n in range(times)
            ]
        )
        match = np.tile(np.where(is_right, 0.9, 0.0), times)
        found = learning._regression(told.reset_index(drop=True), match, SETTINGS, learning.GIVEN, of_open=False)
        assert abs(found["circle_score"]["each"] - found["ties_apart"]["each"]) < 0.5 * found["circle_score"]["each"], times


def test_scores_are_those_of_the_weights() -> None:
    pairs, _ = drawn(2)
    weights = {INTERCEPT: {"each": 1.0}, "circle_score": {"each": 2.0}, "handset": {"two users": 4.0}}
    expected = 1 + 2 * pairs["circle_score"] + 4 * (pairs["handset"] == "two users")
    assert learning.score_of(pairs, weights) == pytest.approx(expected.to_numpy())


def test_friends_do_not_teach_that_being_in_touch_makes_a_match() -> None:
    pairs, is_right = drawn()
    rng = np.random.default_rng(9)
    # every tenth stranger is a friend: as like as a match, and in touch with the old number, as hardly any match is
    friend = ~is_right & (rng.random(len(pairs)) < 0.1)
    pairs.loc[friend, list(LEARNT)] += STEPS * 0.8
    pairs["start"] = pairs["circle_score"] * 1.5 - 5.0
    pairs["talk"] = np.where(friend & (rng.random(len(pairs)) < 0.7), "in touch", "none")
    weights, _ = learning.learn(pairs, SETTINGS)[60]
    assert weights["talk"] == SETTINGS.start["talk"]
    assert weights["handset"] == SETTINGS.start["handset"]
    assert weights["new_elsewhere"] == SETTINGS.start["new_elsewhere"]
    found = probabilities(pairs, weights)
    told = (pairs["talk"] == "in touch").to_numpy()
    assert found[told].mean() < 0.01
    assert found[is_right].mean() > 3 * found[friend].mean()
