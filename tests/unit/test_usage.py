"""Clean records to daily partials to features: small cases with known answers."""

import datetime as dt
import math
import random
from collections import Counter
from collections.abc import Collection
from decimal import Decimal
from typing import Any

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import DecimalType

from churnlake.core.contract import Indicator, Table
from churnlake.core.runs import Days
from churnlake.core.settings import load
from churnlake.core.testing import rows
from churnlake.indicators import ALL_ITEMS, DAILY, INDICATORS
from churnlake.settings import Settings
from churnlake.tables.clean import SMS, VOICE, WAP
from churnlake.tables.daily import DEVICES, EDGES, PLACES, USAGE
from churnlake.tables.reference import BILLS, CELLS, LIVES, RECHARGES, SUBSCRIBERS, SUBSCRIPTIONS
from churnlake.usage import daily
from churnlake.usage.features import features
from churnlake.usage.sql import by_kind, counted


def at(day: int, hour: int = 4) -> dt.datetime:
    return dt.datetime(2005, 5, day, hour, tzinfo=dt.UTC)


def on(day: int, month: int = 5) -> dt.date:
    return dt.date(2005, month, day)


@pytest.fixture(scope="module")
def lives(spark: SparkSession) -> DataFrame:
    """Number 10: user 1 till the 10th, user 2 from the 20th. Number 30: user 3."""
    never = dt.datetime(9999, 12, 31, tzinfo=dt.UTC)
    return rows(
        spark, LIVES,
        {"number_key": 10, "user_id": 1, "valid_from": at(1, 0), "valid_to": at(10, 0)},
        {"number_key": 10, "user_id": 2, "valid_from": at(20, 0), "valid_to": never},
        {"number_key": 30, "user_id": 3, "valid_from": at(1, 0), "valid_to": never},
    )  # fmt: skip


def test_daily_sums_of_money_are_of_one_machine_word(spark: SparkSession) -> None:
    """A sum of more than 18 digits is of big integers: five times the work."""
    usage = daily.usage(daily.events({VOICE.name: rows(spark, VOICE, {"number_key": 1})}))
    fees = {f.name: f.dataType.precision for f in usage.schema.fields if isinstance(f.dataType, DecimalType)}
    assert len(fees) == 20
    assert max(fees.values()) <= 18


def test_formulas_say_the_same_put_for_speed() -> None:
    assert counted("count_if(a > (b + 1))") == "count(1) filter (where a > (b + 1))"
    assert counted("count_if(a) / nullif(count_if(b), 0)") == "count_if(a) / nullif(count_if(b), 0)"
    made, call = "service = 'voice' and direction = 'out' and seconds > 0", "service = 'voice'"
    given = {
        "night": f"count({made} and hour < 6)",
        "all": f"count({made})",
        "fees": f"sum(if({call}, fee, 0))",
        "half": f"count({made}.5)",
    }
    kinds, formulas = by_kind(given)
    assert [*kinds.values()] == [made, call, made.removesuffix(" and seconds > 0")]
    assert formulas["night"] == "count(kind_0 and hour < 6)"
    for kind, condition in kinds.items():
        formulas = {name: formula.replace(kind, condition) for name, formula in formulas.items()}
    assert formulas == given


