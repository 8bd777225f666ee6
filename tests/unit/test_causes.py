"""Causes of leaving: which evidence holds, what it says, how probabilities follow from it, what mending brings, and how often it is right."""

import datetime as dt
import random
from decimal import Decimal

import numpy as np
import pytest
from pydantic import ValidationError
from pyspark.sql import DataFrame, SparkSession

from churnlake.churn import causes, evidence, mixture
from churnlake.churn.settings import CauseSettings
from churnlake.core.frames import frame_of
from churnlake.core.settings import load
from churnlake.core.testing import rows
from churnlake.evaluate.causes import PLANTED_AS, causes_found
from churnlake.settings import Settings
from churnlake.tables.causes import ALL, CAUSE_NAMES, CAUSE_WEIGHTS, EVIDENCE, EVIDENCE_CAUSES, LEAVER_CAUSES, UNKNOWN
from churnlake.tables.churn import LEAVINGS
from churnlake.tables.circles import NEIGHBOURS
from churnlake.tables.daily import USAGE
from churnlake.tables.features import MONTHLY
from churnlake.tables.reentry import MATCHES, SUCCESSORS
from churnlake.tables.reference import BILLS, PLANS, SUBSCRIBERS

SETTINGS = load(Settings, "local").churn
START = mixture.start(SETTINGS.causes)
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
        {**usual, "user_id": 4, "voice_out_calls_to_complaints": 1, "voice_out_calls_to_hotline": 1, "voice_dropped_calls": 3, "voice_dropped_share": 0.05},
        {**usual, "user_id": 5, "bonus_yuan": 50, "bonus_left_days": -31, "new_handsets": 1, "has_gprs_handset": 0},
        {**usual, "user_id": 6, "bonus_yuan": 50, "bonus_left_days": -30, "voice_out_calls_to_hotline": 2, "new_handsets": 0},
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
    found = {r.user_id: r for r in evidence.held(features, near, plans, [MARCH], SETTINGS).collect()}
    assert {user: set(r.held) for user, r in found.items()} == {
        1: {"neighbours_left"},
        2: {"great_debt", "in_debt"},
        3: {"other_home", "away"},
        4: {"complained", "calls_dropped"},
        5: {"new_handset", "old_handset"},
        6: {"bonus_ends", "called_care"},
        7: {"cheaper_plan", "fee_rose"},
        8: set(),
    }
    assert (found[2].is_new, found[1].is_new, found[7].is_active, found[8].is_active) == (True, False, False, True)
    # what is not known is not asked
    assert "new_handset" in found[6].asked
    assert not {"new_handset", "in_debt", "neighbours_left"} & set(found[7].asked)
    without = {r.user_id: set(r.held) for r in evidence.held(features, None, None, [MARCH], SETTINGS).collect()}
    assert without[1] == set()
    assert without[7] == {"fee_rose"}


def shown(spark: SparkSession, *users: tuple[int, bool, str, list[str]], month: dt.date = MARCH) -> DataFrame:
    kind = "month date, user_id long, is_active boolean, brand string, is_new boolean, held array<string>, asked array<string>"
    asked = list(evidence.rules(SETTINGS))
    return spark.createDataFrame([(month, user, True, brand, is_new, held, asked) for user, is_new, brand, held in users], kind)


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


