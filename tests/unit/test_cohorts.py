"""Joining cohorts in heads and revenue, and how long joiners stay."""

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession

from churnlake.churn import cohorts
from churnlake.core.runs import Days
from churnlake.core.settings import load
from churnlake.core.testing import rows
from churnlake.settings import Settings
from churnlake.tables.churn import LEAVINGS
from churnlake.tables.features import MONTHLY
from churnlake.tables.reentry import JOINERS
from churnlake.tables.reference import BILLS, SUBSCRIBERS
from churnlake.tables.staying import COHORTS, SURVIVAL

SETTINGS = load(Settings, "local", ["churn.cohorts.least_users=5"]).churn
JANUARY, FEBRUARY, MARCH = (dt.date(2005, m, 1) for m in (1, 2, 3))


def joined(spark: SparkSession, subscribers: DataFrame | None = None) -> DataFrame:
    came = {1: dt.date(2005, 1, 20), 2: dt.date(2005, 1, 2), 3: dt.date(2005, 2, 5)}
    joiners = rows(spark, JOINERS, *[{"user_id": u, "joined_on": d, "stage_days": s} for u, d in came.items() for s in (0, 60)])
    return cohorts.members(joiners, subscribers)


def use(spark: SparkSession, *given: tuple[int, dt.date, int, int]) -> DataFrame:
    told: list[dict[str, Any]] = [
        {"user_id": u, "month": m, "usage_fee_yuan": Decimal(fee), "last_use_days": days} for u, m, fee, days in given
    ]
    return rows(spark, MONTHLY, *told)


def test_cohorts_in_heads_and_in_revenue_against_the_first_whole_month(spark: SparkSession) -> None:
    subscribers = rows(
        spark, SUBSCRIBERS, {"user_id": 1, "brand": "mzone", "plan_id": "A", "dealer_id": "d1", "delivered_on": dt.date(2005, 1, 22)},
        {"user_id": 1, "brand": "gotone", "plan_id": "B", "dealer_id": "d2", "delivered_on": dt.date(2005, 2, 22)},
        {"user_id": 2, "brand": "mzone", "plan_id": "B", "dealer_id": None, "delivered_on": dt.date(2005, 1, 22)},
    )  # fmt: skip
    members = joined(spark, subscribers)
    features = use(
        spark, (1, JANUARY, 5, 0), (2, JANUARY, 30, 0), (1, FEBRUARY, 40, 1), (2, FEBRUARY, 20, 2), (1, MARCH, 12, 1), (2, MARCH, 3, 20),
        (3, FEBRUARY, 9, 0), (3, MARCH, 10, 0), (77, MARCH, 99, 0),
    )  # fmt: skip
    frame = cohorts.cohorts(members, features, None, None, [JANUARY, FEBRUARY, MARCH], SETTINGS)
    assert frame.columns == COHORTS.names
    found = {(r.cohort, r.month, r.dimension, r.value): r for r in frame.collect()}
    whole = [found[JANUARY, m, "all", "all"] for m in (JANUARY, FEBRUARY, MARCH)]
    assert [(r.months_since, r.users, r.active, r.fee_yuan) for r in whole] == [(0, 2, 2, 35), (1, 2, 2, 60), (2, 2, 1, 15)]
    # one in two is there, but of what they paid a quarter
    assert [(r.heads_share, r.revenue_share) for r in whole] == [(1, None), (1, 1), (0.5, 0.25)]
    assert found[JANUARY, MARCH, "brand", "mzone"].users == 2, "of the brand joined, whatever came after"
    assert found[JANUARY, MARCH, "dealer", "d1"].fee_yuan == 12
    assert found[JANUARY, MARCH, "dealer", "unknown"].active == 0
    assert found[FEBRUARY, MARCH, "plan", "unknown"].revenue_share == 1
    assert not any(cohort > month for cohort, month, _, _ in found)
    # month by month, with what was told before, it is the same
    before = cohorts.cohorts(members, features, None, None, [JANUARY, FEBRUARY], SETTINGS)
    after = cohorts.cohorts(members, features, None, before, [MARCH], SETTINGS)
    assert sorted(map(str, before.unionByName(after).collect())) == sorted(map(str, frame.collect()))