def test_a_recycled_number_is_two_users_and_two_peers(spark: SparkSession, lives: DataFrame) -> None:
    call = {"direction": "out", "seconds": 60, "peer_network": "own"}
    voice = rows(
        spark, VOICE,
        {**call, "number_key": 10, "peer_key": 30, "day": on(5), "started_at": at(5)},
        {**call, "number_key": 10, "peer_key": 30, "day": on(25), "started_at": at(25)},
        {**call, "number_key": 10, "peer_key": 30, "day": on(15), "started_at": at(15)},  # nobody's then
        {**call, "number_key": 30, "peer_key": 10, "day": on(5), "started_at": at(5), "direction": "in"},
        {**call, "number_key": 30, "peer_key": 10, "day": on(25), "started_at": at(25), "direction": "in"},
        {**call, "number_key": 30, "peer_key": 99, "day": on(25), "started_at": at(25)},  # no user of ours
    )  # fmt: skip
    holders = daily.Holders(lives, Days(on(5), on(25)), "Asia/Shanghai")
    events = daily.held(daily.events({VOICE.name: voice}), holders)
    found = {(r.day.day, r.user_id): r.voice_out_calls for r in daily.usage(events, holders).collect()}
    assert found == {(5, 1): 1, (25, 2): 1, (15, 10): 1, (5, 3): 0, (25, 3): 1}
    edges = {(r.day.day, r.user_id, r.peer_id) for r in daily.edges(events, holders).collect()}
    assert edges == {(5, 1, 3), (25, 2, 3), (15, 10, 3), (5, 3, 1), (25, 3, 2), (25, 3, 99)}


def test_whom_calls_are_sent_on_to_is_named_as_peers_are(spark: SparkSession, lives: DataFrame) -> None:
    sent = {"direction": "forwarded", "seconds": 60, "peer_key": 99, "number_key": 30}
    voice = rows(
        spark, VOICE,
        {**sent, "forwarded_key": 10, "day": on(5), "started_at": at(5)}, {**sent, "forwarded_key": 10, "day": on(5), "started_at": at(5, 20)},
        {**sent, "forwarded_key": 10, "day": on(25), "started_at": at(25)}, {**sent, "forwarded_key": 77, "day": on(25), "started_at": at(25)},
        {**sent, "forwarded_key": 30, "day": on(25), "started_at": at(25)},  # to itself
        {**sent, "forwarded_key": None, "day": on(25), "started_at": at(25)}, {**sent, "direction": "in", "day": on(25), "started_at": at(25)},
    )  # fmt: skip
    holders = daily.Holders(lives, Days(on(5), on(25)), "Asia/Shanghai")
    events = daily.held(daily.events({VOICE.name: voice}), holders)
    found = {(r.day.day, r.user_id, r.peer_id): r.calls for r in daily.forwards(events, holders).collect()}
    assert found == {(5, 3, 1): 2, (25, 3, 2): 1, (25, 3, 77): 1}


def test_naming_once_a_day_equals_looking_up_every_record(spark: SparkSession) -> None:
    """Numbers that change hands before, within and after the run, on a midnight and within a day, against a plain look-up."""
    dice, zone, never = random.Random(7), "Asia/Shanghai", dt.datetime(9999, 12, 31, tzinfo=dt.UTC)
    held: list[dict[str, Any]] = []
    for number in range(1, 31):
        moment = at(1, 0) - dt.timedelta(days=dice.randrange(20))
        while dice.random() < 0.8:
            # the city's midnight is 16:00 UTC of the day before
            moment += dt.timedelta(days=dice.randrange(8), hours=dice.choice([0, 0, 5, 16]))
            until = moment + dt.timedelta(days=dice.randrange(1, 12), hours=dice.choice([0, 16]))
            held.append(
                {
                    "user_id": 1000 + len(held),
                    "number_key": number,
                    "valid_from": moment,
                    "valid_to": dice.choice([until, until, never]),
                }
            )
            if held[-1]["valid_to"] == never:
                break
            moment = until
    calls = []
    for _ in range(600):
        started = at(4, 0) + dt.timedelta(seconds=dice.randrange(10 * 86_400))
        local = started + dt.timedelta(hours=8)
        calls.append({"number_key": dice.randrange(1, 33), "peer_key": dice.randrange(1, 40), "started_at": started, "day": local.date(), "hour": local.hour,
                      "direction": dice.choice(["out", "in"]), "seconds": 9, "cell_id": dice.choice("ab"), "imei_key": dice.randrange(3), "tac": "1"})  # fmt: skip

    def user(key: int, started: dt.datetime) -> int:
        return next((h["user_id"] for h in held if h["number_key"] == key and h["valid_from"] <= started < h["valid_to"]), key)

    lives, events = rows(spark, LIVES, *held), daily.events({VOICE.name: rows(spark, VOICE, *calls)})
    holders = daily.Holders(lives, Days(min(c["day"] for c in calls), max(c["day"] for c in calls)), zone)
    told = daily.held(events, holders)
    expected = Counter((c["day"], user(c["number_key"], c["started_at"])) for c in calls)
    made = daily.usage(told, holders).selectExpr("day", "user_id", "voice_out_calls + voice_in_calls AS calls").collect()
    assert {(r.day, r.user_id): r.calls for r in made} == expected
    assert len(made) == len(expected)
    settings = load(Settings, "local").usage
    for frame in (daily.places(told, settings, holders), daily.devices(told, holders)):
        sums = frame.groupBy("day", "user_id").sum("voice_calls").collect()
        assert {(r.day, r.user_id): r[2] for r in sums} == expected
    met = daily.edges(told, holders).groupBy("day", "user_id").agg({"voice_out_calls": "sum", "voice_in_calls": "sum"}).collect()
    others = Counter((c["day"], user(c["number_key"], c["started_at"])) for c in calls if c["peer_key"] != c["number_key"])
    assert {(r.day, r.user_id): r[2] + r[3] for r in met} == others


