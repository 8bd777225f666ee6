"""The seven steps: call-backs drawn and judged, two lists, windows, gates; cases counted by hand."""

import datetime as dt
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from churnlake.core.frames import conform, frame_of
from churnlake.core.runs import Days
from churnlake.core.settings import load
from churnlake.core.testing import rows
from churnlake.reentry import economics, steps, verification, windows
from churnlake.settings import Settings
from churnlake.tables.control import BONUSES, CALLBACKS, FLEAS, FUNNELS, GROSS_ADDS, NET_ADDS, PARTS, PLAN_MOVES, STEPS
from churnlake.tables.daily import DEVICES
from churnlake.tables.motives import MOTIVES
from churnlake.tables.reentry import JOINERS, MATCHES, PAIRS
from churnlake.tables.reference import ANSWERS, LIVES, OPT_OUTS

SETTINGS = load(Settings, "local").reentry
HOW = SETTINGS.control
MONTH, TOLD = dt.date(2005, 2, 1), dt.date(2005, 5, 29)
GIVEN = {"month": MONTH, "known_on": TOLD}


def on(month: int, day: int) -> dt.date:
    return dt.date(2005, month, day)


def joiners(spark: SparkSession, *given: dict[str, Any]) -> DataFrame:
    start = {"joined_on": on(2, 10), "known_on": on(4, 11), "stage_days": 60, "scope": "scored", "peers": 9}
    return economics.told(rows(spark, JOINERS, *[{**start, **one} for one in given]), HOW.closes_days, Days(TOLD, TOLD))


def by_measure(found: DataFrame) -> dict[str, Any]:
    told = conform(STEPS, found).collect()
    assert {(r.month, r.known_on) for r in told} <= {(MONTH, TOLD)}
    assert len({r.measure for r in told}) == len(told)
    return {r.measure: r for r in told}


def test_call_backs_are_drawn_by_stratum_and_tell_nothing(spark: SparkSession) -> None:
    settings = SETTINGS.model_copy(update={"control": HOW.model_copy(update={"callbacks": 60})})
    chances = [0.0] * 500 + [0.1] * 40 + [0.3] * 8 + [0.6] * 30 + [0.9] * 30 + [0.99] * 200
    parts = rows(
        spark,
        PARTS,
        *[{**GIVEN, "user_id": 1000 + i, "joined_on": on(2, 10), "reentry_probability": p} for i, p in enumerate(chances)],
    )
    out = rows(spark, OPT_OUTS, *[{"user_id": 1540 + i, "choice": "out", "chosen_on": on(3, 1)} for i in range(4)],
               {"user_id": 1544, "choice": "out", "chosen_on": on(3, 1)}, {"user_id": 1544, "choice": "in", "chosen_on": on(3, 2)})  # fmt: skip
    drawn = verification.callbacks(parts.repartition(5), out, settings)
    assert set(drawn.columns) == set(CALLBACKS.names) == {"known_on", "month", "user_id", "call_order"}
    found = {r.user_id: r.call_order for r in drawn.collect()}
    # ten of each of the six strata; of the third four were left that may be called
    assert sorted(found.values()) == list(range(1, 55))
    assert {u for u in found if 1540 <= u < 1548} == {1544, 1545, 1546, 1547}
    assert sum(u < 1500 for u in found) == sum(u >= 1608 for u in found) == 10
    # by their order callers cannot tell one stratum from another, and a re-run draws the same
    assert not 0.9 < sum(found[u] for u in found if u >= 1608) / sum(found[u] for u in found if u < 1500) < 0.91
    assert {r.user_id: r.call_order for r in verification.callbacks(parts.coalesce(1), out, settings).collect()} == found


