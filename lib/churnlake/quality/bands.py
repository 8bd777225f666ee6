"""Bands: what a measure of a day may be, learnt from the days before it and from no other.

A measure is put on a scale on which days vary alike: logarithm for counts and means, arcsine of the root for shares. The
band is the median of earlier days of the same class (workday or weekend) plus and minus a multiple of the median distance
from it, but never narrower than a floor and than chance with so few rows. A day outside does not teach, unless so many
days on end are outside that they are the new normal.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnlake.core.contract import Severity
from churnlake.core.quality import Check, each_between
from churnlake.core.runs import Days, parse_days
from churnlake.quality.measures import BANDED, HOUR_DRIFT, HOURS, Measure, Scale
from churnlake.quality.settings import QualitySettings
from churnlake.stats.drift import stability_index

Floats = npt.NDArray[np.float64]
LEAST_OF_CLASS = 4
"""Good days of its class that a band needs for its middle."""

DAYS_NEAR = 5
"""Good days just before that tell where a measure stands while people travel."""

LEAST_DAILY_ROWS = 20
"""Rows a day by which a table is one that has rows every day: of five expected, a day with none is chance (0.7 %)."""


@dataclass(frozen=True)
class Asked:
    """A check of one day, the day's value, and what it was taken over."""

    day: dt.date
    check: Check
    value: float

    @property
    def has_passed(self) -> bool:
        """Whether the value lies within the check's inclusive bounds."""
        least, most = self.check.kwargs.get("min_value"), self.check.kwargs.get("max_value")
        return (least is None or self.value >= least) and (most is None or self.value <= most)


@dataclass
class _Taught:
    """The days a measure has learnt from, and those outside since."""

    days: list[int] = field(default_factory=list)
    outside: list[int] = field(default_factory=list)

    def learn(self, i: int, is_outside: bool, new_normal: int) -> None:
        if not is_outside:
            self.days.append(i)
            self.outside.clear()
            return
        self.outside.append(i)
        if len(self.outside) >= new_normal:
            self.days = list(self.outside)
            self.outside.clear()


def learnt_checks(profiles: pd.DataFrame, days: Days, settings: QualitySettings) -> list[Asked]:
    """A check per day of ``days``, table and measure with enough history, its band learnt from earlier days.

    Args:
        profiles: Rows of quality.profiles, the days before ``days`` too.
        days: Days to judge.
        settings: The bands' width, window and holidays.
    """
    free = _days_of(settings.public_holidays)
    found: list[Asked] = []
    for (table, name), rows in profiles[profiles["measure"].isin(BANDED)].groupby(["table_name", "measure"], sort=True):
        found += _judged(str(table), BANDED[str(name)], rows.sort_values("day"), days, free, settings)
    for table, rows in profiles[profiles["measure"].isin(HOURS)].groupby("table_name", sort=True):
        found += _drifts(str(table), rows, days, free, settings)
    return found


def _judged(
    table: str, measure: Measure, rows: pd.DataFrame, days: Days, free: set[dt.date], s: QualitySettings
) -> Iterable[Asked]:
    dates = list(rows["day"])
    x = scaled(rows["value"].to_numpy(dtype=float), measure.scale)
    weights = rows["weight"].to_numpy(dtype=float)
    weekend = np.array([_is_weekend(day, free) for day in dates])
    travel, taught = _days_of(s.travel_seasons), _Taught()
    for i, day in enumerate(dates):
        past = _within_window(taught.days, dates, day, s.band_window_days)
        # people leave and come back day by day, weekend or not: a season's days are known by those just before, and by how far a
        # day is from the next; they tell nothing of ordinary ones
        moves, is_away = measure.moves_with == "travel", day in travel
        ordinary = [j for j in past if dates[j] not in travel] if moves and not is_away else []
        past = ordinary if len(ordinary) >= s.band_least_days else past
        alike = past if moves else [j for j in past if weekend[j] == weekend[i]]
        is_outside = False
        if len(past) >= s.band_least_days and len(alike) >= LEAST_OF_CLASS:
            in_season = moves and is_away
            middle = float(np.median(x[past[-DAYS_NEAR:] if in_season else alike]))
            rows_usual = float(np.median(weights[alike]))
            least = floor(measure.scale, middle, min(rows_usual, max(weights[i], 1.0)), s)
            if in_season:
                apart, least = np.abs(np.diff(x[past])), least * s.travel_slack
            else:
                # of both classes, each from its own middle: few weekends alone say little of the spread
                others = sorted(set(past) - set(alike))
                apart = np.abs(np.concatenate([x[of] - np.median(x[of]) for of in (alike, others) if of]))
            slack = max(s.band_mads * float(np.median(apart)), least)
            if measure.moves_with == "holiday" and day in free:
                slack += math.log(s.holiday_volume)
            elif measure.moves_with == "holiday" and is_away:
                slack *= s.travel_slack
            off = x[i] - middle if measure.only_more else abs(x[i] - middle)
            is_outside = off > slack
            if days.first <= day <= days.last:
                is_far = off > s.band_error * slack
                check = _band(table, measure, middle - slack, middle + slack, "error" if is_far else "warn")
                # with so few rows a share can be anything: there is nothing to ask
                if check.kwargs["min_value"] is not None or check.kwargs["max_value"] is not None:
                    yield Asked(day, check, float(rows["value"].iloc[i]))
        if day not in free:
            taught.learn(i, is_outside, s.new_normal_days)


