"""Signs and stages of leaving: when each begins and ends, day by day as over a range, and what is told of months."""

import datetime as dt
import math

import pytest
from pyspark.sql import DataFrame, SparkSession

from churnlake.churn import falls, signs, stages
from churnlake.churn.settings import FallSettings
from churnlake.core.runs import Days
from churnlake.core.settings import load
from churnlake.core.testing import rows
from churnlake.settings import Settings
from churnlake.tables.churn import LEAVINGS
from churnlake.tables.daily import USAGE
from churnlake.tables.features import MONTHLY
from churnlake.tables.reference import BILLS, SUBSCRIBERS
from churnlake.tables.stages import FORECASTS, NORMALS, SIGNS, SIGNS_SEEN, STAGES, STAGES_AT_END

SETTINGS = load(Settings, "local").churn
FALL = SETTINGS.signs.fall


def on(month: int, day: int) -> dt.date:
    return dt.date(2005, month, day)


def use(spark: SparkSession, *days: dict[str, object]) -> DataFrame:
    return rows(spark, USAGE, *[{"own_events": 1, **day} for day in days])


def steady(user: int, first: dt.date, last: dt.date, events: int, every: int = 1) -> list[dict[str, object]]:
    """So many own events on every so many-th day."""
    days = (last - first).days + 1
    return [{"user_id": user, "day": first + dt.timedelta(days=i), "own_events": events} for i in range(0, days, every)]


def seen(frame: DataFrame) -> set[tuple[object, ...]]:
    return {(r.known_on, r.user_id, r.sign, r.is_seen, r.since) for r in frame.collect()}


def staged(frame: DataFrame) -> set[tuple[object, ...]]:
    return {(r.known_on, r.user_id, r.stage_before, r.stage, r.moved_by, r.since) for r in frame.collect()}


def test_events_count_for_thirty_days_after_the_last(spark: SparkSession) -> None:
    usage = use(
        spark,
        {"user_id": 1, "day": on(3, 1), "voice_forwarded_calls_to_unicom_gsm": 1},
        {"user_id": 1, "day": on(3, 31), "voice_forwarded_calls_to_unicom_cdma": 2},
        {"user_id": 2, "day": on(3, 5), "voice_out_calls_to_competitor_hotline": 1},
        {"user_id": 3, "day": on(3, 5), "voice_forwarded_calls_to_own": 9},
    )
    found = seen(signs.signs(usage, None, None, None, None, Days(on(3, 1), on(5, 15)), SETTINGS))
    assert found == {
        # seen again on the very day it would have ended
        (on(3, 1), 1, "forwarding", True, on(3, 1)),
        (on(4, 30), 1, "forwarding", False, on(4, 30)),
        (on(3, 5), 2, "hotline", True, on(3, 5)),
        (on(4, 4), 2, "hotline", False, on(4, 4)),
    }


def test_registers_tell_of_suspensions_cancel_orders_to_come_and_debts(spark: SparkSession) -> None:
    subscribers = rows(
        spark,
        SUBSCRIBERS,
        {"user_id": 1, "delivered_on": on(3, 4), "status": "suspended", "status_since": on(3, 2)},
        {"user_id": 1, "delivered_on": on(3, 18), "status": "active", "status_since": on(3, 17)},
        {"user_id": 2, "delivered_on": on(3, 4), "status": "active", "left_on": on(3, 31)},
        {"user_id": 3, "delivered_on": on(3, 4), "status": "cancelled", "left_on": on(3, 2)},
    )
    bills = rows(
        spark,
        BILLS,
        {"user_id": 4, "month": on(2, 1), "delivered_on": on(3, 3), "arrears_yuan": 80},
        {"user_id": 4, "month": on(3, 1), "delivered_on": on(4, 3), "arrears_yuan": 90},
        {"user_id": 4, "month": on(4, 1), "delivered_on": on(5, 3), "arrears_yuan": 0},
        {"user_id": 5, "month": on(2, 1), "delivered_on": on(3, 3), "arrears_yuan": 5},
        {"user_id": 6, "month": on(2, 1), "delivered_on": on(3, 3)},
    )
    found = seen(signs.signs(use(spark), None, subscribers, bills, None, Days(on(3, 1), on(5, 31)), SETTINGS))
    assert found == {
        (on(3, 4), 1, "suspended", True, on(3, 2)),
        (on(3, 18), 1, "suspended", False, on(3, 18)),
        (on(3, 4), 2, "suspended", True, on(3, 4)),
        (on(3, 3), 4, "arrears", True, on(3, 1)),
        (on(5, 3), 4, "arrears", False, on(5, 3)),
    }


