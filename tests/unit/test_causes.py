"""Causes of leaving: which evidence holds, what it weighs, how shares follow from it, what mending brings, and how often it is right."""

import datetime as dt
from decimal import Decimal

import pytest
from pydantic import ValidationError
from pyspark.sql import DataFrame, SparkSession

from churnlake.churn import causes
from churnlake.churn.settings import CauseSettings
from churnlake.core.settings import load
from churnlake.core.testing import rows
from churnlake.evaluate.causes import PLANTED_AS, causes_found
from churnlake.settings import Settings
from churnlake.tables.causes import CAUSE_NAMES, EVIDENCE, EVIDENCE_CAUSES, LEAVER_CAUSES
from churnlake.tables.churn import LEAVINGS
from churnlake.tables.circles import NEIGHBOURS
from churnlake.tables.daily import USAGE
from churnlake.tables.features import MONTHLY
from churnlake.tables.reentry import MATCHES
from churnlake.tables.reference import BILLS, PLANS, SUBSCRIBERS

SETTINGS = load(Settings, "local").churn
START = SETTINGS.causes.start_weights
MARCH, APRIL, JUNE = dt.date(2005, 3, 1), dt.date(2005, 4, 1), dt.date(2005, 6, 1)


def on(month: int, day: int) -> dt.date:
    return dt.date(2005, month, day)


def test_evidence_holds_by_what_is_known_at_the_months_end(spark: SparkSession) -> None:
    usual = {"month": MARCH, "last_use_days": 1, "is_suspended": 0, "home_cell": "a", "tenure_days": 900}
    features = rows(
        spark,
        MONTHLY,
        {**usual, "user_id": 1},
        {**usual, "user_id": 2, "tenure_days": 30, "arrears_yuan": 400},
        {**usual, "user_id": 3, "home_cell": "b", "roaming_calls_share": 0.5},
        {**usual, "user_id": 4, "voice_out_calls_to_complaints": 1, "hotline_calls_3m": 2, "voice_dropped_calls": 3, "voice_dropped_share": 0.05},
        {**usual, "user_id": 5, "bonus_yuan": 50, "bonus_left_days": -61, "new_handsets": 1, "has_gprs_handset": 0},
        {**usual, "user_id": 6, "bonus_yuan": 50, "bonus_left_days": -60, "competitor_hotline_calls_3m": 1, "voice_forwarded_calls_to_competitor": 2},
        # 100 minutes: 50 and 30 yuan under the dear plan, 20 under the cheap one
        {**usual, "user_id": 7, "plan_id": "dear", "voice_out_seconds_local": 6000, "fee_to_own_mean_ratio": 1.5, "last_use_days": 20},
        {**usual, "user_id": 8, "plan_id": "cheap", "voice_out_seconds_local": 6000},
        {"month": on(1, 1), "user_id": 3, "home_cell": "a"},
        {"month": on(1, 1), "user_id": 1, "home_cell": "a"},
        {"month": on(2, 1), "user_id": 8, "home_cell": "z"},
    )  # fmt: skip
    near = rows(spark, NEIGHBOURS, {"month": MARCH, "user_id": 1, "neighbours_left_3m": 1}, {"month": MARCH, "user_id": 2})
    price = {"delivered_on": on(1, 1), "brand": "easyown", "included_minutes": 0}
    plans = rows(
        spark,
        PLANS,
        {**price, "plan_id": "dear", "monthly_fee_yuan": 50, "local_yuan": Decimal("0.3")},
        {**price, "plan_id": "cheap", "monthly_fee_yuan": 0, "local_yuan": Decimal("0.2")},
        # cheaper still, but only from April on
        {**price, "plan_id": "cheap", "monthly_fee_yuan": 0, "local_yuan": Decimal("0.1"), "delivered_on": on(4, 2)},
    )
    found = {r.user_id: r for r in causes.held(features, near, plans, [MARCH], SETTINGS).collect()}
    assert {user: set(r.held) for user, r in found.items()} == {
        1: {"neighbours_left"},
        2: {"great_debt", "in_debt"},
        3: {"other_home", "away"},
        4: {"complained", "calls_dropped"},
        5: {"new_handset", "old_handset"},
        6: {"bonus_ends", "asked_competitor", "sends_calls_on"},
        7: {"cheaper_plan", "fee_rose"},
        8: set(),
    }
    assert (found[2].is_new, found[1].is_new, found[7].is_active, found[8].is_active) == (True, False, False, True)
    without = {r.user_id: set(r.held) for r in causes.held(features, None, None, [MARCH], SETTINGS).collect()}
    assert without[1] == set()
    assert without[7] == {"fee_rose"}


