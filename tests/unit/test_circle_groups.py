"""Ties between users, groups of them, and neighbours who left: small cases, hubs, empty months, nothing seen ahead."""

import datetime as dt

import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from churnlake.circles.groups import groups
from churnlake.circles.neighbours import first_month_needed, neighbours
from churnlake.circles.signatures import peers
from churnlake.circles.ties import close, reach, ties
from churnlake.core.settings import load
from churnlake.core.testing import rows
from churnlake.settings import Settings
from churnlake.tables.churn import LEAVINGS
from churnlake.tables.circles import GROUPS, MEMBERS, NEIGHBOURS, SIGNATURES
from churnlake.tables.daily import USAGE

FEBRUARY, MARCH, APRIL, MAY = (dt.date(2005, month, 1) for month in (2, 3, 4, 5))
SETTINGS = load(Settings, "local").circles.groups.model_copy(update={"rounds": 4, "rank_rounds": 6})
OFF_NET = 900


def circle(user: int, *strongest: int, month: dt.date = MAY, strength: int = 1000) -> list[dict[str, object]]:
    return [
        {"month": month, "user_id": user, "peer_id": peer, "strength": strength, "place": place}
        for place, peer in enumerate(strongest, 1)
    ]


def materialised(frame: DataFrame) -> DataFrame:
    return frame.localCheckpoint(eager=True)


def made(circles: DataFrame) -> tuple[list[Row], list[Row]]:
    found = groups(ties(circles, SETTINGS), reach(circles), SETTINGS, materialised)
    return (
        found.groups.select(GROUPS.names).orderBy("month", "group_id").collect(),
        found.members.select(MEMBERS.names).orderBy("month", "user_id").collect(),
    )


def test_a_tie_needs_both_sides_among_their_strongest(spark: SparkSession) -> None:
    circles = rows(
        spark, SIGNATURES,
        *circle(1, 2, 3, OFF_NET), *circle(2, 1, strength=400), *circle(3, 2), *circle(1, 3, month=APRIL), *circle(4, 4),
    )  # fmt: skip
    assert [tuple(row) for row in ties(circles, SETTINGS).collect()] == [(MAY, 1, 2, 400)]
    narrow = SETTINGS.model_copy(update={"ties_kept": 1})
    both = rows(spark, SIGNATURES, *circle(1, 2, 3), *circle(2, 1), *circle(3, 1))
    assert [(row["user_id"], row["other_id"]) for row in ties(both, narrow).collect()] == [(1, 2)]


def test_a_contact_of_very_many_is_nobodys_tie_and_no_reach(spark: SparkSession) -> None:
    """A courier in a thousand circles: no row is shuffled by it, and who has no other peer is left without a circle."""
    crowd = spark.range(1, 1001).select(
        F.lit(MAY).alias("month"), F.col("id").alias("user_id"), F.lit(5000).cast("bigint").alias("peer_id"),
        F.lit(9000).cast("bigint").alias("strength"), F.lit(1).alias("place"),
    )  # fmt: skip
    friends = rows(spark, SIGNATURES, *circle(1, 2, 3), *circle(2, 1, 3), *circle(3, 1, 2), *circle(5000, *range(1, 11)))
    circles = crowd.unionByName(friends.select(crowd.columns))
    left = close(circles, peers(circles), SETTINGS)
    assert left.where("peer_id = 5000").isEmpty()
    found, members = made(left)
    assert [(row["users"], row["ties"], row["density"], row["triangles"], row["ties_out"]) for row in found] == [
        (3, 3, 1.0, 1, 0)
    ]
    assert [(row["user_id"], row["reach"], row["reach_off_net"], row["pagerank"]) for row in members] == [
        (user, 2, 0, pytest.approx(1 / 3)) for user in (1, 2, 3)
    ]


def test_the_middle_of_a_star_is_its_seed_and_two_people_are_no_group(spark: SparkSession) -> None:
    star = [*circle(10, 11, 12, 13, 14), *(row for leaf in (11, 12, 13, 14) for row in circle(leaf, 10, OFF_NET + leaf, OFF_NET))]
    pair = [*circle(20, 21), *circle(21, 20)]
    found, members = made(rows(spark, SIGNATURES, *star, *pair))
    assert [(row["group_id"], row["users"], row["density"], row["triangles"], row["seeds"]) for row in found] == [
        (1, 5, 0.4, 0, 1)
    ]
    assert [(row["user_id"], row["place"], row["is_seed"], row["reach"], row["reach_off_net"]) for row in members] == [
        (10, 1, True, 4, 0), (11, 2, False, 3, 2), (12, 3, False, 3, 2), (13, 4, False, 3, 2), (14, 5, False, 3, 2),
    ]  # fmt: skip


def test_a_month_without_ties_has_no_groups(spark: SparkSession) -> None:
    assert made(rows(spark, SIGNATURES, *circle(1, OFF_NET))) == ([], [])
    assert made(rows(spark, SIGNATURES)) == ([], [])