def test_what_stands_when_signs_are_first_looked_for_appears_on_the_first_day(spark: SparkSession) -> None:
    subscribers = rows(
        spark,
        SUBSCRIBERS,
        {"user_id": 1, "delivered_on": on(1, 7), "status": "suspended", "status_since": on(1, 5)},
        {"user_id": 2, "delivered_on": on(1, 7), "status": "suspended"},
        {"user_id": 2, "delivered_on": on(2, 7), "status": "active"},
    )
    usage = use(spark, {"user_id": 3, "day": on(2, 20), "voice_out_calls_to_competitor_hotline": 1})
    found = seen(signs.signs(usage, None, subscribers, None, None, Days(on(3, 1), on(3, 31)), SETTINGS))
    assert found == {
        (on(3, 1), 1, "suspended", True, on(1, 5)),
        (on(3, 1), 3, "hotline", True, on(2, 20)),
        (on(3, 22), 3, "hotline", False, on(3, 22)),
    }


def test_normal_use_is_that_of_whole_weeks_and_as_irregular_as_they_are(spark: SparkSession) -> None:
    by_bouts = [
        day for i in range(0, 12, 2) for day in steady(2, on(1, 7) + dt.timedelta(weeks=i), on(1, 13) + dt.timedelta(weeks=i), 4)
    ]
    usage = use(
        spark,
        *steady(1, on(1, 1), on(3, 31), 2),
        *by_bouts,
        # there for four weeks and three days; for three
        *steady(3, on(3, 1), on(3, 31), 1),
        *steady(4, on(3, 11), on(3, 31), 1),
        {"user_id": 5, "day": on(2, 1), "own_events": 0},
    )
    found = {r.user_id: r for r in falls.normals(usage, [on(3, 1)], FALL).collect()}
    assert {user: (r.days, r.own_events) for user, r in found.items()} == {1: (84, 168), 2: (84, 168), 3: (28, 28)}
    # weeks of 28 and of none: their variance, 12 * 14^2 / 11, over their mean of 14
    assert found[1].dispersion == found[3].dispersion == 1.0
    assert found[2].dispersion == pytest.approx(12 * 14 / 11, abs=1e-6)


def below(found: int, exposure: float, normal: int, dispersion: float) -> float:
    """Huffman's statistic in plain Python."""
    a, b = found / dispersion + 3 / 8, normal / dispersion + 3 / 8
    return 2 * (math.sqrt(a) - math.sqrt(exposure * b)) / math.sqrt(1 + exposure)


def test_use_falls_where_chance_can_not_be_why_and_is_back_at_seven_tenths(spark: SparkSession) -> None:
    first, last = on(4, 28), on(6, 30)
    # the city goes on as ever, so that nothing is excused
    city = [day for user in range(100, 103) for day in steady(user, on(1, 1), last, 9000)]
    usage = use(
        spark,
        *city,
        *steady(1, on(1, 1), on(4, 30), 4),  # falls silent
        *steady(2, on(1, 1), on(4, 30), 1, every=7),  # once a week: silence of a week or four says nothing
        *[*steady(3, on(1, 1), on(5, 5), 4), *steady(3, on(5, 13), last, 4)],  # away for a week
        *[*steady(4, on(1, 1), on(4, 30), 40), *steady(4, on(5, 1), last, 30)],  # a certain fall, but a small one
    )
    known = falls.normals(usage, [on(3, 1), on(4, 1)], FALL)
    # the normal use compared with is that of March up to 27 May, then April's, which ended 28 days before
    assert falls.stretches(Days(first, last), FALL) == [
        (on(3, 1), Days(first, on(5, 27))),
        (on(4, 1), Days(on(5, 28), on(6, 27))),
        (on(5, 1), Days(on(6, 28), last)),
    ]
    found = {(r.user_id, r.day): r.is_seen for r in falls.marks(usage, known, Days(first, on(6, 20)), FALL).collect()}
    fell = {user: sorted(day for (u, day), is_seen in found.items() if u == user and is_seen) for user in (1, 2, 3, 4)}
    assert fell[2] == fell[4] == []
    # four a day: of a week 16 and 12 are left on the 3rd and 4th of May
    assert below(16, 7 / 84, 336, 1) > -3.3 >= below(12, 7 / 84, 336, 1)
    assert fell[1][0] == on(5, 4)
    assert fell[1][-1] == on(6, 20)
    assert fell[3] == [on(5, day) for day in range(9, 16)]
    assert found[(3, on(5, 20))] is False, "21 of 28 days are left, more than seven tenths"
    assert (1, on(5, 12)) in found
    assert all(not is_seen for (user, _), is_seen in found.items() if user >= 100)


