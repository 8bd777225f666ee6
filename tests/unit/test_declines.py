"""Falls of own use are told from chance, beside an independent computation."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from churnlake.churn.declines import WEEKS, declines, first_day_needed
from churnlake.core.testing import rows
from churnlake.tables.daily import USAGE
from churnlake.tables.features import DECLINES

MARCH = dt.date(2005, 3, 1)
END = dt.date(2005, 3, 31)
STEADY = 40


def used(spark: SparkSession, by_user: dict[int, list[int]]) -> DataFrame:
    """By user, own events of each week before the month's end, the newest first, on the week's last day."""
    return rows(
        spark,
        USAGE,
        *(
            {"user_id": user, "day": END - dt.timedelta(days=7 * week), "own_events": events}
            for user, weeks in by_user.items()
            for week, events in enumerate(weeks)
            if events
        ),
    )


def crowd() -> dict[int, list[int]]:
    """Users whose weeks are as the city's, which had half as much in its third week back."""
    rng = np.random.default_rng(7)
    return {
        100 + user: [int(n) for n in rng.poisson([6 if week == 2 else 12 for week in range(WEEKS)])] for user in range(STEADY)
    }


def expected(counts: pd.DataFrame) -> pd.DataFrame:
    """The same by numpy for users who were there all the time: evidence, weeks, level."""
    told = counts.to_numpy(float)
    city = told.sum(axis=0) / told.sum() * WEEKS
    total = told.sum(axis=1, keepdims=True)
    even = city[None, :] * total / city.sum()
    spread = max(1.0, float(np.median((((told - even) ** 2 / even).sum(axis=1) / (WEEKS - 1) / 0.9453)[total[:, 0] >= 26])))
    found = []
    for own in told:
        ratios, levels = [], []
        for at in range(1, WEEKS):
            late, early = own[:at].sum(), own[at:].sum()
            there, before = city[:at].sum(), city[at:].sum()
            gain = sum(n * np.log(n / e) for n, e in ((late, there), (early, before)) if n) - own.sum() * np.log(
                own.sum() / city.sum()
            )
            fell = late / there < early / before
            ratios.append(min(40.0, gain / spread) if fell else 0.0)
            levels.append((late / there) / (early / before) if early else 1.0)
        best = int(np.argmax(ratios))
        is_fall = ratios[best] > 0
        found.append((np.log(np.mean(np.exp(ratios))), best + 1 if is_fall else 0, levels[best] if is_fall else 1.0))
    return pd.DataFrame(found, index=counts.index, columns=["evidence", "weeks", "level"])


def test_a_fall_is_told_as_by_numpy(spark: SparkSession) -> None:
    by_user = crowd() | {1: [2, 1, 1, 3, *[12] * 9], 2: [12] * 13, 4: [1, 0, 0, 1, 0, 1, 0, 0, 1, 0, 0, 0, 1]}
    found = declines(used(spark, by_user), [MARCH]).orderBy("user_id")
    assert found.columns == DECLINES.names
    told = found.toPandas().set_index("user_id")
    beside = expected(pd.DataFrame.from_dict(by_user, orient="index").sort_index())
    assert told["decline_evidence"].to_numpy() == pytest.approx(beside["evidence"].to_numpy(), abs=1e-5)
    assert list(told["decline_weeks"]) == list(beside["weeks"])
    assert told["decline_level"].to_numpy() == pytest.approx(beside["level"].to_numpy(), abs=1e-5)
    assert told.loc[1, "decline_weeks"] == 4
    assert told.loc[1, "decline_evidence"] > 10
    assert told["decline_evidence"].drop([1]).median() < 0.3


def test_what_the_whole_city_did_less_is_no_fall_and_weeks_before_joining_are_none(spark: SparkSession) -> None:
    # all call half as much in the last two weeks; 1 as well, 2 goes on as ever, 3 joined five weeks ago
    by_user = {user: [5, 5, *[10] * 11] for user in range(100, 140)} | {
        1: [5, 5, *[10] * 11],
        2: [10] * 13,
        3: [5, 5, 10, 10, 10],
    }
    told = {row["user_id"]: row for row in declines(used(spark, by_user), [MARCH]).collect()}
    assert [told[user]["decline_evidence"] for user in (1, 2, 3)] == pytest.approx([0, 0, 0], abs=0.05)
    assert told[1]["decline_level"] == pytest.approx(1, abs=0.05)


def test_later_days_move_nothing_and_who_is_silent_has_no_row(spark: SparkSession) -> None:
    usage = used(spark, crowd() | {1: [2, 1, *[12] * 11]})
    later = rows(spark, USAGE, {"user_id": 1, "day": dt.date(2005, 4, 1), "own_events": 500})
    longer_ago = rows(spark, USAGE, {"user_id": 9, "day": first_day_needed([MARCH]) - dt.timedelta(1), "own_events": 500})
    before = declines(usage, [MARCH]).collect()
    after = declines(usage.unionByName(later).unionByName(longer_ago), [MARCH]).collect()
    assert sorted(before) == sorted(after)
    assert 9 not in {row["user_id"] for row in after}


def test_of_a_young_lake_the_weeks_there_are_are_compared(spark: SparkSession) -> None:
    by_user = {user: [10] * 5 for user in range(100, 140)} | {1: [1, 1, 10, 10, 10]}
    told = {row["user_id"]: row for row in declines(used(spark, by_user), [MARCH]).collect()}
    assert len(told) == len(by_user)
    assert (told[1]["decline_weeks"], told[1]["decline_level"]) == (2, pytest.approx(0.1, abs=0.01))
    assert told[100]["decline_evidence"] < 0.1 < 3 < told[1]["decline_evidence"]