def shown(spark: SparkSession, *users: tuple[int, bool, str, list[str]], month: dt.date = MARCH) -> DataFrame:
    kind = "month date, user_id long, is_active boolean, brand string, is_new boolean, held array<string>"
    return spark.createDataFrame([(month, user, True, brand, is_new, held) for user, is_new, brand, held in users], kind)


def test_evidence_weighs_as_much_as_its_leavers_are_beyond_those_expected(spark: SparkSession) -> None:
    # of new users with a bonus 6 of 20 left, of new users without it 4 of 20; of old users without 1 of 60
    new = [(u, True, "easyown", ["bonus_ends"] if u < 20 else []) for u in range(40)]
    old = [(u, False, "easyown", ["in_debt", "suspended"][:1] if u == 99 else []) for u in range(40, 100)]
    # all of a brand show it: nobody to compare with
    alone = [(u, False, "gotone", ["bonus_ends"]) for u in range(200, 210)]
    leavers = [*range(6), *range(20, 24), 99, *range(200, 205)]
    left = rows(
        spark,
        LEAVINGS,
        *[{"user_id": u, "leave_on": on(4, 9), "known_on": on(6, 8)} for u in leavers],
        {"user_id": 10, "leave_on": on(5, 1), "known_on": on(6, 29)},  # a month later
        {"user_id": 11, "leave_on": on(4, 30), "known_on": on(7, 1)},  # not known yet
    )
    assert causes.feature_month(on(6, 30), SETTINGS) == MARCH
    assert causes.feature_month(on(6, 29), SETTINGS) == MARCH
    assert causes.feature_month(on(6, 28), SETTINGS) == on(2, 1)
    found = causes.evidence(shown(spark, *new, *old, *alone), left, None, {JUNE: MARCH}, SETTINGS.causes)
    told = {(r.cause, r.evidence): r for r in found.collect()}
    assert set(told) == {("bonus", "bonus_ends"), ("bonus", "all"), ("arrears", "in_debt"), ("arrears", "all")}
    bonus = told[("bonus", "bonus_ends")]
    assert (bonus.month, bonus.feature_month, bonus.users, bonus.left_users, bonus.expected_users) == (JUNE, MARCH, 20, 6, 4.0)
    assert bonus.attributable_share == pytest.approx(0.0)
    debt = told[("arrears", "all")]
    assert (debt.users, debt.left_users, debt.expected_users) == (1, 1, 0.0)
    # with the months before that still count
    before = rows(
        spark,
        EVIDENCE,
        *[
            {"month": month, "feature_month": on(1, 1), "cause": "bonus", "evidence": "bonus_ends", "users": 9, "left_users": 8, "expected_users": 2.0}
            for month in (on(3, 1), on(4, 1), JUNE)
        ],
    )  # fmt: skip
    again = causes.evidence(shown(spark, *new, *old), left, before, {JUNE: MARCH}, SETTINGS.causes).where(
        "evidence = 'bonus_ends'"
    )
    (row,) = again.collect()
    assert row.attributable_share == pytest.approx((14 - 6 - 6.25**0.5) / 14, abs=1e-6)