def test_what_was_shown_lately_is_held_against_what_those_who_stay_show(spark: SparkSession) -> None:
    every = shown(spark, *[(u, False, "easyown", ["new_handset"] if u < 5 else []) for u in range(20)])
    every = every.unionByName(shown(spark, (1, False, "easyown", ["in_debt"]), (50, True, "easyown", []), month=APRIL))
    every = every.unionByName(shown(spark, (2, False, "easyown", ["away"]), month=on(12, 1).replace(year=2004)))
    every = every.unionByName(shown(spark, (2, False, "easyown", ["fee_rose"]), month=on(11, 1).replace(year=2004)))
    near = evidence.lately(every, [APRIL], SETTINGS.causes)
    told = {r.user_id: r for r in near.collect()}
    assert set(told[1].held) == {"new_handset", "in_debt"}
    # four months before April is December, and no more
    assert set(told[2].held) == {"new_handset", "away"}
    assert (told[1].was_active, told[50].was_active, told[50].is_new) == (True, False, True)
    shares = {r.evidence: r.usual_share for r in evidence.usual(near, SETTINGS.causes).collect()}
    # one stratum: five of twenty, but for the half that keeps a share from being none or all
    weight = SETTINGS.causes.usual_users
    assert shares["new_handset"] == pytest.approx((5 + weight * 5.5 / 21) / (20 + weight), abs=1e-8)
    assert shares["old_handset"] == pytest.approx(weight * 0.5 / 21 / (20 + weight), abs=1e-8)


def pieces_of(
    spark: SparkSession, *leavers: tuple[int, dict[str, tuple[bool, float | None]]], known_on: dt.date = on(6, 20)
) -> DataFrame:
    kind = "known_on date, user_id long, evidence string, is_held boolean, usual_share double"
    told = [(known_on, user, name, held, usual) for user, of in leavers for name, (held, usual) in of.items()]
    return spark.createDataFrame(told, kind)


def weights_of(spark: SparkSession, *months: dict[str, object]) -> DataFrame:
    return frame_of(spark, CAUSE_WEIGHTS.schema, [*causes.starting(SETTINGS.causes), *months])


def by_hand(of: dict[str, tuple[bool, float | None]], shares: mixture.Shares) -> dict[str, float]:
    """Bayes' rule, one factor after the other."""
    odds = {}
    for cause in (*CAUSE_NAMES, UNKNOWN):
        odds[cause] = shares[cause, ALL]
        for name, (is_held, usual) in of.items():
            rest = usual if usual is not None else shares[UNKNOWN, name]
            share = shares[cause, name] if cause in EVIDENCE_CAUSES[name] else rest
            odds[cause] *= share if is_held else 1 - share
    return {cause: value / sum(odds.values()) for cause, value in odds.items()}


def test_probabilities_of_causes_are_bayes_rule_over_the_evidence(spark: SparkSession) -> None:
    of: dict[int, dict[str, tuple[bool, float | None]]] = {
        1: {"called_care": (True, 0.1), "complained": (False, 0.02), "neighbours_left": (True, 0.9), "asked_competitor": (True, None)},
        2: {"stopped_suddenly": (True, None), "asked_competitor": (False, None), "at_competitor": (False, None)},
        3: {"left_in_debt": (True, None), "in_debt": (True, 0.01)},
        4: {"back": (False, None), "at_competitor": (False, None), "asked_competitor": (False, None), "away": (True, 0.02)},
    }  # fmt: skip
    left = rows(spark, LEAVINGS, *[{"user_id": u, "leave_on": on(4, 22), "known_on": on(6, 20)} for u in (1, 2, 3, 4, 5)])
    told = pieces_of(spark, *of.items())
    found = {r.user_id: r for r in causes.causes(left, told, weights_of(spark), SETTINGS.causes).collect()}
    assert set(found) == {1, 2, 3, 4, 5}
    for user, row in found.items():
        due = by_hand(of.get(user, {}), START)
        assert {cause: row[f"{cause}_share"] for cause in due} == pytest.approx(due, abs=2e-5)
        assert row.share == max(row[f"{cause}_share"] for cause in due) == row[f"{row.cause}_share"]
    assert [found[user].cause for user in (1, 2, 3, 4, 5)] == ["service", "lost_sim", "arrears", "move", "price"]
    # what says most first; what does not hold is not told
    assert found[1].evidence == ["called_care", "asked_competitor", "neighbours_left"]
    assert found[5].evidence == []
    # weights learnt count from the month's end on, and no later month's
    said = {(cause, name): 0.5 for cause, name in START if name != ALL} | {
        (c, ALL): 0.1 if c != "circle" else 0.9 for c in (*CAUSE_NAMES, UNKNOWN)
    }
    learnt = [
        {"month": month, "cause": cause, "evidence": name, "share": share, "leavers": 9}
        for month, shares in ((on(5, 1), said), (JUNE, dict.fromkeys(said, 0.01)))
        for (cause, name), share in shares.items()
    ]
    again = {r.user_id: r for r in causes.causes(left, told, weights_of(spark, *learnt), SETTINGS.causes).collect()}
    due = by_hand(of[1], said)
    assert {cause: again[1][f"{cause}_share"] for cause in due} == pytest.approx(due, abs=2e-5)
    assert again[5].cause == "circle"