def test_who_got_used_to_less_is_not_back(spark: SparkSession) -> None:
    last = on(11, 30)
    city = [day for user in range(100, 103) for day in steady(user, on(1, 1), last, 9000)]
    # one a day in place of four from May on, and in the end four again
    faded = [*steady(1, on(1, 1), on(5, 1), 4), *steady(1, on(5, 1), on(9, 1), 1), *steady(1, on(9, 1), last, 4)]
    usage = use(spark, *city, *faded)
    known = falls.normals(usage, [on(month, 1) for month in range(3, 10)], FALL)

    def back(days: Days, settings: FallSettings) -> list[dt.date]:
        marks = falls.marks(usage, known, days, settings).where("user_id = 1 AND NOT is_seen")
        return sorted(row.day for row in marks.collect())

    # by July's end twelve weeks of one a day are what is normal, but March was better
    late = Days(on(8, 29), on(9, 30))
    own_only, half_a_year = (FALL.model_copy(update={"back_months": months}) for months in (1, 6))
    assert back(late, own_only)[0] == on(8, 29)
    # 4 x 28 x 0.7 = 78.4: of 28 days 17 with four and 11 with one are 79
    assert back(late, half_a_year)[0] == on(9, 17)


def test_what_the_whole_city_does_less_is_nobodys_fall(spark: SparkSession) -> None:
    away = (on(5, 1), on(5, 8))
    usage = use(
        spark,
        *[day for user in range(1, 30) for day in [*steady(user, on(1, 1), away[0], 4), *steady(user, away[1], on(5, 20), 4)]],
    )
    known = falls.normals(usage, [on(3, 1)], FALL)
    found = falls.marks(usage, known, Days(on(4, 28), on(5, 20)), FALL)
    assert found.where("is_seen").count() == 0


def test_a_range_of_days_gives_the_signs_of_its_days_one_by_one(spark: SparkSession) -> None:
    usage = use(
        spark,
        *steady(1, on(1, 1), on(4, 30), 4),
        *steady(2, on(1, 1), on(5, 31), 4),
        {"user_id": 3, "day": on(4, 29), "voice_out_calls_to_competitor_hotline": 1},
        {"user_id": 2, "day": on(6, 2), "voice_forwarded_calls_to_unicom_gsm": 1},
        {"user_id": 3, "day": on(5, 30), "voice_out_calls_to_competitor_hotline": 1},
    ).localCheckpoint()  # fmt: skip
    known = falls.normals(usage, [on(3, 1), on(4, 1)], FALL).localCheckpoint()
    days = Days(on(4, 28), on(6, 5))
    every = seen(signs.signs(usage, known, None, None, None, days, SETTINGS))
    assert {(sign, is_seen) for _, _, sign, is_seen, _ in every} == {
        ("use_fell", True),
        ("hotline", True),
        ("hotline", False),
        ("forwarding", True),
    }
    told = rows(spark, SIGNS).localCheckpoint()
    # in three runs, and a day of its own
    for part in (Days(on(4, 28), on(5, 10)), Days(on(5, 11), on(5, 11)), Days(on(5, 12), on(5, 29)), Days(on(5, 30), on(6, 5))):
        past = usage.where(f"day <= '{part.last}'")
        told = told.unionByName(signs.signs(past, known, None, None, told, part, SETTINGS)).localCheckpoint()
    assert seen(told) == every


def forecasts(spark: SparkSession, *made: dict[str, object]) -> DataFrame:
    return rows(spark, FORECASTS, *[{"forecast": "fall", "probability": 0.4, "is_warned": True, **row} for row in made])


