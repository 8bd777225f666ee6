"""Who left, when that is known, and what the model is taught."""

import datetime as dt

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
from churnlake.tables.reference import RECHARGES, SUBSCRIBERS

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
        r.user_id: (r.has_left, r.has_left_for_good, r.known_on)
        for r in labels.labels(features, usage, left, back, SETTINGS).collect()
    }
    closing = on(4, 29)
    # 4 is silent but nothing confirms it yet: undecided. 5 was not active. 1 is found again a day too late to count.
    assert decided == {1: (True, True, closing), 2: (False, False, closing), 3: (True, False, closing)}


def test_a_label_closes_sixty_days_after_its_outcome_month() -> None:
    assert labels.closes_on(on(1, 1), SETTINGS) == on(4, 29)
    assert labels.closes_on(dt.date(2004, 12, 1), SETTINGS) == on(4, 1)
    assert labels.label_months(Days(on(4, 1), on(4, 29)), SETTINGS) == [dt.date(2004, 12, 1), on(1, 1)]
    assert labels.label_months(Days(on(4, 2), on(4, 28)), SETTINGS) == []
