"""Falls of own use of random users beside the same definition worked out day by day in numpy."""

import datetime as dt

import numpy as np
from pyspark.sql import SparkSession

from churnlake.churn import falls
from churnlake.core.runs import Days
from churnlake.core.settings import load
from churnlake.core.testing import rows
from churnlake.settings import Settings
from churnlake.tables.daily import USAGE

FALL = load(Settings, "local").churn.signs.fall
FIRST, DAYS, USERS = dt.date(2005, 1, 1), 140, 24
ENDS = {dt.date(2005, 2, 1): 58, dt.date(2005, 3, 1): 89, dt.date(2005, 4, 1): 119}
"""By month, the number of its last day."""


def town() -> tuple[np.ndarray, np.ndarray]:
    """Own events by user and day, and whether there is a record at all: some fade, some join late, some talk in bouts."""
    rng = np.random.default_rng(2005)
    rate = rng.lognormal(0.5, 1.2, (USERS, 1)) * np.ones((1, DAYS))
    for user in range(0, USERS, 3):
        rate[user, rng.integers(70, 120) :] *= rng.uniform(0, 0.4)
    events = rng.poisson(rate) * rng.integers(1, 4, (USERS, DAYS))
    seen = (events > 0) | (rng.random((USERS, DAYS)) < 0.3)
    for user in range(1, USERS, 5):
        seen[user, : 20 * (user // 5)] = False
    # a day of which no record came in
    seen[:, 100] = False
    return np.where(seen, events, 0), seen


def normal(events: np.ndarray, seen: np.ndarray, end: int) -> tuple[int, int, float] | None:
    """A user's days, events and dispersion of whole weeks up to ``end``; None where there are too few."""
    first = max(0, end - 7 * FALL.normal_weeks + 1)
    there = np.flatnonzero(seen[first : end + 1])
    weeks = (end - first - there[0] + 1) // 7 if len(there) else 0
    sums = events[end + 1 - 7 * weeks : end + 1].reshape(weeks, 7).sum(axis=1)
    if weeks < FALL.least_normal_weeks or not sums.sum():
        return None
    return 7 * weeks, int(sums.sum()), round(max(1.0, sums.var(ddof=1) / sums.mean()), 6)


def test_falls_of_random_users_are_those_worked_out_in_numpy(spark: SparkSession) -> None:
    events, seen = town()
    usage = rows(
        spark, USAGE,
        *[{"user_id": int(u), "day": FIRST + dt.timedelta(int(d)), "own_events": int(events[u, d])} for u, d in np.argwhere(seen)],
    ).localCheckpoint()  # fmt: skip
    known = falls.normals(usage, list(ENDS), FALL).localCheckpoint()
    told = {(r.month, r.user_id): (r.days, r.own_events, r.dispersion) for r in known.collect()}
    due = {(month, u): found for month, end in ENDS.items() for u in range(USERS) if (found := normal(events[u], seen[u], end))}
    assert told == due
    days = Days(FIRST + dt.timedelta(86), FIRST + dt.timedelta(DAYS - 1))
    found = {(r.user_id, (r.day - FIRST).days): (r.is_seen, r.since) for r in falls.marks(usage, known, days, FALL).collect()}
    expected = {}
    for month, end in ENDS.items():
        last = min((min([e for e in ENDS.values() if e > end], default=DAYS)) + 27, DAYS - 1)
        of = {u: due[(month, u)] for u in range(USERS) if (month, u) in due}
        lately = [m for m in ENDS if month.month - FALL.back_months < m.month <= month.month]
        best = {u: max(due[(m, u)][1] / due[(m, u)][0] for m in lately if (m, u) in due) for u in of}
        rate = sum(round(n / days_of, 6) for days_of, n, _ in of.values())
        for day in range(end + 28, last + 1):
            part = {w: min(1.0, events[:, day - w + 1 : day + 1].sum() / w / rate) for w in FALL.windows_days}
            for u, (n_days, n, spread) in of.items():
                began = []
                for w in sorted(FALL.windows_days):
                    now, exposure = events[u, day - w + 1 : day + 1].sum(), part[w] * w / n_days
                    below = 2 * (np.sqrt(now / spread + 0.375) - np.sqrt(exposure * (n / spread + 0.375))) / np.sqrt(1 + exposure)
                    if round(below, 6) <= -FALL.deviations and now <= FALL.level * exposure * n:
                        began.append(day - w + 1)
                month_events = events[u, day - 27 : day + 1].sum()
                if began:
                    expected[(u, day)] = (True, FIRST + dt.timedelta(began[0]))
                elif month_events >= FALL.back_level * part[28] * 28 * best[u]:
                    expected[(u, day)] = (False, FIRST + dt.timedelta(day))
    assert sum(is_seen for is_seen, _ in expected.values()) > 50
    assert found == expected
