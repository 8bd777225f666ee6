"""Why a new number was taken: each motive planted in rows and found, each rule's near miss, and facts as known then."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row, SparkSession

from churnlake.core.contract import Table
from churnlake.core.runs import Days
from churnlake.core.settings import load
from churnlake.core.testing import rows
from churnlake.reentry import motives
from churnlake.settings import Settings
from churnlake.tables.daily import DEVICES, USAGE
from churnlake.tables.motives import MOTIVES, RULED
from churnlake.tables.reentry import MATCHES
from churnlake.tables.reference import BILLS, PLANS, SUBSCRIBERS

SETTINGS = load(Settings, "local").reentry
JOIN, KNOWN = dt.date(2005, 3, 1), dt.date(2005, 4, 30)
OLD, NEW = 7, 50
MATCH = {
    "user_id": NEW, "old_user_id": OLD, "stage_days": 60, "joined_on": JOIN, "known_on": KNOWN, "old_last_on": dt.date(2005, 2, 26), "gap_days": 3,
    "kind": "full", "found_by": "circle", "has_same_imei": True,
}  # fmt: skip
OF_OLD = {"user_id": OLD, "delivered_on": dt.date(2005, 1, 7), "brand": "easyown", "plan_id": "dear", "number_beauty": "plain"}
OF_NEW = {"user_id": NEW, "delivered_on": dt.date(2005, 3, 4), "brand": "easyown", "plan_id": "dear", "number_beauty": "plain"}
PRICES = {"brand": "easyown", "delivered_on": dt.date(2005, 1, 7), "monthly_fee_yuan": 0, "local_yuan": Decimal("0.60")}


def on(month: int, day: int) -> dt.date:
    return dt.date(2005, month, day)


def days(first: dt.date, last: dt.date, **of_each: Any) -> list[dict[str, Any]]:
    """Days of the old number alike."""
    count = (last - first).days + 1
    return [{"user_id": OLD, "day": first + dt.timedelta(days=n), **of_each} for n in range(count)]


LIVELY = days(on(1, 1), on(2, 26), own_events=4, voice_out_seconds_local=120, sms_out_messages=1)
FADING = [
    *days(on(1, 1), on(2, 19), own_events=4, voice_out_seconds_local=120),
    {"user_id": OLD, "day": on(2, 26), "own_events": 1},
]


Case = tuple[dict[Table, list[dict[str, Any]]], dict[str, Any]]
"""What is not as usual: rows of tables, and of the match."""
APART = 1000
"""Users of one case and of the next lie so far apart."""


def told(given: dict[Table, list[dict[str, Any]]], match: dict[str, Any]) -> dict[Table, list[dict[str, Any]]]:
    """The rows of one match; what is not given is as usual: no motive at all."""
    return {
        MATCHES: [{**MATCH, **match}],
        USAGE: FADING,
        DEVICES: [{"user_id": NEW, "day": on(3, 2), "imei_key": 1}],
        SUBSCRIBERS: [OF_OLD, OF_NEW],
        BILLS: [{"user_id": OLD, "month": on(2, 1), "delivered_on": on(3, 7)}],
        PLANS: [{**PRICES, "plan_id": "dear"}, {**PRICES, "plan_id": "cheap", "local_yuan": Decimal("0.30")}],
    } | given


def apart(row: dict[str, Any], turn: int) -> dict[str, Any]:
    """The row with users and plans of a case of their own."""
    users = {name: row[name] + turn * APART for name in ("user_id", "old_user_id") if name in row}
    return row | users | ({"plan_id": f"{row['plan_id']}{turn}"} if "plan_id" in row else {})


def judged(spark: SparkSession, cases: dict[str, Case], gone: tuple[Table, ...] = ()) -> dict[str, Row]:
    """By case, its row of reentry.motives, all from one pass."""
    every = [told(*case) for case in cases.values()]
    tables: dict[Table, DataFrame] = {
        table: rows(spark, table, *[apart(row, turn) for turn, case in enumerate(every) for row in case[table]])
        for table in every[0]
        if table not in gone
    }
    made = motives.motives(tables.pop(MATCHES), tables, SETTINGS).select(MOTIVES.names).collect()
    by_user = {row.user_id: row for row in made}
    assert len(made) == len(by_user) == len(cases)
    return {name: by_user[NEW + turn * APART] for turn, name in enumerate(cases)}


def found(spark: SparkSession, given: dict[Table, list[dict[str, Any]]], gone: tuple[Table, ...] = (), **match: Any) -> Row:
    """The row of reentry.motives of one match."""
    return judged(spark, {"one": (given, match)}, gone)["one"]


SUSPENDED = {**OF_OLD, "delivered_on": on(3, 4), "status": "suspended", "status_since": on(2, 27)}
DEBT = {"user_id": OLD, "month": on(2, 1), "delivered_on": on(3, 7), "arrears_yuan": 35}
FORWARDED = {"user_id": OLD, "day": on(3, 3), "voice_forwarded_calls_to_own": 2}
SOLD = {**OF_NEW, "bonus_yuan": 50}
PLANTED: dict[str, tuple[str, dict[Table, list[dict[str, Any]]], dict[str, Any]]] = {
    "suspended with a debt": ("arrears", {SUBSCRIBERS: [OF_OLD, SUSPENDED, OF_NEW], BILLS: [DEBT]}, {}),
    "stopped at once, new handset": ("lost_sim", {USAGE: LIVELY}, {"has_same_imei": False}),
    "stopped at once, asked for help": (
        "lost_sim",
        {USAGE: [*LIVELY, {"user_id": NEW, "day": on(3, 2), "voice_out_calls_to_hotline": 1}]},
        {},
    ),
    "better number": ("number", {SUBSCRIBERS: [OF_OLD, {**OF_NEW, "number_beauty": "lucky"}]}, {}),
    "calls sent on": ("number", {USAGE: [*FADING, FORWARDED]}, {}),
    "bonus, side by side": ("bonus", {SUBSCRIBERS: [OF_OLD, SOLD]}, {"old_last_on": on(3, 11), "gap_days": -10}),
    "other brand": ("brand", {SUBSCRIBERS: [OF_OLD, {**OF_NEW, "brand": "mzone"}]}, {}),
    "cheaper plan": ("plan", {SUBSCRIBERS: [OF_OLD, {**OF_NEW, "plan_id": "cheap"}]}, {}),
}


def test_each_motive_is_found(spark: SparkSession) -> None:
    cases = judged(spark, {case: (given, match) for case, (_, given, match) in PLANTED.items()})
    assert {case: row.motive for case, row in cases.items()} == {case: motive for case, (motive, _, _) in PLANTED.items()}
    assert all(row.held == [row.motive] for row in cases.values()), cases
    assert {row.motive for row in cases.values()} == {*RULED} - {"unknown"}


MISSED: dict[str, Case] = {
    "nothing at all": ({}, {}),
    "suspended, paid": ({SUBSCRIBERS: [OF_OLD, SUSPENDED, OF_NEW]}, {}),
    "a debt, never suspended": ({BILLS: [DEBT]}, {}),
    "suspended long before": (
        {SUBSCRIBERS: [OF_OLD, {**SUSPENDED, "status_since": on(1, 10), "delivered_on": on(1, 14)}, OF_NEW], BILLS: [DEBT]},
        {},
    ),
    "a debt told later": ({SUBSCRIBERS: [OF_OLD, SUSPENDED, OF_NEW], BILLS: [{**DEBT, "delivered_on": on(5, 1)}]}, {}),
    "an old debt": ({SUBSCRIBERS: [OF_OLD, SUSPENDED, OF_NEW], BILLS: [{**DEBT, "month": dt.date(2004, 12, 1)}]}, {}),
    "stopped at once on the same handset": ({USAGE: LIVELY}, {}),
    "new handset, faded": ({}, {"has_same_imei": False}),
    "new handset, used on": ({USAGE: LIVELY}, {"has_same_imei": False, "old_last_on": on(2, 26), "gap_days": -1}),
    "stopped at once, handset never seen": ({USAGE: LIVELY, DEVICES: [{"user_id": 99, "day": on(3, 2)}]}, {"has_same_imei": False}),
    "stopped at once, another plan": (
        {USAGE: LIVELY, SUBSCRIBERS: [OF_OLD, {**OF_NEW, "plan_id": "dearest"}]},
        {"has_same_imei": False},
    ),
    "help asked for late": ({USAGE: [*LIVELY, {"user_id": NEW, "day": on(3, 20), "voice_out_calls_to_hotline": 1}]}, {}),
    "a worse number": ({SUBSCRIBERS: [{**OF_OLD, "number_beauty": "lucky"}, OF_NEW]}, {}),
    "calls sent on as ever": ({USAGE: [*FADING, FORWARDED, {**FORWARDED, "day": on(1, 20)}]}, {}),
    "calls sent on to the competitor": (
        {USAGE: [*FADING, {"user_id": OLD, "day": on(3, 3), "voice_forwarded_calls_to_unicom_gsm": 2}]},
        {},
    ),
    "calls sent on later than known": ({USAGE: [*FADING, {**FORWARDED, "day": on(5, 1)}]}, {}),
    "bonus, one after the other": ({SUBSCRIBERS: [OF_OLD, SOLD]}, {}),
    "side by side without a bonus": ({}, {"old_last_on": on(3, 11), "gap_days": -10}),
    "another brand told later": ({SUBSCRIBERS: [OF_OLD, OF_NEW, {**OF_NEW, "brand": "mzone", "delivered_on": on(3, 11)}]}, {}),
    "a dearer plan": ({SUBSCRIBERS: [{**OF_OLD, "plan_id": "cheap"}, OF_NEW]}, {}),
    "a plan hardly cheaper": (
        {
            SUBSCRIBERS: [OF_OLD, {**OF_NEW, "plan_id": "cheap"}],
            PLANS: [{**PRICES, "plan_id": "dear"}, {**PRICES, "plan_id": "cheap", "local_yuan": Decimal("0.56")}],
        },
        {},
    ),
}  # fmt: skip


def test_a_near_miss_is_no_motive(spark: SparkSession) -> None:
    cases = judged(spark, MISSED)
    assert {case: row.held for case, row in cases.items() if row.motive != "unknown" or row.held} == {}


def test_harder_facts_are_asked_first_and_all_that_hold_are_told(spark: SparkSession) -> None:
    given = {SUBSCRIBERS: [OF_OLD, {**SOLD, "brand": "mzone", "plan_id": "cheap", "number_beauty": "repeated"}]}
    row = found(spark, given, old_last_on=on(3, 11), gap_days=-10)
    assert (row.motive, row.held) == ("number", ["number", "bonus", "brand", "plan"])
    assert list(motives.rules(SETTINGS.motives)) == list(RULED[:-1])


def test_tariffs_are_rehearsed_on_the_old_numbers_own_use(spark: SparkSession) -> None:
    use = days(on(1, 1), on(2, 26), own_events=4, voice_out_seconds_local=240, voice_out_seconds_long_distance=60, voice_out_seconds_ip=30,
               voice_out_seconds_roaming=12, voice_out_seconds_international=6, sms_out_messages=2, mms_out_messages=1, wap_bytes=2048)  # fmt: skip
    # what is used before the normal days, or after the join, is not rehearsed
    use += [{"user_id": OLD, "day": on(3, 5), "voice_out_seconds_local": 9000}]
    old = {**PRICES, "plan_id": "dear", "monthly_fee_yuan": 10, "included_minutes": 20, "included_messages": 10, "long_distance_yuan": 1, "ip_yuan": Decimal("0.30"),
           "roaming_yuan": 2, "international_yuan": 8, "sms_yuan": Decimal("0.10"), "mms_yuan": Decimal("0.50"), "wap_yuan": Decimal("0.01")}  # fmt: skip
    new = {
        **old,
        "plan_id": "cheap",
        "monthly_fee_yuan": 30,
        "included_minutes": 200,
        "local_yuan": Decimal("0.20"),
        "mms_yuan": None,
    }
    # told before the join, but a price told after the match became final is not known
    later = {**new, "delivered_on": on(5, 6), "local_yuan": 9}
    given = {USAGE: use, SUBSCRIBERS: [OF_OLD, {**OF_NEW, "plan_id": "cheap"}], PLANS: [old, new, later]}
    row = found(spark, given)
    rest = 15 * 1 + 15 * 0.30 + 6 * 2 + 3 * 8 + (60 - 10) * 0.10 + 60 * 0.01
    assert float(row.old_cost_yuan) == pytest.approx(10 + (120 - 20) * 0.60 + rest)
    assert float(row.new_cost_yuan) == pytest.approx(30 + 0 + rest)
    assert row.saving_share == pytest.approx(1 - float(row.new_cost_yuan) / float(row.old_cost_yuan), abs=1e-6)
    assert row.motive == "plan"


def test_a_sudden_stop_is_the_last_week_against_those_before(spark: SparkSession) -> None:
    young = days(on(2, 10), on(2, 26), own_events=4)
    cases = judged(
        spark, {"lively": ({USAGE: LIVELY}, {}), "fading": ({}, {}), "less than two weeks before": ({USAGE: young}, {})}
    )
    assert cases["lively"].stop_level == pytest.approx(1.0)
    assert cases["fading"].stop_level == pytest.approx(1 / 7 / 4, abs=1e-6)
    assert cases["less than two weeks before"].stop_level is None


def test_without_registers_motives_are_unknown_and_facts_null(spark: SparkSession) -> None:
    row = found(spark, {USAGE: LIVELY}, gone=(SUBSCRIBERS, BILLS, PLANS, DEVICES), has_same_imei=False)
    assert row.motive == "unknown"
    assert {row[name] for name in ("old_brand", "new_plan_id", "old_beauty", "bonus_yuan", "old_cost_yuan", "saving_share", "suspended_on", "arrears_yuan", "has_new_handset")} == {None}  # fmt: skip
    # forwarding is told by usage alone
    assert found(spark, {USAGE: [*FADING, FORWARDED]}, gone=(SUBSCRIBERS, BILLS, PLANS)).motive == "number"


def test_earlier_stages_have_no_motive_and_a_number_without_days_has(spark: SparkSession) -> None:
    early = rows(spark, MATCHES, {**MATCH, "stage_days": 30})
    assert motives.motives(early, {USAGE: rows(spark, USAGE, *LIVELY)}, SETTINGS).isEmpty()
    assert found(spark, {USAGE: [{"user_id": 99, "day": on(1, 1)}]}).motive == "unknown"


def test_days_needed_reach_the_normal_days_of_the_widest_gap() -> None:
    first = motives.first_day_needed(Days(KNOWN, KNOWN), SETTINGS)
    assert first == JOIN - dt.timedelta(days=SETTINGS.gap_most_days + SETTINGS.motives.normal_days)
