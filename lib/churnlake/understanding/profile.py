"""The profile of a month: how each indicator is filled, spread and moved since the month before, on a sample of users."""

from __future__ import annotations

import datetime as dt
from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churnlake.core.contract import STRING, Indicator
from churnlake.indicators.units import MONTH_DAYS
from churnlake.stats.drift import by_chance, decile_classes, drift_of, level_classes
from churnlake.understanding.outliers import Reach, reach_of
from churnlake.understanding.settings import UnderstandingSettings

Floats = NDArray[np.float64]
PLACES = 9
LEVELS_OF_QUANTILES = {"p01": 0.01, "p25": 0.25, "median": 0.5, "p75": 0.75, "p99": 0.99}


@dataclass(frozen=True)
class Profile:
    """What the sample says of one indicator; ``figures`` are columns of features.selection, ``reach`` is where outliers begin."""

    indicator: Indicator
    rows: int
    filled: int
    figures: Mapping[str, Any]
    reach: Reach | None = None

    @property
    def is_code(self) -> bool:
        """Whether it is a code, not a number."""
        return self.indicator.type == STRING


def columns_of(indicators: Sequence[Indicator]) -> list[str]:
    """SQL of what a sample holds: the user, numbers as doubles, codes as text."""
    told = [f"cast({i.name} as {'string' if i.type == STRING else 'double'}) as {i.name}" for i in indicators]
    return ["user_id", *told]


def in_order(sample: pd.DataFrame) -> pd.DataFrame:
    """A sample in the order of its users, numbers to nine places; what is no number is missing.

    So the same month gives the same profile to the bit: an average that Spark adds up in another order differs in its last one.
    """
    numbers = sample.select_dtypes("number").columns.difference(["user_id"])
    ordered = sample.sort_values("user_id", ignore_index=True)
    ordered[numbers] = ordered[numbers].where(np.isfinite(ordered[numbers])).round(PLACES)
    return ordered


def profiled(
    month: dt.date,
    now: pd.DataFrame,
    before: pd.DataFrame,
    indicators: Sequence[Indicator],
    settings: UnderstandingSettings,
) -> list[Profile]:
    """The profile of each indicator, in their order.

    Args:
        month: its first day.
        now: one row per user of the month's sample.
        before: the same of the month before; without rows there is no drift.
        indicators: columns of both.
        settings: how many bins and levels, what is a great drift, where outliers begin.
    """
    found = []
    for i in indicators:
        if i.type == STRING:
            found.append(_of_code(i, now, before, settings))
        else:
            found.append(_of_number(i, month, now, before, settings))
    return found


def as_long(days: Floats, month: dt.date) -> Floats:
    """Days of the month put as days of one as long as the month before, to the nearest whole one: the same share of it."""
    before = (month - dt.timedelta(days=1)).day
    return np.asarray(np.round(days * before / monthrange(month.year, month.month)[1]), dtype=np.float64)


def _of_number(
    indicator: Indicator, month: dt.date, now: pd.DataFrame, before: pd.DataFrame, s: UnderstandingSettings
) -> Profile:
    values = now[indicator.name].to_numpy(dtype=np.float64)
    earlier = before[indicator.name].to_numpy(dtype=np.float64)
    filled = values[~np.isnan(values)]
    # else a month of another length would be another distribution
    compared = as_long(values, month) if indicator.unit == MONTH_DAYS else values
    classes = decile_classes(compared, earlier) if len(values) and len(earlier) else None
    figures: dict[str, Any] = {
        "missing_share": 1 - len(filled) / len(values) if len(values) else 1.0,
        "distinct_values": 0,
        "outliers": 0,
        **_drift(classes, s),
    }
    if not len(filled):
        return Profile(indicator, len(values), 0, figures)
    distinct, counts = np.unique(filled, return_counts=True)
    quantiles = dict(zip(LEVELS_OF_QUANTILES, map(float, np.quantile(filled, list(LEVELS_OF_QUANTILES.values()))), strict=True))
    reach = reach_of(filled, s)
    edges = histogram_edges(filled, quantiles["p01"], quantiles["p99"], s.bins)
    figures |= {
        "distinct_values": len(distinct),
        "common_share": float(counts.max() / len(filled)),
        "zero_share": float(np.mean(filled == 0)),
        "mean": float(filled.mean()),
        "deviation": float(filled.std()),
        "least": float(distinct[0]),
        **quantiles,
        "greatest": float(distinct[-1]),
        "edges": [float(edge) for edge in edges],
        "counts": [int(n) for n in np.histogram(np.clip(filled, edges[0], edges[-1]), edges)[0]],
        "outliers": int(np.sum(reach.beyond(filled) > 0)) if reach else 0,
    }
    return Profile(indicator, len(values), len(filled), figures, reach)


def _of_code(indicator: Indicator, now: pd.DataFrame, before: pd.DataFrame, s: UnderstandingSettings) -> Profile:
    values, earlier = _texts(now[indicator.name]), _texts(before[indicator.name])
    filled = [value for value in values if value is not None]
    classes = level_classes(values, earlier) if values and earlier else None
    figures: dict[str, Any] = {
        "missing_share": 1 - len(filled) / len(values) if values else 1.0,
        "distinct_values": len(set(filled)),
        **_drift(classes, s),
    }
    if filled:
        names, found = np.unique(np.array(filled, dtype=object).astype(str), return_counts=True)
        ranked = sorted(zip(map(int, found), map(str, names), strict=True), key=lambda one: (-one[0], one[1]))
        figures["common_share"] = ranked[0][0] / len(filled)
        figures |= {"levels": [name for _, name in ranked[: s.levels]], "counts": [n for n, _ in ranked[: s.levels]]}
    return Profile(indicator, len(values), len(filled), figures)


def histogram_edges(filled: Floats, low: float, high: float, bins: int) -> Floats:
    """Edges of bins of one width from the first to the last hundredth, what lies beyond falls into the outer ones.

    Where these are one value (most users have it), from the least to the greatest; and where all are, around it.
    """
    if low == high:
        low, high = float(filled.min()), float(filled.max())
    if low == high:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, bins + 1)


def _drift(classes: tuple[Floats, Floats] | None, s: UnderstandingSettings) -> dict[str, Any]:
    """The index, and whether it is moderate or great: above its limit and above what chance reaches with so many rows."""
    if classes is None:
        return {"psi": None, "drift": None}
    now, before = classes
    index = round(drift_of(now, before), 9)
    seen = int(np.sum((now > 0) | (before > 0)))
    chance = by_chance(seen, int(now.sum()), int(before.sum()), s.chance_deviations)
    is_great, is_moderate = (index > max(limit, chance) for limit in (s.great_drift, s.moderate_drift))
    return {"psi": index, "drift": "great" if is_great else "moderate" if is_moderate else "none"}


def _texts(column: pd.Series) -> list[str | None]:  # type: ignore[type-arg]
    return [None if value is None or pd.isna(value) else str(value) for value in column]
