"""Drift: how far a distribution has moved from an earlier one (population stability index)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
DECILES = np.arange(1, 10) / 10


def stability_index(now: Floats, before: Floats, rows: float) -> float:
    """Population stability index of two distributions over the same classes; an empty class counts as half a row.

    The sum over classes of (now - before) * ln(now / before), as scorecards are watched with: below 0.1 nothing to speak of,
    above 0.25 a great change. Source: Siddiqi 2006, "Credit risk scorecards"; it is the symmetric divergence of Jeffreys 1946.

    Args:
        now: share of each class.
        before: share of each class, earlier.
        rows: rows of the smaller of the two.
    """
    p, q = np.maximum(now, 0.5 / rows), np.maximum(before, 0.5 / rows)
    return float(np.sum((p - q) * np.log(p / q)))


def by_chance(classes: int, rows_now: int, rows_before: int, deviations: float) -> float:
    """What the index of two samples of one and the same distribution stays below.

    Over 1/rows_now + 1/rows_before it is distributed as chi square with one degree of freedom less than classes (Yurdakul 2018,
    "Statistical properties of the population stability index"); its quantile, so many standard deviations of a normal variable
    above the middle, is that of Wilson and Hilferty 1931.
    """
    if classes < 2 or not rows_now or not rows_before:
        return 0.0
    free = classes - 1
    spread = 2 / (9 * free)
    quantile = free * (1 - spread + deviations * spread**0.5) ** 3
    return float(quantile * (1 / rows_now + 1 / rows_before))


def decile_classes(now: Floats, before: Floats) -> tuple[Floats, Floats]:
    """Rows now and before in each class: between the deciles of the earlier values, and last those without a value (NaN).

    Deciles are values there are, and those that are equal are one: a value most have is a class of its own, for a class is open
    below and closed above.
    """
    filled_now, filled_before = now[~np.isnan(now)], before[~np.isnan(before)]
    deciles = np.unique(np.quantile(filled_before, DECILES, method="inverted_cdf")) if len(filled_before) else np.empty(0)

    def rows(filled: Floats, missing: int) -> Floats:
        places = np.searchsorted(deciles, filled, side="left")
        return np.append(np.bincount(places, minlength=len(deciles) + 1), missing).astype(np.float64)

    return rows(filled_now, len(now) - len(filled_now)), rows(filled_before, len(before) - len(filled_before))


def level_classes(now: Sequence[str | None], before: Sequence[str | None]) -> tuple[Floats, Floats]:
    """Rows now and before of each level of a code, in order of name, and last those without one (None)."""
    places = {level: place for place, level in enumerate(sorted({*now, *before} - {None}, key=str))}

    def rows(levels: Sequence[str | None]) -> Floats:
        at = [len(places) if level is None else places[level] for level in levels]
        return np.bincount(np.array(at, dtype=np.int64), minlength=len(places) + 1).astype(np.float64)

    return rows(now), rows(before)


def drift_of(rows_now: Floats, rows_before: Floats) -> float:
    """The index of rows counted by class, now and before."""
    total_now, total_before = float(rows_now.sum()), float(rows_before.sum())
    return stability_index(rows_now / total_now, rows_before / total_before, min(total_now, total_before))
