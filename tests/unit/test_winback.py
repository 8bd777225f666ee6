"""Who of those contacted after leaving came back, told by a contact's own window; and who is asked for next."""

import datetime as dt

from pyspark.sql import SparkSession

from churnlake.core.testing import rows
from churnlake.models.winback import gone, responses
from churnlake.tables.churn import LABELS, LEAVINGS
from churnlake.tables.daily import USAGE
from churnlake.tables.features import MONTHLY
from churnlake.tables.reentry import MATCHES
from churnlake.tables.reference import TOUCHES


def day(month: int, number: int) -> dt.date:
    return dt.date(2005, month, number)


def test_only_who_was_reached_after_leaving_answers_and_within_the_window(spark: SparkSession) -> None:
    # 1 uses the number again; 2 does so too late; 3 is found again; 4 was not reached; 5 was contacted before it was known; 6 is not closed
    leavings = rows(
        spark, LEAVINGS, *[{"user_id": n, "leave_on": day(2, 10), "known_on": day(4, 11)} for n in (1, 2, 3, 4, 5, 6)]
    )
    touched = {
        1: (day(4, 20), True),
        2: (day(4, 20), True),
        3: (day(4, 11), True),
        4: (day(4, 20), False),
        5: (day(4, 1), True),
        6: (day(5, 20), True),
    }
    touches = rows(
        spark,
        TOUCHES,
        *[{"user_id": n, "touch_key": n, "assigned_on": on, "is_reached": reached} for n, (on, reached) in touched.items()],
    )
    used = {1: day(5, 2), 2: day(5, 25), 4: day(5, 2), 5: day(4, 3), 6: day(5, 22)}
    usage = rows(
        spark,
        USAGE,
        *[{"user_id": n, "day": on, "own_events": 2} for n, on in used.items()],
        {"user_id": 3, "day": day(5, 1), "own_events": 0},
    )
    matches = rows(spark, MATCHES, {"user_id": 30, "old_user_id": 3, "known_on": day(5, 1)})
    found = responses(touches, leavings, usage, matches, 30, day(6, 10))
    assert set(found.columns) == set(LABELS.names)
    told = {row["user_id"]: (row["month"], row["known_on"], row["has_churned"]) for row in found.collect()}
    january = day(1, 1)
    assert told == {1: (january, day(5, 20), True), 2: (january, day(5, 20), False), 3: (january, day(5, 11), True)}
    alone = {row["user_id"]: row["has_churned"] for row in responses(touches, leavings, usage, None, 30, day(6, 10)).collect()}
    assert alone == {1: True, 2: False, 3: False}


def test_those_asked_for_are_known_to_have_left_in_the_month(spark: SparkSession) -> None:
    leavings = rows(
        spark, LEAVINGS, {"user_id": 1, "leave_on": day(3, 5), "known_on": day(5, 4)}, {"user_id": 2, "leave_on": day(3, 5), "known_on": day(4, 30)},
        {"user_id": 3, "leave_on": day(4, 1), "known_on": day(5, 31)},
    )  # fmt: skip
    features = rows(
        spark, MONTHLY, *[{"user_id": n, "month": day(m, 1), "own_events": 10 * n + m} for n in (1, 2, 3) for m in (2, 3)]
    )
    found = gone(features, leavings, day(5, 1))
    assert found.columns == MONTHLY.names or set(found.columns) == set(MONTHLY.names)
    assert {(row["user_id"], row["month"], row["own_events"]) for row in found.collect()} == {
        (1, day(5, 1), 12),
        (3, day(5, 1), 33),
    }