def test_shares_of_causes_follow_from_the_evidence_that_holds(spark: SparkSession) -> None:
    left = rows(
        spark,
        LEAVINGS,
        *[{"user_id": u, "leave_on": on(4, 22), "known_on": on(6, 20), "kind": "silent"} for u in (1, 2, 3, 4)],
        {"user_id": 5, "leave_on": on(4, 22), "known_on": on(6, 20), "kind": "suspended"},
    )
    seen = shown(
        spark,
        (1, False, "", ["neighbours_left", "called_care", "complained"]),
        (3, False, "", ["asked_competitor"]),
        (4, False, "", ["bonus_ends"]),
    ).unionByName(shown(spark, (3, False, "", ["cheaper_plan"]), month=APRIL))
    usage = rows(
        spark,
        USAGE,
        # as ever to the last day; and hardly any more in the last week
        *[{"user_id": 2, "day": on(3, 25) + dt.timedelta(days=i), "own_events": 2} for i in range(28)],
        *[{"user_id": 4, "day": on(3, 25) + dt.timedelta(days=i), "own_events": 2} for i in range(21)],
        {"user_id": 4, "day": on(4, 21), "own_events": 3},
    )
    bills = rows(spark, BILLS, {"user_id": 5, "month": MARCH, "delivered_on": on(4, 3), "arrears_yuan": 90})
    found = {r.user_id: r for r in causes.causes(left, seen, {USAGE: usage, BILLS: bills}, None, SETTINGS).collect()}
    service = 1 - (1 - START["called_care"]) * (1 - START["complained"])
    assert found[1].cause == "service"
    assert found[1].share == found[1].service_share == pytest.approx(service / (service + START["neighbours_left"]), abs=1e-5)
    assert found[1].evidence == ["complained", "neighbours_left", "called_care"]
    assert (found[2].cause, found[2].share, found[2].evidence) == ("lost_sim", 1.0, ["stopped_suddenly"])
    # the month before and that of the leaving; of a month the day is not known nothing is
    assert set(found[3].evidence) == {"asked_competitor", "cheaper_plan"}
    assert found[4].cause == "bonus"
    assert (found[5].cause, found[5].evidence) == ("arrears", ["suspended_in_debt"])
    assert all(sum(r[f"{cause}_share"] for cause in CAUSE_NAMES) == pytest.approx(1, abs=1e-5) for r in found.values())

    learnt = rows(
        spark,
        EVIDENCE,
        *[
            {"month": month, "feature_month": on(1, 1), "cause": EVIDENCE_CAUSES[name], "evidence": name, "attributable_share": share}
            for month, name, share in (
                (on(5, 1), "complained", 0.0), (on(5, 1), "called_care", 0.2), (on(5, 1), "neighbours_left", 0.6), (on(5, 1), "asked_competitor", 0.9),
                (on(5, 1), "bonus_ends", 0.0), (on(5, 1), "cheaper_plan", 0.1), (JUNE, "complained", 1.0),
            )
        ],
    )  # fmt: skip
    now = {r.user_id: r for r in causes.causes(left, seen, {USAGE: usage}, learnt, SETTINGS).collect()}
    # June is not over when the leaving is confirmed
    assert (now[1].cause, now[1].share) == ("circle", pytest.approx(0.75, abs=1e-5))
    # that one asks the competitor tells a third of why
    assert (now[3].cause, now[3].share) == ("competitor", pytest.approx(0.27 / 0.37, abs=1e-5))
    # what speaks for nothing beyond chance is told all the same
    assert (now[4].cause, now[4].share, now[4].evidence) == ("unknown", None, ["bonus_ends"])
    assert (now[5].cause, now[5].evidence) == ("unknown", [])


def test_who_came_back_tells_what_for_as_far_as_that_is_known_then(spark: SparkSession) -> None:
    left = rows(
        spark,
        LEAVINGS,
        *[{"user_id": u, "leave_on": on(4, 22), "known_on": on(6, 20), "kind": "silent"} for u in (1, 2, 3, 4, 5)],
    )
    matches = rows(
        spark, MATCHES, *[{"old_user_id": u, "user_id": 10 + u, "known_on": on(6, 21 if u == 4 else 20)} for u in (1, 2, 3, 4)]
    )
    told = {"delivered_on": on(1, 1), "plan_id": "a"}
    subscribers = rows(
        spark,
        SUBSCRIBERS,
        *[{**told, "user_id": u} for u in (1, 2, 3, 4, 5)],
        {**told, "user_id": 11, "bonus_yuan": 50},
        {**told, "user_id": 12, "plan_id": "b"},
        # the plan joined with is the old one; another was taken later
        {**told, "user_id": 13},
        {**told, "user_id": 13, "plan_id": "b", "delivered_on": on(5, 1)},
        {**told, "user_id": 14, "plan_id": "b"},
    )
    tables = {USAGE: rows(spark, USAGE), MATCHES: matches, SUBSCRIBERS: subscribers}
    found = causes.causes(left, shown(spark), tables, None, SETTINGS).collect()
    assert {r.user_id: (r.cause, r.evidence) for r in found} == {
        1: ("bonus", ["back_for_bonus"]),
        2: ("price", ["back_on_other_plan"]),
        3: ("lost_sim", ["back_on_same_plan"]),
        4: ("unknown", []),
        5: ("unknown", []),
    }


