"""Sampling, filtering and value mapping on a few rows."""

from __future__ import annotations

import datetime as dt

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.core.frames import frame_of
from churnlake.core.testing import rows as contract_rows
from churnlake.tables.features import ABNORMAL, OUTLIERS, SELECTION
from churnlake.understanding.filtering import abnormal, abnormal_by_kind, kinds, normal
from churnlake.understanding.mapping import banded, grouped
from churnlake.understanding.sampling import sampled, stratified

MAY, JUNE = dt.date(2005, 5, 1), dt.date(2005, 6, 1)
ABNORMAL_KINDS = {"no_use": "own_events = 0", "revenue_collapse": "fee_ratio <= 0.5"}


@pytest.fixture(scope="module")
def users(spark: SparkSession) -> DataFrame:
    """500 users: 3 of brand a, 97 without a brand, 400 of brand b."""
    brand = F.when(F.col("user_id") < 3, "a").when(F.col("user_id") >= 100, "b")
    return spark.range(500).withColumnRenamed("id", "user_id").withColumn("brand", brand)


def ids(rows: DataFrame) -> set[int]:
    return {row["user_id"] for row in rows.select("user_id").collect()}


def test_a_sample_is_of_a_fixed_size_and_the_same_whatever_the_order(users: DataFrame) -> None:
    drawn = ids(sampled(users, 50, 1))
    assert len(drawn) == 50
    assert ids(sampled(users.orderBy(F.desc("user_id")).repartition(5), 50, 1)) == drawn
    assert ids(sampled(users, 20, 1)) < drawn, "the fewer are among the more"
    assert ids(sampled(users, 50, 2)) != drawn
    assert len(ids(sampled(users, 501, 1))) == 500
    # drawn evenly: of users by id the lower half is about half
    assert 15 <= len([user for user in drawn if user < 250]) <= 35


def test_a_stratified_sample_keeps_the_parts_and_loses_no_stratum(users: DataFrame) -> None:
    def parts(most: int) -> dict[str | None, int]:
        return {row["brand"]: row["count"] for row in stratified(users, "brand", most, 1).groupBy("brand").count().collect()}

    assert parts(100) == {"a": 1, None: 19, "b": 78}
    assert parts(500) == {"a": 3, None: 97, "b": 400}
    assert parts(1) == {"a": 1, None: 1, "b": 1}
    drawn = ids(stratified(users, "brand", 100, 1))
    assert ids(stratified(users.orderBy(F.desc("user_id")).repartition(4, "brand"), "brand", 100, 1)) == drawn


def test_all_rows_of_a_user_are_drawn_or_none(users: DataFrame) -> None:
    months = users.select(F.explode(F.array(F.lit(MAY), F.lit(JUNE))).alias("month"), "*")
    drawn = sampled(months, 30, 1)
    assert drawn.groupBy("user_id").count().where("count = 2").count() == 30
    assert stratified(months, "brand", 30, 1).groupBy("user_id").count().where("count <> 2").isEmpty()


def test_abnormal_users_are_apart_and_told_by_kind(spark: SparkSession) -> None:
    rows = spark.createDataFrame(
        [(1, MAY, 0, 0.2), (2, MAY, 0, 0.9), (3, MAY, 5, 0.5), (4, MAY, 5, None), (5, MAY, None, None), (6, JUNE, 9, 1.0)],
        "user_id long, month date, own_events int, fee_ratio double",
    )
    told = {row["user_id"]: row["kinds"] for row in abnormal(rows, ABNORMAL_KINDS).collect()}
    assert told == {1: ["no_use", "revenue_collapse"], 2: ["no_use"], 3: ["revenue_collapse"]}
    # a condition over what is not known does not hold
    assert ids(normal(rows, ABNORMAL_KINDS)) == {4, 5, 6}
    assert normal(rows, ABNORMAL_KINDS).columns == rows.columns
    assert ids(normal(rows, {})) == {1, 2, 3, 4, 5, 6}
    assert rows.select(kinds({}).alias("kinds")).where("size(kinds) > 0").isEmpty()
    counted = abnormal_by_kind(rows, ABNORMAL_KINDS)
    assert counted.columns == ABNORMAL.names
    assert sorted((r["month"], r["kind"], r["users"], r["share"]) for r in counted.collect()) == [
        (MAY, "no_use", 2, 0.4),
        (MAY, "revenue_collapse", 2, 0.4),
        (JUNE, "no_use", 0, 0.0),
        (JUNE, "revenue_collapse", 0, 0.0),
    ]


def test_numbers_are_mapped_to_bands(spark: SparkSession) -> None:
    rows = spark.createDataFrame([(v,) for v in (-1.0, 0.0, 9.9, 10.0, 25.0, None, float("nan"))], "x double")
    told = rows.select(banded(F.col("x"), ["none", "few", "some", "many"], [0, 10, 20]).alias("band")).collect()
    assert [row["band"] for row in told] == ["none", "few", "few", "some", "many", "unknown", "unknown"]
    with pytest.raises(ValueError, match="edges must rise: 5, 5"):
        banded(F.col("x"), ["a", "b", "c"], [5, 5])


def test_codes_are_mapped_to_groups(spark: SparkSession) -> None:
    groups = {"own": ["shop", "web"], "agent": ["dealer"]}
    rows = spark.createDataFrame([("shop",), ("dealer",), ("kiosk",), ("",), (" ",), (None,)], "channel string")
    told = rows.select(grouped(F.col("channel"), groups).alias("group")).collect()
    assert [row["group"] for row in told] == ["own", "agent", "other", "unknown", "unknown", "unknown"]
    with pytest.raises(ValueError, match="listed in two groups: shop"):
        grouped(F.col("channel"), {"a": ["shop"], "b": ["shop"]})


def test_rows_of_a_month_understood_become_frames(spark: SparkSession) -> None:
    row = {"month": MAY, "indicator": "calls", "view": "calls", "users": 9, "missing_share": 0.0, "distinct_values": 2, "edges": [0.0, 1.0], "counts": [9],
           "role": "modelling", "why": "x"}  # fmt: skip
    (found,) = frame_of(spark, SELECTION.schema, [row]).collect()
    assert (found["edges"], found["counts"], found["levels"], found["leader"]) == ([0.0, 1.0], [9], None, None)
    group = {"month": MAY, "view": "calls", "users": 1, "share": 0.1, "indicators": ["calls"]}
    assert frame_of(spark, OUTLIERS.schema, [group]).collect()[0]["indicators"] == ["calls"]
    assert frame_of(spark, OUTLIERS.schema, []).isEmpty()
    assert contract_rows(spark, SELECTION, {"indicator": "calls"}).count() == 1
