"""Components and one-to-one assignment against independent references."""

import datetime as dt
import random

import networkx as nx
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from churnlake.circles.groups import persons
from churnlake.core.frames import frame_of
from churnlake.reentry.assignment import assign

PAIRS = "stage_days int, user_id bigint, old_user_id bigint, known_on date, probability double, circle_score double"


def materialised(frame: DataFrame) -> DataFrame:
    return frame.localCheckpoint(eager=True)


def union_find(pairs: list[tuple[int, int]]) -> dict[int, int]:
    """Smallest member of each one's group, by union-find with path halving."""
    parent: dict[int, int] = {}

    def root(x: int) -> int:
        parent.setdefault(x, x)
        while parent[x] != x:
            parent[x] = parent[parent[x]]
            x = parent[x]
        return x

    for a, b in pairs:
        parent[max(root(a), root(b))] = min(root(a), root(b))
    return {x: root(x) for x in parent}


def test_persons_equal_union_find_and_networkx(spark: SparkSession) -> None:
    random.seed(7)
    # keys as pseudonyms are: any 64 bits, negative ones too
    pool = [random.getrandbits(64) - 2**63 for _ in range(150)]
    pairs = [(random.choice(pool), random.choice(pool)) for _ in range(90)]
    pairs = [(a, b) for a, b in pairs if a != b]
    frame = frame_of(
        spark, StructType.fromDDL("user_id bigint, old_user_id bigint"), [{"user_id": a, "old_user_id": b} for a, b in pairs]
    )
    spark.sparkContext.setCheckpointDir("build/checkpoints")
    found = {r.user_id: (r.person_id, r.numbers) for r in persons(frame, materialised).collect()}
    expected = union_find(pairs)
    assert {u: p for u, (p, _) in found.items()} == expected
    graph = nx.Graph(pairs)
    assert {u: n for u, (_, n) in found.items()} == {u: len(group) for group in nx.connected_components(graph) for u in group}


def greedy(pairs: list[dict[str, object]]) -> set[tuple[object, ...]]:
    """The plain greedy matching, one pair after the other."""
    used: set[tuple[object, ...]] = set()
    chosen = set()
    for p in sorted(pairs, key=lambda p: (p["known_on"], -p["probability"], -p["circle_score"], p["user_id"], p["old_user_id"])):  # type: ignore[operator]
        new, old = ("new", p["stage_days"], p["user_id"]), ("old", p["stage_days"], p["old_user_id"])
        if new not in used and old not in used:
            used |= {new, old}
            chosen.add((p["stage_days"], p["user_id"], p["old_user_id"]))
    return chosen


@pytest.mark.parametrize("seed", [1, 2])
def test_assignment_is_the_greedy_matching_and_the_same_day_by_day(spark: SparkSession, seed: int) -> None:
    random.seed(seed)
    known = {n: dt.date(2005, 5, random.randint(1, 4)) for n in range(25)}
    keys = {(s, n, o) for s in (7, 60) for n in range(25) for o in random.sample(range(100, 115), 3)}
    # few distinct probabilities: ties must fall the same way
    pairs = [
        {
            "stage_days": s,
            "user_id": n,
            "old_user_id": o,
            "known_on": known[n],
            "probability": random.choice([0.6, 0.7, 0.9]),
            "circle_score": float(random.randint(1, 3)),
        }
        for s, n, o in sorted(keys)
    ]
    frame = frame_of(spark, StructType.fromDDL(PAIRS), pairs)
    found = {(r.stage_days, r.user_id, r.old_user_id) for r in assign(frame.repartition(3), None, materialised).collect()}
    assert found == greedy(pairs)
    early = assign(frame.where("known_on <= '2005-05-02'"), None, materialised)
    late = assign(frame.where("known_on > '2005-05-02'"), early, materialised)
    assert {(r.stage_days, r.user_id, r.old_user_id) for r in early.unionByName(late).collect()} == found
