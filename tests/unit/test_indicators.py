"""What single indicators say of small, planted months."""

import datetime as dt
import math
from collections.abc import Collection
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from churnlake.core.contract import Table
from churnlake.core.settings import load
from churnlake.core.testing import rows
from churnlake.indicators import ALL_ITEMS, DAILY, INDICATORS
from churnlake.settings import Settings
from churnlake.tables.clean import VOICE
from churnlake.tables.daily import DEVICES, EDGES, PLACES, USAGE
from churnlake.tables.reference import BILLS, PLANS, RECHARGES, SUBSCRIBERS, SUBSCRIPTIONS
from churnlake.usage import daily
from churnlake.usage.features import features

MAY = dt.date(2005, 5, 1)
NOTHING = {i.name: 0 for i in DAILY if i.merge == "sum"}


def on(day: int, month: int = 5) -> dt.date:
    return dt.date(2005, month, day)


def used(user: int, day: dt.date, **sums: int) -> dict[str, Any]:
    """A day of a user with one own event."""
    return {**NOTHING, "user_id": user, "day": day, "own_events": 1, **sums}


def of_may(
    spark: SparkSession, tables: dict[Table, DataFrame], names: Collection[str], month: dt.date = MAY
) -> dict[int, dict[str, Any]]:
    """By user, the indicators named."""
    given = {EDGES: rows(spark, EDGES), PLACES: rows(spark, PLACES), DEVICES: rows(spark, DEVICES), **tables}
    asked = [i for i in (*INDICATORS, *ALL_ITEMS) if i.name in names]
    assert len(asked) == len(names)
    found = features([month], given, "010", asked).collect()
    return {r.user_id: {name: r[name] for name in names} for r in found}


def of_calls(spark: SparkSession, calls: list[dict[str, Any]], names: Collection[str]) -> dict[int, dict[str, Any]]:
    """By user, the indicators named, from calls made and answered on a Tuesday unless they say otherwise."""
    call = {"direction": "out", "seconds": 60, "day": on(3), "hour": 10, "is_ip": False, "call_class": "local"}
    voice = rows(spark, VOICE, *[{**call, **one} for one in calls])
    made = daily.partials(daily.events({VOICE.name: voice}), load(Settings, "local").usage)
    return of_may(spark, made, names)


def test_calls_by_ip_prefix_are_a_part_of_those_not_local(spark: SparkSession) -> None:
    by_ip = {"is_ip": True, "call_class": "long_distance"}
    found = of_calls(
        spark,
        [
            *[{"number_key": 1, **by_ip}] * 2,
            {"number_key": 1},
            *({"number_key": 2, "call_class": c} for c in ("long_distance", "international", "roaming")),
            {"number_key": 2, "is_ip": True, "call_class": None},
            {"number_key": 3},
        ],
        ["voice_out_calls_ip_share"],
    )
    assert {user: row["voice_out_calls_ip_share"] for user, row in found.items()} == {1: 1.0, 2: 0.25, 3: None}


def test_a_part_is_of_the_calls_it_is_taken_over(spark: SparkSession) -> None:
    dropped = {"number_key": 1, "release_cause": "dropped"}
    hotline = {"number_key": 1, "peer_service": "1860"}
    found = of_calls(
        spark,
        [
            *[{**dropped, "direction": "forwarded"}] * 3,
            {**dropped, "seconds": 0},
            *[dropped, {"number_key": 1, "direction": "in"}],
            *[{**hotline, "seconds": 0}] * 2,
        ],
        ["voice_dropped_share", "hotline_calls_share"],
    )
    assert found[1] == {"voice_dropped_share": 0.5, "hotline_calls_share": 0.5}


def test_what_was_used_of_a_plan_is_of_what_it_includes(spark: SparkSession) -> None:
    names = ["plan_minutes_used_ratio"]
    tables = {
        USAGE: rows(spark, USAGE, used(1, on(3), voice_out_seconds=9000, voice_out_seconds_local=6000)),
        SUBSCRIBERS: rows(spark, SUBSCRIBERS, {"user_id": 1, "delivered_on": on(1), "plan_id": "p"}),
        PLANS: rows(spark, PLANS, {"plan_id": "p", "delivered_on": on(1), "included_minutes": 50}),
    }
    assert of_may(spark, tables, names)[1] == {"plan_minutes_used_ratio": 2.0}