def test_pieces_are_what_is_known_of_a_leaving_by_then(spark: SparkSession) -> None:
    left = rows(
        spark,
        LEAVINGS,
        *[{"user_id": u, "leave_on": on(4, 22), "known_on": on(6, 20), "kind": "silent"} for u in (1, 2, 3, 4)],
        {"user_id": 5, "leave_on": on(4, 22), "known_on": on(6, 20), "kind": "suspended"},
        # ordered: known that day, before April was over
        {"user_id": 6, "leave_on": on(4, 22), "known_on": on(4, 22), "kind": "cancelled"},
    )
    every = [(u, False, "easyown", ["new_handset"] if u in (1, 6) else []) for u in (1, 6, *range(20, 40))]
    near = evidence.lately(
        shown(spark, *every)
        .unionByName(shown(spark, *every, month=on(2, 1)))
        .unionByName(shown(spark, (6, False, "easyown", ["away"]), month=APRIL)),
        [MARCH, APRIL],
        SETTINGS.causes,
    )
    day = on(4, 22)
    usage = rows(
        spark,
        USAGE,
        # as ever to the last day; hardly any more in the last fortnight; too little to tell; long faded, and as ever since
        *[{"user_id": 1, "day": day - dt.timedelta(days=i), "own_events": 2} for i in range(1, 60)],
        *[{"user_id": 2, "day": day - dt.timedelta(days=i), "own_events": 2 if i > 14 else 0} for i in range(1, 60)],
        {"user_id": 3, "day": on(4, 21), "own_events": 3},
        *[{"user_id": 4, "day": day - dt.timedelta(days=i), "own_events": 1 if i < 80 else 4} for i in range(1, 130)],
        {"user_id": 4, "day": on(4, 1), "own_events": 1, "voice_out_calls_to_competitor_hotline": 1},
        {"user_id": 2, "day": on(6, 20), "own_events": 0, "voice_forwarded_calls_to_unicom_gsm": 2},
        {"user_id": 3, "day": on(6, 21), "own_events": 0, "voice_forwarded_calls_to_unicom_gsm": 2},
    )
    bills = rows(
        spark,
        BILLS,
        *[{"user_id": u, "month": MARCH, "delivered_on": on(4, 3), "arrears_yuan": 90 if u == 5 else 9} for u in (4, 5)],
    )
    matches = rows(
        spark, MATCHES,
        *[{"old_user_id": u, "user_id": 10 + u, "known_on": on(6, 21 if u == 4 else 20), "probability": 0.5 if u < 5 else 0.4} for u in (1, 2, 4, 5)],
    )  # fmt: skip
    plan = {"delivered_on": on(1, 1), "plan_id": "a"}
    subscribers = rows(
        spark, SUBSCRIBERS,
        *[{**plan, "user_id": u} for u in (1, 2, 3, 4, 5)],
        {**plan, "user_id": 11, "bonus_yuan": 50},
        # the plan joined with is another; the old one was taken later
        {**plan, "user_id": 12, "plan_id": "b"}, {**plan, "user_id": 12, "delivered_on": on(5, 1)},
        {**plan, "user_id": 14, "plan_id": "b"},
    )  # fmt: skip
    after = rows(
        spark, SUCCESSORS,
        {"user_id": 3, "leave_on": on(4, 22), "known_on": on(6, 20), "peer_network": "unicom_gsm"},
        {"user_id": 4, "leave_on": on(4, 22), "known_on": on(6, 20), "peer_network": "phs"},
        {"user_id": 5, "leave_on": on(4, 22), "known_on": on(6, 21), "peer_network": "unicom_gsm"},
    )  # fmt: skip
    tables = {USAGE: usage, BILLS: bills, MATCHES: matches, SUBSCRIBERS: subscribers, SUCCESSORS: after}
    found = evidence.pieces(left, near, evidence.usual(near, SETTINGS.causes), tables, SETTINGS).collect()
    held = {u: {r.evidence for r in found if r.user_id == u and r.is_held} for u in range(1, 7)}
    asked = {u: {r.evidence for r in found if r.user_id == u} for u in range(1, 7)}
    assert held == {
        1: {"new_handset", "stopped_suddenly", "back", "back_for_bonus", "back_on_same_plan"},
        2: {"sends_calls_on", "back"},
        3: {"at_competitor"},
        4: {"asked_competitor"},
        5: {"left_in_debt"},
        # April was not over when it was known: what March's end tells
        6: {"new_handset"},
    }
    assert "stopped_suddenly" in asked[2] & asked[4]
    assert "stopped_suddenly" not in asked[3] | asked[5]
    assert {"left_in_debt"} <= asked[4] & asked[5] - asked[1]
    # on the day of a cancel order nobody can have found where to
    assert not {"back", "at_competitor"} & asked[6]
    # what for is asked of who is back, who is with the competitor of who is not
    assert {"back_for_bonus", "back_on_same_plan"} <= asked[2] - asked[3]
    assert {"back", "at_competitor"} <= asked[3] & asked[4] & asked[5]
    assert "at_competitor" not in asked[1] | asked[2]
    usual = {(r.user_id, r.evidence): r.usual_share for r in found}
    assert usual[1, "stopped_suddenly"] is None
    assert usual[1, "new_handset"] == pytest.approx((2 + 30 * 2.5 / 23) / 52, abs=1e-6)
    without = evidence.pieces(left, near, evidence.usual(near, SETTINGS.causes), {USAGE: usage}, SETTINGS).collect()
    assert {r.evidence for r in without} & {"left_in_debt", "back", "at_competitor"} == set()
    some = {USAGE: usage, MATCHES: matches}
    fewer = evidence.pieces(left, near, evidence.usual(near, SETTINGS.causes), some, SETTINGS).collect()
    assert {r.evidence for r in fewer} & {"back", "back_for_bonus", "at_competitor"} == {"back"}