def of(circles: DataFrame, leavings: DataFrame, *months: dt.date, usage: DataFrame | None = None) -> list[tuple[object, ...]]:
    used = rows(circles.sparkSession, USAGE) if usage is None else usage
    names = [
        name
        for name in NEIGHBOURS.names
        if usage is not None or name not in ("neighbours_silent", "silent_closeness", "activation")
    ]
    found = neighbours(circles, leavings, used, list(months), SETTINGS, lambda frame: frame.localCheckpoint()).select(names)
    return [tuple(row) for row in found.orderBy("month", "user_id").collect()]


def test_neighbours_who_left_are_counted_and_weighed(spark: SparkSession) -> None:
    circles = rows(
        spark, SIGNATURES,
        *circle(1, 2, 3, OFF_NET, strength=3000), *circle(1, 4, 5, month=FEBRUARY, strength=1500), *circle(1, 2, month=APRIL, strength=6000),
        *circle(2, 1), *circle(3, OFF_NET), *circle(4, 1, month=FEBRUARY),
    )  # fmt: skip
    leavings = rows(
        spark, LEAVINGS,
        {"user_id": 4, "known_on": dt.date(2005, 5, 31), "leave_on": dt.date(2005, 3, 30)},
        {"user_id": 5, "known_on": dt.date(2005, 3, 1), "leave_on": dt.date(2005, 2, 2)},
        {"user_id": 2, "known_on": dt.date(2005, 2, 28), "leave_on": dt.date(2005, 1, 2)},
        {"user_id": 77, "known_on": dt.date(2005, 5, 2), "leave_on": dt.date(2005, 5, 1)},
    )  # fmt: skip
    # peers 2 (as strong as in April), 3, 4, 5 are of ours, the off-net one is not; 2 left too long ago to count
    assert of(circles, leavings, MAY) == [
        (MAY, 1, 4, 1, 2, 0.5, 3000 / 12000),
        (MAY, 2, 1, 0, 0, 0.0, 0.0),
    ]
    assert first_month_needed([MAY, APRIL], SETTINGS) == dt.date(2005, 1, 1)
    assert first_month_needed([dt.date(2005, 1, 1)], SETTINGS) == dt.date(2004, 10, 1)


def test_neighbours_who_fell_silent_are_counted_and_the_closest_told(spark: SparkSession) -> None:
    circles = rows(
        spark, SIGNATURES,
        *circle(1, 2, strength=2000, month=APRIL), *circle(1, 3, 4, 5, 6, OFF_NET, strength=500, month=APRIL), *circle(1, 7, strength=6000, month=APRIL),
        *circle(8, 2, strength=6000, month=APRIL), *circle(9, 3, month=APRIL),
        *(row for peer in (2, 3, 4, 5, 6, 7) for row in circle(peer, 1, month=APRIL)),
    )  # fmt: skip
    end, day = dt.date(2005, 4, 30), dt.timedelta(days=1)
    used = {
        2: [(14, 10)],
        3: [(13, 10)],
        4: [(14, 9)],
        5: [(75, 10)],
        # once in ten days: two were to be expected in a fortnight and a half; every day and more: ten
        6: [(20 + 10 * turn, 1) for turn in range(10)],
        7: [(20 + turn, 1) for turn in range(20)],
    }
    usage = rows(
        spark, USAGE, *({"user_id": user, "day": end - back * day, "own_events": events} for user, told in used.items() for back, events in told)
    )  # fmt: skip
    told = {row[1]: row for row in of(circles, rows(spark, LEAVINGS), APRIL, usage=usage)}
    # of the end of April 2 is silent for 14 days, 7 for 20; 3 for 13, 4 and 6 hardly ever called, 5 has been gone for 75 days
    assert told[1][:4] == (APRIL, 1, 6, 2)
    # 7 has no other tie, 2 is closer to 8
    assert told[1][4] == pytest.approx(6000 / (10000 * 6000) ** 0.5, abs=1e-6)
    assert told[8][3:5] == (1, pytest.approx(6000 / (6000 * 8000) ** 0.5, abs=1e-6))
    assert {user: row[3:5] for user, row in told.items() if user not in (1, 8)} == dict.fromkeys((2, 3, 4, 5, 6, 7, 9), (0, 0.0))


def test_what_becomes_known_later_moves_no_row(spark: SparkSession) -> None:
    circles = rows(
        spark,
        SIGNATURES,
        *[row for month in (MARCH, APRIL) for row in (*circle(1, 2, 3, month=month), *circle(2, 1, month=month))],
    )
    before = {"user_id": 3, "known_on": dt.date(2005, 4, 30), "leave_on": dt.date(2005, 3, 1)}
    # known later, though it left before
    later = {"user_id": 2, "known_on": dt.date(2005, 5, 1), "leave_on": dt.date(2005, 3, 1)}
    told = of(circles, rows(spark, LEAVINGS, before), MARCH, APRIL)
    assert told == [
        (MARCH, 1, 1, 0, 0, 0.0, 0.0),
        (MARCH, 2, 1, 0, 0, 0.0, 0.0),
        (APRIL, 1, 2, 1, 1, 0.5, 0.5),
        (APRIL, 2, 1, 0, 0, 0.0, 0.0),
    ]
    future = rows(spark, SIGNATURES, *circle(1, 4, 5), *circle(4, 1), *circle(2, 3))
    assert of(circles.unionByName(future).repartition(5, "peer_id"), rows(spark, LEAVINGS, later, before), MARCH, APRIL) == told
