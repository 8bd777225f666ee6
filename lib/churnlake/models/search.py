"""Try every candidate on what it was not taught with, and choose."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from pyspark import inheritable_thread_target
from pyspark.ml import PipelineModel
from pyspark.ml.functions import vector_to_array
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from churnlake.core.tracking import Trial
from churnlake.models.learners import LABEL, Candidate, answers
from churnlake.models.log_odds import MARGIN
from churnlake.stats.gains import BEYOND_CHANCE, Gains, points

A = TypeVar("A")
B = TypeVar("B")
Checkpoint = Callable[[DataFrame], DataFrame]


@dataclass(frozen=True)
class Fold:
    """Rows to teach with and rows to ask, told apart by two conditions that never hold at once."""

    name: str
    taught: Column
    asked: Column


@dataclass(frozen=True)
class Tried:
    """One candidate on one fold: what it was fitted to, what it said of rows it had not seen, how it ranked them, and how long the fit took.

    ``held_out``: one row per row asked: MARGIN, label.
    """

    candidate: Candidate
    fold: Fold
    model: PipelineModel
    held_out: DataFrame
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
    ready: DataFrame,
    folds: Sequence[Fold],
    candidates: Sequence[Candidate],
    checkpoint: Checkpoint,
    finalists: int | None = None,
    at_once: int = 1,
) -> list[Tried]:
    """Candidates fitted and asked: all of them on the newest fold, the last; on those before it only the ``finalists`` that did best there.

    A race (Maron and Moore 1994): what falls behind by far where it counts most is not worth a fit more.

    Args:
        ready: prepared rows, materialised: features, label, and what the folds tell rows apart by.
        folds: what to teach and what to ask, oldest first.
        candidates: what to fit.
        checkpoint: materialises a frame and cuts its lineage.
        finalists: how many go on from the newest fold to the others; None for all.
        at_once: fits side by side: while one waits for its small jobs to be planned, another has the cores.
    """
    found: list[Tried] = []
    left = list(candidates)
    for fold in reversed(folds):
        found += _on(ready, fold, left, checkpoint, at_once)
        if finalists is not None and len(left) == len(candidates):
            place = _places(found, candidates)
            left = sorted(sorted(candidates, key=lambda candidate: place[candidate])[:finalists], key=list(candidates).index)
    return found


def _on(ready: DataFrame, fold: Fold, candidates: Sequence[Candidate], checkpoint: Checkpoint, at_once: int) -> list[Tried]:
    """Every candidate fitted and asked on one fold, in that order."""

    def fit(candidate: Candidate) -> tuple[PipelineModel, float]:
        began = time.monotonic()
        return candidate.fit(rows), time.monotonic() - began

    rows = ready.where(fold.taught)
    fitted = side_by_side(ready, fit, candidates, at_once)
    models = [model for model, _ in fitted]
    asked = checkpoint(answers(models, ready.where(fold.asked), F.col(MARGIN)))
    ranked = rankings(asked, [_score(F.col(f"answer_{at}")) for at in range(len(models))])
    return [
        Tried(candidate, fold, model, asked.select(F.col(f"answer_{at}").alias(MARGIN), LABEL), gains, seconds)
        for at, (candidate, (model, seconds), gains) in enumerate(zip(candidates, fitted, ranked, strict=True))
    ]


def side_by_side(frame: DataFrame, work: Callable[[A], B], asked: Sequence[A], at_once: int) -> list[B]:
    """What the work makes of each thing asked, in their order, so many at once; in threads of the frame's session."""
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(inheritable_thread_target(frame.sparkSession)(work), asked))


def margins(model: PipelineModel, asked: DataFrame) -> DataFrame:
    """One row per row asked: ``score``, the fitted learner's probability before calibration, and the label. To nine places."""
    return model.transform(asked).select(_score(F.col(MARGIN)).alias("score"), LABEL)


def _score(margin: Column) -> Column:
    return F.round(1 / (1 + F.exp(-vector_to_array(margin)[0])), 9)


def rankings(asked: DataFrame, scores: Sequence[Column]) -> list[Gains]:
    """How each of the scores ranks the same labelled rows, in their order."""
    each = asked.select(LABEL, F.posexplode(F.array(*scores)).alias("by", "score"))
    steps = points(each, "score", LABEL, "by").collect()
    return [Gains.of(row for row in steps if row["by"] == at) for at in range(len(scores))]


def merit(found: Sequence[Tried], candidate: Candidate) -> float:
    """Mean area under precision and recall of a candidate over its folds; 0 where no fold had a positive."""
    areas = [one.gains.average_precision() for one in found if one.candidate == candidate]
    known = [area for area in areas if area is not None]
    return sum(known) / len(known) if known else 0.0


def beats_chance(found: Sequence[Tried], candidate: Candidate) -> bool:
    """Whether a candidate ranks better than chance, all its folds together (Stouffer's sum of standard errors)."""
    above = [one.gains.above_chance() for one in found if one.candidate == candidate]
    return bool(above) and sum(above) / math.sqrt(len(above)) > BEYOND_CHANCE


def _places(found: Sequence[Tried], candidates: Sequence[Candidate]) -> dict[Candidate, tuple[bool, float, int]]:
    """What candidates are ordered by: whether they beat chance, their merit, and as they were given."""
    return {
        candidate: (not beats_chance(found, candidate), -round(merit(found, candidate), 4), at)
        for at, candidate in enumerate(candidates)
    }


def best(found: Sequence[Tried], candidates: Sequence[Candidate]) -> list[Candidate]:
    """Of each learner the candidate with the greatest merit, the learner with the greatest first; who was asked on more folds goes before.

    Who ranks no better than chance comes last: of few positives one found first makes a great area under precision and recall.
    On equal merit (four places) what stands first in ``candidates``, the simpler, is preferred.
    """
    asked = {candidate: sum(one.candidate == candidate for one in found) for candidate in candidates}
    place = _places(found, candidates)
    ranked = sorted(candidates, key=lambda candidate: (-asked[candidate], place[candidate]))
    first: dict[str, Candidate] = {}
    for candidate in ranked:
        first.setdefault(candidate.learner, candidate)
    return list(first.values())