def test_shares_are_learnt_from_a_mixture_whose_causes_nobody_told() -> None:
    dice = random.Random(5)
    truly = {"service": 0.35, "lost_sim": 0.25, "price": 0.4}
    usual = {"called_care": 0.1, "complained": 0.02, "cheaper_plan": 0.3}
    shows = {("service", "called_care"): 0.7, ("service", "complained"): 0.5, ("price", "cheaper_plan"): 0.8, ("price", "asked_competitor"): 0.6,
             ("service", "asked_competitor"): 0.4, ("lost_sim", "stopped_suddenly"): 0.9}  # fmt: skip
    of_others = {"asked_competitor": 0.05, "stopped_suddenly": 0.08}
    names = [*usual, *of_others]
    leavers, causes_drawn = [], []
    for _ in range(2000):
        cause = dice.choices(list(truly), list(truly.values()))[0]
        chance = {name: shows.get((cause, name), usual.get(name, of_others.get(name, 0))) for name in names}
        leavers.append({name: (dice.random() < chance[name], usual.get(name)) for name in names})
        causes_drawn.append(cause)
    found = mixture.learn(leavers, SETTINGS.causes)
    assert {key: found[key] for key in shows} == pytest.approx(shows, abs=0.15)
    assert {key: found[UNKNOWN, key] for key in of_others} == pytest.approx(of_others, abs=0.05)
    # who shows nothing may have left for what shows no more: that part is dealt out by what was taken for likely
    assert {cause: found[cause, ALL] for cause in truly} == pytest.approx(truly, abs=0.12)
    assert sum(found[cause, ALL] for cause in (*CAUSE_NAMES, UNKNOWN)) == pytest.approx(1, abs=1e-4)
    # what is told by it is right far oftener than the commonest cause, and no seldomer than its probabilities say
    told = [by_hand(one, found) for one in leavers[:1000]]
    right = np.mean([max(one, key=one.__getitem__) == cause for one, cause in zip(told, causes_drawn, strict=False)])
    assert right > 0.65
    assert np.mean([max(one.values()) for one in told]) - 0.05 < right
    # in another order the same, and without anybody what was taken for likely
    assert mixture.learn(leavers[::-1], SETTINGS.causes) == pytest.approx(found, abs=1e-6)
    assert mixture.learn([], SETTINGS.causes) == START


