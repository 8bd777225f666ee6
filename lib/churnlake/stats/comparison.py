"""Two rankings of the same users: which finds more of the positives, and whether that is more than chance.

Spark sums up any number of users to pairs of steps (``joint``); resampling them is done on the driver.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

STEPS = 200
"""Steps of a ranking, the narrower the nearer to its top: the first holds one row in STEPS squared."""
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """By how much one ranking's average precision is above another's: as seen, and the bounds of an interval that chance leaves."""

    one: float
    other: float
    least: float
    most: float

    @property
    def difference(self) -> float:
        """Of the areas as seen."""
        return self.one - self.other

    @property
    def is_better(self) -> bool:
        """Whether the whole interval lies above nothing."""
        return self.least > 0


def joint(scored: DataFrame, one: str, other: str, label: str, steps: int = STEPS) -> DataFrame:
    """One row per pair of steps of two rankings that holds users: one, other (0 the highest), rows, positives. At most ``steps`` squared.

    Args:
        scored: one row per user.
        one: the score of the one ranking, highest first.
        other: the score of the other.
        label: 1 for a positive, else 0.
        steps: steps of each ranking; rows of one score are never parted.
    """
    found = scored
    for score, step in ((one, "at_one"), (other, "at_other")):
        found = found.join(_steps(scored, score, steps, step), on=score, how="inner")
    return found.groupBy(F.col("at_one").alias("one"), F.col("at_other").alias("other")).agg(
        F.count("*").alias("rows"), F.sum(F.col(label).cast("bigint")).alias("positives")
    )


def _steps(scored: DataFrame, score: str, steps: int, name: str) -> DataFrame:
    """One row per distinct score: its step."""
    whole = Window.partitionBy(F.lit(1))
    down = whole.orderBy(F.desc(score)).rowsBetween(Window.unboundedPreceding, Window.currentRow)
    alike = scored.groupBy(score).agg(F.count("*").alias("here"))
    placed = alike.select(score, ((F.sum("here").over(down) - F.col("here") / 2) / F.sum("here").over(whole)).alias("share"))
    # a third of the leavers are among the first few in a hundred: there it must be fine
    return placed.select(score, F.floor(F.sqrt("share") * steps).cast("int").alias(name))


def compare(cells: Iterable[Any], resamples: int, level: float, seed: int) -> Comparison:
    """The two average precisions, and the interval of their difference over resamples of the users, each taken along for both.

    Each user is drawn as often as a Poisson variable of mean 1 says (the bootstrap without a fixed number, Chamandy et al. 2012); of the
    users of one cell together that is a Poisson variable of their number. Tails of half of 1 - ``level`` are cut off at each side.

    Args:
        cells: rows of ``joint``.
        resamples: how many.
        level: of the interval.
        seed: of the draws.
    """
    found = sorted((int(c["one"]), int(c["other"]), int(c["rows"]), int(c["positives"])) for c in cells)
    if not found:
        return Comparison(0.0, 0.0, 0.0, 0.0)
    one, other, rows, positives = (np.array(column) for column in zip(*found, strict=True))
    seen = [_average_precision(at, positives, rows - positives) for at in (one, other)]
    draw = np.random.default_rng(seed)
    apart = np.empty(resamples)
    for turn in range(resamples):
        found_now, others_now = draw.poisson(positives), draw.poisson(rows - positives)
        apart[turn] = _average_precision(one, found_now, others_now) - _average_precision(other, found_now, others_now)
    least, most = np.quantile(apart, [(1 - level) / 2, (1 + level) / 2])
    return Comparison(seen[0], seen[1], float(least), float(most))


def _average_precision(at: npt.NDArray[np.int64], positives: npt.NDArray[Any], negatives: npt.NDArray[Any]) -> float:
    right = np.bincount(at, weights=positives)
    named = right + np.bincount(at, weights=negatives)
    total = right.sum()
    if not total:
        return 0.0
    return float((right * right.cumsum() / np.maximum(named.cumsum(), 1)).sum() / total)
