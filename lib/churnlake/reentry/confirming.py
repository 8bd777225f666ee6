"""What joiners themselves said, in surveys and when called back, taken into the weights of evidence.

A logistic regression whose slopes may leave those learnt without any answer only so far as answers ask for it (a normal prior around them).
Of a joiner's candidates one is the old user or none, so it is a conditional one (McFadden 1974), and answers may be wrong: how many
who are back say so, and how many say so though none of their candidates is the one, is estimated along (Dempster, Laird and Rubin 1977).
How many matches there are is told by both, each as far as it is sure: some dozens who say yes say little of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.reentry.exclusion import exclusive_of, odds_of, places
from churnlake.reentry.odds import EACH, INTERCEPT, MEASURES, Weights
from churnlake.reentry.settings import ReentrySettings

LEAST_YES, LEAST_NO = 10, 10
"""Fewer asked who say to have held a number before, or not to, and nothing is learnt from answers."""
LOOSE, TIGHT = 4.0, 10.0
"""Penalties of the intercept's, and of a slope's (of a measure of variance 1) distance from what was learnt without answers."""
ROUNDS, SETTLED = 50, 1e-4
NUMBER_ERROR = 0.05
"""Relative error of the number of matches learnt without answers (evaluate); that of a number told by n who say yes is 1 / sqrt(n)."""
MOST_SHIFT = 5.0
"""Log-odds within which the constant is looked for that gives a number of matches."""
SAYS_SO, SAYS_SO_THOUGH_NOT = (8.0, 2.0), (1.0, 19.0)
"""Answers of yes and no that those who are back, and those who are not, are taken to have given beforehand."""
Array = npt.NDArray[np.float64]


def said(answers: DataFrame, settings: ReentrySettings) -> DataFrame:
    """One row per user who was asked: ``held`` (yes, no; null where left open) and ``named_key``, the number said to have been held.

    Of several answers the newest. ``answers``: rows of reference.answers.
    """
    question = f"question = '{settings.control.held_before}' AND answer IS NOT NULL"
    return answers.groupBy("user_id").agg(
        F.expr(f"max_by(answer, asked_on) FILTER (WHERE {question})").alias("held"),
        F.expr("max_by(old_number_key, asked_on) FILTER (WHERE old_number_key IS NOT NULL)").alias("named_key"),
    )


def told(pairs: DataFrame, answers: DataFrame, numbers: DataFrame, settings: ReentrySettings) -> pd.DataFrame:
    """One row per pair of a joiner who answered: user_id, old_user_id, ``held``, ``has_named`` a number, ``is_named``: that of this old user.

    Args:
        pairs: of the final stage: user_id, old_user_id.
        answers: rows of reference.answers.
        numbers: one row per user: user_id, number_key.
        settings: the question's code.
    """
    answered = said(answers, settings).where("held IN ('yes', 'no')")
    old = numbers.select(F.col("user_id").alias("old_user_id"), "number_key")
    rows = pairs.select("user_id", "old_user_id").join(F.broadcast(answered), on="user_id", how="inner")
    rows = rows.join(old, on="old_user_id", how="left").selectExpr(
        "user_id", "old_user_id", "held = 'yes' as held", "held = 'yes' AND named_key IS NOT NULL as has_named",
        "coalesce(held = 'yes' AND named_key = number_key, false) as is_named",
    )  # fmt: skip
    # one row per candidate of those asked in surveys: some thousands
    return rows.toPandas().sort_values(["user_id", "old_user_id"], ignore_index=True)


def confirmed(weights: Weights, match: Array, pairs: pd.DataFrame, answers: pd.DataFrame) -> tuple[Weights, Array]:
    """The weights as answers move them, and the probability of each pair by these and by what its joiner said; as they were where too few did.

    Args:
        weights: learnt without answers.
        match: probability of each pair by them.
        pairs: one row per possible pair of the final stage (learning.told without what is kept), numbered from 0.
        answers: ``told``, of the same pairs.
    """
    asked = pairs[["user_id", "old_user_id"]].merge(answers, on=["user_id", "old_user_id"], how="left")
    heard = np.flatnonzero(asked["held"].notna())
    if not len(heard):
        return weights, match
    place = places(asked["user_id"].iloc[heard])
    held, has_named, is_named = (asked[name].iloc[heard].to_numpy(bool) for name in ("held", "has_named", "is_named"))
    spoke = held[np.unique(place, return_index=True)[1]]
    if spoke.sum() < LEAST_YES or (~spoke).sum() < LEAST_NO:
        return weights, match
    without = float(match.sum())
    design, start, names, scales = _design(pairs, weights)
    users, olds = places(pairs["user_id"]), places(pairs["old_user_id"])
    penalty = np.array([LOOSE, *[TIGHT] * (len(names) - 1)])
    moved = np.zeros(len(names))
    yes, false_yes = (said_yes / (said_yes + no) for said_yes, no in (SAYS_SO, SAYS_SO_THOUGH_NOT))
    for _ in range(ROUNDS):
        before = moved
        odds = odds_of(start + design @ moved)
        match = exclusive_of(odds, users, olds)
        # what other joiners claim of the old user stands against the pair as well
        claimed, chance = (np.bincount(olds, weights=odds)[olds] - odds)[heard], match[heard]
        back = np.bincount(place, weights=chance)[place]
        if_back, if_not = (np.where(held, share, 1 - share) for share in (yes, false_yes))
        right = np.where(has_named, is_named.astype(float), chance * if_back / (back * if_back + (1 - back) * if_not))
        is_back = np.bincount(place, weights=right)
        yes = _share(is_back[spoke].sum(), is_back[~spoke].sum(), SAYS_SO)
        false_yes = _share((1 - is_back)[spoke].sum(), (1 - is_back)[~spoke].sum(), SAYS_SO_THOUGH_NOT)
        moved = _fitted(design[heard], start[heard], claimed, right, place, moved, penalty)
        if np.abs(moved - before).max() < SETTLED:
            break
    score = start + design @ moved
    by_answers = float(exclusive_of(odds_of(score), users, olds).sum())
    trust = NUMBER_ERROR**2 / (NUMBER_ERROR**2 + 1 / spoke.sum())
    shift = _shift(score, without ** (1 - trust) * by_answers**trust, users, olds)
    moved[0] += shift
    match = exclusive_of(odds_of(score + shift), users, olds)
    match[heard] = right
    found = {name: dict(levels) for name, levels in weights.items()}
    for (name, level), by in zip(names, moved / scales, strict=True):
        found[name][level] = round(found[name][level] + float(by), 6)
    return found, match


def _shift(score: Array, number: float, users: Any, olds: Any) -> float:
    """What to add to all log-odds so that the expected number of matches is this one."""
    least, most = -MOST_SHIFT, MOST_SHIFT
    for _ in range(ROUNDS):
        middle = (least + most) / 2
        if exclusive_of(odds_of(score + middle), users, olds).sum() < number:
            least = middle
        else:
            most = middle
    return (least + most) / 2


def _share(yes: float, no: float, beforehand: tuple[float, float]) -> float:
    return float((yes + beforehand[0]) / (yes + no + sum(beforehand)))


def _design(pairs: pd.DataFrame, weights: Weights) -> tuple[Array, Array, list[tuple[str, str]], Array]:
    """The columns of the regression, the log-odds by the weights, which evidence and level each column is, and what it was divided by."""
    slopes = [(name, level) for name, levels in weights.items() if name != INTERCEPT for level in sorted(levels)]
    columns: list[Array] = [np.ones(len(pairs))]
    names, scales = [(INTERCEPT, EACH), *slopes], [1.0]
    for name, level in slopes:
        is_measure = name in MEASURES
        columns.append(np.asarray(pairs[name] if is_measure else pairs[name] == level, dtype=float))
        scales.append(float(columns[-1].std()) or 1.0 if is_measure else 1.0)
    raw = np.stack(columns, axis=1)
    start = raw @ np.array([float(weights[name][level]) for name, level in names])
    return raw / np.array(scales), start, names, np.array(scales)


def _fitted(design: Array, start: Array, claimed: Array, right: Array, place: Any, moved: Array, penalty: Array) -> Array:
    """Newton's steps of the penalised conditional regression from ``moved`` on, with what others claim as it stands."""
    for _ in range(ROUNDS):
        odds = odds_of(start + design @ moved)
        chance = odds / (1 + np.bincount(place, weights=odds)[place] + claimed)
        pull = design.T @ (right - chance) - penalty * moved
        weighted = chance[:, None] * design
        by_joiner = np.zeros((int(place.max()) + 1, design.shape[1]))
        np.add.at(by_joiner, place, weighted)
        bend = weighted.T @ design - by_joiner.T @ by_joiner + np.diag(penalty)
        step = np.linalg.solve(bend, pull)
        moved = moved + step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < SETTLED:
            break
    return moved