def test_stages_follow_signs_forecasts_and_leavings(spark: SparkSession) -> None:
    told = rows(
        spark,
        SIGNS,
        {"known_on": on(3, 3), "user_id": 1, "sign": "hotline", "is_seen": True, "since": on(3, 3)},
        {"known_on": on(3, 9), "user_id": 1, "sign": "forwarding", "is_seen": True, "since": on(3, 9)},
        {"known_on": on(4, 2), "user_id": 1, "sign": "hotline", "is_seen": False, "since": on(4, 2)},
        {"known_on": on(4, 8), "user_id": 1, "sign": "forwarding", "is_seen": False, "since": on(4, 8)},
        {"known_on": on(3, 20), "user_id": 2, "sign": "use_fell", "is_seen": True, "since": on(3, 14)},
        {"known_on": on(3, 20), "user_id": 3, "sign": "arrears", "is_seen": True, "since": on(3, 1)},
        {"known_on": on(3, 20), "user_id": 3, "sign": "suspended", "is_seen": True, "since": on(3, 18)},
    )
    made = forecasts(
        spark,
        {"known_on": on(2, 28), "user_id": 2},
        {"known_on": on(2, 28), "user_id": 4, "forecast": "stop"},
        {"known_on": on(3, 31), "user_id": 5, "forecast": "cancel"},
        {"known_on": on(3, 31), "user_id": 6, "is_warned": False},
    )
    left = rows(
        spark,
        LEAVINGS,
        {"user_id": 2, "leave_on": on(3, 20), "known_on": on(5, 19), "kind": "silent"},
        {"user_id": 7, "leave_on": on(3, 5), "known_on": on(3, 7), "kind": "cancelled"},
    )
    usage = use(spark, {"user_id": 7, "day": on(3, 6)}, {"user_id": 7, "day": on(4, 20)}, {"user_id": 1, "day": on(4, 20)})
    days = Days(on(3, 1), on(6, 30))
    every = staged(stages.changes(told, made, left, usage, None, days, 60))
    assert every == {
        (on(3, 3), 1, "healthy", "alarm", "hotline", on(3, 3)),
        (on(4, 8), 1, "alarm", "healthy", "quiet", on(4, 8)),
        # warned of before the run began: in the warning stage from its first day on
        (on(3, 1), 2, "healthy", "warning", "fall", on(2, 28)),
        (on(3, 20), 2, "warning", "alarm", "use_fell", on(3, 14)),
        (on(5, 19), 2, "alarm", "churned", "silent", on(3, 20)),
        (on(3, 20), 3, "healthy", "alarm", "suspended", on(3, 18)),
        # the next forecast does not warn of user 4; after the last one sixty days end it
        (on(3, 1), 4, "healthy", "warning", "stop", on(2, 28)),
        (on(3, 31), 4, "warning", "healthy", "quiet", on(3, 31)),
        (on(3, 31), 5, "healthy", "warning", "cancel", on(3, 31)),
        (on(5, 30), 5, "warning", "healthy", "quiet", on(5, 30)),
        (on(3, 7), 7, "healthy", "churned", "cancelled", on(3, 5)),
        (on(4, 20), 7, "churned", "healthy", "use", on(4, 20)),
    }
    known = rows(spark, STAGES).localCheckpoint()
    for part in (
        Days(on(3, 1), on(3, 6)),
        Days(on(3, 7), on(3, 7)),
        Days(on(3, 8), on(3, 30)),
        Days(on(3, 31), on(5, 18)),
        Days(on(5, 19), on(6, 30)),
    ):
        upto = f"<= '{part.last}'"
        one = stages.changes(
            told.where(f"known_on {upto}"), made.where(f"known_on {upto}"), left.where(f"known_on {upto}"),
            usage.where(f"day {upto}"), known, part, 60,
        )  # fmt: skip
        known = known.unionByName(one).localCheckpoint()
    assert staged(known) == every


