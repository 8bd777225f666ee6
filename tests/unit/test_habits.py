"""What the two numbers' habits, the register and forwarding tell of a pair, worked out by hand."""

import datetime as dt
import math
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from churnlake.core.frames import frame_of
from churnlake.core.settings import load
from churnlake.core.testing import rows
from churnlake.indicators.hours import EACH, LIMIT
from churnlake.reentry import habits
from churnlake.settings import Settings
from churnlake.tables.daily import DEVICES, FORWARDS, PLACES, USAGE
from churnlake.tables.reference import SUBSCRIBERS

SETTINGS = load(Settings, "local").reentry
PAIRS = "user_id bigint, stage_days int, joined_on date, known_on date, old_user_id bigint"


def on(month: int, day: int) -> dt.date:
    return dt.date(2005, month, day)


def pairs(spark: SparkSession, *old_users: int) -> DataFrame:
    unit = {"user_id": 50, "stage_days": 60, "joined_on": on(3, 1), "known_on": on(4, 30)}
    return frame_of(spark, StructType.fromDDL(PAIRS), [{**unit, "old_user_id": old} for old in old_users])


def test_cells_are_compared_by_time_of_the_week(spark: SparkSession) -> None:
    """1 March 2005 was a Tuesday; 5 March and 5 February were Saturdays."""
    told = [
        # the joiner: in a by day, in b by night, in c at a weekend; what it does later is not known yet
        (50, on(3, 1), "a", 3, 0), (50, on(3, 1), "b", 1, 1), (50, on(3, 5), "c", 4, 0), (50, on(5, 5), "z", 9, 0),
        # 7 was in a by day and in b by day alone, in c at a weekend; in d by night; after the join it is not asked
        (7, on(2, 1), "a", 1, 0), (7, on(2, 1), "b", 2, 0), (7, on(2, 5), "c", 1, 0), (7, on(2, 1), "d", 1, 1), (7, on(3, 2), "b", 1, 1),
        # 8 has calls by night alone; what was long before is not asked
        (8, on(2, 1), "b", 1, 1), (8, on(3, 1) - dt.timedelta(days=SETTINGS.looks_back_days + 1), "a", 9, 0),
    ]  # fmt: skip
    named = ("user_id", "day", "cell_id", "voice_calls", "night_calls")
    places = rows(spark, PLACES, *[dict(zip(named, row, strict=True)) for row in told])
    found = habits.with_places(pairs(spark, 7, 8, 9), places, SETTINGS).collect()
    assert {r.old_user_id: (r.place_overlap, r.night_overlap, r.work_overlap, r.weekend_overlap) for r in found} == {
        7: (1.0, 0.0, 1.0, 1.0), 8: (0.125, 1.0, None, None), 9: (None, None, None, None),
    }  # fmt: skip


def hours(kind: str, **counts: int) -> dict[str, int]:
    """Words of daily.usage of so many events in each hour, named h0 to h23."""
    words: dict[str, int] = {}
    for hour, count in counts.items():
        word, place = divmod(int(hour[1:]), EACH)
        name = f"{kind}_hours_{word}"
        words[name] = words.get(name, 0) + count * LIMIT**place
    return words


def test_hours_are_likelier_under_those_of_the_same_person(spark: SparkSession) -> None:
    used: list[dict[str, Any]] = [
        {"user_id": 50, "day": on(3, 1), **hours("voice_out_calls", h9=2), **hours("sms_out_messages", h21=1)},
        {"user_id": 50, "day": on(5, 1), **hours("voice_out_calls", h3=50)},  # not known yet
        {"user_id": 7, "day": on(2, 9), **hours("voice_out_calls", h9=20, h21=5)},
        {"user_id": 7, "day": on(1, 31), **hours("voice_out_calls", h2=99)},  # before the months that are a habit
        {"user_id": 7, "day": on(2, 1), **hours("sms_out_messages", h21=5)},
        {"user_id": 8, "day": on(2, 1), **hours("voice_out_calls", h12=60)},
        {"user_id": 99, "day": on(4, 1), **hours("voice_out_calls", h9=20, h12=60), **hours("sms_out_messages", h21=10)},
    ]
    found = {r.old_user_id: r.hours_score for r in habits.with_hours(pairs(spark, 7, 8, 9), rows(spark, USAGE, *used)).collect()}
    # the city of the month before: one more in each hour
    city = {9: 21, 21: 11, 12: 61}
    total = sum(city.values()) + 21

    def gain(hour: int, count: int, size: int) -> float:
        return math.log((count * total / city[hour] + 50) / (size + 50))

    assert found[7] == pytest.approx((2 * gain(9, 20, 30) + gain(21, 10, 30)) / math.sqrt(3), abs=1e-6)
    assert found[8] == pytest.approx((2 * gain(9, 0, 60) + gain(21, 0, 60)) / math.sqrt(3), abs=1e-6)
    assert found[7] > 0 > found[8]
    assert found[9] is None


def test_the_register_tells_dealer_plan_and_model(spark: SparkSession) -> None:
    def paper(user: int, told: dt.date, dealer: str | None, plan: str, brand: str) -> dict[str, Any]:
        return {"user_id": user, "delivered_on": told, "dealer_id": dealer, "plan_id": plan, "brand": brand}

    register = rows(
        spark, SUBSCRIBERS,
        paper(50, on(3, 7), "D1", "P1", "mzone"), paper(50, on(4, 7), "D1", "P9", "mzone"),
        paper(7, on(1, 7), "D1", "P9", "mzone"), paper(7, on(2, 7), "D1", "P1", "mzone"), paper(7, on(3, 7), "D1", "P3", "gotone"),
        paper(8, on(3, 7), "D2", "P2", "mzone"), paper(9, on(1, 7), None, "P3", "gotone"), paper(10, on(5, 7), "D1", "P1", "mzone"),
    )  # fmt: skip
    seen = rows(spark, DEVICES, *[{"user_id": u, "day": d, "tac": t} for u, d, t in [
        (50, on(3, 1), "35000000"), (50, on(5, 1), "35000009"), (7, on(2, 1), "35000000"), (8, on(2, 1), "35000009"), (8, dt.date(2004, 9, 9), "35000000"), (9, on(3, 2), "35000000")]])  # fmt: skip
    found = habits.with_register(pairs(spark, 7, 8, 9, 10), register, seen).collect()
    # of 7 the plan before the join counts; 8 was told of late; 9's dealer is not known, and its handset began later; 10 is not known yet
    assert {r.old_user_id: (r.same_dealer, r.plan_shared, r.same_model) for r in found} == {
        7: (True, "plan", True), 8: (False, "brand", False), 9: (None, "none", None), 10: (None, None, None),
    }  # fmt: skip
    without = habits.with_register(pairs(spark, 7), None, seen).collect()
    assert [(r.same_dealer, r.plan_shared, r.same_model) for r in without] == [(None, None, True)]


def test_calls_sent_on_to_the_new_number_by_then(spark: SparkSession) -> None:
    sent = rows(
        spark, FORWARDS, *[{"user_id": u, "day": on(m, 2), "peer_id": p} for u, m, p in [(7, 3, 50), (8, 5, 50), (9, 3, 51)]]
    )
    found = habits.with_forwards(pairs(spark, 7, 8, 9), sent).collect()
    assert {r.old_user_id: r.has_forwarding for r in found} == {7: True, 8: False, 9: False}
    assert [r.has_forwarding for r in habits.with_forwards(pairs(spark, 7), None).collect()] == [None]
