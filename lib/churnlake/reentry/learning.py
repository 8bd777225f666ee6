"""Weights of evidence learnt from pairs whose truth nobody knows.

Fellegi and Sunter's model fitted by expectation and maximisation (Winkler 1988): measures as normal in both classes with one
covariance, so that each adds to the log-odds by the unit (linear discriminant), and the other comparisons independent. In the
expectation a joiner's candidates and an old user's joiners exclude each other, as in odds.with_probability: without that, a city
of families and friends looks full of people who came back. Then logistic regressions on what was found, in which the pairs of old
numbers that are used on as before stand beside as what is known to be no match: how like each other the circles of two people are.
The first of them take what exclusion left of a pair for what its evidence is worth; the last ones ask a pair only as far as neither of the
two is taken by another, so that the third number of a person, which looks like its first, does not speak against everything they share.
Where joiners were asked, what they said moves these weights (confirming). What early stages say is worth what it tells of the final one:
their weights are a regression of its probabilities.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from churnlake.reentry import confirming
from churnlake.reentry.exclusion import exclusive, exclusive_of, odds_of, open_share, places
from churnlake.reentry.odds import EACH, INTERCEPT, MEASURES, Weights, comparisons, log_odds
from churnlake.reentry.settings import ReentrySettings

ROUNDS, SETTLED = 300, 1e-5
REGRESSIONS, OPEN_REGRESSIONS = 2, 2
"""Of the final stage: of all pairs, then of pairs as far as they are open. They mend what normal measures get wrong; many would believe more and
more of what they said themselves."""
RIDGE = 0.02
"""Added to the variance of standardised measures: two that say the same do not cancel out."""
ONE = 1.0
"""Pairs of each outcome that both classes are taken to have beforehand (Laplace)."""
HELD = 0.005
"""The regressions' penalty, as a share of the matches found (at least ONE): a regression of what was found by the same evidence believes too much
of it, the gap above all, however many pairs there are."""
LEAST_MATCHES = 10
SEED = 2005
LEAST_NONE = 0.01
"""Share of joiners who are nobody's successor, at least."""
KEPT_TELLS_NOT = ("still_met",)
"""Measures that an old number used on as before has by being used."""
GIVEN = ("talk", "handset", "model", "forward", "dealer", "new_elsewhere", "old_elsewhere")
"""What keeps the weights of the setting. Two friends who share friends look like a match, are in touch, and would teach that being
in touch makes a match; so would friends who came from another network. What a handset tells is known beforehand, and holds what is learnt of
circles to the truth. Who goes back to one dealer does so more than once: the numbers of such a chain are alike, and all but neighbours no match."""
FINAL_GIVEN = (*GIVEN, "level")
"""The same at the final stage: lookalikes whose old number is used less for other reasons would teach that this tells little. What early days
tell of it is learnt from the final stage."""
LEARNT = tuple(name for name in MEASURES if name not in GIVEN)
"""Measures whose weights are learnt."""
Array = npt.NDArray[np.float64]


def weights(
    pairs: DataFrame,
    months: Sequence[dt.date],
    settings: ReentrySettings,
    answers: DataFrame | None = None,
    numbers: DataFrame | None = None,
) -> list[dict[str, Any]]:
    """Rows of reentry.weights of these months, each learnt from the joiners whose final stage came in it or the ``learnt_months`` - 1 before.

    ``answers`` (rows of reference.answers) and ``numbers`` (one row per user: user_id, number_key): what joiners said, where they were asked.
    """
    found = []
    for month in months:
        by_then = pairs.where(F.col("known_on") <= F.last_day(F.lit(month)))
        done = by_then.where((F.col("known_on") >= since(month, settings)) & (F.col("stage_days") == max(settings.stages)))
        said = None
        if answers is not None and numbers is not None:
            heard = answers.where(F.col("delivered_on") <= F.last_day(F.lit(month)))
            said = confirming.told(done.where("kind <> 'kept'"), heard, numbers, settings)
        for stage, (learnt, joiners) in learn(sample(by_then, done, said, settings), settings, said).items():
            about = {"month": month, "stage_days": stage, "joiners": joiners}
            found += [
                {**about, "evidence": evidence, "level": level, "weight": weight}
                for evidence, levels in learnt.items()
                for level, weight in levels.items()
            ]
    return found