def test_shares_of_a_month_are_learnt_from_leavers_confirmed_by_its_end(spark: SparkSession) -> None:
    one: dict[str, tuple[bool, float | None]] = {"called_care": (True, 0.1)}
    told = pieces_of(spark, *[(u, one) for u in range(9)]).unionByName(pieces_of(spark, (20, one), known_on=on(7, 1)))
    told = told.unionByName(pieces_of(spark, (21, one), known_on=dt.date(2004, 12, 31)))
    found = causes.learnt(told, [JUNE], SETTINGS.causes)
    assert {row["leavers"] for row in found} == {9}
    assert {(row["cause"], row["evidence"]): row["share"] for row in found} == mixture.learn([one] * 9, SETTINGS.causes)
    few = SETTINGS.causes.model_copy(update={"learnt_leavers_most": 4})
    assert {row["leavers"] for row in causes.learnt(told.repartition(5), [JUNE], few)} == {4}
    assert causes.first_confirmed([on(6, 20)], [JUNE], SETTINGS.causes) == on(1, 1)
    assert causes.months_needed([JUNE], [on(1, 1)], SETTINGS.causes) == [on(month, 1) for month in range(1, 7)]


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
        {"known_on": on(6, 1), "user_id": 1, "cause": "circle", "circle_share": 1.0, "evidence": ["neighbours_left", "in_debt"]},
        {"known_on": on(7, 1), "user_id": 1, "cause": "price", "evidence": ["cheaper_plan"]},
        {"known_on": on(6, 1), "user_id": 2, "cause": "coverage", "evidence": ["calls_dropped"]},
        {
            "known_on": on(6, 1),
            "user_id": 3,
            "cause": "price",
            "price_share": 0.5,
            "circle_share": 0.5,
            "evidence": ["asked_competitor"],
        },
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
    # friends 1.0, price 0.5; of the others nothing was said for what was planted
    assert found.log_loss == pytest.approx((0 + 2 * -np.log(1e-6) + np.log(2)) / 4)
    assert found.majority_log_loss == pytest.approx(np.log(4) / 2 + np.log(2) / 2)
    assert found.taught is None
    assert set(PLANTED_AS) == set(CAUSE_NAMES)


def test_settings_that_leave_a_cause_or_a_piece_of_evidence_out_are_refused() -> None:
    given = SETTINGS.causes.model_dump()
    with pytest.raises(ValidationError, match="start_shown must name each of"):
        CauseSettings(**{**given, "start_shown": {"in_debt": 0.5}})
    with pytest.raises(ValidationError, match="start_shares must sum to 1"):
        CauseSettings(**{**given, "start_shares": given["start_shares"] | {"price": 0.9}})