def test_a_fee_let_through_with_a_warning_moves_no_sum(spark: SparkSession) -> None:
    call = {"number_key": 1, "peer_key": 2, "direction": "out", "seconds": 60, "day": on(5), "started_at": at(5)}
    voice = rows(spark, VOICE, *[{**call, "fee_yuan": Decimal(fee)} for fee in ("-5.00", "0.40", "99999.00")])
    found = daily.usage(daily.events({VOICE.name: voice})).collect()
    assert [(row.voice_out_calls, row.usage_fee_yuan) for row in found] == [(3, Decimal("0.40"))]


def test_daily_sums_equal_the_records_whatever_their_order(spark: SparkSession) -> None:
    voice = rows(
        spark, VOICE,
        *[{"number_key": 1, "peer_key": p, "direction": d, "seconds": s, "hour": h, "day": on(1), "call_class": c, "peer_service": v}
          for p, d, s, h, c, v in [(7, "out", 30, 3, "local", None), (7, "in", 0, 9, "local", None), (8, "out", 700, 21, "long_distance", None), (9, "out", 20, 13, "local", "1860"), (7, "forwarded", 5, 1, None, None)]],
    )  # fmt: skip
    sms = rows(
        spark,
        SMS,
        {"number_key": 1, "peer_key": 7, "direction": "out", "day": on(1), "hour": 8},
        {"number_key": 1, "peer_key": None, "direction": "in", "day": on(1)},
    )
    wap = rows(spark, WAP, {"number_key": 1, "bytes": 100, "seconds": 9, "day": on(1)})
    events = daily.events({VOICE.name: voice, SMS.name: sms, WAP.name: wap})
    found = daily.usage(events).first()
    assert found is not None
    expected = {
        "voice_out_calls": 3, "voice_in_calls": 0, "voice_in_missed_calls": 1, "voice_out_seconds": 750, "voice_out_long_calls": 1, "voice_out_calls_hours_1": 1,
        "voice_out_calls_hours_4": 1 << 20, "voice_out_calls_hours_7": 1, "voice_out_calls_long_distance": 1, "voice_out_calls_to_hotline": 1, "voice_forwarded_calls": 1,
        "sms_out_messages": 1, "sms_in_messages": 1, "wap_sessions": 1, "wap_bytes": 100, "own_events": 5,
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected
    assert_df_equality(daily.usage(events.repartition(3)), daily.usage(events), ignore_row_order=True, ignore_nullable=True)
    # hotline, withheld peer and unanswered calls make no edge
    assert [
        (r.peer_id, r.voice_out_calls, r.voice_in_calls, r.message_out) for r in daily.edges(events).orderBy("peer_id").collect()
    ] == [(7, 1, 0, 1), (8, 1, 0, 0)]


def month_of(
    spark: SparkSession, tables: dict[Table, DataFrame], months: list[dt.date], names: Collection[str]
) -> dict[tuple[int, int], dict[str, object]]:
    given = {PLACES: rows(spark, PLACES), DEVICES: rows(spark, DEVICES), **tables}
    found = features(months, given, "010", [i for i in INDICATORS if i.name in names])
    return {(r.month.month, r.user_id): r.asDict() for r in found.collect()}


def test_months_are_sums_of_days_and_look_back_but_never_ahead(spark: SparkSession) -> None:
    usage = rows(spark, USAGE, *[{"day": on(d, m), "user_id": 1, **{i.name: 0 for i in DAILY if i.merge == 'sum'}, "own_events": n, "voice_out_calls": n, "usage_fee_yuan": 2}
                                 for d, m, n in [(10, 4, 4), (3, 5, 2), (13, 5, 0), (25, 5, 1), (1, 6, 50)]])  # fmt: skip
    edges = rows(spark, EDGES, *[{"day": on(d, m), "user_id": 1, "peer_id": p, "peer_network": "own", "voice_out_calls": n, "voice_in_calls": i}
                                 for d, m, p, n, i in [(10, 4, 7, 4, 0), (3, 5, 7, 2, 0), (25, 5, 8, 1, 1), (1, 6, 9, 50, 0)]])  # fmt: skip
    subscribers = rows(
        spark,
        SUBSCRIBERS,
        {"user_id": 1, "delivered_on": on(1), "brand": "gotone", "plan_id": "p", "joined_on": on(1, 4)},
        {"user_id": 1, "delivered_on": on(1, 6), "brand": "mzone", "joined_on": on(1, 4)},
    )
    given = {USAGE: usage, EDGES: edges, SUBSCRIBERS: subscribers}
    expected = {
        "own_events": 3, "active_days": 3, "own_days": 2, "last_use_days": 6, "longest_silence_days": 21, "own_events_to_before_ratio": 0.75,
        "own_events_7d": 1, "own_events_30d": 3, "own_events_90d": 7, "own_events_to_plan_ratio": 1.0, "voice_out_calls_sun": 0, "voice_out_calls_wed": 1,
        "peers": 2, "peers_new": 1, "peers_lost": 0, "peers_both_ways": 1, "peer_top1_share": 0.5, "brand": "gotone", "tenure_days": 60, "cells": 0, "recharges": None,
    }  # fmt: skip
    names = {*expected, "fee_mean_3m_yuan"}
    may = month_of(spark, given, [on(1)], names)[(5, 1)]
    assert {name: may[name] for name in expected} == expected
    assert may["fee_mean_3m_yuan"] == Decimal("4.00")  # (2 + 6) / 2: the user was not there in March
    # what comes after May cannot move May
    before = {table: frame.where(f"{table.at} < '2005-06-01'") for table, frame in given.items()}
    assert month_of(spark, before, [on(1)], names)[(5, 1)] == may
    # and May is the same built alone or with others
    several = month_of(spark, given, [on(1, 4), on(1), on(1, 6)], names)
    assert several[(5, 1)] == may
    assert several[(4, 1)]["peers_lost"] == 0, "whom the user no longer met is known in May only"
    assert several[(6, 1)]["peers_lost"] == 2


def test_what_has_no_value_is_null_and_never_a_number_that_is_none(spark: SparkSession) -> None:
    """A user with a record and nothing else: no share of nothing, no NaN, no infinity."""
    usage = rows(
        spark,
        USAGE,
        {"day": on(3), "user_id": 1},
        {"day": on(9), "user_id": 2, "usage_fee_yuan": Decimal("9999999999.99"), "voice_out_calls": 1 << 40},
    )
    tables = {USAGE: usage, EDGES: rows(spark, EDGES), PLACES: rows(spark, PLACES), DEVICES: rows(spark, DEVICES)}
    found = features([on(1)], tables, "010", (*INDICATORS, *ALL_ITEMS)).collect()
    assert len(found) == 2
    for row in found:
        for i in (*INDICATORS, *ALL_ITEMS):
            value = row[i.name]
            assert value is None or not isinstance(value, float) or math.isfinite(value), i.name
            if row.user_id == 1 and (i.unit.name.startswith("share") or "_deviation_" in i.name):
                assert value is None, i.name


def widths(plan: Any, of: tuple[str, ...]) -> list[int]:
    """How many columns each node of these kinds gives, in a plan of the JVM."""
    below = plan.children()
    mine = [plan.output().size()] if plan.nodeName() in of else []
    return mine + [n for at in range(below.size()) for n in widths(below.apply(at), of)]


@pytest.mark.parametrize("asked", [INDICATORS, ALL_ITEMS], ids=["monthly", "items"])
def test_joins_are_narrow_and_all_formulas_one_projection(spark: SparkSession, asked: tuple[Indicator, ...]) -> None:
    """Each projection of hundreds of columns more costs what a join does: once there were nine."""
    names = (USAGE, EDGES, PLACES, DEVICES, SUBSCRIBERS, BILLS, RECHARGES, SUBSCRIPTIONS)
    found = features([on(1)], {table: rows(spark, table, {}) for table in names}, "010", asked)
    plan = found._jdf.queryExecution().optimizedPlan()
    assert [n for n in widths(plan, ("Project",)) if n > 100] == [len(asked) + 2]
    assert max(widths(plan, ("Join",))) < 50


def test_a_cell_that_no_register_knows_is_at_no_distance(spark: SparkSession) -> None:
    """And not half the way round the earth: least of 1 and null is 1."""
    places = [
        {"user_id": u, "day": on(3), "cell_id": c, "voice_calls": 2, "night_calls": n}
        for u, cells in ((1, "ab"), (2, "ax"), (3, "xx"))
        for c, n in zip(cells, (2, 0), strict=True)
    ]
    cells = [{"cell_id": c, "delivered_on": on(1), "latitude": 39.0 + n, "longitude": 116.0} for n, c in enumerate("ab")]
    tables = {
        USAGE: rows(spark, USAGE, *[{"day": on(3), "user_id": u} for u in (1, 2, 3)]),
        EDGES: rows(spark, EDGES),
        PLACES: rows(spark, PLACES, *places),
        DEVICES: rows(spark, DEVICES),
        CELLS: rows(spark, CELLS, *cells),
    }
    asked = [i for i in INDICATORS if i.name in ("home_work_km", "home_cell", "work_cell")]
    found = {row.user_id: row for row in features([on(1)], tables, "010", asked).collect()}
    assert [(found[u].home_cell, found[u].work_cell) for u in (1, 2, 3)] == [("a", "b"), ("a", "x"), ("x", "x")]
    assert found[1].home_work_km == pytest.approx(111.2, abs=0.1)
    assert (found[2].home_work_km, found[3].home_work_km) == (None, None)


def test_what_does_not_fit_its_type_is_null(spark: SparkSession) -> None:
    days = [{"day": on(day), "user_id": 1, "usage_fee_yuan": Decimal("9999999999.99")} for day in (1, 2)]
    tables = {
        USAGE: rows(spark, USAGE, *days),
        EDGES: rows(spark, EDGES),
        PLACES: rows(spark, PLACES),
        DEVICES: rows(spark, DEVICES),
    }
    found = features([on(1)], tables, "010", [i for i in INDICATORS if i.name in ("usage_fee_yuan", "active_days")]).first()
    assert found is not None
    assert (found.usage_fee_yuan, found.active_days) == (None, 2)


def test_settings_of_night_cut_places(spark: SparkSession) -> None:
    settings = load(Settings, "local").usage
    voice = rows(spark, VOICE, *[{"number_key": 1, "hour": h, "cell_id": "c", "day": on(1)} for h in (7, 8, 19, 20)])
    assert [(r.voice_calls, r.night_calls) for r in daily.places(daily.events({VOICE.name: voice}), settings).collect()] == [
        (4, 2)
    ]