def since(month: dt.date, settings: ReentrySettings) -> Column:
    """First day of the months whose joiners this month's weights are learnt from."""
    return F.add_months(F.lit(month), 1 - settings.learnt_months)


def sample(pairs: DataFrame, done: DataFrame, said: pd.DataFrame | None, settings: ReentrySettings) -> pd.DataFrame:
    """One row per pair, of every stage, of at most ``learnt_joiners_most`` joiners ``is_drawn`` and of all who answered: what ``learn`` needs of it.

    Joiners of the pairs ``done`` are taken by the smallest of their pseudonyms' hashes: the same whatever the order of rows.
    """
    drawn = done.select("user_id").distinct().orderBy(F.xxhash64("user_id"), "user_id").limit(settings.learnt_joiners_most)
    chosen = drawn.withColumn("is_drawn", F.lit(True))
    if said is not None and len(said):
        asked = pairs.sparkSession.createDataFrame([(int(user),) for user in said["user_id"].unique()], "user_id long")
        chosen = chosen.join(asked, on="user_id", how="full_outer").na.fill(False, subset=["is_drawn"])
    return told(pairs.join(chosen, on="user_id", how="inner"), settings)


def told(pairs: DataFrame, settings: ReentrySettings) -> pd.DataFrame:
    """One row per pair: what ``learn`` needs of it. Without ``is_drawn`` every joiner is."""
    measures = [F.expr(sql).alias(name) for name, sql in MEASURES.items()]
    levels = [F.expr(sql).alias(name) for name, sql in comparisons(settings).items()]
    start = F.expr(log_odds(settings.start, settings)).alias("start")
    # one row per pair of a bounded number of joiners
    drawn = F.col("is_drawn") if "is_drawn" in pairs.columns else F.lit(True).alias("is_drawn")
    rows = pairs.select("user_id", "stage_days", "old_user_id", "kind", drawn, *measures, *levels, start).toPandas()
    return rows.sort_values(["user_id", "stage_days", "old_user_id"], ignore_index=True)


def learn(pairs: pd.DataFrame, settings: ReentrySettings, said: pd.DataFrame | None = None) -> dict[int, tuple[Weights, int]]:
    """By stage, the weights and how many joiners they were learnt from: 0 where there is too little to learn from.

    ``pairs`` as ``told`` gives them, ``said`` as confirming.told; stages without pairs are left out. Begins with the odds by the weights
    of ``start``.
    """
    stages = sorted(pairs["stage_days"].unique())
    final = pairs[pairs["stage_days"] == max(settings.stages)]
    drawn = final[final["is_drawn"]]
    joiners = int(drawn["user_id"].nunique())
    none: dict[int, tuple[Weights, int]] = {int(stage): (settings.start, 0) for stage in stages}
    if joiners < settings.learnt_joiners:
        return none
    learnt = _learnt(drawn, settings)
    if learnt is None:
        return none
    possible = final[final["kind"] != "kept"].reset_index(drop=True)
    match = exclusive(score_of(possible, learnt), possible["user_id"], possible["old_user_id"])
    if said is not None:
        learnt, match = confirming.confirmed(learnt, match, possible, said)
    given = {name: learnt[name] for name in GIVEN if name in learnt}
    then_given = settings.model_copy(update={"start": {**settings.start, **given}})
    settled = possible[["user_id", "old_user_id"]].assign(match=match)
    found = {max(settings.stages): (learnt, joiners)}
    for stage in stages[:-1]:
        then = pairs[(pairs["stage_days"] == stage) & pairs["is_drawn"]].merge(settled, on=["user_id", "old_user_id"], how="left")
        found[int(stage)] = (_regression(then, then["match"].fillna(0).to_numpy(float), then_given, GIVEN, of_open=True), joiners)
    return found


