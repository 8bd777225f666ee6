"""Who left, when that is known, and what the model is taught."""

import datetime as dt
from decimal import Decimal

from pyspark.sql import DataFrame, SparkSession

from churnlake.churn import labels, leaving
from churnlake.core.runs import Days
from churnlake.core.settings import load
from churnlake.core.testing import rows
from churnlake.settings import Settings
from churnlake.tables.churn import LEAVINGS
from churnlake.tables.daily import USAGE
from churnlake.tables.features import MONTHLY
from churnlake.tables.reentry import MATCHES
from churnlake.tables.reference import BILLS, RECHARGES, SUBSCRIBERS

SETTINGS = load(Settings, "local").churn


def on(month: int, day: int) -> dt.date:
    return dt.date(2005, month, day)


def use(spark: SparkSession, *days: tuple[int, dt.date]) -> DataFrame:
    return rows(spark, USAGE, *[{"user_id": u, "day": d, "own_events": 1} for u, d in days])


def told(spark: SparkSession, *users: dict[str, object]) -> DataFrame:
    return rows(spark, SUBSCRIBERS, *[{"brand": "easyown", "delivered_on": on(1, 1), "joined_on": on(1, 1), **u} for u in users])


def found(frame: DataFrame) -> set[tuple[object, ...]]:
    return {(r.user_id, r.leave_on, r.known_on, r.kind) for r in frame.collect()}


def test_silence_confirms_after_the_brands_length_and_not_a_day_before(spark: SparkSession) -> None:
    usage = use(spark, (1, on(1, 10)), (2, on(1, 10)), (3, on(1, 10)), (3, on(3, 11)))
    subscribers = told(spark, {"user_id": 1}, {"user_id": 2, "brand": "gotone"}, {"user_id": 3})
    everything = leaving.leavings(usage, None, subscribers, Days(on(1, 1), on(4, 30)), SETTINGS)
    # 60 days from Jan 10 are over on Mar 11, on which user 3 speaks again: silent for 59 days only
    assert found(everything) == {(1, on(1, 11), on(3, 11), "silent"), (2, on(1, 11), on(4, 10), "silent")}
    # the same day by day, knowing nothing of what follows
    for day in (on(3, 10), on(3, 11), on(4, 10)):
        alone = leaving.leavings(usage.where(f"day <= '{day}'"), None, subscribers, Days(day, day), SETTINGS)
        assert found(alone) == {row for row in found(everything) if row[2] == day}


def test_a_recharge_keeps_a_silent_prepaid_user(spark: SparkSession) -> None:
    usage = use(spark, (1, on(1, 10)))
    recharges = rows(spark, RECHARGES, {"user_id": 1, "day": on(2, 10)})
    days = Days(on(1, 1), on(6, 30))
    assert found(leaving.leavings(usage, recharges, told(spark, {"user_id": 1}), days, SETTINGS)) == {
        (1, on(1, 11), on(4, 11), "silent")
    }


def test_orders_and_suspensions_confirm_when_delivered_and_only_once(spark: SparkSession) -> None:
    usage = use(spark, (1, on(1, 10)), (2, on(1, 10)), (4, on(1, 10)), (4, on(3, 20)))
    subscribers = told(
        spark, {"user_id": 1}, {"user_id": 1, "delivered_on": on(2, 1), "left_on": on(1, 20), "status": "cancelled"},
        {"user_id": 2, "delivered_on": on(1, 20), "status": "suspended", "status_since": on(1, 15), "brand": "gotone"}, {"user_id": 4},
    )  # fmt: skip
    everything = found(leaving.leavings(usage, None, subscribers, Days(on(1, 1), on(6, 30)), SETTINGS))
    assert everything == {
        (1, on(1, 20), on(2, 1), "cancelled"),
        (2, on(1, 15), on(3, 16), "suspended"),
        (4, on(1, 11), on(3, 11), "silent"),
        (4, on(3, 21), on(5, 19), "silent"),  # woke and left again
    }


def test_a_number_closed_after_its_silence_was_known_is_left_once(spark: SparkSession) -> None:
    usage = use(spark, (1, on(1, 10)), (2, on(1, 10)), (2, on(3, 20)))
    closed = {"delivered_on": on(4, 20), "left_on": on(4, 15), "status": "cancelled"}
    subscribers = told(spark, {"user_id": 1}, {"user_id": 2}, {"user_id": 1, **closed}, {"user_id": 2, **closed})
    assert found(leaving.leavings(usage, None, subscribers, Days(on(1, 1), on(6, 30)), SETTINGS)) == {
        (1, on(1, 11), on(3, 11), "silent"),
        (2, on(1, 11), on(3, 11), "silent"),
        (2, on(4, 15), on(4, 20), "cancelled"),  # woke, and then gave an order
    }


