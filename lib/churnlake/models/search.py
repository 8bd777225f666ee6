"""Try every candidate on what it was not taught with, and choose."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from typing import TypeVar

from pyspark import inheritable_thread_target
from pyspark.ml import PipelineModel
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from churnlake.core.tracking import Trial
from churnlake.models.learners import LABEL, Candidate
from churnlake.models.log_odds import MARGIN
from churnlake.stats.gains import Gains, points

A = TypeVar("A")
B = TypeVar("B")


@dataclass(frozen=True)
class Fold:
    """Rows to teach with and rows to ask, told apart by two conditions that never hold at once."""

    name: str
    taught: Column
    asked: Column


@dataclass(frozen=True)
class Tried:
    """One candidate on one fold: what it was fitted to, how it ranked what it had not seen, and how long the fit took."""

    candidate: Candidate
    fold: Fold
    model: PipelineModel
    gains: Gains
    seconds: float

    def told(self) -> Trial:
        """As a child run of the training keeps it."""
        params = {
            "learner": self.candidate.learner,
            "fold": self.fold.name,
            **{n: f"{v:g}" for n, v in self.candidate.told().items()},
        }
        known = {"pr_auc": self.gains.average_precision(), "roc_auc": self.gains.roc_auc(), "seconds": self.seconds}
        return Trial(f"{self.candidate} {self.fold.name}", params, {n: v for n, v in known.items() if v is not None})


def tried(
    ready: DataFrame, folds: Sequence[Fold], candidates: Sequence[Candidate], finalists: int | None = None, at_once: int = 1
) -> list[Tried]:
    """Candidates fitted and asked: all of them on the newest fold, the last; on those before it only the ``finalists`` that did best there.

    A race (Maron and Moore 1994): what falls behind by far where it counts most is not worth a fit more.

    Args:
        ready: prepared rows: features, label, and what the folds tell rows apart by.
        folds: what to teach and what to ask, oldest first.
        candidates: what to fit.
        finalists: how many go on from the newest fold to the others; None for all.
        at_once: fits side by side: while one waits for its small jobs to be planned, another has the cores.
    """
    found: list[Tried] = []
    left = list(candidates)
    for fold in reversed(folds):
        found += _on(ready, fold, left, at_once)
        if finalists is not None and len(left) == len(candidates):
            place = {candidate: (-round(merit(found, candidate), 4), at) for at, candidate in enumerate(candidates)}
            left = sorted(sorted(candidates, key=lambda candidate: place[candidate])[:finalists], key=list(candidates).index)
    return found


def _on(ready: DataFrame, fold: Fold, candidates: Sequence[Candidate], at_once: int) -> list[Tried]:
    """Every candidate fitted and asked on one fold, in that order."""

    def fit(candidate: Candidate) -> tuple[Candidate, PipelineModel, float]:
        began = time.monotonic()
        return candidate, candidate.fit(rows), time.monotonic() - began

    rows = ready.where(fold.taught).persist()
    try:
        fitted = side_by_side(ready, fit, candidates, at_once)
    finally:
        rows.unpersist()
    asked = ready.where(fold.asked)
    scored = [margins(model, asked).withColumn("by", F.lit(at)) for at, (_, model, _) in enumerate(fitted)]
    steps = points(reduce(DataFrame.unionByName, scored), "score", LABEL, "by").collect()
    return [
        Tried(candidate, fold, model, Gains.of(row for row in steps if row["by"] == at), seconds)
        for at, (candidate, model, seconds) in enumerate(fitted)
    ]


def side_by_side(frame: DataFrame, work: Callable[[A], B], asked: Sequence[A], at_once: int) -> list[B]:
    """What the work makes of each thing asked, in their order, so many at once; in threads of the frame's session."""
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(inheritable_thread_target(frame.sparkSession)(work), asked))


def margins(model: PipelineModel, asked: DataFrame) -> DataFrame:
    """One row per row asked: ``score``, the fitted learner's probability before calibration, and the label. To nine places."""
    from pyspark.ml.functions import vector_to_array

    odds = vector_to_array(F.col(MARGIN))[0]
    return model.transform(asked).select(F.round(1 / (1 + F.exp(-odds)), 9).alias("score"), LABEL)


def merit(found: Sequence[Tried], candidate: Candidate) -> float:
    """Mean area under precision and recall of a candidate over its folds; 0 where no fold had a positive."""
    areas = [one.gains.average_precision() for one in found if one.candidate == candidate]
    known = [area for area in areas if area is not None]
    return sum(known) / len(known) if known else 0.0


def best(found: Sequence[Tried], candidates: Sequence[Candidate]) -> list[Candidate]:
    """Of each learner the candidate with the greatest merit, the learner with the greatest first; who was asked on more folds goes before.

    On equal merit (four places) what stands first in ``candidates``, the simpler, is preferred.
    """
    asked = {candidate: sum(one.candidate == candidate for one in found) for candidate in candidates}
    order = {candidate: (-asked[candidate], -round(merit(found, candidate), 4), at) for at, candidate in enumerate(candidates)}
    ranked = sorted(candidates, key=lambda candidate: order[candidate])
    first: dict[str, Candidate] = {}
    for candidate in ranked:
        first.setdefault(candidate.learner, candidate)
    return list(first.values())
