"""A ranking as a curve of fixed size, and what is read from it: precision and lift at the top, calibration, profit.

Spark sums up a ranking of any length to steps (``points``); what is said of them is reckoned on the driver.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from scipy.special import betainc

STEPS = 2000
"""Steps of a curve; a ranking with fewer distinct scores is kept as it is."""
GROUPS = 10
"""Groups of equal size that calibration is told by."""
BEYOND_CHANCE = 1.645
"""Standard errors above chance: of twenty rankings that know nothing one gets so far."""
LEAST, ROUNDS = 1e-6, 50
Array = npt.NDArray[np.float64]


def points(scored: DataFrame, score: str, label: str, by: str, value: str | None = None, steps: int = STEPS) -> DataFrame:
    """One row per value of ``by`` (a learner, a month) and step of its ranking, highest score first.

    Rows of one score are never parted. Columns: ``by``, step, rows, positives, score (their mean), and ``value``, that of the positives
    in sum (1 each where no column is named).

    Args:
        scored: one row per judged thing.
        score: the column to rank by, highest first.
        label: 1 for a positive, else 0.
        by: the column that tells rankings apart.
        value: what a positive is worth, in yuan.
        steps: steps at most.
    """
    worth = F.lit(1.0) if value is None else F.col(value).cast("double")
    whole = Window.partitionBy(by)
    down = whole.orderBy(F.desc(score)).rowsBetween(Window.unboundedPreceding, Window.currentRow)
    alike = scored.groupBy(by, score).agg(
        F.count("*").alias("here"),
        F.sum(F.col(label).cast("bigint")).alias("found"),
        F.sum(F.col(label) * worth).alias("worth"),
    )
    placed = alike.select(
        "*", (F.sum("here").over(down) - F.col("here") / 2).alias("middle"), F.sum("here").over(whole).alias("all")
    )
    fine = F.count("*").over(whole) <= steps
    step = F.when(fine, F.row_number().over(whole.orderBy(F.desc(score)))).otherwise(
        F.floor(F.col("middle") / F.col("all") * steps)
    )
    return placed.withColumn("step", step.cast("int")).groupBy(by, "step").agg(
        F.sum("here").alias("rows"), F.sum("found").alias("positives"),
        (F.sum(F.col(score) * F.col("here")) / F.sum("here")).alias("score"), F.sum("worth").alias("value"),
    )  # fmt: skip


def above_chance(area: float, positives: float, negatives: float) -> float:
    """By how many standard errors of chance an area under ROC of so many positives and negatives lies above a half."""
    return (area - 0.5) / math.sqrt((positives + negatives + 1) / (12 * positives * negatives))


@dataclass(frozen=True)
class Gains:
    """A ranking: by step, highest score first, how many rows and positives, their mean score, and what the positives are worth."""

    rows: Array
    positives: Array
    score: Array
    value: Array

    @classmethod
    def of(cls, found: Iterable[Any]) -> Gains:
        """From rows of ``points`` of one ranking, in any order."""
        ordered = sorted(found, key=lambda row: row["step"])
        return cls(*(np.array([float(row[name]) for row in ordered]) for name in ("rows", "positives", "score", "value")))

    @classmethod
    def ranked(cls, score: Array, positive: npt.NDArray[Any]) -> Gains:
        """From scores that are here, of each whether it is a positive: a step for each value, a positive worth 1."""
        falling, step = np.unique(-score, return_inverse=True)
        rows, found = (np.bincount(step, weights=of).astype(np.float64) for of in (None, positive))
        return cls(rows, found, -falling, found)

    @property
    def base_rate(self) -> float | None:
        """Share of positives."""
        return float(self.positives.sum() / self.rows.sum()) if self.rows.sum() else None

    def average_precision(self) -> float | None:
        """Area under precision and recall by steps, as scikit-learn's."""
        if not self.positives.sum():
            return None
        return float((self.positives * self.positives.cumsum() / self.rows.cumsum()).sum() / self.positives.sum())

    def roc_auc(self) -> float | None:
        """Share of pairs of a positive and a negative that are in the right order; a tie is half right."""
        negatives = self.rows - self.positives
        if not self.positives.sum() or not negatives.sum():
            return None
        above = self.positives.cumsum() - self.positives / 2
        return float((negatives * above).sum() / self.positives.sum() / negatives.sum())

    def above_chance(self) -> float:
        """By how many standard errors of chance the area under ROC lies above a half (Mann and Whitney 1947); 0 where there is none."""
        area, positives = self.roc_auc(), float(self.positives.sum())
        return 0.0 if area is None else above_chance(area, positives, float(self.rows.sum()) - positives)

    def found(self, share: float) -> float:
        """Positives expected among the top share of the rows; of a step that is cut, its part."""
        end = self.rows.cumsum()
        inside = np.clip((share * self.rows.sum() - (end - self.rows)) / np.maximum(self.rows, 1), 0, 1)
        return float((self.positives * inside).sum())

    def precision(self, share: float) -> float | None:
        """Share of positives in the top share."""
        asked = share * float(self.rows.sum())
        return self.found(share) / asked if asked else None

    def lift(self, share: float) -> float | None:
        """Precision of the top share over the base rate."""
        precision, base_rate = self.precision(share), self.base_rate
        return precision / base_rate if precision is not None and base_rate else None

    def f1(self, least: float) -> float | None:
        """Harmonic mean of precision and recall where every row of that score or more is taken for a positive."""
        taken = self.score >= least
        right, total = self.positives[taken].sum(), self.positives.sum() + self.rows[taken].sum()
        return float(2 * right / total) if total else None

    def curve(self, parts: int = 100) -> list[tuple[float, float]]:
        """Share of the rows and share of the positives found in it, in equal parts."""
        total = max(float(self.positives.sum()), 1.0)
        return [(part / parts, self.found(part / parts) / total) for part in range(parts + 1)]

    def precision_recall(self) -> tuple[list[float], list[float]]:
        """Recall and precision after each step."""
        right = self.positives.cumsum()
        return (right / max(float(self.positives.sum()), 1.0)).tolist(), (right / np.maximum(self.rows.cumsum(), 1)).tolist()

    def calibration(self, groups: int = GROUPS) -> tuple[list[float], list[float]]:
        """Mean score and share of positives of each group of equal size that has rows, lowest score first."""
        rows, told, seen = self._grouped(groups)
        there = rows > 0
        return (told[there] / rows[there])[::-1].tolist(), (seen[there] / rows[there])[::-1].tolist()

    def calibration_error(self, groups: int = GROUPS) -> float | None:
        """Mean distance of score from frequency over groups of equal size, by rows: the scores taken as probabilities.

        Where few are positive, groups of equal width (Guo et al. 2017) would be one group: these are of equal size (Nixon et al. 2019).
        """
        if not self.rows.sum():
            return None
        rows, told, seen = self._grouped(groups)
        return float(np.abs(told - seen).sum() / rows.sum())

    def _grouped(self, groups: int) -> tuple[Array, Array, Array]:
        """Rows, sum of scores and positives of each group of equal size, by rows."""
        middle = (self.rows.cumsum() - self.rows / 2) / max(float(self.rows.sum()), 1.0)
        group = np.minimum((middle * groups).astype(int), groups - 1)
        parts = (self.rows, self.rows * self.score, self.positives)
        rows, told, seen = (np.bincount(group, weights=x, minlength=groups).astype(np.float64) for x in parts)
        return rows, told, seen

    def calibration_slope(self) -> float | None:
        """Slope of a logistic regression of the outcome on the log-odds of the score (Cox 1958): 1 where true, below 1 where too extreme."""
        if not 0 < self.positives.sum() < self.rows.sum():
            return None
        odds = np.clip(self.score, LEAST, 1 - LEAST)
        x = np.log(odds / (1 - odds))
        if np.ptp(x) == 0:
            return None
        design = np.stack([np.ones_like(x), x], axis=1)
        found = np.array([0.0, 1.0])
        for _ in range(ROUNDS):
            chance = 1 / (1 + np.exp(-np.clip(design @ found, -30, 30)))
            pull = design.T @ (self.positives - self.rows * chance)
            bend = (design * (self.rows * chance * (1 - chance))[:, None]).T @ design
            step = np.linalg.solve(bend + 1e-9 * np.eye(2), pull)
            found = found + step / max(1.0, float(np.abs(step).max()))
            if np.abs(step).max() < 1e-9:
                break
        return float(found[1])

    def best_profit(self, offer_yuan: float, contact_yuan: float, accepted: float) -> tuple[float, float]:
        """The most that contacting the top of the ranking brings, in yuan, and the share of the rows contacted then.

        Who would leave accepts with a chance, stays and is worth its ``value`` less the offer; who would stay takes the offer
        (Neslin et al. 2006, Verbraken et al. 2013). Nobody is contacted where nothing is to be gained.
        """
        negatives = self.rows - self.positives
        gain = accepted * (self.value - offer_yuan * self.positives) - offer_yuan * negatives - contact_yuan * self.rows
        so_far = np.concatenate([[0.0], gain.cumsum()])
        best = int(so_far.argmax())
        return float(so_far[best]), float(self.rows[:best].sum() / self.rows.sum())

    def expected_profit(self, settings: Mapping[str, float]) -> tuple[float, float]:
        """Expected maximum profit of a retention campaign, in yuan a customer, and the share contacted then (Verbraken et al. 2013).

        How many accept is not known but drawn from a beta distribution; for each the best cut is on the hull of the ROC curve.
        ``settings``: alpha, beta, clv, offer, contact (theirs: 6, 14, 200, 10, 1).
        """
        alpha, beta, clv = settings["alpha"], settings["beta"], settings["clv"]
        offer, contact = settings["offer"] / clv, settings["contact"] / clv
        total, positives = self.rows.sum(), self.positives.sum()
        if not 0 < positives < total:
            return 0.0, 0.0
        right, wrong = _hull(self.positives.cumsum() / positives, (self.rows - self.positives).cumsum() / (total - positives))
        share, rest = positives / total, 1 - positives / total
        # from this chance of acceptance on it pays to go on to the next corner of the hull
        gained, lost = np.diff(right), np.diff(wrong)
        with np.errstate(divide="ignore"):
            turns = (rest * (offer + contact) * lost / (share * gained) + contact) / (1 - offer)
        turns = np.where(gained > 0, turns, np.inf)
        ends = np.clip(np.concatenate([[0.0], turns, [1.0]]), 0.0, 1.0)
        ends[-1] = 1.0
        mass = np.diff(betainc(alpha, beta, ends))
        # the part of the mean that lies between the ends
        mean = alpha / (alpha + beta) * np.diff(betainc(alpha + 1, beta, ends))
        slope = clv * (1 - offer) * share * right
        fixed = -clv * contact * share * right - clv * (offer + contact) * rest * wrong
        return float((slope * mean + fixed * mass).sum()), float(((share * right + rest * wrong) * mass).sum())


def _hull(right: Array, wrong: Array) -> tuple[Array, Array]:
    """Corners of the upper convex hull of a ROC curve (shares of the positives and of the negatives found), from (0, 0) to (1, 1)."""
    corners: list[tuple[float, float]] = []
    for x, y in [(0.0, 0.0), *zip(wrong.tolist(), right.tolist(), strict=True)]:
        while len(corners) >= 2 and _turns_left(corners[-2], corners[-1], (x, y)):
            corners.pop()
        if not corners or (x, y) != corners[-1]:
            corners.append((x, y))
    found = np.array(corners)
    return found[:, 1], found[:, 0]


def _turns_left(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) >= -math.ulp(1.0)
