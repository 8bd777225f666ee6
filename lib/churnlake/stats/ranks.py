"""Rank correlation of many columns at once, some of their values missing."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
PLACES = 6
"""Decimal places that a correlation is told to: what a threshold decides is then the same on every machine."""


def spearman(values: pd.DataFrame, least_rows: int) -> Floats:
    """Spearman's rank correlation of every two columns, to six places: a square matrix in their order.

    Each column is ranked once over its own values, ties by their mean rank; a pair is correlated over the rows that have both.
    Where nothing is missing, or in the same rows, that is Spearman's coefficient exactly; else it is that of ranks among all
    who have a value, for then all pairs are four matrix products instead of a sort each. NaN where fewer than ``least_rows``
    rows have both, or one of the two does not vary over them. Source: Spearman 1904.
    """
    ranked = values.rank(method="average").to_numpy(dtype=np.float64)
    there = ~np.isnan(ranked)
    middle = np.nansum(ranked, axis=0) / np.maximum(there.sum(axis=0), 1)
    ranks = np.where(there, ranked - middle, 0.0)
    mask = there.astype(np.float64)
    rows = mask.T @ mask
    with np.errstate(divide="ignore", invalid="ignore"):
        sums = ranks.T @ mask
        squares = (ranks**2).T @ mask - sums**2 / rows
        products = ranks.T @ ranks - sums * sums.T / rows
        found = products / np.sqrt(squares * squares.T)
    # a sum of squares that should be nothing is not quite; ranks that differ do so by a half at least: a real one is over 0.1
    empty = (rows < least_rows) | (squares < 0.01) | (squares.T < 0.01)
    return np.asarray(np.round(np.where(empty, np.nan, np.clip(found, -1.0, 1.0)), PLACES), dtype=np.float64)