def test_transitions_count_everybody_there_and_lead_times_every_leaver(spark: SparkSession) -> None:
    known = rows(
        spark,
        STAGES,
        *[
            {"known_on": day, "user_id": user, "stage": stage, "stage_before": "healthy", "moved_by": "quiet", "since": day}
            for user, day, stage in (
                (1, on(1, 10), "alarm"), (1, on(1, 15), "healthy"), (1, on(1, 20), "warning"), (1, on(2, 5), "alarm"), (1, on(4, 10), "churned"),
                (2, on(1, 10), "alarm"), (2, on(1, 31), "healthy"), (2, on(4, 10), "churned"),
                (3, on(2, 20), "alarm"), (3, on(4, 10), "churned"),
                (4, on(3, 1), "churned"), (4, on(4, 20), "healthy"), (9, on(2, 1), "churned"),
            )
        ],
    )  # fmt: skip
    features = rows(
        spark,
        MONTHLY,
        *[{"month": on(3, 1), "user_id": user} for user in (1, 2, 5, 6)],
        *[{"month": on(4, 1), "user_id": user} for user in (5, 7)],
    )
    assert stages.transitions(known, features, [on(3, 1)]).count() == 0, "nobody knows who was there in February"
    found = {(r.from_stage, r.to_stage): r.users for r in stages.transitions(known, features, [on(4, 1)]).collect()}
    # 9 left long ago; 7 is new; 6 has no record any more, and nothing else is told of it
    assert found == {
        ("alarm", "churned"): 2, ("healthy", "churned"): 1, ("churned", "healthy"): 1, ("healthy", "healthy"): 2, ("new", "healthy"): 1,
    }  # fmt: skip
    left = rows(
        spark,
        LEAVINGS,
        *[
            {"user_id": user, "leave_on": day, "known_on": on(4, 10)}
            for user, day in ((1, on(2, 9)), (2, on(2, 9)), (3, on(2, 9)), (8, on(2, 9)))
        ],
    )
    (row,) = stages.lead_times(known, left, [on(4, 1), on(5, 1)]).collect()
    # 1 since 20 January without a break, though it was in alarm before; 2 was calm again; 3 was seen too late
    assert (row.month, row.leavers, row.warned, row.low_days, row.median_days, row.high_days, row.warned_median_days) == (
        on(4, 1),
        4,
        1,
        0.0,
        0.0,
        5.0,
        20.0,
    )


def test_a_months_end_tells_the_stage_and_the_signs_of_then(spark: SparkSession) -> None:
    def moved(user: int, day: dt.date, stage: str, before: str) -> dict[str, object]:
        return {"user_id": user, "known_on": day, "stage": stage, "stage_before": before, "moved_by": "forwarding", "since": day}

    def shown(user: int, day: dt.date, sign: str, is_seen: bool = True) -> dict[str, object]:
        return {"user_id": user, "known_on": day, "sign": sign, "is_seen": is_seen, "since": day}

    known = rows(
        spark, STAGES, moved(1, on(4, 20), "alarm", "healthy"), moved(3, on(4, 3), "alarm", "healthy"), moved(3, on(4, 25), "healthy", "alarm"),
        moved(4, on(5, 2), "alarm", "healthy"), moved(5, on(3, 31), "warning", "healthy"),
    )  # fmt: skip
    signs_of = rows(
        spark, SIGNS, shown(1, on(4, 20), "forwarding"), shown(1, on(4, 28), "arrears"), shown(3, on(4, 3), "hotline"),
        shown(3, on(4, 25), "hotline", False), shown(4, on(5, 2), "forwarding"),
    )  # fmt: skip
    months = [on(4, 1), on(5, 1)]
    there = rows(spark, MONTHLY, *[{"month": month, "user_id": user} for month in months for user in (1, 2, 3, 4, 5)])
    found = stages.at_ends(known, signs_of, there, months)
    assert found.columns == STAGES_AT_END.names
    told = {
        (r.month.month, r.user_id): (r.stage_rank, r.stage_days, [name for name in SIGNS_SEEN if r[f"sign_{name}"]])
        for r in found.collect()
    }
    assert told == {
        (4, 1): (2, 10, ["forwarding", "arrears"]), (5, 1): (2, 41, ["forwarding", "arrears"]), (4, 2): (0, 0, []), (5, 2): (0, 0, []),
        (4, 3): (0, 0, []), (5, 3): (0, 0, []), (4, 4): (0, 0, []), (5, 4): (2, 29, ["forwarding"]), (4, 5): (1, 30, []), (5, 5): (1, 61, []),
    }  # fmt: skip


def test_without_normals_or_forecasts_what_is_left_is_told(spark: SparkSession) -> None:
    assert falls.marks(use(spark), rows(spark, NORMALS), Days(on(1, 1), on(1, 2)), FALL).count() == 0
    none = stages.changes(rows(spark, SIGNS), None, rows(spark, LEAVINGS), use(spark), None, Days(on(1, 1), on(1, 31)), 60)
    assert none.columns == STAGES.names
    assert none.count() == 0
