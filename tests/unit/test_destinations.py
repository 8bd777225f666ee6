"""Where leavers went, by what can be seen from here, and how the bucket leaks."""

import datetime as dt

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession

from churnlake.churn import destinations
from churnlake.core.runs import Days
from churnlake.core.settings import load
from churnlake.core.testing import rows
from churnlake.evaluate.destinations import judged
from churnlake.settings import Settings
from churnlake.tables.churn import LEAVINGS
from churnlake.tables.daily import USAGE
from churnlake.tables.reentry import JOINERS, MATCHES, SUCCESSORS
from churnlake.tables.staying import BUCKET, DESTINATIONS

SETTINGS = load(Settings, "local").churn
HOW = SETTINGS.destinations
LEFT, TOLD = dt.date(2005, 2, 10), dt.date(2005, 5, 11)


def evidence(spark: SparkSession, users: range = range(1, 9)) -> DataFrame:
    left = rows(
        spark, LEAVINGS, *[{"user_id": u, "leave_on": LEFT, "known_on": dt.date(2005, 4, 11), "brand": "mzone"} for u in users]
    )
    matches = rows(
        spark, MATCHES, {"user_id": 90, "old_user_id": 1, "stage_days": 30, "known_on": dt.date(2005, 3, 20), "probability": 0.5},
        {"user_id": 90, "old_user_id": 1, "stage_days": 60, "known_on": dt.date(2005, 4, 20), "probability": 0.9},
        {"user_id": 91, "old_user_id": 2, "stage_days": 60, "known_on": TOLD + dt.timedelta(days=1), "probability": 0.9},
    )  # fmt: skip
    after = {"leave_on": LEFT, "known_on": dt.date(2005, 4, 11)}
    successors = rows(
        spark, SUCCESSORS, {"user_id": 3, "peer_network": "unicom_gsm", **after}, {"user_id": 4, "peer_network": "phs", **after},
        {"user_id": 5, "peer_network": "unicom_gsm", **after, "known_on": TOLD + dt.timedelta(days=1)},
    )  # fmt: skip
    usage = rows(
        spark, USAGE, {"user_id": 6, "day": LEFT - dt.timedelta(days=5), "voice_forwarded_calls_to_unicom_cdma": 2},
        {"user_id": 6, "day": LEFT + dt.timedelta(days=9), "voice_forwarded_calls_to_unicom_gsm": 1},
        {"user_id": 7, "day": LEFT - dt.timedelta(days=60), "voice_out_calls_to_competitor_hotline": 1},
        {"user_id": 8, "day": LEFT - dt.timedelta(days=61), "voice_out_calls_to_competitor_hotline": 1},
        {"user_id": 8, "day": TOLD + dt.timedelta(days=1), "voice_forwarded_calls_to_unicom_gsm": 1},
    )  # fmt: skip
    due = destinations.due(left, Days(TOLD, TOLD), SETTINGS)
    return destinations.evidence(due, matches, successors, usage, SETTINGS)


def test_signs_count_as_known_on_the_day_told(spark: SparkSession) -> None:
    found = {r.user_id: r for r in evidence(spark).collect()}
    assert {r.known_on for r in found.values()} == {TOLD}
    assert {u: r.matched for u, r in found.items() if r.matched} == {1: 0.9}
    assert {u: r.successor for u, r in found.items() if r.successor != "none"} == {3: "competitor", 4: "other"}
    assert {u: r.forwarded_calls for u, r in found.items() if r.forwarded_calls} == {6: 3}
    assert {u: r.competitor_hotline_calls for u, r in found.items() if r.competitor_hotline_calls} == {7: 1}
    plain = HOW.forwarded.not_seen * HOW.hotline.not_seen
    assert found[8].ratio == pytest.approx(HOW.successor.none * plain)
    assert found[3].ratio == pytest.approx(HOW.successor.competitor * plain)
    assert found[6].ratio == pytest.approx(HOW.successor.none * HOW.forwarded.seen * HOW.hotline.not_seen)


def test_the_three_sum_to_one_and_follow_bayes(spark: SparkSession) -> None:
    told = destinations.destinations(evidence(spark), {dt.date(2005, 5, 1): 0.6}, SETTINGS)
    assert told.columns == DESTINATIONS.names
    found = {r.user_id: r for r in told.collect()}
    for row in found.values():
        parts = (HOW.unseen_back, (1 - HOW.unseen_back) * 0.6 * row.ratio, (1 - HOW.unseen_back) * 0.4)
        back = row.matched + (1 - row.matched) * parts[0] / sum(parts)
        theirs = (1 - row.matched) * parts[1] / sum(parts)
        assert (row.back, row.competitor) == (pytest.approx(back, abs=1e-6), pytest.approx(theirs, abs=1e-6))
        assert row.back + row.competitor + row.elsewhere == pytest.approx(1, abs=2e-6)
    assert [found[u].destination for u in (1, 3, 6, 8)] == ["back", "competitor", "competitor", "elsewhere"]