def test_precision_by_call_backs_counts_strata_by_their_matches(spark: SparkSession) -> None:
    # 90 matches at 0.99, of whom 4 are called; 10 at 0.6, of whom 3 are; the rest are not matched
    parts = rows(spark, PARTS, *[
        {**GIVEN, "user_id": u, "joined_on": on(2, 10), "part": "reentry" if u <= 100 else "new", "old_user_id": u + 1000 if u <= 100 else None,
         "reentry_probability": 0.99 if u <= 90 else 0.6} for u in range(1, 111)
    ])  # fmt: skip
    closes = TOLD + dt.timedelta(days=HOW.callback_days)
    drawn = rows(
        spark, CALLBACKS, *[{**GIVEN, "user_id": u, "call_order": i + 1} for i, u in enumerate((1, 2, 3, 4, 91, 92, 93, 101))]
    )
    drawn = economics.closed(drawn, HOW.closes_days + HOW.callback_days, Days(closes, closes))
    numbers = rows(spark, LIVES, *[{"user_id": u + 1000, "number_key": u + 5000} for u in range(1, 101)])
    said = {
        1: ("yes", 5001), 2: ("yes", 5002), 3: ("no", None), 4: ("yes", None),  # 4 held one, and does not say which
        91: ("yes", 5091), 92: ("yes", 7777), 101: ("no", None),
    }  # fmt: skip
    answers = [{"user_id": u, "asked_on": on(6, 1), "question": HOW.held_before, "answer": a} for u, (a, _) in said.items()]
    answers += [
        {"user_id": u, "asked_on": on(6, 1), "question": "old_number", "answer": "yes", "old_number_key": k}
        for u, (_, k) in said.items()
        if k
    ]
    answers += [
        {"user_id": 93, "asked_on": closes + dt.timedelta(days=1), "question": HOW.held_before, "answer": "no"}
    ]  # too late
    found = verification.verdicts(drawn, parts, rows(spark, ANSWERS, *answers), numbers, SETTINGS)
    row = found.collect()[0]
    assert (row.matches, row.drawn, row.answered, row.right) == (100, 7, 5, 3)
    assert row.precision == pytest.approx(0.9 * 2 / 3 + 0.1 * 1 / 2)
    assert row.effective == pytest.approx(100**2 / (90**2 / 3 + 10**2 / 2))
    told = conform(STEPS, steps.called_back(found, SETTINGS)).collect()
    gate = next(r for r in told if r.measure == "precision_by_callbacks")
    assert (gate.known_on, gate.passed, gate.why) == (closes, None, "5 matches answered: too few to judge by")
    assert 0 < gate.low < gate.value < gate.high < 1
    none = verification.verdicts(drawn, parts, rows(spark, ANSWERS), numbers, SETTINGS)
    silent = {r.measure: r for r in conform(STEPS, steps.called_back(none, SETTINGS)).collect()}["precision_by_callbacks"]
    assert (silent.value, silent.passed, silent.why) == (None, None, "no match called back has answered")


def test_each_way_names_by_itself(spark: SparkSession) -> None:
    alike = {
        "circle_score": 9.0,
        "hellinger": 0.9,
        "old_found": 0.9,
        "shared_peers": 8,
        "stage_days": 60,
        "kind": "full",
        "gap_days": 5,
        "joined_on": on(2, 10),
        "known_on": on(4, 11),
    }
    same = {"has_same_imei": True, "imei_users": 2}
    pairs = rows(
        spark, PAIRS,
        {**alike, "user_id": 1, "old_user_id": 11}, {**alike, **same, "circle_score": 0.0, "hellinger": 0.0, "shared_peers": 0, "user_id": 2, "old_user_id": 12},
        {**alike, **same, "circle_score": 1.0, "hellinger": 0.1, "old_found": 0.1, "shared_peers": 1, "user_id": 3, "old_user_id": 13},  # by the sum of both
        {**alike, **same, "kind": "kept", "user_id": 4, "old_user_id": 14},
        {**same, "stage_days": 60, "kind": "full", "imei_users": 3, "user_id": 3, "old_user_id": 19, "old_last_on": on(2, 9)},
    )  # fmt: skip
    circle = {r.user_id: r.old_user_id for r in verification.by_circle(pairs, [], SETTINGS).collect()}
    assert circle == {1: 11}
    handset = {r.user_id: (r.old_user_id, r.olds) for r in verification.by_handset(pairs).collect()}
    assert handset == {2: (12, 1), 3: (13, 2)}


def test_windows_count_matches_and_who_would_be_one_beyond(spark: SparkSession) -> None:
    came = joiners(spark, *[{"user_id": u} for u in range(1, 7)])
    matches = rows(
        spark, MATCHES,
        *[{"user_id": u, "old_user_id": u + 10, "gap_days": g, "kind": k, "joined_on": on(2, 10)} for u, g, k in [(1, -20, "partial"), (2, 60, "full"), (3, 61, "full")]],
        {"user_id": 11, "old_user_id": 99, "joined_on": dt.date(2004, 9, 1)}, {"user_id": 12, "old_user_id": 98, "joined_on": dt.date(2004, 8, 1)},
    )  # fmt: skip
    further = frame_of(spark, StructType.fromDDL("user_id bigint, gap_days int, kind string"),
                       [{"user_id": 3, "gap_days": 150, "kind": "full"}, {"user_id": 4, "gap_days": 150, "kind": "full"}])  # fmt: skip
    found = by_measure(steps.definition(windows.with_windows(came, matches, further, SETTINGS), SETTINGS))
    assert [found[f"back_within_{d}_days"].value for d in (60, 120, 180)] == [2, 3, 4]
    assert (found["full_replacement"].value, found["partial_replacement"].value, found["multiple"].value) == (3, 1, 1)
    share = found["window_share"]
    assert (share.value, share.passed, share.why) == (0.75, False, "75.0 %")
    assert found["rule_gap_most_days"].value == SETTINGS.gap_most_days
    none = by_measure(steps.definition(windows.with_windows(came, matches.where("false"), None, SETTINGS), SETTINGS))[
        "window_share"
    ]
    assert (none.value, none.passed, none.why) == (None, None, "there is nothing to judge by")