def test_bills_come_before_records_and_old_cohorts_are_followed_no_more(spark: SparkSession) -> None:
    bills = rows(
        spark, BILLS, {"user_id": 1, "month": MARCH, "delivered_on": dt.date(2005, 4, 3), "monthly_fee_yuan": Decimal(50)},
        {"user_id": 2, "month": MARCH, "delivered_on": dt.date(2005, 4, 13), "monthly_fee_yuan": Decimal(50)},
    )  # fmt: skip
    features = use(spark, (1, MARCH, 12, 1), (2, MARCH, 3, 2), (3, MARCH, 4, 0))
    short = SETTINGS.model_copy(update={"cohorts": SETTINGS.cohorts.model_copy(update={"follows_months": 1})})
    found = {
        r.cohort: r.fee_yuan
        for r in cohorts.cohorts(joined(spark), features, bills, None, [MARCH], SETTINGS).where("value = 'all'").collect()
    }
    assert found == {JANUARY: Decimal("53.00"), FEBRUARY: Decimal("4.00")}
    followed = cohorts.cohorts(joined(spark), features, bills, None, [MARCH], short).select("cohort").distinct().collect()
    assert [r.cohort for r in followed] == [FEBRUARY]
    assert cohorts.first_month([MARCH], SETTINGS) == dt.date(2003, 3, 1)
    assert cohorts.months_told(Days(dt.date(2005, 4, 10), dt.date(2005, 5, 9)), SETTINGS) == [MARCH]


def test_survival_of_joiners_equals_a_loop_over_them(spark: SparkSession) -> None:
    dice = np.random.default_rng(5)
    told_on = dt.date(2005, 6, 10)  # as of May
    seen_to = told_on - dt.timedelta(days=90)
    came = {u: JANUARY + dt.timedelta(days=int(dice.integers(0, 60))) for u in range(60)}
    left = {u: d + dt.timedelta(days=int(dice.integers(1, 90))) for u, d in came.items() if dice.random() < 0.6}
    known = {u: d + dt.timedelta(days=int(dice.choice([1, 60, 120]))) for u, d in left.items()}
    joiners = rows(spark, JOINERS, *[{"user_id": u, "joined_on": d, "stage_days": 0} for u, d in came.items()])
    leavings = rows(spark, LEAVINGS, *[{"user_id": u, "leave_on": d, "known_on": known[u]} for u, d in left.items()])
    frame = cohorts.survival(cohorts.members(joiners, None), leavings, [dt.date(2005, 5, 1)], SETTINGS)
    assert frame.columns == SURVIVAL.names
    found = {r.days: r for r in frame.where("dimension = 'all'").collect()}
    spells = []
    for user, day in came.items():
        gone = user in left and left[user] <= seen_to and known[user] <= told_on
        spells.append((((left[user] if gone else seen_to) - day).days, gone))
    longest = max(days for days, _ in spells)
    assert set(found) == {*range(7, longest, 7), longest}
    staying, since = 1.0, 0
    for t in range(1, longest + 1):
        risk, events = sum(days >= t for days, _ in spells), sum(days == t and gone for days, gone in spells)
        staying, since = staying * (1 - events / risk), since + events
        if t in found:
            row = found[t]
            assert (row.at_risk, row.left_since) == (risk, since)
            assert row.staying == pytest.approx(staying, abs=1e-6)
            assert row.staying_low <= row.staying <= row.staying_high
            since = 0
    assert 0 < staying < 0.9
    assert {r.dimension for r in frame.collect()} == {"all", "brand", "plan", "dealer"}
    few = SETTINGS.model_copy(update={"cohorts": SETTINGS.cohorts.model_copy(update={"least_users": 61})})
    assert cohorts.survival(cohorts.members(joiners, None), leavings, [dt.date(2005, 5, 1)], few).isEmpty()