def test_a_cause_is_told_by_month_with_what_mending_it_brings(spark: SparkSession) -> None:
    told = rows(
        spark,
        LEAVER_CAUSES,
        {
            "known_on": on(6, 9),
            "user_id": 1,
            "cause": "circle",
            "share": 0.75,
            "circle_share": 0.75,
            "service_share": 0.25,
            "leave_on": APRIL,
        },
        {"known_on": on(6, 9), "user_id": 2, "cause": "unknown", "leave_on": APRIL},
        {"known_on": on(5, 9), "user_id": 3, "cause": "circle", "share": 1.0, "circle_share": 1.0, "leave_on": MARCH},
    )
    here = shown(spark, *[(u, False, "", ["neighbours_left"] if u < 10 else []) for u in range(20)], month=JUNE)
    weights = rows(
        spark,
        EVIDENCE,
        {
            "month": JUNE,
            "feature_month": MARCH,
            "cause": "circle",
            "evidence": "all",
            "users": 8,
            "left_users": 2,
            "expected_users": 0.4,
        },
    )
    found = {r.cause: r for r in causes.by_month(told, here, weights, [JUNE], SETTINGS.causes).collect()}
    assert set(found) == set(CAUSE_NAMES)
    circle = found["circle"]
    assert (circle.leavers, circle.expected_leavers, circle.users, circle.severity_ratio) == (1, 0.75, 10, 5.0)
    assert float(circle.mend_yuan) == 10 * SETTINGS.causes.mend_yuan["circle"]
    assert circle.kept_users == pytest.approx(10 * 1.6 / 8)
    assert circle.lift_share == 1.0
    service = found["service"]
    assert (service.leavers, service.expected_leavers, service.users, service.severity_ratio, service.kept_users) == (
        0,
        0.25,
        0,
        None,
        0.0,
    )


def test_likely_causes_are_judged_beside_the_commonest_and_rules_in_turn(spark: SparkSession) -> None:
    told = rows(
        spark,
        LEAVER_CAUSES,
        {"known_on": on(6, 1), "user_id": 1, "cause": "circle", "evidence": ["neighbours_left", "in_debt"]},
        {"known_on": on(7, 1), "user_id": 1, "cause": "price", "evidence": ["cheaper_plan"]},
        {"known_on": on(6, 1), "user_id": 2, "cause": "coverage", "evidence": ["calls_dropped"]},
        {"known_on": on(6, 1), "user_id": 3, "cause": "competitor", "evidence": ["asked_competitor"]},
        {"known_on": on(6, 1), "user_id": 4, "cause": "unknown", "evidence": []},
        {"known_on": on(6, 1), "user_id": 9, "cause": "price", "evidence": []},
    )
    planted = spark.createDataFrame(
        [(1, "friends"), (2, "quality"), (3, "price"), (4, "price"), (5, "price")], "user_id long, planted string"
    )
    found = causes_found(told, planted)
    assert found.confusion == {"friends": {"friends": 1}, "quality": {"quality": 1}, "price": {"price": 1, "unknown": 1}}
    assert (found.leavers, found.accuracy, found.majority, found.by_rule, found.unknown) == (4, 0.75, 0.5, 0.5, 0.25)
    assert "0.75 of 4 leavers as planted" in str(found)
    assert set(PLANTED_AS) == set(CAUSE_NAMES)


def test_settings_that_leave_a_cause_or_a_piece_of_evidence_out_are_refused() -> None:
    given = SETTINGS.causes.model_dump()
    with pytest.raises(ValidationError, match="start_weights must name each of"):
        CauseSettings(**{**given, "start_weights": {"in_debt": 0.5}})
    with pytest.raises(ValidationError, match="sign_weights names moon"):
        CauseSettings(**{**given, "sign_weights": {"moon": 0.5}})
