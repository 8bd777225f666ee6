"""Outliers: users with extreme values, grouped by the view in which they are most extreme."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churnlake.understanding.settings import UnderstandingSettings

if TYPE_CHECKING:
    from churnlake.understanding.profile import Profile

Floats = NDArray[np.float64]
PLACES = 6


@dataclass(frozen=True)
class Reach:
    """How far values reach, on the signed logarithmic scale: beyond ``low`` and ``high`` they are extreme; ``unit`` is the middle half."""

    low: float
    high: float
    unit: float

    def beyond(self, values: Floats) -> Floats:
        """How far beyond, in units, to six places; 0 within, at zero and where there is no value."""
        logs = scaled(values)
        over = np.maximum(logs - self.high, self.low - logs) / self.unit
        found = np.where(np.isnan(logs) | (values == 0), 0.0, np.maximum(over, 0.0))
        return np.asarray(np.round(found, PLACES), dtype=np.float64)


def reach_of(filled: Floats, settings: UnderstandingSettings) -> Reach | None:
    """Where extremes begin: Tukey's outer fences around the middle half of the values that are not zero.

    Zero says that a user does not do something, which most do not of most things: it is no extreme, and would hide those of
    the ones who do. Counts, seconds and fees have long tails, hence the logarithm. None where too few have any value, or the
    middle half is nearly one value (flags, days since a plan began that nearly all have): anything else would be far from it.
    Source: Tukey 1977, "Exploratory data analysis": beyond 3 quartile distances is far out.
    """
    some = scaled(filled[filled != 0])
    if len(some) < max(settings.least_outlier_rows, 1):
        return None
    low, high = (float(q) for q in np.quantile(some, [0.25, 0.75]))
    unit = high - low
    if unit < settings.least_outlier_spread:
        return None
    return Reach(low - settings.outlier_reach * unit, high + settings.outlier_reach * unit, unit)


def scaled(values: Floats) -> Floats:
    """The values on the signed logarithmic scale that models take them on."""
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)), dtype=np.float64)


def outlier_groups(now: pd.DataFrame, profiles: Sequence[Profile], settings: UnderstandingSettings) -> list[dict[str, Any]]:
    """Groups of extreme users, the largest first: view, users, their share of the sample, the indicators that mark them.

    A user is extreme where at least ``least_marks`` of the indicators given lie beyond their reach, and belongs to the view of
    the one that lies furthest beyond (of equals, the one declared first). Indicators are named in the order of how many of the
    group they mark.

    Args:
        now: one row per user of the month's sample.
        profiles: of the indicators to look at; those without a reach mark nobody.
        settings: how many marks make an extreme user, how many indicators are named.
    """
    looked_at = [p for p in profiles if p.reach]
    if not len(now) or not looked_at:
        return []
    beyond = np.column_stack([p.reach.beyond(now[p.indicator.name].to_numpy(dtype=np.float64)) for p in looked_at if p.reach])
    marks = beyond > 0
    extreme = marks.sum(axis=1) >= settings.least_marks
    views = np.array([p.indicator.view for p in looked_at])[beyond.argmax(axis=1)]
    groups = []
    for view in dict.fromkeys(p.indicator.view for p in looked_at):
        of_group = extreme & (views == view)
        users = int(of_group.sum())
        if users:
            marked = marks[of_group].sum(axis=0)
            order = sorted((-int(n), place) for place, n in enumerate(marked) if n)[: settings.marks_named]
            names = [looked_at[place].indicator.name for _, place in order]
            groups.append({"view": view, "users": users, "share": users / len(now), "indicators": names})
    return sorted(groups, key=lambda group: -int(group["users"]))