def _drifts(table: str, rows: pd.DataFrame, days: Days, free: set[dt.date], s: QualitySettings) -> Iterable[Asked]:
    """The drift of each day's hours against the mean of earlier days of its class."""
    wide = rows.pivot_table(index="day", columns="measure", values="value").reindex(columns=list(HOURS)).fillna(0.0).sort_index()
    weights = rows.groupby("day")["weight"].max().reindex(wide.index).to_numpy(dtype=float)
    dates, hours = list(wide.index), wide.to_numpy(dtype=float)
    weekend = [_is_weekend(day, free) for day in dates]
    taught = _Taught()
    for i, day in enumerate(dates):
        past = _within_window(taught.days, dates, day, s.band_window_days)
        alike = [j for j in past if weekend[j] == weekend[i]]
        is_outside = False
        if len(past) >= s.band_least_days and len(alike) >= LEAST_OF_CLASS and weights[i] > 0:
            value = stability_index(hours[i], hours[alike].mean(axis=0), weights[i])
            # by chance alone it is the number of hours over the number of rows, and records come in fours
            most = s.most_hour_drift + 2 * 4 * len(HOURS) / weights[i]
            is_outside = value > most
            if days.first <= day <= days.last:
                severity: Severity = "error" if value > s.band_error * most else "warn"
                check = each_between(
                    table, "hours of the day, against past days", HOUR_DRIFT, "timeliness", most=_short(most), severity=severity
                )
                yield Asked(day, check, value)
        if day not in free:
            taught.learn(i, is_outside, s.new_normal_days)


def scaled(values: Floats, scale: Scale) -> Floats:
    """The values on the scale on which days vary alike."""
    if scale == "share":
        found = np.arcsin(np.sqrt(np.clip(values, 0.0, 1.0)))
    else:
        found = np.log1p(np.maximum(values, 0.0)) if scale == "count" else np.log(np.maximum(values, 1e-6))
    return np.asarray(found, dtype=np.float64)


def unscaled(value: float, scale: Scale) -> float:
    """The value back from that scale, within what the measure can be."""
    if scale == "share":
        return math.sin(min(max(value, 0.0), math.pi / 2)) ** 2
    return max(math.expm1(value), 0.0) if scale == "count" else math.exp(value)


def floor(scale: Scale, middle: float, rows: float, s: QualitySettings) -> float:
    """The least half width of a band on its scale: that of any band, and that of chance with so few rows."""
    if scale == "share":
        return max(s.band_least_share, s.band_noise_share / math.sqrt(max(rows, 1.0)))
    return max(s.band_least_log, s.band_noise_log / math.sqrt(max(math.expm1(middle) if scale == "count" else rows, 1.0)))


def with_missing_days(profiles: pd.DataFrame, daily: Sequence[str], last: dt.date) -> pd.DataFrame:
    """The profiles, with 0 rows for each day up to ``last`` on which a daily table has none since its first.

    A table with a handful of rows a day is left alone: that it has none is no fault.
    """
    added = []
    for table, rows in profiles[profiles["table_name"].isin(list(daily))].groupby("table_name"):
        seen = rows[(rows["measure"] == "rows")]
        some = seen.loc[seen["value"] > 0, "day"]
        if some.empty or seen.loc[seen["value"] > 0, "value"].median() < LEAST_DAILY_ROWS:
            continue
        missing = [day for day in Days(min(some), max(last, min(some))).each() if day not in set(seen["day"])]
        added.append(pd.DataFrame({"day": missing, "table_name": table, "measure": "rows", "value": 0.0, "weight": 0.0}))
    return pd.concat([profiles, *[part for part in added if len(part)]], ignore_index=True)


def since(verdicts: Mapping[dt.date, bool], day: dt.date) -> dt.date:
    """The first of the days on end, up to ``day``, on which a check failed; days it was not asked do not end them."""
    first = day
    for earlier in sorted((d for d in verdicts if d < day), reverse=True):
        if verdicts[earlier]:
            break
        first = earlier
    return first


def _days_of(ranges: Sequence[str]) -> set[dt.date]:
    return {day for text in ranges for day in parse_days(text).each()}


def _band(table: str, measure: Measure, least: float, most: float, severity: Severity) -> Check:
    low, high = unscaled(least, measure.scale), unscaled(most, measure.scale)
    if measure.scale == "share":
        low_bound, high_bound = (None if low <= 0 or least <= 0 else low), (None if most >= math.pi / 2 else high)
    else:
        low_bound, high_bound = low, high
    low_bound = None if measure.only_more else low_bound
    return each_between(
        table,
        f"{measure.meaning}, against past days",
        measure.name,
        measure.dimension,
        _short(low_bound),
        _short(high_bound),
        severity,
    )


def _short(value: float | None) -> float | None:
    """Six digits: what is shown is what was judged."""
    return None if value is None else float(f"{value:.6g}")


def _within_window(taught: Sequence[int], dates: Sequence[dt.date], day: dt.date, window: int) -> list[int]:
    return [j for j in taught if (day - dates[j]).days <= window]


def _is_weekend(day: dt.date, free: set[dt.date]) -> bool:
    return day.weekday() >= 5 or day in free
