"""Gross adds taken apart, net adds, plans and value, bonuses: cases counted by hand."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from churnlake.core.errors import SettingsError
from churnlake.core.frames import conform, frame_of
from churnlake.core.runs import Days
from churnlake.core.settings import load
from churnlake.core.testing import rows
from churnlake.reentry import economics, farming, parts
from churnlake.settings import Settings
from churnlake.tables.churn import LEAVINGS
from churnlake.tables.control import BONUSES, GROSS_ADDS, NET_ADDS, PARTS, PARTS_OF_ADDS, PLAN_MOVES
from churnlake.tables.daily import DEVICES, PLACES
from churnlake.tables.reentry import JOINERS, MATCHES, PAIRS
from churnlake.tables.reference import BILLS, SUBSCRIBERS

SETTINGS = load(Settings, "local").reentry
HOW = SETTINGS.control


def on(month: int, day: int) -> dt.date:
    return dt.date(2005, month, day)


MONTH, TOLD = on(2, 1), on(5, 29)  # 90 days after the end of February


def joined(spark: SparkSession, *given: dict[str, Any]) -> DataFrame:
    start = {"month": MONTH, "known_on": TOLD, "joined_on": on(2, 10), "part": "new"}
    return rows(spark, PARTS, *[{**start, **one} for one in given])


def olds(spark: SparkSession, *given: dict[str, Any]) -> DataFrame:
    schema = (
        "user_id bigint, old_user_id bigint, joined_on date, known_on date, old_last_on date, probability double, old_brand string, "
        "old_plan string, old_bonus_until date, old_months double, before_yuan double"
    )
    start = {"joined_on": on(2, 10), "known_on": on(4, 11), "old_last_on": on(2, 1)}
    return frame_of(spark, StructType.fromDDL(schema), [{**start, **one} for one in given])


def test_a_month_is_told_once_and_on_one_day(spark: SparkSession) -> None:
    came = rows(
        spark,
        JOINERS,
        *[{"user_id": u, "joined_on": d} for u, d in ((1, on(1, 31)), (2, on(2, 1)), (3, on(2, 28)), (4, on(3, 1)))],
    )
    for days in (Days(on(5, 2), on(5, 29)), Days(on(5, 29), on(6, 20))):
        found = economics.told(came, HOW.closes_days, days).collect()
        assert {(r.user_id, r.month, r.known_on) for r in found} == {(2, MONTH, TOLD), (3, MONTH, TOLD)}
    first = economics.first_day_needed(Days(TOLD, TOLD), SETTINGS)
    assert first <= MONTH - dt.timedelta(days=60)


def test_a_joiner_is_one_part_and_its_shares_are_one(spark: SparkSession) -> None:
    came = rows(spark, JOINERS, *[
        {"user_id": u, "scope": "too_little" if u in (5, 6) else "excluded" if u == 8 else "scored", "joined_on": on(2, 10), "stage_days": 60}
        for u in range(1, 9)
    ])  # fmt: skip
    came = economics.told(came, HOW.closes_days, Days(TOLD, TOLD))
    likely = rows(spark, PAIRS, {"user_id": 1, "old_user_id": 11}, {"user_id": 1, "old_user_id": 12}, {"user_id": 2, "old_user_id": 13},
                  {"user_id": 7, "old_user_id": 14}).withColumn(
        "probability", F.expr("CASE old_user_id WHEN 11 THEN 0.7D WHEN 12 THEN 0.2D WHEN 13 THEN 0.4D ELSE 0.9D END"))  # fmt: skip
    matches = rows(spark, MATCHES, {"user_id": 1, "old_user_id": 11}, {"user_id": 7, "old_user_id": 14})
    second = frame_of(
        spark, StructType.fromDDL("user_id bigint, second_probability double"),
        [{"user_id": 3, "second_probability": 0.8}, {"user_id": 2, "second_probability": 0.5}],
    )  # fmt: skip
    farmed = frame_of(spark, StructType.fromDDL("user_id bigint"), [{"user_id": 6}, {"user_id": 7}])
    subscribers = rows(
        spark, SUBSCRIBERS,
        {"user_id": 1, "delivered_on": on(2, 11), "plan_id": "A", "dealer_id": "D1"}, {"user_id": 1, "delivered_on": on(3, 1), "plan_id": "B", "dealer_id": "D1"},
        {"user_id": 2, "delivered_on": on(5, 30), "plan_id": "C"},  # not yet delivered when the month is told
    )  # fmt: skip
    found = conform(PARTS, parts.parts(parts.joined_as(came, subscribers), likely, second, matches, farmed, SETTINGS))
    told = {r.user_id: r for r in found.collect()}
    assert {u: r.part for u, r in told.items()} == {
        1: "reentry", 2: "second_number", 3: "second_number", 4: "new", 5: "unknown", 6: "farmed", 7: "farmed", 8: "moved",
    }  # fmt: skip
    assert [(told[u].plan_id, told[u].dealer_id) for u in (1, 2)] == [("A", "D1"), (None, None)]
    assert (told[1].reentry_probability, told[2].reentry_probability, told[4].reentry_probability) == (0.9, 0.4, 0.0)
    shares = {r.user_id: r for r in parts.shares(found).collect()}
    for row in shares.values():
        assert row.is_back + row.is_second + row.is_own + row.is_new + row.is_moved + row.is_unknown == pytest.approx(1)
    assert (shares[2].is_back, shares[2].is_second, shares[2].is_new) == pytest.approx((0.4, 0.3, 0.3))
    assert (shares[8].is_moved, shares[8].is_new) == (1, 0)
    assert (shares[5].is_unknown, shares[7].is_own, shares[7].is_back) == (1, 1, 0)
    # without subscribers nobody knows where they joined, and no card is a dealer's own
    plain = parts.parts(parts.joined_as(came, None), likely, second, matches, None, SETTINGS)
    assert {r.user_id: r.part for r in conform(PARTS, plain).collect()}[7] == "reentry"


def test_one_more_number_is_told_by_what_says_nothing_of_silence(spark: SparkSession) -> None:
    alike = {"circle_score": 4.0, "hellinger": 0.5, "old_found": 0.5, "has_same_imei": True, "imei_users": 2, "stage_days": 60}
    pairs = rows(
        spark, PAIRS,
        {**alike, "user_id": 1, "old_user_id": 11, "kind": "kept", "still_met": 1.0, "level_share": 1.0, "gap_days": -60},
        {**alike, "user_id": 2, "old_user_id": 11, "kind": "kept", "still_met": 0.0, "level_share": 0.6, "gap_days": -20},
        {**alike, "user_id": 3, "old_user_id": 12, "kind": "full"},
        {**alike, "user_id": 4, "old_user_id": 13, "kind": "kept", "talked": True, "has_same_imei": False, "imei_users": None},
    )  # fmt: skip
    found = {r.user_id: r.second_probability for r in parts.seconds(pairs, SETTINGS).collect()}
    assert set(found) == {1, 2, 4}
    assert found[1] == found[2] > 0.3 > 0.05 > found[4]


def test_gross_adds_by_hand_and_their_parts_are_all_joiners(spark: SparkSession) -> None:
    came = joined(
        spark,
        {"user_id": 1, "part": "reentry", "old_user_id": 11, "reentry_probability": 0.9, "brand": "gotone", "plan_id": "A", "dealer_id": "D1"},
        {"user_id": 2, "reentry_probability": 0.4, "second_probability": 0.5, "brand": "gotone", "plan_id": "A", "dealer_id": "D1"},
        {"user_id": 3, "brand": "mzone", "plan_id": "B", "dealer_id": "D2"},
        {"user_id": 4, "part": "farmed", "is_farmed": True, "reentry_probability": 0.8, "brand": "mzone", "dealer_id": "D2"},
        {"user_id": 5, "part": "unknown"},
    )  # fmt: skip
    old = olds(
        spark,
        {"user_id": 1, "old_user_id": 11, "probability": 0.6, "old_brand": "easyown", "old_months": 2.5, "before_yuan": 30.0},
        {"user_id": 1, "old_user_id": 12, "probability": 0.3, "old_brand": "easyown", "old_months": 40.0},
        {"user_id": 2, "old_user_id": 13, "probability": 0.4, "old_brand": None, "old_months": 3.0, "before_yuan": 250.0},
        {"user_id": 4, "old_user_id": 14, "probability": 0.8, "old_brand": "gotone"},  # a dealer's own card is nobody come back
    )
    settings = SETTINGS.model_copy(update={"control": HOW.model_copy(update={"least_cell_joiners": 2})})
    told = conform(GROSS_ADDS, economics.gross_adds(came, old, settings)).collect()
    found = {(r.dimension, r.value, r.part): r for r in told}
    assert len(found) == len(told)
    whole = {part: found[("all", "all", part)] for part in PARTS_OF_ADDS}
    assert {part: r.counted for part, r in whole.items()} == {
        "new": 2,
        "reentry": 1,
        "second_number": 0,
        "moved": 0,
        "farmed": 1,
        "unknown": 1,
    }
    # 1: 0.9 back; 2: 0.4 back, half of the rest one more number
    assert {part: r.expected for part, r in whole.items()} == pytest.approx(
        {"new": 0.1 + 0.3 + 1, "reentry": 1.3, "second_number": 0.3, "moved": 0, "farmed": 1, "unknown": 1}
    )
    variance = 0.9 * 0.1 + 0.4 * 0.6
    half = HOW.deviations * (variance + (HOW.count_spread * 1.3) ** 2) ** 0.5
    assert (whole["reentry"].low, whole["reentry"].high) == pytest.approx((max(0, 1.3 - half), min(5, 1.3 + half)), abs=1e-6)
    # the parts of every dimension are the joiners, counted and expected
    for dimension in {r.dimension for r in told} - {"cell"}:
        of = [r for r in told if r.dimension == dimension]
        assert sum(r.counted for r in of) == 5
        assert sum(r.expected for r in of) == pytest.approx(5)
    assert found[("brand", "unknown", "unknown")].counted == 1
    assert found[("old_brand", "easyown", "reentry")].expected == pytest.approx(0.9)
    assert found[("old_tenure", "0 to 3", "reentry")].counted == 1
    assert found[("old_tenure", "3 to 6", "reentry")].expected == pytest.approx(0.4)
    assert found[("old_tenure", "24 and more", "reentry")].counted == 0
    assert found[("old_arpu", "30 to 60", "reentry")].expected == pytest.approx(0.6)
    assert found[("old_arpu", "unknown", "reentry")].expected == pytest.approx(0.3)
    assert found[("old_arpu", "none", "new")].counted == 2
    assert {r.value for r in told if r.dimension == "cell"} == {"gotone / A / D1"}


def test_net_adds_by_hand(spark: SparkSession) -> None:
    came = joined(
        spark,
        {"user_id": 1, "part": "reentry", "old_user_id": 11, "reentry_probability": 0.8},
        {"user_id": 2},
        {"user_id": 3, "second_probability": 1.0},
    )
    reached = rows(
        spark, JOINERS,
        *[{"user_id": u, "stage_days": s, "known_on": d} for u, s, d in
          [(1, 30, on(3, 12)), (1, 60, on(4, 11)), (4, 30, on(5, 28)), (5, 0, on(5, 30))]],
    )  # fmt: skip
    likely = rows(
        spark, MATCHES,
        {"user_id": 1, "stage_days": 30, "old_user_id": 12, "probability": 0.9},  # overruled at the final stage
        {"user_id": 1, "stage_days": 60, "old_user_id": 11, "probability": 0.8}, {"user_id": 4, "stage_days": 30, "old_user_id": 12, "probability": 0.5},
        {"user_id": 5, "stage_days": 0, "old_user_id": 13, "probability": 1.0},  # joined after the month was told
    )  # fmt: skip
    own = frame_of(
        spark, StructType.fromDDL("user_id bigint, day date, own_events bigint"),
        [{"user_id": u, "day": d, "own_events": 1} for u, d in [(11, on(1, 20)), (11, on(1, 31)), (12, on(1, 17)), (13, on(1, 31)), (14, on(1, 16)), (1, on(2, 10))]],
    )  # fmt: skip
    leavings = rows(
        spark, LEAVINGS,
        *[{"user_id": u, "leave_on": d, "known_on": k} for u, d, k in
          [(11, on(2, 1), on(4, 2)), (12, on(2, 28), on(4, 29)), (13, on(2, 5), on(4, 6)), (14, on(2, 5), on(5, 30)), (15, on(3, 1), on(4, 30))]],
    )  # fmt: skip
    found = conform(NET_ADDS, economics.net_adds(came, reached, likely, own, leavings, 15, SETTINGS)).collect()
    assert len(found) == 1
    row = found[0]
    assert (row.month, row.known_on, row.active, row.joiners, row.leavers) == (MONTH, TOLD, 3, 3, 3)
    assert (row.new_customers, row.back) == pytest.approx((0.2 + 1, 0.8 + 0.5))
    assert (row.net_adds, row.true_net_adds) == pytest.approx((0, 1.2 - 3 + 1.3))
    assert (row.churn_rate, row.true_churn_rate) == pytest.approx((1.0, 1.7 / 3), abs=1e-6)
    variance = 0.8 * 0.2 + 0.5 * 0.5
    half = HOW.deviations * (variance + (HOW.count_spread * 1.3) ** 2) ** 0.5
    assert row.true_churn_rate_low == pytest.approx((1.7 - half) / 3, abs=1e-6)
    assert row.true_churn_rate_high == pytest.approx(min(1.7 + half, 3) / 3, abs=1e-6)
    assert row.true_net_adds_low < row.true_net_adds < row.true_net_adds_high


def test_what_is_told_of_an_old_number_is_what_was_known_then(spark: SparkSession) -> None:
    pairs = rows(
        spark, MATCHES, {"user_id": 1, "old_user_id": 11, "joined_on": on(6, 10), "old_last_on": on(6, 1), "known_on": on(8, 9)}
    )
    pairs = pairs.select("user_id", "old_user_id", "joined_on", "old_last_on", "known_on", "probability")
    subscribers = rows(
        spark, SUBSCRIBERS,
        *[{"user_id": 11, "delivered_on": d, "joined_on": on(1, 1), "brand": "gotone", "plan_id": p, "bonus_until": on(6, 30)} for d, p in
          [(on(1, 5), "A"), (on(6, 8), "B"), (on(6, 15), "C")]],
    )  # fmt: skip
    bills = rows(
        spark, BILLS,
        *[{"user_id": 11, "month": m, "delivered_on": d, "local_yuan": Decimal(y)} for m, d, y in
          [(on(2, 1), on(3, 3), "900"), (on(3, 1), on(4, 3), "30"), (on(4, 1), on(5, 3), "60"), (on(5, 1), on(8, 10), "500"), (on(6, 1), on(7, 3), "700")]],
    )  # fmt: skip
    row = economics.old_numbers(pairs, subscribers, bills, SETTINGS).collect()[0]
    assert (row.old_brand, row.old_plan, row.old_bonus_until, row.old_months) == ("gotone", "B", on(6, 30), 5.0)
    assert row.before_yuan == 45.0, "March to May; May's came too late"
    bare = economics.old_numbers(pairs, None, None, SETTINGS).collect()[0]
    assert (bare.old_plan, bare.old_months, bare.before_yuan) == (None, None, None)


def test_plan_moves_by_hand(spark: SparkSession) -> None:
    came = joined(
        spark, *[{"user_id": u, "part": "reentry", "old_user_id": 10 + u, "plan_id": "B"} for u in (1, 2, 3)], {"user_id": 4, "plan_id": "B"},
    )  # fmt: skip
    old = olds(
        spark,
        {"user_id": 1, "old_user_id": 11, "probability": 0.9, "old_plan": "A", "before_yuan": 100.0},
        {"user_id": 2, "old_user_id": 12, "probability": 0.7, "old_plan": "A", "before_yuan": 50.0},
        {"user_id": 2, "old_user_id": 99, "probability": 0.2, "old_plan": "Z"},
        {"user_id": 3, "old_user_id": 13, "probability": 0.6, "before_yuan": 80.0},
    )
    bills = rows(
        spark, BILLS,
        *[{"user_id": u, "month": m, "delivered_on": d, "local_yuan": Decimal(y), "message_yuan": Decimal("1")} for u, m, d, y in
          [(1, on(2, 1), on(3, 3), "500"), (1, on(3, 1), on(4, 3), "59"), (1, on(5, 1), on(5, 29), "79"), (1, on(6, 1), on(7, 3), "900"), (3, on(4, 1), on(5, 30), "9")]],
    )  # fmt: skip
    found = {(r.old_plan, r.new_plan): r for r in conform(PLAN_MOVES, economics.plan_moves(came, old, bills, SETTINGS)).collect()}
    assert set(found) == {("A", "B"), ("unknown", "B")}
    row = found[("A", "B")]
    assert (row.users, row.billed, row.before_yuan, row.after_yuan, row.lost_yuan) == (2, 1, 100.0, 70.0, 30.0)
    assert row.expected == pytest.approx(1.6)
    late = found[("unknown", "B")]
    assert (late.users, late.billed, late.before_yuan, late.lost_yuan) == (1, 0, None, 0.0)
    assert sum(r.users for r in conform(PLAN_MOVES, economics.plan_moves(came, old, None, SETTINGS)).collect()) == 3


def test_bonuses_paid_twice_and_near_misses(spark: SparkSession) -> None:
    paid = {"bonus_yuan": Decimal("100"), "bonus_until": on(8, 1), "channel": "dealer", "dealer_id": "D1"}
    came = joined(
        spark, *[{**paid, "user_id": u, "part": "reentry", "old_user_id": 10 + u} for u in (1, 2, 3)], {**paid, "user_id": 4, "channel": None},
        {**paid, "user_id": 5, "part": "farmed", "is_farmed": True}, {"user_id": 6, "part": "reentry", "old_user_id": 16}, {**paid, "user_id": 7, "bonus_yuan": Decimal("0")},
    )  # fmt: skip
    grace = on(2, 10) - dt.timedelta(days=HOW.bonus_grace_days)
    old = olds(
        spark,
        {"user_id": 1, "old_user_id": 11, "probability": 0.9, "old_bonus_until": grace},  # the last day that counts
        {"user_id": 2, "old_user_id": 12, "probability": 0.8, "old_bonus_until": grace - dt.timedelta(days=1)},
        {"user_id": 3, "old_user_id": 13, "probability": 0.8},
        {"user_id": 4, "old_user_id": 14, "probability": 0.3, "old_bonus_until": on(3, 1)},  # not matched, but it may be
        {"user_id": 5, "old_user_id": 15, "probability": 0.9, "old_bonus_until": on(3, 1)},
        {"user_id": 6, "old_user_id": 16, "probability": 0.9, "old_bonus_until": on(3, 1)},
    )
    found = {(r.channel, r.dealer_id): r for r in conform(BONUSES, economics.bonuses(came, old, SETTINGS)).collect()}
    row = found[("dealer", "D1")]
    assert (row.bonuses, row.bonus_yuan, row.twice, row.twice_yuan) == (4, 400.0, 1, 100.0)
    assert row.expected_yuan == pytest.approx(90)
    other = found[("unknown", "D1")]
    assert (other.bonuses, other.twice, other.expected_yuan) == (1, 0, pytest.approx(30))


def test_a_lot_of_a_dealers_own_cards_and_near_misses(spark: SparkSession) -> None:
    cards = [
        (1, "D1", on(2, 1)), (2, "D1", on(2, 2)), (3, "D1", on(4, 20)),  # a lot: one dealer, one handset
        (4, "D2", on(2, 1)), (5, "D2", on(2, 3)),  # two cards may be one person's
        (6, "D3", on(2, 1)), (7, "D4", on(2, 1)), (8, "D5", on(2, 1)),  # one handset, several dealers: second hand
        (9, "D6", on(1, 1)), (10, "D6", on(2, 1)), (11, "D6", on(7, 1)),  # the third joined too late
        *[(20 + i, f"C{i % 5}", on(2, 1)) for i in range(15)],  # a clone: three cards of each dealer
        *[(40 + i, "D7", on(2, 1)) for i in range(3)],  # idle, all from one cell
        *[(50 + i, "D8", on(2, 1)) for i in range(3)],  # as idle, but one went elsewhere
        *[(60 + i, "D9", on(2, 1)) for i in range(3)],  # from one cell, but they have friends
    ]  # fmt: skip
    handset = {1: 1, 2: 1, 3: 1, 4: 2, 5: 2, 6: 3, 7: 3, 8: 3, 9: 4, 10: 4, 11: 4, **{20 + i: 5 for i in range(15)}}
    subscribers = rows(
        spark,
        SUBSCRIBERS,
        *[{"user_id": u, "dealer_id": d, "joined_on": j, "delivered_on": j + dt.timedelta(days=3)} for u, d, j in cards],
    )
    devices = rows(spark, DEVICES, *[{"user_id": u, "imei_key": handset[u], "day": j} for u, _, j in cards if u in handset])
    places = rows(
        spark, PLACES,
        *[{"user_id": u, "day": j, "cell_id": "shop"} for u, _, j in cards if u >= 40], {"user_id": 52, "day": on(2, 9), "cell_id": "home"},
    )  # fmt: skip
    came = rows(
        spark, JOINERS,
        *[{"user_id": u, "joined_on": j, "known_on": j + dt.timedelta(days=60), "stage_days": 60, "peers": 12 if u < 40 or u >= 60 else 2} for u, _, j in cards],
    )  # fmt: skip
    asked = economics.told(came, HOW.closes_days, Days(TOLD, TOLD))
    found = {r.user_id for r in farming.farmed(asked, came, subscribers, devices, places, SETTINGS).collect()}
    # of the first lot 3 joined in April and is asked when that month is told
    assert found == {1, 2, 40, 41, 42}
    # when the third card had not been seen yet, the two were nothing
    early = devices.where("user_id <> 3")
    assert {r.user_id for r in farming.farmed(asked, came, subscribers, early, places, SETTINGS).collect()} == {40, 41, 42}


def test_value_is_not_told_before_what_joiners_are() -> None:
    with pytest.raises(SettingsError, match="bills_days must not be fewer than closes_days"):
        load(Settings, "local", ["reentry.control.bills_days=80"])