def _learnt(final: pd.DataFrame, settings: ReentrySettings) -> Weights | None:
    """Weights of the final stage from its pairs alone; None where no class of matches stands out."""
    pairs = final[final["kind"] != "kept"]
    given = _given(pairs, settings, FINAL_GIVEN)
    measures, _, _ = _standardised(pairs)
    coded = [pd.factorize(pairs[name], sort=True) for name in _learnable(settings, FINAL_GIVEN)]
    users, old_users = places(pairs["user_id"]), places(pairs["old_user_id"])
    joiners = final["user_id"].nunique()
    match = exclusive_of(odds_of(pairs["start"].to_numpy(float)), users, old_users)
    for _ in range(ROUNDS):
        if match.sum() < LEAST_MATCHES:
            return None
        slopes, constant = _discriminant(measures, match)
        score = constant + measures @ slopes + _prior(match, joiners) + given
        for codes, levels in coded:
            score = score + _log_ratios(codes, len(levels), match)[codes]
        before, match = match, exclusive_of(odds_of(score), users, old_users)
        if np.abs(match - before).max() < SETTLED:
            break
    if slopes[LEARNT.index("circle_score")] <= 0:  # the two classes are not what they are to be
        return None
    known = (final["kind"] != "kept").to_numpy()
    for turn in range(REGRESSIONS + OPEN_REGRESSIONS):
        labels = np.zeros(len(final))
        labels[known] = match
        learnt = _regression(final, labels, settings, FINAL_GIVEN, of_open=turn >= REGRESSIONS)
        match = exclusive_of(odds_of(score_of(pairs, learnt)), users, old_users)
    return learnt


def score_of(pairs: pd.DataFrame, learnt: Weights) -> Array:
    """Log-odds of pairs (``told``) by the weights."""
    score = np.full(len(pairs), float(learnt[INTERCEPT][EACH]))
    for name, levels in learnt.items():
        if name in MEASURES:
            score += pairs[name].to_numpy(float) * levels[EACH]
        elif name != INTERCEPT:
            score += pairs[name].map(levels).fillna(0.0).to_numpy(float)
    return score


def _prior(match: Array, joiners: int) -> float:
    """Log-odds of a pair beforehand: of a joiner's candidates one is the old user or none, so a pair stands against none."""
    return float(np.log(match.mean() / max(1 - match.sum() / joiners, LEAST_NONE)))


def _regression(pairs: pd.DataFrame, match: Array, settings: ReentrySettings, given: Sequence[str], *, of_open: bool) -> Weights:
    """Weights of a logistic regression of these probabilities, beside what is ``given``; of old numbers that are kept only what that does not tell is used.

    All kept pairs together weigh as much as the others. ``of_open``: a pair weighs as much as it is open (exclusion.open_share), and is asked
    whether it is a match beside nobody.
    """
    kept = (pairs["kind"] == "kept").to_numpy()
    _, middle, scale = _standardised(pairs[~kept])
    whole = (pairs[list(LEARNT)].to_numpy(float) - middle) / scale
    columns, levels_of = [whole], {}
    for name in _learnable(settings, given):
        levels = levels_of[name] = sorted(pairs.loc[~kept, name].unique())
        columns.append((pairs[name].to_numpy()[:, None] == np.array(levels, dtype=object)[None, :]).astype(float))
    design = np.concatenate(columns, axis=1)
    masked = [*(LEARNT.index(name) for name in KEPT_TELLS_NOT), *range(len(LEARNT), design.shape[1])]
    asked = pairs[~kept]
    share = open_share(match[~kept], places(asked["user_id"]), places(asked["old_user_id"])) if of_open else np.ones(len(asked))
    none = share - match[~kept]
    # what a kept number does not tell is taken from others that are no match
    drawn = np.random.default_rng(SEED).choice(len(asked), size=int(kept.sum()), p=none / none.sum())
    design[np.ix_(kept, masked)] = design[~kept][drawn][:, masked]
    worth, label = np.full(len(pairs), share.sum() / max(kept.sum(), 1)), match.copy()
    worth[~kept], label[~kept] = share, match[~kept] / share
    penalty = max(ONE, HELD * float(match[~kept].sum()))
    constant, slopes = _logistic(design, label, worth, np.where(kept, 0.0, _given(pairs, settings, given)), penalty)
    # from the chance among these pairs and the kept ones to that beside nobody
    constant += float(np.log((none.sum() + worth[kept].sum()) / none.sum()))
    if not of_open:
        matches = match[~kept]
        constant += float(np.log((1 - matches.mean()) / max(1 - matches.sum() / pairs["user_id"].nunique(), LEAST_NONE)))
    by_measure = slopes[: len(LEARNT)] / scale
    learnt: dict[str, dict[str, float]] = {INTERCEPT: {EACH: _rounded(constant - float(by_measure @ middle))}}
    learnt |= {name: {EACH: _rounded(slope)} for name, slope in zip(LEARNT, by_measure, strict=True)}
    learnt |= {name: dict(settings.start[name]) for name in given if name in settings.start}
    place = len(LEARNT)
    for name, levels in levels_of.items():
        learnt[name] = {str(level): _rounded(slopes[place + at]) for at, level in enumerate(levels)}
        place += len(levels)
    return learnt