def test_scope_circle_and_handset(spark: SparkSession) -> None:
    came = joiners(
        spark,
        *[
            {"user_id": u, "scope": s, "peers": p}
            for u, s, p in [(1, "scored", 5), (2, "scored", 0), (3, "scored", 7), (4, "too_little", 0)]
        ],
    )
    found = by_measure(steps.scope(came, SETTINGS))
    assert {name: found[name].value for name in ("joiners", "scored", "too_little", "excluded", "scored_share")} == {
        "joiners": 4, "scored": 3, "too_little": 1, "excluded": 0, "scored_share": 0.75,
    }  # fmt: skip
    assert (found["joiners"].passed, found["joiners"].why, found["scored_share"].passed) == (True, "4 and 4", True)
    named = frame_of(spark, StructType.fromDDL("user_id bigint, circle_probability double"),
                     [{"user_id": 1, "circle_probability": 0.9}, {"user_id": 3, "circle_probability": 0.6}])  # fmt: skip
    circle = by_measure(steps.circle_alone(came, named, SETTINGS))
    assert (circle["named_by_circle"].value, circle["without_circle"].value) == (2, 2)
    assert (circle["circle_mean_probability"].value, circle["circle_mean_probability"].passed) == (0.75, False)
    crowd = [{"user_id": 50 + i, "imei_key": 7, "day": on(1, 1)} for i in range(SETTINGS.imei_users_most)]
    devices = rows(
        spark, DEVICES, {"user_id": 1, "imei_key": 5, "day": on(2, 10)}, {"user_id": 2, "imei_key": 7, "day": on(2, 11)},
        {"user_id": 3, "imei_key": 7, "day": on(2, 11)}, {"user_id": 3, "imei_key": 6, "day": on(3, 11)}, {"user_id": 4, "imei_key": 6, "day": on(4, 12)}, *crowd,
        *[{"user_id": 80 + i, "imei_key": 5, "day": TOLD + dt.timedelta(days=1)} for i in range(9)],  # not known when the month is told
    )  # fmt: skip
    named = frame_of(spark, StructType.fromDDL("user_id bigint, old_user_id bigint, olds bigint"),
                     [{"user_id": 1, "old_user_id": 11, "olds": 1}, {"user_id": 3, "old_user_id": 13, "olds": 2}])  # fmt: skip
    handset = by_measure(steps.handset_alone(came, named, devices, SETTINGS))
    assert {name: handset[name].value for name in ("named_by_handset", "one_old_user", "handset_known_share", "left_out")} == {
        "named_by_handset": 2, "one_old_user": 1, "handset_known_share": 0.75, "left_out": 1,  # 4 was seen on day 61 first
    }  # fmt: skip
    assert (handset["left_out_share"].value, handset["left_out_share"].passed) == (pytest.approx(1 / 3, abs=1e-6), False)


def test_two_lists_are_those_of_the_matches(spark: SparkSession) -> None:
    came = joiners(spark, *[{"user_id": u} for u in range(1, 41)])
    pair = StructType.fromDDL("user_id bigint, old_user_id bigint, circle_probability double, olds bigint")

    def named(users: range, shift: int = 100) -> DataFrame:
        return frame_of(spark, pair, [{"user_id": u, "old_user_id": u + shift} for u in users])

    matches = rows(spark, MATCHES, *[{"user_id": u, "old_user_id": u + 100} for u in range(1, 31)])
    # the circle names 1 to 24, and 35 to 39 who were not matched; the handset 13 to 28, and somebody else for 1 to 5
    circle = named(range(1, 25)).unionByName(named(range(35, 40)))
    handset = named(range(13, 29)).unionByName(named(range(1, 6), 900))
    drawn = rows(spark, CALLBACKS, *[{**GIVEN, "user_id": u, "call_order": u} for u in range(1, 8)])
    found = by_measure(steps.combined(came, matches, circle, handset, drawn, SETTINGS))
    assert {name: found[name].value for name in ("matches", "by_both", "by_circle_alone", "by_handset_alone", "by_their_sum_alone", "callbacks_drawn")} == {
        "matches": 30, "by_both": 12, "by_circle_alone": 12, "by_handset_alone": 4, "by_their_sum_alone": 2, "callbacks_drawn": 7,
    }  # fmt: skip
    there = 25 * 17 / 13 - 1
    assert found["there_are"].value == pytest.approx(there, abs=1e-6)
    assert found["recall_by_two_lists"].value == pytest.approx(28 / there, abs=1e-6)
    assert found["recall_by_two_lists"].low < 28 / there < found["recall_by_two_lists"].high <= 1
    assert found["matches"].passed is True
    twice = matches.withColumn("old_user_id", F.expr("if(user_id = 30, 129, old_user_id)"))
    assert by_measure(steps.combined(came, twice, circle, handset, drawn, SETTINGS))["matches"].why == "30 and 29"
    bare = by_measure(steps.combined(came, matches, circle, handset.where("false"), drawn, SETTINGS))["recall_by_two_lists"]
    assert (bare.value, bare.passed) == (None, None)