def test_labels_are_decided_when_they_close(spark: SparkSession) -> None:
    features = rows(
        spark,
        MONTHLY,
        *[{"month": on(1, 1), "user_id": u, "last_use_days": d} for u, d in [(1, 2), (2, 2), (3, 2), (4, 2), (5, 20)]],
    )
    usage = use(spark, (1, on(2, 10)), (2, on(3, 1)), (3, on(2, 10)), (4, on(2, 20)), (5, on(3, 1)))
    left = rows(
        spark,
        LEAVINGS,
        {"user_id": 1, "leave_on": on(2, 11), "known_on": on(4, 11)},
        {"user_id": 3, "leave_on": on(2, 11), "known_on": on(4, 11)},
    )
    back = rows(
        spark,
        MATCHES,
        {"user_id": 9, "old_user_id": 3, "known_on": on(4, 28)},
        {"user_id": 8, "old_user_id": 1, "known_on": on(4, 30)},
    )
    decided = {
        r.user_id: (r.has_churned, r.has_churned_for_good, r.known_on)
        for r in labels.leaving_labels(features, usage, left, back, {"leave_t1": [on(1, 1)]}, SETTINGS).collect()
    }
    closing = on(4, 29)
    # 4 is silent but nothing confirms it yet: undecided. 5 was not active. 1 is found again a day too late to count.
    assert decided == {1: (True, True, closing), 2: (False, False, closing), 3: (True, False, closing)}


def test_a_label_closes_sixty_days_after_its_outcome_month() -> None:
    assert labels.closes_on(on(1, 1), SETTINGS) == on(4, 29)
    assert labels.closes_on(dt.date(2004, 12, 1), SETTINGS) == on(4, 1)
    assert labels.label_months(Days(on(4, 1), on(4, 29)), SETTINGS) == [dt.date(2004, 12, 1), on(1, 1)]
    assert labels.label_months(Days(on(4, 2), on(4, 28)), SETTINGS) == []


def test_two_months_ahead_asks_for_who_leaves_then_and_not_before(spark: SparkSession) -> None:
    features = rows(spark, MONTHLY, *[{"month": on(1, 1), "user_id": u, "last_use_days": 2} for u in range(1, 6)])
    usage = use(spark, (1, on(2, 10)), (2, on(4, 1)), (3, on(3, 10)), (4, on(3, 20)), (5, on(3, 31)))
    left = rows(
        spark,
        LEAVINGS,
        {"user_id": 1, "leave_on": on(2, 11), "known_on": on(4, 11)},
        {"user_id": 3, "leave_on": on(3, 11), "known_on": on(5, 10)},
        {"user_id": 4, "leave_on": on(3, 21), "known_on": on(5, 31)},
    )
    both = {"leave_t1": [on(1, 1)], "leave_t2": [on(1, 1)]}
    told = labels.leaving_labels(features, usage, left, None, both, SETTINGS).collect()
    later, closing = {r.user_id: r.has_churned for r in told if r.target == "leave_t2"}, on(5, 30)
    # 1 left before: a row, for the forecast was made of it as well. 4 is confirmed a day after the label closes, as 5 might be.
    assert later == {1: False, 2: False, 3: True}
    assert {r.known_on for r in told if r.target == "leave_t2"} == {closing} == {labels.closes_on(on(1, 1), SETTINGS, "leave_t2")}
    assert {r.user_id: r.has_churned for r in told if r.target == "leave_t1"} == {1: True, 2: False, 3: False, 4: False, 5: False}
    # asked alone each says the same
    for target in both:
        alone = labels.leaving_labels(features, usage, left, None, {target: [on(1, 1)]}, SETTINGS).collect()
        assert sorted(map(tuple, alone)) == sorted(tuple(r) for r in told if r.target == target)


def test_labels_of_each_target_close_when_their_outcome_is_known() -> None:
    days = Days(on(4, 1), on(5, 31))
    assert labels.label_months(days, SETTINGS, "leave_t2") == [dt.date(2004, 11, 1), dt.date(2004, 12, 1), on(1, 1)]
    assert labels.closes_on(on(1, 1), SETTINGS, "revenue") == on(3, 10)
    assert labels.label_months(days, SETTINGS, "revenue") == [on(2, 1), on(3, 1)]


def test_debt_and_early_suspension_make_a_leaving_passive(spark: SparkSession) -> None:
    users = range(1, 7)
    features = rows(spark, MONTHLY, *[{"month": on(1, 1), "user_id": u, "last_use_days": 2} for u in users])
    usage = use(spark, *[(u, on(2, 10)) for u in users])
    left = rows(spark, LEAVINGS, *[{"user_id": u, "leave_on": on(2, 11), "known_on": on(4, 11)} for u in users])
    owed = {"delivered_on": on(3, 3), "month": on(2, 1), "arrears_yuan": Decimal(30)}
    bills = rows(
        spark, BILLS, {"user_id": 1, **owed}, {"user_id": 2, **owed, "arrears_yuan": Decimal(1)}, {"user_id": 3, **owed, "delivered_on": on(6, 1)},
        {"user_id": 4, **owed, "month": on(3, 1)},
    )  # fmt: skip
    cut = {"status": "suspended", "delivered_on": on(3, 20)}
    subscribers = told(spark, {"user_id": 5, **cut, "status_since": on(2, 15)}, {"user_id": 6, **cut, "status_since": on(3, 12)})
    asked = {"leave_t1": [on(1, 1)]}
    found = labels.leaving_labels(features, usage, left, None, asked, SETTINGS, bills, subscribers).collect()
    assert {r.user_id: r.kind for r in found} == {1: "passive", 2: "active", 3: "active", 4: "active", 5: "passive", 6: "active"}
    without = labels.leaving_labels(features, usage, left, None, asked, SETTINGS).collect()
    assert {r.kind for r in without} == {None}