def _learnable(settings: ReentrySettings, given: Sequence[str]) -> list[str]:
    return [name for name in comparisons(settings) if name not in given]


def _standardised(pairs: pd.DataFrame) -> tuple[Array, Array, Array]:
    """The measures with mean 0 and variance 1, and their means and deviations; 1 where a measure is the same everywhere."""
    raw = pairs[list(LEARNT)].to_numpy(float)
    middle, spread = raw.mean(axis=0), raw.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    return (raw - middle) / scale, middle, scale


def _given(pairs: pd.DataFrame, settings: ReentrySettings, given: Sequence[str]) -> Array:
    """What of each pair's log-odds is not learnt."""
    found = np.zeros(len(pairs))
    for name in given:
        levels = settings.start.get(name, {})
        if name in MEASURES:
            found += pairs[name].to_numpy(float) * levels.get(EACH, 0.0)
        else:
            found += pairs[name].map(levels).fillna(0.0).to_numpy(float)
    return found


def _logistic(design: Array, match: Array, worth: Array, given: Array, penalty: float) -> tuple[float, Array]:
    """Constant and slopes of the logistic regression of probabilities beside what is given of the log-odds.

    Slopes are kept small by the penalty on half their squares (Newton's method).
    """
    whole = np.concatenate([np.ones((len(design), 1)), design], axis=1)
    penalties = np.diag([1e-9, *([penalty] * design.shape[1])])
    slopes = np.zeros(whole.shape[1])
    for _ in range(ROUNDS):
        chance = 1 / (1 + np.exp(-np.clip(whole @ slopes + given, -30, 30)))
        pull = whole.T @ (worth * (match - chance)) - penalties @ slopes
        bend = (whole * (worth * chance * (1 - chance))[:, None]).T @ whole + penalties
        step = np.linalg.solve(bend, pull)
        slopes = slopes + step / max(1.0, float(np.abs(step).max()) / 2)  # no leap from where the curve is flat
        if np.abs(step).max() < SETTLED:
            break
    return float(slopes[0]), slopes[1:]


def _discriminant(measures: Array, match: Array) -> tuple[Array, float]:
    """Slopes and constant of the log ratio of two normal classes of one covariance."""
    other = 1 - match
    mean, mean_other = match @ measures / match.sum(), other @ measures / other.sum()
    apart, apart_other = measures - mean, measures - mean_other
    spread = ((match[:, None] * apart).T @ apart + (other[:, None] * apart_other).T @ apart_other) / len(measures)
    slopes: Array = np.linalg.solve(spread + RIDGE * np.eye(len(spread)), mean - mean_other)
    return slopes, float(-slopes @ (mean + mean_other) / 2)


def _log_ratios(codes: Any, levels: int, match: Array) -> Array:
    """By level, the log ratio of its frequency among matches over that among the others."""
    found, others = (np.bincount(codes, weights=weights, minlength=levels) + ONE for weights in (match, 1 - match))
    ratios: Array = np.log(found / found.sum()) - np.log(others / others.sum())
    return ratios


def _rounded(weight: float) -> float:
    return round(float(weight), 6)