def test_trends_are_told_only_of_who_was_there_all_the_time(spark: SparkSession) -> None:
    """Users 1 and 2 joined in 2003 and begin in March and on the 20th of May; 3 and 4 joined in May; 5 no register knows."""
    usage = [used(1, on(d, m)) for m in (3, 4, 5) for d in (1, 25)] + [used(2, on(20)), used(3, on(28)), used(4, on(2))]
    usage += [used(5, on(1, 3)), used(5, on(30))]
    joined = {1: dt.date(2003, 1, 1), 2: dt.date(2003, 1, 1), 3: on(27), 4: on(1)}
    register = [{"user_id": u, "delivered_on": on(30), "joined_on": day} for u, day in joined.items()]
    names = ["there_days", "own_events_7d_to_30d_ratio", "own_events_30d_to_90d_ratio", "longest_silence_days", "peers_new_share"]
    tables = {USAGE: rows(spark, USAGE, *usage), SUBSCRIBERS: rows(spark, SUBSCRIBERS, *register)}
    tables[EDGES] = rows(spark, EDGES, *[{"day": on(28), "user_id": u, "peer_id": 9, "voice_out_calls": 1} for u in (1, 3)])
    found = {user: tuple(row.values()) for user, row in of_may(spark, tables, names).items()}
    assert found[1] == (90, pytest.approx(30 / 7), 0.6, 23, 1.0)
    assert found[2] == (90, 0.0, 3.0, 11, None)
    assert found[3] == (5, None, None, 3, None)
    assert found[4] == (31, 0.0, None, 29, None)
    assert found[5] == (90, pytest.approx(30 / 7), 3.0, 29, None)
    # the lake's first month: before it nothing is known of anybody
    tables[USAGE] = tables[USAGE].where("day >= '2005-05-01'")
    first = {user: tuple(row.values()) for user, row in of_may(spark, tables, names).items()}
    assert first[1] == (31, pytest.approx(30 / 7), None, 23, None)
    assert first[3] == found[3]


def test_handsets_are_new_where_a_month_before_is_known(spark: SparkSession) -> None:
    seen = [
        {"day": day, "user_id": u, "imei_key": key, "tac": "1"}
        for u, day, key in ((1, on(9, 4), 7), (1, on(9), 8), (2, on(9), 8))
    ]
    usage = [used(1, on(9, 4)), used(1, on(9)), used(2, on(9))]
    found = of_may(spark, {USAGE: rows(spark, USAGE, *usage), DEVICES: rows(spark, DEVICES, *seen)}, ["new_handsets"])
    assert {user: row["new_handsets"] for user, row in found.items()} == {1: 1, 2: None}


def test_a_plan_held_from_the_first_delivery_on_began_nobody_knows_when(spark: SparkSession) -> None:
    told = [(1, on(1, 3), "p"), (1, on(1), "p"), (2, on(1, 3), "p"), (2, on(11), "q"), (3, on(1, 3), None), (3, on(11), "q")]
    register = rows(spark, SUBSCRIBERS, *[{"user_id": u, "delivered_on": day, "plan_id": plan} for u, day, plan in told])
    tables = {USAGE: rows(spark, USAGE, *[used(u, on(3)) for u in (1, 2, 3)]), SUBSCRIBERS: register}
    found = of_may(spark, tables, ["plan_days", "plan_changes"])
    assert {user: tuple(row.values()) for user, row in found.items()} == {1: (None, 0), 2: (20, 1), 3: (None, 0)}


def test_work_is_where_calls_are_on_working_days(spark: SparkSession) -> None:
    """The 3rd of May 2005 is a Tuesday, the 7th a Saturday."""
    calls = [{"number_key": 1, "cell_id": c, "day": on(d), "hour": h} for c, d, h, n in
             (("mall", 7, 11, 3), ("office", 3, 11, 2), ("home", 3, 22, 4)) for _ in range(n)]  # fmt: skip
    calls += [{"number_key": 2, "cell_id": "mall", "day": on(7)}]
    found = of_calls(spark, calls, ["home_cell", "work_cell", "cells_work"])
    assert {user: tuple(row.values()) for user, row in found.items()} == {1: ("home", "office", 1), 2: (None, None, 0)}


def test_last_use_is_looked_for_as_far_back_as_the_last_call(spark: SparkSession) -> None:
    silent = {**used(1, on(3)), "own_events": 0}
    usage = rows(spark, USAGE, used(1, on(20, 4), voice_out_calls=1), silent)
    assert of_may(spark, {USAGE: usage}, ["last_use_days", "last_call_days"])[1] == {"last_use_days": 41, "last_call_days": 41}


def test_nothing_is_0_where_there_is_a_feed_and_null_where_there_is_none(spark: SparkSession) -> None:
    names = [
        "services_fee_yuan",
        "recharge_yuan",
        "recharge_3m_yuan",
        "has_ring_tone",
        "has_had_game",
        "has_begun_news",
        "has_ordered_web",
        "voice_out_calls_to_own",
    ]
    usage = {USAGE: rows(spark, USAGE, used(1, on(3)), used(2, on(3)))}
    feeds = {
        RECHARGES: rows(spark, RECHARGES, {"user_id": 2, "day": on(3, 4), "amount_yuan": 30}),
        SUBSCRIPTIONS: rows(
            spark,
            SUBSCRIPTIONS,
            {"user_id": 2, "service": "game", "started_on": on(3), "delivered_on": on(4), "monthly_fee_yuan": 5},
        ),
    }
    found = of_may(spark, usage | feeds, names)
    assert tuple(found[1].values()) == (0,) * len(names)
    assert tuple(found[2].values()) == (5, 0, 30, 0, 1, 0, 0, 0)
    without = of_may(spark, usage, names)
    assert tuple(without[1].values()) == (None,) * (len(names) - 1) + (0,)