def test_motives_are_those_known_by_then(spark: SparkSession) -> None:
    came = joiners(spark, *[{"user_id": u} for u in range(1, 6)])
    told = rows(spark, MOTIVES, *[{"user_id": u, "motive": m, "known_on": k} for u, m, k in
                                  [(1, "bonus", on(4, 11)), (2, "unknown", on(4, 11)), (3, "unknown", on(4, 11)), (4, "plan", TOLD + dt.timedelta(days=1)), (9, "plan", on(4, 11))]])  # fmt: skip
    found = by_measure(steps.motives(came, told, SETTINGS))
    assert (found["motive_bonus"].value, found["motive_unknown"].value, found["motive_plan"].value) == (1, 2, 0)
    assert (found["unknown_share"].value, found["unknown_share"].passed) == (pytest.approx(2 / 3, abs=1e-6), False)


def test_the_last_step_adds_up(spark: SparkSession) -> None:
    parts = {"new": (5, 4.5), "reentry": (3, 3.2), "second_number": (1, 1.3), "farmed": (1, 1.0), "unknown": (0, 0.0)}
    gross = rows(
        spark, GROSS_ADDS,
        *[{**GIVEN, "dimension": "all", "value": "all", "part": p, "counted": c, "expected": e, "low": e - 0.5, "high": e + 0.5} for p, (c, e) in parts.items()],
        {**GIVEN, "dimension": "brand", "value": "gotone", "part": "new", "counted": 5},
    )  # fmt: skip
    net = rows(
        spark,
        NET_ADDS,
        {
            **GIVEN,
            "joiners": 10,
            "leavers": 6,
            "net_adds": 4.0,
            "true_net_adds": 1.0,
            "churn_rate": 0.06,
            "true_churn_rate": 0.03,
        },
    )
    bonuses = rows(
        spark, BONUSES, *[{**GIVEN, "dealer_id": d, "twice": 1, "twice_yuan": 100, "bonus_yuan": 300} for d in ("D1", "D2")]
    )
    funnel = rows(spark, FUNNELS, *[{**GIVEN, "level": lv, "value": v, "measure": m, "is_flagged": True} for lv, v, m in
                                    [("dealer", "D1", "reentry"), ("dealer", "D2", "gone_60"), ("branch", "B1", "reentry")]])  # fmt: skip
    joined = rows(spark, PARTS, *[{**GIVEN, "user_id": u, "joined_on": on(2, 10)} for u in range(10)])
    found = by_measure(steps.use(gross, net, bonuses, funnel, joined, rows(spark, FLEAS, {**GIVEN, "joined_on": on(2, 10)})))
    assert (found["gross_adds"].value, found["gross_adds"].passed) == (10, True)
    assert (found["reentry"].value, found["reentry"].low, found["reentry"].persons) == (3.2, 2.7, 3)
    assert found["fleas"].value == 1
    assert "fleas" not in by_measure(steps.use(gross, net, bonuses, funnel, joined, None))
    assert (found["bonus_twice_yuan"].value, found["bonus_yuan"].value) == (200, 600)
    assert (found["dealers_flagged_by_reentry"].value, found["dealers_flagged_by_farmed"].value) == (1, 0)
    less = by_measure(steps.use(gross.where("part <> 'new'"), net, bonuses.where("false"), funnel, joined, None))
    assert (less["gross_adds"].passed, less["gross_adds"].why, less["bonus_twice_yuan"].value) == (False, "5 and 10", 0)
    moves = rows(spark, PLAN_MOVES, *[{**GIVEN, "old_plan": p, "billed": 2, "lost_yuan": 30} for p in ("A", "B")])
    value = by_measure(steps.value(moves))["monthly_value_lost_yuan"]
    assert (value.value, value.persons) == (60, 4)
