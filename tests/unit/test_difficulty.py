"""How alike the circles of true pairs, decoys and chance pairs are, and the plain probe, on a handful of planted rows."""

from __future__ import annotations

import datetime as dt

import pytest
from pyspark.sql import DataFrame, SparkSession

from churnlake.core.settings import load
from churnlake.core.testing import rows
from churnlake.evaluate import difficulty, probe
from churnlake.settings import Settings
from churnlake.tables.clean import SMS
from churnlake.tables.daily import EDGES, USAGE
from churnlake.usage import daily

LEFT, JOINED, KNOWN, ENDS = (dt.date(2005, 2, 20), dt.date(2005, 3, 1), dt.date(2005, 4, 30), dt.date(2005, 6, 30))


@pytest.fixture(scope="module")
def usage(spark: SparkSession) -> DataFrame:
    """Users 1 and 2 left; 9 joined; 3 stays to the end."""
    own = [(1, LEFT, 4), (2, LEFT, 4), (9, JOINED, 3), (9, KNOWN, 1), (9, ENDS, 50), (3, ENDS, 1), (3, LEFT, 1)]
    return rows(spark, USAGE, *[{"user_id": u, "day": d, "own_events": n} for u, d, n in own])


@pytest.fixture(scope="module")
def asked(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame([(9, JOINED, KNOWN)], "user_id bigint, joined_on date, known_on date")


def test_pairs_are_true_decoy_and_chance(spark: SparkSession, asked: DataFrame, usage: DataFrame) -> None:
    planted = spark.createDataFrame([(9, 1)], "user_id bigint, old_user_id bigint")
    decoys = spark.createDataFrame([(9, "kin", 3), (9, "kin", None)], "user_id bigint, kind string, old_user_id bigint")
    found = difficulty.pairs(asked, planted, decoys, usage, load(Settings, "local").reentry).collect()
    # 3 has not gone, and 1 is the true one: chance can only bring 2
    assert sorted((r["kind"], r["user_id"], r["old_user_id"]) for r in found) == [
        ("chance", 9, 2),
        ("kin", 9, 3),
        ("re-entry", 9, 1),
    ]


def test_overlap_is_of_the_circle_before_the_join_and_the_one_after(spark: SparkSession, usage: DataFrame) -> None:
    compared = spark.createDataFrame(
        [(kind, 9, JOINED, KNOWN, old) for kind, old in (("re-entry", 1), ("re-entry", 2), ("chance", 2), ("kin", 3))],
        "kind string, user_id bigint, joined_on date, known_on date, old_user_id bigint",
    )
    long_ago = LEFT - dt.timedelta(days=90)
    met = [
        (9, JOINED, 51), (9, KNOWN, 52), (9, KNOWN, 53), (9, KNOWN + dt.timedelta(1), 54),
        (1, LEFT, 51), (1, LEFT, 52), (1, LEFT, 60), (1, long_ago, 53),
        # 3 met 51 before the join, 52 only after it
        (3, LEFT, 51), (3, ENDS, 52),
    ]  # fmt: skip
    edges = rows(spark, EDGES, *[{"user_id": u, "day": d, "peer_id": p, "message_out": 1} for u, d, p in met])
    overlaps = difficulty.overlaps(compared, usage, edges)
    found = {
        r["kind"]: (r["peers"], r["old_peers"], r["shared"], r["jaccard"], r["found_share"])
        for r in overlaps.where("kind <> 're-entry' or old_user_id = 1").collect()
    }
    assert found["re-entry"] == (3, 3, 2, pytest.approx(2 / 4), pytest.approx(2 / 3))
    assert found["kin"] == (3, 1, 1, pytest.approx(1 / 3), pytest.approx(1 / 3))
    assert found["chance"] == (3, 0, 0, None, None)

    told = difficulty.summary(overlaps)
    assert [(one["kind"], one["pairs"], one["without_circle"]) for one in told] == [
        ("re-entry", 2, 1),
        ("kin", 1, 0),
        ("chance", 1, 1),
    ]
    assert told[0]["found_share"]["quantiles"]["0.5"] == pytest.approx(2 / 3)
    # a pair without a circle is in no class
    assert told[0]["found_share"]["shares"] == [0] * 13 + [1] + [0] * 6
    assert told[2]["jaccard"] == {"quantiles": {}, "shares": []}


def test_few_events_count_up_to_the_final_stage(spark: SparkSession, asked: DataFrame, usage: DataFrame) -> None:
    planted = spark.createDataFrame([(9, 1)], "user_id bigint, old_user_id bigint")
    assert difficulty.few_events_share(planted, asked, usage) == 1.0
    assert difficulty.few_events_share(planted.limit(0), asked, usage) is None


def test_the_probe_finds_second_halves_by_their_contacts(spark: SparkSession) -> None:
    """Each of 1 and 2 keeps its friend; 3 changes to the friend of 2, so that its second half is taken for 2's; 4 wrote too little."""
    friends = {1: [11] * 12, 2: [12] * 12, 3: [13] * 6 + [12] * 6, 4: [14] * 4}
    start = dt.datetime(2005, 1, 1, tzinfo=dt.UTC)
    given = [
        {"number_key": user, "peer_key": friend, "started_at": start + dt.timedelta(hours=at)}
        for user, peers in friends.items()
        for at, friend in enumerate(peers)
    ]
    events = daily.events({SMS.name: rows(spark, SMS, *given)})
    people = probe.halves(events)
    assert sorted(row["number_key"] for row in people.collect()) == [1, 2, 3]
    found = probe.found_again(events, people)
    assert (found["egos"], found["top1"], found["top5"]) == (3, pytest.approx(2 / 3), 1.0)
    assert found["damped_top1"] == pytest.approx(2 / 3)
    nobody = probe.found_again(events.limit(0), people.limit(0))
    assert (nobody["egos"], nobody["top1"]) == (0, 0.0)