def test_a_service_that_ends_on_the_last_day_ends_in_that_month(spark: SparkSession) -> None:
    ends = [{"user_id": 1, "service": s, "started_on": on(1, 2), "delivered_on": on(20), "ended_on": day}
            for s, day in (("a", on(30, 4)), ("b", on(1)), ("c", on(31)), ("d", on(1, 6)))]  # fmt: skip
    tables = {USAGE: rows(spark, USAGE, used(1, on(3))), SUBSCRIPTIONS: rows(spark, SUBSCRIPTIONS, *ends)}
    assert of_may(spark, tables, ["services_ended"])[1] == {"services_ended": 2}


def test_entropy_of_one_is_not_below_0(spark: SparkSession) -> None:
    # rounding leaves less than 0 of one peer with so many contacts
    n = next(n for n in range(2, 10_000) if math.log(n) - n * math.log(n) / n < 0)
    edges = rows(spark, EDGES, {"day": on(3), "user_id": 1, "peer_id": 2, "voice_out_calls": n})
    usage = rows(spark, USAGE, used(1, on(3), voice_out_calls=n, voice_out_calls_hours_1=n), used(2, on(3)))
    names = ["peer_entropy", "voice_out_hour_entropy"]
    found = of_may(spark, {USAGE: usage, EDGES: edges}, names)
    assert [tuple(found[user].values()) for user in (1, 2)] == [(0.0, 0.0), (None, None)]


def test_fees_and_seconds_are_told_apart_by_way_class_band_and_network(spark: SparkSession) -> None:
    calls = [
        {"fee_yuan": Decimal(1), "call_class": "local", "hour": 5, "peer_network": "own"},
        {"fee_yuan": Decimal(2), "call_class": "long_distance", "hour": 6, "peer_network": "unicom_gsm", "is_ip": True},
        {"fee_yuan": Decimal(4), "call_class": "international", "hour": 17, "peer_network": "international"},
        {"fee_yuan": Decimal(8), "call_class": "roaming", "hour": 23, "peer_network": "phs", "direction": "in", "peer_key": 7},
        {"fee_yuan": Decimal(16), "hour": 23, "peer_network": "fixed", "direction": "forwarded", "forwarded_network": "phs"},
    ]
    expected = {
        "voice_out_fee_yuan": 7, "voice_in_fee_yuan": 8, "forwarded_fee_yuan": 16, "local_fee_yuan": 17, "long_distance_fee_yuan": 2, "international_fee_yuan": 4,
        "roaming_fee_yuan": 8, "ip_fee_yuan": 2, "voice_dawn_fee_yuan": 1, "voice_morning_fee_yuan": 2, "voice_afternoon_fee_yuan": 4, "voice_evening_fee_yuan": 24,
        "voice_own_fee_yuan": 1, "voice_competitor_fee_yuan": 2, "voice_fixed_fee_yuan": 24, "usage_fee_tue_yuan": 31, "usage_fee_sat_yuan": 0, "local_fee_share": 17 / 31,
        "voice_in_seconds_evening": 60, "voice_in_seconds_dawn": 0, "voice_in_seconds_from_phs": 60, "voice_in_seconds_from_own": 0,
        "voice_forwarded_calls_to_phs": 1, "voice_forwarded_calls_to_fixed": 0, "voice_forwarded_calls_to_phs_share": 1.0,
    }  # fmt: skip
    assert of_calls(spark, [{"number_key": 1, **call} for call in calls], list(expected))[1] == expected


def test_arrears_have_a_trend_where_two_bills_are_known(spark: SparkSession) -> None:
    told = [(1, 3, 5), (1, 4, 2), (2, 4, 2), (3, 2, 9), (3, 3, 1)]
    bills = [{"user_id": u, "month": on(1, m), "delivered_on": on(5, m + 1), "arrears_yuan": Decimal(n)} for u, m, n in told]
    tables = {USAGE: rows(spark, USAGE, *[used(u, on(3)) for u in (1, 2, 3)]), BILLS: rows(spark, BILLS, *bills)}
    found = of_may(spark, tables, ["arrears_change_yuan"])
    assert {user: row["arrears_change_yuan"] for user, row in found.items()} == {1: -3, 2: None, 3: None}
