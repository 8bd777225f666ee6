from __future__ import annotations

import math

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from churnlake.city.dice import Dice, Shuffle, lookup, u

DICE = Dice(7)


def test_uniform_is_the_same_for_the_same_keys_and_even(spark: SparkSession) -> None:
    drawn = spark.range(4000).select(u(7, "x", "id").alias("u"), u(7, "x", "id").alias("again"), u(8, "x", "id").alias("other"))
    row = drawn.selectExpr(
        "min(u) as least", "max(u) as most", "avg(u) as mean", "count_if(u <> again) as differ", "count_if(u = other) as same"
    ).first()
    assert row is not None
    assert row["least"] >= 0
    assert row["most"] < 1
    assert row["mean"] == pytest.approx(0.5, abs=0.02)
    assert (row["differ"], row["same"]) == (0, 0)


def test_draws_do_not_depend_on_partitioning(spark: SparkSession) -> None:
    one = spark.range(0, 500, 1, 1).selectExpr("id", f"{DICE.u('p', 'id')} as u")
    many = spark.range(0, 500, 1, 7).repartition(5).selectExpr("id", f"{DICE.u('p', 'id')} as u")
    assert one.exceptAll(many).isEmpty()


@pytest.mark.parametrize("mean", [0.3, 5.0, 40.0])
def test_poisson_has_its_mean_and_variance(spark: SparkSession, mean: float) -> None:
    row = spark.range(3000).selectExpr(f"{DICE.poisson(f'{mean}D', 'k', 'id')} as k").agg(F.avg("k"), F.var_samp("k")).first()
    assert row is not None
    assert row[0] == pytest.approx(mean, abs=5 * math.sqrt(mean / 3000))
    assert row[1] == pytest.approx(mean, rel=0.15)


def test_pick_follows_weights(spark: SparkSession) -> None:
    rows = (
        spark.range(4000)
        .selectExpr(f"{DICE.pick({'a': 3.0, 'b': 1.0, 'c': 0.0}, 'w', 'id')} as name")
        .groupBy("name")
        .count()
        .collect()
    )
    counts = {row["name"]: row["count"] for row in rows}
    assert set(counts) == {"a", "b"}
    assert counts["a"] / 4000 == pytest.approx(0.75, abs=0.03)


@pytest.mark.parametrize("size", [1, 2, 30, 97, 1770])
def test_shuffle_is_a_permutation_with_its_inverse(spark: SparkSession, size: int) -> None:
    shuffle = Shuffle(size, 3)
    moved = (
        spark.range(size)
        .selectExpr("id", f"{shuffle.forth('id')} as place")
        .selectExpr("id", "place", f"{shuffle.back('place')} as back")
    )
    assert moved.select("place").distinct().count() == size
    assert moved.where(f"place < 0 or place >= {size} or back <> id").isEmpty()


def test_lookup_gives_each_index_its_weight() -> None:
    table = lookup([1, 2, 1], 400)
    assert [table.count(i) for i in range(3)] == [100, 200, 100]
    assert len(lookup([0.1] * 7, 1000)) == 1000


@pytest.mark.parametrize("size", [200, 260, 650, 1711, 3_000_000])
@pytest.mark.parametrize("salt", [1, 3, 5])
def test_a_shuffle_takes_neighbours_apart(size: int, salt: int) -> None:
    shuffle = Shuffle(size, salt)
    places = [(place * shuffle._factor + salt * 7919) % size for place in (7, 8)]
    apart = abs(places[1] - places[0])
    assert min(apart, size - apart) >= size // 20