def test_the_mix_is_the_likeliest_of_those_seen() -> None:
    dice = np.random.default_rng(3)
    # 3,000 leavers, 70 % with the competitor, of whom 60 % show a sign that 6 % of the others show: ratio 10, without it 0.4 / 0.94
    theirs = dice.random(3000) < 0.7
    signs = dice.random(3000) < np.where(theirs, 0.6, 0.06)
    seen = [(10.0, float(signs.sum())), (0.4 / 0.94, float((~signs).sum()))]
    assert destinations.mix(seen, HOW) == pytest.approx(0.7, abs=0.03)
    shares = np.linspace(0.001, 0.999, 999)
    few = sum(n * np.log(shares * r + 1 - shares) for r, n in seen) + HOW.start_leavers * (
        HOW.start_share * np.log(shares) + (1 - HOW.start_share) * np.log(1 - shares)
    )
    assert destinations.mix(seen, HOW) == pytest.approx(shares[few.argmax()], abs=0.002)
    assert destinations.mix([], HOW) == HOW.start_share


def test_a_month_learns_from_those_before_and_from_nothing_later() -> None:
    months = [dt.date(2005, m, 1) for m in (3, 4, 5)]
    seen = [
        {"month": dt.date(2005, 4, 1), "ratio": 10.0, "leavers": 500.0},
        {"month": dt.date(2005, 5, 1), "ratio": 0.1, "leavers": 500.0},
    ]
    found = destinations.mixes(seen, months, HOW)
    assert found[months[0]] == found[months[1]] == HOW.start_share
    assert found[months[2]] > 0.9
    assert found[months[2]] == destinations.mixes(seen[:1], months[2:], HOW)[months[2]]


def test_the_bucket_adds_up_and_tells_a_month_once(spark: SparkSession) -> None:
    february = dt.date(2005, 2, 1)
    told = destinations.destinations(evidence(spark), {dt.date(2005, 5, 1): 0.4}, SETTINGS)
    late = told.where("user_id = 1").selectExpr(
        "date'2005-06-30' as known_on", "100L as user_id", *[c for c in told.columns if c not in ("known_on", "user_id")]
    )
    joiners = rows(
        spark, JOINERS, *[{"user_id": u, "stage_days": s, "joined_on": dt.date(2005, 2, 3)} for u in (1, 2) for s in (0, 60)],
        {"user_id": 3, "stage_days": 0, "joined_on": dt.date(2005, 3, 3)},
    )  # fmt: skip
    frame = destinations.bucket(joiners, told.unionByName(late), [february], SETTINGS)
    assert frame.columns == BUCKET.names
    flows = {r.flow: r for r in frame.collect()}
    assert (flows["joined"].counted, flows["joined"].expected, flows["joined"].low) == (2, 2, 2)
    gone = [flows[name] for name in ("back", "competitor", "elsewhere")]
    assert sum(r.counted for r in gone) == 8
    assert sum(r.expected for r in gone) == pytest.approx(8, abs=1e-4)
    assert all(0 <= r.low <= r.expected <= r.high <= 8 for r in gone)
    assert {r.known_on for r in flows.values()} == {dt.date(2005, 6, 3)}
    assert destinations.bucket_months(Days(dt.date(2005, 6, 3), dt.date(2005, 6, 3)), SETTINGS) == [february]
    assert destinations.bucket_months(Days(dt.date(2005, 6, 4), dt.date(2005, 6, 30)), SETTINGS) == []


def test_what_is_told_is_judged_beside_the_majority_and_a_rule(spark: SparkSession) -> None:
    told = rows(
        spark, DESTINATIONS,
        {"user_id": 1, "back": 0.9, "competitor": 0.1, "elsewhere": 0.0, "destination": "back", "matched": 0.9},
        {"user_id": 2, "back": 0.1, "competitor": 0.5, "elsewhere": 0.4, "destination": "competitor", "successor": "none", "forwarded_calls": 1},
        {"user_id": 3, "back": 0.1, "competitor": 0.6, "elsewhere": 0.3, "destination": "competitor", "successor": "none"},
        {"user_id": 4, "back": 0.1, "competitor": 0.6, "elsewhere": 0.3, "destination": "competitor"},
    )  # fmt: skip
    went = [(1, "renumbered"), (2, "competitor"), (3, "elsewhere"), (4, None), (5, "back")]
    found = judged(told, spark.createDataFrame(went, "user_id bigint, destination string"))
    assert (found["leavers"], found["stayed"]) == (3, 1)
    assert found["truly"] == {"back": 1, "competitor": 1, "elsewhere": 1}
    assert (found["accuracy"], found["majority_accuracy"], found["rule_accuracy"]) == pytest.approx((2 / 3, 1 / 3, 1.0))
    assert found["log_loss"] == pytest.approx(-np.mean(np.log([0.9, 0.5, 0.3])))
    assert found["majority_log_loss"] == pytest.approx(np.log(3))
    assert found["brier"] == pytest.approx(np.mean([0.1**2 * 2, 0.1**2 + 0.5**2 + 0.4**2, 0.1**2 + 0.6**2 + 0.7**2]))
    assert found["expected"]["competitor"] == pytest.approx(1.2)
    assert found["confusion"]["elsewhere"] == {"back": 0, "competitor": 1, "elsewhere": 0}
    assert judged(told.where("user_id = 4"), spark.createDataFrame(went, "user_id bigint, destination string")) == {
        "leavers": 0,
        "stayed": 1,
    }
