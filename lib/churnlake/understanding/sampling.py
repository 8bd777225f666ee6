"""Samples of a fixed size, the same whatever the order and partitioning of the rows: users are drawn by a hash of their id."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F


def sampled(rows: DataFrame, most: int, seed: int) -> DataFrame:
    """The rows of ``most`` users, or of all where there are fewer.

    Another seed draws others; with one seed a user drawn from many is also drawn from fewer of them, so that samples of two
    months have most users in common.
    """
    users = rows.select("user_id").distinct().orderBy(_lot(seed), "user_id").limit(most)
    return rows.join(F.broadcast(users), on="user_id", how="left_semi")


def stratified(rows: DataFrame, by: str, most: int, seed: int) -> DataFrame:
    """The rows of at most ``most`` users, of each value of ``by`` as many as its part of all users, rounded down, but at least one.

    Users without a value are a stratum of their own; one with several values counts for the least. Where there are no more
    than ``most`` users, all are taken; where there are more strata than that, one of each.
    """
    users = rows.groupBy("user_id").agg(F.min(by).alias("stratum"))
    of_stratum = Window.partitionBy("stratum")
    placed = users.select(
        "user_id",
        F.row_number().over(of_stratum.orderBy(_lot(seed), "user_id")).alias("place"),
        F.count(F.lit(1)).over(of_stratum).alias("size"),
    )
    strata = users.groupBy("stratum").agg(F.count(F.lit(1)).alias("size"))
    whole = strata.agg(F.sum("size").alias("users"), F.count(F.lit(1)).alias("strata"))
    # whole numbers throughout: what decides who is drawn is the same on every machine
    quota = f"1 + coalesce(greatest({most} - strata, 0) * (size - 1) div nullif(users - strata, 0), 0)"
    drawn = placed.join(F.broadcast(whole), how="cross").where(f"place <= {quota}").select("user_id")
    return rows.join(F.broadcast(drawn), on="user_id", how="left_semi")


def _lot(seed: int) -> Column:
    return F.xxhash64(F.col("user_id"), F.lit(seed).cast("bigint"))
